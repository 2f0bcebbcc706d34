//! Enrollments inside logins: what was shown in one login and is nobody's factor until the account
//! phase of that very login keeps it.

use super::answer::{LOGIN_LIVES_MS, OpenLogin, open_login};
use super::enrollment::{NewAuthenticator, NewCodes, has_factor, keep};
use super::notice::{self, Kind as Notice};
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::decide::enrolling::Asking;
use crate::decide::recovery::{HASH_BYTES, SALT_BYTES};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use subtle::ConstantTimeEq;

/// Enrollments that one person may have waiting in different logins; the oldest give way.
const KEPT_OF_A_PERSON: u32 = 3;
/// And everybody together: a Monday morning after a policy came into force, in a megabyte or two.
const KEPT: u32 = 4096;
/// The name of an authenticator that was enrolled in a login.
const LABEL: &str = "app";

/// A key that is about to be shown.
#[derive(Debug)]
pub struct NewPending {
    /// The secret, sealed for this login.
    pub secret: Vec<u8>,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
}

/// What waits in one login.
#[derive(Debug)]
pub struct Pending {
    /// The secret: sealed for the login before the first code was right, for its final place then.
    pub secret: Vec<u8>,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
    /// Whether the recovery codes were shown.
    pub has_codes: bool,
    /// Which of them must be typed back, from 0.
    pub asked: u32,
    /// Whether the typed code is that one.
    pub read_back: bool,
}

/// What the first code of a login's enrollment has proven, on its way to being kept.
#[derive(Debug)]
pub struct Proven {
    /// The secret, sealed for its place among confirmed ones.
    pub secret: Vec<u8>,
    /// The recovery codes that are about to be shown.
    pub codes: NewCodes,
    /// Which of them must be typed back, from 0.
    pub asked: u32,
}

impl Store {
    /// Keeps the key that a login is about to show, in the place of one it has shown before.
    ///
    /// # Errors
    /// `NotFound` or `Expired` when there is no such login that waits for a first code;
    /// `Unavailable` when the store cannot be written.
    pub async fn begin_pending(
        &self,
        token: [u8; 16],
        caller: u32,
        new: NewPending,
        now: Moment,
    ) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            let login = expecting(db, &token, caller, Asking::FirstCode, now)?;
            let uid = login.uid.ok_or_else(|| Error::unavailable("an enrollment of nobody"))?;
            make_room(db, &login, uid, now)?;
            db.prepare_cached(
                "INSERT OR REPLACE INTO pending (login, uid, secret, digits, period, replaces, boot, started_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute((login.id, uid, new.secret, new.digits, new.period, login.passed(), login.begun.boot, login.begun.ms))?;
            Ok(())
        })
        .await
    }

    /// The sealed secret of a login whose first code was right.
    ///
    /// # Errors
    /// `NotFound` or `Expired` when there is no such login.
    pub async fn proven_secret(&self, token: [u8; 16], caller: u32, now: Moment) -> Result<Vec<u8>, Error> {
        self.run(Durability::Kill, move |db| {
            let login = expecting(db, &token, caller, Asking::ReadBack, now)?;
            db.prepare_cached("SELECT secret FROM pending WHERE login = ?1 AND step >= 0 AND hashes IS NULL")?
                .query_row([login.id], |r| r.get(0))
                .optional()?
                .ok_or_else(gone)
        })
        .await
    }

    /// Keeps what a right first code has earned: from now on one recovery code is asked back.
    ///
    /// # Errors
    /// `NotFound` or `Expired` when there is no such login; `Unavailable` when the store cannot be
    /// written.
    pub async fn prove_pending(
        &self,
        token: [u8; 16],
        caller: u32,
        proven: Proven,
        now: Moment,
    ) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            let login = expecting(db, &token, caller, Asking::ReadBack, now)?;
            let changed = db
                .prepare_cached(
                    "UPDATE pending SET secret = ?2, salt = ?3, hashes = ?4, sealed = ?5, asked = ?6
                     WHERE login = ?1 AND step >= 0 AND hashes IS NULL",
                )?
                .execute((
                    login.id,
                    proven.secret,
                    proven.codes.salt,
                    proven.codes.hashes.concat(),
                    proven.codes.sealed.map(|sealed| sealed.concat()),
                    proven.asked,
                ))?;
            if changed == 1 { Ok(()) } else { Err(gone()) }
        })
        .await
    }

    /// Throws away what waits in logins whose time is over; gives how many there were.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn sweep_pending(&self, now: Moment) -> Result<usize, Error> {
        self.run(Durability::Kill, move |db| sweep(db, now)).await
    }
}

fn gone() -> Error {
    Error::Expired("this enrollment is over; log in again".into())
}

fn expecting(
    db: &Connection,
    token: &[u8; 16],
    caller: u32,
    asking: Asking,
    now: Moment,
) -> Result<OpenLogin, Error> {
    let login = open_login(db, token, caller, now)?;
    if login.at.asking == asking { Ok(login) } else { Err(gone()) }
}

fn sweep(db: &Connection, now: Moment) -> Result<usize, Error> {
    Ok(db
        .prepare_cached("DELETE FROM pending WHERE boot <> ?1 OR started_ms < ?2")?
        .execute((now.boot, now.boot_ms - LOGIN_LIVES_MS))?)
}

/// The oldest give way, and their logins end with them: nobody is asked about a key that is gone.
fn make_room(db: &Connection, login: &OpenLogin, uid: u32, now: Moment) -> Result<(), Error> {
    sweep(db, now)?;
    let too_many =
        "SELECT login FROM pending WHERE login <> ?1 AND uid = ?2 ORDER BY login DESC LIMIT -1 OFFSET ?3";
    let mut old: Vec<i64> = db
        .prepare_cached(too_many)?
        .query_map((login.id, uid, KEPT_OF_A_PERSON - 1), |r| r.get(0))?
        .collect::<Result<_, _>>()?;
    let all: u32 = db.prepare_cached("SELECT count(*) FROM pending")?.query_row([], |r| r.get(0))?;
    if all >= KEPT {
        let oldest = "SELECT login FROM pending WHERE login <> ?1 ORDER BY login LIMIT 1";
        old.extend(db.prepare_cached(oldest)?.query_row([login.id], |r| r.get::<_, i64>(0)).optional()?);
    }
    for login in old {
        discard(db, login)?;
        db.prepare_cached(
            "UPDATE login SET phase = 3, token = NULL, state = 'abandoned', reason = 'superseded'
             WHERE id = ?1 AND token IS NOT NULL",
        )?
        .execute([login])?;
    }
    Ok(())
}

/// Throws away what waits in a login, if anything does.
pub(super) fn discard(db: &Connection, login: i64) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM pending WHERE login = ?1")?.execute([login])?;
    Ok(())
}

/// Throws away whatever waits for a person.
pub(super) fn discard_all(db: &Connection, uid: u32) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM pending WHERE uid = ?1")?.execute([uid])?;
    Ok(())
}

/// What waits in a login, seen with the hash of a typed recovery code.
pub(super) fn find(
    db: &Connection,
    login: i64,
    typed: Option<&[u8; HASH_BYTES]>,
) -> Result<Option<Pending>, Error> {
    Ok(db
        .prepare_cached("SELECT secret, digits, period, hashes, asked FROM pending WHERE login = ?1")?
        .query_row([login], |r| {
            let hashes: Option<Vec<u8>> = r.get(3)?;
            let asked: u32 = r.get(4)?;
            let kept = hashes.as_deref().map_or([].as_slice(), |h| h.as_chunks::<HASH_BYTES>().0);
            let wanted = usize::try_from(asked).ok().and_then(|i| kept.get(i));
            let read_back =
                matches!((wanted, typed), (Some(wanted), Some(typed)) if bool::from(wanted.ct_eq(typed)));
            Ok(Pending {
                secret: r.get(0)?,
                digits: r.get(1)?,
                period: r.get(2)?,
                has_codes: hashes.is_some(),
                asked,
                read_back,
            })
        })
        .optional()?)
}

/// The salt of the recovery codes that a login has shown.
pub(super) fn salt(db: &Connection, login: i64) -> Result<Option<Vec<u8>>, Error> {
    let salt: Option<Option<Vec<u8>>> = db
        .prepare_cached("SELECT salt FROM pending WHERE login = ?1")?
        .query_row([login], |r| r.get(0))
        .optional()?;
    Ok(salt.flatten())
}

/// Notes the step of a right first code: it is used.
pub(super) fn prove(db: &Connection, login: i64, step: i64) -> Result<(), Error> {
    let changed = db
        .prepare_cached("UPDATE pending SET step = ?2 WHERE login = ?1 AND step < ?2")?
        .execute((login, step))?;
    if changed == 1 { Ok(()) } else { Err(gone()) }
}

/// Notes that the recovery code was typed back: only now may the account phase keep it.
pub(super) fn read_back(db: &Connection, login: i64) -> Result<(), Error> {
    let changed = db
        .prepare_cached("UPDATE pending SET read_back = 1 WHERE login = ?1 AND hashes IS NOT NULL")?
        .execute([login])?;
    if changed == 1 { Ok(()) } else { Err(gone()) }
}

/// What became of an enrollment in the account phase.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kept {
    /// The person has the factor now.
    Yes,
    /// They got a factor in the meantime, by another login or an administrator.
    Overtaken,
}

/// Makes what waits in a login a factor of its person.
pub(super) fn confirm(db: &Connection, login: &OpenLogin, uid: u32, now: Moment) -> Result<Kept, Error> {
    let row = db
        .prepare_cached("SELECT secret, digits, period, step, salt, hashes, sealed, replaces FROM pending WHERE login = ?1 AND read_back = 1")?
        .query_row([login.id], |r| {
            let salt: [u8; SALT_BYTES] = r.get(4)?;
            let hashes: Vec<u8> = r.get(5)?;
            let hashes = hashes.as_chunks::<HASH_BYTES>().0.to_vec();
            let sealed: Option<Vec<u8>> = r.get(6)?;
            let each = |all: &Vec<u8>| all.len().checked_div(hashes.len()).unwrap_or(0).max(1);
            let sealed = sealed.map(|all| all.chunks(each(&all)).map(<[u8]>::to_vec).collect());
            let new = NewAuthenticator {
                label: LABEL.into(),
                secret: r.get(0)?,
                digits: r.get(1)?,
                period: r.get(2)?,
                step: r.get(3)?,
                codes: Some(NewCodes { salt, hashes, sealed }),
            };
            Ok((new, r.get::<_, bool>(7)?))
        })
        .optional()?;
    let Some((new, replaces)) = row else { return Ok(Kept::Overtaken) };
    // A new phone replaces what the person has; if that is gone, somebody reset them in between.
    let overtaken = if replaces {
        !db.prepare_cached("SELECT 1 FROM person WHERE uid = ?1")?.exists([uid])?
    } else {
        has_factor(db, uid)?
    };
    if overtaken {
        return Ok(Kept::Overtaken);
    }
    keep(db, uid, &login.user, &new, replaces, now)?;
    discard_all(db, uid)?;
    notice::add(db, uid, &login.user, Notice::Enrolled, LABEL, now)?;
    notice::seen_at(db, &login.service, &login.source)?;
    Ok(Kept::Yes)
}
