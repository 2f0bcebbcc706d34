//! RPL-14 and DAT-04: a machine that slept, one that was set back, and files of two different moments.

use super::assert_fresh_code_passes;
use countersign_tests::daemon::StartAttempt;
use countersign_tests::{Code, Days, Fixture, World, require};
use std::fs;
use std::path::Path;
use std::time::Duration;

const DB: &str = "countersign.db";
const WAL: &str = "countersign.db-wal";

/// The machine sleeps for an hour between prompt and answer: boot time goes on, and so whatever lives for
/// minutes is over, however young the wall clock thinks it is.
#[test]
fn rpl_14_an_hour_asleep_ends_logins_and_invitations() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let world = World::enter();
    let mut days = Days::start(&world);
    let alice = days.daemon.enroll("alice");
    let invited = days.daemon.ctl().run(&["invite", "bob", "--json"]).ok().json();
    let invitation = invited[0]["code"].as_str().expect("an invitation").to_owned();
    let held = days.cs().hold("alice");
    days.wait(Duration::from_secs(3600));
    // The wall clock stood still meanwhile, as in a snapshot.
    let code = alice.fresh_code();
    let late = held.answer(&code);
    assert!(!late.passed(), "the login is over: {late:?}");
    let fresh = days.cs().login("alice", [&code]);
    assert!(fresh.passed(), "the code itself was not looked at: {fresh:?}");
    let refused = days.daemon.ctl().as_uid(5002).refused_enroll(&["--invitation", &invitation], "");
    assert!(refused.complaint().contains("invitation"), "{refused:?}");
}

fn keep(t: &Fixture, into: &Path) {
    fs::create_dir_all(into).expect("our own folder");
    for name in [DB, WAL, "instance"] {
        fs::copy(t.daemon.state().join(name), into.join(name)).expect("a copy");
    }
}

/// Puts a file of then in the place of that of now, with its owner and mode.
fn put(t: &Fixture, from: &Path, name: &str) {
    let path = t.daemon.state().join(name);
    fs::write(&path, fs::read(from.join(name)).expect("of then")).expect("our own file");
    std::os::unix::fs::chown(&path, Some(t.daemon.uid()), Some(t.daemon.uid())).expect("our own file");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    fs::set_permissions(&path, mode).expect("our own file");
}

fn refuses(t: &mut Fixture, what: &str) {
    let before = t.daemon.said().len();
    let attempt = t.daemon.try_start();
    let said = t.daemon.said()[before..].to_owned();
    assert!(matches!(attempt, StartAttempt::Ended(_)), "{what}: {attempt:?}\n{said}");
    assert!(said.contains("was rolled back"), "{what}: {said}");
    assert!(said.contains("--accept-older"), "{what}: what to do about it: {said}");
}

/// The database of a snapshot beside what has gone on since, and its parts beside each other's.
#[test]
fn rpl_14_dat_04_files_of_two_moments_are_refused() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    assert_fresh_code_passes(&t, &alice);
    t.daemon.kill9();
    let base = t.daemon.state().parent().expect("a folder").to_owned();
    let (old, new) = (base.join("old"), base.join("new"));
    keep(&t, &old);
    t.daemon.resume();
    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());
    t.daemon.kill9();
    keep(&t, &new);
    for (what, files) in [
        ("database and log of a snapshot", &[DB, WAL][..]),
        ("an old log with a new database", &[WAL]),
        ("an old database with a new log", &[DB]),
    ] {
        for name in [DB, WAL, "instance"] {
            put(&t, &new, name);
        }
        for name in files {
            put(&t, &old, name);
        }
        refuses(&mut t, what);
    }
    // An old log with a new database that has none: what was folded in is in the file.
    for name in [DB, WAL, "instance"] {
        put(&t, &new, name);
    }
    t.daemon.resume();
    t.daemon.stop();
    put(&t, &old, WAL);
    refuses(&mut t, "an old log beside a folded database");
    for answer in [&code, &alice.fresh_code()] {
        let denied = t.cs().login("alice", [answer]);
        assert_eq!(denied.auth, Code::AUTHINFO_UNAVAIL, "{denied:?}");
    }
    drop(fs::remove_file(t.daemon.state().join(WAL)));
    for name in [DB, WAL, "instance"] {
        put(&t, &new, name);
    }
    t.daemon.resume();
    assert!(!t.cs().login("alice", [&code]).passed(), "used");
    assert_fresh_code_passes(&t, &alice);
}

/// A log that holds nothing durable: prompts that nobody answered. It says nothing of any generation, so the
/// database is not refused; but no code is new again by it, and the attempt log tells.
#[test]
fn dat_04_an_old_log_of_prompts_makes_no_code_new() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    t.daemon.resume();
    let _ = t.cs().hold("alice").hang_up();
    let _ = t.cs().hold("alice").hang_up();
    t.daemon.kill9();
    let old = t.daemon.state().parent().expect("a folder").join("old");
    keep(&t, &old);
    t.daemon.resume();
    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());
    t.daemon.stop();
    put(&t, &old, WAL);
    let attempt = t.daemon.try_start();
    if attempt == StartAttempt::Ready {
        assert!(!t.cs().login("alice", [&code]).passed(), "used");
        let checked = t.daemon.ctl().run(&["log", "verify"]);
        assert_eq!(checked.code, Some(6), "the log says that it is not what was written: {checked:?}");
    } else {
        assert!(t.daemon.said().contains("rolled back") || t.daemon.said().contains("damaged"));
    }
}
