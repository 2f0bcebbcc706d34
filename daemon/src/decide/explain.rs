//! A decision with everything that led to it, for people to read.

use super::overrides::{self, Override, Overrides};
use super::policy::{self, Decision, Met, Person, Source, Tri};
use crate::clock::Moment;
use countersign_config::Config;

/// A decision, and how it comes to be.
#[derive(Debug)]
pub struct Explained<'a> {
    /// What holds.
    pub decision: Decision,
    /// What was decided of this very person, which comes before the policies.
    pub overridden: Option<Override>,
    /// The policies in order, up to the first that certainly applies.
    pub walk: Vec<Met<'a>>,
    /// False when something could not be determined, and therefore counts as required.
    pub certain: bool,
}

/// Explains what [`overrides::decide`] decides.
#[must_use]
pub fn explain<'a>(
    config: &'a Config,
    overrides: &Overrides,
    person: &Person,
    service: &str,
    source: Source,
    now: Moment,
) -> Explained<'a> {
    let decision = overrides::decide(config, overrides, person, service, source, now);
    let walk = policy::walk(config, person, service, source);
    let certain = match &decision {
        Decision::Required(terms) | Decision::RequiredIfEnrolled(terms) => terms.certain,
        Decision::Exempt { .. } => true,
        Decision::ReportOnly { .. } | Decision::Off { .. } | Decision::NoPolicy => {
            walk.iter().all(|met| met.applies != Tri::Maybe)
        }
    };
    Explained { decision, overridden: overrides.deciding(person, now).cloned(), walk, certain }
}

#[cfg(test)]
mod tests {
    use super::super::dice::{self, Dice};
    use super::super::overrides::Kind;
    use super::super::policy::Resolution;
    use super::*;
    use countersign_config::{Require, Status};

    /// What somebody who reads the walk from above concludes, rule by rule and without our code: who is
    /// asked (3 everybody, 2 the enrolled, 1 nobody but it is reported, 0 nobody), by which policy.
    fn read(explained: &Explained<'_>) -> (u8, String) {
        let mut outcome = (0, String::new());
        let mut any = false;
        for met in &explained.walk {
            let asks = match (met.policy.status, met.policy.require) {
                (Status::Enforce, Require::Everyone) => 3,
                (Status::Enforce, Require::Enrolled) => 2,
                (Status::Report, _) => 1,
                (Status::Off, _) => 0,
            };
            match met.applies {
                Tri::No => {}
                Tri::Maybe | Tri::Yes if !any || asks > outcome.0 => {
                    outcome = (asks, met.policy.name.clone());
                    any = true;
                }
                Tri::Maybe | Tri::Yes => {}
            }
            if met.applies == Tri::Yes {
                break;
            }
        }
        match explained.overridden.as_ref().map(|one| one.kind) {
            None => outcome,
            Some(Kind::Exempt) => (9, outcome.1),
            Some(Kind::Lock | Kind::Require) => (3, outcome.1),
        }
    }

    fn word(decision: &Decision) -> (u8, String) {
        let asks = match decision {
            Decision::Required(_) => 3,
            Decision::RequiredIfEnrolled(_) => 2,
            Decision::ReportOnly { .. } => 1,
            Decision::Off { .. } | Decision::NoPolicy => 0,
            Decision::Exempt { .. } => 9,
        };
        (asks, decision.policy().to_owned())
    }

    #[test]
    fn explain_and_decide_never_disagree() {
        let mut dice = Dice(0x0123_4567_89ab_cdef);
        let mut seen = [0_u32; 10];
        for round in 0..100_000 {
            let config = dice::config(&mut dice);
            let (person, service, source) = dice::login(&mut dice);
            let (overrides, now) = dice::overrides(&mut dice);
            let explained = explain(&config, &overrides, &person, service, source, now);
            let decided = overrides::decide(&config, &overrides, &person, service, source, now);
            assert_eq!(explained.decision, decided, "round {round}");
            let read = read(&explained);
            assert_eq!(read, word(&decided), "round {round}: {explained:#?}");
            let maybe = explained.walk.iter().any(|met| met.applies == Tri::Maybe);
            let resolves = matches!(person.resolution, Resolution::Found(_));
            let certain = match explained.overridden.as_ref().map(|one| one.kind) {
                None => !maybe,
                Some(Kind::Exempt) => true,
                // Where no policy asks, what they cannot know does not matter to who is asked anyway.
                Some(Kind::Lock | Kind::Require) => explained.certain && resolves,
            };
            assert!(!explained.certain || certain, "round {round}: {explained:#?}");
            seen[usize::from(read.0)] += 1;
        }
        let kinds = [seen[0], seen[1], seen[2], seen[3], seen[9]];
        assert!(kinds.iter().all(|n| *n > 1000), "the dice left something out: {seen:?}");
    }

    #[test]
    fn a_rule_added_above_changes_nothing_for_those_it_is_not_about() {
        let mut dice = Dice(0x2545_f491_4f6c_dd1d);
        let mut unrelated = 0;
        for round in 0..100_000 {
            let old = dice::config(&mut dice);
            let mut new = old.clone();
            let mut above = dice::config(&mut dice).policies.remove(0);
            above.name = "above".into();
            new.policies.insert(0, above);
            let (person, service, source) = dice::login(&mut dice);
            if policy::walk(&new, &person, service, source)[0].applies != Tri::No {
                continue;
            }
            unrelated += 1;
            let decide = |config| policy::decide(config, &person, service, source);
            assert_eq!(
                decide(&old),
                decide(&new),
                "round {round}: {person:?} {service} {source:?}\n{new:#?}"
            );
        }
        assert!(unrelated > 20_000, "the dice made {unrelated} people that the rule is not about");
    }
}
