//! Leavers: somebody whose account is gone, and what is still kept of them.

use super::{Somebody, require_all};
use countersign_tests::people::{ALICE, CAROL};
use countersign_tests::{Fixture, Secret};
use rusqlite::Connection;

/// What stays of somebody with an account: what happened, and what an administrator ordered.
const STAYS: [&str; 4] = ["grace", "login", "notice", "override"];

/// Tables that have a row of this uid. The daemon has the database for itself while it runs.
fn tables_with(t: &mut Fixture, uid: u32) -> Vec<String> {
    t.daemon.stop();
    let db = Connection::open(t.daemon.database()).expect("the database");
    let mut statement = db
        .prepare("SELECT m.name FROM sqlite_master m, pragma_table_info(m.name) c WHERE m.type = 'table' AND c.name = 'uid' ORDER BY 1")
        .expect("tables");
    let tables: Vec<String> =
        statement.query_map([], |r| r.get(0)).expect("tables").collect::<Result<_, _>>().expect("names");
    assert!(tables.len() > 5, "{tables:?}");
    let holds = |table: &String| {
        db.query_row(&format!("SELECT count(*) FROM \"{table}\" WHERE uid = ?1"), [uid], |r| {
            r.get::<_, u32>(0)
        })
        .expect("a count")
            > 0
    };
    let found: Vec<String> = tables.into_iter().filter(holds).collect();
    drop(statement);
    drop(db);
    t.daemon.resume();
    found
}

/// A request of and about alice, a remembered source, a lock, a notice, an enrollment that waits.
fn leave_traces(t: &Fixture) -> Secret {
    let alice = t.daemon.enroll("alice");
    assert!(t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    let guess = alice.wrong_code(1);
    for _ in 0..2 {
        let _ = t.cs().visit("alice").rhost("192.0.2.8").run(vec![&guess; 3]);
    }
    let secret = t.daemon.enroll("carol");
    let mut carol = Somebody::new(&t.bus, CAROL);
    let proof = carol.proof("carol", &secret);
    assert!(carol.ask("alice", &proof).is_ok());
    alice
}

fn userdel(name: &str) {
    for file in ["/etc/passwd", "/etc/group", "/etc/shadow"] {
        let text = std::fs::read_to_string(file).expect("our own /etc");
        let rest: String = text
            .lines()
            .filter(|line| !line.starts_with(&format!("{name}:")))
            .map(|l| l.to_owned() + "\n")
            .collect();
        std::fs::write(file, rest).expect("our own /etc");
    }
}

#[test]
fn adm_11_a_reset_leaves_what_happened_and_nothing_that_lets_in() {
    require_all!();
    let mut t = Fixture::with_clock();
    let _alice = leave_traces(&t);
    let before = tables_with(&mut t, ALICE.uid);
    for table in ["known_source", "person", "recovery_code", "recovery_set", "reset_request", "totp"] {
        assert!(before.iter().any(|known| known == table), "the control: {table} in {before:?}");
    }
    let _ = t.daemon.ctl().run(&["reset", "alice", "--reason", "phone lost", "--yes"]).ok();
    let after = tables_with(&mut t, ALICE.uid);
    assert!(after.iter().all(|table| STAYS.contains(&table.as_str())), "{after:?}");
    let status = t.daemon.ctl().run(&["status", "alice"]).ok();
    assert!(status.stdout.contains("reset"), "she has an account and will be told: {status:?}");
}

#[test]
fn adm_11_of_somebody_who_left_only_the_attempt_log_stays() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = leave_traces(&t);
    let held = t.cs().visit("alice").rhost("192.0.2.7").hold();
    userdel("alice");
    // What was known of her a moment ago.
    std::thread::sleep(std::time::Duration::from_millis(2100));
    let users = t.daemon.ctl().run(&["users"]).ok();
    assert!(users.stdout.contains("alice"), "nothing is swept away by itself: {users:?}");
    let done = t.daemon.ctl().run(&["reset", "alice", "--reason", "left", "--yes"]).ok();
    assert!(done.stdout.contains("2 factors of alice removed"), "{done:?}");
    let answered = held.answer(alice.fresh_code());
    assert!(!answered.passed(), "begun before she left: {answered:?}");
    assert_eq!(tables_with(&mut t, ALICE.uid), ["login"]);
    let said = t.daemon.said();
    assert!(
        said.contains("<4>everything of somebody gone was removed user=\"alice\" uid=\"5001\""),
        "{said}"
    );
    assert_eq!(t.daemon.ctl().run(&["status", "alice"]).code, Some(3));
    assert_eq!(t.daemon.ctl().run(&["approve", "--json"]).ok().json().len(), 0, "nor a request about her");
    let row = t.daemon.log("alice");
    assert!(row.iter().any(|row| row.reason == "reset"), "{row:#?}");
}
