//! The instance file: which key and database belong together, and how far the database has come.
//!
//! After each durable commit its generation is written here too. A database behind its instance
//! file was rolled back, and used codes would be new again. The write is not synced: after a power
//! cut the file may be behind, which is harmless; it can never be ahead, because only commits that
//! are already durable are written.

use super::files;
use crate::error::Error;
use crate::random;
use crate::seal::INSTANCE_BYTES;
use nix::fcntl::{Flock, FlockArg};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};

const HEADER: &str = "countersign-instance 1\ninstance ";
const BEFORE_GENERATION: &str = "\ngeneration ";
const GENERATION_AT: u64 = (HEADER.len() + INSTANCE_BYTES * 2 + BEFORE_GENERATION.len()) as u64;

/// The instance file, open and locked: one daemon per state directory.
#[derive(Debug)]
pub(super) struct Instance {
    file: Flock<File>,
    path: PathBuf,
    pub(super) id: [u8; INSTANCE_BYTES],
    pub(super) generation: i64,
}

/// The text of an instance file.
pub(super) fn text(id: &[u8; INSTANCE_BYTES], generation: i64) -> String {
    format!("{HEADER}{}{BEFORE_GENERATION}{generation:020}\n", random::hex(id))
}

impl Instance {
    /// Opens, locks and reads it.
    pub(super) fn open(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let file = files::open_own(path, true)?;
        let file = Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, e)| {
            Error::unavailable(format!(
                "{shown} is locked ({e}): another countersignd runs on this state directory"
            ))
        })?;
        let mut content = String::new();
        (&*file).take(256).read_to_string(&mut content)?;
        let (id, generation) = parse(&content).ok_or_else(|| {
            Error::unavailable(format!("{shown} is damaged; restore the state directory from your backup"))
        })?;
        Ok(Self { file, path: path.to_owned(), id, generation })
    }

    /// Notes how far the database has come. Called after the commit and before any reply.
    pub(super) fn advance(&mut self, generation: i64) -> Result<(), Error> {
        self.file.write_all_at(format!("{generation:020}").as_bytes(), GENERATION_AT)?;
        self.generation = generation;
        Ok(())
    }

    /// Whether the file on disk is the one that is open.
    pub(super) fn check(&self) -> Result<(), Error> {
        let open = self.file.metadata()?;
        match std::fs::symlink_metadata(&self.path) {
            Ok(found) if found.dev() == open.dev() && found.ino() == open.ino() => Ok(()),
            _ => Err(Error::unavailable(format!(
                "{} was removed or replaced while the daemon runs",
                self.path.display()
            ))),
        }
    }
}

fn parse(content: &str) -> Option<([u8; INSTANCE_BYTES], i64)> {
    let (id, generation) = content.strip_prefix(HEADER)?.strip_suffix('\n')?.split_once(BEFORE_GENERATION)?;
    if generation.len() != 20 || !generation.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((random::unhex(id)?, generation.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_back_and_nothing_else_does() {
        let good = text(&[5; INSTANCE_BYTES], 42);
        assert_eq!(parse(&good), Some(([5; INSTANCE_BYTES], 42)));
        assert_eq!(&good[usize::try_from(GENERATION_AT).expect("fits")..], "00000000000000000042\n");
        for cut in 0..good.len() {
            assert_eq!(parse(&good[..cut]), None, "cut at {cut}");
        }
    }
}
