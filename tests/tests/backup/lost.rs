//! The database is gone, or an older copy lies in its place.

use super::{Place, complaint, passes};
use countersign_tests::{Code, Fixture, artifacts, require};
use std::fs;
use std::process::{Command, Output};

/// `countersignd` with these arguments on this daemon's files, as root types it.
pub(super) fn offline(t: &Fixture, args: &[&str]) -> Output {
    let mut command = Command::new(artifacts::daemon());
    command.args(args).arg("--state").arg(t.daemon.state()).arg("--key-file").arg(t.daemon.key_file());
    if let Some(clock) = t.daemon.clock() {
        clock.apply(&mut command);
    }
    command.output().expect("run countersignd")
}

fn said(out: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr))
}

pub(super) fn remove_database(t: &Fixture) {
    for name in ["countersign.db", "countersign.db-wal"] {
        drop(fs::remove_file(t.daemon.state().join(name)));
    }
}

#[test]
fn rpl_12_by_cp_it_is_detected_and_accepted_only_without_recovery_codes() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let older = fs::read(t.daemon.database()).expect("the database");
    t.daemon.resume();
    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());
    let refused = offline(&t, &["--accept-older"]);
    assert!(!refused.status.success() && said(&refused).contains("another countersignd runs"), "{refused:?}");
    t.daemon.stop();
    let refused = offline(&t, &["--accept-older"]);
    assert!(!refused.status.success() && said(&refused).contains("is not older"), "{refused:?}");
    fs::write(t.daemon.database(), &older).expect("cp");
    drop(fs::remove_file(t.daemon.state().join("countersign.db-wal")));
    let at_start = t.daemon.try_start();
    assert!(matches!(at_start, countersign_tests::daemon::StartAttempt::Ended(_)), "{at_start:?}");
    assert!(t.daemon.said().contains("was rolled back"), "{}", t.daemon.said());
    let denied = t.cs().login("alice", [alice.recovery[0].as_str()]);
    assert_eq!(denied.auth, Code::AUTHINFO_UNAVAIL, "nothing is taken until somebody accepts: {denied:?}");

    let accepted = offline(&t, &["--accept-older"]);
    assert!(accepted.status.success(), "{accepted:?}");
    t.daemon.resume();
    assert!(!t.cs().login("alice", [&code]).passed(), "a code used since stays dead");
    let void = t.cs().login("alice", [alice.recovery[0].as_str()]);
    assert!(!void.passed(), "{void:?}");
    t.clock().shift(120);
    passes(&t, &alice);
    says_what_was_put_in_place(&t, "AcceptOlder", "an older copy");
}

/// `log verify` holds, and says who put what in place: what was logged in between is not there.
fn says_what_was_put_in_place(t: &Fixture, verb: &str, what: &str) {
    let said = t.daemon.ctl().run(&["log", "verify", "--json"]).ok().json().remove(0);
    let placed = said["restored"].as_array().and_then(|all| all.last()).unwrap_or_else(|| panic!("{said}"));
    assert_eq!((placed["verb"].as_str(), placed["actor"].as_str()), (Some(verb), Some("root")), "{said}");
    assert!(placed["after"].as_str().is_some_and(|after| after.starts_with(what)), "{said}");
    let spoken = t.daemon.ctl().run(&["log", "verify"]).ok().stdout;
    assert!(spoken.contains("root put a database in place while nothing ran"), "{spoken}");
    let acts = t.daemon.ctl().run(&["log", "acts", "--verb", verb, "--json"]).ok().json();
    assert!(!acts.is_empty());
}

#[test]
fn dat_03_a_backup_is_put_where_the_database_is_gone() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let backup = place.backup(&t.daemon.ctl(), "b");
    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());
    let runs = offline(&t, &["--restore", &backup]);
    assert!(!runs.status.success() && said(&runs).contains("countersignctl restore FILE"), "{runs:?}");
    t.daemon.kill9();
    // A new disk: with the instance file of before, and without.
    for all in [false, true] {
        remove_database(&t);
        if all {
            fs::remove_file(t.daemon.state().join("instance")).expect("the instance file");
        }
        let away = t.daemon.ctl().run(&["restore", &backup, "--dry-run"]);
        assert!(away.code == Some(5) && complaint(&away).contains("countersignd --restore"), "{away:?}");
        let placed = offline(&t, &["--restore", &backup]);
        assert!(placed.status.success(), "{placed:?}");
        t.daemon.resume();
        assert!(!t.cs().login("alice", [&code]).passed(), "a code used since stays dead");
        let void = t.cs().login("alice", [alice.recovery[0].as_str()]);
        assert!(!void.passed(), "{void:?}");
        let _ = t.daemon.ctl().run(&["unlock", "alice"]).ok();
        t.clock().shift(120);
        passes(&t, &alice);
        t.daemon.stop();
    }
    // A new machine: the key is gone as well, and comes with the backup.
    let key = place.path("key");
    fs::rename(t.daemon.key_file(), &key).expect("move the key");
    remove_database(&t);
    let without = offline(&t, &["--restore", &backup]);
    assert!(!without.status.success() && said(&without).contains("is missing"), "{without:?}");
    let placed = offline(&t, &["--restore", &backup, "--backup-key", &key]);
    assert!(placed.status.success(), "{placed:?}");
    t.daemon.resume();
    t.clock().shift(120);
    passes(&t, &alice);
    says_what_was_put_in_place(&t, "RestoreOffline", "a backup of 2");
}
