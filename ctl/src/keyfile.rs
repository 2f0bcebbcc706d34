//! The file with the sealing key, which root keeps for the daemon.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use rustix::fs::{Mode, OFlags};
use zeroize::Zeroizing;

use crate::errors::{Exit, Failure};
use crate::newfile::shown;
use crate::text;

/// Bytes of the largest key file there can be.
const LARGEST: usize = 512;
/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A key file as it is.
pub(crate) struct KeyFile {
    pub(crate) file: File,
    pub(crate) text: Zeroizing<String>,
}

impl KeyFile {
    /// What follows `name` in its own line.
    fn value(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))
    }

    /// Whether a change of keys was begun and not ended.
    pub(crate) fn is_changing(&self) -> bool {
        self.value("previous").is_some()
    }

    /// The same with a new key from the kernel, and the present one beside it.
    ///
    /// # Errors
    /// When the kernel gives no randomness, or this is no key file.
    pub(crate) fn with_new(&self) -> Result<Zeroizing<String>, Failure> {
        let new = fresh()?;
        let mut hex = Zeroizing::new(String::with_capacity(2 * KEY_BYTES));
        for byte in new.iter() {
            for digit in [byte >> 4, byte & 15] {
                hex.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
            }
        }
        let lines = self.value("instance").zip(self.value("key"));
        let (instance, key) = lines.ok_or_else(|| Failure::failed(text::NO_KEY_FILE))?;
        Ok(Zeroizing::new(format!(
            "countersign-key 1\ninstance {instance}\nkey {}\nprevious {key}\n",
            hex.as_str()
        )))
    }

    /// The same without the key of before.
    pub(crate) fn without_previous(&self) -> Zeroizing<String> {
        let kept = self.text.lines().filter(|line| !line.starts_with("previous "));
        let mut text = Zeroizing::new(String::with_capacity(self.text.len()));
        for line in kept {
            text.push_str(line);
            text.push('\n');
        }
        text
    }
}

/// A key of 32 bytes that the kernel makes.
///
/// # Errors
/// When it makes none.
pub(crate) fn fresh() -> Result<Zeroizing<[u8; KEY_BYTES]>, Failure> {
    let mut new = Zeroizing::new([0_u8; KEY_BYTES]);
    let filled = rustix::rand::getrandom(new.as_mut_slice(), rustix::rand::GetRandomFlags::empty());
    if filled == Ok(KEY_BYTES) { Ok(new) } else { Err(Failure::failed(text::NO_RANDOMNESS)) }
}

/// Reads a key file.
///
/// # Errors
/// When it is missing, a link, no key file, or may not be read.
pub(crate) fn read(path: &Path) -> Result<KeyFile, Failure> {
    let failed = |why: &str| Failure::failed(text::key_unread(&shown(path), why));
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
        rustix::io::Errno::ACCESS | rustix::io::Errno::PERM => {
            Failure::new(Exit::NotAuthorized, text::key_unread(&shown(path), &error.to_string()))
        }
        _ => failed(&error.to_string()),
    })?;
    let file = File::from(opened);
    let regular = file.metadata().is_ok_and(|about| about.is_file() && about.nlink() == 1);
    if !regular {
        return Err(failed(text::FILE_SPECIAL));
    }
    let mut bytes = Zeroizing::new(vec![0; LARGEST]);
    let read = file.read_at(&mut bytes, 0).map_err(|error| failed(&error.to_string()))?;
    let text = Zeroizing::new(std::str::from_utf8(&bytes[..read]).unwrap_or_default().to_owned());
    if !text.starts_with("countersign-key 1\n") {
        return Err(failed(text::NO_KEY_FILE));
    }
    Ok(KeyFile { file, text })
}

/// Puts another text in the place of a key file, durably and all at once, with the same owner and mode.
///
/// # Errors
/// When it cannot be written; then the old one is whole.
pub(crate) fn replace(path: &Path, present: &KeyFile, text: &str) -> Result<(), Failure> {
    let failed =
        |error: std::io::Error| Failure::failed(text::key_unwritten(&shown(path), &error.to_string()));
    let about = present.file.metadata().map_err(failed)?;
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    match std::fs::remove_file(new) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let written = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(new).and_then(
        |mut file| {
            fchown(&file, Some(about.uid()), Some(about.gid()))?;
            file.set_permissions(about.permissions())?;
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            std::fs::rename(new, path)?;
            path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all())
        },
    );
    written.map_err(failed)
}
