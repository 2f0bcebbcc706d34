//! Mail addresses that were set and confirmed by a code.

use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

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
}
