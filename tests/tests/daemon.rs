//! The daemon's life as the harness drives it: killed, frozen, traced, on a volume of its own, under another clock.

use countersign_tests::faults::{Strace, Volume};
use countersign_tests::{Code, Fixture, PrivateBus, require};
use std::time::Duration;

#[test]
fn a_crash_between_prompt_and_answer_is_not_noticed() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let held = t.cs().hold("alice");
    assert!(held.prompt().contains("code"));
    t.daemon.crash_and_restart();
    let outcome = held.answer(alice.fresh_code());
    assert!(outcome.passed(), "{outcome:?}");
    assert!(t.daemon.stop().success(), "SIGTERM is a clean end");
    assert!(!t.daemon.is_running());
    t.daemon.resume();
    assert!(t.daemon.resident_kib() > 0);
}

#[test]
fn byp_02_a_daemon_frozen_before_the_answer_denies_at_the_deadline() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let module = t.module().option("timeout=3");
    let stack = countersign_tests::Stack::cs(&module);
    let held = stack.hold("alice");
    t.daemon.freeze();
    let code = alice.fresh_code();
    let outcome = held.answer(&code);
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{outcome:?}");
    assert!(outcome.took < Duration::from_secs(5), "{:?}", outcome.took);
    t.daemon.thaw();
    let fresh = stack.login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "{fresh:?}");
    assert!(!stack.login("alice", [&code]).passed(), "an older code than one that passed is dead");
}

#[test]
fn rpl_09_a_commit_that_fails_denies() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let held = t.cs().hold("alice");
    let strace = Strace::inject(t.daemon.pid(), "fdatasync,fsync:error=EIO");
    let outcome = held.answer(alice.fresh_code());
    assert_ne!(outcome.auth, Code::SUCCESS, "{outcome:?}");
    let calls = strace.finish();
    assert!(calls.iter().any(|call| call.line.contains("INJECTED")), "no commit was tried: {calls:?}");
    t.daemon.crash_and_restart();
    let fresh = t.cs().login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "{fresh:?}");
}

#[test]
fn rpl_10_a_full_disk_denies_and_recovers() {
    require!(
        Root,
        Tool("mkfs.ext4"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let world = countersign_tests::World::enter();
    for volume in [Volume::tmpfs(1024, 0), Volume::ext4(8)] {
        let bus = PrivateBus::start(world.daemon_uid());
        let clock = std::sync::Arc::new(countersign_tests::Clock::new());
        let setup = countersign_tests::DaemonSetup::new(&world, countersign_tests::fixture::CONFIG);
        let daemon = setup.clock(&clock).state(&volume.state()).start(&world, &bus);
        let alice = daemon.enroll("alice");
        let stack = countersign_tests::Stack::cs(&daemon.module());
        assert!(stack.login("alice", [alice.fresh_code()]).passed());
        let held = stack.hold("alice");
        volume.fill();
        let during = stack.login("alice", [alice.fresh_code()]);
        let answered = held.answer(alice.fresh_code());
        eprintln!("full disk: {:?}, held before: {:?}", during.auth, answered.auth);
        volume.free();
        let after = stack.login("alice", [alice.fresh_code()]);
        assert!(after.passed(), "{after:?}");
        let log = daemon.log("alice");
        let verified = log.iter().filter(|row| row.state == "verified").count();
        let passed = 2 + usize::from(during.passed()) + usize::from(answered.passed());
        assert_eq!(verified, passed, "every success has its row: {log:#?}");
    }
}

#[test]
fn a_clock_of_its_own_decides_which_code_is_right() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let before = alice.code_in(0);
    t.clock().shift(3600);
    assert!(!t.cs().login("alice", [&before]).passed(), "an hour old");
    let fresh = t.cs().login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "{fresh:?}");
}
