//! Opening a login: the facts it needs, and its row in the attempt log.

use super::notice::{self, Untold};
use super::tally;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::decide::answer::Payer;
use crate::decide::throttle::{Lane, Tally};
use crate::error::Error;
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
}

/// What is known when a login begins.
#[derive(Debug, Clone)]
pub struct BeginFacts {
    /// The name under which the uid is kept differs from the name now: somebody else.
    pub renamed: bool,
    /// Confirmed authenticators.
    pub authenticators: u32,
    /// Unused recovery codes.
    pub recovery_codes: u32,
    /// The lane that this login's answers belong to.
    pub lane: Lane,
    /// Its tally.
    pub tally: Tally,
    /// The tally of the recovery lane.
    pub recovery_tally: Tally,
    /// Consecutive failures over all lanes.
    pub in_a_row: Tally,
    /// Milliseconds since a login of this person to this service was confirmed from this very
    /// source, in this boot. `None` where sources are not remembered.
    pub confirmed_ago: Option<u64>,
    /// What happened that the person has not been told; nothing for those who may not be told.
    pub untold: Untold,
}

/// Services of which a policy may remember sources: those that come from somewhere.
const REMEMBERING: [&str; 2] = ["sshd", "login"];

impl Store {
    /// Opens a login: reads the facts, lets `judge` rule, and writes the row with the phase, state
    /// and reason it gives. Returns what else it gives.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn begin<T: Send + 'static>(
        &self,
        row: LoginRow,
        now: Moment,
        judge: impl FnOnce(&BeginFacts) -> (Phase, &'static str, &'static str, T) + Send + 'static,
    ) -> Result<T, Error> {
        self.run(Durability::Kill, move |db| {
            let facts = facts(db, &row, now)?;
            let (phase, state, reason, result) = judge(&facts);
            insert(db, &row, now, phase, state, reason, facts.untold.to)?;
            Ok(result)
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
                .prepare_cached("SELECT uid FROM person WHERE name = ?1")?
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
        renamed: false,
        authenticators: 0,
        recovery_codes: 0,
        lane,
        tally: tally::read(db, &subject, lane)?,
        recovery_tally: tally::read(db, &subject, Lane::Recovery)?,
        in_a_row: Tally::default(),
        confirmed_ago: None,
        untold: Untold::default(),
    };
    let Some(uid) = row.uid else { return Ok(facts) };
    if row.talk {
        facts.untold = notice::untold(db, uid, &row.user, i64::MAX)?;
    }
    facts.in_a_row = tally::in_a_row(db, uid)?;
    let kept: Option<String> = db
        .prepare_cached("SELECT name FROM person WHERE uid = ?1")?
        .query_row([uid], |r| r.get(0))
        .optional()?;
    let Some(kept) = kept else { return Ok(facts) };
    if kept != row.user {
        facts.renamed = true;
        return Ok(facts);
    }
    if row.payer == Payer::Person && row.source != "unknown" && REMEMBERING.contains(&row.service.as_str()) {
        facts.confirmed_ago = confirmed_ago(db, uid, row, now)?;
    }
    facts.authenticators =
        db.prepare_cached("SELECT count(*) FROM totp WHERE uid = ?1")?.query_row([uid], |r| r.get(0))?;
    facts.recovery_codes = db
        .prepare_cached("SELECT count(*) FROM recovery_code WHERE uid = ?1 AND used_at IS NULL")?
        .query_row([uid], |r| r.get(0))?;
    Ok(facts)
}

fn confirmed_ago(db: &Connection, uid: u32, row: &LoginRow, now: Moment) -> Result<Option<u64>, Error> {
    let at: Option<i64> = db
        .prepare_cached("SELECT confirmed_ms FROM known_source WHERE uid = ?1 AND source = ?2 AND service = ?3 AND boot = ?4")?
        .query_row((uid, &row.source_key, &row.service, now.boot), |r| r.get(0))
        .optional()?;
    Ok(at.and_then(|at| u64::try_from(now.boot_ms - at).ok()))
}

/// Seconds for which a confirmed login makes its source known.
pub(super) const KNOWN_FOR: i64 = 30 * 24 * 3600;

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
    let known = db
        .prepare_cached(
            "SELECT 1 FROM known_source WHERE uid = ?1 AND source = ?2 AND confirmed BETWEEN ?3 AND ?4",
        )?
        .exists((uid, source, now.wall - KNOWN_FOR, now.wall))?;
    Ok(if known { Lane::Known } else { Lane::Other })
}

pub(super) fn subject_of(payer: Payer, uid: Option<u32>, source_key: &str) -> String {
    match (payer, uid) {
        (Payer::Person, Some(uid)) => tally::of_person(uid),
        _ => tally::of_source(source_key),
    }
}

fn insert(
    db: &Connection,
    row: &LoginRow,
    now: Moment,
    phase: Phase,
    state: &str,
    reason: &str,
    tells: i64,
) -> Result<(), Error> {
    let token = (phase != Phase::Over).then_some(row.token);
    db.prepare_cached(
        "INSERT INTO login (token, phase, caller, user, uid, ruser, service, program, tty, source, source_key, console,
                            person_pays, talk, policy, state, reason, started, boot, started_ms, tells)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)",
    )?
    .execute(rusqlite::params![
        token,
        phase.number(),
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
        state,
        reason,
        now.wall,
        now.boot,
        now.boot_ms,
        tells,
    ])?;
    Ok(())
}
