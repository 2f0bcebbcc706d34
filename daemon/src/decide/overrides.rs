//! What was decided of one person beside the policies: locked, exempt until a date, or required.
//!
//! An exemption beats every policy until its date. A requirement makes whatever policy says stricter,
//! never milder. A lock beats both: whoever is locked is asked everywhere, and no answer is right; that is
//! for whoever judges answers to see, in the transaction that they are judged in. All are for a uid under a
//! name: whoever has only one of the two is somebody else.

use super::policy::{self, Decision, Person, Resolution, Source, Terms, Tri};
use crate::clock::{Moment, Stamp};
use countersign_config::{Config, Deadline, Enroll, Factor, Status};
use std::collections::BTreeMap;
use std::time::Duration;

/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;
/// The last day that somebody can be exempt on, counted from today: an exemption is no policy.
pub const LONGEST_EXEMPTION_DAYS: i64 = 90;
/// The last day that a requirement can begin on, counted from today.
pub const LATEST_REQUIREMENT_DAYS: i64 = 366;

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Let in nowhere, whatever is shown.
    Lock,
    /// Not asked, whatever policy says.
    Exempt,
    /// Asked, whatever policy says.
    Require,
}

impl Kind {
    /// The word in the database, on the bus and in the journal.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Lock => "lock",
            Self::Exempt => "exempt",
            Self::Require => "require",
        }
    }

    /// Reads the word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Lock, Self::Exempt, Self::Require].into_iter().find(|kind| kind.as_str() == word)
    }

    /// The first second that is too late for this kind's date, at a date of now.
    #[must_use]
    pub fn latest(self, date: i64) -> i64 {
        let days = match self {
            Self::Exempt => LONGEST_EXEMPTION_DAYS,
            Self::Lock | Self::Require => LATEST_REQUIREMENT_DAYS,
        };
        (date.div_euclid(DAY) + days + 1).saturating_mul(DAY)
    }
}

/// One decision of an administrator about one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// Whom it is about: this uid
    pub uid: u32,
    /// under this login name.
    pub name: String,
    /// What was decided.
    pub kind: Kind,
    /// Exempt: the first second that is no longer exempt. Required: the first second at which
    /// `later` is no answer any more, 0 for at once. Locked: 0. By [`Moment::date`].
    pub until: i64,
    /// When it was decided, in boot time.
    pub made: Stamp,
    /// Milliseconds that an exemption was granted for: however dates are changed, it lasts no longer.
    pub lasts_ms: i64,
    /// When it was decided, in seconds since 1970, for people to read.
    pub at: i64,
    /// Why, in the words of who decided.
    pub reason: String,
    /// Who decided.
    pub by_uid: u32,
    /// Their login name then; empty where it could not be found out.
    pub by: String,
}

impl Override {
    /// Whether it still holds.
    #[must_use]
    pub fn holds(&self, now: Moment) -> bool {
        match self.kind {
            Kind::Exempt => now.date < self.until && now.since(self.made) < self.lasts_ms,
            Kind::Lock | Kind::Require => true,
        }
    }
}

/// Everybody of whom something was decided.
#[derive(Debug, Clone, Default)]
pub struct Overrides(BTreeMap<String, Vec<Override>>);

impl Overrides {
    /// All of these.
    #[must_use]
    pub fn new(all: Vec<Override>) -> Self {
        let mut by_name: BTreeMap<String, Vec<Override>> = BTreeMap::new();
        for one in all {
            by_name.entry(one.name.clone()).or_default().push(one);
        }
        Self(by_name)
    }

    /// Those that hold now, by name.
    pub fn holding(&self, now: Moment) -> impl Iterator<Item = &Override> {
        self.0.values().flatten().filter(move |one| one.holds(now))
    }

    /// Exemptions that are over and still kept.
    #[must_use]
    pub fn has_ended(&self, now: Moment) -> bool {
        self.0.values().flatten().any(|one| !one.holds(now))
    }

    /// The uid that something was decided of under this name.
    #[must_use]
    pub fn uid_of(&self, name: &str) -> Option<u32> {
        self.0.get(name)?.first().map(|one| one.uid)
    }

    /// Whether anybody of this name is locked.
    #[must_use]
    pub fn is_locked(&self, name: &str) -> bool {
        self.0.get(name).into_iter().flatten().any(|one| one.kind == Kind::Lock)
    }

    /// Whether somebody of this uid is locked. Of a caller no more is known.
    #[must_use]
    pub fn locks_uid(&self, uid: u32) -> bool {
        self.0.values().flatten().any(|one| one.uid == uid && one.kind == Kind::Lock)
    }

    /// Those that hold on somebody now, the one that decides first.
    #[must_use]
    pub fn of(&self, uid: u32, name: &str, now: Moment) -> Vec<&Override> {
        let kept = self.0.get(name).into_iter().flatten();
        let mut held: Vec<_> = kept.filter(|one| one.uid == uid && one.holds(now)).collect();
        held.sort_by_key(|one| one.kind);
        held
    }

    /// The one that decides about this person now.
    ///
    /// Whoever does not resolve is exempt from nothing, and locked or required where anybody of that name is:
    /// what cannot be known counts as required.
    #[must_use]
    pub fn deciding(&self, person: &Person, now: Moment) -> Option<&Override> {
        match person.resolution {
            Resolution::Found(uid) => self.of(uid, &person.name, now).first().copied(),
            Resolution::NotFound | Resolution::Failed => {
                let kept = self.0.get(&person.name).into_iter().flatten();
                let mut held: Vec<_> =
                    kept.filter(|one| one.kind != Kind::Exempt && one.holds(now)).collect();
                held.sort_by_key(|one| one.kind);
                held.first().copied()
            }
        }
    }
}

/// What holds for this person, service and source: what was decided of the person, else policy.
pub fn decide(
    config: &Config,
    overrides: &Overrides,
    person: &Person,
    service: &str,
    source: Source,
    now: Moment,
) -> Decision {
    let decision = policy::decide(config, person, service, source);
    match overrides.deciding(person, now) {
        None => decision,
        Some(one) => match one.kind {
            Kind::Exempt => Decision::Exempt { until: one.until, policy: decision.policy().to_owned() },
            Kind::Lock | Kind::Require => {
                let certain = matches!(person.resolution, Resolution::Found(_));
                require(config, decision, person, one.until, certain, now)
            }
        },
    }
}

/// What policy says, made no milder than "required by then".
fn require(
    config: &Config,
    decision: Decision,
    person: &Person,
    by: i64,
    certain: bool,
    now: Moment,
) -> Decision {
    let (mut terms, everyone) = match decision {
        Decision::Required(terms) => (terms, true),
        Decision::RequiredIfEnrolled(terms) => (terms, false),
        Decision::ReportOnly { policy } | Decision::Off { policy } | Decision::Exempt { policy, .. } => {
            (Terms { policy, ..terms_for(config, person, certain) }, false)
        }
        Decision::NoPolicy => (Terms { policy: String::new(), ..terms_for(config, person, certain) }, false),
    };
    terms.certain &= certain;
    if !terms.certain {
        (terms.remember, terms.enroll) = (Duration::ZERO, Enroll::Admin);
    }
    let later = terms.certain && now.date < by;
    terms.deadline = match (terms.deadline, everyone) {
        _ if !later => None,
        // Policy asks at once.
        (None, true) => None,
        (Some(Deadline::By(date)), true) => Some(Deadline::By(date.min(by))),
        (Some(grace @ Deadline::Grace(_)), true) => Some(grace),
        (_, false) => Some(Deadline::By(by)),
    };
    terms.names_people = true;
    Decision::Required(terms)
}

/// How a person is asked of whom no policy that decides asks anything: as the first policy for people
/// like them says, else as a policy that says nothing.
fn terms_for(config: &Config, person: &Person, certain: bool) -> Terms {
    config
        .policies
        .iter()
        .find(|p| p.status != Status::Off && policy::matches_person(p, person) == Tri::Yes)
        .map(|p| Terms { remember: Duration::ZERO, deadline: None, ..Terms::of(p, certain) })
        .unwrap_or_else(|| Terms {
            policy: String::new(),
            certain,
            remember: Duration::ZERO,
            factors: vec![Factor::Totp],
            enroll: if certain { Enroll::Invited } else { Enroll::Admin },
            deadline: None,
            names_people: true,
            mail: None,
        })
}

#[cfg(test)]
mod tests;
