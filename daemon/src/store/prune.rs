//! Keeping the log to its age and size, and ending logins that nobody goes on with. A few rows at a time:
//! no login waits long.

use super::answer::LOGIN_LIVES_MS;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// Rows that one transaction removes at most.
const AT_ONCE: u32 = 500;
/// Links that one transaction removes at most: a login has two or three.
const LINKS_AT_ONCE: u32 = 2000;
/// Seconds of the future that a row began in by a clock that was wrong: it keeps no other row.
const WRONG_CLOCK: i64 = 2 * 24 * 3600;

impl Store {
    /// Removes the oldest logins: those that began before a date (seconds since 1970), and those that are
    /// more than `most`. One that is going on is never removed, nor any behind it. Gives how many went; 0
    /// is that none are left.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune(&self, before: i64, most: u32, now: Moment) -> Result<usize, Error> {
        self.run(Durability::Kill, move |db| {
            let last: i64 = db.query_row("SELECT coalesce(max(id), 0) FROM login", [], |r| r.get(0))?;
            let too_many = last - i64::from(most);
            let mut floor = 0;
            let mut statement =
                db.prepare_cached("SELECT id, started, token IS NULL FROM login ORDER BY id LIMIT ?1")?;
            let mut rows = statement.query([AT_ONCE])?;
            while let Some(row) = rows.next()? {
                let (id, started, over): (i64, i64, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
                let odd = started > now.date + WRONG_CLOCK;
                if !over || !(id <= too_many || started < before || odd) {
                    break;
                }
                floor = id;
            }
            if floor == 0 {
                return Ok(0);
            }
            let gone = db.execute("DELETE FROM login WHERE id <= ?1", [floor])?;
            db.execute("UPDATE chain SET floor = max(floor, ?1)", [floor])?;
            Ok(gone)
        })
        .await
    }

    /// Removes the links at the beginning of the chain that no login needs any more. Gives how many went.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune_links(&self) -> Result<usize, Error> {
        self.run(Durability::Kill, |db| {
            let Some(last) = unneeded(db)? else { return Ok(0) };
            db.execute(
                "UPDATE chain SET first_link = ?1, first_mac = (SELECT mac FROM link WHERE seq = ?1)",
                [last],
            )?;
            Ok(db.execute("DELETE FROM link WHERE seq <= ?1", [last])?)
        })
        .await
    }

    /// Removes the oldest acts from before a date (seconds since 1970). Their number is not bounded: who
    /// may act shall not push out what they did.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune_acts(&self, before: i64) -> Result<usize, Error> {
        self.run(Durability::Kill, move |db| {
            let last: Option<i64> = db.query_row(
                "SELECT max(id) FROM (SELECT id, at FROM act ORDER BY id LIMIT ?1) WHERE at < ?2",
                (AT_ONCE, before),
                |r| r.get(0),
            )?;
            let Some(last) = last else { return Ok(0) };
            db.execute(
                "UPDATE chain SET first_act = ?1, first_act_mac = (SELECT mac FROM act WHERE id = ?1)",
                [last],
            )?;
            Ok(db.execute("DELETE FROM act WHERE id <= ?1", [last])?)
        })
        .await
    }

    /// Ends logins that nobody can go on with: their time is over, or the host was started anew. What was
    /// asked was abandoned; what was decided stays. Gives how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_overdue(&self, now: Moment) -> Result<usize, Error> {
        self.run(Durability::Kill, move |db| {
            Ok(db
                .prepare_cached(
                    "UPDATE login SET phase = 3, token = NULL,
                       reason = CASE state WHEN 'asked' THEN 'timed-out' ELSE reason END,
                       state = CASE state WHEN 'asked' THEN 'abandoned' ELSE state END
                     WHERE id IN (SELECT id FROM login WHERE token IS NOT NULL AND (boot <> ?1 OR started_ms < ?2) LIMIT ?3)",
                )?
                .execute((now.boot, now.boot_ms - LOGIN_LIVES_MS, AT_ONCE))?)
        })
        .await
    }
}

/// The last link, not far from the first, before which no login has its last.
fn unneeded(db: &Connection) -> Result<Option<i64>, Error> {
    let first_needed: Option<i64> = db
        .query_row(
            "SELECT min(k.seq) FROM (SELECT seq, login FROM link ORDER BY seq LIMIT ?1) k
             JOIN login l ON l.id = k.login AND l.link = k.seq",
            [LINKS_AT_ONCE],
            |r| r.get(0),
        )
        .optional()?
        .flatten();
    let last: Option<i64> = match first_needed {
        Some(needed) => db.query_row("SELECT max(seq) FROM link WHERE seq < ?1", [needed], |r| r.get(0))?,
        None => db.query_row(
            "SELECT max(seq) FROM (SELECT seq FROM link ORDER BY seq LIMIT ?1)",
            [LINKS_AT_ONCE],
            |r| r.get(0),
        )?,
    };
    Ok(last)
}
