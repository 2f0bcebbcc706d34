//! How somebody comes to a factor inside a login: the first one, or a new one after a recovery code.
//!
//! What is asked at each prompt, what an answer to it does, and until when `later` is an answer.
//! Whoever has passed already (by a recovery code) can only go on: nothing here refuses them.

use super::answer::{ROUNDS_PER_LOGIN, Typed};
use super::policy::Terms;
use super::totp::{Authenticator, Match};
use crate::clock::{Moment, Stamp};
use countersign_config::{Deadline, Enroll};

/// Uids below this are system accounts (login.defs(5), `UID_MIN`), and so is `nobody`.
const FIRST_ORDINARY_UID: u32 = 1000;
const NOBODY: u32 = 65534;

/// What a login wants to hear next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asking {
    /// A code of a factor that the person has.
    Code,
    /// A one-time code that an administrator gave to somebody without a factor.
    Invitation,
    /// The first code of the key that was shown in this login.
    FirstCode,
    /// One of the recovery codes that were shown in this login.
    ReadBack,
    /// Whether to set up a new phone, after a recovery code let the person pass.
    Offer,
}

impl Asking {
    /// The word in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Invitation => "invitation",
            Self::FirstCode => "first-code",
            Self::ReadBack => "read-back",
            Self::Offer => "offer",
        }
    }

    /// Reads the word. Anything unexpected in the file asks for a code, which grants nothing.
    #[must_use]
    pub fn read(word: &str) -> Self {
        match word {
            "invitation" => Self::Invitation,
            "first-code" => Self::FirstCode,
            "read-back" => Self::ReadBack,
            "offer" => Self::Offer,
            _ => Self::Code,
        }
    }
}

/// Somebody of whom a factor is required and who has none, when their login begins.
#[derive(Debug, Clone, Copy)]
pub struct Newcomer<'a> {
    /// What policy grants.
    pub terms: &'a Terms,
    /// Their uid, if the account database says so now.
    pub uid: Option<u32>,
    /// The first factor passed and root asks: they may be talked to.
    pub talk: bool,
    /// An administrator has invited them, and the invitation still holds.
    pub invited: bool,
    /// When their grace began, by the date that is never turned back.
    pub grace_began: Option<i64>,
}

/// How a login of somebody without a factor begins.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// The same prompt as for everybody, to which no answer is right.
    Neutral,
    /// They pass until this date (seconds since 1970), and cannot enroll by themselves now.
    Grace {
        /// The first second that is too late.
        until: i64,
    },
    /// They are asked, and may answer `later` until the date if there is one.
    Ask {
        /// For what.
        asking: Asking,
        /// The first second at which `later` is no answer.
        later_until: Option<i64>,
    },
    /// Refused: an administrator must enroll them.
    NeedsAdmin,
    /// Refused: an administrator must invite them.
    NeedsInvitation,
}

/// Decides how a login of somebody without a factor begins.
pub fn open(newcomer: &Newcomer<'_>, now: Moment) -> Opening {
    let Some(uid) = newcomer.uid else { return Opening::Neutral };
    let until = grace_until(newcomer, now);
    if !newcomer.talk {
        // Where a password may have been wrong nobody is shown anything, so nobody could say later.
        return until.map_or(Opening::Neutral, |until| Opening::Grace { until });
    }
    let or_grace = |refusal| until.map_or(refusal, |until| Opening::Grace { until });
    if !may_enroll(newcomer.terms, uid) {
        return or_grace(Opening::NeedsAdmin);
    }
    match newcomer.terms.enroll {
        Enroll::AtLogin => Opening::Ask { asking: Asking::FirstCode, later_until: until },
        Enroll::Invited if newcomer.invited => {
            Opening::Ask { asking: Asking::Invitation, later_until: until }
        }
        Enroll::Invited => or_grace(Opening::NeedsInvitation),
        Enroll::Admin => or_grace(Opening::NeedsAdmin),
    }
}

/// Whether these terms let this person enroll inside a login: directly or by an invitation. A system
/// account only where the policy names it, its group or somebody: a policy for everyone was not
/// written with `root` in mind.
#[must_use]
pub fn may_enroll(terms: &Terms, uid: u32) -> bool {
    let ordinary = uid >= FIRST_ORDINARY_UID && uid != NOBODY;
    terms.enroll != Enroll::Admin && (ordinary || terms.names_people)
}

/// Until when this person passes without a factor; `None` when that is over or was never granted.
fn grace_until(newcomer: &Newcomer<'_>, now: Moment) -> Option<i64> {
    let until = match newcomer.terms.deadline? {
        Deadline::By(date) => date,
        Deadline::Grace(span) => newcomer
            .grace_began
            .unwrap_or(now.date)
            .saturating_add(i64::try_from(span.as_secs()).unwrap_or(i64::MAX)),
    };
    (now.date < until).then_some(until)
}

/// Where a login in flight stands.
#[derive(Debug, Clone, Copy)]
pub struct Position {
    /// What it asked for.
    pub asking: Asking,
    /// A recovery code has let the person pass: they can only go on.
    pub passed: bool,
    /// The first factor passed.
    pub talk: bool,
    /// Wrong answers that a question of this login takes.
    pub tries: u32,
    /// Wrong answers to this question so far.
    pub misses: u32,
    /// Answers of any kind so far.
    pub rounds: u32,
    /// The first second at which `later` is no answer.
    pub later_until: Option<i64>,
}

impl Position {
    /// Wrong answers that are left after one more.
    #[must_use]
    pub fn left_after_a_miss(&self) -> u32 {
        self.tries.saturating_sub(self.misses + 1)
    }

    /// Whether no other answer can follow this one.
    #[must_use]
    pub fn is_last_round(&self) -> bool {
        self.rounds + 1 >= ROUNDS_PER_LOGIN
    }

    fn takes_later(&self, now: Moment) -> bool {
        self.later_until.is_some_and(|until| now.date < until)
    }
}

/// What an answer is compared with at these prompts.
pub struct Shown<'a> {
    /// The authenticator of this login, while its first code is asked for.
    pub app: Option<&'a Authenticator>,
    /// Whether the recovery codes that the login has shown are still there.
    pub codes: bool,
    /// Whether the typed code is the one that was asked back.
    pub read_back: bool,
}

/// What an answer to one of these prompts does. It must be carried out and committed before the
/// person hears of it.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Say what can be typed; costs no try.
    Explain,
    /// They pass without a factor this time.
    Later,
    /// Compare the invitation, use it up if it is right, and show a key then.
    TryInvitation,
    /// Show a key, for a factor that replaces what the person has.
    SetUp,
    /// The first code was right, and its step is used. Recovery codes are shown next.
    Proven {
        /// The step.
        step: i64,
    },
    /// The code asked back was right: the login is verified, and the account phase keeps the factor.
    Kept,
    /// Whoever passed already goes on without a new factor.
    GoOn {
        /// They tried, and it did not work.
        failed: bool,
    },
    /// Wrong.
    Missed(Miss),
    /// Nothing of the enrollment is left.
    Gone,
}

/// Which answer was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// No invitation of this person.
    Invitation,
    /// Not the first code. Seconds by which the phone's clock seems to be off, if it does.
    FirstCode {
        /// Positive is ahead.
        off: Option<i64>,
    },
    /// Not the recovery code that was asked for. This is no guess: they were shown.
    ReadBack,
}

/// Judges an answer to any prompt but [`Asking::Code`].
pub fn rule(typed: &Typed, at: &Position, shown: &Shown<'_>, now: Moment) -> Move {
    let ruled = match (typed, at.asking) {
        (Typed::Help, _) => Move::Explain,
        (Typed::Later, Asking::Invitation | Asking::FirstCode) if !at.passed && at.takes_later(now) => {
            Move::Later
        }
        (Typed::Enroll, Asking::Offer) if at.passed => Move::SetUp,
        (_, Asking::Offer) => Move::GoOn { failed: false },
        (Typed::No | Typed::Later, _) if at.passed => Move::GoOn { failed: false },
        (_, Asking::Invitation) => Move::TryInvitation,
        (typed, Asking::FirstCode) => first_code(typed, shown.app, now),
        (_, Asking::ReadBack) if !shown.codes => Move::Gone,
        (_, Asking::ReadBack) if shown.read_back => Move::Kept,
        (_, Asking::ReadBack | Asking::Code) => Move::Missed(Miss::ReadBack),
    };
    match ruled {
        // No answer can follow, but nobody who has passed is sent away for that.
        Move::Explain | Move::Missed(_) if at.passed && at.is_last_round() => Move::GoOn { failed: true },
        Move::Missed(Miss::FirstCode { .. }) if at.passed && at.left_after_a_miss() == 0 => {
            Move::GoOn { failed: true }
        }
        Move::Gone if at.passed => Move::GoOn { failed: true },
        Move::GoOn { .. } if !at.passed => Move::Gone,
        ruled => ruled,
    }
}

fn first_code(typed: &Typed, app: Option<&Authenticator>, now: Moment) -> Move {
    let Some(app) = app else { return Move::Gone };
    let Typed::Digits(code) = typed else { return Move::Missed(Miss::FirstCode { off: None }) };
    match app.check(code, now.wall) {
        Match::Fresh { step } => Move::Proven { step },
        Match::Reused { .. } | Match::Wrong => {
            Move::Missed(Miss::FirstCode { off: app.clock_off(code, now.wall).map(|(_, off)| off) })
        }
    }
}

/// Seconds that a person has when they are told to hurry.
const HURRY_BELOW_MS: i64 = 40_000;

/// Seconds until the host program ends a login that began at `begun`, where that is soon and known:
/// login(1) allows 60 s (login.defs(5), `LOGIN_TIMEOUT`), sshd 120 s (sshd_config(5),
/// `LoginGraceTime`), and the password was typed within that.
#[must_use]
pub fn seconds_left(service: &str, begun: Stamp, now: Moment) -> Option<i64> {
    let allowed = match service {
        "login" => 60_000,
        "sshd" => 120_000,
        _ => return None,
    };
    let left = allowed - now.since(begun);
    (0 < left && left < HURRY_BELOW_MS).then_some(left / 1000)
}

#[cfg(test)]
mod tests;
