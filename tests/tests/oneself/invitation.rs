//! Invitations: one-time codes from an administrator.

use crate::{apps, as_one, done, manager, notices, require_all, start};
use countersign_tests::people::{ALICE, BOB, DAVE};
use countersign_tests::{Fixture, Wire};
use std::sync::Barrier;

fn invite(t: &Fixture, user: &str) -> String {
    let out = t.daemon.ctl().run(&["invite", user, "--json"]).ok().json().remove(0);
    assert_eq!(out["seconds"], 600);
    out["code"].as_str().expect("a code").to_owned()
}

/// Whether this person gets as far as a key with this code.
fn takes(t: &Fixture, uid: u32, user: &str, code: &str) -> bool {
    manager(&mut Wire::as_uid(&t.bus, uid), "Enroll", &(user, "", "", code)).is_ok()
}

#[test]
fn enr_02_an_invitation_is_good_once_for_one_person_and_for_minutes() {
    require_all!();
    let t = start("invited");
    let code = invite(&t, "bob");
    assert!(code.len() == 11 && code.as_bytes()[5] == b'-', "{code}");
    assert_eq!(notices(&t, "bob"), ["invited"]);
    assert!(!takes(&t, ALICE.uid, "alice", &code), "somebody else's");
    assert!(!takes(&t, DAVE.uid, "bob", &code), "by somebody else");
    let bob = as_one(&t, BOB).try_enroll(
        &["--invitation", &code.to_uppercase().replace('-', " ")],
        "",
        t.daemon.clock().cloned(),
    );
    let bob = bob.unwrap_or_else(|out| panic!("{out:?}"));
    assert!(t.cs().login("bob", [bob.fresh_code()]).passed());
    assert!(!takes(&t, BOB.uid, "bob", &code), "used");
    let needless = t.daemon.ctl().run(&["invite", "bob"]);
    assert!(needless.code == Some(1) && needless.complaint().contains("has a factor"), "{needless:?}");

    // A later one voids an earlier one, a reset voids both, and time does.
    let (early, late) = (invite(&t, "alice"), invite(&t, "alice"));
    assert!(!takes(&t, ALICE.uid, "alice", &early), "replaced");
    assert!(takes(&t, ALICE.uid, "alice", &late), "the control");
    let void = invite(&t, "alice");
    done(&t, &["reset", "alice", "--reason", "a test", "--yes"]);
    assert!(!takes(&t, ALICE.uid, "alice", &void), "reset");
}

#[test]
fn enr_02_an_invitation_is_over_after_its_minutes_and_after_a_reboot() {
    require_all!();
    let mut t = start("invited");
    for change in ["lives_ms = 1", "boot = zeroblob(16)"] {
        let code = invite(&t, "bob");
        t.daemon.stop();
        let db = rusqlite::Connection::open(t.daemon.database()).expect("a database");
        db.execute(&format!("UPDATE invitation SET {change}"), []).expect("a change");
        drop(db);
        t.daemon.resume();
        assert!(!takes(&t, BOB.uid, "bob", &code), "{change}");
    }
    assert!(takes(&t, BOB.uid, "bob", &invite(&t, "bob")), "the control");
}

#[test]
fn enr_02_five_wrong_ones_void_it_and_are_paid_for() {
    require_all!();
    let t = start("invited");
    let code = invite(&t, "bob");
    for n in 0..5 {
        let out = as_one(&t, BOB).refused_enroll(&["--invitation", &format!("0000{n}-00000")], "");
        assert!(out.code == Some(4) && out.complaint().contains("not right"), "{out:?}");
    }
    let out = as_one(&t, BOB).refused_enroll(&["--invitation", &code], "");
    assert!(out.complaint().contains("too many tries"), "the right one is not looked at: {out:?}");
    done(&t, &["unlock", "bob"]);
    assert!(!takes(&t, BOB.uid, "bob", &code), "void by then");
    assert!(notices(&t, "bob").contains(&"locked".to_owned()));
    assert_eq!(apps(&t, "bob"), Vec::<String>::new());
    done(&t, &["unlock", "bob"]);
    assert!(takes(&t, BOB.uid, "bob", &invite(&t, "bob")), "the control");
}

#[test]
fn enr_02_one_invitation_at_once_enrolls_once() {
    require_all!();
    let t = start("invited");
    let code = invite(&t, "bob");
    let barrier = Barrier::new(16);
    let taken = std::thread::scope(|scope| {
        let tries: Vec<_> = (0..16)
            .map(|_| {
                scope.spawn(|| {
                    let mut wire = Wire::as_uid(&t.bus, BOB.uid);
                    barrier.wait();
                    manager(&mut wire, "Enroll", &("bob", "", "", code.as_str())).is_ok()
                })
            })
            .collect();
        tries.into_iter().map(|one| one.join().expect("no panic")).filter(|ok| *ok).count()
    });
    assert_eq!(taken, 1);
}
