//! How a login ends after its answers: confirmed by the account phase, or abandoned.

use super::answer::{LOGIN_LIVES_MS, find};
use super::begin::{KNOWN_FOR, Phase};
use super::notice;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;

/// What the account phase asks about.
#[derive(Debug, Clone)]
pub struct ConfirmRow {
    /// The hash of the login id.
    pub token: [u8; 16],
    /// The uid that asks.
    pub caller: u32,
    /// The user the account phase runs for.
    pub user: String,
    /// What stands for that name in the log if it is nobody's.
    pub concealed: String,
    /// Its service.
    pub service: String,
}

impl Store {
    /// The account phase: the whole stack said yes. Gives the phase the login was in, which is
    /// `Over` unless this caller, user and service are those it was begun with. `None` is no login
    /// at all: one that needs no second factor may have begun on a full disk.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn confirm(&self, what: ConfirmRow, now: Moment) -> Result<Option<Phase>, Error> {
        self.run(Durability::Kill, move |db| {
            let login = match find(db, &what.token, what.caller) {
                Err(Error::NotFound(_)) => return Ok(None),
                found => found?,
            };
            let named = login.user == if login.uid.is_some() { what.user } else { what.concealed };
            let same = named && login.service == what.service;
            let expired = now.is_past(login.begun, LOGIN_LIVES_MS);
            if !same || expired || !matches!(login.phase, Phase::Verified | Phase::Skipped) {
                return Ok(Some(Phase::Over));
            }
            db.prepare_cached("UPDATE login SET confirmed = 1, phase = ?2, token = NULL WHERE id = ?1")?
                .execute((login.id, Phase::Over.number()))?;
            if let (Some(uid), true) = (login.uid, login.tells > 0) {
                notice::told(db, uid, &login.user, login.tells, now)?;
            }
            if let (Phase::Verified, Some(uid), false) = (login.phase, login.uid, login.source_key.is_empty()) {
                db.prepare_cached("INSERT OR REPLACE INTO known_source (uid, source, service, confirmed, boot, confirmed_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?
                    .execute((uid, &login.source_key, &login.service, now.wall, now.boot, now.boot_ms))?;
                db.prepare_cached("DELETE FROM known_source WHERE uid = ?1 AND confirmed < ?2")?
                    .execute((uid, now.wall - KNOWN_FOR))?;
            }
            Ok(Some(login.phase))
        })
        .await
    }

    /// The person hung up. Costs no try; a login that had a wrong answer stays denied.
    ///
    /// # Errors
    /// When the store cannot be read or written. An unknown login is no error: it is over anyway.
    pub async fn abandon(&self, token: [u8; 16], caller: u32) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            let Ok(login) = find(db, &token, caller) else { return Ok(()) };
            if login.phase == Phase::Asked {
                db.prepare_cached(
                    "UPDATE login SET phase = ?2, token = NULL,
                       state = CASE WHEN tries = 0 THEN 'abandoned' ELSE state END,
                       reason = CASE WHEN tries = 0 THEN 'hung-up' ELSE reason END
                     WHERE id = ?1",
                )?
                .execute((login.id, Phase::Over.number()))?;
            }
            Ok(())
        })
        .await
    }
}
