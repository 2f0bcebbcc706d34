//! Who has to show a second factor, where. First matching policy decides; what cannot be known
//! counts as required.

use countersign_config::{Config, Policy, Require, Status};
use std::collections::BTreeMap;

/// The answer to "is this person in that group".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tri {
    /// Certainly.
    Yes,
    /// Certainly not: every lookup behind the answer was healthy.
    No,
    /// Cannot be known now.
    Maybe,
}

/// What the account database says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The name resolves to this uid.
    Found(u32),
    /// "Not found", which proves nothing: a missing backend says the same.
    NotFound,
    /// The lookup failed or took too long.
    Failed,
}

/// The facts about a person that policies look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Whether and as whom the name resolves.
    pub resolution: Resolution,
    /// Membership of each group that any policy names. A missing key reads as [`Tri::Maybe`].
    pub groups: BTreeMap<String, Tri>,
}

impl Person {
    /// Someone of whom nothing is known.
    #[must_use]
    pub fn unresolved(resolution: Resolution) -> Self {
        Self { resolution, groups: BTreeMap::new() }
    }

    fn member(&self, group: &str) -> Tri {
        self.groups.get(group).copied().unwrap_or(Tri::Maybe)
    }
}

/// What policy says of one login.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A second factor is asked of everybody under this policy.
    Required {
        /// The policy's name.
        policy: String,
        /// False when some membership could not be determined.
        certain: bool,
    },
    /// A second factor is asked of people who have one.
    RequiredIfEnrolled {
        /// The policy's name.
        policy: String,
        /// False when some membership could not be determined.
        certain: bool,
    },
    /// Nobody is asked; the log says who would have been.
    ReportOnly {
        /// The policy's name.
        policy: String,
    },
    /// The policy that matched is switched off.
    Off {
        /// The policy's name.
        policy: String,
    },
    /// No policy applies.
    NoPolicy,
}

/// Walks the policies in order for this person and service.
pub fn decide(config: &Config, person: &Person, service: &str) -> Decision {
    let mut undetermined: Vec<&Policy> = Vec::new();
    let mut hit = None;
    for policy in &config.policies {
        match applies(policy, person, service) {
            Tri::No => {}
            Tri::Maybe => undetermined.push(policy),
            Tri::Yes => {
                hit = Some(policy);
                break;
            }
        }
    }
    let certain = undetermined.is_empty();
    // A rule that may apply can only make the outcome stricter, never milder.
    let strictest =
        undetermined.into_iter().chain(hit).reduce(|a, b| if strictness(b) > strictness(a) { b } else { a });
    let Some(policy) = strictest else { return Decision::NoPolicy };
    let name = policy.name.clone();
    match (policy.status, policy.require) {
        (Status::Enforce, Require::Everyone) => Decision::Required { policy: name, certain },
        (Status::Enforce, Require::Enrolled) => Decision::RequiredIfEnrolled { policy: name, certain },
        (Status::Report, _) => Decision::ReportOnly { policy: name },
        (Status::Off, _) => Decision::Off { policy: name },
    }
}

/// The label shown in the authenticator app for this person: their first policy's, else the issuer.
#[must_use]
pub fn label(config: &Config, person: &Person) -> String {
    config
        .policies
        .iter()
        .find(|p| p.status != Status::Off && in_groups(p, person) != Tri::No)
        .and_then(|p| p.label.clone())
        .unwrap_or_else(|| config.issuer.clone())
}

fn strictness(policy: &Policy) -> u8 {
    match (policy.status, policy.require) {
        (Status::Enforce, Require::Everyone) => 3,
        (Status::Enforce, Require::Enrolled) => 2,
        (Status::Report, _) => 1,
        (Status::Off, _) => 0,
    }
}

fn applies(policy: &Policy, person: &Person, service: &str) -> Tri {
    if let Some(services) = &policy.services
        && !services.iter().any(|s| s == service)
    {
        return Tri::No;
    }
    in_groups(policy, person)
}

fn in_groups(policy: &Policy, person: &Person) -> Tri {
    let Some(groups) = &policy.groups else { return Tri::Yes };
    let mut answer = Tri::No;
    for group in groups {
        match person.member(&group.name) {
            Tri::Yes => return Tri::Yes,
            Tri::Maybe => answer = Tri::Maybe,
            Tri::No => {}
        }
    }
    answer
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(text: &str) -> Config {
        countersign_config::parse("test.toml", text).expect("test policy parses")
    }

    fn person(groups: &[(&str, Tri)]) -> Person {
        Person {
            resolution: Resolution::Found(1000),
            groups: groups.iter().map(|(g, t)| ((*g).to_string(), *t)).collect(),
        }
    }

    const OPS: &str = r#"
        [[policy]]
        name = "robots"
        status = "off"
        groups = ["robots"]
        [[policy]]
        name = "operators"
        groups = ["mfa"]
        services = ["sshd"]
    "#;

    #[test]
    fn first_match_decides() {
        let c = config(OPS);
        let both = person(&[("robots", Tri::Yes), ("mfa", Tri::Yes)]);
        assert_eq!(decide(&c, &both, "sshd"), Decision::Off { policy: "robots".into() });
        let op = person(&[("robots", Tri::No), ("mfa", Tri::Yes)]);
        assert_eq!(decide(&c, &op, "sshd"), Decision::Required { policy: "operators".into(), certain: true });
        assert_eq!(decide(&c, &op, "cron"), Decision::NoPolicy);
        let nobody = person(&[("robots", Tri::No), ("mfa", Tri::No)]);
        assert_eq!(decide(&c, &nobody, "sshd"), Decision::NoPolicy);
    }

    #[test]
    fn byp_03_undetermined_is_required() {
        let c = config(OPS);
        let maybe_off = person(&[("robots", Tri::Maybe), ("mfa", Tri::Yes)]);
        assert_eq!(
            decide(&c, &maybe_off, "sshd"),
            Decision::Required { policy: "operators".into(), certain: false }
        );
        let maybe_in = person(&[("robots", Tri::No), ("mfa", Tri::Maybe)]);
        assert_eq!(
            decide(&c, &maybe_in, "sshd"),
            Decision::Required { policy: "operators".into(), certain: false }
        );
        let nothing_known = Person::unresolved(Resolution::NotFound);
        assert_eq!(
            decide(&c, &nothing_known, "sshd"),
            Decision::Required { policy: "operators".into(), certain: false }
        );
    }

    #[test]
    fn an_undetermined_rule_never_makes_the_outcome_milder() {
        let c = config(OPS);
        for robots in [Tri::Yes, Tri::No, Tri::Maybe] {
            for mfa in [Tri::Yes, Tri::Maybe] {
                let sure = decide(&c, &person(&[("robots", Tri::No), ("mfa", Tri::Yes)]), "sshd");
                let got = decide(&c, &person(&[("robots", robots), ("mfa", mfa)]), "sshd");
                if robots != Tri::Yes {
                    assert!(matches!((&sure, &got), (Decision::Required { .. }, Decision::Required { .. })));
                }
            }
        }
    }
}
