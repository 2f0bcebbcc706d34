//! Enrollments that wait for their first code, and their confirmation.

use super::notice::{self, Kind};
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
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// Digits of a code, as the QR code said.
    pub digits: u8,
    /// Seconds of a step, as the QR code said.
    pub period: u32,
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
    /// `InvalidArgument` when the person has a factor already or the uid is kept under another
    /// name; `Unavailable` when the store cannot be written.
    pub async fn begin_enrollment(
        &self,
        pending: PendingEnrollment,
        token: [u8; 16],
        now: Moment,
    ) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            refuse_second(db, pending.uid, &pending.name)?;
            db.execute("DELETE FROM enrollment WHERE boot <> ?1 OR started_ms < ?2", (now.boot, now.boot_ms - LIVES_MS))?;
            db.execute(
                "INSERT OR REPLACE INTO enrollment (uid, name, token, secret, digits, period, boot, started_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                (pending.uid, pending.name, token, pending.secret, pending.digits, pending.period, now.boot, now.boot_ms),
            )?;
            Ok(())
        })
        .await
    }

    /// Confirms an enrollment by what `judge` makes of it: `None` is a wrong code. Gives
    /// whose it is if it was kept.
    ///
    /// # Errors
    /// `NotFound` or `Expired` when there is no such enrollment (any more), `Unavailable` when the
    /// store cannot be written.
    pub async fn confirm_enrollment(
        &self,
        token: [u8; 16],
        now: Moment,
        judge: impl FnOnce(&PendingEnrollment) -> Result<Option<NewAuthenticator>, Error> + Send + 'static,
    ) -> Result<Option<String>, Error> {
        self.run(Durability::Power, move |db| {
            let (pending, tries, begun) = find(db, &token)?;
            if now.is_past(begun, LIVES_MS) {
                return Err(Error::Expired("this enrollment waited too long; start again".into()));
            }
            refuse_second(db, pending.uid, &pending.name)?;
            let Some(new) = judge(&pending)? else {
                if tries + 1 >= TRIES {
                    db.execute("DELETE FROM enrollment WHERE token = ?1", [token])?;
                } else {
                    db.execute("UPDATE enrollment SET tries = tries + 1 WHERE token = ?1", [token])?;
                }
                return Ok(None);
            };
            keep(db, pending.uid, &pending.name, &new, false, now)?;
            notice::add(db, pending.uid, &pending.name, Kind::Enrolled, &new.label, now)?;
            db.execute("DELETE FROM enrollment WHERE token = ?1", [token])?;
            Ok(Some(pending.name))
        })
        .await
    }

    /// Throws an enrollment away; an unknown one is no error.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn cancel_enrollment(&self, token: [u8; 16]) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            db.execute("DELETE FROM enrollment WHERE token = ?1", [token])?;
            Ok(())
        })
        .await
    }
}

fn find(db: &Connection, token: &[u8; 16]) -> Result<(PendingEnrollment, u32, Stamp), Error> {
    db.query_row(
        "SELECT uid, name, secret, digits, period, tries, boot, started_ms FROM enrollment WHERE token = ?1",
        [token],
        |r| {
            let pending = PendingEnrollment {
                uid: r.get(0)?,
                name: r.get(1)?,
                secret: r.get(2)?,
                digits: r.get(3)?,
                period: r.get(4)?,
            };
            Ok((pending, r.get(5)?, Stamp { boot: r.get(6)?, ms: r.get(7)? }))
        },
    )
    .optional()?
    .ok_or_else(|| Error::NotFound("no such enrollment; start again".into()))
}

fn refuse_second(db: &Connection, uid: u32, name: &str) -> Result<(), Error> {
    refuse_renamed(db, uid, name)?;
    if db.prepare("SELECT 1 FROM totp WHERE uid = ?1")?.exists([uid])? {
        return Err(Error::InvalidArgument(format!(
            "{name} has an authenticator app already; to replace it, run `countersignctl reset {name}` first"
        )));
    }
    Ok(())
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
    db.execute(
        "INSERT OR REPLACE INTO recovery_set (uid, salt, created) VALUES (?1, ?2, ?3)",
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
fn refuse_crowded(db: &Connection, uid: u32, name: &str, label: &str) -> Result<(), Error> {
    let (all, same): (u32, u32) = db.query_row(
        "SELECT count(*), count(*) FILTER (WHERE name = ?2) FROM totp WHERE uid = ?1",
        (uid, label),
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    if same > 0 {
        return Err(Error::InvalidArgument(format!(
            "{name} has an authenticator called \"{label}\" already; give the new one another name"
        )));
    }
    if all >= MOST {
        return Err(Error::InvalidArgument(format!(
            "{name} has {MOST} authenticators already; remove one first"
        )));
    }
    Ok(())
}

/// Whether a person has anything that a login would take.
pub(super) fn has_factor(db: &Connection, uid: u32) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM totp WHERE uid = ?1")?.exists([uid])? || has_codes(db, uid)?)
}

/// Whether a person has recovery codes left.
fn has_codes(db: &Connection, uid: u32) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM recovery_code WHERE uid = ?1 AND used_at IS NULL")?.exists([uid])?)
}
