//! People who pass without a factor because a policy gives them time.

use super::invitation;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use countersign_protocol::manager::Grace;
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

/// What is left of a person's time; nothing once it is over.
pub(super) fn left(db: &Connection, uid: u32, now: Moment) -> Result<Grace, Error> {
    let found = db
        .prepare_cached("SELECT until, laters FROM grace WHERE uid = ?1 AND until > ?2")?
        .query_row((uid, now.date), |r| Ok(Grace { until: r.get(0)?, laters: r.get(1)? }))
        .optional()?;
    Ok(found.unwrap_or_default())
}

/// The wall clock counts as the date from now on, though a later one was seen: what began then begins
/// now, and what was over stays over.
pub(super) fn accept(db: &Connection, now: Moment) -> Result<(), Error> {
    db.execute(
        "UPDATE grace SET began = CASE WHEN until <= ?1 THEN 0 ELSE min(began, ?2) END",
        (now.date, now.wall),
    )?;
    Ok(())
}

/// What decides how a login of somebody without a factor begins.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrival {
    /// When their time without a factor began, by the date that is never turned back.
    pub grace_began: Option<i64>,
    /// Whether an administrator's invitation of them holds.
    pub invited: bool,
}

impl Store {
    /// Reads that, for an explanation.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn arrival(&self, uid: u32, name: String, now: Moment) -> Result<Arrival, Error> {
        self.run(Durability::Kill, move |db| {
            Ok(Arrival {
                grace_began: began(db, uid, &name)?,
                invited: invitation::holds(db, uid, &name, now)?,
            })
        })
        .await
    }
}
