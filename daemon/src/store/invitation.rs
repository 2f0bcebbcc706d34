//! Invitations: one waits for a person at most, for minutes, and is used once.

use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::decide::invitation::TRIES;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use subtle::ConstantTimeEq;

/// Bytes of the keyed hash of a code.
pub const HASH_BYTES: usize = 32;

/// An invitation as it is kept.
#[derive(Debug)]
#[allow(dead_code, reason = "countersignctl invite comes next")]
pub struct NewInvitation {
    /// Whom it is for.
    pub uid: u32,
    /// Their login name.
    pub name: String,
    /// The keyed hash of the code.
    pub hash: [u8; HASH_BYTES],
    /// Milliseconds for which it holds.
    pub lives_ms: i64,
    /// The uid that made it.
    pub by: u32,
}

impl Store {
    /// Keeps an invitation, in the place of one that waited for the same person.
    ///
    /// # Errors
    /// When the store cannot be written.
    #[allow(dead_code, reason = "countersignctl invite comes next")]
    pub async fn invite(&self, new: NewInvitation, now: Moment) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            db.execute(
                "INSERT OR REPLACE INTO invitation (uid, name, hash, boot, started_ms, lives_ms, made_by) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                (new.uid, new.name, new.hash, now.boot, now.boot_ms, new.lives_ms, new.by),
            )?;
            Ok(())
        })
        .await
    }
}

struct Waiting {
    name: String,
    hash: Vec<u8>,
    tries: u32,
    made: Stamp,
    lives_ms: i64,
}

fn find(db: &Connection, uid: u32, name: &str, now: Moment) -> Result<Option<Waiting>, Error> {
    let found = db
        .prepare_cached(
            "SELECT name, hash, tries, boot, started_ms, lives_ms FROM invitation WHERE uid = ?1",
        )?
        .query_row([uid], |r| {
            let made = Stamp { boot: r.get(3)?, ms: r.get(4)? };
            Ok(Waiting { name: r.get(0)?, hash: r.get(1)?, tries: r.get(2)?, made, lives_ms: r.get(5)? })
        })
        .optional()?;
    Ok(found.filter(|w| w.name == name && w.tries < TRIES && !now.is_past(w.made, w.lives_ms)))
}

/// Whether an invitation of this person holds.
pub(super) fn holds(db: &Connection, uid: u32, name: &str, now: Moment) -> Result<bool, Error> {
    Ok(find(db, uid, name, now)?.is_some())
}

/// Uses the invitation of this person up if this is its code, by keyed hash; else it has one try less.
/// `None` is what has not even the shape of a code.
pub(super) fn take(
    db: &Connection,
    uid: u32,
    name: &str,
    typed: Option<&[u8; HASH_BYTES]>,
    now: Moment,
) -> Result<bool, Error> {
    let Some(waiting) = find(db, uid, name, now)? else { return Ok(false) };
    let right = typed.is_some_and(|typed| bool::from(waiting.hash.as_slice().ct_eq(typed)));
    let change = if right {
        "DELETE FROM invitation WHERE uid = ?1"
    } else {
        "UPDATE invitation SET tries = tries + 1 WHERE uid = ?1"
    };
    Ok(db.prepare_cached(change)?.execute([uid])? == 1 && right)
}
