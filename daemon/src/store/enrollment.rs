//! Enrollments that wait for their first code, and their confirmation.

use super::invitation::{self, Taken};
use super::notice::{self, Kind};
use super::proof::{self, Proof};
use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::decide::recovery;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// Milliseconds an enrollment waits for its first code.
const LIVES_MS: i64 = 10 * 60 * 1000;
/// Wrong first codes after which it is thrown away.
const TRIES: u32 = 5;

/// An enrollment that waits.
#[derive(Debug, Clone)]
pub struct PendingEnrollment {
    /// Whose.
    pub uid: u32,
    /// Their login name when it began.
    pub name: String,
    /// The name of the authenticator.
    pub label: String,
    /// The uid that began it; nobody else can end it.
    pub caller: u32,
    /// Whether it is good for a first factor only.
    pub first: bool,
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// Digits of a code, as the QR code said.
    pub digits: u8,
    /// Seconds of a step, as the QR code said.
    pub period: u32,
}

/// By what right somebody enrolls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Root, or whom polkit lets manage people.
    Administers,
    /// The person, who shows a factor they have.
    Has(Proof),
    /// The person, who typed their own password. Good for a first factor only.
    Password,
    /// The person, with an invitation, by its keyed hash. Good for a first factor only.
    Invited([u8; 32]),
}

impl Right {
    /// Whether it is good for a first factor only.
    pub(super) fn is_for_first(self) -> bool {
        matches!(self, Self::Password | Self::Invited(_))
    }
}

/// What came of beginning.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It waits for its first code.
    Waits,
    /// The invitation was wrong, and the person was charged for it.
    WrongInvitation,
    /// Not looked at: too many wrong ones. Milliseconds until one is.
    Locked(i64),
}

/// Authenticators that one person may have.
pub const MOST: u32 = 10;

/// An authenticator whose first code was right, as it is kept.
#[derive(Debug)]
pub struct NewAuthenticator {
    /// Its name among those of the person.
    pub label: String,
    /// The secret, sealed for its place among confirmed ones.
    pub secret: Vec<u8>,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
    /// The step of the confirming code, which is thereby used; -1 where none was asked for.
    pub step: i64,
    /// A new set of recovery codes; `None` leaves the set that the person has.
    pub codes: Option<NewCodes>,
}

/// A new set of recovery codes.
#[derive(Debug)]
pub struct NewCodes {
    /// The salt of the whole set.
    pub salt: [u8; recovery::SALT_BYTES],
    /// The hashes.
    pub hashes: Vec<[u8; recovery::HASH_BYTES]>,
    /// The codes themselves, sealed, in the order of their hashes; only where they can be viewed.
    pub sealed: Option<Vec<Vec<u8>>>,
}

impl Store {
    /// Begins an enrollment; one that waited for the same person is thrown away.
    ///
    /// # Errors
    /// `InvalidArgument` when the label is taken, the person has [`MOST`] authenticators or the uid is
    /// kept under another name; `NotAuthorized` when the right is none; `Unavailable` when the store
    /// cannot be written.
    pub async fn begin_enrollment(
        &self,
        pending: PendingEnrollment,
        right: Right,
        token: [u8; 16],
        now: Moment,
    ) -> Result<Begun, Error> {
        self.run(Durability::Power, move |db| {
            let (uid, name) = (pending.uid, pending.name.as_str());
            refuse_renamed(db, uid, name)?;
            refuse_crowded(db, uid, name, &pending.label)?;
            match admit(db, uid, name, right, now)? {
                Begun::Waits => {}
                refused => return Ok(refused),
            }
            db.execute("DELETE FROM enrollment WHERE boot <> ?1 OR started_ms < ?2", (now.boot, now.boot_ms - LIVES_MS))?;
            db.execute(
                "INSERT OR REPLACE INTO enrollment (uid, name, label, caller, first, token, secret, digits, period, boot, started_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
                (uid, name, &pending.label, pending.caller, right.is_for_first(), token, pending.secret, pending.digits, pending.period, now.boot, now.boot_ms),
            )?;
            Ok(Begun::Waits)
        })
        .await
    }

    /// Whether a person has a factor, and whether they have recovery codes left.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn has(&self, uid: u32) -> Result<(bool, bool), Error> {
        self.run(Durability::Kill, move |db| Ok((has_factor(db, uid)?, has_codes(db, uid)?))).await
    }

    /// An enrollment that this caller began and that waits, and whether the person has recovery codes.
    ///
    /// # Errors
    /// As [`Store::confirm_enrollment`].
    pub async fn pending_enrollment(
        &self,
        token: [u8; 16],
        caller: u32,
        now: Moment,
    ) -> Result<(PendingEnrollment, bool), Error> {
        self.run(Durability::Kill, move |db| {
            let (pending, _) = waiting(db, &token, caller, now)?;
            let has_codes = has_codes(db, pending.uid)?;
            Ok((pending, has_codes))
        })
        .await
    }

    /// Confirms an enrollment by what `judge` makes of it: `None` is a wrong code. Gives
    /// whose it is, and whether the recovery codes are new, if it was kept.
    ///
    /// # Errors
    /// `NotFound` or `Expired` when there is no such enrollment (any more), `Unavailable` when the
    /// store cannot be written.
    pub async fn confirm_enrollment(
        &self,
        token: [u8; 16],
        caller: u32,
        now: Moment,
        judge: impl FnOnce(&PendingEnrollment) -> Result<Option<NewAuthenticator>, Error> + Send + 'static,
    ) -> Result<Option<(String, bool)>, Error> {
        self.run(Durability::Power, move |db| {
            let (pending, tries) = waiting(db, &token, caller, now)?;
            // A factor that came in the meantime was not shown by whoever began this.
            if pending.first && has_factor(db, pending.uid)? {
                return Err(Error::Expired(
                    "another factor was enrolled in the meantime; start again".into(),
                ));
            }
            let Some(mut new) = judge(&pending)? else {
                if tries + 1 >= TRIES {
                    db.execute("DELETE FROM enrollment WHERE token = ?1", [token])?;
                } else {
                    db.execute("UPDATE enrollment SET tries = tries + 1 WHERE token = ?1", [token])?;
                }
                return Ok(None);
            };
            // The codes on somebody's paper stay good when they add an authenticator.
            if has_codes(db, pending.uid)? {
                new.codes = None;
            }
            keep(db, pending.uid, &pending.name, &new, false, now)?;
            notice::add(db, pending.uid, &pending.name, Kind::Enrolled, &new.label, now)?;
            db.execute("DELETE FROM enrollment WHERE token = ?1", [token])?;
            Ok(Some((pending.name, new.codes.is_some())))
        })
        .await
    }

    /// Throws an enrollment away; an unknown one is no error.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn cancel_enrollment(&self, token: [u8; 16], caller: u32) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            db.execute("DELETE FROM enrollment WHERE token = ?1 AND caller = ?2", (token, caller))?;
            Ok(())
        })
        .await
    }
}

/// Whether a right is one, now; a wrong invitation is paid for.
pub(super) fn admit(
    db: &Connection,
    uid: u32,
    name: &str,
    right: Right,
    now: Moment,
) -> Result<Begun, Error> {
    if right.is_for_first() && has_factor(db, uid)? {
        return Err(Error::NotAuthorized("a code of a factor you have is needed for another one".into()));
    }
    let hash = match right {
        Right::Administers | Right::Password => return Ok(Begun::Waits),
        Right::Has(proof) => {
            proof::consume(db, &proof.token, proof.caller, uid, name, now)?;
            return Ok(Begun::Waits);
        }
        Right::Invited(hash) => hash,
    };
    let closed = invitation::closed_for(db, uid, now)?;
    if closed > 0 {
        return Ok(Begun::Locked(closed));
    }
    match invitation::take(db, uid, name, &hash, now)? {
        Taken::Right => Ok(Begun::Waits),
        Taken::Wrong => {
            invitation::charge(db, uid, name, now)?;
            Ok(Begun::WrongInvitation)
        }
    }
}

/// Whether a person has anything that a login would take.
pub(super) fn has_factor(db: &Connection, uid: u32) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM totp WHERE uid = ?1")?.exists([uid])? || has_codes(db, uid)?)
}

/// Whether a person has recovery codes left.
fn has_codes(db: &Connection, uid: u32) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM recovery_code WHERE uid = ?1 AND used_at IS NULL")?.exists([uid])?)
}

fn waiting(
    db: &Connection,
    token: &[u8; 16],
    caller: u32,
    now: Moment,
) -> Result<(PendingEnrollment, u32), Error> {
    let found = db.query_row(
        "SELECT uid, name, label, caller, first, secret, digits, period, tries, boot, started_ms FROM enrollment WHERE token = ?1 AND caller = ?2",
        (token, caller),
        |r| {
            let pending = PendingEnrollment {
                uid: r.get(0)?,
                name: r.get(1)?,
                label: r.get(2)?,
                caller: r.get(3)?,
                first: r.get(4)?,
                secret: r.get(5)?,
                digits: r.get(6)?,
                period: r.get(7)?,
            };
            Ok((pending, r.get(8)?, Stamp { boot: r.get(9)?, ms: r.get(10)? }))
        },
    )
    .optional()?
    .ok_or_else(|| Error::NotFound("no such enrollment; start again".into()));
    let (pending, tries, begun) = found?;
    if now.is_past(begun, LIVES_MS) {
        return Err(Error::Expired("this enrollment waited too long; start again".into()));
    }
    Ok((pending, tries))
}

/// Keeps an authenticator whose first code was right, and the recovery codes that come with it.
/// `replace` drops the authenticators and codes that the person had.
///
/// # Errors
/// `InvalidArgument` when the uid is kept under another name, the label is taken, or the person has
/// [`MOST`] authenticators.
pub(super) fn keep(
    db: &Connection,
    uid: u32,
    name: &str,
    new: &NewAuthenticator,
    replace: bool,
    now: Moment,
) -> Result<(), Error> {
    refuse_renamed(db, uid, name)?;
    db.execute("INSERT INTO person (uid, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING", (uid, name))?;
    if replace {
        db.execute("DELETE FROM totp WHERE uid = ?1", [uid])?;
        db.execute("DELETE FROM recovery_code WHERE uid = ?1", [uid])?;
        db.execute("DELETE FROM recovery_set WHERE uid = ?1", [uid])?;
    }
    refuse_crowded(db, uid, name, &new.label)?;
    db.execute(
        "INSERT INTO totp (uid, name, secret, digits, period, last_step, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        (uid, &new.label, &new.secret, new.digits, new.period, new.step, now.wall),
    )?;
    match &new.codes {
        Some(codes) => keep_codes(db, uid, codes, now),
        None => Ok(()),
    }
}

/// Keeps a set of recovery codes in the place of the one that the person had.
pub(super) fn keep_codes(db: &Connection, uid: u32, codes: &NewCodes, now: Moment) -> Result<(), Error> {
    db.execute("DELETE FROM recovery_code WHERE uid = ?1", [uid])?;
    // Not REPLACE, which no trigger sees.
    db.execute("DELETE FROM recovery_set WHERE uid = ?1", [uid])?;
    db.execute(
        "INSERT INTO recovery_set (uid, salt, created) VALUES (?1, ?2, ?3)",
        (uid, codes.salt, now.date),
    )?;
    for (i, hash) in codes.hashes.iter().enumerate() {
        let sealed = codes.sealed.as_ref().and_then(|sealed| sealed.get(i));
        db.execute(
            "INSERT INTO recovery_code (uid, number, hash, sealed) VALUES (?1, ?2, ?3, ?4)",
            (uid, u32::try_from(i + 1).unwrap_or(u32::MAX), hash, sealed),
        )?;
    }
    Ok(())
}

/// Refuses a uid that is kept under another name: nobody inherits factors with a uid.
pub(super) fn refuse_renamed(db: &Connection, uid: u32, name: &str) -> Result<(), Error> {
    let kept: Option<String> =
        db.query_row("SELECT name FROM person WHERE uid = ?1", [uid], |r| r.get(0)).optional()?;
    match kept.filter(|kept| kept != name) {
        Some(kept) => Err(Error::InvalidArgument(format!(
            "uid {uid} was known as {kept} and is now {name}; if they are the same person or {kept} is gone, run `countersignctl reset {kept}` first"
        ))),
        None => Ok(()),
    }
}

/// Refuses a label that is taken, and one authenticator too many.
pub(super) fn refuse_crowded(db: &Connection, uid: u32, name: &str, label: &str) -> Result<(), Error> {
    refuse_taken(db, uid, name, label)?;
    let all: u32 = db.query_row("SELECT count(*) FROM totp WHERE uid = ?1", [uid], |r| r.get(0))?;
    if all >= MOST {
        return Err(Error::InvalidArgument(format!(
            "{name} has {MOST} authenticators already; remove one first"
        )));
    }
    Ok(())
}

/// Refuses a label that is taken.
pub(super) fn refuse_taken(db: &Connection, uid: u32, name: &str, label: &str) -> Result<(), Error> {
    if db.prepare("SELECT 1 FROM totp WHERE uid = ?1 AND name = ?2")?.exists((uid, label))? {
        return Err(Error::InvalidArgument(format!(
            "{name} has an authenticator called \"{label}\" already; give the new one another name"
        )));
    }
    Ok(())
}
