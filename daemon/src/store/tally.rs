//! Failures by lane.

use crate::clock::{Moment, Stamp};
use crate::decide::throttle::{Lane, Tally};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// Seconds after which a source's failures are dropped: sources are anybody's to invent.
const SOURCE_KEPT: i64 = 2 * 24 * 3600;

/// The lane of a word in the database.
pub(super) fn lane_of(word: &str) -> Option<Lane> {
    [Lane::Console, Lane::Known, Lane::Other, Lane::Recovery, Lane::Source, Lane::All]
        .into_iter()
        .find(|lane| lane.as_str() == word)
}

/// Whose failures a tally counts.
pub(super) fn of_person(uid: u32) -> String {
    format!("uid:{uid}")
}

/// The uid of a person whose failures are counted here; `None` for a source.
pub(super) fn uid_of(subject: &str) -> Option<u32> {
    subject.strip_prefix("uid:")?.parse().ok()
}

/// The same for a source.
pub(super) fn of_source(key: &str) -> String {
    format!("source:{key}")
}

pub(super) fn read(db: &Connection, subject: &str, lane: Lane) -> Result<Tally, Error> {
    let row = db
        .prepare_cached("SELECT failures, boot, last_ms FROM tally WHERE subject = ?1 AND lane = ?2")?
        .query_row((subject, lane.as_str()), |r| Ok((r.get(0)?, r.get::<_, [u8; 16]>(1)?, r.get(2)?)))
        .optional()?;
    Ok(row
        .map_or(Tally::default(), |(failures, boot, ms)| Tally { failures, last: Some(Stamp { boot, ms }) }))
}

pub(super) fn charge(db: &Connection, subject: &str, lane: Lane, now: Moment) -> Result<Tally, Error> {
    let tally = read(db, subject, lane)?.charged(now);
    write(db, subject, lane, tally.failures, now)?;
    if lane == Lane::Source && tally.failures == 1 {
        db.prepare_cached("DELETE FROM tally WHERE last < ?1 AND lane = 'source'")?
            .execute([now.wall - SOURCE_KEPT])?;
    }
    Ok(tally)
}

/// A person's failures in a row over all lanes.
pub(super) fn in_a_row(db: &Connection, uid: u32) -> Result<Tally, Error> {
    read(db, &of_person(uid), Lane::All)
}

/// One more failure in a row. These are never forgotten, only ended by a success.
pub(super) fn charge_in_a_row(db: &Connection, uid: u32, now: Moment) -> Result<(), Error> {
    let failures = in_a_row(db, uid)?.failures.saturating_add(1);
    write(db, &of_person(uid), Lane::All, failures, now)
}

fn write(db: &Connection, subject: &str, lane: Lane, failures: u32, now: Moment) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO tally (subject, lane, failures, boot, last_ms, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (subject, lane) DO UPDATE SET failures = ?3, boot = ?4, last_ms = ?5, last = ?6",
    )?
    .execute((subject, lane.as_str(), failures, now.boot, now.boot_ms, now.wall))?;
    Ok(())
}

pub(super) fn clear(db: &Connection, subject: &str, lane: Lane) -> Result<usize, Error> {
    Ok(db
        .prepare_cached("DELETE FROM tally WHERE subject = ?1 AND lane = ?2")?
        .execute((subject, lane.as_str()))?)
}
