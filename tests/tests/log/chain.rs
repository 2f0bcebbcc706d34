//! ADM-09: whoever can write the database and has not the key changes nothing unseen.

use super::{log, require_all, tamper, verify};
use countersign_tests::{Fixture, HANG_UP, Secret};
use rusqlite::Connection;

/// Some logins of every end.
fn history(t: &Fixture) -> Secret {
    let alice = t.daemon.enroll("alice");
    assert!(t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    let wrong = alice.wrong_code(1);
    assert!(!t.cs().visit("alice").rhost("192.0.2.8").run(vec![&wrong; 3]).passed());
    let _ = t.cs().visit("alice").run([HANG_UP]);
    assert!(t.cs().visit("carol").run([""; 0]).passed());
    assert!(!t.cs().visit("bob").run([""; 0]).passed());
    assert!(!t.cs().visit("nobody-here").rhost("203.0.113.9").run(["123456"]).passed());
    assert!(t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    alice
}

#[test]
fn adm_09_an_honest_log_is_whole_over_restarts_kills_and_what_goes_on() {
    require_all!();
    let mut t = Fixture::with_clock();
    assert!(verify(&t, &[]).0, "an empty log");
    let alice = history(&t);
    let (whole, broken, said) = verify(&t, &[]);
    assert!(whole, "{broken:?}");
    let noted = said["last_link"].as_str().expect("a link").to_owned();
    let held = t.cs().visit("alice").hold();
    assert!(verify(&t, &[]).0, "with a login that is asked");
    t.daemon.crash_and_restart();
    assert!(held.answer(alice.fresh_code()).passed());
    t.daemon.stop();
    t.daemon.resume();
    assert!(!t.cs().visit("alice").run(["000000"; 3]).passed());
    let (whole, broken, said) = verify(&t, &["--noted", &noted]);
    assert!(whole && said["noted"] == "matched", "{broken:?}");
    assert_ne!(said["last_link"].as_str(), Some(noted.as_str()));
    let spoken = t.daemon.ctl().run(&["log", "verify"]).ok().stdout;
    assert!(spoken.contains("The log is whole") && spoken.contains("--noted"), "{spoken}");
    let odd = t.daemon.ctl().run(&["log", "verify", "--noted", "1:zz"]);
    assert_eq!(odd.code, Some(1), "{odd:?}");
}

fn last_id(db: &Connection) -> i64 {
    db.query_row("SELECT max(id) FROM login", [], |r| r.get(0)).expect("a row")
}

fn run(db: &Connection, sql: &str) {
    db.execute_batch(sql).unwrap_or_else(|e| panic!("{sql}: {e}"));
}

/// What somebody does, and what must be named.
type Crime = (&'static str, &'static [&'static str]);

const CRIMES: [Crime; 20] = [
    ("UPDATE login SET source = '198.51.100.1' WHERE id = 3", &["login 3 changed"]),
    ("UPDATE login SET state = 'verified', reason = '' WHERE id = 2", &["login 2 changed"]),
    ("UPDATE login SET confirmed = 1 - confirmed WHERE id = 1", &["login 1 changed"]),
    ("DELETE FROM login WHERE id = 2", &["login 2 missing"]),
    ("DELETE FROM login WHERE id = 2; DELETE FROM link WHERE login = 2", &["login 2 missing", "link"]),
    ("DELETE FROM login WHERE id = (SELECT max(id) FROM login)", &["login 7 missing"]),
    // The end with its links, and what else says how far it goes.
    (
        "DELETE FROM link WHERE login >= 6; DELETE FROM login WHERE id >= 6;
         UPDATE chain SET links = (SELECT max(seq) FROM link), link_mac = (SELECT mac FROM link ORDER BY seq DESC LIMIT 1),
           last_login = 5",
        &["log 0 ends"],
    ),
    // The beginning, as if it had been pruned.
    (
        "DELETE FROM login WHERE id <= 2;
         UPDATE chain SET floor = 2, first_link = (SELECT max(seq) FROM link WHERE login <= 2),
           first_mac = (SELECT mac FROM link WHERE login <= 2 ORDER BY seq DESC LIMIT 1);
         DELETE FROM link WHERE seq <= (SELECT first_link FROM chain)",
        &["log 0 ends"],
    ),
    // Two rows change places.
    (
        "UPDATE login SET id = -1 WHERE id = 2; UPDATE login SET id = 2 WHERE id = 3; UPDATE login SET id = 3 WHERE id = -1",
        &["login 2 ", "login 3 "],
    ),
    (
        "INSERT INTO login (phase, caller, user, ruser, service, program, tty, source, source_key, console, person_pays,
           talk, policy, state, reason, started, boot, started_ms)
         SELECT phase, caller, 'bob', ruser, service, program, tty, source, source_key, console, person_pays, talk,
           policy, state, reason, started, boot, started_ms FROM login WHERE id = 1",
        &["login 8 added"],
    ),
    ("UPDATE act SET actor = 4242 WHERE id = 1", &["act 1 changed"]),
    ("DELETE FROM act WHERE id = (SELECT max(id) FROM act)", &["act 2 missing"]),
    ("DELETE FROM chain", &["log 0 ends"]),
    // What looks unfinished would be finished by the daemon, and vouched for.
    (
        "UPDATE login SET state = 'verified', reason = '', token = randomblob(16), boot = zeroblob(16) WHERE id = 2",
        &["login 2 changed", "log 0 ends"],
    ),
    (
        "INSERT INTO login (token, phase, caller, user, ruser, service, program, tty, source, source_key, console,
           person_pays, talk, policy, state, reason, started, boot, started_ms)
         SELECT randomblob(16), 1, caller, 'bob', ruser, service, program, tty, source, source_key, console, person_pays,
           talk, policy, 'verified', '', started, zeroblob(16), started_ms FROM login WHERE id = 1",
        &["login 8 added", "log 0 ends"],
    ),
    (
        "INSERT INTO login (phase, caller, user, ruser, service, program, tty, source, source_key, console, person_pays,
           talk, policy, state, reason, started, boot, started_ms)
         SELECT 0, caller, 'bob', ruser, service, program, tty, source, source_key, console, person_pays, talk,
           policy, 'verified', '', started, zeroblob(16), started_ms FROM login WHERE id = 1",
        &["login 8 added", "log 0 ends"],
    ),
    // What looks old would be removed.
    ("UPDATE login SET started = 0 WHERE id <= 5", &["login 1 changed", "login 5 changed"]),
    ("UPDATE act SET at = 0 WHERE id <= 2", &["act 1 changed", "act 2 changed"]),
    // A number that is given again.
    (
        "DELETE FROM login WHERE id = 7; UPDATE sqlite_sequence SET seq = 6 WHERE name = 'login'",
        &["login 7 missing", "log 0 ends"],
    ),
    ("UPDATE chain SET kept_to = unixepoch() + 100000000", &["log 0 ends"]),
];

#[test]
fn adm_09_a_changed_missing_moved_or_added_row_is_named() {
    require_all!();
    let mut t = Fixture::with_clock();
    let _alice = history(&t);
    assert_eq!(log(&t, &[]).len(), 7);
    t.daemon.stop();
    let instance = t.daemon.state().join("instance");
    let whole = [t.daemon.database(), instance].map(|file| (std::fs::read(&file).expect("a file"), file));
    t.daemon.resume();
    for (crime, named) in CRIMES {
        tamper(&mut t, |db| run(db, crime));
        let names = |t: &Fixture, when: &str| {
            let (whole_still, broken, _) = verify(t, &[]);
            assert!(!whole_still, "{crime}, {when}");
            for name in named {
                let found = broken.iter().any(|one| one.starts_with(name));
                assert!(found, "{crime}, {when}: {name} in {broken:?}");
            }
        };
        names(&t, "at once");
        // Logins go on, and do not mend it.
        assert!(t.cs().visit("carol").run([""; 0]).passed(), "{crime}");
        names(&t, "after another login");
        t.daemon.crash_and_restart();
        names(&t, "after a restart");
        t.daemon.stop();
        for (content, file) in &whole {
            std::fs::write(file, content).expect("our own file");
        }
        t.daemon.resume();
        assert!(verify(&t, &[]).0, "put back as it was");
    }
}

/// A database of yesterday with the generation of today: what a rollback would need.
#[test]
fn adm_09_an_older_log_does_not_pass_for_todays() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = history(&t);
    t.daemon.stop();
    let yesterday = std::fs::read(t.daemon.database()).expect("the database");
    t.daemon.resume();
    assert!(t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    let (_, _, said) = verify(&t, &[]);
    let noted = said["last_link"].as_str().expect("a link").to_owned();
    let mut generation = 0;
    tamper(&mut t, |db| {
        generation = db.query_row("SELECT generation FROM meta", [], |r| r.get(0)).expect("a number");
    });
    t.daemon.stop();
    std::fs::write(t.daemon.database(), &yesterday).expect("our own file");
    let db = Connection::open(t.daemon.database()).expect("the database");
    let generation: i64 = generation;
    db.execute("UPDATE meta SET generation = ?1", [generation]).expect("a row");
    assert_eq!(last_id(&db), 7);
    db.close().expect("it closes");
    t.daemon.resume();
    assert!(t.daemon.said().contains("the log was changed by somebody else"), "{}", t.daemon.said());
    let (whole, broken, _) = verify(&t, &["--noted", &noted]);
    assert!(!whole);
    assert!(broken.contains(&"log 0 ends".to_owned()), "{broken:?}");
    assert!(broken.iter().any(|one| one.starts_with("link ")), "the noted link is gone: {broken:?}");
    let doctor = t.daemon.ctl().run(&["doctor", "--json"]);
    let found = doctor.json().remove(0);
    let findings = found["findings"].as_array().expect("findings");
    let finding =
        findings.iter().find(|one| one["id"] == "log-broken").unwrap_or_else(|| panic!("{doctor:?}"));
    assert!(finding["evidence"].to_string().contains("log 0 ends"), "{finding}");
}

#[test]
fn adm_09_what_was_looked_into_is_accepted_by_name() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = history(&t);
    tamper(&mut t, |db| {
        run(db, "DELETE FROM login WHERE id = 2; UPDATE login SET user = 'bob' WHERE id = 4");
    });
    let told = t.daemon.ctl().run(&["log", "verify"]);
    assert_eq!(told.code, Some(6), "{told:?}");
    assert!(told.stdout.contains("login 2  missing") && told.stdout.contains("login 4  changed"), "{told:?}");
    assert!(told.complaint().contains("log accept"), "{told:?}");
    assert_eq!(t.daemon.ctl().run(&["log", "accept", "--reason", "x"]).code, Some(2), "nobody was asked");
    let _ = t.daemon.ctl().run(&["log", "accept", "--reason", "the disk, ticket 7", "--yes"]).ok();
    let (whole, broken, said) = verify(&t, &[]);
    assert!(whole, "{broken:?}");
    assert_eq!(said["accepted"], 7);
    assert!(t.cs().visit("alice").run([alice.fresh_code()]).passed());
    // A link from before is not compared with anything.
    let (whole, _, said) = verify(&t, &["--noted", "1:000102030405060708090a0b0c0d0e0f"]);
    assert!(whole && said["noted"] == "gone", "{said}");
    tamper(&mut t, |db| run(db, "UPDATE login SET user = 'carol' WHERE id = 8"));
    let (_, broken, _) = verify(&t, &[]);
    assert_eq!(broken, ["login 8 changed"], "proven from there on");
    let acts = t.daemon.ctl().run(&["log", "acts", "--verb", "AcceptLog", "--json"]).ok().json();
    assert_eq!(acts[0]["reason"], "the disk, ticket 7");
}
