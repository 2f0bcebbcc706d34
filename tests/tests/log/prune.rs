//! AVL-06: the log keeps to its age and size, without holding a login up.

use super::{log, require_all, tamper, verify};
use countersign_tests::Fixture;
use countersign_tests::clock::Clock;
use countersign_tests::fixture::CONFIG;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Rows as they are when nobody could be asked: written into the stopped database, so that somebody must accept
/// them before they go.
const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 6000)
    INSERT INTO login (phase, caller, user, ruser, service, program, tty, source, source_key, console, person_pays,
       talk, policy, state, reason, started, boot, started_ms)
    SELECT 3, 0, 'u' || (i % 50), '', 'sshd', 'sshd', 'ssh', '192.0.2.' || (i % 200), 'x', 0, 0, 0, 'p', 'skipped', '',
       unixepoch() - 100, zeroblob(16), 0 FROM n";

#[test]
fn avl_06_the_log_keeps_to_its_size_and_never_drops_a_login_that_goes_on() {
    require_all!();
    let mut t = Fixture::configured(&format!("{CONFIG}\n[log]\nmost = 1000\n"));
    let alice = t.daemon.enroll("alice");
    let held = t.cs().visit("alice").hold();
    tamper(&mut t, |db| db.execute_batch(FILL).expect("rows"));
    // It is pruned as the daemon starts, but not while it is broken, and not while the first row is asked.
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(log(&t, &[]).len(), 6001);
    assert!(!verify(&t, &[]).0);
    let _ = t.daemon.ctl().run(&["log", "accept", "--reason", "a test", "--yes"]).ok();
    t.daemon.crash_and_restart();
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(log(&t, &[]).len(), 6001);
    assert!(held.answer(alice.fresh_code()).passed(), "the login went on");
    let begun = Instant::now();
    t.daemon.crash_and_restart();
    let code = alice.fresh_code();
    assert!(t.cs().visit("alice").run([code]).passed());
    assert!(begun.elapsed() < Duration::from_secs(5), "a login does not wait for it");
    let until = Instant::now() + Duration::from_secs(10);
    while log(&t, &[]).len() > 1001 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    let rows = log(&t, &[]);
    assert!((1000..=1001).contains(&rows.len()), "{}", rows.len());
    assert!(rows.windows(2).all(|two| two[0].id + 1 == two[1].id), "the newest, and no hole");
    assert!(verify(&t, &[]).0);
}

const YEAR_AND_MORE: i64 = 401 * 24 * 3600;

/// What age removes leaves an honest chain, whose beginning is where it was cut; what was noted before it proves
/// nothing any more, and that is said.
#[test]
fn avl_06_adm_09_a_log_that_was_pruned_by_age_is_whole() {
    require_all!();
    let mut t = Fixture::start_with(|setup| setup.clock(&Arc::new(Clock::that_runs())));
    assert!(t.cs().visit("carol").run([""; 0]).passed());
    let noted = verify(&t, &[]).2["last_link"].as_str().expect("a link").to_owned();
    for _ in 0..2 {
        assert!(t.cs().visit("carol").run([""; 0]).passed());
    }
    let _ = t.daemon.ctl().run(&["require", "bob"]).ok();
    // An hour on, it is written down how far the log has come; the call wakes the daemon.
    t.clock().shift(3700);
    assert!(verify(&t, &["--noted", &noted]).0);
    std::thread::sleep(Duration::from_millis(700));
    t.daemon.stop();
    t.clock().shift(YEAR_AND_MORE);
    t.daemon.resume();
    for _ in 0..2 {
        assert!(t.cs().visit("carol").run([""; 0]).passed());
    }
    let until = Instant::now() + Duration::from_secs(10);
    while log(&t, &["carol"]).len() > 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(log(&t, &["carol"]).len(), 2);
    std::thread::sleep(Duration::from_millis(300));
    let (whole, broken, said) = verify(&t, &["--noted", &noted]);
    assert!(whole, "{broken:?}");
    assert_eq!(said["noted"], "gone");
    assert!(said["rows"].as_u64().expect("a number") <= 6, "old links and acts are gone too: {said}");
    assert_eq!(t.daemon.ctl().run(&["log", "acts", "--json"]).ok().stdout, "");
}

/// A clock that somebody sets ahead, or that broke, takes no evidence with it.
#[test]
fn adm_09_a_clock_that_jumps_ahead_removes_nothing_at_once() {
    require_all!();
    let mut t = Fixture::with_clock();
    for _ in 0..3 {
        assert!(t.cs().visit("carol").run([""; 0]).passed());
    }
    let _ = t.daemon.ctl().run(&["require", "bob"]).ok();
    for jump in [YEAR_AND_MORE, 20 * YEAR_AND_MORE, -21 * YEAR_AND_MORE] {
        t.clock().shift(jump);
        assert!(t.cs().visit("carol").run([""; 0]).passed());
        t.daemon.crash_and_restart();
        std::thread::sleep(Duration::from_millis(700));
    }
    assert_eq!(log(&t, &["carol"]).len(), 6);
    assert_eq!(t.daemon.ctl().run(&["log", "acts", "--json"]).ok().json().len(), 1);
    let (whole, broken, _) = verify(&t, &[]);
    assert!(whole, "{broken:?}");
}
