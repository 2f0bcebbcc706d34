//! How a login ends after its answers: confirmed by the account phase, or abandoned.

use super::answer::{LOGIN_LIVES_MS, OpenLogin, find};
use super::begin::Phase;
use super::carry::BARRED;
use super::pending::{self, Kept};
use super::worker::{Durability, Store};
use super::{grace, known_source, notice, overrides};
use crate::clock::Moment;
use crate::decide::enrolling::Asking;
use crate::error::Error;
use rusqlite::Connection;

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
    /// The hash of the policies in force.
    pub rules: String,
}

/// What the account phase of a login comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirmed {
    /// There is no such login: one that needs no second factor may have begun on a full disk.
    NoLogin,
    /// It was verified.
    Verified,
    /// It was verified, and the person now has the factor that they enrolled in it.
    Enrolled,
    /// It was not asked for a second factor.
    Skipped,
    /// An administrator has locked the person since.
    Barred,
    /// It is not a login that this caller may confirm for this user and service.
    Refused,
}

impl Store {
    /// The account phase: the whole stack said yes. Refused unless this caller, user and service are
    /// those that the login was begun with.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn confirm(&self, what: ConfirmRow, now: Moment) -> Result<Confirmed, Error> {
        let first = what.clone();
        let confirmed = self.run(Durability::Kill, move |db| confirm(db, &first, false, now)).await?;
        match confirmed {
            Some(confirmed) => Ok(confirmed),
            // A factor is gained: that must survive a loss of power.
            None => self
                .run(Durability::Power, move |db| confirm(db, &what, true, now))
                .await
                .map(|confirmed| confirmed.unwrap_or(Confirmed::Refused)),
        }
    }

    /// The person hung up. Costs no try; a login that had a wrong answer stays denied. What it has
    /// shown is thrown away.
    ///
    /// # Errors
    /// When the store cannot be read or written. An unknown login is no error: it is over anyway.
    pub async fn abandon(&self, token: [u8; 16], caller: u32) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            let Ok(login) = find(db, &token, caller) else { return Ok(()) };
            if login.phase == Phase::Asked {
                db.prepare_cached(
                    "UPDATE login SET phase = ?2, token = NULL,
                       state = CASE WHEN state = 'denied' THEN state ELSE 'abandoned' END,
                       reason = CASE WHEN state = 'denied' THEN reason ELSE 'hung-up' END
                     WHERE id = ?1",
                )?
                .execute((login.id, Phase::Over.number()))?;
                pending::discard(db, login.id)?;
            }
            Ok(())
        })
        .await
    }
}

/// `None`, and nothing is done, when the login would gain a factor and `may_gain` is false.
fn confirm(
    db: &Connection,
    what: &ConfirmRow,
    may_gain: bool,
    now: Moment,
) -> Result<Option<Confirmed>, Error> {
    let login = match find(db, &what.token, what.caller) {
        Err(Error::NotFound(_)) => return Ok(Some(Confirmed::NoLogin)),
        found => found?,
    };
    let named = login.user == *if login.uid.is_some() { &what.user } else { &what.concealed };
    let same = named && login.service == what.service;
    if !same || now.is_past(login.begun, LOGIN_LIVES_MS) {
        return Ok(Some(Confirmed::Refused));
    }
    if let Some(uid) = login.uid
        && overrides::barred(db, uid, &login.user)?
    {
        pending::discard(db, login.id)?;
        db.prepare_cached(
            "UPDATE login SET phase = ?2, token = NULL, state = 'locked', reason = ?3 WHERE id = ?1",
        )?
        .execute((login.id, Phase::Over.number(), BARRED))?;
        return Ok(Some(Confirmed::Barred));
    }
    let confirmed = match (login.phase, login.at.asking, login.uid) {
        (Phase::Verified, Asking::ReadBack, _) if !may_gain => return Ok(None),
        (Phase::Verified, Asking::ReadBack, Some(uid)) => match pending::confirm(db, &login, uid, now)? {
            Kept::Yes => Confirmed::Enrolled,
            Kept::Overtaken => return overtaken(db, &login),
        },
        (Phase::Verified, Asking::ReadBack, None) | (Phase::Asked | Phase::Over, ..) => {
            return Ok(Some(Confirmed::Refused));
        }
        (Phase::Verified, ..) => Confirmed::Verified,
        (Phase::Skipped, ..) => Confirmed::Skipped,
    };
    end(db, &login, confirmed, &what.rules, now)?;
    Ok(Some(confirmed))
}

fn end(
    db: &Connection,
    login: &OpenLogin,
    confirmed: Confirmed,
    rules: &str,
    now: Moment,
) -> Result<(), Error> {
    db.prepare_cached("UPDATE login SET confirmed = 1, phase = ?2, token = NULL WHERE id = ?1")?
        .execute((login.id, Phase::Over.number()))?;
    if confirmed == Confirmed::Enrolled {
        db.prepare_cached("UPDATE login SET state = 'enrolled', reason = '' WHERE id = ?1")?
            .execute([login.id])?;
    }
    let Some(uid) = login.uid else { return Ok(()) };
    if login.tells > 0 {
        notice::told(db, uid, &login.user, login.tells, now)?;
    }
    if let (Confirmed::Skipped, Some(until)) = (confirmed, login.at.later_until) {
        grace::note(db, uid, &login.user, until, now)?;
    }
    if confirmed != Confirmed::Skipped && !login.source_key.is_empty() {
        known_source::confirm(db, (uid, &login.user), &login.source_key, &login.service, rules, now)?;
    }
    Ok(())
}

/// Somebody gave the person a factor while this login was about to: that one counts, this is refused.
fn overtaken(db: &Connection, login: &OpenLogin) -> Result<Option<Confirmed>, Error> {
    pending::discard(db, login.id)?;
    db.prepare_cached(
        "UPDATE login SET phase = ?2, token = NULL, state = 'denied', reason = 'enrolled-meanwhile' WHERE id = ?1",
    )?
    .execute((login.id, Phase::Over.number()))?;
    Ok(Some(Confirmed::Refused))
}
