//! The daemon dies in the middle of a decision, or right after it.

use super::{assert_fresh_code_passes, assert_whole_database, hold_alice};
use countersign_tests::faults::Strace;
use countersign_tests::{Code, Fixture, Secret, require};
use nix::sys::signal::Signal;
use std::time::{Duration, Instant};

/// What became of a right code whose login met the daemon's death.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// Refused, and it worked afterwards.
    RefusedAndUnused,
    /// Refused, and it is spent.
    RefusedAndSpent,
    /// Let in, and it is spent.
    LetIn,
}

/// A login whose daemon dies by `death` (or not at all), and the same code again in its next life.
fn fate(t: &mut Fixture, alice: &Secret, death: impl FnOnce(&mut Fixture, &str) -> Code) -> Fate {
    let code = alice.fresh_code();
    let told = death(t, &code);
    t.daemon.crash_and_restart();
    let again = t.cs().login("alice", [&code]);
    assert_fresh_code_passes(t, alice);
    match (told == Code::SUCCESS, again.passed()) {
        (true, true) => panic!("let in by a code that works again"),
        (true, false) => Fate::LetIn,
        (false, true) => Fate::RefusedAndUnused,
        (false, false) => Fate::RefusedAndSpent,
    }
}

/// Kills the daemon at the N-th such call of an answer, for N = 1, 2, ... until it survives. Between one call and the
/// next nothing changes outside of it, so this is every moment there is. A set names one call on all architectures.
fn killed_at_each(calls: &[&str]) -> Vec<(String, Fate)> {
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut fates = Vec::new();
    for call in calls {
        for n in 1.. {
            assert!(n < 50, "{fates:?}");
            let mut killed = false;
            let fate = fate(&mut t, &alice, |t, code| {
                let held = hold_alice(t);
                let strace = Strace::inject(t.daemon.pid(), &format!("{call}:signal=KILL:when={n}"));
                let told = held.answer(code).auth;
                // A call that follows the answer comes a moment later.
                let until = Instant::now() + Duration::from_millis(30);
                while t.daemon.is_running() && Instant::now() < until {
                    std::thread::sleep(Duration::from_millis(1));
                }
                strace.end();
                killed = !t.daemon.is_running();
                told
            });
            if !killed {
                assert_eq!(fate, Fate::LetIn, "nothing happened at {call} {n}");
                break;
            }
            fates.push((format!("{call} {n}"), fate));
        }
    }
    t.daemon.kill9();
    assert_whole_database(&mut t.daemon);
    t.daemon.resume();
    let proven = t.daemon.ctl().run(&["log", "verify"]);
    assert_eq!(proven.code, Some(0), "a kill is no crime: {proven:?}");
    eprintln!("{} kills: {fates:?}", fates.len());
    fates
}

fn count(fates: &[(String, Fate)], fate: Fate) -> usize {
    fates.iter().filter(|(_, f)| *f == fate).count()
}

#[test]
fn rpl_08_killed_at_each_call_of_the_store() {
    require!(
        Root,
        Ptrace,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let fates = killed_at_each(&["?statx", "pwrite64", "fsync,fdatasync", "write"]);
    // The calls before the commit and at least two after it: the generation, and waking the bus.
    assert!(count(&fates, Fate::RefusedAndUnused) > 5, "{fates:?}");
    assert!(count(&fates, Fate::RefusedAndSpent) >= 2, "{fates:?}");
    assert_eq!(count(&fates, Fate::LetIn), 0, "an answer left before the store was done: {fates:?}");
}

#[test]
fn rpl_08_killed_at_each_call_of_the_bus() {
    require!(
        Root,
        Ptrace,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let fates = killed_at_each(&["?epoll_wait,epoll_pwait", "recvmsg", "sendmsg", "futex"]);
    for fate in [Fate::RefusedAndUnused, Fate::RefusedAndSpent, Fate::LetIn] {
        assert!(count(&fates, fate) > 0, "no {fate:?}: {fates:?}");
    }
}

#[test]
fn rpl_08_killed_at_any_moment() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut fates: Vec<Fate> = (0..30)
        .map(|i| {
            fate(&mut t, &alice, |t, code| {
                let mut held = hold_alice(t);
                held.send_answer(code);
                std::thread::sleep(Duration::from_micros(i * 60));
                t.daemon.crash_and_restart();
                held.finish().auth
            })
        })
        .collect();
    fates.sort_unstable();
    eprintln!("killed 0 to 1.8 ms after the answer: {fates:?}");
}

/// Five lost failures would be five more guesses. Each group of five must close the lane, or one was lost.
#[test]
fn bru_05_no_failure_is_lost_to_a_kill() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut killed_after = Vec::new();
    for group in 0..10 {
        for n in 0..5 {
            let mut held = t.cs().hold("alice");
            held.send_answer(alice.wrong_code(group * 5 + n));
            let _ = held.wait();
            let told = Instant::now();
            t.daemon.signal(Signal::SIGKILL);
            killed_after.push(told.elapsed());
            t.daemon.crash_and_restart();
        }
        let right = t.cs().login("alice", [alice.fresh_code()]);
        assert_eq!(right.auth, Code::MAXTRIES, "the fifth failure closes the lane: {right:?}");
        let people = t.daemon.ctl().run(&["users", "--json"]).ok().json();
        assert_eq!(people[0]["failures"], 5, "{people:?}");
        let unlocked = t.daemon.ctl().run(&["unlock", "alice"]);
        assert_eq!(unlocked.code, Some(0), "{unlocked:?}");
    }
    killed_after.sort_unstable();
    eprintln!("killed {:?} (median), {:?} (longest) after the reply", killed_after[25], killed_after[49]);
    let log = t.daemon.log("alice");
    assert_eq!(
        log.iter().filter(|r| r.state == "denied" && r.reason == "wrong-code").count(),
        50,
        "{log:#?}"
    );
    assert!(killed_after[25] < Duration::from_millis(1), "{killed_after:?}");
    assert_fresh_code_passes(&t, &alice);
}
