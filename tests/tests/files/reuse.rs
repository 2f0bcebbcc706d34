//! BYP-19: a uid that comes back under another name.

use countersign_tests::people::ALICE;
use countersign_tests::{Code, Fixture, Secret, Stack, fixture, require};
use std::fs;

/// Everybody who has a factor is asked, in every service; nobody else is.
const ENROLLED: &str = "issuer = \"Acme\"\n[[policy]]\nname = \"opt-in\"\nrequire = \"enrolled\"\n";

/// Gives alice's uid another name, as `usermod -l` does, or `userdel` and `useradd`.
fn rename_alice(to: &str) {
    rename_to("alice", to);
}

fn rename_to(name: &str, to: &str) {
    for file in ["/etc/passwd", "/etc/group", "/etc/shadow"] {
        let text = fs::read_to_string(file).expect("our own /etc");
        fs::write(file, text.replace(name, to)).expect("our own /etc");
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

/// DAT-06: an account that is renamed. Its factors are kept, and are bound to the new name by an administrator
/// alone: to the machine it looks like a uid that somebody else got.
#[test]
fn dat_06_a_renamed_account_keeps_its_factors_and_is_bound_anew_by_hand() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    rename_alice("alicia");
    assert!(!t.cs().login("alicia", [alice.fresh_code()]).passed());
    let users = t.daemon.ctl().run(&["users", "--json"]).ok().json();
    assert_eq!(users[0]["user"], "alice", "kept: {users:?}");
    let refused = t.daemon.ctl().refused_enroll(&["alicia"], "");
    let way = "was known as alice and is now alicia; if they are the same person or alice is gone, run \
               `countersignctl reset alice` first";
    assert!(refused.complaint().contains(way), "{refused:?}");
    // Renamed by mistake and back: nothing was lost meanwhile.
    rename_to("alicia", "alice");
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
}

/// A group of a policy that is renamed: it resolves no more, and whoever may have been in it is asked.
#[test]
fn dat_06_a_renamed_group_asks_everybody_until_the_policy_names_it() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE, "not in the group");
    rename_to("mfa-required", "mfa-renamed");
    // Who is in which group is remembered for some seconds.
    t.daemon.crash_and_restart();
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "still asked, and let in by a code");
    assert!(!t.cs().login("alice", [alice.wrong_code(1)]).passed(), "still asked");
    let carol = t.probe().login("carol", [""; 0]);
    assert_ne!(carol.auth, Code::IGNORE, "whether she is in it cannot be known: {carol:?}");
    t.daemon.configure(&fixture::CONFIG.replace("mfa-required", "mfa-renamed"));
    let _ = t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--reason", "renamed", "--yes"]).ok();
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE);
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
}
