//! What one typed answer does to a login.

use super::email;
use super::enrolling::{self, Asking, Move, Position, Shown};
use super::recovery::Code;
use super::throttle::{Cap, Lane, Tally};
use super::totp::{Authenticator, Match};
use crate::clock::Moment;

/// Answers that may be wrong in one login after which it ends.
pub const TRIES_PER_LOGIN: u32 = 3;
/// Answers of any kind, help included, after which a login ends: no login is endless.
pub const ROUNDS_PER_LOGIN: u32 = 10;

/// What an answer is by its shape, before anything is compared.
pub enum Typed {
    /// `?`: costs nothing.
    Help,
    /// `later`: without a factor this time.
    Later,
    /// `email` or `resend`: have a code sent.
    Email,
    /// `enroll`: set up a new phone.
    Enroll,
    /// `no`: go on without.
    No,
    /// Digits of an authenticator code, or of a code by e-mail.
    Digits(zeroize::Zeroizing<String>),
    /// The shape of a recovery code.
    Recovery(Code),
    /// Anything else; wrong by its shape.
    Other,
}

impl Typed {
    /// Reads an answer. Spaces inside digits are what some apps show, and are dropped.
    #[must_use]
    pub fn parse(answer: &[u8]) -> Self {
        let Ok(text) = std::str::from_utf8(answer) else { return Self::Other };
        let text = text.trim();
        for (word, typed) in [
            ("?", Self::Help),
            ("later", Self::Later),
            ("email", Self::Email),
            ("resend", Self::Email),
            ("enroll", Self::Enroll),
            ("no", Self::No),
        ] {
            if text.eq_ignore_ascii_case(word) {
                return typed;
            }
        }
        let digits: zeroize::Zeroizing<String> =
            zeroize::Zeroizing::new(text.chars().filter(|c| *c != ' ').collect());
        if matches!(digits.len(), 6..=10) && digits.bytes().all(|b| b.is_ascii_digit()) {
            return Self::Digits(digits);
        }
        Code::parse(text).map_or(Self::Other, Self::Recovery)
    }
}

/// Who pays for a wrong answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payer {
    /// The person: the first factor passed, so it was they or somebody with their password.
    Person,
    /// The source: anybody could have come this far.
    Source,
}

/// What the store says of a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecoveryMatch {
    /// An unused code, by its row id.
    Fresh(i64),
    /// A code of the set that was used.
    Used,
    /// No code of the set.
    Wrong,
}

/// The facts an answer is judged by, read in the transaction that commits the ruling.
pub struct Facts {
    /// Who pays.
    pub payer: Payer,
    /// The lane of the person's source, or [`Lane::Source`].
    pub lane: Lane,
    /// The tally of that lane.
    pub tally: Tally,
    /// The tally of the recovery lane.
    pub recovery_tally: Tally,
    /// The person's consecutive failures over all lanes.
    pub in_a_row: Tally,
    /// Where those end.
    pub cap: Cap,
    /// Confirmed authenticators; empty for unknown people.
    pub authenticators: Vec<Authenticator>,
    /// What a recovery code of the person's set it is, if it has the shape.
    pub recovery: RecoveryMatch,
    /// Where the login stands.
    pub at: Position,
    /// The authenticator that this login has shown and that nobody has yet.
    pub pending: Option<Authenticator>,
    /// Whether it has shown recovery codes that nobody has yet.
    pub shown: bool,
    /// Whether the typed code is the recovery code that was asked back.
    pub read_back: bool,
    /// What a scratch code of an imported authenticator it is, if it has the shape.
    pub scratch: RecoveryMatch,
    /// Codes by e-mail, where this login can have some.
    pub email: Option<email::Way>,
    /// An administrator has locked the person: no answer is right.
    pub barred: bool,
}

/// Why an answer was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// It matches nothing.
    WrongCode,
    /// It was sent by e-mail for this login, too long ago.
    CodeExpired,
    /// It was right once and is used up; seconds until the next code, for authenticators.
    CodeReused(Option<i64>),
    /// It is the code of another time. The step is used up with it.
    ClockOff {
        /// The authenticator's row id.
        id: i64,
        /// The step.
        step: i64,
        /// Seconds by which the clock that made it is ahead; negative is behind.
        seconds: i64,
    },
}

/// The ruling on one answer. It must be carried out: charge, consume, log, commit, then answer.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ruling {
    /// Show what can be typed; costs no try.
    Explain,
    /// Not evaluated: the lane is closed. Milliseconds until it opens; `None` is until someone helps.
    Locked(Option<i64>),
    /// Not evaluated: an administrator has locked the person.
    Barred,
    /// Wrong. `charge` is false for a used code, which is no guess.
    Wrong {
        /// The lane that pays.
        lane: Lane,
        /// Why.
        reason: Reason,
        /// Whether the tally grows.
        charge: bool,
    },
    /// Right, and the watermark of this authenticator moves to this step.
    Totp {
        /// The authenticator's row id.
        id: i64,
        /// The step that is now used.
        step: i64,
    },
    /// Right, and this recovery code is used up.
    Recovery {
        /// The code's row id.
        id: i64,
        /// The lane it was judged in.
        lane: Lane,
    },
    /// A code was asked for by e-mail; costs no try.
    Mail(email::Order),
    /// Right: the code that was sent by e-mail for this login.
    EmailCode,
    /// An answer to a prompt on the way to a new factor.
    Enrolling(Move),
}

/// Judges an answer.
pub fn rule(typed: &Typed, facts: &Facts, now: Moment) -> Ruling {
    if facts.barred && !matches!(typed, Typed::Help) {
        // Where the source pays it looks like any other wrong answer, also by what it costs.
        let source = (facts.payer == Payer::Source).then(|| closed(facts.lane, &facts.tally, facts, now));
        return source.flatten().unwrap_or(Ruling::Barred);
    }
    if facts.at.asking != Asking::Code {
        return rule_enrolling(typed, facts, now);
    }
    match typed {
        // A word that is no answer here is no guess either.
        Typed::Help | Typed::Later | Typed::Enroll | Typed::No => Ruling::Explain,
        Typed::Email => rule_mail(facts, now),
        Typed::Recovery(_) => rule_recovery(facts, now),
        Typed::Digits(code) => rule_digits(code, facts, now),
        Typed::Other => {
            closed(facts.lane, &facts.tally, facts, now).unwrap_or(wrong(facts.lane, Reason::WrongCode))
        }
    }
}

fn rule_enrolling(typed: &Typed, facts: &Facts, now: Moment) -> Ruling {
    let shown = Shown { app: facts.pending.as_ref(), codes: facts.shown, read_back: facts.read_back };
    let ruled = enrolling::rule(typed, &facts.at, &shown, now);
    // First codes and invitations are charged like codes, and refused unseen like codes. The key was
    // shown, so a guess wins nothing; what is slowed down is somebody who makes the daemon work.
    let evaluates = match ruled {
        Move::Proven { .. } | Move::TryInvitation | Move::Missed(_) => !facts.at.passed,
        Move::Explain | Move::Later | Move::SetUp | Move::Kept | Move::GoOn { .. } | Move::Gone => false,
    };
    let locked = if evaluates { closed(facts.lane, &facts.tally, facts, now) } else { None };
    locked.unwrap_or(Ruling::Enrolling(ruled))
}

fn rule_digits(code: &str, facts: &Facts, now: Moment) -> Ruling {
    if let Some(locked) = closed(facts.lane, &facts.tally, facts, now) {
        return locked;
    }
    let mut reused = None;
    for authenticator in &facts.authenticators {
        match authenticator.check(code, now.wall) {
            Match::Fresh { step } => return Ruling::Totp { id: authenticator.id, step },
            Match::Reused { wait } => reused = Some(wait),
            Match::Wrong => {}
        }
    }
    // Scratch codes have 27 bits: they can be guessed like the codes of an app, so they are judged
    // and charged like those, and a closed lane is closed to them too.
    let lane = facts.lane;
    match (facts.email.as_ref().map_or(email::Match::Wrong, |way| way.check(now)), facts.scratch) {
        (email::Match::Right, _) => return Ruling::EmailCode,
        (_, RecoveryMatch::Fresh(id)) => return Ruling::Recovery { id, lane },
        (email::Match::Expired, _) => {
            return Ruling::Wrong { lane, reason: Reason::CodeExpired, charge: false };
        }
        (email::Match::Wrong, RecoveryMatch::Used | RecoveryMatch::Wrong) => {}
    }
    match (facts.scratch, reused) {
        (_, Some(wait)) => Ruling::Wrong { lane, reason: Reason::CodeReused(Some(wait)), charge: false },
        (RecoveryMatch::Used, None) => {
            Ruling::Wrong { lane, reason: Reason::CodeReused(None), charge: false }
        }
        (_, None) => wrong(lane, clock_off(code, facts, now).unwrap_or(Reason::WrongCode)),
    }
}

/// Where no code can be sent the word is no answer, and no guess either. Nor is one sent that this login
/// would not take any more.
fn rule_mail(facts: &Facts, now: Moment) -> Ruling {
    let Some(way) = facts.email.as_ref().filter(|_| !facts.at.is_last_round()) else {
        return Ruling::Explain;
    };
    closed(facts.lane, &facts.tally, facts, now).unwrap_or(Ruling::Mail(way.order(now)))
}

/// Only for somebody who may be told.
fn clock_off(code: &str, facts: &Facts, now: Moment) -> Option<Reason> {
    facts.authenticators.iter().filter(|_| facts.at.talk).find_map(|authenticator| {
        let (step, seconds) = authenticator.clock_off(code, now.wall)?;
        Some(Reason::ClockOff { id: authenticator.id, step, seconds })
    })
}

fn rule_recovery(facts: &Facts, now: Moment) -> Ruling {
    // Where the source pays it pays for recovery codes too; where the person pays, they have a
    // lane of their own that no other failure closes.
    let (lane, tally) = match facts.payer {
        Payer::Person => (Lane::Recovery, &facts.recovery_tally),
        Payer::Source => (facts.lane, &facts.tally),
    };
    let closed_for = tally.closed_for(lane, now);
    if closed_for > 0 {
        return Ruling::Locked(Some(closed_for));
    }
    match facts.recovery {
        RecoveryMatch::Fresh(id) => Ruling::Recovery { id, lane },
        RecoveryMatch::Used => Ruling::Wrong { lane, reason: Reason::CodeReused(None), charge: false },
        RecoveryMatch::Wrong => wrong(lane, Reason::WrongCode),
    }
}

fn wrong(lane: Lane, reason: Reason) -> Ruling {
    Ruling::Wrong { lane, reason, charge: true }
}

/// Whether tries of this lane are refused now.
fn closed(lane: Lane, tally: &Tally, facts: &Facts, now: Moment) -> Option<Ruling> {
    locked_at_begin(facts.payer, lane, tally, facts.cap.closes(&facts.in_a_row, now), now).map(Ruling::Locked)
}

/// Whether a person who begins a login now could only be refused: milliseconds until their lane
/// opens, `Some(None)` for until someone helps, `None` when it is open.
#[must_use]
pub fn locked_at_begin(
    payer: Payer,
    lane: Lane,
    tally: &Tally,
    capped: Option<Option<i64>>,
    now: Moment,
) -> Option<Option<i64>> {
    if let (Payer::Person, Some(until)) = (payer, capped) {
        return Some(until);
    }
    let ms = tally.closed_for(lane, now);
    (ms > 0).then_some(Some(ms))
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::Zeroizing;

    const NOW: Moment = Moment { wall: 59, date: 59, boot_ms: 1_000_000, boot: [1; 16] };

    fn facts() -> Facts {
        Facts {
            payer: Payer::Person,
            lane: Lane::Other,
            tally: Tally::default(),
            recovery_tally: Tally::default(),
            in_a_row: Tally::default(),
            cap: CAP,
            authenticators: vec![Authenticator {
                id: 7,
                secret: Zeroizing::new(b"12345678901234567890".to_vec()),
                digits: 8,
                period: 30,
                skew: 1,
                last_step: -1,
                drift: 0,
            }],
            recovery: RecoveryMatch::Wrong,
            at: Position {
                asking: Asking::Code,
                passed: false,
                talk: true,
                tries: TRIES_PER_LOGIN,
                misses: 0,
                rounds: 0,
                later_until: None,
            },
            pending: None,
            shown: false,
            read_back: false,
            scratch: RecoveryMatch::Wrong,
            email: None,
            barred: false,
        }
    }

    const CAP: Cap = Cap { failures: 100, closed_ms: None };

    fn capped() -> Tally {
        Tally { failures: 100, last: Some(NOW.stamp()) }
    }

    fn full() -> Tally {
        (0..5).fold(Tally::default(), |t, _| t.charged(NOW))
    }

    fn typed(s: &str) -> Typed {
        Typed::parse(s.as_bytes())
    }

    #[test]
    fn right_wrong_and_used() {
        assert_eq!(rule(&typed("9428 7082"), &facts(), NOW), Ruling::Totp { id: 7, step: 1 });
        assert!(matches!(rule(&typed("94287083"), &facts(), NOW), Ruling::Wrong { charge: true, .. }));
        let mut used = facts();
        used.authenticators[0].last_step = 1;
        assert!(matches!(
            rule(&typed("94287082"), &used, NOW),
            Ruling::Wrong { reason: Reason::CodeReused(Some(1)), charge: false, .. }
        ));
    }

    #[test]
    fn bru_01_the_right_code_is_refused_while_locked() {
        let locked = Facts { tally: full(), ..facts() };
        assert_eq!(rule(&typed("94287082"), &locked, NOW), Ruling::Locked(Some(30_000)));
        let capped = Facts { in_a_row: capped(), ..facts() };
        assert_eq!(rule(&typed("94287082"), &capped, NOW), Ruling::Locked(None));
    }

    #[test]
    fn bru_07_recovery_codes_have_their_own_lane() {
        let code = "0123-4567-89ab-cdez";
        let locked =
            Facts { tally: full(), in_a_row: capped(), recovery: RecoveryMatch::Fresh(3), ..facts() };
        assert_eq!(rule(&typed(code), &locked, NOW), Ruling::Recovery { id: 3, lane: Lane::Recovery });
        let own = Facts { recovery_tally: full(), recovery: RecoveryMatch::Fresh(3), ..facts() };
        assert_eq!(rule(&typed(code), &own, NOW), Ruling::Locked(Some(30_000)));
    }

    /// BRU-07, BRU-10: a scratch code is no way around a lock, unlike a recovery code.
    #[test]
    fn bru_10_scratch_codes_share_the_lane_of_the_app() {
        let with = |scratch| Facts { scratch, ..facts() };
        let fresh = || with(RecoveryMatch::Fresh(4));
        let right = Ruling::Recovery { id: 4, lane: Lane::Other };
        assert_eq!(rule(&typed("1234 5678"), &fresh(), NOW), right);
        let used = rule(&typed("12345678"), &with(RecoveryMatch::Used), NOW);
        assert!(matches!(used, Ruling::Wrong { reason: Reason::CodeReused(None), charge: false, .. }));
        let wrong = rule(&typed("12345678"), &with(RecoveryMatch::Wrong), NOW);
        assert!(matches!(wrong, Ruling::Wrong { charge: true, lane: Lane::Other, .. }));
        let locked = Facts { tally: full(), ..fresh() };
        assert_eq!(rule(&typed("12345678"), &locked, NOW), Ruling::Locked(Some(30_000)));
        let capped = Facts { in_a_row: capped(), ..fresh() };
        assert_eq!(rule(&typed("12345678"), &capped, NOW), Ruling::Locked(None));
        let own = Facts { recovery_tally: full(), ..fresh() };
        assert_eq!(rule(&typed("12345678"), &own, NOW), right, "the recovery lane is not theirs");
    }

    /// Whatever is typed, wherever the login stands, and however well it would fit.
    #[test]
    fn whoever_is_locked_has_no_right_answer() {
        let right = Facts {
            barred: true,
            recovery: RecoveryMatch::Fresh(3),
            scratch: RecoveryMatch::Fresh(4),
            ..facts()
        };
        for answer in ["94287082", "0123-4567-89ab-cdez", "12345678", "email", "later", "enroll", "no", "x"] {
            assert_eq!(rule(&typed(answer), &right, NOW), Ruling::Barred, "{answer}");
        }
        assert_eq!(rule(&typed("?"), &right, NOW), Ruling::Explain);
        for asking in [Asking::Invitation, Asking::FirstCode, Asking::ReadBack, Asking::Offer] {
            let at = Position { asking, passed: true, ..facts().at };
            let enrolling = Facts { barred: true, at, read_back: true, shown: true, ..facts() };
            for answer in ["94287082", "0123-4567-89ab-cdez", "later", "enroll", "no"] {
                assert_eq!(rule(&typed(answer), &enrolling, NOW), Ruling::Barred, "{asking:?} {answer}");
            }
        }
        let tally = (0..10).fold(Tally::default(), |t, _| t.charged(NOW));
        let source = Facts { payer: Payer::Source, lane: Lane::Source, tally, barred: true, ..facts() };
        assert_eq!(rule(&typed("94287082"), &source, NOW), Ruling::Locked(Some(30_000)));
    }

    #[test]
    fn a_source_pays_for_everything_where_the_first_factor_is_unknown() {
        let tally = (0..10).fold(Tally::default(), |t, _| t.charged(NOW));
        let source = Facts {
            payer: Payer::Source,
            lane: Lane::Source,
            tally,
            in_a_row: capped(),
            recovery: RecoveryMatch::Fresh(3),
            ..facts()
        };
        assert_eq!(rule(&typed("0123-4567-89ab-cdez"), &source, NOW), Ruling::Locked(Some(30_000)));
        let open = Facts { payer: Payer::Source, lane: Lane::Source, in_a_row: capped(), ..facts() };
        assert_eq!(rule(&typed("94287082"), &open, NOW), Ruling::Totp { id: 7, step: 1 });
    }

    #[test]
    fn unknown_people_have_no_right_answer() {
        let nobody = Facts { authenticators: vec![], ..facts() };
        for answer in ["94287082", "000000", "0123-4567-89ab-cdez", "xyzzy", "\u{1f511}"] {
            assert!(matches!(rule(&typed(answer), &nobody, NOW), Ruling::Wrong { .. }));
        }
    }
}
