//! Authenticators that come from another program, with their one-use codes.

use super::enrollment::{self, NewAuthenticator};
use super::notice::{self, Kind};
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// An authenticator as it was found elsewhere, judged fit to be kept.
#[derive(Debug)]
pub struct ImportRow {
    /// Whose.
    pub uid: u32,
    /// Their login name.
    pub name: String,
    /// The authenticator; its label is what is wanted, and made unique.
    pub authenticator: NewAuthenticator,
    /// Seconds that its clock is ahead of ours.
    pub drift: i64,
    /// Whether it is taken even where the person has an authenticator already.
    pub add: bool,
    /// The salt of the scratch codes' set.
    pub salt: [u8; 16],
    /// Keyed hashes of the scratch codes.
    pub scratch: Vec<[u8; 32]>,
}

/// What an import did, or would do.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Imported {
    /// The authenticator is kept, with so many scratch codes.
    New {
        /// Scratch codes taken over.
        scratch: u32,
    },
    /// The person has an authenticator of this secret; nothing was changed.
    Present,
}

impl Store {
    /// Keeps an authenticator from elsewhere; `dry_run` only says what would come of it.
    /// `is_same` says whether a stored secret, sealed for that uid, is the one that comes in.
    ///
    /// # Errors
    /// `InvalidArgument` when somebody else has the same secret, or the person cannot have another
    /// authenticator; `Unavailable` when the store cannot be read or written.
    pub async fn import(
        &self,
        mut new: ImportRow,
        dry_run: bool,
        now: Moment,
        is_same: impl Fn(u32, &[u8]) -> bool + Send + 'static,
    ) -> Result<Imported, Error> {
        self.run(Durability::Power, move |db| {
            enrollment::refuse_renamed(db, new.uid, &new.name)?;
            match owner(db, new.uid, is_same)? {
                Some(uid) if uid == new.uid => return Ok(Imported::Present),
                Some(uid) => return Err(shared(db, uid)?),
                None => {}
            }
            if !new.add && db.prepare("SELECT 1 FROM totp WHERE uid = ?1")?.exists([new.uid])? {
                return Err(Error::InvalidArgument(format!(
                    "{} has an authenticator already, and what lies in a home may be somebody else's; --add takes it all the same",
                    new.name
                )));
            }
            new.authenticator.label = free_label(db, new.uid, &new.authenticator.label)?;
            enrollment::refuse_crowded(db, new.uid, &new.name, &new.authenticator.label)?;
            let has_set = db.prepare("SELECT 1 FROM recovery_set WHERE uid = ?1")?.exists([new.uid])?;
            // Real recovery codes are stronger and known to be safe: they stay.
            if has_set {
                new.scratch.clear();
            }
            if !dry_run {
                enrollment::keep(db, new.uid, &new.name, &new.authenticator, false, now)?;
                db.execute(
                    "UPDATE totp SET drift = ?3 WHERE uid = ?1 AND name = ?2",
                    (new.uid, &new.authenticator.label, new.drift),
                )?;
                keep_scratch(db, &new, now)?;
                notice::add(db, new.uid, &new.name, Kind::Imported, &new.authenticator.label, now)?;
            }
            Ok(Imported::New { scratch: u32::try_from(new.scratch.len()).unwrap_or(u32::MAX) })
        })
        .await
    }
}

/// Who has an authenticator of the incoming secret; the person themselves first.
fn owner(db: &Connection, uid: u32, is_same: impl Fn(u32, &[u8]) -> bool) -> Result<Option<u32>, Error> {
    let mut statement = db.prepare("SELECT uid, secret FROM totp ORDER BY uid <> ?1")?;
    let mut rows = statement.query([uid])?;
    while let Some(row) = rows.next()? {
        let (owner, sealed): (u32, Vec<u8>) = (row.get(0)?, row.get(1)?);
        if is_same(owner, &sealed) {
            return Ok(Some(owner));
        }
    }
    Ok(None)
}

fn shared(db: &Connection, uid: u32) -> Result<Error, Error> {
    let other: Option<String> =
        db.query_row("SELECT name FROM person WHERE uid = ?1", [uid], |r| r.get(0)).optional()?;
    Ok(Error::InvalidArgument(format!(
        "{} has the same secret, and whose code it is could not be told; enroll one of them anew",
        other.unwrap_or_else(|| format!("uid {uid}"))
    )))
}

/// The label that is wanted, with a number where the person has one of that name.
pub(super) fn free_label(db: &Connection, uid: u32, wanted: &str) -> Result<String, Error> {
    let mut taken = db.prepare("SELECT 1 FROM totp WHERE uid = ?1 AND name = ?2")?;
    let mut label = wanted.to_owned();
    for number in 2..=enrollment::MOST + 1 {
        if !taken.exists((uid, &label))? {
            break;
        }
        label = format!("{wanted} {number}");
    }
    Ok(label)
}

fn keep_scratch(db: &Connection, new: &ImportRow, now: Moment) -> Result<(), Error> {
    if new.scratch.is_empty() {
        return Ok(());
    }
    db.execute(
        "INSERT INTO recovery_set (uid, salt, created, scratch) VALUES (?1, ?2, ?3, 1)",
        (new.uid, new.salt, now.date),
    )?;
    for (number, hash) in (1_u32..).zip(&new.scratch) {
        db.execute(
            "INSERT INTO recovery_code (uid, number, hash) VALUES (?1, ?2, ?3)",
            (new.uid, number, hash),
        )?;
    }
    Ok(())
}
