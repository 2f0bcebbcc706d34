//! One answer: facts, ruling, charge, consumption and log row in one transaction that is durable
//! before anybody hears of it.

use super::begin::{Phase, lane_of, subject_of};
use super::carry::carry_out;
use super::email::{self, EmailRow, MailTo};
use super::notice::Untold;
use super::pending::{self, Pending};
use super::worker::{Durability, Store};
use super::{overrides, tally};
use crate::clock::{Moment, Stamp};
use crate::decide::answer::{Payer, ROUNDS_PER_LOGIN, RecoveryMatch, Ruling, TRIES_PER_LOGIN};
use crate::decide::email::Limits;
use crate::decide::enrolling::{Asking, Position};
use crate::decide::recovery::SALT_BYTES;
use crate::decide::throttle::{Lane, Tally};
use crate::error::Error;
use countersign_protocol::names::OWN_SERVICE;
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
    /// When it began.
    pub begun: Stamp,
    /// Where it stands.
    pub at: Position,
    pub(super) may_enroll: bool,
    pub(super) source: String,
    /// The last notice that it tells.
    pub(super) tells: i64,
}

impl OpenLogin {
    /// Where to and where from, for a notice.
    pub(super) fn place(&self) -> String {
        format!("{} {}", self.service, self.source)
    }

    /// Whether codes by e-mail may be sent in it: the first factor passed, or somebody shows a factor of
    /// their own before they change what they have.
    pub(super) fn mails(&self) -> bool {
        self.at.talk || is_own(self.caller, &self.service)
    }

    /// Whether a recovery code has let the person pass already.
    pub(super) fn passed(&self) -> bool {
        self.at.passed
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
    /// What this login has shown and waits to keep.
    pub pending: Option<Pending>,
    /// Scratch codes of an imported authenticator.
    pub scratch: Vec<StoredScratch>,
    /// Codes by e-mail, where this login can have some.
    pub email: Option<EmailRow>,
    /// An administrator has locked the person.
    pub barred: bool,
}

/// A scratch code as stored.
#[derive(Debug)]
pub struct StoredScratch {
    /// Row id.
    pub id: i64,
    /// The salt of its set.
    pub salt: Vec<u8>,
    /// Its keyed hash.
    pub hash: Vec<u8>,
    /// Whether it was used.
    pub used: bool,
}

/// What an answer did.
#[derive(Debug, Clone)]
pub struct Answered {
    /// Whose login it is, where to, and from where.
    pub whose: [String; 3],
    /// The person, if the name is somebody's.
    pub uid: Option<u32>,
    /// The ruling that was carried out.
    pub ruling: Ruling,
    /// What the login asks next; `None` when it takes no other answer.
    pub next: Option<Asking>,
    /// Where it stood when the answer came.
    pub at: Position,
    /// When it began.
    pub begun: Stamp,
    /// Wrong answers left to the same question.
    pub tries_left: u32,
    /// Milliseconds for which the lane is now closed; 0 is open.
    pub closed_for: i64,
    /// Unused recovery codes left.
    pub recovery_left: u32,
    /// What happened that the person has not been told, once they are in.
    pub untold: Untold,
    /// Which of the codes shown must be typed back, from 0.
    pub asked_back: u32,
    /// Where codes by e-mail go, if this login can have some.
    pub mail_to: Option<MailTo>,
    /// Whether the person has another factor than that.
    pub has_app: bool,
}

/// What an answer is judged to be.
#[must_use]
#[derive(Debug, Clone, Copy)]
pub struct Judged {
    /// The ruling.
    pub ruling: Ruling,
    /// The keyed hash of the invitation that was typed, where one was asked for.
    pub invitation: Option<[u8; 32]>,
}

/// What a typed answer is, in the only forms in which it is compared with what is stored.
#[derive(Debug, Clone, Copy, Default)]
pub struct Evidence {
    /// The hash of a recovery code.
    pub recovery: Option<[u8; 32]>,
    /// The keyed hash of what may be a code by e-mail, bound to this login.
    pub email: Option<[u8; 32]>,
    /// The same of the code that is sent now, if one is.
    pub fresh: Option<[u8; 32]>,
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
            match login.at.asking {
                Asking::ReadBack => return pending::salt(db, login.id),
                Asking::Invitation | Asking::FirstCode | Asking::Offer => return Ok(None),
                Asking::Code => {}
            }
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
        evidence: Evidence,
        limits: Limits,
        judge: impl FnOnce(&OpenLogin, &AnswerRow) -> Result<Judged, Error> + Send + 'static,
    ) -> Result<Answered, Error> {
        self.run(Durability::Power, move |db| {
            let login = open_login(db, &token, caller, now)?;
            let facts = facts(db, &login, &evidence, limits, now)?;
            let judged = judge(&login, &facts)?;
            carry_out(db, &login, &facts, &evidence, judged, now)
        })
        .await
    }
}

/// Whether somebody shows a factor of their own before they change what they have.
fn is_own(caller: u32, service: &str) -> bool {
    caller != 0 && service == OWN_SERVICE
}

fn read_login(r: &Row<'_>) -> rusqlite::Result<OpenLogin> {
    let person_pays: bool = r.get(8)?;
    let (caller, talk): (u32, bool) = (r.get(2)?, r.get(9)?);
    // At a prompt of their own people mistype as they do elsewhere, and a new login may be a new letter.
    let more = talk || is_own(caller, r.get_ref(5)?.as_str()?);
    Ok(OpenLogin {
        id: r.get(0)?,
        phase: Phase::read(r.get(1)?),
        caller,
        user: r.get(3)?,
        uid: r.get(4)?,
        service: r.get(5)?,
        source_key: r.get(6)?,
        console: r.get(7)?,
        payer: if person_pays { Payer::Person } else { Payer::Source },
        begun: Stamp { boot: r.get(10)?, ms: r.get(11)? },
        at: Position {
            asking: Asking::read(r.get_ref(13)?.as_str()?),
            passed: r.get_ref(17)?.as_str()? == "verified",
            talk,
            tries: if more { TRIES_PER_LOGIN } else { 1 },
            misses: r.get(14)?,
            rounds: r.get(12)?,
            later_until: r.get(15)?,
        },
        may_enroll: r.get(16)?,
        source: r.get(18)?,
        tells: r.get(19)?,
    })
}

pub(super) fn find(db: &Connection, token: &[u8; 16], caller: u32) -> Result<OpenLogin, Error> {
    db.prepare_cached(
        "SELECT id, phase, caller, user, uid, service, source_key, console, person_pays, talk, boot, started_ms,
                rounds, asking, misses, later_until, may_enroll, state, source, tells
         FROM login WHERE token = ?1",
    )?
    .query_row([token], read_login)
    .optional()?
    // Somebody else's login is no login: the answer tells nothing about it.
    .filter(|login| login.caller == caller)
    .ok_or_else(|| Error::NotFound("no such login".into()))
}

pub(super) fn open_login(
    db: &Connection,
    token: &[u8; 16],
    caller: u32,
    now: Moment,
) -> Result<OpenLogin, Error> {
    let login = find(db, token, caller)?;
    if login.phase != Phase::Asked
        || now.is_past(login.begun, LOGIN_LIVES_MS)
        || login.at.rounds >= ROUNDS_PER_LOGIN
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
    evidence: &Evidence,
    limits: Limits,
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
        pending: None,
        scratch: Vec::new(),
        email: None,
        barred: login.uid.map_or(Ok(false), |uid| overrides::barred(db, uid, &login.user))?,
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
    facts.scratch = db
        .prepare_cached("SELECT c.id, salt, hash, used_at IS NOT NULL FROM recovery_set s JOIN recovery_code c USING (uid) JOIN person p USING (uid) WHERE uid = ?1 AND scratch AND p.name = ?2")?
        .query_map((uid, &login.user), |r| {
            Ok(StoredScratch { id: r.get(0)?, salt: r.get(1)?, hash: r.get(2)?, used: r.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    if login.at.asking != Asking::Code {
        facts.pending = pending::find(db, login.id, evidence.recovery.as_ref())?;
        return Ok(facts);
    }
    facts.email = email::find(db, login, evidence.email.as_ref(), limits, now)?;
    if let Some(hash) = evidence.recovery {
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
