//! What a policy would do to somebody, as a draft is compared with what is in force.

use super::enrolling::{Newcomer, Opening, open};
use super::policy::Decision;
use crate::clock::Moment;

/// What a login would come to for somebody who knows their password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// Not asked.
    NotAsked,
    /// No factor, and may still pass by `later`.
    Later,
    /// No factor, and enrolls in the login.
    Enrolls,
    /// Asked for the factor that they have.
    Asked,
    /// Asked, has no factor, and no way to get one in the login.
    LockedOut,
}

impl Effect {
    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NotAsked => "not-asked",
            Self::Later => "later",
            Self::Enrolls => "enrolls",
            Self::Asked => "asked",
            Self::LockedOut => "locked-out",
        }
    }
}

/// The facts about a person that decide what they can do without being asked for a factor they have.
#[derive(Debug, Clone, Copy, Default)]
pub struct Facts {
    /// Their uid, where the account database says so.
    pub uid: Option<u32>,
    /// They have an authenticator or a recovery code.
    pub has_factor: bool,
    /// They hold an invitation.
    pub invited: bool,
    /// When their grace began.
    pub grace_began: Option<i64>,
}

/// What a decision comes to for somebody, by the same rules that a login begins with.
#[must_use]
pub fn effect(decision: &Decision, facts: Facts, now: Moment) -> Effect {
    let Facts { uid, has_factor, invited, grace_began } = facts;
    let terms = match decision {
        Decision::Required(terms) => terms,
        Decision::RequiredIfEnrolled(_) if has_factor => return Effect::Asked,
        Decision::RequiredIfEnrolled(_)
        | Decision::Exempt { .. }
        | Decision::ReportOnly { .. }
        | Decision::Off { .. }
        | Decision::NoPolicy => return Effect::NotAsked,
    };
    if has_factor {
        return Effect::Asked;
    }
    match open(&Newcomer { terms, uid, talk: true, invited, grace_began }, now) {
        Opening::Grace { .. } | Opening::Ask { later_until: Some(_), .. } => Effect::Later,
        Opening::Ask { later_until: None, .. } => Effect::Enrolls,
        Opening::Neutral | Opening::NeedsAdmin | Opening::NeedsInvitation => Effect::LockedOut,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::policy::{Person, Resolution, Source, decide};

    fn of(more: &str, facts: Facts, date: i64) -> Effect {
        let text = format!("[[policy]]\nname = \"p\"\n{more}\n");
        let config = countersign_config::parse("test.toml", &text).expect("test policy parses");
        let person = Person::unresolved("alice", Resolution::Found(1000));
        let now = Moment { wall: date, date, boot_ms: 0, boot: [0; 16] };
        effect(&decide(&config, &person, "sshd", Source::Local), facts, now)
    }

    const NEW: Facts = Facts { uid: Some(1000), has_factor: false, invited: false, grace_began: None };

    #[test]
    fn who_has_no_factor_and_no_way_to_one_is_locked_out() {
        for (policy, without, with) in [
            ("", Effect::LockedOut, Effect::Asked),
            ("enroll = \"admin\"", Effect::LockedOut, Effect::Asked),
            ("enroll = \"at-login\"", Effect::Enrolls, Effect::Asked),
            ("require = \"enrolled\"", Effect::NotAsked, Effect::Asked),
            ("status = \"report\"", Effect::NotAsked, Effect::NotAsked),
            ("status = \"off\"", Effect::NotAsked, Effect::NotAsked),
            ("services = [\"login\"]", Effect::NotAsked, Effect::NotAsked),
            ("grace = \"14d\"", Effect::Later, Effect::Asked),
        ] {
            let has = Facts { has_factor: true, ..NEW };
            assert_eq!((of(policy, NEW, 0), of(policy, has, 0)), (without, with), "{policy}");
        }
    }

    #[test]
    fn a_deadline_ends() {
        let by = |date| of("enroll_by = 2027-01-31", NEW, date);
        assert_eq!((by(1_800_000_000), by(1_900_000_000)), (Effect::Later, Effect::LockedOut));
        let began = Facts { grace_began: Some(0), ..NEW };
        let grace = |date| of("grace = \"1d\"", began, date);
        assert_eq!((grace(86_399), grace(86_400)), (Effect::Later, Effect::LockedOut));
    }

    #[test]
    fn an_invitation_is_a_way_in() {
        let invited = Facts { invited: true, ..NEW };
        assert_eq!(of("", invited, 0), Effect::Enrolls);
        assert_eq!(of("enroll = \"admin\"", invited, 0), Effect::LockedOut);
        // A policy for everybody lets no system account enroll in a login.
        let system = Facts { uid: Some(0), ..NEW };
        assert_eq!(of("enroll = \"at-login\"", system, 0), Effect::LockedOut);
    }
}
