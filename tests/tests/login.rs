//! The whole path: enroll through countersignctl, log in over PAM, and read the attempt log.

use countersign_tests::{Code, Fixture, require};

#[test]
fn first_login_over_pam() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();

    let code = alice.fresh_code();
    let first = cs.login("alice", [&code]);
    assert!(first.passed(), "{first:?}");
    assert_eq!(first.prompts(), ["Verification code: "]);

    let wrong = cs.visit("alice").rhost("192.0.2.7").run(vec![alice.wrong_code(1); 3]);
    assert_eq!((wrong.auth, wrong.account), (Code::MAXTRIES, None), "{wrong:?}");
    assert_eq!(wrong.code_prompts(), 3, "three tries after the first factor");

    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE, "carol is in no policy's group");
    assert!(cs.login("alice", [alice.fresh_code()]).passed(), "a fresh code passes");

    let log: Vec<(String, String, u32, bool)> = t
        .daemon
        .log("alice")
        .into_iter()
        .filter(|row| row.state != "enrolled")
        .map(|row| (row.state, row.factor, row.tries, row.confirmed))
        .collect();
    let row =
        |state: &str, factor: &str, tries, confirmed| (state.to_owned(), factor.to_owned(), tries, confirmed);
    assert_eq!(log[0], row("verified", "totp", 1, true), "{log:?}");
    assert_eq!((log[1].0.as_str(), log[1].2, log[1].3), ("denied", 3, false), "{log:?}");
    assert_eq!(log[2], row("verified", "totp", 1, true), "{log:?}");
    assert_eq!(log.len(), 3, "{log:?}");
    let carol = t.daemon.log("carol");
    assert_eq!((carol.len(), carol[0].state.as_str()), (1, "skipped"), "{carol:?}");
}

#[test]
fn rpl_01_a_code_passes_once() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    let code = alice.fresh_code();
    assert!(cs.login("alice", [&code]).passed());
    let again = cs.login("alice", [&code, &code, &code]);
    assert_eq!(again.auth, Code::MAXTRIES, "{again:?}");
    let other_service = countersign_tests::Stack::cs1(&t.module()).login("alice", [&code]);
    assert_eq!(other_service.auth, Code::AUTH_ERR, "{other_service:?}");
    let reused: Vec<_> = t.daemon.log("alice").into_iter().filter(|row| row.state == "denied").collect();
    assert!(reused.iter().all(|row| row.reason == "code-reused") && reused.len() == 2, "{reused:?}");
    let fresh = cs.login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "a fresh code passes: {fresh:?}");
}

#[test]
fn rpl_02_64_at_once_with_one_code_let_one_in() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let rush = t.cs().visit("alice").rush(64);
    assert_eq!(rush.at_prompt(), 64);
    let code = alice.fresh_code();
    let result = rush.release(|_| &code);
    eprintln!("released in {:?}, spread over {:?}", result.released_in, result.spread);
    assert_eq!(result.passed(), 1, "{result:?}");
    let fresh = t.cs().login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "a fresh code passes: {fresh:?}");
}
