//! The lost phone: a recovery code lets one in, and offers to enroll anew right there.

use super::{AT_LOGIN, assert_fresh_code_passes, config, ended, factors, last, require_all};
use countersign_tests::enrolling::{FIRST_CODE, OFFER, READ_BACK};
use countersign_tests::{Code, Enrollee, Fixture, HANG_UP, Outcome, Reply, Secret};

/// A login by a recovery code that takes the offer; `other` may do something else at a prompt.
fn with_recovery(
    t: &Fixture,
    phone: &mut Enrollee,
    code: &str,
    mut other: impl FnMut(&Enrollee, &str) -> Option<Reply>,
) -> Outcome {
    phone.log_in(&t.cs().visit("alice"), |phone, prompt| {
        phone.read(prompt);
        other(phone, prompt).or_else(|| match prompt {
            "Verification code: " => Some(Reply::from(code)),
            offer if offer.ends_with(OFFER) => Some(Reply::from("ENROLL")),
            _ => None,
        })
    })
}

fn enrolled() -> (Fixture, Secret) {
    let t = Fixture::configured(&config(AT_LOGIN));
    let alice = t.daemon.enroll("alice");
    (t, alice)
}

#[test]
fn a_new_phone_replaces_all_that_was_there() {
    require_all!();
    let (t, old) = enrolled();
    let mut new = Enrollee::new(t.daemon.clock());
    let outcome = with_recovery(&t, &mut new, &old.recovery[0], |_, _| None);
    assert!(outcome.passed(), "{outcome:#?}");
    assert_eq!(last(&t, "alice"), ended("enrolled", "", "recovery", true));
    assert_eq!(factors(&t, "alice"), ["totp", "recovery"]);
    assert!(!t.cs().login("alice", [old.fresh_code()]).passed(), "the old phone");
    assert!(!t.cs().login("alice", [old.recovery[1].as_str()]).passed(), "the old codes");
    assert_fresh_code_passes(&t, "alice", new.app());
    assert!(t.cs().login("alice", [new.app().recovery[4].as_str(), "no"]).passed());
}

#[test]
fn whoever_is_in_stays_in() {
    require_all!();
    let (t, old) = enrolled();
    let went_on = t.cs().login("alice", [old.recovery[0].as_str(), "no"]);
    assert!(went_on.passed(), "{went_on:#?}");
    assert_eq!(last(&t, "alice"), ended("verified", "", "recovery", true));
    let mut clumsy = Enrollee::new(t.daemon.clock());
    let outcome = with_recovery(&t, &mut clumsy, &old.recovery[1], |phone, prompt| {
        prompt.ends_with(FIRST_CODE).then(|| Reply::from(phone.app().wrong_code(2)))
    });
    assert!(outcome.passed(), "three wrong first codes: {outcome:#?}");
    assert!(outcome.messages().join("").contains("No new phone was set up"), "{outcome:#?}");
    let mut undecided = Enrollee::new(t.daemon.clock());
    let outcome = with_recovery(&t, &mut undecided, &old.recovery[2], |_, prompt| {
        prompt.ends_with(READ_BACK).then(|| Reply::from("no"))
    });
    assert!(outcome.passed(), "{outcome:#?}");
    assert!(!t.cs().login("alice", [undecided.app().fresh_code()]).passed());
    assert_fresh_code_passes(&t, "alice", &old);
}

#[test]
fn a_hang_up_at_the_offer_uses_the_code_and_lets_nobody_in() {
    require_all!();
    let (t, old) = enrolled();
    for (number, prompt) in [OFFER, FIRST_CODE, READ_BACK].into_iter().enumerate() {
        let mut phone = Enrollee::new(t.daemon.clock());
        let outcome = with_recovery(&t, &mut phone, &old.recovery[number], |_, shown| {
            shown.ends_with(prompt).then_some(HANG_UP)
        });
        assert_eq!(outcome.auth, Code::CONV_ERR, "{prompt}: {outcome:#?}");
        assert_eq!(last(&t, "alice"), ended("abandoned", "hung-up", "recovery", false), "{prompt}");
        let again = t.cs().login("alice", [old.recovery[number].as_str()]);
        assert!(!again.passed(), "{prompt}: it is used");
    }
    assert_fresh_code_passes(&t, "alice", &old);
}

/// RPL-03: one recovery code at once sets up one new phone at most.
#[test]
fn rpl_03_simultaneous_recovery_codes_offer_one_new_phone() {
    require_all!();
    let (t, old) = enrolled();
    let rush = t.cs().visit("alice").rush(32);
    assert_eq!(rush.at_prompt(), 32);
    let result = rush.release(|_| &old.recovery[0]);
    assert_eq!(result.passed(), 1, "{result:?}");
    let offered = result.outcomes.iter().filter(|o| o.prompts().iter().any(|p| p.ends_with(OFFER)));
    assert_eq!(offered.count(), 1);
    assert_fresh_code_passes(&t, "alice", &old);
}

/// Only somebody with the password is told, and what they are told is used up.
#[test]
fn a_clock_that_is_off_is_named_and_its_code_used_up() {
    require_all!();
    let (t, alice) = enrolled();
    let ahead = alice.code_in(4);
    let told = t.cs().login("alice", [&ahead]);
    assert!(told.messages().join("").contains("about 120 s ahead"), "{told:#?}");
    assert_eq!(last(&t, "alice").1, "clock-off");
    for _ in 0..4 {
        t.clock().next_step();
    }
    let then = t.cs().login("alice", [&ahead]);
    assert!(!then.passed(), "it was told, so it is used: {then:#?}");
    t.clock().next_step();
    let fresh = t.cs().login("alice", [alice.code_in(0)]);
    assert!(fresh.passed(), "{fresh:#?}");
}
