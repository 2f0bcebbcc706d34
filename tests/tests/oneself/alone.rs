//! Everything that people do for themselves, without root and without polkit.

use super::{apps, as_one, codes_left, require_all, start};
use countersign_tests::people::{ALICE, CAROL, DAVE};

#[test]
fn people_do_everything_of_their_own_without_root() {
    require_all!();
    let t = start("invited");
    let secret = t.daemon.enroll("alice");
    let alice = as_one(&t, ALICE);
    let typed = || format!("{}\n", secret.fresh_code());

    let person = alice.run(&["status", "--json"]).ok().json().remove(0);
    assert_eq!(person["user"], "alice");
    assert!(alice.run(&["status"]).ok().stdout.contains("totp"));
    let log = alice.run(&["log", "--json"]).ok();
    assert!(log.json().iter().all(|row| row["user"] == "alice"), "{log:?}");
    assert!(alice.run(&["recovery-codes"]).ok().stdout.contains("10 recovery codes left"));
    let _ = alice.run(&["email"]).ok();

    assert_eq!(alice.run(&["rename", "app", "phone"]).code, Some(1), "a code is asked for");
    let _ = alice.run_with(&["rename", "app", "phone"], &typed()).ok();
    assert_eq!(apps(&t, "alice"), ["phone"]);
    let asked = alice.run_with(&["request-reset", "carol", "--reason", "lost"], &typed());
    assert_ne!(asked.code, Some(4), "asking is for every colleague: {asked:?}");
    // The rest of the verbs is about others, and without polkit nobody's but root's.
    for args in [
        &["status", "carol"][..],
        &["log", "carol"],
        &["users"],
        &["reset", "carol", "--reason", "x", "--yes"],
        &["unlock", "alice"],
        &["invite", "alice"],
        &["exempt", "alice", "--until", "+1d", "--reason", "x", "--yes"],
        &["policy", "explain", "alice"],
    ] {
        assert_eq!(alice.run(args).code, Some(4), "{args:?}");
    }
    let last = alice.run_with(&["remove", "phone", "--yes"], &typed());
    assert!(last.code == Some(4) && last.complaint().contains("your last one"), "{last:?}");
    assert_eq!((apps(&t, "alice").len(), codes_left(&t, "alice")), (1, 10));

    // Who may opt in begins from nothing; the first factor takes an invitation.
    let code = t.daemon.ctl().run(&["invite", "carol", "--json"]).ok().json().remove(0);
    let code = code["code"].as_str().expect("a code").to_owned();
    let carol = as_one(&t, CAROL);
    let enrolled = carol.try_enroll(&["--invitation", &code], "", t.daemon.clock().cloned());
    let hers = enrolled.unwrap_or_else(|out| panic!("{out:?}"));
    assert_eq!(apps(&t, "carol"), ["app"]);
    let _ = carol.run_with(&["remove", "app", "--yes"], &format!("{}\n", hers.fresh_code())).ok();
    assert_eq!((apps(&t, "carol").len(), codes_left(&t, "carol")), (0, 0));
    assert_eq!(as_one(&t, DAVE).run(&["status", "carol"]).code, Some(4));
}
