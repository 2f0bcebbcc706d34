//! What a reset takes, what it leaves, and who may.

use super::{Somebody, is_enrolled, kinds, not_authorized, require_all, with_approvals};
use countersign_tests::people::{ALICE, DAVE};
use countersign_tests::polkit::Says;
use countersign_tests::{Code, Fixture, Phase, Polkit};

/// A lost phone is no way around a lock.
#[test]
fn bru_01_a_reset_lowers_no_counter() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let guess = alice.wrong_code(1);
    for _ in 0..5 {
        let _ = t.cs().login("alice", [&guess]);
    }
    assert_eq!(t.cs().login("alice", [alice.fresh_code()]).auth, Code::MAXTRIES, "locked");
    let _ = t.daemon.ctl().run(&["reset", "alice", "--reason", "phone lost", "--yes"]).ok();
    let anew = t.daemon.enroll("alice");
    assert_eq!(t.cs().login("alice", [anew.fresh_code()]).auth, Code::MAXTRIES, "locked still");
    let _ = t.daemon.ctl().run(&["unlock", "alice"]).ok();
    assert!(t.cs().login("alice", [anew.fresh_code()]).passed(), "the control");
}

/// Everything that would let her in, or that waits to, is void.
#[test]
fn adm_11_a_reset_voids_factors_codes_sources_and_what_is_in_flight() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let remembered = t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]);
    assert!(remembered.passed());
    let held = t.cs().hold("alice");
    let ctl = t.daemon.ctl();
    let done = ctl.run(&["reset", "alice", "--reason", "phone lost", "--yes"]).ok();
    assert!(done.stdout.contains("2 factors of alice removed"), "{done:?}");
    assert_eq!(held.answer(alice.fresh_code()).auth, Code::AUTHINFO_UNAVAIL, "begun before the reset");
    for code in [alice.fresh_code(), alice.recovery[0].clone()] {
        let refused = t.cs().login("alice", [code]);
        assert_eq!(refused.auth, Code::PERM_DENIED, "nothing to show: {refused:?}");
    }
    let person = ctl.run(&["status", "alice", "--json"]).ok().json().remove(0);
    assert_eq!((person["factors"].to_string(), person["confirmed"].to_string()), ("[]".into(), "[]".into()));
    let log = t.daemon.log("alice");
    assert!(log.iter().any(|row| row.reason == "reset" && row.state == "denied"), "{log:#?}");

    let anew = t.daemon.enroll("alice");
    assert!(!t.cs().login("alice", [alice.recovery[0].as_str()]).passed(), "an old recovery code");
    assert!(t.cs().login("alice", [anew.fresh_code()]).passed(), "a fresh code passes");
}

/// ENR-07, and the journal: who did it to whom, and why; told to the person where they log in next.
#[test]
fn enr_07_a_reset_is_told_and_written_down() {
    require_all!();
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let args = ["reset", "alice", "--reason", "phone \"lost\"\u{202e}", "--yes"];
    assert_eq!(t.daemon.ctl().run(&args).code, Some(2), "a reason is one printable line");
    let _ = t.daemon.ctl().run(&["reset", "alice", "--reason", "phone lost", "--yes"]).ok();
    assert_eq!(kinds(&t.daemon, "alice"), ["reset", "enrolled"]);
    let said = t.daemon.said();
    let line = "<4>factors were reset user=\"alice\" uid=\"5001\" by=\"root\" by-uid=\"0\" loginuid=\"";
    assert_eq!(said.matches(line).count(), 1, "{said}");
    assert!(said.contains("alone=\"no\" removed=\"2\" reason=\"phone lost\"\n"), "{said}");
    let anew = t.daemon.enroll("alice");
    let login = t.cs().login("alice", [anew.fresh_code()]);
    let told = login.messages().join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("your second factors were removed by root: phone lost."), "{told}");
}

/// ADM-03: not oneself, whatever polkit says; and polkit's rules see whether the person is an administrator.
#[test]
fn adm_03_nobody_resets_themselves() {
    require_all!();
    let t = Fixture::with_clock();
    let secret = t.daemon.enroll("alice");
    let _dave = t.daemon.enroll("dave");
    let polkit = Polkit::saying(&t.bus, Says::Yes);
    let mut alice = Somebody::new(&t.bus, ALICE);
    assert_eq!(alice.reset("alice", false), not_authorized());
    assert_eq!(alice.reset("alice", true), not_authorized());
    let ctl = t.daemon.ctl().as_uid(ALICE.uid);
    let refused = ctl.run(&["reset", "alice", "--reason", "x", "--yes"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    assert!(refused.complaint().contains("countersignctl request-reset"), "what next: {refused:?}");
    assert!(is_enrolled(&t.daemon, "alice"));
    drop(polkit.asked());
    assert_eq!(alice.reset("dave", false), Ok(2), "the control: polkit lets her reset others");
    assert_eq!(polkit.asked()[0].details["is-admin"], "false");
    assert_eq!(alice.reset("root", true), not_authorized(), "alone is for root");
    assert!(t.cs().login("alice", [secret.fresh_code()]).passed());
}

/// A helpdesk with the example rules resets people, and neither administrators nor without a password
/// of theirs.
#[test]
fn adm_03_where_approvals_are_needed_nobody_resets_alone_but_root_aloud() {
    require_all!();
    let t = with_approvals(1);
    let _alice = t.daemon.enroll("alice");
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    assert_eq!(Somebody::new(&t.bus, DAVE).reset("alice", false), not_authorized());
    assert_eq!(Somebody::new(&t.bus, DAVE).reset("alice", true), not_authorized());
    let ctl = t.daemon.ctl();
    let refused = ctl.run(&["reset", "alice", "--reason", "x", "--yes"]);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    for next in ["request-reset alice --reason TEXT", "countersignctl approve", "reset alice --alone"] {
        assert!(refused.complaint().contains(next), "{next}: {refused:?}");
    }
    assert!(is_enrolled(&t.daemon, "alice"));
    assert_eq!(ctl.run(&["reset", "alice", "--alone", "--reason", "x"]).code, Some(2), "asks first");
    let _ = ctl.run(&["reset", "alice", "--alone", "--reason", "fire", "--yes"]).ok();
    assert!(!is_enrolled(&t.daemon, "alice"));
    let said = t.daemon.said();
    assert!(
        said.contains("<4>factors were reset user=\"alice\"") && said.contains("alone=\"yes\""),
        "{said}"
    );
    let anew = t.daemon.enroll("alice");
    let login = t.cs().visit("alice").phases(&[Phase::Auth, Phase::Account]).run([anew.fresh_code()]);
    let told = login.messages().join(" ");
    assert!(told.contains("removed by root alone: fire"), "{told}");
}
