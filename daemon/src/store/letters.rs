//! Letters with notices: which wait, which may go now, and what came of them.
//!
//! Notices are put into letters after they are committed, one letter for each address of the person. A
//! letter tells what happened from its first notice to its last; while it waits, later notices join it.

use super::notice::{self, Noted};
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::decide::letters::{Facts, GATHERS, LIVES, LOOKS_AT, LOOKS_BACK, delay};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// Notices that are put into letters in one go.
const AT_ONCE: u32 = 500;
/// Letters that are looked at in one go.
const LOOKED_AT: u32 = 64;
/// Notices that one letter spells out.
const SPELLED_OUT: usize = 20;
/// What anybody who knows a name or a password can bring about, and repeat.
const MERE_TRIES: &str = "kind IN ('locked', 'code-reused')";

/// Notices of one person that are in no letter yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// Whose.
    pub uid: u32,
    /// Under this name.
    pub name: String,
    /// The first of them.
    pub first: i64,
    /// The last of them.
    pub last: i64,
    /// Whether one of them is more than a try.
    pub changes: bool,
    /// Addresses beside those of the person, each with the notice that goes there.
    pub beyond: Vec<(i64, String)>,
}

/// A letter to put into the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewLetter {
    /// Whose notices it tells.
    pub uid: u32,
    /// Under this name.
    pub name: String,
    /// Where it goes.
    pub address: String,
    /// The first notice that it tells.
    pub first: i64,
    /// The last one.
    pub last: i64,
    /// Whether it tells of anything but tries: then it waits for no cap on those.
    pub changes: bool,
}

/// Who a waiting letter is of, and where it goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// Whose notices it tells.
    pub uid: u32,
    /// Under this name.
    pub name: String,
    /// Where it goes.
    pub address: String,
}

/// The letters that wait, as far as somebody who sends them needs to know.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Queue {
    /// Those whose time has come, the oldest first.
    pub due: Vec<Waiting>,
    /// Seconds until the next one is due; `None` where no other waits.
    pub next: Option<i64>,
}

/// How the queue stands, for people who watch hosts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueState {
    /// Letters that wait.
    pub letters: u32,
    /// Seconds that the oldest of them has waited.
    pub oldest: i64,
}

/// What a letter tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// Changes before mere tries, newest first.
    pub notices: Vec<Placed>,
    /// How many more there are.
    pub more: u32,
    /// The last notice in it.
    pub last: i64,
    /// Whether it tells of anything but tries.
    pub changes: bool,
    /// Which try this is, from 1.
    pub tries: u32,
    /// The row by which the caps know of it.
    pub slot: i64,
}

/// One notice, and where it was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// What, when and how often.
    pub noted: Noted,
    /// The PAM service.
    pub service: String,
    /// An address, `local` or `unknown`.
    pub source: String,
}

/// What comes of taking a letter out of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Taken {
    /// It is to be sent now. Until it is known what came of it, it waits as if that had failed.
    Send(Told),
    /// Too many were sent; it waits for so many seconds.
    Capped(i64),
    /// It was tried for too long, and is given up.
    Expired,
    /// It is not there any more, or tells nothing that is still kept.
    Gone,
}

impl Store {
    /// The notices that are in no letter yet, by person; and the last notice that was looked at.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn fresh_notices(&self) -> Result<(Vec<Fresh>, i64), Error> {
        self.run(Durability::Kill, fresh).await
    }

    /// Puts letters with the notices as far as `up_to` into the queue.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn queue_letters(&self, up_to: i64, letters: Vec<NewLetter>, now: Moment) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            for letter in &letters {
                queue(db, letter, now)?;
            }
            db.prepare_cached("UPDATE meta SET queued = max(queued, ?1) WHERE id = 1")?.execute([up_to])?;
            Ok(())
        })
        .await
    }

    /// The letters whose time has come, and when the next one's does.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn letter_queue(&self, now: Moment) -> Result<Queue, Error> {
        self.run(Durability::Kill, move |db| waiting(db, now)).await
    }

    /// How many letters wait, and for how long.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn letter_queue_state(&self, now: Moment) -> Result<QueueState, Error> {
        self.run(Durability::Kill, move |db| {
            let read = |r: &rusqlite::Row<'_>| {
                let oldest: Option<i64> = r.get(1)?;
                Ok(QueueState { letters: r.get(0)?, oldest: oldest.map_or(0, |at| (now.date - at).max(0)) })
            };
            Ok(db.query_row("SELECT count(*), min(queued) FROM notice_letter", [], read)?)
        })
        .await
    }

    /// Takes a letter to send it, where the caps let it go. `most_per_hour` is that of the host.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn take_letter(
        &self,
        letter: Waiting,
        most_per_hour: u32,
        now: Moment,
    ) -> Result<Taken, Error> {
        self.run(Durability::Kill, move |db| take(db, &letter, most_per_hour, now)).await
    }

    /// A letter has told what it was to tell; what has come since stays in the queue.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn letter_sent(&self, letter: Waiting, told: &Told, now: Moment) -> Result<(), Error> {
        let last = told.last;
        self.run(Durability::Kill, move |db| {
            db.prepare_cached(
                "UPDATE notice SET mailed = ?4
                 WHERE uid = ?1 AND name = ?2 AND id <= ?3 AND mailed IS NULL
                   AND id >= (SELECT first FROM notice_letter WHERE uid = ?1 AND name = ?2 AND address = ?5)",
            )?
            .execute((letter.uid, &letter.name, last, now.wall, &letter.address))?;
            settle(db, &letter, last, now)?;
            // Also what lies ahead, of a clock that was put right since.
            db.prepare_cached("DELETE FROM notice_sent WHERE at < ?1 OR at > ?2")?
                .execute((now.date - LOOKS_BACK, now.date))?;
            Ok(())
        })
        .await
    }

    /// A letter was not sent, and waits: it does not count as one.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn letter_failed(&self, told: &Told) -> Result<(), Error> {
        let slot = told.slot;
        self.run(Durability::Kill, move |db| uncount(db, slot)).await
    }

    /// A letter will never be taken: what it told is not tried again there.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn letter_refused(&self, letter: Waiting, told: &Told, now: Moment) -> Result<(), Error> {
        let (last, slot) = (told.last, told.slot);
        self.run(Durability::Kill, move |db| {
            settle(db, &letter, last, now)?;
            uncount(db, slot)
        })
        .await
    }
}

fn fresh(db: &Connection) -> Result<(Vec<Fresh>, i64), Error> {
    let mut persons: Vec<Fresh> = Vec::new();
    let mut up_to = 0;
    let mut statement = db.prepare_cached(&format!(
        "SELECT id, uid, name, extra_address, NOT {MERE_TRIES} FROM notice
         WHERE id > (SELECT queued FROM meta) ORDER BY id LIMIT ?1"
    ))?;
    let mut rows = statement.query([AT_ONCE])?;
    while let Some(row) = rows.next()? {
        let (id, uid, name): (i64, u32, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let beyond = row.get::<_, Option<String>>(3)?.map(|address| (id, address));
        let changes = row.get(4)?;
        up_to = id;
        match persons.iter_mut().find(|person| person.uid == uid && person.name == name) {
            Some(person) => {
                person.last = id;
                person.changes |= changes;
                person.beyond.extend(beyond);
            }
            None => {
                let beyond = beyond.into_iter().collect();
                persons.push(Fresh { uid, name, first: id, last: id, changes, beyond });
            }
        }
    }
    Ok((persons, up_to))
}

fn queue(db: &Connection, letter: &NewLetter, now: Moment) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO notice_letter (uid, name, address, first, last, queued, due, ends)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
         ON CONFLICT (uid, name, address) DO UPDATE
         SET first = min(first, excluded.first), last = max(last, excluded.last), ends = excluded.ends,
             due = CASE WHEN ?9 AND tries = 0 THEN min(due, excluded.due) ELSE due END",
    )?
    .execute((
        letter.uid,
        &letter.name,
        &letter.address,
        letter.first,
        letter.last,
        now.date,
        now.date + GATHERS,
        now.date + LIVES,
        letter.changes,
    ))?;
    Ok(())
}

/// A letter is due when its date has come, and when that lies further ahead than any delay: then the
/// clock was put right since.
fn waiting(db: &Connection, now: Moment) -> Result<Queue, Error> {
    let ahead = now.date + LOOKS_BACK;
    let due = db
        .prepare_cached(
            "SELECT uid, name, address FROM notice_letter WHERE due <= ?1 OR due > ?2
             ORDER BY due LIMIT ?3",
        )?
        .query_map((now.date, ahead, LOOKED_AT), |r| {
            Ok(Waiting { uid: r.get(0)?, name: r.get(1)?, address: r.get(2)? })
        })?
        .collect::<Result<_, _>>()?;
    let next: Option<i64> = db
        .prepare_cached("SELECT min(due) FROM notice_letter WHERE due > ?1 AND due <= ?2")?
        .query_row((now.date, ahead), |r| r.get(0))?;
    Ok(Queue { due, next: next.map(|due| due - now.date) })
}

fn take(db: &Connection, letter: &Waiting, most_per_hour: u32, now: Moment) -> Result<Taken, Error> {
    let whose = (letter.uid, &letter.name, &letter.address);
    let row: Option<(i64, i64, u32, i64)> = db
        .prepare_cached(
            "SELECT first, last, tries, ends FROM notice_letter WHERE uid = ?1 AND name = ?2 AND address = ?3",
        )?
        .query_row(whose, |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?)))
        .optional()?;
    let Some((first, last, tries, ends)) = row else { return Ok(Taken::Gone) };
    let mut told = told(db, letter, (first, last))?;
    let expired = ends <= now.date;
    if expired || told.notices.is_empty() {
        settle(db, letter, last, now)?;
        return Ok(if expired { Taken::Expired } else { Taken::Gone });
    }
    let facts = facts(db, &letter.address, told.changes, most_per_hour, now)?;
    let wait = facts.wait();
    let (more, until) = match wait {
        Some(wait) => (0, now.date + wait),
        None => (1, now.date + delay(tries + 1)),
    };
    db.prepare_cached(
        "UPDATE notice_letter SET tries = tries + ?4, due = ?5 WHERE uid = ?1 AND name = ?2 AND address = ?3",
    )?
    .execute((letter.uid, &letter.name, &letter.address, more, until))?;
    if let Some(wait) = wait {
        return Ok(Taken::Capped(wait));
    }
    // Counted before it is sent: letters that are on their way at the same time know of each other.
    db.prepare_cached("INSERT INTO notice_sent (address, changes, at) VALUES (?1, ?2, ?3)")?.execute((
        &letter.address,
        told.changes,
        now.date,
    ))?;
    (told.slot, told.tries) = (db.last_insert_rowid(), tries + 1);
    Ok(Taken::Send(told))
}

fn uncount(db: &Connection, slot: i64) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM notice_sent WHERE id = ?1")?.execute([slot])?;
    Ok(())
}

/// Everything as far as `last` is done with at this address.
fn settle(db: &Connection, letter: &Waiting, last: i64, now: Moment) -> Result<(), Error> {
    let whose = (letter.uid, &letter.name, &letter.address, last);
    db.prepare_cached(
        "DELETE FROM notice_letter WHERE uid = ?1 AND name = ?2 AND address = ?3 AND last <= ?4",
    )?
    .execute(whose)?;
    db.prepare_cached(
        "UPDATE notice_letter SET first = ?4 + 1, tries = 0, queued = ?5, due = ?6
         WHERE uid = ?1 AND name = ?2 AND address = ?3 AND first <= ?4",
    )?
    .execute((letter.uid, &letter.name, &letter.address, last, now.date, now.date + GATHERS))?;
    Ok(())
}

fn facts(
    db: &Connection,
    address: &str,
    changes: bool,
    most_per_hour: u32,
    now: Moment,
) -> Result<Facts, Error> {
    let ages = db
        .prepare_cached(
            "SELECT ?4 - at FROM notice_sent WHERE address = ?1 AND changes = ?2 AND at BETWEEN ?5 AND ?4
             ORDER BY id DESC LIMIT ?3",
        )?
        .query_map((address, changes, LOOKS_AT, now.date, now.date - LOOKS_BACK), |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    let host_full = db
        .prepare_cached("SELECT ?2 - at FROM notice_sent WHERE at <= ?2 ORDER BY id DESC LIMIT 1 OFFSET ?1")?
        .query_row((most_per_hour.saturating_sub(1), now.date), |r| r.get(0))
        .optional()?;
    Ok(Facts { changes, ages, host_full })
}

fn told(db: &Connection, letter: &Waiting, (first, last): (i64, i64)) -> Result<Told, Error> {
    let mut told = Told { last, ..Told::default() };
    let mut statement = db.prepare_cached(&format!(
        "SELECT strftime('%Y-%m-%d %H:%M UTC', max(at), 'unixepoch'), kind, detail, count(*), service, source,
                {MERE_TRIES}
         FROM notice WHERE uid = ?1 AND name = ?2 AND id BETWEEN ?3 AND ?4
         GROUP BY kind, detail, service, source ORDER BY {MERE_TRIES}, max(id) DESC"
    ))?;
    let mut rows = statement.query((letter.uid, &letter.name, first, last))?;
    while let Some(row) = rows.next()? {
        let noted = Noted {
            at: row.get::<_, Option<String>>(0)?.unwrap_or_default(),
            kind: row.get(1)?,
            detail: row.get(2)?,
            times: row.get(3)?,
        };
        told.changes |= !row.get::<_, bool>(6)?;
        if told.notices.len() < SPELLED_OUT {
            let (service, source) = notice::place(&noted, row.get(4)?, row.get(5)?);
            told.notices.push(Placed { noted, service, source });
        } else {
            told.more += noted.times;
        }
    }
    Ok(told)
}
