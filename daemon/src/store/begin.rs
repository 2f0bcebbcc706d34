//! Opening a login: the facts it needs, and its row in the attempt log.

use super::email::{self, MailTo};
use super::enrollment::has_factor;
use super::notice::{self, Untold};
use super::worker::{Durability, Store};
use super::{grace, invitation, known_source, overrides, tally};
use crate::clock::Moment;
use crate::decide::answer::Payer;
use crate::decide::enrolling::Asking;
use crate::decide::throttle::{Lane, Tally};
use crate::error::Error;
use countersign_protocol::names::OWN_SERVICE;
use rusqlite::{Connection, OptionalExtension};

/// How far a login is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Waits for an answer.
    Asked,
    /// Verified; waits for the account phase.
    Verified,
    /// Not asked; may be confirmed by the account phase.
    Skipped,
    /// Over.
    Over,
}

impl Phase {
    pub(super) fn number(self) -> i64 {
        match self {
            Self::Asked => 0,
            Self::Verified => 1,
            Self::Skipped => 2,
            Self::Over => 3,
        }
    }

    pub(super) fn read(number: i64) -> Self {
        match number {
            0 => Self::Asked,
            1 => Self::Verified,
            2 => Self::Skipped,
            // Anything unexpected in the file is no way in.
            _ => Self::Over,
        }
    }
}

/// A login as it is written down when it begins.
#[derive(Debug, Clone)]
pub struct LoginRow {
    /// The hash of the login id.
    pub token: [u8; 16],
    /// The uid that began it.
    pub caller: u32,
    /// The name, or what stands for a name nobody has.
    pub user: String,
    /// The person's uid, if the name is somebody's.
    pub uid: Option<u32>,
    /// `PAM_RUSER`.
    pub ruser: String,
    /// The PAM service.
    pub service: String,
    /// What the module said of its host.
    pub program: String,
    /// The terminal.
    pub tty: String,
    /// An address, `local` or `unknown`.
    pub source: String,
    /// What failures of this source are counted under.
    pub source_key: String,
    /// Whether it is a console of this machine.
    pub console: bool,
    /// Who pays for wrong answers.
    pub payer: Payer,
    /// Whether the person may be told why, and may try more than once: the first factor passed.
    pub talk: bool,
    /// The policy that decided.
    pub policy: String,
    /// Whether the person may set up a new phone in this login, once a recovery code let them pass.
    pub may_enroll: bool,
    /// The hash of the policies in force.
    pub rules: String,
    /// Where codes by e-mail could go.
    pub mail_to: Option<MailTo>,
}

impl LoginRow {
    /// Whether somebody makes it to show a factor of their own before they change what they have.
    #[must_use]
    pub fn is_own(&self) -> bool {
        self.caller != 0 && self.service == OWN_SERVICE
    }
}

/// How a login begins.
#[derive(Debug)]
pub struct Opened<T> {
    /// How far it is.
    pub phase: Phase,
    /// The state in the log.
    pub state: &'static str,
    /// The reason in the log.
    pub reason: &'static str,
    /// What it asks for.
    pub asking: Asking,
    /// The person passes, or may pass, without a factor until this date.
    pub until: Option<i64>,
    /// What the caller wants to have.
    pub result: T,
}

impl<T> Opened<T> {
    /// A login that asks for a code, or for nothing.
    pub fn new(phase: Phase, state: &'static str, reason: &'static str, result: T) -> Self {
        Self { phase, state, reason, asking: Asking::Code, until: None, result }
    }

    /// The same with another result.
    pub fn map<U>(self, with: impl FnOnce(T) -> U) -> Opened<U> {
        let Self { phase, state, reason, asking, until, result } = self;
        Opened { phase, state, reason, asking, until, result: with(result) }
    }
}

/// What is known when a login begins.
#[derive(Debug, Clone)]
pub struct BeginFacts {
    /// An administrator has locked this person.
    pub barred: bool,
    /// The name under which the uid is kept differs from the name now: somebody else.
    pub renamed: bool,
    /// Confirmed authenticators.
    pub authenticators: u32,
    /// Unused recovery codes, which have a lane of their own.
    pub recovery_codes: u32,
    /// Unused scratch codes of an imported authenticator, which have not.
    pub scratch_codes: u32,
    /// The lane that this login's answers belong to.
    pub lane: Lane,
    /// Its tally.
    pub tally: Tally,
    /// The tally of the recovery lane.
    pub recovery_tally: Tally,
    /// Consecutive failures over all lanes.
    pub in_a_row: Tally,
    /// Milliseconds since a login of this person to this service was confirmed from this very
    /// source, in this boot, under these policies and clocks. `None` where sources are not remembered.
    pub confirmed_ago: Option<u64>,
    /// What happened that the person has not been told; nothing for those who may not be told.
    pub untold: Untold,
    /// When the person's time without a factor began, by the date that is never turned back.
    pub grace_began: Option<i64>,
    /// Whether an administrator's invitation of this person holds.
    pub invited: bool,
}

impl BeginFacts {
    /// Whether the person has anything but mail.
    #[must_use]
    pub fn has_codes(&self) -> bool {
        self.authenticators > 0 || self.recovery_codes > 0 || self.scratch_codes > 0
    }
}

impl Store {
    /// Opens a login: reads the facts, lets `judge` rule, and writes the row as it says. Returns what
    /// else it gives. Time without a factor begins here only where the first factor
    /// passed.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn begin<T: Send + 'static>(
        &self,
        row: LoginRow,
        now: Moment,
        judge: impl FnOnce(&BeginFacts) -> Opened<T> + Send + 'static,
    ) -> Result<T, Error> {
        self.run(Durability::Kill, move |db| {
            let facts = facts(db, &row, now)?;
            let opened = judge(&facts);
            // What is over as it begins is an account phase, which comes after the whole auth stack.
            let vouched = row.talk || (row.caller == 0 && opened.phase == Phase::Over);
            if let (Some(until), Some(uid), true) = (opened.until, row.uid, vouched) {
                grace::note(db, uid, &row.user, until, now)?;
            }
            insert(db, &row, &opened, facts.untold.to, now)?;
            Ok(opened.result)
        })
        .await
    }

    /// Finds the uid of a person we know by name, for when the account database does not answer.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn uid_of(&self, name: String) -> Result<Option<u32>, Error> {
        self.run(Durability::Kill, move |db| {
            Ok(db
                .prepare_cached(
                    "SELECT uid FROM person WHERE name = ?1 UNION ALL SELECT uid FROM address WHERE name = ?1 LIMIT 1",
                )?
                .query_row([name], |r| r.get(0))
                .optional()?)
        })
        .await
    }
}

fn facts(db: &Connection, row: &LoginRow, now: Moment) -> Result<BeginFacts, Error> {
    let lane = lane_of(db, row.payer, row.uid, row.console, &row.source_key, now)?;
    let subject = subject_of(row.payer, row.uid, &row.source_key);
    let mut facts = BeginFacts {
        barred: row.uid.map_or(Ok(false), |uid| overrides::barred(db, uid, &row.user))?,
        renamed: false,
        authenticators: 0,
        recovery_codes: 0,
        scratch_codes: 0,
        lane,
        tally: tally::read(db, &subject, lane)?,
        recovery_tally: tally::read(db, &subject, Lane::Recovery)?,
        in_a_row: Tally::default(),
        confirmed_ago: None,
        untold: Untold::default(),
        grace_began: None,
        invited: false,
    };
    let Some(uid) = row.uid else { return Ok(facts) };
    if row.talk {
        facts.untold = notice::untold(db, uid, &row.user, i64::MAX)?;
    }
    facts.in_a_row = tally::in_a_row(db, uid)?;
    facts.grace_began = grace::began(db, uid, &row.user)?;
    facts.invited = invitation::holds(db, uid, &row.user, now)?;
    let kept: Option<String> = db
        .prepare_cached("SELECT name FROM person WHERE uid = ?1")?
        .query_row([uid], |r| r.get(0))
        .optional()?;
    if kept.as_ref().is_some_and(|kept| *kept != row.user) {
        facts.renamed = true;
        return Ok(facts);
    }
    if row.payer == Payer::Person {
        facts.confirmed_ago = known_source::confirmed_ago(db, uid, row, now)?;
    }
    // Whoever has mail only is not kept.
    if kept.is_none() {
        return Ok(facts);
    }
    facts.authenticators =
        db.prepare_cached("SELECT count(*) FROM totp WHERE uid = ?1")?.query_row([uid], |r| r.get(0))?;
    (facts.recovery_codes, facts.scratch_codes) = db
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE NOT scratch), count(*) FILTER (WHERE scratch)
             FROM recovery_code JOIN recovery_set USING (uid) WHERE uid = ?1 AND used_at IS NULL",
        )?
        .query_row([uid], |r| Ok((r.get(0)?, r.get(1)?)))?;
    Ok(facts)
}

pub(super) fn lane_of(
    db: &Connection,
    payer: Payer,
    uid: Option<u32>,
    console: bool,
    source: &str,
    now: Moment,
) -> Result<Lane, Error> {
    let (Payer::Person, Some(uid)) = (payer, uid) else { return Ok(Lane::Source) };
    if console {
        return Ok(Lane::Console);
    }
    let known = known_source::is_known(db, uid, source, now)?;
    Ok(if known { Lane::Known } else { Lane::Other })
}

pub(super) fn subject_of(payer: Payer, uid: Option<u32>, source_key: &str) -> String {
    match (payer, uid) {
        (Payer::Person, Some(uid)) => tally::of_person(uid),
        _ => tally::of_source(source_key),
    }
}

fn insert<T>(
    db: &Connection,
    row: &LoginRow,
    opened: &Opened<T>,
    tells: i64,
    now: Moment,
) -> Result<(), Error> {
    let token = (opened.phase != Phase::Over).then_some(row.token);
    db.prepare_cached(
        "INSERT INTO login (token, phase, caller, user, uid, ruser, service, program, tty, source, source_key, console,
                            person_pays, talk, policy, state, reason, started, boot, started_ms, tells, asking, may_enroll, later_until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24)",
    )?
    .execute(rusqlite::params![
        token,
        opened.phase.number(),
        row.caller,
        row.user,
        row.uid,
        row.ruser,
        row.service,
        row.program,
        row.tty,
        row.source,
        row.source_key,
        row.console,
        row.payer == Payer::Person,
        row.talk,
        row.policy,
        opened.state,
        opened.reason,
        now.wall,
        now.boot,
        now.boot_ms,
        tells,
        opened.asking.as_str(),
        row.may_enroll,
        opened.until,
    ])?;
    // Whoever has something stronger does not change it by their mail.
    let own = match row.uid {
        Some(uid) if row.is_own() => !has_factor(db, uid)?,
        _ => false,
    };
    if let (Some(to), true, Phase::Asked) = (&row.mail_to, row.talk || own, opened.phase) {
        email::open(db, db.last_insert_rowid(), (row.uid, &row.user), to)?;
    }
    Ok(())
}
