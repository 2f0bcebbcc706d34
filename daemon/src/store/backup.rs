//! Reading the database whole while logins go on.
//!
//! In write-ahead mode the database file changes only when the log is folded into it. So the log is folded
//! once, at a moment between two transactions, and then not again until the file has been read, piece by
//! piece: what is written meanwhile waits in the log. No login waits for more than one piece.

use super::worker::{Durability, Session, Store};
use super::{schema, worker};
use crate::clock::Moment;
use crate::error::Error;
use std::os::unix::fs::FileExt;

/// Bytes that the log may grow to meanwhile. Beyond that the copy is given up, and not the disk.
const LONGEST_LOG: u64 = 512 * 1024 * 1024;

/// The database file at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Still {
    /// How far it has come.
    pub generation: i64,
    /// Its bytes.
    pub length: u64,
}

/// A database that is held still; dropped, it is let go.
pub struct Held<'s> {
    store: &'s Store,
    /// What is held.
    pub still: Still,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.store.between_unwatched(Session::let_go);
    }
}

impl Held<'_> {
    /// A piece of the file.
    ///
    /// # Errors
    /// When it cannot be read, or did not stay still.
    pub async fn piece(&self, offset: u64, length: usize) -> Result<Vec<u8>, Error> {
        let generation = self.still.generation;
        self.store
            .between(move |session| {
                if session.still != Some(generation) {
                    return Err(Error::unavailable(
                        "too much was written while the database was copied, or it was opened anew; try again",
                    ));
                }
                let mut piece = vec![0; length];
                session.file.read_exact_at(&mut piece, offset)?;
                Ok(piece)
            })
            .await
    }
}

impl Store {
    /// Holds the database file still, so that it can be read. One at a time: that is the caller's care.
    ///
    /// # Errors
    /// When the log cannot be folded into it now.
    pub async fn hold(&self) -> Result<Held<'_>, Error> {
        let still = self.between(Session::hold).await?;
        Ok(Held { store: self, still })
    }

    /// Notes that a backup was made.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn note_backup(&self, now: Moment) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            db.execute("UPDATE meta SET backed_up = ?1 WHERE id = 1", [now.wall])?;
            Ok(())
        })
        .await
    }

    /// When the last backup was made, in seconds since 1970; 0 is never.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn last_backup(&self) -> Result<i64, Error> {
        self.run(Durability::Kill, |db| Ok(db.query_row("SELECT backed_up FROM meta", [], |r| r.get(0))?))
            .await
    }
}

impl Session {
    fn hold(&mut self) -> Result<Still, Error> {
        self.db.pragma_update(None, "wal_autocheckpoint", 0)?;
        self.still = None;
        let folded = self.db.query_row("PRAGMA wal_checkpoint(FULL)", [], |r| {
            Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, r.get::<_, i64>(2)?))
        });
        let whole = match folded {
            Ok((busy, frames, folded)) => busy == 0 && frames == folded,
            Err(_) => false,
        };
        if !whole {
            self.let_go();
            return Err(Error::unavailable(
                "the database's log cannot be folded into it now; is the disk full or failing?",
            ));
        }
        let generation = self.db.query_row("SELECT generation FROM meta", [], |r| r.get(0))?;
        self.still = Some(generation);
        Ok(Still { generation, length: self.file.metadata()?.len() })
    }

    /// Lets the log be folded again as usual.
    fn let_go(&mut self) {
        self.still = None;
        // Where this fails the log grows until the next start, which folds it.
        let _ = self.db.pragma_update(None, "wal_autocheckpoint", worker::FOLDED_AT);
    }

    /// Gives the copy up where the log grows beyond measure.
    pub(super) fn let_go_if_long(&mut self) {
        if self.still.is_some() && self.files.wal_size() > LONGEST_LOG {
            self.let_go();
        }
    }
}

/// The version of the schema that is written.
#[must_use]
pub fn schema_version() -> i64 {
    schema::latest()
}
