//! What the daemon itself tells `countersignctl doctor`, and the doctor when it tells nothing.

use countersign_tests::scratch::Scratch;
use countersign_tests::{Fixture, Secret, require};
use serde_json::Value;
use std::os::unix::fs::FileExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

/// What is found of one kind: the evidence; `None` where it is not found.
fn found(t: &Fixture, id: &str) -> Option<Vec<String>> {
    let output = t.daemon.ctl().run(&["doctor", "--json"]);
    let report = output.json().pop().unwrap_or_else(|| panic!("{output:?}"));
    let findings = report["findings"].as_array().unwrap_or_else(|| panic!("{output:?}"));
    let finding = findings.iter().find(|finding| finding["id"] == id)?;
    let evidence = finding["evidence"].as_array().expect("a list").iter();
    Some(evidence.map(|line| line.as_str().expect("text").to_owned()).collect())
}

fn has(t: &Fixture, id: &str, evidence: &[&str]) {
    let found = found(t, id);
    assert_eq!(
        found.as_deref().map(|found| found.iter().map(String::as_str).collect()),
        Some(evidence.to_vec())
    );
}

#[test]
fn adm_12_phones_that_agree_tell_of_the_hosts_clock() {
    require!(Root);
    let t = Fixture::with_clock();
    let people: Vec<(&str, Secret)> =
        ["alice", "bob", "dave"].map(|user| (user, t.daemon.enroll(user))).into();
    let log_in = |offset: i64| {
        for (user, secret) in &people {
            t.clock().shift(90);
            assert!(t.cs().login(user, [secret.code_in(offset)]).passed(), "{user}");
        }
    };
    t.daemon.configure("[[policy]]\nname = \"all\"\n");
    let _ = t.daemon.ctl().run(&["policy", "apply", "--yes"]).ok();
    log_in(0);
    assert_eq!(found(&t, "clock-skew"), None);
    log_in(1);
    has(&t, "clock-skew", &["3 phones, the middle one 30 s ahead"]);
}

#[test]
fn adm_12_people_who_will_call_the_helpdesk_are_named() {
    require!(Root);
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let ctl = t.daemon.ctl();
    for id in ["past-date", "no-recovery-codes", "few-recovery-codes", "exemption-lapses", "clock-behind"] {
        assert_eq!(found(&t, id), None, "{id}");
    }
    has(&t, "backup-old", &["none was ever made"]);
    let folder = Scratch::new("backup");
    let file = folder.path().join("backup");
    let _ = ctl.run(&["backup", file.to_str().expect("UTF-8")]).ok();
    assert_eq!(found(&t, "backup-old"), None);
    let _ = ctl.run(&["require", "bob"]).ok();
    has(&t, "past-date", &["bob"]);
    let _ = ctl.run(&["exempt", "carol", "--until", "+20d", "--reason", "far", "--yes"]).ok();
    assert_eq!(found(&t, "exemption-lapses"), None);
    let _ = ctl.run(&["exempt", "carol", "--until", "+2d", "--reason", "near", "--yes"]).ok();
    assert!(found(&t, "exemption-lapses").is_some_and(|evidence| evidence[0].starts_with("carol: 20")));

    for (used, code) in alice.recovery.iter().enumerate() {
        t.clock().shift(60);
        assert!(t.cs().login("alice", [code.as_str(), "no"]).passed(), "{used}");
        if used == 7 {
            has(&t, "few-recovery-codes", &["alice: 2"]);
        }
    }
    has(&t, "no-recovery-codes", &["alice"]);
    assert_eq!(found(&t, "few-recovery-codes"), None);

    t.clock().shift(-3 * 24 * 3600);
    assert_eq!(found(&t, "clock-behind").map(|evidence| evidence.len()), Some(1));
}

/// Whether the daemon is stopped, frozen or without a bus: a report within seconds, and a problem.
#[test]
fn adm_12_a_daemon_that_says_nothing_is_the_first_finding() {
    require!(Root);
    let mut t = Fixture::with_clock();
    let away = |t: &Fixture| -> (String, Option<i32>) {
        let begun = Instant::now();
        let output = t.daemon.ctl().run(&["doctor", "--json"]);
        assert!(begun.elapsed() < Duration::from_secs(14), "{:?}", begun.elapsed());
        let report: Value = output.json().pop().unwrap_or_else(|| panic!("{output:?}"));
        let first = report["findings"][0]["id"].as_str().expect("an id").to_owned();
        // The rest is looked at all the same.
        assert!(report["findings"].as_array().is_some_and(|all| all.len() > 1), "{report}");
        (first, output.code)
    };
    t.daemon.freeze();
    assert_eq!(away(&t), ("daemon-away".to_owned(), Some(6)));
    t.daemon.thaw();
    assert_eq!(found(&t, "daemon-away"), None);
    let _ = t.daemon.stop();
    assert_eq!(away(&t), ("daemon-away".to_owned(), Some(6)));
    t.bus.stop();
    assert_eq!(away(&t), ("bus-away".to_owned(), Some(6)));
}

/// A database of more than 16 MiB is checked too, while logins go on; and nothing of ours lets go of it.
#[test]
fn adm_12_damage_is_found_in_a_large_database() {
    require!(Root, Tool("sqlite3"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let fill = "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 9000) SELECT i FROM n;
        INSERT INTO notice (uid, name, at, kind, detail, told) SELECT 9000 + i, 'p', unixepoch(), 'enrolled', hex(zeroblob(1000)), unixepoch() FROM n";
    assert!(Command::new("sqlite3").arg(t.daemon.database()).arg(fill).status().expect("sqlite3").success());
    t.daemon.resume();
    assert!(std::fs::metadata(t.daemon.database()).expect("the database").len() > 16 << 20);
    let looked_at = || {
        let skipped = found(&t, "not-looked-at").unwrap_or_default();
        (
            found(&t, "database-damaged"),
            skipped.iter().any(|why| !why.contains("timedatectl") && !why.contains("ystemd")),
        )
    };
    assert_eq!(looked_at(), (None, false));
    assert_eq!(looked_at(), (None, false));
    let other =
        Command::new("sqlite3").arg(t.daemon.database()).arg("SELECT * FROM meta").output().expect("sqlite3");
    assert!(String::from_utf8_lossy(&other.stderr).contains("locked"), "the daemon's lock stands: {other:?}");

    let file = std::fs::OpenOptions::new().write(true).open(t.daemon.database()).expect("the database");
    file.write_all_at(&[0x55; 4096], 8 << 20).expect("a page spoilt");
    let (damage, skipped) = looked_at();
    assert!(damage.as_ref().is_some_and(|what| !what.is_empty()) && !skipped, "{damage:?} {skipped}");
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "what is whole still serves");
}
