//! Recovery codes: a new set in the place of the old, and a look at those that may be looked at.

use super::enrollment::{NewCodes, keep_codes, refuse_renamed};
use super::factors::{Owner, prove};
use super::notice::{self, Kind};
use super::proof;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use std::time::Duration;

impl Store {
    /// Whether somebody may have a new set now, before any work is spent on one.
    ///
    /// # Errors
    /// `NotAuthorized` for a proof that is none, `InvalidArgument` where there is no authenticator or
    /// the last set is younger than `after`.
    pub async fn may_renew_codes(&self, owner: Owner, after: Duration, now: Moment) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            if let Some(given) = owner.proof {
                proof::check(db, &given.token, given.caller, owner.uid, &owner.name, now)?;
            }
            may_renew(db, &owner, after, now)
        })
        .await
    }

    /// Keeps a new set; the old one is void with the same commit.
    ///
    /// # Errors
    /// As [`Store::may_renew_codes`].
    pub async fn renew_codes(
        &self,
        owner: Owner,
        codes: NewCodes,
        after: Duration,
        now: Moment,
    ) -> Result<(), Error> {
        self.run(Durability::Power, move |db| {
            prove(db, &owner, now)?;
            may_renew(db, &owner, after, now)?;
            keep_codes(db, owner.uid, &codes, now)?;
            notice::add(db, owner.uid, &owner.name, Kind::NewCodes, "", now)
        })
        .await
    }

    /// The unused codes by number, sealed, and a notice that they were looked at; `by` is who and why.
    ///
    /// # Errors
    /// `NotFound` where there are none, `InvalidArgument` where they were not sealed when they were made.
    pub async fn sealed_codes(
        &self,
        owner: Owner,
        by: String,
        now: Moment,
    ) -> Result<Vec<(u32, Vec<u8>)>, Error> {
        self.run(Durability::Power, move |db| {
            refuse_renamed(db, owner.uid, &owner.name)?;
            let rows: Vec<(u32, Option<Vec<u8>>)> = db
                .prepare_cached(
                    "SELECT number, sealed FROM recovery_code WHERE uid = ?1 AND used_at IS NULL ORDER BY number",
                )?
                .query_map([owner.uid], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect::<Result<_, _>>()?;
            if rows.is_empty() {
                return Err(Error::NotFound(format!("{} has no recovery codes left", owner.name)));
            }
            let sealed: Option<Vec<_>> = rows.into_iter().map(|(n, code)| Some((n, code?))).collect();
            let sealed = sealed.ok_or_else(|| {
                Error::InvalidArgument(
                    "these codes were made to be shown once; a new set can be viewed where policy says so".into(),
                )
            })?;
            notice::add(db, owner.uid, &owner.name, Kind::CodesViewed, &by, now)?;
            Ok(sealed)
        })
        .await
    }
}

/// By the clock that is never turned back.
fn may_renew(db: &Connection, owner: &Owner, after: Duration, now: Moment) -> Result<(), Error> {
    refuse_renamed(db, owner.uid, &owner.name)?;
    if !db.prepare_cached("SELECT 1 FROM totp WHERE uid = ?1")?.exists([owner.uid])? {
        return Err(Error::InvalidArgument(format!(
            "{} has no authenticator, and recovery codes stand in for one; run `countersignctl enroll` first",
            owner.name
        )));
    }
    let made: Option<i64> = db
        .prepare_cached("SELECT created FROM recovery_set WHERE uid = ?1")?
        .query_row([owner.uid], |r| r.get(0))
        .optional()?;
    let after = i64::try_from(after.as_secs()).unwrap_or(i64::MAX);
    let wait = made.map_or(0, |made| made.saturating_add(after).saturating_sub(now.date));
    if wait > 0 {
        return Err(Error::InvalidArgument(format!(
            "the codes are new; another set can be made in {} min",
            (wait + 59) / 60
        )));
    }
    Ok(())
}
