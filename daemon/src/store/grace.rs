//! People who pass without a factor because a policy gives them time.

use crate::clock::Moment;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// When this person's grace began, by the date that is never turned back. A uid under another name
/// is somebody else.
pub(super) fn began(db: &Connection, uid: u32, name: &str) -> Result<Option<i64>, Error> {
    Ok(db
        .prepare_cached("SELECT began FROM grace WHERE uid = ?1 AND name = ?2")?
        .query_row((uid, name), |r| r.get(0))
        .optional()?)
}

/// Notes that this person has until a date; their grace begins now unless it has begun.
pub(super) fn note(db: &Connection, uid: u32, name: &str, until: i64, now: Moment) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM grace WHERE uid = ?1 AND name <> ?2")?.execute((uid, name))?;
    db.prepare_cached(
        "INSERT INTO grace (uid, name, began, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (uid) DO UPDATE SET until = ?4",
    )?
    .execute((uid, name, now.date, until))?;
    Ok(())
}

/// Counts one login that passed so.
pub(super) fn count(db: &Connection, uid: u32) -> Result<(), Error> {
    db.prepare_cached("UPDATE grace SET laters = laters + 1 WHERE uid = ?1")?.execute([uid])?;
    Ok(())
}
