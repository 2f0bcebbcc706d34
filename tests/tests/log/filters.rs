//! What the log is asked, and who may ask.

use super::{log, require_all};
use countersign_tests::people::ALICE;
use countersign_tests::{Fixture, HANG_UP, Secret};
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

fn history(t: &Fixture) -> Secret {
    let alice = t.daemon.enroll("alice");
    assert!(t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    let wrong = alice.wrong_code(1);
    assert!(!t.cs().visit("alice").rhost("192.0.2.200").run(vec![&wrong; 3]).passed());
    let _ = t.cs().visit("alice").rhost("2001:db8::7").run([HANG_UP]);
    assert!(t.cs().visit("carol").rhost("::ffff:198.51.100.1").run([""; 0]).passed());
    assert!(!t.cs().visit("bob").tty("tty1").run([""; 0]).passed());
    alice
}

#[test]
fn the_log_answers_what_it_is_asked() {
    require_all!();
    let t = Fixture::with_clock();
    let _alice = history(&t);
    let ids = |args: &[&str]| log(&t, args).iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(&[]), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&["alice"]), [1, 2, 3]);
    assert_eq!(ids(&["--user", "alice", "--state", "denied"]), [2]);
    assert_eq!(ids(&["--state", "denied,abandoned"]), [2, 3, 5]);
    assert_eq!(ids(&["--state", "abandoned"]), [3]);
    assert_eq!(ids(&["--state", "verified", "--state", "skipped"]), [1, 4]);
    assert_eq!(ids(&["--from", "192.0.2.7"]), [1]);
    assert_eq!(ids(&["--from", "192.0.2.0/24"]), [1, 2]);
    assert_eq!(ids(&["--from", "2001:db8::/32"]), [3]);
    assert_eq!(ids(&["--from", "198.51.100.1"]), [4], "a mapped address is the one it maps");
    assert_eq!(ids(&["--from", "local"]), [5]);
    assert_eq!(ids(&["--from", "0.0.0.0/0"]), [1, 2, 4]);
    assert_eq!(ids(&["--service", "cs"]), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&["--service", "other"]), [0_i64; 0]);
    assert_eq!(ids(&["--policy", "operators", "--limit", "2"]), [3, 5]);
    assert_eq!(ids(&["--policy", "operators", "--state", "denied", "--from", "192.0.2.0/24"]), [2]);
    assert_eq!(ids(&["--since", "1h"]), [1, 2, 3, 4, 5]);
    assert_eq!(ids(&["--until", "1h"]), [0_i64; 0]);
    assert_eq!(ids(&["--since", "2099-01-01"]), [0_i64; 0]);
    for (args, says) in [
        (
            &["--state", "sleeping"][..],
            "asked, verified, denied, locked, skipped, would-ask, abandoned, enrolled",
        ),
        (&["--since", "yesterday"], "2026-11-22"),
        (&["--until", "2026-02-30"], "2026-11-22"),
        (&["--from", "host.example"], "host names are never looked up"),
        (&["--from", "10.1.2.3/8"], "10.0.0.0/8"),
    ] {
        let args: Vec<&str> = ["log"].iter().chain(args).copied().collect();
        let out = t.daemon.ctl().run(&args);
        assert_eq!(out.code, Some(2), "{args:?}: {out:?}");
        // However its lines are broken.
        let said = out.stderr.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{args:?}: {out:?}");
    }
}

/// The clock of a host jumps: rows are found by their times all the same.
#[test]
fn inp_11_times_are_found_over_jumps_of_the_clock() {
    require_all!();
    let t = Fixture::with_clock();
    let visit = || assert!(t.cs().visit("carol").run([""; 0]).passed());
    visit();
    t.clock().shift(-40 * 24 * 3600);
    visit();
    t.clock().shift(10 * 24 * 3600);
    visit();
    t.clock().shift(30 * 24 * 3600);
    visit();
    let ids = |args: &[&str]| log(&t, args).iter().map(|row| row.id).collect::<Vec<_>>();
    assert_eq!(ids(&["--since", "1d"]), [1, 4]);
    assert_eq!(ids(&["--until", "1d"]), [2, 3]);
    assert_eq!(ids(&["--since", "35d", "--until", "1d"]), [3]);
}

/// DIS-08: a password typed as a name is not kept, and people see what is theirs.
#[test]
fn dis_08_people_see_their_own_logins_only_and_no_password_typed_as_a_name() {
    require_all!();
    let t = Fixture::with_clock();
    let _alice = history(&t);
    let password = "correct-horse-battery";
    assert!(!t.cs().visit(password).rhost("203.0.113.9").run(["123456"]).passed());
    let own = t.daemon.ctl().as_uid(ALICE.uid);
    assert!(own.log(&[]).iter().all(|row| row.user == "alice"));
    assert_eq!(own.log(&["--state", "denied"]).len(), 1);
    for others in [&["--all"][..], &["bob"], &["--user", "bob"], &["--all", "--follow"]] {
        let args: Vec<&str> = ["log"].iter().chain(others).copied().collect();
        let out = own.run(&args);
        assert_eq!(out.code, Some(4), "{args:?}: {out:?}");
        assert_eq!(out.stdout, "", "{args:?}");
    }
    for verb in [&["log", "acts"][..], &["log", "verify"], &["log", "accept", "--reason", "x", "--yes"]] {
        assert_eq!(own.run(verb).code, Some(4), "{verb:?}");
    }
    let everything = t.daemon.ctl().run(&["log", "--json"]).ok().stdout + &t.daemon.said();
    assert!(!everything.contains(password), "{everything}");
    assert!(everything.contains("unknown:"), "{everything}");
    let database = std::fs::read(t.daemon.database()).expect("the database");
    assert!(!database.windows(password.len()).any(|part| part == password.as_bytes()));
}

/// `--follow` prints what finishes, over a restart of the daemon, and ends with its reader.
#[test]
fn log_follow_survives_a_restart_and_ends_with_its_reader() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = history(&t);
    let mut child = Command::new(countersign_tests::artifacts::ctl())
        .args(["--bus", &t.bus.address(), "log", "--follow", "--json", "--limit", "1", "--user", "alice"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("countersignctl");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut next = || -> serde_json::Value {
        serde_json::from_str(&lines.next().expect("a line").expect("text")).expect("JSON")
    };
    assert_eq!(next()["id"], 3, "the newest of before");
    assert!(t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    let row = next();
    assert_eq!((row["id"].as_i64(), row["state"].as_str()), (Some(6), Some("verified")));
    assert_eq!(row["confirmed"], true, "as it finished");
    t.daemon.stop();
    std::thread::sleep(Duration::from_millis(700));
    t.daemon.resume();
    assert!(t.cs().visit("carol").run([""; 0]).passed(), "not asked about");
    let wrong = alice.wrong_code(1);
    assert!(!t.cs().visit("alice").run(vec![&wrong; 3]).passed());
    let row = next();
    assert_eq!((row["user"].as_str(), row["state"].as_str()), (Some("alice"), Some("denied")));
    drop(lines);
    let until = Instant::now() + Duration::from_secs(5);
    while child.try_wait().expect("a child").is_none() {
        assert!(Instant::now() < until, "it goes on without a reader");
        std::thread::sleep(Duration::from_millis(50));
    }
    let mut said = String::new();
    std::io::Read::read_to_string(&mut child.stderr.take().expect("piped"), &mut said).expect("text");
    assert_eq!(said, "", "without noise");
}
