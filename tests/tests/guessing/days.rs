//! BRU-01 over time: delays end and double, and the hard cap does not wear off.

use super::{alice_now, closed_for, evaluated, require_all};
use countersign_tests::{Code, Days, World};
use std::time::Duration;

/// Consecutive failures that close everything but recovery codes.
const HARD_CAP: u32 = 100;

#[test]
fn bru_01_delays_end_and_double() {
    require_all!(File("/proc/self/ns/time"));
    let world = World::enter();
    let mut days = Days::start(&world);
    let alice = days.daemon.enroll("alice");
    let cs = days.cs();
    let second = Duration::from_secs(1);
    for n in 0..5 {
        assert!(!cs.login("alice", [alice.wrong_code(n)]).passed());
    }
    for (n, delay) in [30, 60, 120].into_iter().enumerate() {
        let wait = closed_for(&days.daemon, "other").expect("locked");
        assert!((delay - 4..=delay).contains(&wait), "{wait} of {delay} s");
        days.wait((u32::try_from(delay).expect("small") - 6) * second);
        assert_eq!(cs.login("alice", [alice.fresh_code()]).auth, Code::MAXTRIES, "before {delay} s are over");
        days.wait(6 * second);
        assert_eq!(cs.login("alice", [alice.wrong_code(10 + n)]).auth, Code::MAXTRIES);
        assert_eq!(days.daemon.log("alice").pop().expect("a row").state, "denied", "evaluated again");
    }
    assert_eq!(cs.login("alice", [alice.fresh_code()]).auth, Code::MAXTRIES);
    days.wait(240 * second);
    let right = cs.login("alice", [alice.fresh_code()]);
    assert!(right.passed(), "{right:?}");
    assert_eq!(alice_now(&days.daemon)["failures"], 0, "a success ends the row of failures");
}

#[test]
fn bru_01_the_hard_cap_holds_over_days() {
    require_all!(File("/proc/self/ns/time"));
    let world = World::enter();
    let mut days = Days::start(&world);
    let alice = days.daemon.enroll("alice");
    let cs = days.cs();
    let day = Duration::from_secs(25 * 3600);
    for n in 0..30 {
        for guess in 0..6 {
            assert!(!cs.login("alice", [alice.wrong_code(6 * n + guess)]).passed());
        }
        days.wait(day);
    }
    assert_eq!(evaluated(&days.daemon.log("alice")), HARD_CAP, "over thirty days of patience");
    let console = || cs.visit("alice").tty("tty1");
    for login in [cs.visit("alice"), console()] {
        assert_eq!(login.run([alice.fresh_code()]).auth, Code::MAXTRIES, "the right code at the cap");
    }
    let recovered = cs.login("alice", [alice.recovery[0].as_str()]);
    assert!(recovered.passed(), "a recovery code is the way back: {recovered:?}");
    let after = cs.login("alice", [alice.fresh_code()]);
    assert!(after.passed(), "and ends the row of failures: {after:?}");
}
