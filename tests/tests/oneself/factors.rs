//! Removing, renaming and putting right what one has; recovery codes.

use crate::{apply, apps, as_one, codes_left, config, done, notices, require_all, start};
use countersign_tests::people::{ALICE, DAVE};
use countersign_tests::polkit::{Polkit, Says};
use countersign_tests::{Fixture, Secret};

fn typed(secret: &Secret) -> String {
    format!("{}\n", secret.fresh_code())
}

#[test]
fn enr_03_removing_and_renaming_ask_for_a_factor() {
    require_all!();
    let t = start("at-login");
    let alice = t.daemon.enroll("alice");
    let shell = as_one(&t, ALICE);
    let wrong = (0..3).map(|n| alice.wrong_code(n) + "\n").collect::<String>();
    for args in
        [&["remove", "app", "--yes"][..], &["rename", "app", "mine"], &["recovery-codes", "--new", "--json"]]
    {
        for lines in ["", wrong.as_str()] {
            let out = shell.run_with(args, lines);
            assert!(out.code != Some(0) && out.stdout.is_empty(), "{args:?}: {out:?}");
            done(&t, &["unlock", "alice"]);
        }
    }
    assert_eq!(apps(&t, "alice"), ["app"]);
    assert_eq!(shell.run_with(&["rename", "app", "mine"], &typed(&alice)).code, Some(0));
    assert_eq!(apps(&t, "alice"), ["mine"]);
    assert_eq!(shell.run_with(&["remove", "other", "--yes"], &typed(&alice)).code, Some(3));

    // The last one stays while a policy asks her for one; root may take it.
    let last = shell.run_with(&["remove", "mine", "--yes"], &typed(&alice));
    assert!(last.code == Some(4) && last.complaint().contains("your last one"), "{last:?}");
    let tablet = shell.try_enroll(&["--name", "tablet"], &typed(&alice), t.daemon.clock().cloned());
    let tablet = tablet.unwrap_or_else(|out| panic!("{out:?}"));
    assert_eq!(shell.run_with(&["remove", "mine", "--yes"], &typed(&tablet)).code, Some(0));
    assert_eq!((apps(&t, "alice"), codes_left(&t, "alice")), (vec!["tablet".to_owned()], 10));
    assert!(!t.cs().login("alice", [alice.fresh_code()]).passed());
    assert!(t.cs().login("alice", [tablet.fresh_code()]).passed());
    assert_eq!(notices(&t, "alice")[0], "removed");
    assert_eq!(t.daemon.ctl().run(&["remove", "tablet", "alice", "--yes"]).code, Some(2), "no reason");
    done(&t, &["remove", "tablet", "alice", "--yes", "--reason", "left"]);
    assert_eq!((apps(&t, "alice"), codes_left(&t, "alice")), (vec![], 0));

    // dave opted in, and may opt out.
    let dave = t.daemon.enroll("dave");
    assert_eq!(as_one(&t, DAVE).run_with(&["remove", "app", "--yes"], &typed(&dave)).code, Some(0));
    assert!(t.cs().login("dave", [""; 0]).passed(), "nothing is asked any more");
}

#[test]
fn rpl_07_two_codes_put_right_what_a_clock_did() {
    require_all!();
    let t = start("at-login");
    let alice = t.daemon.enroll("alice");
    // This host's clock was an hour ahead for one login.
    t.clock().shift(3600);
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
    t.clock().shift(-3600);
    let now = alice.step();
    assert!(!t.cs().login("alice", [alice.code_at(now)]).passed(), "every code seems used");
    let shell = as_one(&t, ALICE);
    let two = |a: u64, b: u64| format!("{}\n{}\n", alice.code_at(a), alice.code_at(b));
    let wrong = shell.run_with(&["resync"], &two(now, now + 5));
    assert!(wrong.code == Some(1) && wrong.complaint().contains("not right"), "{wrong:?}");
    assert_eq!(shell.run_with(&["resync"], &two(now, now + 1)).code, Some(0));
    assert!(!t.cs().login("alice", [alice.code_at(now + 1)]).passed(), "used by it");
    assert!(t.cs().login("alice", [alice.code_at(now + 2)]).passed());

    // A phone that is five minutes ahead; then guessing, which is paid for like any other.
    t.clock().shift(3600);
    let theirs = alice.step() + 10;
    assert!(!t.cs().login("alice", [alice.code_at(theirs)]).passed());
    let out = t.daemon.ctl().run_with(&["resync", "alice"], &two(theirs + 1, theirs + 2));
    assert!(out.code == Some(0) && out.stdout.contains("360 s ahead"), "{out:?}");
    assert!(t.cs().login("alice", [alice.code_at(theirs + 3)]).passed());
    for _ in 0..6 {
        assert_ne!(shell.run_with(&["resync"], "000000\n111111\n").code, Some(0));
    }
    let locked = shell.run_with(&["resync"], &two(theirs + 4, theirs + 5));
    assert!(locked.complaint().contains("too many tries"), "the right ones are not looked at: {locked:?}");
}

#[test]
fn enr_08_a_new_set_voids_the_old_at_once_and_not_too_often() {
    require_all!();
    let t = start("at-login");
    let alice = t.daemon.enroll("alice");
    let shell = as_one(&t, ALICE);
    let left = shell.run(&["recovery-codes"]).ok();
    assert!(left.stdout.contains("10 recovery codes left"), "{left:?}");
    let early = shell.run_with(&["recovery-codes", "--new", "--json"], &typed(&alice));
    assert!(early.code == Some(1) && early.complaint().contains("can be made in"), "{early:?}");
    t.clock().shift(2 * 3600 + 60);
    let to_file = shell.run_with(&["recovery-codes", "--new"], &typed(&alice));
    assert_eq!((to_file.code, to_file.stdout.as_str()), (Some(2), ""), "not into a pipe unasked");
    let made = shell.run_with(&["recovery-codes", "--new", "--json"], &typed(&alice)).ok().json();
    let new: Vec<String> = made[0]["recovery_codes"]
        .as_array()
        .expect("codes")
        .iter()
        .map(|code| code.as_str().expect("a code").to_owned())
        .collect();
    assert_eq!((new.len(), codes_left(&t, "alice")), (10, 10));
    assert!(new.iter().all(|code| !alice.recovery.contains(code)));
    assert_eq!(notices(&t, "alice")[0], "new-codes");
    assert!(!t.cs().login("alice", [alice.recovery[0].as_str()]).passed(), "the old set");
    assert!(t.cs().login("alice", [new[0].as_str()]).passed());
    // A clock that is turned back gives no set earlier.
    t.clock().shift(-86_400);
    assert_eq!(t.daemon.ctl().run(&["recovery-codes", "alice", "--new", "--json"]).code, Some(1));
}

#[test]
fn adm_02_recovery_codes_are_viewed_where_policy_says_and_told() {
    require_all!();
    let t = start("at-login");
    let alice = t.daemon.enroll("alice");
    let view =
        |t: &Fixture| t.daemon.ctl().run(&["recovery-codes", "alice", "--view", "--reason", "x", "--json"]);
    let hashed = view(&t);
    assert!(hashed.code == Some(1) && hashed.stdout.is_empty(), "{hashed:?}");
    apply(&t, &format!("{}\n[recovery]\nviewable = true\n", config("at-login")));
    let before = view(&t);
    assert!(before.code == Some(1) && before.stdout.is_empty(), "made to be shown once: {before:?}");
    for verb in [&["status", "alice", "--json"][..], &["users", "--json"], &["log", "--json"]] {
        let out = t.daemon.ctl().run(verb).ok();
        assert!(!out.stdout.contains(&alice.base32) && !out.stdout.contains(&alice.recovery[0]), "{verb:?}");
    }

    t.clock().shift(3 * 3600);
    let made = t.daemon.ctl().run(&["recovery-codes", "alice", "--new", "--json"]).ok().json();
    let first = made[0]["recovery_codes"][0].as_str().expect("a code").to_owned();
    let seen = view(&t).ok().json();
    assert_eq!(seen[0], made[0]);
    assert_eq!(notices(&t, "alice")[0], "codes-viewed");
    assert!(t.cs().login("alice", [first.as_str()]).passed());
    let seen = view(&t).ok();
    assert!(!seen.stdout.contains(&first), "only those unused: {seen:?}");
    let polkit = Polkit::saying(&t.bus, Says::No);
    for who in [ALICE, DAVE] {
        let out = as_one(&t, who).run(&["recovery-codes", "alice", "--view", "--reason", "x", "--json"]);
        assert_eq!((out.code, out.stdout.as_str()), (Some(4), ""), "{out:?}");
    }
    assert!(polkit.asked().iter().all(|one| one.action == "org.countersign1.view-recovery-codes"));
    let file = std::fs::read(t.daemon.database()).expect("the database");
    let bare = first.replace('-', "");
    let holds = |words: &str| file.windows(words.len()).any(|part| part == words.as_bytes());
    assert!(!holds(&first) && !holds(&bare), "sealed on disk");
}
