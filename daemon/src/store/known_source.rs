//! Sources that a person confirmed a login from. For a month they make a lane of their own; for as long
//! as a policy says `remember`, and no longer than any of this stays as it was, they pass unasked.

use super::begin::LoginRow;
use crate::clock::Moment;
use crate::error::Error;
use countersign_protocol::manager::Confirmed;
use rusqlite::{Connection, OptionalExtension};

/// Seconds for which a confirmed login makes its source known.
const KNOWN_FOR: i64 = 30 * 24 * 3600;
/// Services of which a policy may remember sources: those that come from somewhere.
const REMEMBERING: [&str; 2] = ["sshd", "login"];
/// Rows of one person that a listing gives at most.
const LISTED: u32 = 50;

/// A confirmation that still counts: of this boot (?2), under the very policies that are in force (?3),
/// and no clock was set since: by wall clock (?4) and by boot time (?5) the same time has passed, give or
/// take two minutes.
const STILL_COUNTS: &str =
    "boot = ?2 AND rules = ?3 AND abs((?4 - confirmed) - (?5 - confirmed_ms) / 1000) <= 120";

/// Notes where a login was confirmed from, and under which policies.
pub(super) fn confirm(
    db: &Connection,
    (uid, name): (u32, &str),
    source: &str,
    service: &str,
    rules: &str,
    now: Moment,
) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT OR REPLACE INTO known_source (uid, name, source, service, confirmed, boot, confirmed_ms, rules)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    )?
    .execute((uid, name, source, service, now.wall, now.boot, now.boot_ms, rules))?;
    db.prepare_cached("DELETE FROM known_source WHERE uid = ?1 AND confirmed < ?2")?
        .execute((uid, now.wall - KNOWN_FOR))?;
    Ok(())
}

/// Milliseconds since a login like this one was confirmed, if that still counts and the service is one
/// of which sources are remembered.
pub(super) fn confirmed_ago(
    db: &Connection,
    uid: u32,
    row: &LoginRow,
    now: Moment,
) -> Result<Option<u64>, Error> {
    if row.source == "unknown" || !REMEMBERING.contains(&row.service.as_str()) {
        return Ok(None);
    }
    let sql = format!(
        "SELECT confirmed_ms FROM known_source WHERE uid = ?1 AND {STILL_COUNTS} AND source = ?6 AND service = ?7 AND name = ?8"
    );
    let at: Option<i64> = db
        .prepare_cached(&sql)?
        .query_row(
            (uid, now.boot, &row.rules, now.wall, now.boot_ms, &row.source_key, &row.service, &row.user),
            |r| r.get(0),
        )
        .optional()?;
    Ok(at.and_then(|at| u64::try_from(now.boot_ms - at).ok()))
}

/// Those of one person that still count, newest first.
pub(super) fn list(db: &Connection, uid: u32, rules: &str, now: Moment) -> Result<Vec<Confirmed>, Error> {
    let sql = format!(
        "SELECT service, source, confirmed FROM known_source WHERE uid = ?1 AND {STILL_COUNTS}
         ORDER BY confirmed DESC LIMIT {LISTED}"
    );
    Ok(db
        .prepare_cached(&sql)?
        .query_map((uid, now.boot, rules, now.wall, now.boot_ms), |r| {
            Ok(Confirmed { service: r.get(0)?, source: r.get(1)?, at: r.get(2)? })
        })?
        .collect::<Result<_, _>>()?)
}

/// Lets nobody of this uid pass unasked any more; gives from how many sources they would have. The
/// sources stay known, or else guessing would take the person's own lane away.
pub(super) fn forget(db: &Connection, uid: u32, now: Moment) -> Result<usize, Error> {
    Ok(db
        .prepare_cached("UPDATE known_source SET boot = zeroblob(16) WHERE uid = ?1 AND boot = ?2")?
        .execute((uid, now.boot))?)
}

/// Whether a login of this person was confirmed from there within the month.
pub(super) fn is_known(db: &Connection, uid: u32, source: &str, now: Moment) -> Result<bool, Error> {
    Ok(db
        .prepare_cached(
            "SELECT 1 FROM known_source WHERE uid = ?1 AND source = ?2 AND confirmed BETWEEN ?3 AND ?4",
        )?
        .exists((uid, source, now.wall - KNOWN_FOR, now.wall))?)
}

/// Removes everything of a person.
pub(super) fn remove(db: &Connection, uid: u32) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM known_source WHERE uid = ?1")?.execute([uid])?;
    Ok(())
}
