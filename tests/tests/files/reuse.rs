//! BYP-19: a uid that comes back under another name.

use countersign_tests::people::ALICE;
use countersign_tests::{Code, Fixture, Secret, Stack, fixture, require};
use std::fs;

/// Everybody who has a factor is asked, in every service; nobody else is.
const ENROLLED: &str = "issuer = \"Acme\"\n[[policy]]\nname = \"opt-in\"\nrequire = \"enrolled\"\n";

/// Gives alice's uid another name, as `usermod -l` does, or `userdel` and `useradd`.
fn rename_alice(to: &str) {
    for file in ["/etc/passwd", "/etc/group", "/etc/shadow"] {
        let text = fs::read_to_string(file).expect("our own /etc");
        fs::write(file, text.replace("alice", to)).expect("our own /etc");
    }
}

fn refuses_mallory(t: &Fixture, alice: &Secret, policy: &str) {
    let told = t.probe().login("mallory", [alice.fresh_code()]);
    assert_eq!((told.auth, told.code_prompts()), (Code::PERM_DENIED, 0), "{policy}: {told:?}");
    // Where the first factor is unknown the refusal looks like everybody's prompt.
    let neutral = Stack::cs1(&t.module()).login("mallory", [alice.fresh_code()]);
    assert_eq!((neutral.auth, neutral.code_prompts()), (Code::AUTH_ERR, 1), "{policy}: {neutral:?}");
    let recovery = Stack::cs1(&t.module()).login("mallory", [&alice.recovery[0]]);
    assert_eq!(recovery.auth, Code::AUTH_ERR, "{policy}: {recovery:?}");
    let states: Vec<_> = t.daemon.log("mallory").into_iter().map(|row| (row.state, row.uid)).collect();
    assert_eq!(states.len(), 3, "one row each: {states:?}");
    assert!(states.iter().all(|row| *row == ("denied".to_owned(), Some(ALICE.uid.into()))), "{states:?}");
}

#[test]
fn byp_19_a_uid_that_comes_back_under_another_name_inherits_nothing() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    for (policy, config) in [("everyone", fixture::CONFIG), ("enrolled", ENROLLED)] {
        // Each in a thread of its own, which takes its private /etc with it.
        let scene = move || {
            let mut t = Fixture::with_clock();
            t.daemon.configure(config);
            t.daemon.crash_and_restart();
            let alice = t.daemon.enroll("alice");
            assert_eq!(t.probe().login("alice", [alice.fresh_code()]).auth, Code::SUCCESS);
            rename_alice("mallory");
            refuses_mallory(&t, &alice, policy);
            let rows = t.daemon.log("mallory");
            assert!(
                rows.iter().any(|row| row.reason == "uid-renamed"),
                "the mismatch is in the log: {rows:?}"
            );
            let status = t.daemon.ctl().run(&["status", "mallory"]).ok();
            assert!(!status.stdout.contains("totp"), "{status:?}");
            let enroll = t.daemon.ctl().run_with(&["enroll", "mallory", "--json"], "000000\n");
            assert_ne!(enroll.code, Some(0), "not before somebody has looked: {enroll:?}");

            let reset = ["reset", "alice", "--reason", "the account was renamed", "--yes"];
            let _ = t.daemon.ctl().run(&reset).ok();
            let mallory = t.daemon.enroll("mallory");
            assert!(!t.cs().login("mallory", [alice.fresh_code()]).passed(), "alice's app opens nothing");
            let outcome = t.cs().login("mallory", [mallory.fresh_code()]);
            assert!(outcome.passed(), "{policy}: {outcome:?}");
        };
        std::thread::spawn(scene).join().expect("the scene");
    }
}
