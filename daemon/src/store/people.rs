//! People: what they have and what is locked, and lifting locks.

use super::reset::Whom;
use super::worker::{Durability, Store};
use super::{grace, known_source, notice, overrides, tally};
use crate::clock::Moment;
use crate::decide::overrides::Override;
use crate::decide::throttle::{Cap, Lane, Tally};
use crate::error::Error;
use countersign_protocol::manager::{Factor, Grace, Lock, Person};
use rusqlite::{Connection, OptionalExtension};

const PERSON_LANES: [Lane; 4] = [Lane::Console, Lane::Known, Lane::Other, Lane::Recovery];

/// Who lifts locks, and which.
#[derive(Debug, Clone)]
pub struct Unlock {
    /// Their uid and name.
    pub by: (u32, String),
    /// Why; may be empty where only guessing is forgiven.
    pub reason: String,
    /// Whether they may lift what an administrator has locked.
    pub administrators: bool,
}

impl Unlock {
    fn by_an_administrator(&self) -> Result<((u32, &str), &str), Error> {
        if !self.administrators {
            return Err(Error::NotAuthorized(
                "an administrator has locked this person, and lifting that is for whoever may lock".into(),
            ));
        }
        if self.reason.is_empty() {
            return Err(Error::InvalidArgument(
                "an administrator has locked this person, and lifting that needs a reason: add --reason TEXT"
                    .into(),
            ));
        }
        Ok(((self.by.0, &self.by.1), &self.reason))
    }
}

/// What a record of a person is read by.
#[derive(Debug, Clone)]
pub struct View {
    /// Where failures in a row end.
    pub cap: Cap,
    /// The hash of the policies in force.
    pub rules: String,
}

impl Store {
    /// One person by uid; somebody without factors is an empty record.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn person(&self, uid: u32, name: String, view: View, now: Moment) -> Result<Person, Error> {
        self.run(Durability::Kill, move |db| {
            let kept = db
                .query_row("SELECT name FROM person WHERE uid = ?1", [uid], |r| r.get::<_, String>(0))
                .optional()?;
            let mut person = read(db, uid, kept.clone().unwrap_or_else(|| name.clone()), &view, now)?;
            if kept.as_ref().is_some_and(|kept| *kept != name) {
                // Another name under the same uid is another person; say so instead of mixing them.
                person.factors.clear();
                person.confirmed.clear();
                person.user = name;
            }
            person.notices = notice::all(db, uid, &person.user)?;
            Ok(person)
        })
        .await
    }

    /// A page of everybody who has a factor or is given time to get one, by uid.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn people(
        &self,
        after: Option<u32>,
        limit: u32,
        view: View,
        now: Moment,
    ) -> Result<Vec<Person>, Error> {
        self.run(Durability::Kill, move |db| {
            let after = after.map_or(-1, i64::from);
            let rows: Vec<(u32, String)> = db
                .prepare_cached(
                    "SELECT uid, name FROM person WHERE uid > ?1 UNION
                     SELECT uid, name FROM address WHERE uid > ?1 AND uid NOT IN (SELECT uid FROM person) UNION
                     SELECT uid, name FROM grace WHERE uid > ?1 AND until > ?3 AND uid NOT IN (SELECT uid FROM person)
                       AND uid NOT IN (SELECT uid FROM address)
                     ORDER BY uid LIMIT ?2",
                )?
                .query_map((after, limit, now.date), |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect::<Result<_, _>>()?;
            rows.into_iter().map(|(uid, name)| read(db, uid, name, &view, now)).collect()
        })
        .await
    }

    /// Forgets every source that a person would pass unasked from; gives how many there were.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn forget(&self, uid: u32, now: Moment) -> Result<u32, Error> {
        self.run(Durability::Power, move |db| {
            Ok(u32::try_from(known_source::forget(db, uid, now)?).unwrap_or(u32::MAX))
        })
        .await
    }

    /// Lifts every lock of a person, an administrator's too where `how` says so; gives how many held, and
    /// everything that is decided of people then.
    ///
    /// # Errors
    /// `NotAuthorized` where an administrator's lock holds and `how` does not say so; `InvalidArgument` where it
    /// says so without a reason; and when the store cannot be written.
    pub async fn unlock(
        &self,
        whom: Whom,
        cap: Cap,
        how: Unlock,
        now: Moment,
    ) -> Result<(u32, Vec<Override>), Error> {
        self.run(Durability::Power, move |db| {
            let uid = whom.uid;
            let mut held = 0;
            if overrides::is_locked(db, &whom.name)? {
                let (by, reason) = how.by_an_administrator()?;
                held += overrides::lift(db, &whom.name, by, reason, now)?;
            }
            let in_a_row = tally::in_a_row(db, uid)?;
            held += locks(db, uid, &in_a_row, cap, now)?.len();
            for lane in PERSON_LANES {
                tally::clear(db, &tally::of_person(uid), lane)?;
            }
            tally::clear(db, &tally::of_person(uid), Lane::All)?;
            Ok((u32::try_from(held).unwrap_or(u32::MAX), overrides::all(db)?))
        })
        .await
    }
}

fn locks(db: &Connection, uid: u32, in_a_row: &Tally, cap: Cap, now: Moment) -> Result<Vec<Lock>, Error> {
    let mut locks = Vec::new();
    if let Some(until) = cap.closes(in_a_row, now) {
        locks.push(Lock { lane: "all".into(), seconds: until.map_or(-1, |ms| (ms + 999) / 1000) });
    }
    for lane in PERSON_LANES {
        let ms = tally::read(db, &tally::of_person(uid), lane)?.closed_for(lane, now);
        if ms > 0 {
            locks.push(Lock { lane: lane.as_str().into(), seconds: (ms + 999) / 1000 });
        }
    }
    Ok(locks)
}

fn read(db: &Connection, uid: u32, user: String, view: &View, now: Moment) -> Result<Person, Error> {
    let in_a_row = tally::in_a_row(db, uid)?;
    let last_verified = db
        .prepare_cached("SELECT last_verified FROM person WHERE uid = ?1")?
        .query_row([uid], |r| r.get(0))
        .optional()?
        .unwrap_or(0);
    let mut factors: Vec<Factor> = db
        .prepare_cached("SELECT name, created, last_used FROM totp WHERE uid = ?1 ORDER BY id")?
        .query_map([uid], |r| {
            Ok(Factor {
                kind: "totp".into(),
                name: r.get(0)?,
                created: r.get(1)?,
                last_used: r.get(2)?,
                left: 0,
            })
        })?
        .collect::<Result<_, _>>()?;
    let codes = db
        .prepare_cached(
            "SELECT s.created, coalesce(max(c.used_at), 0), count(c.id) - count(c.used_at)
             FROM recovery_set s LEFT JOIN recovery_code c USING (uid) WHERE s.uid = ?1 GROUP BY s.uid",
        )?
        .query_row([uid], |r| {
            Ok(Factor {
                kind: "recovery".into(),
                name: String::new(),
                created: r.get(0)?,
                last_used: r.get(1)?,
                left: r.get(2)?,
            })
        })
        .optional()?;
    factors.extend(codes);
    let without_factor = factors.is_empty();
    let confirmed = known_source::list(db, uid, &view.rules, now)?;
    Ok(Person {
        user,
        uid,
        factors,
        locks: locks(db, uid, &in_a_row, view.cap, now)?,
        failures: in_a_row.failures,
        last_verified,
        confirmed,
        notices: vec![],
        overrides: Vec::new(),
        addresses: Vec::new(),
        grace: if without_factor { grace::left(db, uid, now)? } else { Grace::default() },
    })
}
