//! The files of an installation: opened without following links, refused when others could have
//! put them there.

use crate::error::Error;
use crate::random;
use crate::seal::{INSTANCE_BYTES, MASTER_BYTES, Sealer};
use nix::fcntl::OFlag;
use nix::unistd::geteuid;
use std::fs::{File, Metadata, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Bytes of a key file at most.
const LARGEST_KEY_FILE: usize = 512;

/// What helps when a file is not there.
const RESTORE: &str = "restore it from your backup with `countersignd --restore FILE` (`--init` is only for a host that never had one)";

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

    /// Where a backup is looked at before it takes the database's place.
    #[must_use]
    pub fn staging(&self) -> PathBuf {
        self.state.join("restore.new")
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

/// What a key file holds.
pub struct KeyFile {
    /// The instance it belongs to.
    pub instance: [u8; INSTANCE_BYTES],
    /// The sealing key.
    pub key: Zeroizing<[u8; MASTER_BYTES]>,
    /// While keys change: the one until now. What is in the database says which of both it is under.
    pub previous: Option<Zeroizing<[u8; MASTER_BYTES]>>,
}

impl KeyFile {
    /// Every key in it, the present one first.
    ///
    /// # Errors
    /// Never in practice, as [`Sealer::derive`].
    pub fn sealers(&self) -> Result<Vec<Sealer>, Error> {
        let keys = std::iter::once(&self.key).chain(&self.previous);
        keys.map(|key| Sealer::derive(key, self.instance)).collect()
    }

    /// The very key that this follows from.
    ///
    /// # Errors
    /// `InvalidArgument` where it is not in here.
    pub fn key_of(&self, used: &Sealer) -> Result<&[u8; MASTER_BYTES], Error> {
        for key in std::iter::once(&self.key).chain(&self.previous) {
            if Sealer::derive(key, self.instance)?.fingerprint() == used.fingerprint() {
                return Ok(key);
            }
        }
        Err(Error::InvalidArgument("that key is not in the key file".into()))
    }

    /// Whether the key in use is one of them.
    ///
    /// # Errors
    /// As [`KeyFile::sealers`].
    pub fn is_present(&self, used: &Sealer) -> Result<bool, Error> {
        let same = |key: &Sealer| key.fingerprint() == used.fingerprint();
        Ok(self.instance == used.instance() && self.sealers()?.iter().any(same))
    }
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
/// As [`read_key_file`].
pub fn read_key(path: &Path) -> Result<(Zeroizing<[u8; MASTER_BYTES]>, [u8; INSTANCE_BYTES]), Error> {
    read_key_file(path).map(|file| (file.key, file.instance))
}

/// Reads a key file.
///
/// # Errors
/// When it is missing, not ours to trust, readable by everybody, or malformed.
pub fn read_key_file(path: &Path) -> Result<KeyFile, Error> {
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
    key_from(&file)
        .map_err(|e| Error::unavailable(format!("the key file {shown} cannot be read: {e}")))?
        .ok_or_else(|| Error::unavailable(format!("{shown} is not a countersign key file; restore it from your backup: without it no enrollment can be read")))
}

/// Reads a regular file as a key file, wherever it was read before; `None` where it is none.
pub(crate) fn key_from(file: &File) -> std::io::Result<Option<KeyFile>> {
    let mut bytes = Zeroizing::new(vec![0; LARGEST_KEY_FILE]);
    // One read gives all of a small regular file; of anything else it gives an error.
    let read = file.read_at(&mut bytes, 0)?;
    Ok(std::str::from_utf8(&bytes[..read]).ok().and_then(parse_key))
}

fn parse_key(text: &str) -> Option<KeyFile> {
    let mut lines = text.strip_suffix('\n')?.split('\n');
    if lines.next()? != "countersign-key 1" {
        return None;
    }
    let key = |hex| random::unhex(hex).map(Zeroizing::new);
    let instance = random::unhex(lines.next()?.strip_prefix("instance ")?)?;
    let present = key(lines.next()?.strip_prefix("key ")?)?;
    let previous = match lines.next() {
        Some(line) => Some(key(line.strip_prefix("previous ")?)?),
        None => None,
    };
    lines.next().is_none().then_some(KeyFile { instance, key: present, previous })
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
    /// Bytes of the write-ahead log when it was looked at last.
    pub(super) fn wal_size(&self) -> u64 {
        self.wal.map_or(0, |wal| wal.size)
    }

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
        let both = format!("{}previous {}\n", text.as_str(), random::hex(&[8; MASTER_BYTES]));
        let one = parse_key(&text).expect("own text parses");
        assert_eq!((*one.key, one.instance), ([9; MASTER_BYTES], [3; INSTANCE_BYTES]));
        assert!(one.previous.is_none());
        let two = parse_key(&both).expect("two keys parse");
        assert_eq!((*two.key, two.previous.map(|k| *k)), ([9; MASTER_BYTES], Some([8; MASTER_BYTES])));
        for cut in (0..text.len()).chain(text.len() + 1..both.len()) {
            assert!(parse_key(&both[..cut]).is_none(), "cut at {cut}");
        }
        assert!(parse_key(&format!("{}x\n", text.as_str())).is_none());
        assert!(parse_key(&format!("{both}x\n")).is_none());
    }
}
