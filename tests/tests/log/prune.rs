//! AVL-06: the log keeps to its age and size, without holding a login up.

use super::{log, require_all, tamper, verify};
use countersign_tests::Fixture;
use countersign_tests::fixture::CONFIG;
use std::time::{Duration, Instant};

/// Rows as they are when nobody could be asked: written into the stopped database, and unknown to the chain.
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
    // It is pruned as the daemon starts, and the first row is still asked: nothing goes.
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
}

/// What age removes leaves an honest chain, whose beginning is where it was cut.
#[test]
fn avl_06_adm_09_a_log_that_was_pruned_by_age_is_whole() {
    require_all!();
    let mut t = Fixture::with_clock();
    for _ in 0..3 {
        assert!(t.cs().visit("carol").run([""; 0]).passed());
    }
    let _ = t.daemon.ctl().run(&["require", "bob"]).ok();
    t.clock().shift(401 * 24 * 3600);
    for _ in 0..2 {
        assert!(t.cs().visit("carol").run([""; 0]).passed());
    }
    t.daemon.crash_and_restart();
    let until = Instant::now() + Duration::from_secs(10);
    while log(&t, &["carol"]).len() > 2 && Instant::now() < until {
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(log(&t, &["carol"]).len(), 2);
    std::thread::sleep(Duration::from_millis(300));
    let (whole, broken, said) = verify(&t, &[]);
    assert!(whole, "{broken:?}");
    assert!(said["rows"].as_u64().expect("a number") <= 6, "old links and acts are gone too: {said}");
    assert_eq!(t.daemon.ctl().run(&["log", "acts", "--json"]).ok().stdout, "");
}
