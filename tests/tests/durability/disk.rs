//! Volumes that are full, out of inodes, failing, read-only, or have a limit.

use super::{assert_fresh_code_passes, assert_whole_database, hold_alice};
use countersign_tests::faults::{Strace, Volume};
use countersign_tests::fixture::CONFIG;
use countersign_tests::{
    Clock, Code, DaemonSetup, Fixture, PrivateBus, Secret, World, daemon::StartAttempt, needs, require,
};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// The usual scene with the state on a volume of its own.
fn fixture_on(volume: impl FnOnce() -> Volume) -> (Volume, Fixture) {
    let world = World::enter();
    let volume = volume();
    let bus = PrivateBus::start(world.daemon_uid());
    let setup = DaemonSetup::new(&world, CONFIG).clock(&Arc::new(Clock::new())).state(&volume.state());
    let daemon = setup.start(&world, &bus);
    (volume, Fixture { daemon, bus, world })
}

/// Nothing is required of carol: what cannot be written down does not keep her out.
fn assert_carol_passes(t: &Fixture) {
    let carol = t.probe().login("carol", [""; 0]);
    assert_eq!((carol.auth, carol.account), (Code::IGNORE, Some(Code::IGNORE)), "{carol:?}");
}

/// Whether the code let alice in. What else may happen is only that nobody can decide.
fn passes_or_is_undecided(t: &Fixture, code: &str) -> bool {
    let outcome = t.cs().login("alice", [code]);
    // A used code is told apart: asked again, and hung up.
    assert!([Code::SUCCESS, Code::AUTHINFO_UNAVAIL, Code::CONV_ERR].contains(&outcome.auth), "{outcome:?}");
    outcome.auth == Code::SUCCESS
}

/// A daemon that meets a full disk folds its own log away, and may then find room for a login or two: they must be as
/// durable as any.
fn full_disk(volume: &Volume, t: &mut Fixture) {
    let alice = t.daemon.enroll("alice");
    assert_fresh_code_passes(t, &alice);
    let mut passed = 1;
    for round in 0..3 {
        let held = hold_alice(t);
        volume.fill();
        assert_carol_passes(t);
        assert!(t.daemon.said().contains("is not in the attempt log"), "{}", t.daemon.said());
        volume.fill();
        let code = alice.fresh_code();
        let undecided = held.answer(&code);
        assert_eq!(undecided.auth, Code::AUTHINFO_UNAVAIL, "round {round}: {undecided:?}");
        let mut with_this_code = 0;
        for _ in 0..4 {
            volume.fill();
            with_this_code += usize::from(passes_or_is_undecided(t, &code));
        }
        // Full, killed, and with room again.
        t.daemon.kill9();
        assert_whole_database(&mut t.daemon);
        volume.free();
        t.daemon.resume();
        with_this_code += usize::from(passes_or_is_undecided(t, &code));
        assert_eq!(with_this_code, 1, "round {round}: a code that nobody was let in by still works, once");
        passed += with_this_code + 1;
        assert_fresh_code_passes(t, &alice);
    }
    let log = t.daemon.log("alice");
    assert_eq!(log.iter().filter(|row| row.state == "verified").count(), passed, "{log:#?}");
}

#[test]
fn rpl_10_a_full_tmpfs() {
    require!(
        Root,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let (volume, mut t) = fixture_on(|| Volume::tmpfs(1024, 0));
    full_disk(&volume, &mut t);
}

#[test]
fn rpl_10_a_full_ext4() {
    require!(
        Root,
        Tool("mkfs.ext4"),
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let (volume, mut t) = fixture_on(|| Volume::ext4(8));
    full_disk(&volume, &mut t);
}

#[test]
fn rpl_10_no_inodes() {
    require!(
        Root,
        Ptrace,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let (volume, mut t) = fixture_on(|| Volume::tmpfs(4096, 16));
    let files: Vec<PathBuf> = (0..16).map(|i| volume.path().join(format!("file-{i}"))).collect();
    let take_all = || files.iter().filter(|file| fs::write(file, b"").is_ok()).count();
    let give_back = || files.iter().for_each(|file| drop(fs::remove_file(file)));
    let alice = t.daemon.enroll("alice");
    assert!(take_all() < files.len());
    // What is open needs no inode.
    assert_fresh_code_passes(&t, &alice);

    // After a failed write all is opened anew, and the log of before is gone.
    let code = alice.fresh_code();
    let strace = Strace::inject(t.daemon.pid(), "pwrite64:error=ENOSPC:when=1");
    assert!(!passes_or_is_undecided(&t, &code));
    drop(strace);
    for _ in 0..3 {
        take_all();
        assert!(!passes_or_is_undecided(&t, &code));
        assert_carol_passes(&t);
    }
    let word = "countersign.db cannot be used (unable to open database file); is the disk full";
    assert!(t.daemon.said().contains(word), "{}", t.daemon.said());
    give_back();
    assert!(passes_or_is_undecided(&t, &code), "it recovers by itself");

    assert!(t.daemon.stop().success());
    take_all();
    let said = t.daemon.said().len();
    assert!(matches!(t.daemon.try_start(), StartAttempt::Ended(_)));
    assert!(t.daemon.said()[said..].contains(word), "{}", t.daemon.said());
    give_back();
    assert_whole_database(&mut t.daemon);
    t.daemon.resume();
    assert!(!passes_or_is_undecided(&t, &code));
    assert_fresh_code_passes(&t, &alice);
}

/// The N-th such call of an answer fails, for N = 1, 2, ... until none does. Every other time the daemon is then
/// killed, so that what is on the disk speaks. Gives how many calls failed.
fn failed_at_each(t: &mut Fixture, alice: &Secret, calls: &str, error: &str) -> usize {
    for n in 1.. {
        assert!(n < 50, "{calls}: no end");
        let code = alice.fresh_code();
        let held = hold_alice(t);
        let strace = Strace::inject(t.daemon.pid(), &format!("{calls}:error={error}:when={n}"));
        let outcome = held.answer(&code);
        let failed = strace.finish().iter().any(|call| call.line.contains("INJECTED"));
        if !failed {
            assert_eq!(outcome.auth, Code::SUCCESS, "{outcome:?}");
            return n - 1;
        }
        assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{calls} {n} {error}: {outcome:?}");
        if n % 2 == 0 {
            t.daemon.crash_and_restart();
        }
        let passed: usize = (0..2).map(|_| usize::from(passes_or_is_undecided(t, &code))).sum();
        assert!(passed <= 1, "{calls} {n} {error}: let in twice by one code");
        assert_fresh_code_passes(t, alice);
    }
    unreachable!("the loop ends by itself")
}

#[test]
fn rpl_10_each_write_fails() {
    require!(
        Root,
        Ptrace,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    for (calls, error, at_least) in [
        ("pwrite64", "ENOSPC", 5),
        ("pwrite64", "EIO", 5),
        ("fsync,fdatasync", "EIO", 1),
        ("fsync,fdatasync", "ENOSPC", 1),
    ] {
        let failed = failed_at_each(&mut t, &alice, calls, error);
        eprintln!("{calls} with {error}: {failed} calls failed, one at a time");
        assert!(failed >= at_least, "{calls} with {error}: {failed}");
    }

    // All of them, until the disk is well again.
    let code = alice.fresh_code();
    let strace = Strace::inject(t.daemon.pid(), "pwrite64,fsync,fdatasync:error=EROFS");
    for _ in 0..3 {
        assert!(!passes_or_is_undecided(&t, &code));
        assert_carol_passes(&t);
    }
    drop(strace);
    assert!(passes_or_is_undecided(&t, &code), "it recovers by itself");
    assert!(!passes_or_is_undecided(&t, &code));
    assert!(t.daemon.stop().success());
    assert_whole_database(&mut t.daemon);
}

#[test]
fn rpl_10_a_disk_that_goes_read_only() {
    require!(
        Root,
        Tool("mkfs.ext4"),
        Tool("findmnt"),
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let (volume, mut t) = fixture_on(|| Volume::ext4(8));
    let alice = t.daemon.enroll("alice");
    assert_fresh_code_passes(&t, &alice);
    if !volume.break_down() {
        return needs::skip("/sys/fs/ext4/*/trigger_fs_error cannot be written");
    }
    let code = alice.fresh_code();
    for _ in 0..2 {
        assert!(!passes_or_is_undecided(&t, &code));
        assert_carol_passes(&t);
    }
    assert!(t.daemon.stop().success());
    let said = t.daemon.said().len();
    assert!(matches!(t.daemon.try_start(), StartAttempt::Ended(_)));
    assert!(t.daemon.said()[said..].contains("Read-only file system"), "{}", t.daemon.said());

    volume.mount_again();
    assert_whole_database(&mut t.daemon);
    t.daemon.resume();
    assert!(passes_or_is_undecided(&t, &code), "it was never spent");
    assert!(!passes_or_is_undecided(&t, &code));
    assert_fresh_code_passes(&t, &alice);
}

#[test]
fn rpl_10_a_limit_on_file_sizes() {
    require!(
        Root,
        Tool("prlimit"),
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::start_with(|setup| {
        setup.clock(&Arc::new(Clock::new())).wrapped_by(&["prlimit", "--fsize=165000"])
    });
    let alice = t.daemon.enroll("alice");
    let (mut passed, mut undecided) = (0, 0);
    for _ in 0..80 {
        if undecided > 2 {
            break;
        }
        let code = alice.fresh_code();
        if passes_or_is_undecided(&t, &code) {
            passed += 1;
            assert!(!passes_or_is_undecided(&t, &code));
        } else {
            undecided += 1;
        }
        assert!(t.daemon.is_running(), "a limit is no reason to die");
    }
    eprintln!("files of 165,000 bytes at most: {passed} logins let in, {undecided} undecided");
    assert!(passed > 5 && undecided > 0, "{passed} let in, {undecided} undecided");
    assert!(t.daemon.stop().success());
    assert_whole_database(&mut t.daemon);
}
