//! New files for nobody but their owner.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::AsRawFd;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, CWD, Mode, OFlags, linkat};
use rustix::io::Errno;

use crate::errors::Failure;
use crate::terminal::safe;
use crate::text;

/// A file that gets its name when it is whole: whatever dies before leaves nothing that is in the way, or
/// that somebody could take for more than it is.
pub(crate) struct NewFile {
    pub(crate) file: File,
    path: PathBuf,
    /// Where the file system has no files without a name, it has its name from the beginning.
    named: bool,
    kept: bool,
}

impl NewFile {
    /// Creates it: 0600, and only where nothing is yet, no link either.
    ///
    /// # Errors
    /// When something is there or it cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let failed = |error: Errno| Failure::failed(text::no_new_file(&shown(path), &error.to_string()));
        if path.symlink_metadata().is_ok() {
            return Err(failed(Errno::EXIST));
        }
        let mode = Mode::RUSR | Mode::WUSR;
        let flags = OFlags::RDWR | OFlags::CLOEXEC;
        let (opened, named) = match rustix::fs::open(folder(path), flags | OFlags::TMPFILE, mode) {
            Err(Errno::OPNOTSUPP | Errno::ISDIR | Errno::INVAL) => {
                let flags = flags | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW;
                (rustix::fs::open(path, flags, mode).map_err(failed)?, true)
            }
            opened => (opened.map_err(failed)?, false),
        };
        Ok(Self { file: File::from(opened), path: path.to_owned(), named, kept: false })
    }

    /// Keeps it, by name too, over a power cut.
    ///
    /// # Errors
    /// When something has its name by now, or the folder cannot be written.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        let lost = |error: std::io::Error| {
            Failure::failed(text::file_not_kept(&shown(&self.path), &error.to_string()))
        };
        self.file.sync_all().map_err(lost)?;
        if !self.named {
            // linkat(2): the way that needs no right of root.
            let itself = format!("/proc/self/fd/{}", self.file.as_raw_fd());
            linkat(CWD, itself, CWD, &self.path, AtFlags::SYMLINK_FOLLOW).map_err(|error| {
                Failure::failed(text::no_new_file(&shown(&self.path), &error.to_string()))
            })?;
        }
        let synced = File::open(folder(&self.path)).and_then(|folder| folder.sync_all()).map_err(lost);
        self.kept = true;
        synced
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if self.named && !self.kept {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if parent != Path::new("") => parent,
        _ => Path::new("."),
    }
}

/// A path as the terminal may show it.
pub(crate) fn shown(path: &Path) -> String {
    safe(&OsStr::to_string_lossy(path.as_os_str()))
}
