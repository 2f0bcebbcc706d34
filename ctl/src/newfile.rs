//! New files for nobody but their owner.

use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use crate::errors::Failure;
use crate::terminal::safe;
use crate::text;

/// A file that is removed again unless it is kept.
pub(crate) struct NewFile {
    pub(crate) file: File,
    path: PathBuf,
    kept: bool,
}

impl NewFile {
    /// Creates it: 0600, and only where nothing is yet, no link either.
    ///
    /// # Errors
    /// When something is there or it cannot be created.
    pub(crate) fn create(path: &Path) -> Result<Self, Failure> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let opened = rustix::fs::open(path, flags, Mode::RUSR | Mode::WUSR)
            .map_err(|error| Failure::failed(text::no_new_file(&shown(path), &error.to_string())))?;
        Ok(Self { file: File::from(opened), path: path.to_owned(), kept: false })
    }

    /// Keeps it, by name too, over a power cut.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub(crate) fn keep(mut self) -> Result<(), Failure> {
        self.kept = true;
        let folder = match self.path.parent() {
            Some(parent) if parent != Path::new("") => parent,
            _ => Path::new("."),
        };
        let synced = self.file.sync_all().and_then(|()| File::open(folder)?.sync_all());
        synced.map_err(|error| Failure::failed(text::file_not_kept(&shown(&self.path), &error.to_string())))
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.kept {
            drop(std::fs::remove_file(&self.path));
        }
    }
}

/// A path as the terminal may show it.
pub(crate) fn shown(path: &Path) -> String {
    safe(&OsStr::to_string_lossy(path.as_os_str()))
}
