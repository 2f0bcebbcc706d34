//! The files of an installation: opened without following links, refused when others could have
//! put them there.

use crate::error::Error;
use crate::random;
use crate::seal::{INSTANCE_BYTES, MASTER_BYTES};
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// What helps when a file is not there.
const RESTORE: &str =
    "restore it from your backup (`countersignd --init` is only for a host that never had one)";

/// What helps when somebody touched a file under the running daemon.
pub(super) const PUT_BACK: &str =
    "put it back, or restore the state directory from your backup and restart countersignd";

/// Where the state of an installation lies.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The state directory, 0700.
    pub state: PathBuf,
    /// The sealing key, outside of it.
    pub key: PathBuf,
}

impl Layout {
    /// The database.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.state.join("countersign.db")
    }

    /// The write-ahead log beside the database.
    #[must_use]
    pub fn wal(&self) -> PathBuf {
        self.state.join("countersign.db-wal")
    }

    /// What SQLite opens beside the database by itself, following links and waiting for FIFOs.
    #[must_use]
    pub fn beside_database(&self) -> [PathBuf; 3] {
        ["-wal", "-journal", "-shm"].map(|suffix| self.state.join(format!("countersign.db{suffix}")))
    }

    /// The instance file, which vouches for key and database.
    #[must_use]
    pub fn instance(&self) -> PathBuf {
        self.state.join("instance")
    }

    /// The policy that was last put into force.
    #[must_use]
    pub fn last_good(&self) -> PathBuf {
        self.state.join("policy")
    }

    /// Refuses a state directory that others can look into.
    ///
    /// # Errors
    /// When it is missing, no directory, somebody else's, or open to others.
    pub fn check_state_dir(&self) -> Result<(), Error> {
        let shown = self.state.display();
        let meta = std::fs::symlink_metadata(&self.state).map_err(|e| not_there(&self.state, &e))?;
        if !meta.is_dir() {
            return Err(Error::unavailable(format!("{shown} is not a directory")));
        }
        if meta.uid() != geteuid().as_raw() {
            return Err(Error::unavailable(format!(
                "the state directory {shown} belongs to uid {}, not to the daemon's uid {}",
                meta.uid(),
                geteuid()
            )));
        }
        if meta.mode() & 0o077 != 0 {
            return Err(Error::unavailable(format!(
                "the state directory {shown} is open to others (mode {:o}); run `chmod 0700 {shown}`",
                meta.mode() & 0o7777
            )));
        }
        Ok(())
    }
}

/// Opens one of our own files in the state directory.
///
/// # Errors
/// When it is missing, a link, not a regular file, hard-linked, somebody else's or open to others.
pub(super) fn open_own(path: &Path, write: bool) -> Result<File, Error> {
    let (file, meta) = open_regular(path, write)?;
    let shown = path.display();
    if meta.uid() != geteuid().as_raw() {
        return Err(Error::unavailable(format!(
            "{shown} belongs to uid {}, not to the daemon's uid {}",
            meta.uid(),
            geteuid()
        )));
    }
    if meta.mode() & 0o077 != 0 {
        return Err(Error::unavailable(format!(
            "{shown} is open to others (mode {:o}); run `chmod 0600 {shown}`",
            meta.mode() & 0o7777
        )));
    }
    Ok(file)
}

fn open_regular(path: &Path, write: bool) -> Result<(File, Metadata), Error> {
    let shown = path.display();
    // O_NONBLOCK: a FIFO in the file's place must not hang the daemon.
    let file = OpenOptions::new()
        .read(true)
        .write(write)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path)
        .map_err(|e| not_there(path, &e))?;
    let meta = file.metadata()?;
    if !meta.is_file() {
        return Err(Error::unavailable(format!("{shown} is not a regular file")));
    }
    if meta.nlink() != 1 {
        return Err(Error::unavailable(format!("{shown} has {} names; it must have one", meta.nlink())));
    }
    Ok((file, meta))
}

fn not_there(path: &Path, e: &std::io::Error) -> Error {
    let shown = path.display();
    Error::unavailable(match e.kind() {
        ErrorKind::NotFound => format!("{shown} is missing; {RESTORE}"),
        _ => format!("{shown} cannot be opened: {e}"),
    })
}

/// The text of a key file.
pub(super) fn key_text(instance: &[u8; INSTANCE_BYTES], key: &[u8; MASTER_BYTES]) -> Zeroizing<String> {
    Zeroizing::new(format!(
        "countersign-key 1\ninstance {}\nkey {}\n",
        random::hex(instance),
        random::hex(key)
    ))
}

/// Reads the sealing key and the instance it belongs to.
///
/// # Errors
/// When the file is missing, not ours to trust, readable by everybody, or malformed.
pub fn read_key(path: &Path) -> Result<(Zeroizing<[u8; MASTER_BYTES]>, [u8; INSTANCE_BYTES]), Error> {
    let shown = path.display();
    let (file, meta) = open_regular(path, false)?;
    if meta.uid() != 0 && meta.uid() != geteuid().as_raw() {
        return Err(Error::unavailable(format!(
            "the key file {shown} belongs to uid {}; it must belong to root",
            meta.uid()
        )));
    }
    if meta.mode() & 0o027 != 0 {
        return Err(Error::unavailable(format!(
            "the key file {shown} is open to others (mode {:o}); run `chmod 0640 {shown}`",
            meta.mode() & 0o7777
        )));
    }
    let mut text = Zeroizing::new(String::with_capacity(256));
    file.take(1024)
        .read_to_string(&mut text)
        .map_err(|e| Error::unavailable(format!("the key file {shown} cannot be read: {e}")))?;
    parse_key(&text).ok_or_else(|| Error::unavailable(format!("{shown} is not a countersign key file; restore it from your backup: without it no enrollment can be read")))
}

fn parse_key(text: &str) -> Option<(Zeroizing<[u8; MASTER_BYTES]>, [u8; INSTANCE_BYTES])> {
    let mut lines = text.lines();
    if lines.next()? != "countersign-key 1" {
        return None;
    }
    let instance = random::unhex(lines.next()?.strip_prefix("instance ")?)?;
    let key = Zeroizing::new(random::unhex(lines.next()?.strip_prefix("key ")?)?);
    lines.next().is_none().then_some((key, instance))
}

/// Remembers which files the connection has open, to notice when somebody takes them away.
#[derive(Debug)]
pub(super) struct InPlace {
    database: Known,
    wal: Option<Known>,
    layout: Layout,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    device: u64,
    inode: u64,
    size: u64,
}

impl Known {
    fn of(path: &Path) -> std::io::Result<Self> {
        let meta = std::fs::symlink_metadata(path)?;
        Ok(Self { device: meta.dev(), inode: meta.ino(), size: meta.size() })
    }

    /// The same file, and no shorter: neither file shrinks while we hold it.
    fn still(&self, path: &Path) -> Option<Self> {
        Self::of(path)
            .ok()
            .filter(|now| now.device == self.device && now.inode == self.inode && now.size >= self.size)
    }
}

impl InPlace {
    pub(super) fn new(layout: Layout) -> Result<Self, Error> {
        let database = Known::of(&layout.database())?;
        let wal = Known::of(&layout.wal()).ok();
        Ok(Self { database, wal, layout })
    }

    /// Whether the files on disk are those that the connection writes.
    pub(super) fn check(&mut self) -> Result<(), Error> {
        let gone = |what: &Path| {
            Error::unavailable(format!(
                "{} was removed, replaced or truncated while the daemon runs; {PUT_BACK}",
                what.display()
            ))
        };
        let database = self.layout.database();
        self.database = self.database.still(&database).ok_or_else(|| gone(&database))?;
        let wal = self.layout.wal();
        self.wal = match self.wal {
            Some(known) => Some(known.still(&wal).ok_or_else(|| gone(&wal))?),
            None => Known::of(&wal).ok(),
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dat_05_a_key_file_is_read_whole_or_not_at_all() {
        let text = key_text(&[3; INSTANCE_BYTES], &[9; MASTER_BYTES]);
        let (key, instance) = parse_key(&text).expect("own text parses");
        assert_eq!((*key, instance), ([9; MASTER_BYTES], [3; INSTANCE_BYTES]));
        for cut in 0..text.len() - 1 {
            assert!(parse_key(&text[..cut]).is_none(), "cut at {cut}");
        }
        assert!(parse_key(&format!("{}x\n", text.as_str())).is_none());
    }
}
