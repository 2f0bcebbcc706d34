//! DIS-11: what a login shows of one factor to somebody who has the other.

use super::require_all;
use countersign_tests::people::ALICE;
use countersign_tests::{First, Fixture, Outcome, Secret, Stack};

/// What somebody saw of it: prompts and messages in order, and how it ended.
fn profile(outcome: &Outcome) -> (Vec<String>, bool) {
    (outcome.shown.iter().map(|shown| shown.text.clone()).collect(), outcome.passed())
}

/// A login by this password, and by this code as long as one is asked for.
fn visit(stack: &Stack, password: &str, code: &str) -> Outcome {
    stack.visit("alice").password(password).run([code, code, code])
}

fn profiles(t: &Fixture, stack: &Stack, alice: &Secret) -> [(Vec<String>, bool); 4] {
    let (right, wrong) = (ALICE.password(), "not her password".to_owned());
    let each = [(&wrong, false), (&wrong, true), (&right, false), (&right, true)];
    each.map(|(password, right_code)| {
        let _ = t.daemon.ctl().run(&["unlock", "alice"]);
        let code = if right_code { alice.fresh_code() } else { alice.wrong_code(1) };
        profile(&visit(stack, password, &code))
    })
}

/// Where the password is asked first and alone, a wrong one ends it there: nobody without the password is
/// asked for a code at all, so nothing is learnt of the code.
#[test]
fn dis_11_without_the_password_nothing_is_learnt_of_the_code() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = Stack::cs_after(First::Unix, &t.module());
    let [neither, code_only, password_only, both] = profiles(&t, &cs, &alice);
    assert_eq!(neither, code_only, "the code makes no difference");
    assert_eq!(neither.0.len(), 1, "the password prompt alone: {neither:?}");
    assert!(!password_only.1 && both.1, "{password_only:?} {both:?}");
}

/// Where both are asked in any case (`cs0`), a wrong code looks the same with either password.
#[test]
fn dis_11_where_both_are_asked_a_wrong_code_tells_nothing_of_the_password() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs0 = Stack::cs0(First::Unix, &t.module());
    let [neither, code_only, password_only, both] = profiles(&t, &cs0, &alice);
    assert_eq!(neither, password_only, "with a wrong code, the password makes no difference");
    assert!(!code_only.1 && both.1, "{code_only:?} {both:?}");
    assert_eq!(code_only.0, both.0, "with a right code, nothing is shown that tells of the password");
    assert_eq!(code_only.0, neither.0, "and one factor right looks like the other");
}
