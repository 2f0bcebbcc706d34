//! What was decided of single persons. Each change gives all that is kept then, for the host to hold in
//! memory: a decision waits for no database.

use super::notice::{self, Kind as Notice};
use super::worker::{Durability, Store};
use super::{grace, known_source};
use crate::clock::{HighWater, Moment, Stamp};
use crate::decide::overrides::{Kind, Override};
use crate::error::Error;
use rusqlite::{Connection, Row};

const COLUMNS: &str = "uid, name, kind, until, boot, made_ms, lasts_ms, at, reason, by_uid, by_name";

impl Store {
    /// Everything that is kept, for the start of the daemon. Blocks.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn overrides_at_start(&self) -> Result<Vec<Override>, Error> {
        self.run_blocking(Durability::Kill, all)
    }

    /// Keeps a decision about a person in place of an earlier one of its kind. A requirement ends the
    /// person's exemption.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn keep_override(&self, new: Override, now: Moment) -> Result<Vec<Override>, Error> {
        self.run(Durability::Power, move |db| {
            purge(db, now)?;
            if new.kind == Kind::Lock {
                lock(db, new.uid, now)?;
            }
            if new.kind == Kind::Require {
                db.execute(
                    "DELETE FROM override WHERE uid = ?1 AND name = ?2 AND kind = 'exempt'",
                    (new.uid, &new.name),
                )?;
                known_source::forget(db, new.uid, now)?;
            }
            insert(db, &new)?;
            let mut by = because(new.by_uid, &new.by, &new.reason);
            let kind = match new.kind {
                Kind::Exempt => {
                    by = format!("{}, {by}", minute(db, new.until)?);
                    Notice::Exempted
                }
                Kind::Require => Notice::Required,
                Kind::Lock => Notice::LockedByAdmin,
            };
            notice::add(db, new.uid, &new.name, kind, &by, now)?;
            all(db)
        })
        .await
    }

    /// Takes back what was decided of everybody of this name; gives also how much that was.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_override(
        &self,
        name: String,
        kind: Kind,
        by: (u32, String),
        reason: String,
        now: Moment,
    ) -> Result<(usize, Vec<Override>), Error> {
        self.run(Durability::Power, move |db| {
            purge(db, now)?;
            let uids: Vec<u32> = db
                .prepare("DELETE FROM override WHERE name = ?1 AND kind = ?2 RETURNING uid")?
                .query_map((&name, kind.as_str()), |r| r.get(0))?
                .collect::<Result<_, _>>()?;
            let told = match kind {
                Kind::Exempt => Notice::ExemptionEnded,
                Kind::Require => Notice::RequirementEnded,
                Kind::Lock => Notice::UnlockedByAdmin,
            };
            for uid in &uids {
                notice::add(db, *uid, &name, told, &because(by.0, &by.1, &reason), now)?;
            }
            Ok((uids.len(), all(db)?))
        })
        .await
    }

    /// Removes exemptions that are over; gives also those.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn purge_overrides(&self, now: Moment) -> Result<(Vec<Override>, Vec<Override>), Error> {
        self.run(Durability::Power, move |db| Ok((purge(db, now)?, all(db)?))).await
    }

    /// Writes something, so that the date goes with it: idle hours count, too.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn keep_date(&self) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            db.execute("UPDATE meta SET high_water = high_water WHERE id = 1", [])?;
            Ok(())
        })
        .await
    }

    /// Takes the wall clock for the date, though a later date was seen. What was over by the later one
    /// stays over.
    ///
    /// # Errors
    /// When the store cannot be written; the later date holds then.
    pub async fn accept_clock(&self, dates: HighWater, now: Moment) -> Result<Vec<Override>, Error> {
        self.run(Durability::Power, move |db| {
            purge(db, now)?;
            grace::accept(db, now)?;
            db.execute("UPDATE meta SET high_water = ?1 WHERE id = 1", [now.wall])?;
            // Before the commit, which would write the later date again. Should it fail, the later
            // date comes back with the database.
            dates.accept(now.wall, now.boot_ms);
            all(db)
        })
        .await
    }
}

/// Whether an administrator has locked this very person.
pub(super) fn barred(db: &Connection, uid: u32, name: &str) -> Result<bool, Error> {
    Ok(db
        .prepare_cached("SELECT 1 FROM override WHERE uid = ?1 AND name = ?2 AND kind = 'lock'")?
        .exists((uid, name))?)
}

/// Whether an administrator has locked anybody of this name.
pub(super) fn is_locked(db: &Connection, name: &str) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM override WHERE name = ?1 AND kind = 'lock'")?.exists([name])?)
}

/// Once the lock is lifted nobody passes by what was under way before: remembered sources, and an
/// enrollment that was begun in an open session.
fn lock(db: &Connection, uid: u32, now: Moment) -> Result<(), Error> {
    known_source::forget(db, uid, now)?;
    db.execute("DELETE FROM enrollment WHERE uid = ?1 AND caller = ?1", [uid])?;
    Ok(())
}

/// Lifts an administrator's lock of everybody of this name; gives how many there were.
pub(super) fn lift(
    db: &Connection,
    name: &str,
    (by_uid, by): (u32, &str),
    reason: &str,
    now: Moment,
) -> Result<usize, Error> {
    let uids: Vec<u32> = db
        .prepare("DELETE FROM override WHERE name = ?1 AND kind = 'lock' RETURNING uid")?
        .query_map([name], |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    for uid in &uids {
        notice::add(db, *uid, name, Notice::UnlockedByAdmin, &because(by_uid, by, reason), now)?;
    }
    Ok(uids.len())
}

/// Who did it and why, as data for a notice.
fn because(uid: u32, name: &str, reason: &str) -> String {
    let by = if name.is_empty() { format!("uid {uid}") } else { name.to_owned() };
    if reason.is_empty() { by } else { format!("{by}: {reason}") }
}

/// A date as notices tell it.
pub(super) fn minute(db: &Connection, date: i64) -> Result<String, Error> {
    Ok(db.query_row("SELECT coalesce(strftime('%Y-%m-%d %H:%M UTC', ?1, 'unixepoch'), '')", [date], |r| {
        r.get(0)
    })?)
}

pub(super) fn insert(db: &Connection, new: &Override) -> Result<(), Error> {
    db.execute(
        &format!(
            "INSERT OR REPLACE INTO override ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)"
        ),
        rusqlite::params![
            new.uid,
            new.name,
            new.kind.as_str(),
            new.until,
            new.made.boot,
            new.made.ms,
            new.lasts_ms,
            new.at,
            new.reason,
            new.by_uid,
            new.by,
        ],
    )?;
    Ok(())
}

pub(super) fn all(db: &Connection) -> Result<Vec<Override>, Error> {
    let sql = format!("SELECT {COLUMNS} FROM override ORDER BY name, uid, kind");
    Ok(db.prepare(&sql)?.query_map([], read)?.collect::<Result<_, _>>()?)
}

fn purge(db: &Connection, now: Moment) -> Result<Vec<Override>, Error> {
    let over: Vec<_> = all(db)?.into_iter().filter(|one| !one.holds(now)).collect();
    for one in &over {
        db.execute(
            "DELETE FROM override WHERE uid = ?1 AND name = ?2 AND kind = ?3",
            (one.uid, &one.name, one.kind.as_str()),
        )?;
    }
    Ok(over)
}

fn read(r: &Row<'_>) -> rusqlite::Result<Override> {
    // The schema lets no other word in; if one is there all the same, it exempts nobody.
    let kind = Kind::parse(&r.get::<_, String>(2)?).unwrap_or(Kind::Require);
    Ok(Override {
        uid: r.get(0)?,
        name: r.get(1)?,
        kind,
        until: r.get(3)?,
        made: Stamp { boot: r.get(4)?, ms: r.get(5)? },
        lasts_ms: r.get(6)?,
        at: r.get(7)?,
        reason: r.get(8)?,
        by_uid: r.get(9)?,
        by: r.get(10)?,
    })
}
