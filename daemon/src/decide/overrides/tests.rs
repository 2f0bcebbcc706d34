//! Whom an override changes, how, and for how long.

use super::super::dice::{self, Dice, NOW};
use super::*;
use crate::clock::Moment;

fn somebody(uid: u32, name: &str) -> Person {
    Person {
        name: name.into(),
        resolution: Resolution::Found(uid),
        groups: [("mfa".to_owned(), Tri::No)].into(),
    }
}

fn of_ann(kind: Kind, until: i64) -> Override {
    Override {
        uid: 1,
        name: "ann".into(),
        kind,
        until,
        made: dice::now().stamp(),
        lasts_ms: (until - NOW) * 1000,
        at: NOW,
        reason: String::new(),
        by_uid: 0,
        by: "root".into(),
    }
}

fn config(text: &str) -> Config {
    countersign_config::parse("test.toml", text).expect("test policy parses")
}

const ALL: &str = "[[policy]]\nname = \"all\"\n";
const OPS: &str = "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nremember = \"12h\"\n";

fn decided(config: &Config, all: Vec<Override>, person: &Person, now: Moment) -> Decision {
    decide(config, &Overrides::new(all), person, "sshd", Source::Local, now)
}

#[test]
fn byp_22_an_exemption_ends_at_its_date_and_after_its_time() {
    let all = config(ALL);
    let hour = vec![of_ann(Kind::Exempt, NOW + 3600)];
    let ann = somebody(1, "ann");
    let exempt = |now: Moment| matches!(decided(&all, hour.clone(), &ann, now), Decision::Exempt { .. });
    let start = dice::now();
    assert!(exempt(start));
    assert!(exempt(start.at(NOW + 3599)));
    assert!(!exempt(start.at(NOW + 3600)));
    // Whatever became of the date, the time it was granted for is over.
    assert!(!exempt(Moment { boot_ms: start.boot_ms + 3_600_000, ..start }));
    assert!(!exempt(Moment {
        wall: NOW - 86_400,
        date: NOW - 86_400,
        boot_ms: start.boot_ms + 3_600_000,
        ..start
    }));
    // In another boot at least the time of that boot has passed.
    assert!(exempt(Moment { boot: [8; 16], boot_ms: 3_599_999, ..start }));
    assert!(!exempt(Moment { boot: [8; 16], boot_ms: 3_600_000, ..start }));
}

#[test]
fn byp_19_an_override_is_for_a_uid_under_a_name() {
    let all = config(ALL);
    let exempt = vec![of_ann(Kind::Exempt, NOW + 3600)];
    for (uid, name) in [(1, "mallory"), (2, "ann"), (2, "mallory")] {
        let decision = decided(&all, exempt.clone(), &somebody(uid, name), dice::now());
        assert!(decision.asks(), "{name} with uid {uid}: {decision:?}");
    }
    for resolution in [Resolution::NotFound, Resolution::Failed] {
        let ghost = Person::unresolved("ann", resolution);
        assert!(decided(&all, exempt.clone(), &ghost, dice::now()).asks(), "{resolution:?}");
    }
    let ops = config(OPS);
    let required = vec![of_ann(Kind::Require, 0)];
    assert_eq!(decided(&ops, required.clone(), &somebody(1, "mallory"), dice::now()), Decision::NoPolicy);
    assert_eq!(decided(&ops, required, &somebody(2, "ann"), dice::now()), Decision::NoPolicy);
}

#[test]
fn byp_03_a_requirement_holds_for_a_name_that_does_not_resolve() {
    let users = config("[[policy]]\nname = \"bob\"\nusers = [\"bob\"]\n");
    let ghost = Person::unresolved("ann", Resolution::Failed);
    assert_eq!(decided(&users, vec![], &ghost, dice::now()), Decision::NoPolicy);
    let Decision::Required(terms) =
        decided(&users, vec![of_ann(Kind::Require, NOW + 9)], &ghost, dice::now())
    else {
        panic!("not required");
    };
    assert_eq!((terms.certain, terms.deadline, terms.enroll), (false, None, Enroll::Admin));
}

#[test]
fn a_requirement_takes_the_terms_of_the_first_policy_for_the_person() {
    let of_config = |config: &Config, until| match decided(
        config,
        vec![of_ann(Kind::Require, until)],
        &somebody(1, "ann"),
        dice::now(),
    ) {
        Decision::Required(terms) => terms,
        other => panic!("{other:?}"),
    };
    let of = |text: &str, until| of_config(&config(text), until);
    let mut at_sudo = config("[[policy]]\nname = \"at sudo\"\nservices = [\"sudo\"]\nremember = \"12h\"\n");
    at_sudo.policies[0].enroll = Enroll::Admin;
    let terms = of_config(&at_sudo, 0);
    assert_eq!((terms.policy.as_str(), terms.enroll, terms.remember), ("", Enroll::Admin, Duration::ZERO));
    assert_eq!((terms.deadline, terms.names_people, terms.certain), (None, true, true));
    let none = of(OPS, NOW + 60);
    assert_eq!((none.factors, none.enroll), (vec![Factor::Totp], Enroll::Invited));
    assert_eq!(none.deadline, Some(Deadline::By(NOW + 60)));
    for quiet in ["status = \"report\"", "status = \"off\"", "require = \"enrolled\""] {
        let terms = of(&format!("[[policy]]\nname = \"p\"\n{quiet}\n"), 0);
        assert_eq!(terms.policy, "p", "{quiet}");
    }
    // A policy that asks at once is not made milder by a later date.
    assert_eq!(of(ALL, NOW + 60).deadline, None);
}

#[test]
fn adm_06_dates_have_bounds() {
    // 2027-01-15 08:00:00Z: the 90th day after is 2027-04-15, the whole of it.
    assert_eq!(Kind::Exempt.latest(1_800_000_000), 1_807_833_600);
    assert_eq!(Kind::Exempt.latest(1_800_057_599), 1_807_833_600, "the last second of that day");
    assert!(Kind::Require.latest(NOW) < NOW + 400 * DAY);
    assert!(Kind::Exempt.latest(i64::MAX) > 0);
}

/// How much a decision asks.
fn asks(decision: &Decision) -> u8 {
    match decision {
        Decision::Required(_) => 3,
        Decision::RequiredIfEnrolled(_) => 2,
        Decision::ReportOnly { .. } | Decision::Off { .. } | Decision::NoPolicy => 1,
        Decision::Exempt { .. } => 0,
    }
}

#[test]
fn an_override_of_one_person_never_changes_what_anybody_else_gets() {
    let mut dice = Dice(0xfeed_beef_cafe_f00d);
    let (mut changed, mut same) = (0, 0);
    for round in 0..100_000 {
        let config = dice::config(&mut dice);
        let (person, service, source) = dice::login(&mut dice);
        let one = dice::override_of(&mut dice);
        let now = dice::now();
        let without = policy::decide(&config, &person, service, source);
        let with = decide(&config, &Overrides::new(vec![one.clone()]), &person, service, source, now);
        let is_theirs = person.name == one.name
            && match person.resolution {
                Resolution::Found(uid) => uid == one.uid,
                Resolution::NotFound | Resolution::Failed => one.kind != Kind::Exempt,
            };
        if !is_theirs || !one.holds(now) {
            assert_eq!(without, with, "round {round}: {one:?} {person:?}");
            same += 1;
            continue;
        }
        changed += 1;
        match (one.kind, &with) {
            (Kind::Exempt, Decision::Exempt { until, .. }) => assert_eq!(*until, one.until),
            (Kind::Lock, Decision::Required(terms)) => assert_eq!(terms.deadline, None, "round {round}"),
            (Kind::Require, Decision::Required(terms)) => {
                assert!(asks(&without) <= 3);
                if let Decision::Required(before) = &without {
                    let milder = match (before.deadline, terms.deadline) {
                        (None, Some(_)) => true,
                        (Some(Deadline::By(was)), Some(Deadline::By(is))) => is > was,
                        _ => false,
                    };
                    assert!(!milder, "round {round}: {before:?} {terms:?}");
                    assert!(terms.remember <= before.remember);
                }
            }
            (kind, other) => panic!("round {round}: {kind:?} became {other:?}"),
        }
    }
    assert!(changed > 5000 && same > 5000, "{changed} {same}");
}

#[test]
fn the_newest_word_counts_and_an_exemption_comes_first() {
    let all = config(ALL);
    let both = vec![of_ann(Kind::Require, 0), of_ann(Kind::Exempt, NOW + 60)];
    let ann = somebody(1, "ann");
    assert!(matches!(decided(&all, both.clone(), &ann, dice::now()), Decision::Exempt { .. }));
    let after = decided(&all, both, &ann, dice::now().at(NOW + 60));
    assert!(matches!(after, Decision::Required(_)), "when it is over, the requirement is back: {after:?}");
}

#[test]
fn a_lock_comes_before_all_of_it() {
    let all = vec![of_ann(Kind::Exempt, NOW + 60), of_ann(Kind::Require, NOW + 60), of_ann(Kind::Lock, 0)];
    let overrides = Overrides::new(all.clone());
    let ann = somebody(1, "ann");
    assert_eq!(overrides.deciding(&ann, dice::now()).map(|one| one.kind), Some(Kind::Lock));
    let asked = decided(&config(ALL), all, &ann, dice::now().at(NOW + 61));
    assert!(matches!(asked, Decision::Required(_)), "exempt or not, they are asked: {asked:?}");
    assert!(overrides.is_locked("ann") && overrides.locks_uid(1));
    assert!(!overrides.is_locked("bob") && !overrides.locks_uid(2));
}
