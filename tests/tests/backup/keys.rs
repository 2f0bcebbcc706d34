//! A new sealing key, and what dies meanwhile.

use super::contents::Contents;
use super::killed::{moments, tool};
use super::{Place, complaint, fates, passes, restore};
use countersign_tests::daemon::StartAttempt;
use countersign_tests::faults::Strace;
use countersign_tests::fixture::CONFIG;
use countersign_tests::{Code, Fixture, Secret, require};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::time::{Duration, Instant};

fn rekey(t: &Fixture) -> countersign_tests::ctl::CtlOutput {
    t.daemon.ctl().run(&["rekey", "--yes", "--key-file", &t.daemon.key_file().display().to_string()])
}

fn key_text(t: &Fixture) -> String {
    fs::read_to_string(t.daemon.key_file()).expect("the key file")
}

/// What was hashed before stays true: names that nobody has get the same hash.
fn concealed(t: &Fixture) -> String {
    let _ = t.cs().login("nobody-at-all", ["123456"]);
    let rows = t.daemon.log_of_all();
    rows.last().expect("a login").user.clone()
}

#[test]
fn dat_05_a_new_key_opens_all_that_was_sealed() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let before = place.backup(&t.daemon.ctl(), "before");
    let old_key = place.path("old-key");
    fs::copy(t.daemon.key_file(), &old_key).expect("a copy of the key");
    let name = concealed(&t);
    let old = key_text(&t);
    let out = rekey(&t).ok();
    assert!(out.stdout.contains("1 secret sealed by a new key"), "{out:?}");
    assert!(key_text(&t) != old && !key_text(&t).contains("previous"), "{}", key_text(&t));
    passes(&t, &alice);
    t.daemon.crash_and_restart();
    passes(&t, &alice);
    assert_eq!(concealed(&t), name, "hashes outlive the key");
    // The policy in force is vouched for by the same.
    assert!(!t.daemon.said().contains("was not written on this host"), "{}", t.daemon.said());

    let other = t.daemon.ctl().run(&["restore", &before, "--dry-run"]);
    assert!(complaint(&other).contains("before the sealing key was changed"), "{other:?}");
    let more = ["--key-file", &old_key, "--keep-recovery-codes", "--dry-run"];
    let report = restore(&t.daemon.ctl(), &before, &more);
    assert_eq!((fates(&report), &report["kept"]), (vec![], &1.into()));

    t.daemon.stop();
    let new = place.path("new-key");
    fs::copy(t.daemon.key_file(), &new).expect("a copy of the key");
    // Into the same file, which the daemon may read.
    fs::write(t.daemon.key_file(), fs::read(&old_key).expect("the old key")).expect("the old key");
    let attempt = t.daemon.try_start();
    assert!(matches!(attempt, StartAttempt::Ended(_)), "{attempt:?}");
    assert!(t.daemon.said().contains("is not the key that"), "{}", t.daemon.said());
    fs::write(t.daemon.key_file(), fs::read(&new).expect("the new key")).expect("the new key");
    t.daemon.resume();
    passes(&t, &alice);
}

/// Recovery codes that can be viewed are sealed, too.
#[test]
fn dat_05_a_new_key_opens_recovery_codes_that_can_be_viewed() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let mut t = Fixture::configured(&format!("{CONFIG}\n[recovery]\nviewable = true\n"));
    let alice = t.daemon.enroll("alice");
    let _ = rekey(&t).ok();
    t.daemon.kill9();
    let opens = Contents::of(&t.daemon).expect("a database").opens;
    assert_eq!(opens, vec![vec![true]; 1 + alice.recovery.len()], "each by the new key, which is alone");
    t.daemon.resume();
    let seen =
        t.daemon.ctl().run(&["recovery-codes", "alice", "--view", "--json", "--reason", "a test"]).ok();
    assert!(alice.recovery.iter().all(|code| seen.stdout.contains(code)), "{seen:?}");
}

/// It died in the middle: one key of those in the file opens everything, the login goes on by it, and the same
/// command again ends the change. `whole` tries all of that by logins, too.
fn recovers(t: &mut Fixture, alice: &Secret, what: &str, whole: bool) {
    t.daemon.kill9();
    let opens = Contents::of(&t.daemon).expect("a database").opens;
    assert!(!opens.is_empty() && opens.iter().all(|one| *one == opens[0]), "{what}: two keys: {opens:?}");
    assert!(opens[0].contains(&true), "{what}: no key opens it: {opens:?}");
    let key = t.daemon.key_file();
    let mode = fs::metadata(&key).expect("the key file").permissions().mode();
    assert_eq!(mode & 0o7777, 0o640, "{what}");
    t.daemon.resume();
    if whole {
        passes(t, alice);
    }
    let again = rekey(t);
    assert_eq!(again.code, Some(0), "{what}: {again:?}");
    assert!(!key_text(t).contains("previous"), "{what}");
    let left = fs::read_dir(key.parent().expect("a folder")).expect("a folder").count();
    assert_eq!(left, 2, "{what}: the key file and the configuration");
    if whole {
        t.daemon.crash_and_restart();
        passes(t, alice);
    }
}

#[test]
fn dat_05_the_daemon_is_killed_while_keys_change() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut killed = 0;
    for call in ["pwrite64", "fsync,fdatasync", "sendmsg"] {
        // Each takes a second, most of which the daemon waits for stragglers.
        for n in moments().step_by(2) {
            let fault = format!("{call}:signal=KILL:when={n}");
            let strace = Strace::inject(t.daemon.pid(), &fault);
            let out = rekey(&t);
            let until = Instant::now() + Duration::from_millis(20);
            while t.daemon.is_running() && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(1));
            }
            strace.end();
            let died = !t.daemon.is_running();
            killed += usize::from(died);
            recovers(&mut t, &alice, &format!("{fault}: {out:?}"), n == 1);
            if !died {
                break;
            }
        }
    }
    assert!(killed >= 6, "{killed}");
}

#[test]
fn dat_05_the_tool_is_killed_while_keys_change() {
    require!(
        Root,
        Ptrace,
        Tool("strace"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let key = t.daemon.key_file().display().to_string();
    let mut both = 0;
    for call in ["?rename,?renameat,?renameat2", "fsync", "?unlink,?unlinkat", "?fchown", "sendmsg"] {
        for n in moments() {
            let fault = format!("{call}:signal=KILL:when={n}");
            let before = key_text(&t);
            let done = tool(&t, &["rekey", "--yes", "--key-file", &key], &fault);
            let changing = key_text(&t).contains("previous");
            if !done && key_text(&t) == before && n > 2 {
                continue;
            }
            assert!(!done || !changing, "{fault}: told that it was done");
            both += usize::from(changing);
            recovers(&mut t, &alice, &fault, n == 2);
            if done {
                break;
            }
        }
    }
    assert!(both >= 3, "killed between both: {both}");
}

/// DAT-07: what cannot be read is denied, not remembered.
#[test]
fn dat_07_a_database_that_cannot_be_read_lets_nobody_in() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    passes(&t, &alice);
    // Nothing of it in memory, nor in the log.
    t.daemon.stop();
    t.daemon.resume();
    let code = alice.fresh_code();
    let strace = Strace::inject(t.daemon.pid(), "pread64:error=EIO");
    for _ in 0..2 {
        let denied = t.cs().login("alice", [&code]);
        assert_eq!(denied.auth, Code::AUTHINFO_UNAVAIL, "{denied:?}");
        let place = Place::new();
        let out = t.daemon.ctl().run(&["backup", &place.path("b")]);
        assert_ne!(out.code, Some(0), "{out:?}");
        assert!(fs::symlink_metadata(place.path("b")).is_err(), "no half a backup stays");
    }
    drop(strace);
    let again = t.cs().login("alice", [&code]);
    assert!(again.passed(), "the code was not used up: {again:?}");
}

/// One call that fails, whichever it is: a code lets somebody in once at most, and the next one works.
#[test]
fn dat_07_a_single_failing_call_lets_nobody_in_twice() {
    require!(
        Root,
        Ptrace,
        Tool("strace"),
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    passes(&t, &alice);
    // More than SQLite keeps in memory, so that a login reads from the disk.
    t.daemon.stop();
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000)
        INSERT INTO notice (uid, name, at, kind, detail, told)
        SELECT 9000 + i, 'p', unixepoch(), 'enrolled', hex(zeroblob(1000)), unixepoch() FROM n";
    assert!(Command::new("sqlite3").arg(t.daemon.database()).arg(fill).status().expect("sqlite3").success());
    t.daemon.resume();
    let faults = (1..=12).map(|n| format!("pread64:error=EIO:when={n}"));
    let faults = faults.chain((1..=3).map(|n| format!("fdatasync,fsync:error=EIO:when={n}")));
    let mut denied = [0, 0];
    for fault in faults {
        // Nothing of the database in memory.
        t.daemon.crash_and_restart();
        let strace = Strace::inject(t.daemon.pid(), &fault);
        let wrong = if fault.ends_with(['2', '6']) { Some(alice.wrong_code(1)) } else { None };
        let code = alice.fresh_code();
        let first = t.cs().login("alice", [wrong.as_ref().unwrap_or(&code)]);
        drop(strace);
        assert!(!first.passed() || wrong.is_none(), "{fault}: {first:?}");
        assert_ne!(first.auth, Code::IGNORE, "{fault}: {first:?}");
        let again = t.cs().login("alice", [&code]);
        assert!(!(first.passed() && again.passed()), "{fault}: {first:?} {again:?}");
        denied[usize::from(fault.starts_with('f'))] += usize::from(first.auth == Code::AUTHINFO_UNAVAIL);
        if !first.passed() && !again.passed() {
            // Used up by the login that did not hear of it.
            passes(&t, &alice);
        }
    }
    eprintln!("figures: of 12 reads that failed {} denied a login, of 3 syncs {}", denied[0], denied[1]);
    assert!(denied[0] >= 3 && denied[1] >= 1, "the faults hit: {denied:?}");
}
