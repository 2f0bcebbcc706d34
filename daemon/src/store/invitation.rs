//! Invitations: one-time codes by which somebody without a factor may enroll.

use super::enrollment::{has_factor, refuse_renamed};
use super::notice::{self, Kind};
use super::tally;
use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::decide::throttle::Lane;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use subtle::ConstantTimeEq;

/// Wrong tries after which an invitation is void.
const TRIES: u32 = 5;

/// What a typed invitation is.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// The right one, now used up.
    Right,
    /// Wrong, or there is none (any more). The person's tally is to be charged.
    Wrong,
}

impl Store {
    /// Invites a person; an earlier invitation is void.
    ///
    /// # Errors
    /// `InvalidArgument` for somebody who has a factor already or whose uid is kept under another
    /// name, `Unavailable` when the store cannot be written.
    pub async fn invite(
        &self,
        uid: u32,
        name: String,
        by: String,
        hash: [u8; 32],
        lives_ms: i64,
        now: Moment,
    ) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            refuse_renamed(db, uid, &name)?;
            if has_factor(db, uid)? {
                return Err(Error::InvalidArgument(format!(
                    "{name} has a factor already and needs no invitation; for a lost phone, run `countersignctl reset {name}` first"
                )));
            }
            db.execute("DELETE FROM invitation WHERE boot <> ?1 OR made_ms + lives_ms <= ?2", (now.boot, now.boot_ms))?;
            db.execute(
                "INSERT OR REPLACE INTO invitation (uid, name, hash, boot, made_ms, lives_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                (uid, &name, hash, now.boot, now.boot_ms, lives_ms),
            )?;
            notice::add(db, uid, &name, Kind::Invited, &by, now)
        })
        .await
    }
}

/// Judges an invitation by its keyed hash and uses it up. Five wrong ones void it. Whoever calls
/// this charges the person for a wrong one, in the same transaction.
///
/// # Errors
/// When the store cannot be read or written.
pub(super) fn take(
    db: &Connection,
    uid: u32,
    name: &str,
    hash: &[u8; 32],
    now: Moment,
) -> Result<Taken, Error> {
    let found = db
        .prepare_cached("SELECT hash, boot, made_ms, lives_ms FROM invitation WHERE uid = ?1 AND name = ?2")?
        .query_row((uid, name), |r| {
            let made = Stamp { boot: r.get(1)?, ms: r.get(2)? };
            Ok((r.get::<_, Vec<u8>>(0)?, made, r.get::<_, i64>(3)?))
        })
        .optional()?;
    let Some((kept, made, lives_ms)) = found else { return Ok(Taken::Wrong) };
    let right = bool::from(kept.as_slice().ct_eq(hash)) && !now.is_past(made, lives_ms);
    if right {
        let used = db.execute("DELETE FROM invitation WHERE uid = ?1", [uid])?;
        return Ok(if used == 1 { Taken::Right } else { Taken::Wrong });
    }
    db.execute("UPDATE invitation SET tries = tries + 1 WHERE uid = ?1", [uid])?;
    db.execute("DELETE FROM invitation WHERE uid = ?1 AND tries >= ?2", (uid, TRIES))?;
    Ok(Taken::Wrong)
}

/// Whether an invitation of this person holds.
///
/// # Errors
/// When the store cannot be read.
pub(super) fn holds(db: &Connection, uid: u32, name: &str, now: Moment) -> Result<bool, Error> {
    let found = db
        .prepare_cached("SELECT boot, made_ms, lives_ms FROM invitation WHERE uid = ?1 AND name = ?2")?
        .query_row((uid, name), |r| Ok((Stamp { boot: r.get(0)?, ms: r.get(1)? }, r.get::<_, i64>(2)?)))
        .optional()?;
    Ok(found.is_some_and(|(made, lives_ms)| !now.is_past(made, lives_ms)))
}

/// The lane that pays for what somebody types in a shell of their own, outside of any login.
const SHELL: Lane = Lane::Other;

/// Milliseconds for which nothing typed in a shell is evaluated for this person; 0 is open.
pub(super) fn closed_for(db: &Connection, uid: u32, now: Moment) -> Result<i64, Error> {
    Ok(tally::read(db, &tally::of_person(uid), SHELL)?.closed_for(SHELL, now))
}

/// Charges a person for something wrong that was typed in a shell; tells of a lane that closes.
pub(super) fn charge(db: &Connection, uid: u32, name: &str, now: Moment) -> Result<(), Error> {
    let tally = tally::charge(db, &tally::of_person(uid), SHELL, now)?;
    tally::charge_in_a_row(db, uid, now)?;
    if tally.closed_for(SHELL, now) > 0 {
        notice::add(db, uid, name, Kind::Locked, "countersignctl local", now)?;
    }
    Ok(())
}
