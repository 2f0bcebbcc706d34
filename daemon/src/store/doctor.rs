//! What the database says of the health of a host.

use super::tally;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::decide::throttle::Cap;
use crate::error::Error;
use rusqlite::Connection;

/// People of one kind that are named at most: a report is read by somebody.
const MOST: u32 = 1000;
/// Recovery codes that are too few to bridge the loss of a phone.
const FEW: u32 = 2;
/// Uses of authenticators that say something about the clock of now.
const RECENT: i64 = 14 * 24 * 3600;
/// A database up to this size is checked whole, which takes some hundredths of a second; logins wait meanwhile.
const SMALL: i64 = 16 << 20;

/// What the database says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// People without a factor whose time is over, and when it ended (seconds since 1970).
    pub past_date: Vec<(String, i64)>,
    /// People with an authenticator and few recovery codes left, and how many.
    pub few_codes: Vec<(String, u32)>,
    /// People who are locked until somebody helps.
    pub locked: Vec<String>,
    /// By how many seconds each authenticator that was used lately was ahead of this host's clock then, in
    /// whole steps.
    pub skews: Vec<i64>,
    /// What SQLite found wrong in its file.
    pub damage: Option<String>,
}

impl Store {
    /// Looks at everything.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn health(&self, cap: Cap, now: Moment) -> Result<Health, Error> {
        self.run(Durability::Kill, move |db| {
            Ok(Health {
                past_date: past_date(db, now)?,
                few_codes: few_codes(db)?,
                locked: locked(db, cap, now)?,
                skews: skews(db, now)?,
                damage: damage(db)?,
            })
        })
        .await
    }
}

fn past_date(db: &Connection, now: Moment) -> Result<Vec<(String, i64)>, Error> {
    let rows = db
        .prepare_cached(
            "SELECT name, until FROM grace g WHERE until <= ?1
               AND NOT EXISTS (SELECT 1 FROM totp t JOIN person p USING (uid)
                               WHERE t.uid = g.uid AND p.name = g.name)
             UNION
             SELECT name, until FROM override o WHERE kind = 'require' AND until <= ?1
               AND NOT EXISTS (SELECT 1 FROM totp t JOIN person p USING (uid)
                               WHERE t.uid = o.uid AND p.name = o.name)
             ORDER BY name LIMIT ?2",
        )?
        .query_map((now.date, MOST), |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

fn few_codes(db: &Connection) -> Result<Vec<(String, u32)>, Error> {
    let rows = db
        .prepare_cached(
            "SELECT p.name, count(c.id) - count(c.used_at) AS unused
             FROM person p LEFT JOIN recovery_code c USING (uid)
             WHERE EXISTS (SELECT 1 FROM totp WHERE totp.uid = p.uid)
             GROUP BY p.uid HAVING unused <= ?1 ORDER BY unused, p.name LIMIT ?2",
        )?
        .query_map((FEW, MOST), |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

fn locked(db: &Connection, cap: Cap, now: Moment) -> Result<Vec<String>, Error> {
    let many: Vec<(u32, String)> = db
        .prepare_cached(
            "SELECT p.uid, p.name FROM tally t JOIN person p ON t.subject = 'uid:' || p.uid
             WHERE t.lane = 'all' ORDER BY t.failures DESC LIMIT ?1",
        )?
        .query_map([MOST], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut locked = Vec::new();
    for (uid, name) in many {
        if cap.closes(&tally::in_a_row(db, uid)?, now) == Some(None) {
            locked.push(name);
        }
    }
    locked.sort();
    Ok(locked)
}

/// The step that was typed against the step that it was then, by the clock of the authenticator.
fn skews(db: &Connection, now: Moment) -> Result<Vec<i64>, Error> {
    let rows = db
        .prepare_cached(
            "SELECT (last_step - (last_used + drift) / period) * period FROM totp
             WHERE last_used BETWEEN ?1 AND ?2 ORDER BY last_used DESC LIMIT ?3",
        )?
        .query_map((now.wall - RECENT, now.wall, MOST), |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    Ok(rows)
}

fn damage(db: &Connection) -> Result<Option<String>, Error> {
    let pages: i64 = db.query_row("PRAGMA page_count", [], |r| r.get(0))?;
    let size: i64 = db.query_row("PRAGMA page_size", [], |r| r.get(0))?;
    if pages.saturating_mul(size) > SMALL {
        return Ok(None);
    }
    let found: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    Ok((found != "ok").then_some(found))
}
