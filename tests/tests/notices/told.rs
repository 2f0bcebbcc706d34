//! Told once, to the person, and to nobody else.

use super::{enrolled_and_told, kept, kinds, require_all, since};
use countersign_tests::fixture::CONFIG;
use countersign_tests::{Code, First, Fixture, HANG_UP, Phase, Reply, Stack};

const HOME: &str = "192.0.2.7";

/// ENR-07: a login says what happened before it, once.
#[test]
fn enr_07_what_happened_is_told_at_the_next_login_once() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = enrolled_and_told(&t);
    let by_paper = t.cs().visit("alice").rhost(HOME).run([alice.recovery[0].as_str()]);
    assert!(by_paper.passed(), "{by_paper:?}");
    assert_eq!(since(&by_paper), None, "a login does not tell of itself");
    assert_eq!(
        kept(&t.daemon, "alice"),
        [("recovery-used".into(), format!("cs {HOME}"), false), ("enrolled".into(), "app".into(), true)]
    );

    let next = t.cs().login("alice", [alice.fresh_code()]);
    let told = since(&next).expect("a notice");
    assert!(told.contains("UTC, a recovery code was used for cs from 192.0.2.7."), "{told}");
    assert!(told.contains("tell your administrator"), "{told}");
    assert_eq!(since(&t.cs().login("alice", [alice.fresh_code()])), None, "told once");
    assert!(kept(&t.daemon, "alice").iter().all(|(.., told)| *told));
    let said = t.daemon.said();
    let line = format!(
        "<5>a person will be told what=\"recovery-used\" user=\"alice\" uid=\"5001\" detail=\"cs {HOME}\"\n"
    );
    assert_eq!(said.matches(&line).count(), 1, "{said}");
}

/// ENR-07: one notification for each lock, not for each try that the lock refuses.
#[test]
fn enr_07_a_lock_and_a_reused_code_are_one_notice_each() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = enrolled_and_told(&t);
    let used = alice.fresh_code();
    assert!(t.cs().login("alice", [&used]).passed());
    assert!(!t.cs().visit("alice").rhost(HOME).run([&used]).passed());
    assert_eq!(kinds(&t.daemon, "alice"), ["code-reused", "enrolled"]);
    for _ in 0..2 {
        let _ = t.cs().visit("alice").rhost(HOME).run(vec![alice.wrong_code(1); 3]);
    }
    for _ in 0..5 {
        let locked = t.cs().visit("alice").rhost(HOME).run(vec![alice.wrong_code(2); 3]);
        assert_eq!(since(&locked), None, "whoever guesses hears nothing: {locked:?}");
    }
    assert_eq!(kinds(&t.daemon, "alice"), ["locked", "code-reused", "enrolled"]);
    let there = t.cs().visit("alice").tty("/dev/tty1").run([alice.fresh_code()]);
    assert!(there.passed(), "{there:?}");
    let told = since(&there).expect("notices");
    let (lock, reuse) = (told.find("too many wrong codes"), told.find("used already was typed again"));
    assert!(lock.is_some() && lock < reuse, "newest first: {told}");
}

/// Invariant 9: what is told is a change too, and waits for the account phase.
#[test]
fn enr_07_a_login_that_is_not_confirmed_has_told_nothing() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let half = t.cs().visit("alice").phases(&[Phase::Auth]).run([alice.fresh_code()]);
    assert_eq!(half.auth, Code::SUCCESS);
    assert!(since(&half).is_some(), "{half:?}");
    assert!(kept(&t.daemon, "alice").iter().all(|(.., told)| !told), "not confirmed");
    assert!(since(&t.cs().login("alice", [alice.fresh_code()])).is_some(), "so it is told again");
    assert!(kept(&t.daemon, "alice").iter().all(|(.., told)| *told));
}

/// Nobody hears of it who has not passed both factors.
#[test]
fn enr_07_nothing_is_told_before_both_factors_are_right() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let hung_up = t.cs().login("alice", [HANG_UP]);
    let wrong = t.cs().login("alice", vec![alice.wrong_code(1); 3]);
    let help = t.cs().login("alice", [Reply::from("?"), HANG_UP]);
    for early in [hung_up, wrong, help] {
        assert!(!early.passed() && since(&early).is_none(), "{early:?}");
    }
    // A stack that runs the module after a wrong password: the code is right, the password is not.
    let unknown = Stack::cs0(First::Deny, &t.module()).login("alice", [alice.fresh_code()]);
    assert!(!unknown.passed() && since(&unknown).is_none(), "{unknown:?}");
    assert!(kept(&t.daemon, "alice").iter().all(|(.., told)| !told));
    assert!(since(&t.cs().login("alice", [alice.fresh_code()])).is_some(), "the control");
}

/// Where no second factor is asked, the first one is enough to be told; a policy that ends is no reason
/// to keep silent.
#[test]
fn enr_07_told_where_no_second_factor_is_asked() {
    require_all!();
    let mut t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    t.daemon.configure(&CONFIG.replace("enforce", "off"));
    let _ = t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).ok();
    let unknown = Stack::cs0(First::Permit, &t.module()).login("alice", [""; 0]);
    assert!(since(&unknown).is_none(), "the first factor is unknown: {unknown:?}");
    let outcome = t.cs().login("alice", [""; 0]);
    assert_eq!(outcome.prompts().len(), 0);
    assert!(since(&outcome).is_some_and(|told| told.contains("was added")), "{outcome:?}");
    assert_eq!(since(&t.cs().login("alice", [""; 0])), None);
    t.daemon.crash_and_restart();
    assert!(kept(&t.daemon, "alice").iter().all(|(.., told)| *told), "also after a crash");
}

/// Whoever has the password can repeat a used code for ever; that does not bury what they did.
#[test]
fn enr_07_noise_does_not_push_out_what_matters() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = enrolled_and_told(&t);
    let thief = alice.recovery[0].as_str();
    assert!(t.cs().visit("alice").rhost("198.51.100.66").run([thief]).passed());
    for round in 0..60 {
        let from = format!("198.51.100.{}", round % 9);
        assert!(!t.cs().visit("alice").rhost(from).run([thief]).passed());
    }
    let kept = kept(&t.daemon, "alice");
    assert_eq!(kept.len(), 50, "bounded");
    assert!(kept.iter().any(|(kind, ..)| kind == "recovery-used"), "{kept:?}");
    let told = since(&t.cs().login("alice", [alice.fresh_code()])).expect("notices");
    let first = told.split(". ").next().expect("a sentence");
    assert!(first.contains("a recovery code was used for cs from 198.51.100.66"), "{told}");
    assert!(
        told.contains(" times)") && told.contains("to be seen with: countersignctl status alice"),
        "{told}"
    );
}
