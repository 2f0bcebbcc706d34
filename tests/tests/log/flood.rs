//! AVL-05: what a local user asks of the log as fast as the bus lets them, and logins meanwhile.

use super::require_all;
use countersign_protocol::manager::WhichLogins;
use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::bus::PrivateBus;
use countersign_tests::people::DAVE;
use countersign_tests::{Fixture, Secret, Wire};
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zbus::Message;

const ROWS: usize = 200_000;

/// Logins of dave, all of them alike.
const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200000)
    INSERT INTO login (phase, caller, user, uid, ruser, service, program, tty, source, source_key, console,
       person_pays, talk, policy, state, factor, reason, started, boot, started_ms, rounds, tries, last_try, confirmed)
    SELECT 3, 0, 'dave', 5004, '', 'sshd', 'sshd', 'ssh', '192.0.2.9', 'x', 0, 1, 1, 'operators', 'verified', 'totp',
       '', 1000000000 + i, zeroblob(16), 0, 1, 1, 1000000000 + i, 1 FROM n";

/// Asks for what no row fits, over all of them, again and again.
fn flood(bus: &PrivateBus, stop: &AtomicBool, answered: &AtomicUsize, busy: &AtomicUsize) {
    let which = WhichLogins {
        user: "dave".to_owned(),
        since: 1,
        states: vec!["enrolled".to_owned()],
        ..WhichLogins::default()
    };
    let mut wire = Wire::as_uid(bus, DAVE.uid);
    while !stop.load(Ordering::Relaxed) {
        let mut serials = Vec::new();
        let mut batch = Vec::new();
        for _ in 0..100 {
            let serial = wire.next_serial();
            let call = Message::method_call(OBJECT_PATH, "Log").serial(serial).destination(BUS_NAME);
            let call = call.interface(MANAGER_INTERFACE);
            let call = call.build(&(&which, (0i64, 0i64), 1u32)).expect("a call");
            batch.extend_from_slice(call.data().bytes());
            serials.push(serial);
        }
        wire.send(&batch).expect("the bus reads");
        // Answers come in any order: what is open is served after what was refused.
        for _ in 0..serials.len() {
            match wire.receive() {
                Ok(reply) if reply.header().error_name().is_some() => busy.fetch_add(1, Ordering::Relaxed),
                Ok(_) => answered.fetch_add(1, Ordering::Relaxed),
                Err(_) => return,
            };
            if stop.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

fn logins(t: &Fixture, alice: &Secret, until: impl Fn(usize) -> bool) -> Vec<Duration> {
    let stack = t.cs();
    let mut took = Vec::new();
    while !until(took.len()) {
        let outcome = stack.login("alice", [alice.fresh_code()]);
        assert!(outcome.passed(), "after {} logins: {outcome:?}", took.len());
        took.push(outcome.took);
    }
    took.sort();
    took
}

#[test]
fn avl_05_a_flood_of_questions_and_logins_by_root_at_once() {
    require_all!(Tool("sqlite3"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let filled = Command::new("sqlite3").arg(t.daemon.database()).arg(FILL).status().expect("sqlite3");
    assert!(filled.success());
    t.daemon.resume();
    let quiet = logins(&t, &alice, |n| n >= 10);
    let before = t.daemon.resident_kib();

    let (stop, answered, busy) = (AtomicBool::new(false), AtomicUsize::new(0), AtomicUsize::new(0));
    let (flooded, listed) = std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| flood(&t.bus, &stop, &answered, &busy));
        }
        // Until the flood is up.
        let begun = Instant::now();
        while busy.load(Ordering::Relaxed) < 100 && begun.elapsed() < Duration::from_secs(5) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let end = Instant::now() + Duration::from_secs(3);
        let took = logins(&t, &alice, |n| n >= 20 || Instant::now() > end);
        let asked = Instant::now();
        let listed = t.daemon.ctl().run(&["log", "alice", "--limit", "5"]);
        let listed = (listed.code, asked.elapsed());
        stop.store(true, Ordering::Relaxed);
        (took, listed)
    });
    let after = t.daemon.resident_kib();
    let percentile = |sorted: &[Duration], n: usize| sorted[(sorted.len() * n / 100).min(sorted.len() - 1)];
    eprintln!(
        "figures: dave's questions over {ROWS} rows: {} answered and {} told to wait beside {} logins by root; a login took {:?} at the median, {:?} at p99 (alone {:?}, {:?}); root's own question {:?}; daemon {before} -> {after} KiB",
        answered.load(Ordering::Relaxed),
        busy.load(Ordering::Relaxed),
        flooded.len(),
        percentile(&flooded, 50),
        percentile(&flooded, 99),
        percentile(&quiet, 50),
        percentile(&quiet, 99),
        listed.1,
    );
    assert!(busy.load(Ordering::Relaxed) >= 100, "that was no flood");
    assert!(answered.load(Ordering::Relaxed) > 0, "who asks too often is answered all the same");
    assert!(flooded.len() > 2 && percentile(&flooded, 99) < Duration::from_secs(2), "{:?}", flooded.last());
    assert_eq!(listed.0, Some(0), "root's questions are answered too");
    assert!(listed.1 < Duration::from_secs(5), "{listed:?}");
    assert!(after < before + 32 * 1024, "{before} -> {after} KiB");
}
