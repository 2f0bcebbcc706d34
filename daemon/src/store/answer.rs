//! One answer: facts, ruling, charge, consumption and log row in one transaction that is durable
//! before anybody hears of it.

use super::begin::{Phase, lane_of, subject_of};
use super::notice::{self, Kind as Notice, Untold};
use super::tally;
use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::decide::answer::{Payer, ROUNDS_PER_LOGIN, Reason, RecoveryMatch, Ruling, TRIES_PER_LOGIN};
use crate::decide::recovery::SALT_BYTES;
use crate::decide::throttle::{Lane, Tally};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension, Row};
use subtle::ConstantTimeEq;

/// Milliseconds a login lives: prompts of 90 s each, and room to fetch the phone.
pub const LOGIN_LIVES_MS: i64 = 10 * 60 * 1000;

/// A login in flight.
#[derive(Debug, Clone)]
pub struct OpenLogin {
    pub(super) id: i64,
    pub(super) phase: Phase,
    caller: u32,
    /// The name it was begun for.
    pub user: String,
    /// The person, if the name is somebody's.
    pub uid: Option<u32>,
    pub(super) service: String,
    pub(super) source_key: String,
    console: bool,
    /// Who pays for wrong answers.
    pub payer: Payer,
    /// Whether the person may be told why.
    pub talk: bool,
    pub(super) begun: Stamp,
    rounds: u32,
    tries: u32,
    source: String,
    /// The last notice that it tells.
    pub(super) tells: i64,
}

impl OpenLogin {
    /// Where to and where from, for a notice.
    pub(super) fn place(&self) -> String {
        format!("{} {}", self.service, self.source)
    }
}

/// A confirmed authenticator as stored; its secret is sealed.
#[derive(Debug, Clone)]
pub struct SealedTotp {
    /// Row id.
    pub id: i64,
    /// Sealed secret.
    pub secret: Vec<u8>,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
    /// The watermark.
    pub last_step: i64,
    /// Seconds that its clock is ahead of ours.
    pub drift: i64,
}

/// The stored facts that an answer is judged by.
#[derive(Debug)]
pub struct AnswerRow {
    /// The lane that pays.
    pub lane: Lane,
    /// Its tally.
    pub tally: Tally,
    /// The tally of the recovery lane.
    pub recovery_tally: Tally,
    /// Consecutive failures over all lanes.
    pub in_a_row: Tally,
    /// Confirmed authenticators.
    pub authenticators: Vec<SealedTotp>,
    /// What the given hash is among the person's recovery codes.
    pub recovery: RecoveryMatch,
}

/// What an answer did.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Whose login it is, where to, and from where.
    pub whose: [String; 3],
    /// The ruling that was carried out.
    pub ruling: Ruling,
    /// Whether this login takes another answer.
    pub more: bool,
    /// Tries left in this login.
    pub tries_left: u32,
    /// Whether the person may be told why.
    pub talk: bool,
    /// Milliseconds for which the lane is now closed; 0 is open.
    pub closed_for: i64,
    /// Unused recovery codes left.
    pub recovery_left: u32,
    /// What happened that the person has not been told, once they are in.
    pub untold: Untold,
}

impl Store {
    /// The salt to hash a recovery code with before it is judged; `None` when the answer would not
    /// be evaluated anyway, so that no work is spent on it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn recovery_salt(
        &self,
        token: [u8; 16],
        caller: u32,
        now: Moment,
    ) -> Result<Option<Vec<u8>>, Error> {
        self.run(Durability::Kill, move |db| {
            let Ok(login) = open_login(db, &token, caller, now) else { return Ok(None) };
            let lane = recovery_lane(&login);
            let subject = subject_of(login.payer, login.uid, &login.source_key);
            if tally::read(db, &subject, lane)?.closed_for(lane, now) > 0 {
                return Ok(None);
            }
            let salt = db
                .prepare_cached("SELECT salt FROM recovery_set WHERE uid = ?1")?
                .query_row([login.uid], |r| r.get(0))
                .optional()?;
            // Somebody without codes costs the same work, or the time taken would tell who has some.
            Ok(Some(salt.unwrap_or_else(|| vec![0; SALT_BYTES])))
        })
        .await
    }

    /// Judges one answer and carries the ruling out.
    ///
    /// # Errors
    /// `NotFound` when no login of this caller has the token, `Expired` when it is over,
    /// `Unavailable` when the store cannot be read or written: then nothing was evaluated for the
    /// person to hear of.
    pub async fn answer(
        &self,
        token: [u8; 16],
        caller: u32,
        now: Moment,
        recovery_hash: Option<[u8; 32]>,
        judge: impl FnOnce(&OpenLogin, &AnswerRow) -> Result<Ruling, Error> + Send + 'static,
    ) -> Result<Answered, Error> {
        self.run(Durability::Power, move |db| {
            let login = open_login(db, &token, caller, now)?;
            let facts = facts(db, &login, recovery_hash, now)?;
            let ruling = judge(&login, &facts)?;
            carry_out(db, &login, &facts, ruling, now)
        })
        .await
    }
}

fn read_login(r: &Row<'_>) -> rusqlite::Result<OpenLogin> {
    let person_pays: bool = r.get(8)?;
    Ok(OpenLogin {
        id: r.get(0)?,
        phase: Phase::read(r.get(1)?),
        caller: r.get(2)?,
        user: r.get(3)?,
        uid: r.get(4)?,
        service: r.get(5)?,
        source_key: r.get(6)?,
        console: r.get(7)?,
        payer: if person_pays { Payer::Person } else { Payer::Source },
        talk: r.get(9)?,
        begun: Stamp { boot: r.get(10)?, ms: r.get(11)? },
        rounds: r.get(12)?,
        tries: r.get(13)?,
        source: r.get(14)?,
        tells: r.get(15)?,
    })
}

pub(super) fn find(db: &Connection, token: &[u8; 16], caller: u32) -> Result<OpenLogin, Error> {
    db.prepare_cached(
        "SELECT id, phase, caller, user, uid, service, source_key, console, person_pays, talk, boot, started_ms, rounds, tries, source, tells
         FROM login WHERE token = ?1",
    )?
    .query_row([token], read_login)
    .optional()?
    // Somebody else's login is no login: the answer tells nothing about it.
    .filter(|login| login.caller == caller)
    .ok_or_else(|| Error::NotFound("no such login".into()))
}

fn open_login(db: &Connection, token: &[u8; 16], caller: u32, now: Moment) -> Result<OpenLogin, Error> {
    let login = find(db, token, caller)?;
    if login.phase != Phase::Asked
        || now.is_past(login.begun, LOGIN_LIVES_MS)
        || login.rounds >= ROUNDS_PER_LOGIN
    {
        return Err(Error::Expired("this login is over; start again".into()));
    }
    Ok(login)
}

fn recovery_lane(login: &OpenLogin) -> Lane {
    match login.payer {
        Payer::Person => Lane::Recovery,
        Payer::Source => Lane::Source,
    }
}

fn facts(
    db: &Connection,
    login: &OpenLogin,
    recovery_hash: Option<[u8; 32]>,
    now: Moment,
) -> Result<AnswerRow, Error> {
    let lane = lane_of(db, login.payer, login.uid, login.console, &login.source_key, now)?;
    let subject = subject_of(login.payer, login.uid, &login.source_key);
    let mut facts = AnswerRow {
        lane,
        tally: tally::read(db, &subject, lane)?,
        recovery_tally: tally::read(db, &subject, Lane::Recovery)?,
        in_a_row: Tally::default(),
        authenticators: Vec::new(),
        recovery: RecoveryMatch::Wrong,
    };
    let Some(uid) = login.uid else { return Ok(facts) };
    facts.in_a_row = tally::in_a_row(db, uid)?;
    facts.authenticators = db
        .prepare_cached("SELECT t.id, secret, digits, period, last_step, drift FROM totp t JOIN person p USING (uid) WHERE uid = ?1 AND p.name = ?2 ORDER BY t.id")?
        .query_map((uid, &login.user), |r| {
            Ok(SealedTotp {
                id: r.get(0)?,
                secret: r.get(1)?,
                digits: r.get(2)?,
                period: r.get(3)?,
                last_step: r.get(4)?,
                drift: r.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    if let Some(hash) = recovery_hash {
        facts.recovery = match_recovery(db, uid, &login.user, &hash)?;
    }
    Ok(facts)
}

fn match_recovery(db: &Connection, uid: u32, name: &str, hash: &[u8; 32]) -> Result<RecoveryMatch, Error> {
    let mut found = RecoveryMatch::Wrong;
    let mut statement = db.prepare_cached("SELECT c.id, hash, used_at IS NOT NULL FROM recovery_code c JOIN person p USING (uid) WHERE uid = ?1 AND p.name = ?2")?;
    let mut rows = statement.query((uid, name))?;
    while let Some(row) = rows.next()? {
        let stored: Vec<u8> = row.get(1)?;
        if bool::from(stored.as_slice().ct_eq(hash)) {
            found = if row.get(2)? { RecoveryMatch::Used } else { RecoveryMatch::Fresh(row.get(0)?) };
        }
    }
    Ok(found)
}

fn carry_out(
    db: &Connection,
    login: &OpenLogin,
    facts: &AnswerRow,
    ruling: Ruling,
    now: Moment,
) -> Result<Answered, Error> {
    let whose = [login.user.clone(), login.service.clone(), login.source_key.clone()];
    let mut done = Answered {
        whose,
        ruling,
        more: false,
        tries_left: 0,
        talk: login.talk,
        closed_for: 0,
        recovery_left: 0,
        untold: Untold::default(),
    };
    let limit = if login.talk { TRIES_PER_LOGIN } else { 1 };
    match ruling {
        Ruling::Explain => {
            done.more = login.rounds + 1 < ROUNDS_PER_LOGIN;
            done.tries_left = limit.saturating_sub(login.tries);
            db.prepare_cached("UPDATE login SET rounds = rounds + 1 WHERE id = ?1")?.execute([login.id])?;
        }
        Ruling::Locked(_) => write(db, login, now, Phase::Over, "locked", "", "locked")?,
        Ruling::Wrong { lane, reason, charge } => {
            if charge {
                done.closed_for = charge_failure(db, login, lane, now)?;
            }
            done.tries_left = limit.saturating_sub(login.tries + 1);
            done.more = done.tries_left > 0 && done.closed_for == 0 && login.rounds + 1 < ROUNDS_PER_LOGIN;
            let phase = if done.more { Phase::Asked } else { Phase::Over };
            let word = match reason {
                Reason::WrongCode => "wrong-code",
                Reason::CodeReused(_) => "code-reused",
            };
            write(db, login, now, phase, "denied", "", word)?;
            if let (Reason::CodeReused(_), Some(uid)) = (reason, login.uid) {
                notice::add(db, uid, &login.user, Notice::CodeReused, &login.place(), now)?;
            }
        }
        Ruling::Totp { id, step } => {
            let consumed = db
                .prepare_cached(
                    "UPDATE totp SET last_step = ?2, last_used = ?3 WHERE id = ?1 AND last_step < ?2",
                )?
                .execute((id, step, now.wall))?;
            succeed(db, login, facts, now, consumed, "totp")?;
            done.untold = untold(db, login)?;
        }
        Ruling::Recovery { id } => {
            let consumed = db
                .prepare_cached("UPDATE recovery_code SET used_at = ?2 WHERE id = ?1 AND used_at IS NULL")?
                .execute((id, now.wall))?;
            succeed(db, login, facts, now, consumed, "recovery")?;
            done.untold = untold(db, login)?;
            if let Some(uid) = login.uid {
                notice::add(db, uid, &login.user, Notice::RecoveryUsed, &login.place(), now)?;
            }
            done.recovery_left = db
                .prepare_cached("SELECT count(*) FROM recovery_code WHERE uid = ?1 AND used_at IS NULL")?
                .query_row([login.uid], |r| r.get(0))?;
        }
    }
    Ok(done)
}

/// What the person of a login that is now verified hears: what they had not been told when it began.
fn untold(db: &Connection, login: &OpenLogin) -> Result<Untold, Error> {
    match login.uid {
        Some(uid) if login.tells > 0 => notice::untold(db, uid, &login.user, login.tells),
        _ => Ok(Untold::default()),
    }
}

fn charge_failure(db: &Connection, login: &OpenLogin, lane: Lane, now: Moment) -> Result<i64, Error> {
    let subject = subject_of(login.payer, login.uid, &login.source_key);
    let tally = tally::charge(db, &subject, lane, now)?;
    if let (Payer::Person, Some(uid)) = (login.payer, login.uid) {
        tally::charge_in_a_row(db, uid, now)?;
    }
    let closed_for = tally.closed_for(lane, now);
    if let (true, Payer::Person, Some(uid)) = (closed_for > 0, login.payer, login.uid) {
        // Somebody guesses: nobody of this name passes unasked any more. The sources stay known,
        // or else guessing would take the person's own lane away.
        db.prepare_cached("UPDATE known_source SET boot = zeroblob(16) WHERE uid = ?1")?.execute([uid])?;
        notice::add(db, uid, &login.user, Notice::Locked, &login.place(), now)?;
    }
    Ok(closed_for)
}

fn succeed(
    db: &Connection,
    login: &OpenLogin,
    facts: &AnswerRow,
    now: Moment,
    consumed: usize,
    factor: &str,
) -> Result<(), Error> {
    if consumed != 1 {
        return Err(Error::unavailable("a code was used by somebody else at the same moment"));
    }
    if let (Payer::Person, Some(uid)) = (login.payer, login.uid) {
        db.prepare_cached("UPDATE person SET last_verified = ?2 WHERE uid = ?1")?.execute((uid, now.wall))?;
        if facts.in_a_row.failures > 0 {
            tally::clear(db, &tally::of_person(uid), Lane::All)?;
        }
        let lane = if factor == "recovery" { Lane::Recovery } else { facts.lane };
        if lane != facts.lane || facts.tally.failures > 0 {
            tally::clear(db, &tally::of_person(uid), lane)?;
        }
    }
    write(db, login, now, Phase::Verified, "verified", factor, "")
}

fn write(
    db: &Connection,
    login: &OpenLogin,
    now: Moment,
    phase: Phase,
    state: &str,
    factor: &str,
    reason: &str,
) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE login SET phase = ?2, token = CASE WHEN ?2 = 3 THEN NULL ELSE token END, state = ?3, factor = ?4, reason = ?5,
                rounds = rounds + 1, tries = tries + 1, last_try = ?6
         WHERE id = ?1",
    )?
    .execute((login.id, phase.number(), state, factor, reason, now.wall))?;
    Ok(())
}
