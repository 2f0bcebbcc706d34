//! Small files of our own in the state directory, read whole and replaced whole.

use super::files::open_own;
use crate::error::Error;
use nix::fcntl::OFlag;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Reads one of our own files in the state directory; `None` when it is not there.
///
/// # Errors
/// When it is there and cannot be trusted or read, or is larger than `largest` bytes.
pub fn read_own(path: &Path, largest: u64) -> Result<Option<Vec<u8>>, Error> {
    if path.symlink_metadata().is_err_and(|e| e.kind() == ErrorKind::NotFound) {
        return Ok(None);
    }
    let mut bytes = Vec::new();
    let read = open_own(path, false)?.take(largest + 1).read_to_end(&mut bytes)?;
    if read as u64 > largest {
        return Err(Error::unavailable(format!("{} is larger than {largest} bytes", path.display())));
    }
    Ok(Some(bytes))
}

/// Replaces one of our own files in the state directory, durably and all at once.
///
/// # Errors
/// When it cannot be written; the old content is then still whole.
pub fn replace_own(path: &Path, content: &[u8]) -> Result<(), Error> {
    let unwritable =
        |e: std::io::Error| Error::unavailable(format!("{} cannot be written: {e}", path.display()));
    let new = path.with_extension("new");
    match std::fs::remove_file(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(unwritable(e)),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(&new)
        .map_err(unwritable)?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(unwritable)?;
    std::fs::rename(&new, path).map_err(unwritable)?;
    // The rename is durable once the directory is.
    path.parent().map_or(Ok(()), |dir| File::open(dir)?.sync_all()).map_err(unwritable)
}
