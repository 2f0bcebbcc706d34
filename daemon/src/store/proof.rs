//! Proofs: a login that somebody made on the bus for themselves, to show that they have their factor
//! before they change what they have.

use super::answer::find;
use super::begin::Phase;
use super::reset::Actor;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use countersign_protocol::names::OWN_SERVICE;
use rusqlite::Connection;

/// Milliseconds after its beginning for which a proof is good: a prompt, and two minutes to act.
const LIVES_MS: i64 = 3 * 60 * 1000 + 30 * 1000;

/// A proof as a caller hands it in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// The hash of the login id.
    pub token: [u8; 16],
    /// The uid that hands it in.
    pub caller: u32,
}

impl Store {
    /// Whether a proof is one, without using it up.
    ///
    /// # Errors
    /// `NotAuthorized` where it is none.
    pub async fn holds_proof(&self, token: [u8; 16], by: Actor, now: Moment) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| check(db, &token, by.uid, by.uid, &by.name, now).map(drop)).await
    }
}

/// Uses a proof up: a verified login of this very caller, for themselves, begun for this purpose and
/// a moment ago. In the transaction of what it allows.
///
/// # Errors
/// `NotAuthorized` for anything else, and the second time.
pub(super) fn consume(
    db: &Connection,
    token: &[u8; 16],
    caller: u32,
    uid: u32,
    name: &str,
    now: Moment,
) -> Result<(), Error> {
    let id = check(db, token, caller, uid, name, now)?;
    let used = db
        .prepare_cached(
            "UPDATE login SET phase = ?2, token = NULL, reason = 'proof' WHERE id = ?1 AND phase = ?3",
        )?
        .execute((id, Phase::Over.number(), Phase::Verified.number()))?;
    if used == 1 { Ok(()) } else { Err(refused()) }
}

/// Whether a proof is one, without using it up. Gives the row.
///
/// # Errors
/// As [`consume`].
pub(super) fn check(
    db: &Connection,
    token: &[u8; 16],
    caller: u32,
    uid: u32,
    name: &str,
    now: Moment,
) -> Result<i64, Error> {
    let login = match find(db, token, caller) {
        Err(Error::NotFound(_)) => return Err(refused()),
        found => found?,
    };
    let fits = caller == uid
        && login.uid == Some(uid)
        && login.user == name
        && login.service == OWN_SERVICE
        && login.phase == Phase::Verified
        && !now.is_past(login.begun, LIVES_MS);
    if fits { Ok(login.id) } else { Err(refused()) }
}

fn refused() -> Error {
    Error::NotAuthorized("that code was not given for this, or too long ago".into())
}
