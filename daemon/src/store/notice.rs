//! What a person is told at their next login: each change of their factors, in the transaction that
//! makes it.

use crate::clock::Moment;
use crate::error::Error;
use rusqlite::Connection;

/// Notices of one person that are kept at most; the oldest give way.
const KEPT: u32 = 50;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A recovery code let somebody in.
    RecoveryUsed,
    /// Too many wrong answers closed a lane.
    Locked,
    /// A code that was used already was typed again.
    CodeReused,
}

impl Kind {
    /// The word in the database and on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RecoveryUsed => "recovery-used",
            Self::Locked => "locked",
            Self::CodeReused => "code-reused",
        }
    }
}

/// Notes what happened to a person. `detail` is who, where from, or which: data, never a sentence.
pub(super) fn add(
    db: &Connection,
    uid: u32,
    name: &str,
    kind: Kind,
    detail: &str,
    now: Moment,
) -> Result<(), Error> {
    db.prepare_cached("INSERT INTO notice (uid, name, at, kind, detail) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute((uid, name, now.wall, kind.as_str(), detail))?;
    db.prepare_cached(
        "DELETE FROM notice WHERE uid = ?1 AND id <= (SELECT id FROM notice WHERE uid = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((uid, KEPT))?;
    Ok(())
}
