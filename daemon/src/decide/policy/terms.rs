//! What a policy grants to somebody of whom it asks a second factor.

use countersign_config::{AddressPattern, Deadline, Enroll, Factor, Policy};
use std::time::Duration;

/// What holds for somebody of whom a second factor is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The policy's name.
    pub policy: String,
    /// False when something could not be determined. Then nothing is waived.
    pub certain: bool,
    /// How long a confirmed source is not asked again; zero is never.
    pub remember: Duration,
    /// The factors that count, the first being asked first. Recovery codes always count.
    pub factors: Vec<Factor>,
    /// How people come to their first factor.
    pub enroll: Enroll,
    /// Until when people without a factor may pass by `later`.
    pub deadline: Option<Deadline>,
    /// Whether the policy names groups or users. One that does not is no permission for system
    /// accounts to enroll in a login.
    pub names_people: bool,
    /// How codes by e-mail are sent; `None` where they are no factor. None is sent where something could
    /// not be determined, but whoever has an address still has a factor.
    pub mail: Option<Mail>,
}

/// How a policy sends codes by e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The account that sends them.
    pub mailbox: String,
    /// How an address is made of a name.
    pub pattern: Option<AddressPattern>,
    /// The letter; `None` is the usual one.
    pub template: Option<String>,
}

impl Terms {
    pub(super) fn own(policy: String) -> Self {
        Self {
            policy,
            certain: true,
            remember: Duration::ZERO,
            factors: vec![Factor::Totp],
            enroll: Enroll::Admin,
            deadline: None,
            names_people: false,
            mail: None,
        }
    }

    /// What a policy that decided grants.
    #[must_use]
    pub(in crate::decide) fn of(policy: &Policy, certain: bool) -> Self {
        let waived = |granted: Duration| if certain { granted } else { Duration::ZERO };
        Self {
            policy: policy.name.clone(),
            certain,
            remember: waived(policy.remember),
            factors: policy.factors.clone(),
            enroll: if certain { policy.enroll } else { Enroll::Admin },
            deadline: policy.deadline.filter(|_| certain),
            names_people: policy.groups.is_some() || policy.users.is_some(),
            mail: mail(policy),
        }
    }
}

/// The weaker factor is one only where a policy lists it.
pub(super) fn mail(policy: &Policy) -> Option<Mail> {
    let mailbox = policy.mailbox.clone().filter(|_| policy.factors.contains(&Factor::Email))?;
    Some(Mail { mailbox, pattern: policy.address.clone(), template: policy.template.clone() })
}
