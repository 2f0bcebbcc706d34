//! A new sealing key, and what dies meanwhile.

use super::{Place, complaint, fates, passes, restore};
use countersign_tests::daemon::StartAttempt;
use countersign_tests::faults::Strace;
use countersign_tests::{Code, Fixture, artifacts, require};
use std::fs;
use std::process::{Command, Stdio};
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
    assert!(out.stdout.contains("1 secrets sealed by a new key"), "{out:?}");
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

/// Dies in the middle: the login goes on by whichever key, and typed again it ends well.
fn recovers(t: &mut Fixture, alice: &countersign_tests::Secret, what: &str) {
    if !t.daemon.is_running() {
        t.daemon.kill9();
        t.daemon.resume();
    }
    let fresh = t.cs().login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "{what}: neither key opens it: {fresh:?}\n{}", key_text(t).lines().count());
    let again = rekey(t);
    assert_eq!(again.code, Some(0), "{what}: {again:?}");
    assert!(!key_text(t).contains("previous"), "{what}");
    t.daemon.crash_and_restart();
    let fresh = t.cs().login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "{what}: {fresh:?}");
}

#[test]
fn dat_05_the_daemon_is_killed_while_keys_change() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut killed = 0;
    for fault in [
        "pwrite64:signal=KILL:when=1",
        "pwrite64:signal=KILL:when=4",
        "fsync,fdatasync:signal=KILL:when=1",
        "sendmsg:signal=KILL:when=4",
    ] {
        let strace = Strace::inject(t.daemon.pid(), fault);
        let out = rekey(&t);
        let until = Instant::now() + Duration::from_millis(50);
        while t.daemon.is_running() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        strace.end();
        killed += usize::from(!t.daemon.is_running());
        recovers(&mut t, &alice, &format!("{fault}: {out:?}"));
    }
    assert!(killed >= 3, "{killed}");
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
    let mut both = 0;
    for fault in [
        "rename,renameat,renameat2:signal=KILL:when=1",
        "rename,renameat,renameat2:signal=KILL:when=2",
        "fsync:signal=KILL:when=2",
    ] {
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", &format!("inject={fault}")]).arg(artifacts::ctl());
        command.args(["--bus", &t.bus.address(), "rekey", "--yes", "--key-file"]).arg(t.daemon.key_file());
        let status = command.stdin(Stdio::null()).stdout(Stdio::null()).status().expect("run strace");
        assert!(!status.success(), "{fault}: {status:?}");
        both += usize::from(key_text(&t).contains("previous"));
        t.daemon.crash_and_restart();
        recovers(&mut t, &alice, fault);
    }
    assert!(both >= 1, "killed between both");
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
