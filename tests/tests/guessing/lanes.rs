//! BRU-07: guessing as a way to lock somebody out.

use super::{
    ATTACKER, BUDGET, CAFE, HOME, SOURCE_BUDGET, alice_now, closed_for, evaluated, locked, require_all,
};
use countersign_tests::{Code, Fixture, Stack};

/// Without the password an attacker closes a door of their own, not hers.
#[test]
fn bru_07_without_the_password_the_source_pays() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let open = Stack::cs1(&t.module());
    let attacker = open.visit("alice").rhost(ATTACKER);
    for n in 0..60 {
        let outcome = attacker.run([alice.wrong_code(n)]);
        assert_eq!((outcome.auth, outcome.messages().len()), (Code::AUTH_ERR, 0), "try {n}: {outcome:?}");
    }
    let log = t.daemon.log("alice");
    assert_eq!((evaluated(&log), locked(&log)), (SOURCE_BUDGET, 50), "{log:#?}");
    let right = alice.fresh_code();
    assert_eq!(attacker.run([&right]).auth, Code::AUTH_ERR, "the right code from the closed source");
    assert_eq!(alice_now(&t.daemon)["failures"], 0);

    let with_password = t.cs().visit("alice").rhost(HOME).run([&right]);
    assert!(with_password.passed(), "she logs in at once: {with_password:?}");
    let same_source = t.cs().visit("alice").rhost(ATTACKER).run([alice.fresh_code()]);
    assert!(same_source.passed(), "even from there, her password having passed: {same_source:?}");
    let elsewhere = open.visit("alice").rhost(CAFE).run([alice.fresh_code()]);
    assert!(elsewhere.passed(), "another source is open: {elsewhere:?}");
}

/// IPv6 gives everybody 2^64 addresses: they are one source.
#[test]
fn bru_07_a_network_of_ipv6_addresses_is_one_source() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let open = Stack::cs1(&t.module());
    let from = |n: usize| open.visit("alice").rhost(format!("2001:db8:1:2::{n:x}"));
    for n in 0..15 {
        assert_eq!(from(n).run([alice.wrong_code(n)]).auth, Code::AUTH_ERR);
    }
    assert_eq!(evaluated(&t.daemon.log("alice")), SOURCE_BUDGET);
    assert_eq!(
        from(99).run([alice.fresh_code()]).auth,
        Code::AUTH_ERR,
        "the right code from a closed network"
    );
    let next_door = open.visit("alice").rhost("2001:db8:1:3::1").run([alice.fresh_code()]);
    assert!(next_door.passed(), "{next_door:?}");
}

/// With the password an attacker can close one door, and the others stay.
#[test]
fn bru_07_with_the_password_the_other_lanes_stay_open() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    let from = |source: &str| cs.visit("alice").rhost(source);
    assert!(from(HOME).run([alice.fresh_code()]).passed(), "her home becomes a known source");
    for n in 0..60 {
        assert!(!from(ATTACKER).run([alice.wrong_code(n)]).passed());
    }
    assert_eq!(evaluated(&t.daemon.log("alice")), BUDGET);
    let refused = from(CAFE).run([alice.fresh_code()]);
    assert_eq!(refused.auth, Code::MAXTRIES, "the right code from any unknown source");
    assert!(refused.messages().concat().contains("Too many tries"), "she is told: {refused:?}");

    let console = cs.visit("alice").tty("tty1").run([alice.fresh_code()]);
    assert!(console.passed(), "{console:?}");
    let known = from(HOME).run([alice.fresh_code()]);
    assert!(known.passed(), "{known:?}");
    let recovered = from(CAFE).run([alice.recovery[0].as_str()]);
    assert!(recovered.passed(), "{recovered:?}");
    // The attacker's own address: each of the others is a source known by now.
    assert_eq!(from(ATTACKER).run([alice.fresh_code()]).auth, Code::MAXTRIES, "those did not open the lane");
    let used = from(ATTACKER).run([alice.recovery[0].as_str()]);
    assert!(!used.passed(), "a recovery code is good once: {used:?}");
}

/// A terminal's name is the host's word; a remote login does not become a console by it.
#[test]
fn bru_07_a_remote_login_is_no_console() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let remote = t.cs().visit("alice").rhost(ATTACKER).tty("tty1");
    for n in 0..6 {
        assert!(!remote.run([alice.wrong_code(n)]).passed());
    }
    assert_eq!(closed_for(&t.daemon, "console"), None);
    assert_eq!(remote.run([alice.fresh_code()]).auth, Code::MAXTRIES);
    assert!(t.cs().visit("alice").tty("tty1").run([alice.fresh_code()]).passed());
}
