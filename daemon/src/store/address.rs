//! Mail addresses that people and administrators set, each of which counts once the code that was sent to it
//! has come back.

use super::enrollment::{Begun, Right, admit, has_factor, refuse_renamed};
use super::factors::{Owner, prove};
use super::invitation::{charge, closed_for};
use super::notice::{self, Kind};
use super::worker::{Durability, Store};
use super::{Actor, email};
use crate::clock::{Moment, Stamp};
use crate::decide::email::{Limits, Order, mask};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use subtle::ConstantTimeEq;

/// Wrong codes after which an address waits no longer.
const TRIES: u32 = 5;

/// An address that somebody wants to be sent codes at.
#[derive(Debug, Clone)]
pub struct NewAddress {
    /// Whose.
    pub uid: u32,
    /// Their login name.
    pub name: String,
    /// The address.
    pub address: String,
    /// Who asks for it.
    pub by: Actor,
    /// Why, where it is not the person.
    pub reason: Option<String>,
    /// The keyed hash of the code, which holds whose it is and the address.
    pub code: [u8; 32],
}

/// What came of asking.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It waits for its code, which is to be sent now.
    Waits,
    /// The invitation was wrong, and the person was charged for it.
    WrongInvitation,
    /// Nothing is looked at: too many wrong ones. Milliseconds until it is.
    Locked(i64),
    /// No letter is sent now.
    NoLetter(Order),
}

/// What came of a typed code.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Typed {
    /// The right one: this address counts from now on.
    Confirmed(String),
    /// A wrong one, for which the person was charged; tries that are left.
    Wrong(u32),
    /// Not looked at: too many wrong ones. Milliseconds until it is.
    Locked(i64),
}

/// A confirmed address of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Confirmed {
    /// The address.
    pub address: String,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Who asked for it: a login name or `uid N`.
    pub by: String,
}

/// The confirmed address of a person. What another name left under the uid is not theirs.
pub(super) fn find(db: &Connection, uid: u32, name: &str) -> Result<Option<Confirmed>, Error> {
    Ok(db
        .prepare_cached("SELECT address, confirmed, by_name FROM address WHERE uid = ?1 AND name = ?2")?
        .query_row((uid, name), |r| Ok(Confirmed { address: r.get(0)?, at: r.get(1)?, by: r.get(2)? }))
        .optional()?)
}

/// An address that waits for its code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The address.
    pub address: String,
    /// Who asked for it: a login name or `uid N`.
    pub by: String,
}

/// The address of a person that waits for its code, as long as the code lives.
fn waiting(db: &Connection, uid: u32, name: &str, now: Moment) -> Result<Option<Waiting>, Error> {
    Ok(db
        .prepare_cached(
            "SELECT address, by_name FROM address_pending
             WHERE uid = ?1 AND name = ?2 AND boot = ?3 AND sent_ms + lives_ms > ?4",
        )?
        .query_row((uid, name, now.boot, now.boot_ms), |r| Ok(Waiting { address: r.get(0)?, by: r.get(1)? }))
        .optional()?)
}

impl Store {
    /// The confirmed address of a person, and the one that waits for its code.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn addresses_of(
        &self,
        uid: u32,
        name: String,
        now: Moment,
    ) -> Result<(Option<Confirmed>, Option<Waiting>), Error> {
        self.run(Durability::Kill, move |db| Ok((find(db, uid, &name)?, waiting(db, uid, &name, now)?))).await
    }

    /// The address that a person or an administrator has set, if it is confirmed.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn set_address_of(&self, uid: u32, name: String) -> Result<Option<Confirmed>, Error> {
        self.run(Durability::Kill, move |db| find(db, uid, &name)).await
    }

    /// Notes an address that waits for its code, in the place of one that waited before, and counts the
    /// letter. The address that counts stays in force.
    ///
    /// # Errors
    /// `NotAuthorized` for a right that is none, `InvalidArgument` for the address that counts already or a
    /// uid that is kept under another name.
    pub async fn ask_address(
        &self,
        new: NewAddress,
        right: Right,
        limits: Limits,
        now: Moment,
    ) -> Result<Asked, Error> {
        self.run(Durability::Power, move |db| {
            let (uid, name) = (new.uid, new.name.as_str());
            refuse_renamed(db, uid, name)?;
            if find(db, uid, name)?.is_some_and(|set| set.address == new.address) {
                return Err(Error::InvalidArgument("that address is set and confirmed already".into()));
            }
            // Looked at first: who is to wait has used up no proof and no invitation.
            let order = email::way(db, uid, sent(db, uid)?, limits, now)?.order(now);
            if order != Order::Send {
                return Ok(Asked::NoLetter(order));
            }
            match admit(db, uid, name, right, now)? {
                Begun::Waits => {}
                Begun::WrongInvitation => return Ok(Asked::WrongInvitation),
                Begun::Locked(ms) => return Ok(Asked::Locked(ms)),
            }
            db.execute(
                "INSERT OR REPLACE INTO address_pending (uid, name, address, by_uid, by_name, first, code, boot, sent_ms, lives_ms)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
                (uid, name, &new.address, new.by.uid, &new.by.name, right.is_for_first(), new.code, now.boot, now.boot_ms, limits.valid_ms),
            )?;
            email::count(db, Some(uid), now)?;
            if let Some(reason) = &new.reason {
                let detail = format!("{} {}: {reason}", mask(&new.address), new.by.name);
                notice::add(db, uid, name, Kind::AddressAsked, &detail, now)?;
            }
            Ok(Asked::Waits)
        })
        .await
    }

    /// The letter with the code could not be sent: nothing waits for it.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn address_failed(&self, uid: u32, code: [u8; 32]) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            db.execute("DELETE FROM address_pending WHERE uid = ?1 AND code = ?2", (uid, code))?;
            Ok(())
        })
        .await
    }

    /// Judges the code of the address that waits, by the hash that `hash` makes of it for an address. The
    /// right one puts the address into force, in the place of the one before, which is told.
    ///
    /// # Errors
    /// `NotFound` where nothing waits, `Expired` for a code that lived too long, or where somebody who had
    /// no factor got one in the meantime.
    pub async fn confirm_address(
        &self,
        uid: u32,
        name: String,
        now: Moment,
        hash: impl FnOnce(&str) -> [u8; 32] + Send + 'static,
    ) -> Result<Typed, Error> {
        self.run(Durability::Power, move |db| {
            let Some(pending) = pending(db, uid, &name)? else {
                return Err(Error::NotFound(format!(
                    "no address of {name} waits for a code; run `countersignctl email set` first"
                )));
            };
            if now.is_past(pending.sent, pending.lives_ms) {
                return Err(Error::Expired(
                    "this code has expired; run `countersignctl email set` for a new one".into(),
                ));
            }
            if pending.first && has_factor(db, uid)? {
                return Err(Error::Expired(
                    "another factor was enrolled in the meantime; run `countersignctl email set` again"
                        .into(),
                ));
            }
            let closed = closed_for(db, uid, now)?;
            if closed > 0 {
                return Ok(Typed::Locked(closed));
            }
            if !bool::from(pending.code.ct_eq(&hash(&pending.address))) {
                charge(db, uid, &name, now)?;
                db.execute("UPDATE address_pending SET tries = tries + 1 WHERE uid = ?1", [uid])?;
                db.execute("DELETE FROM address_pending WHERE uid = ?1 AND tries >= ?2", (uid, TRIES))?;
                return Ok(Typed::Wrong(TRIES.saturating_sub(pending.tries + 1)));
            }
            put(db, uid, &name, &pending, now)?;
            Ok(Typed::Confirmed(pending.address))
        })
        .await
    }

    /// Removes the address of a person, and the one that waits; gives the one that counted, if one did.
    ///
    /// # Errors
    /// `NotAuthorized` for a proof that is none, or for the last factor where `may_be_last` is false;
    /// `NotFound` where none was set.
    pub async fn remove_address(
        &self,
        owner: Owner,
        by: Actor,
        may_be_last: bool,
        now: Moment,
    ) -> Result<Option<String>, Error> {
        self.run(Durability::Power, move |db| {
            prove(db, &owner, now)?;
            let (uid, name) = (owner.uid, owner.name.as_str());
            let set = find(db, uid, name)?;
            let waited =
                db.execute("DELETE FROM address_pending WHERE uid = ?1 AND name = ?2", (uid, name))?;
            let Some(set) = set else {
                return if waited > 0 { Ok(None) } else { Err(none_set(name)) };
            };
            if !may_be_last && !has_factor(db, uid)? {
                return Err(Error::NotAuthorized(
                    "it is your last factor, and policy asks you for one; add another first".into(),
                ));
            }
            db.execute("DELETE FROM address WHERE uid = ?1", [uid])?;
            email::void(db, uid)?;
            let detail = format!("{} {}", mask(&set.address), by.name);
            notice::add_telling(db, uid, name, Kind::AddressRemoved, &detail, Some(&set.address), now)?;
            Ok(Some(set.address))
        })
        .await
    }
}

/// An address that waits, with what a typed code is judged by.
struct Pending {
    address: String,
    by: Actor,
    first: bool,
    code: [u8; 32],
    tries: u32,
    sent: Stamp,
    lives_ms: i64,
}

fn pending(db: &Connection, uid: u32, name: &str) -> Result<Option<Pending>, Error> {
    Ok(db
        .prepare_cached(
            "SELECT address, by_uid, by_name, first, code, tries, boot, sent_ms, lives_ms FROM address_pending
             WHERE uid = ?1 AND name = ?2",
        )?
        .query_row((uid, name), |r| {
            Ok(Pending {
                address: r.get(0)?,
                by: Actor { uid: r.get(1)?, name: r.get(2)? },
                first: r.get(3)?,
                code: r.get(4)?,
                tries: r.get(5)?,
                sent: Stamp { boot: r.get(6)?, ms: r.get(7)? },
                lives_ms: r.get(8)?,
            })
        })
        .optional()?)
}

/// When the letter of the address that waits was sent.
fn sent(db: &Connection, uid: u32) -> Result<Option<Stamp>, Error> {
    Ok(db
        .prepare_cached("SELECT boot, sent_ms FROM address_pending WHERE uid = ?1")?
        .query_row([uid], |r| Ok(Stamp { boot: r.get(0)?, ms: r.get(1)? }))
        .optional()?)
}

/// Puts an address into force. What was on its way to the one before is void.
fn put(db: &Connection, uid: u32, name: &str, new: &Pending, now: Moment) -> Result<(), Error> {
    let before = find(db, uid, name)?.map(|set| set.address);
    db.execute("DELETE FROM address_pending WHERE uid = ?1", [uid])?;
    db.execute(
        "INSERT OR REPLACE INTO address (uid, name, address, confirmed, by_uid, by_name) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        (uid, name, &new.address, now.wall, new.by.uid, &new.by.name),
    )?;
    email::void(db, uid)?;
    let detail = format!("{} {}", mask(&new.address), new.by.name);
    notice::add_telling(db, uid, name, Kind::AddressSet, &detail, before.as_deref(), now)
}

fn none_set(name: &str) -> Error {
    Error::NotFound(format!("no mail address of {name} is set; see `countersignctl email`"))
}
