//! What a backup brings back while the daemon runs, and what it must not.

use super::{Place, fates, passes, restore};
use countersign_tests::{Code, Fixture, require};

/// RPL-12 whole: a used recovery code, a removed factor and five failures outlive an older backup.
#[test]
fn rpl_12_by_restore_nothing_used_or_revoked_comes_back() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let ctl = t.daemon.ctl();
    let more = ctl.try_enroll(&["alice", "--name", "tablet"], "", t.daemon.clock().cloned()).ok();
    let tablet = more.expect("a second authenticator");
    let place = Place::new();
    let before = place.backup(&ctl, "before");
    let dry = restore(&ctl, &before, &["--dry-run", "--keep-recovery-codes"]);
    assert_eq!((fates(&dry), &dry["kept"]), (vec![], &2.into()), "{dry}");

    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());
    let used = alice.recovery[0].clone();
    // Said yes to anything that a login by a recovery code asks after it.
    let _ = t.cs().visit("alice").run([used.as_str(), "no"]);
    let _ = ctl.run(&["remove", "tablet", "alice", "--reason", "lost", "--yes"]);
    let removed = ctl.run(&["users", "--json"]).ok();
    assert!(!removed.stdout.contains("tablet"), "{removed:?}");
    for n in 0..5 {
        let _ = t.cs().login("alice", [alice.wrong_code(n)]);
    }
    let failures = |what: &str| {
        let people = ctl.run(&["users", "--json"]).ok().json();
        (what.to_owned(), people[0]["failures"].clone())
    };
    assert_eq!(failures("before").1, 5);

    let report = restore(&ctl, &before, &["--yes", "--keep-recovery-codes", "--reason", "a test"]);
    assert_eq!(fates(&report), ["alice totp revoked"], "{report}");
    assert_eq!(failures("after").1, 5, "no failure is forgotten");
    let locked = t.cs().login("alice", [alice.fresh_code()]);
    assert_eq!(locked.auth, Code::MAXTRIES, "{locked:?}");
    let _ = ctl.run(&["unlock", "alice"]).ok();
    assert!(!t.cs().login("alice", [&code]).passed(), "used once, used for good");
    assert!(!t.cs().login("alice", [used.as_str()]).passed(), "R1 stays dead");
    assert!(!t.cs().login("alice", [tablet.fresh_code()]).passed(), "F stays dead");
    let _ = ctl.run(&["unlock", "alice"]).ok();
    passes(&t, &alice);
}

/// What a mistake took, a backup of before does not give back where somebody meant to take it; recovery
/// codes are void unless told otherwise, and an exemption of then is none of now.
#[test]
fn rpl_12_by_restore_nothing_becomes_looser() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let ctl = t.daemon.ctl();
    let _ = ctl.run(&["exempt", "bob", "--until", "+2d", "--reason", "a test", "--yes"]).ok();
    let _ = ctl.run(&["require", "carol", "--reason", "a test"]).ok();
    let place = Place::new();
    let before = place.backup(&ctl, "before");
    let _ = ctl.run(&["exempt", "bob", "--end", "--reason", "over", "--yes"]).ok();
    let _ = ctl.run(&["require", "carol", "--end", "--reason", "over", "--yes"]).ok();
    let held = t.cs().visit("alice").hold();
    let report = restore(&ctl, &before, &["--yes", "--reason", "a test"]);
    assert_eq!(fates(&report), ["alice recovery void"], "{report}");
    assert_eq!(report["required"], serde_json::json!(["carol"]));
    let flown = held.answer(alice.fresh_code());
    assert!(!flown.passed(), "logins under way end: {flown:?}");
    let exempt = ctl.run(&["exempt", "--json"]).ok();
    assert!(!exempt.stdout.contains("bob"), "{exempt:?}");
    let void = t.cs().login("alice", [&alice.recovery[3]]);
    assert!(!void.passed(), "{void:?}");
    passes(&t, &alice);
    let told = ctl.run(&["status", "alice", "--json"]).ok();
    assert!(told.stdout.contains("restored") && told.stdout.contains("root: a test"), "{told:?}");
    // And removed by a reset: the very case for `gone`.
    let _ = ctl.run(&["reset", "alice", "--alone", "--yes", "--reason", "lost"]).ok();
    let report = restore(&ctl, &before, &["--yes", "--reason", "a test"]);
    assert_eq!(fates(&report), ["alice totp revoked", "alice recovery revoked"], "{report}");
}
