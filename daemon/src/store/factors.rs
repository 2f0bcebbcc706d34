//! The authenticators that somebody has: another name, gone, and put right by two codes.

use super::answer::SealedTotp;
use super::enrollment::refuse_taken;
use super::invitation::{charge, closed_for};
use super::notice::{self, Kind};
use super::proof::{self, Proof};
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// Somebody whose factors are changed.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The uid.
    pub uid: u32,
    /// The login name.
    pub name: String,
    /// What they showed, where they act on themselves.
    pub proof: Option<Proof>,
}

/// What came of two codes.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resynced {
    /// The authenticator's clock is so many seconds ahead of ours, and that is minded from now on.
    Done(i64),
    /// They are not two codes in a row of the last or next minutes; the person was charged.
    Wrong,
    /// Not looked at: too many wrong ones. Milliseconds until they are.
    Locked(i64),
}

impl Store {
    /// Gives an authenticator another name.
    ///
    /// # Errors
    /// `NotAuthorized` for a proof that is none, `NotFound` for no such authenticator,
    /// `InvalidArgument` for a name that is taken.
    pub async fn rename_factor(
        &self,
        owner: Owner,
        from: String,
        to: String,
        now: Moment,
    ) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            prove(db, &owner, now)?;
            let id = find(db, &owner, &from)?.id;
            if from != to {
                refuse_taken(db, owner.uid, &owner.name, &to)?;
            }
            db.execute("UPDATE totp SET name = ?2 WHERE id = ?1", (id, &to))?;
            Ok(())
        })
        .await
    }

    /// Removes an authenticator. With the last one go the recovery codes and the places that are
    /// remembered: the person has no factor any more. Gives how many authenticators are left.
    ///
    /// # Errors
    /// `NotAuthorized` for a proof that is none, or for the last one where `may_be_last` is false;
    /// `NotFound` for no such authenticator.
    pub async fn remove_factor(
        &self,
        owner: Owner,
        label: String,
        may_be_last: bool,
        now: Moment,
    ) -> Result<u32, Error> {
        self.run(Durability::Power, move |db| {
            prove(db, &owner, now)?;
            let id = find(db, &owner, &label)?.id;
            db.execute("DELETE FROM totp WHERE id = ?1", [id])?;
            let left: u32 =
                db.query_row("SELECT count(*) FROM totp WHERE uid = ?1", [owner.uid], |r| r.get(0))?;
            if left == 0 {
                if !may_be_last {
                    return Err(Error::NotAuthorized(
                        "it is your last one, and policy asks you for one; add another first".into(),
                    ));
                }
                for table in ["recovery_code", "recovery_set", "known_source", "person"] {
                    db.execute(&format!("DELETE FROM {table} WHERE uid = ?1"), [owner.uid])?;
                }
            }
            notice::add(db, owner.uid, &owner.name, Kind::Removed, &label, now)?;
            Ok(left)
        })
        .await
    }

    /// Puts an authenticator right whose clock is off, by what `judge` makes of two codes: seconds
    /// that it is ahead, and the step of the second code, which is thereby used.
    ///
    /// # Errors
    /// `NotFound` for no such authenticator, `Unavailable` when the store cannot be written.
    pub async fn resync(
        &self,
        owner: Owner,
        label: String,
        now: Moment,
        judge: impl FnOnce(&SealedTotp) -> Result<Option<(i64, i64)>, Error> + Send + 'static,
    ) -> Result<Resynced, Error> {
        self.run(Durability::Power, move |db| {
            let sealed = find(db, &owner, &label)?;
            let closed = closed_for(db, owner.uid, now)?;
            if closed > 0 {
                return Ok(Resynced::Locked(closed));
            }
            let Some((drift, step)) = judge(&sealed)? else {
                charge(db, owner.uid, &owner.name, now)?;
                return Ok(Resynced::Wrong);
            };
            db.execute("UPDATE totp SET drift = ?2, last_step = ?3 WHERE id = ?1", (sealed.id, drift, step))?;
            Ok(Resynced::Done(drift))
        })
        .await
    }
}

/// Uses up the proof of somebody who acts on themselves.
pub(super) fn prove(db: &Connection, owner: &Owner, now: Moment) -> Result<(), Error> {
    match owner.proof {
        Some(proof) => proof::consume(db, &proof.token, proof.caller, owner.uid, &owner.name, now),
        None => Ok(()),
    }
}

/// An authenticator by its name.
fn find(db: &Connection, owner: &Owner, label: &str) -> Result<SealedTotp, Error> {
    let read = |r: &rusqlite::Row<'_>| {
        Ok(SealedTotp {
            id: r.get(0)?,
            secret: r.get(1)?,
            digits: r.get(2)?,
            period: r.get(3)?,
            last_step: r.get(4)?,
            drift: r.get(5)?,
        })
    };
    db.prepare_cached(
        "SELECT t.id, secret, digits, period, last_step, drift FROM totp t JOIN person p USING (uid)
         WHERE uid = ?1 AND p.name = ?2 AND t.name = ?3",
    )?
    .query_row((owner.uid, &owner.name, label), read)
    .optional()?
    .ok_or_else(|| {
        Error::NotFound(format!(
            "{} has no authenticator called \"{label}\"; see `countersignctl status`",
            owner.name
        ))
    })
}
