//! Who has to show a second factor, where. First matching policy decides; what cannot be known
//! counts as required.
//!
//! [`walk`] is the one reading of the policies; [`decide`] and `policy explain` both look at it, so
//! they cannot disagree. What was decided of single persons comes before it: [`super::overrides`].

mod applies;
mod decision;
mod person;
mod terms;
mod theirs;
mod tri;

pub(super) use applies::matches_person;
pub use decision::Decision;
pub use person::{Person, Resolution, Source};
pub use terms::{Mail, Terms};
pub use theirs::{address_pattern, enroll, is_required_somewhere, label, mail_somewhere, mailbox};
pub use tri::Tri;

use countersign_config::{Config, Policy, Require, Status};

/// One policy as it met one login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Whether it applies.
    pub applies: Tri,
    /// The first condition that kept it from applying certainly; empty when it applies.
    pub because: &'static str,
}

/// The policies in order, up to and including the first that certainly applies.
#[must_use]
pub fn walk<'a>(config: &'a Config, person: &Person, service: &str, source: Source) -> Vec<Met<'a>> {
    let mut met = Vec::new();
    for policy in &config.policies {
        let (applies, because) = applies::applies(policy, person, service, source);
        met.push(Met { policy, applies, because });
        if applies == Tri::Yes {
            break;
        }
    }
    met
}

/// What the walk comes to: the first policy that certainly applies, or a stricter one before it
/// that may. A rule that may apply can only make the outcome stricter, never milder.
#[must_use]
pub fn deciding<'a>(met: &[Met<'a>]) -> Option<(&'a Policy, bool)> {
    let certain = !met.iter().any(|m| m.applies == Tri::Maybe);
    met.iter()
        .filter(|m| m.applies != Tri::No)
        .map(|m| m.policy)
        .reduce(|a, b| if strictness(b) > strictness(a) { b } else { a })
        .map(|policy| (policy, certain))
}

/// Decides for this person, service and source.
pub fn decide(config: &Config, person: &Person, service: &str, source: Source) -> Decision {
    let Some((policy, certain)) = deciding(&walk(config, person, service, source)) else {
        return Decision::NoPolicy;
    };
    let name = || policy.name.clone();
    match (policy.status, policy.require) {
        (Status::Enforce, Require::Everyone) => Decision::Required(Terms::of(policy, certain)),
        (Status::Enforce, Require::Enrolled) => Decision::RequiredIfEnrolled(Terms::of(policy, certain)),
        (Status::Report, _) => Decision::ReportOnly { policy: name() },
        (Status::Off, _) => Decision::Off { policy: name() },
    }
}

/// How much a policy asks: nobody, those enrolled, everybody. Report and off protect nobody.
#[must_use]
pub fn strictness(policy: &Policy) -> u8 {
    match (policy.status, policy.require) {
        (Status::Enforce, Require::Everyone) => 3,
        (Status::Enforce, Require::Enrolled) => 2,
        (Status::Report, _) => 1,
        (Status::Off, _) => 0,
    }
}

#[cfg(test)]
mod tests;
