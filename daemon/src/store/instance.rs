//! The instance file: which key and database belong together, and how far the database has come.
//!
//! After each durable commit its generation is written here too. A database behind its instance
//! file was rolled back, and used codes would be new again. The write is not synced: after a power
//! cut the file may be behind, which is harmless; it can never be ahead, because only commits that
//! are already durable are written. Beside it stands the generation that the database file had
//! reached without its write-ahead log when the log was last folded in: see `rollback`.

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
const BEFORE_SETTLED: &str = "\nsettled ";
/// Digits of a generation.
const DIGITS: usize = 20;
const GENERATION_AT: u64 = (HEADER.len() + INSTANCE_BYTES * 2 + BEFORE_GENERATION.len()) as u64;
const SETTLED_AT: u64 = GENERATION_AT + (DIGITS + BEFORE_SETTLED.len()) as u64;
/// Bytes of the file.
const LENGTH: u64 = SETTLED_AT + DIGITS as u64 + 1;

/// The instance file, open and locked: one daemon per state directory.
#[derive(Debug)]
pub(super) struct Instance {
    file: Flock<File>,
    path: PathBuf,
    pub(super) id: [u8; INSTANCE_BYTES],
    pub(super) generation: i64,
    /// What the database file alone has reached at least.
    pub(super) settled: i64,
}

/// The text of an instance file.
pub(super) fn text(id: &[u8; INSTANCE_BYTES], generation: i64, settled: i64) -> String {
    format!("{HEADER}{}{BEFORE_GENERATION}{generation:020}{BEFORE_SETTLED}{settled:020}\n", random::hex(id))
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
        let damaged = || {
            Error::unavailable(format!("{shown} is damaged; restore the state directory from your backup"))
        };
        (&*file).take(256).read_to_string(&mut content).map_err(|_| damaged())?;
        let (id, generation, settled) = parse(&content).ok_or_else(damaged)?;
        Ok(Self { file, path: path.to_owned(), id, generation, settled })
    }

    /// Notes how far the database has come. Called after the commit and before any reply.
    pub(super) fn advance(&mut self, generation: i64) -> Result<(), Error> {
        self.file.write_all_at(format!("{generation:020}").as_bytes(), GENERATION_AT)?;
        self.generation = generation;
        Ok(())
    }

    /// Notes how far the database file has come without its log. Called when the log was folded in.
    pub(super) fn settle(&mut self, generation: i64) -> Result<(), Error> {
        if generation != self.settled {
            self.file.write_all_at(format!("{generation:020}").as_bytes(), SETTLED_AT)?;
            self.settled = generation;
        }
        Ok(())
    }

    /// Whether the file on disk is the one that is open, and still names our installation.
    pub(super) fn check(&self) -> Result<(), Error> {
        let open = self.file.metadata()?;
        let in_place = std::fs::symlink_metadata(&self.path)
            .is_ok_and(|found| found.dev() == open.dev() && found.ino() == open.ino());
        let mut start = [0; GENERATION_AT as usize];
        let whole = open.len() == LENGTH
            && self.file.read_exact_at(&mut start, 0).is_ok()
            && start == text(&self.id, 0, 0).as_bytes()[..start.len()];
        if in_place && whole {
            return Ok(());
        }
        Err(Error::unavailable(format!(
            "{} was removed, replaced or overwritten while the daemon runs; {}",
            self.path.display(),
            files::PUT_BACK
        )))
    }
}

fn parse(content: &str) -> Option<([u8; INSTANCE_BYTES], i64, i64)> {
    let (id, rest) = content.strip_prefix(HEADER)?.strip_suffix('\n')?.split_once(BEFORE_GENERATION)?;
    let (generation, settled) = rest.split_once(BEFORE_SETTLED)?;
    Some((random::unhex(id)?, number(generation)?, number(settled)?))
}

fn number(text: &str) -> Option<i64> {
    let digits = text.len() == DIGITS && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_reads_back_and_nothing_else_does() {
        let good = text(&[5; INSTANCE_BYTES], 42, 7);
        assert_eq!(parse(&good), Some(([5; INSTANCE_BYTES], 42, 7)));
        let at = |offset| &good[usize::try_from(offset).expect("fits")..];
        assert!(at(GENERATION_AT).starts_with("00000000000000000042\n"));
        assert_eq!((at(SETTLED_AT), good.len() as u64), ("00000000000000000007\n", LENGTH));
        for cut in 0..good.len() {
            assert_eq!(parse(&good[..cut]), None, "cut at {cut}");
        }
    }
}
