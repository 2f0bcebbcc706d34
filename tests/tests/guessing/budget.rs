//! BRU-01, BRU-02: how many guesses are evaluated.

use super::{BUDGET, closed_for, ends, evaluated, locked, require_all};
use countersign_tests::{Code, Fixture};

#[test]
fn bru_01_of_200_guesses_in_a_row_five_are_evaluated() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    let ends: Vec<Code> = (0..200).map(|n| cs.login("alice", [alice.wrong_code(n)]).auth).collect();
    // After a wrong code there is another prompt, at which this person hangs up; the fifth closes the lane.
    let count = |code: Code| ends.iter().filter(|&&end| end == code).count();
    assert_eq!(
        (count(Code::CONV_ERR), count(Code::AUTH_ERR), count(Code::MAXTRIES)),
        (4, 0, 196),
        "{ends:?}"
    );
    let log = t.daemon.log("alice");
    assert_eq!((evaluated(&log), locked(&log)), (BUDGET, 195), "{log:#?}");

    let right = alice.fresh_code();
    assert_eq!(cs.login("alice", [&right]).auth, Code::MAXTRIES, "the right code while locked");
    let wait = closed_for(&t.daemon, "other").expect("locked");
    assert!((1..=30).contains(&wait), "{wait} s");
    t.daemon.crash_and_restart();
    assert_eq!(cs.login("alice", [&right]).auth, Code::MAXTRIES, "the right code after a restart");

    let unlocked = t.daemon.ctl().run(&["unlock", "alice"]).ok();
    assert_eq!(closed_for(&t.daemon, "other"), None, "{unlocked:?}");
    let after = cs.login("alice", [&right]);
    assert!(after.passed(), "what was refused unseen is not used up: {after:?}");
}

/// One login that types as long as it is asked: three tries, and the budget is the same.
#[test]
fn bru_01_a_login_takes_three_tries_from_the_same_budget() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let guesses = |from: usize| (from..from + 20).map(|n| alice.wrong_code(n)).collect::<Vec<_>>();
    let prompts: Vec<usize> = (0..4).map(|n| t.cs().login("alice", guesses(20 * n)).code_prompts()).collect();
    assert_eq!(
        prompts,
        [3, 2, 1, 1],
        "three tries, two until the lane closes, then one that is not evaluated"
    );
    assert_eq!(evaluated(&t.daemon.log("alice")), BUDGET);
    assert_eq!(t.cs().login("alice", [alice.fresh_code()]).auth, Code::MAXTRIES);
}

#[test]
fn bru_02_256_guesses_at_once_are_five() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    let mut seen = t.daemon.log("alice").len();
    for round in 0..4 {
        let rush = cs.visit("alice").rush(256);
        assert_eq!(rush.at_prompt(), 256);
        let result = rush.release(|i| alice.wrong_code(256 * round + i));
        assert_eq!(result.passed(), 0);
        let rows = t.daemon.log("alice").split_off(seen);
        assert_eq!(
            (rows.len(), evaluated(&rows)),
            (256, BUDGET),
            "round {round}: {:?}",
            ends(&result.outcomes)
        );
        eprintln!("256 guesses released in {:?}, over after {:?}", result.released_in, result.spread);
        let right = alice.fresh_code();
        assert_eq!(cs.login("alice", [&right]).auth, Code::MAXTRIES, "round {round}: the right code");
        let _ = t.daemon.ctl().run(&["unlock", "alice"]).ok();
        let after = cs.login("alice", [&right]);
        assert!(after.passed(), "round {round}: {after:?}");
        seen += rows.len() + 2;
    }
}
