//! ADM-09: somebody who can write the database and has not the key, with a restart of the daemon in between.
//!
//! The store is a real one on real files; what somebody does to it is done by SQL while nothing runs. Not
//! tried here, because it is for the instance file to find: putting an older database back whole.

use super::begin::{LoginRow, Opened, Phase};
use super::finish::ConfirmRow;
use super::log::Which;
use super::worker::Durability;
use super::{Closed, Layout, Store, WhichActs, files, schema};
use crate::act::Deed;
use crate::clock::{HighWater, Moment};
use crate::decide::answer::Payer;
use crate::seal::Keys;
use rusqlite::Connection;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const DAY: i64 = 24 * 3600;
const TODAY: i64 = 1_800_000_000;
/// Rows from before this are pruned; the history has some.
const KEPT: i64 = TODAY - 400 * DAY;
/// Logins and acts of the history.
const LOGINS: i64 = 30;
const ACTS: i64 = 12;

fn at(wall: i64, boot: u8) -> Moment {
    Moment { wall, date: wall, boot_ms: 1_000_000, boot: [boot; 16] }
}

fn layout(dir: &Path) -> Layout {
    Layout { state: dir.join("state"), key: dir.join("key") }
}

/// Opens the store as the daemon does.
fn open(dir: &Path) -> (Store, Closed) {
    let layout = layout(dir);
    let key = files::read_key_file(&layout.key).expect("a key");
    let clock = HighWater::default();
    clock.raise(TODAY);
    let (store, closed) = Store::open(layout, key.instance, clock, Arc::default()).expect("the store opens");
    let keys = Keys::derive(&key.key, key.instance).expect("keys");
    store.take_up_chain(Arc::new(keys)).expect("the chain opens");
    (store, closed)
}

fn close((store, closed): (Store, Closed)) {
    drop(store);
    closed.wait(Duration::from_secs(10));
}

fn wait<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(work)
}

fn row(token: u8) -> LoginRow {
    LoginRow {
        token: [token; 16],
        caller: 0,
        user: format!("user{}", token % 4),
        uid: Some(2000 + u32::from(token % 4)),
        ruser: String::new(),
        service: "sshd".into(),
        program: format!("prog-{token}"),
        tty: "ssh".into(),
        source: format!("192.0.2.{token}"),
        source_key: format!("192.0.2.{token}"),
        console: false,
        payer: Payer::Person,
        talk: true,
        policy: "everybody".into(),
        may_enroll: false,
        rules: "rules".into(),
        mail_to: None,
    }
}

/// A login of one of the ends that there are.
fn login(store: &Store, token: u8, now: Moment) {
    let (phase, state, reason) = match token % 5 {
        0 => (Phase::Over, "denied", "not-enrolled"),
        1 | 2 => (Phase::Asked, "asked", ""),
        3 => (Phase::Verified, "verified", ""),
        _ => (Phase::Skipped, "skipped", "policy"),
    };
    let opened = Opened::new(phase, state, reason, ());
    wait(store.begin(row(token), now, |_| opened)).expect("it begins");
    match token % 5 {
        1 => wait(store.abandon([token; 16], 0)).expect("it is abandoned"),
        // One waits for its account phase still.
        3 | 4 if token != 28 => {
            let what = ConfirmRow {
                token: [token; 16],
                caller: 0,
                user: row(token).user,
                concealed: String::new(),
                service: "sshd".into(),
                rules: "rules".into(),
            };
            let _ = wait(store.confirm(what, now)).expect("it is confirmed");
        }
        _ => {}
    }
}

fn act(store: &Store, n: i64, now: Moment) {
    let deed = Deed {
        verb: "Unlock".into(),
        acts: true,
        at: now.wall,
        actor: 0,
        actor_name: "root".into(),
        about: Some((2000, "user0".into())),
        reason: format!("ticket {n}"),
        ..Deed::default()
    };
    store.record(deed, "5 failures".into(), "nothing".into()).expect("it is recorded");
}

/// An installation with a history, of which a part is old enough to go and a few logins are under way.
fn installation() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    std::fs::create_dir(layout(dir.path()).state).expect("a directory");
    schema::init(&layout(dir.path()), TODAY - 500 * DAY).expect("an installation");
    let opened = open(dir.path());
    for n in 1..=LOGINS {
        let age = if n <= 8 { 450 } else { 40 - n };
        let now = at(TODAY - age * DAY, 1);
        login(&opened.0, u8::try_from(n).expect("small"), now);
        if n * ACTS % LOGINS < ACTS {
            act(&opened.0, n, now);
        }
        if n % 10 == 5 {
            // A host that is started anew: what was asked is abandoned.
            wait(opened.0.end_overdue(at(now.wall, 2))).expect("it ends");
        }
    }
    close(opened);
    dir
}

/// The same installation in another place.
fn copy(of: &Path) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a directory");
    let (from, to) = (layout(of), layout(dir.path()));
    schema::create_state_dir(&to.state).expect("a directory");
    std::fs::copy(&from.key, &to.key).expect("the key");
    std::fs::copy(from.instance(), to.instance()).expect("the instance");
    std::fs::copy(from.database(), to.database()).expect("the database");
    dir
}

fn tamper(dir: &Path, sql: &str) -> rusqlite::Result<()> {
    let db = Connection::open(layout(dir).database()).expect("the database");
    let done = db.execute_batch(sql);
    if done.is_err() {
        let _ = db.execute_batch("ROLLBACK");
    }
    db.close().expect("it closes");
    done
}

/// Everything that is in a table.
fn dump(dir: &Path, table: &str) -> String {
    let db = Connection::open(layout(dir).database()).expect("the database");
    let mut statement = db.prepare(&format!("SELECT * FROM {table} ORDER BY 1")).expect("a table");
    let columns = statement.column_count();
    let mut rows = statement.query([]).expect("rows");
    let mut out = String::new();
    while let Some(row) = rows.next().expect("a row") {
        for column in 0..columns {
            out.push_str(&format!("{:?}|", row.get_ref(column).expect("a value")));
        }
        out.push('\n');
    }
    out
}

/// What the daemon does with whatever it finds: it ends what is overdue, prunes, and goes on.
fn live(dir: &Path) {
    let now = at(TODAY, 3);
    let opened = open(dir);
    let store = &opened.0;
    for _ in 0..2 {
        wait(store.end_overdue(now)).expect("logins end");
        while wait(store.prune(KEPT, 100_000, now)).expect("it is pruned") > 0 {}
        while wait(store.prune_links(now)).expect("links are pruned") > 0 {}
        while wait(store.prune_acts(KEPT, now)).expect("acts are pruned") > 0 {}
        for token in 101..=103 {
            login(store, token, now);
        }
        act(store, 99, now);
        // Those that are left behind, once more.
        wait(store.end_overdue(at(TODAY, 4))).expect("logins end");
    }
    close(opened);
}

/// Proves the log after one more restart. Gives what is broken, and all that can be read.
fn judge(dir: &Path) -> (Vec<String>, Vec<String>) {
    let opened = open(dir);
    let store = &opened.0;
    let (mut broken, mut from) = (Vec::new(), (0, 0));
    while from.0 < super::verify::DONE {
        let page = wait(store.verify(from, None)).expect("a proof");
        broken.extend(page.broken.iter().map(|b| format!("{} {} {}", b.row, b.id, b.what)));
        from = (page.part, page.after);
    }
    let now = at(TODAY + 3600, 5);
    let (logins, _) = wait(store.logins(Which::default(), None, 10_000, now)).expect("logins");
    let (acts, _) = wait(store.acts(WhichActs::default(), 0, 10_000)).expect("acts");
    let read = logins.iter().map(|l| format!("{l:?}")).chain(acts.iter().map(|a| format!("{a:?}"))).collect();
    close(opened);
    (broken, read)
}

#[test]
fn adm_09_an_honest_history_is_whole_and_keeps_what_is_not_old() {
    let dir = installation();
    assert_eq!(judge(dir.path()).0, [""; 0]);
    live(dir.path());
    let (broken, read) = judge(dir.path());
    assert_eq!(broken, [""; 0]);
    // Eight logins and as many acts as go with them were old.
    assert_eq!(read.iter().filter(|one| one.starts_with("Login")).count(), 30 - 8 + 6, "{read:#?}");
    assert!(read.iter().all(|one| !one.contains("started: 1761")), "{read:#?}");
}

/// Killed at any moment: what is on disk is then what some commit left, with its log of writes beside it.
#[test]
fn adm_09_a_copy_taken_between_any_two_commits_is_whole() {
    let template = installation();
    let opened = open(template.path());
    let mut copies = Vec::new();
    for token in 110..=124 {
        login(&opened.0, token, at(TODAY, 1));
        if token % 4 == 0 {
            act(&opened.0, i64::from(token), at(TODAY, 1));
        }
        let dir = copy(template.path());
        std::fs::copy(layout(template.path()).wal(), layout(dir.path()).wal()).expect("the log of writes");
        copies.push(dir);
    }
    close(opened);
    for (n, dir) in copies.iter().enumerate() {
        assert_eq!(judge(dir.path()).0, [""; 0], "after {n}");
        live(dir.path());
        assert_eq!(judge(dir.path()).0, [""; 0], "after {n}, and on");
    }
}

/// The same while the daemon runs: what it reads from the file is not what it wrote there.
#[test]
fn adm_09_what_is_changed_in_the_file_of_a_running_daemon_is_not_certified() {
    let template = installation();
    let dir = copy(template.path());
    let opened = open(dir.path());
    wait(opened.0.run_unrecorded(Durability::Kill, |db| Ok(db.execute_batch("PRAGMA shrink_memory")?)))
        .expect("pages are forgotten");
    let database = layout(dir.path()).database();
    let mut bytes = std::fs::read(&database).expect("the database");
    let place = bytes.windows(7).position(|word| word == b"prog-27").expect("the login under way");
    bytes[place..place + 4].copy_from_slice(b"evil");
    let file = std::fs::OpenOptions::new().write(true).open(&database).expect("the database");
    file.write_all_at(&bytes[place..place + 4], place as u64).expect("a byte or four");
    wait(opened.0.end_overdue(at(TODAY, 3))).expect("logins end");
    close(opened);
    let (broken, read) = judge(dir.path());
    assert!(read.iter().any(|one| one.contains("evil-27")), "it was read: {read:#?}");
    assert!(broken.contains(&"login 27 added".to_owned()), "{broken:?}");
    assert!(broken.contains(&"log 0 ends".to_owned()), "{broken:?}");
}

/// Two hosts that went on from one copy under one key: what one wrote is nothing that the other did.
#[test]
fn adm_09_a_login_of_another_copy_does_not_fit_into_this_log() {
    let template = installation();
    let copies = [105, 110].map(|token| {
        let dir = copy(template.path());
        let opened = open(dir.path());
        login(&opened.0, token, at(TODAY, 3));
        login(&opened.0, 100, at(TODAY, 3));
        close(opened);
        dir
    });
    let other = layout(copies[1].path()).database();
    let splice = format!(
        "ATTACH '{}' AS other;
         DELETE FROM login WHERE id = 31; INSERT INTO login SELECT * FROM other.login WHERE id = 31;
         DELETE FROM link WHERE login = 31; INSERT INTO link SELECT * FROM other.link WHERE login = 31;",
        other.display()
    );
    tamper(copies[0].path(), &splice).expect("one row for another");
    let (broken, read) = judge(copies[0].path());
    assert!(read.iter().any(|one| one.contains("192.0.2.110")), "{read:#?}");
    assert!(broken.iter().any(|one| one.starts_with("link ") && one.ends_with(" changed")), "{broken:?}");
}

/// A number that stands for one login never stands for another.
#[test]
fn adm_09_a_number_is_not_given_twice_while_the_daemon_runs() {
    let template = installation();
    for (sql, named) in [
        (
            "DELETE FROM login WHERE id = 30; UPDATE sqlite_sequence SET seq = 29 WHERE name = 'login'",
            "login 30 changed",
        ),
        (
            "DELETE FROM act WHERE id = (SELECT max(id) FROM act);
             UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM act) WHERE name = 'act'",
            "act 12 changed",
        ),
        ("DELETE FROM login WHERE token IS NOT NULL", "log 0 ends"),
    ] {
        let dir = copy(template.path());
        let opened = open(dir.path());
        wait(opened.0.run_unrecorded(Durability::Kill, move |db| Ok(db.execute_batch(sql)?))).expect(sql);
        login(&opened.0, 105, at(TODAY, 3));
        act(&opened.0, 99, at(TODAY, 3));
        close(opened);
        let (broken, _) = judge(dir.path());
        assert!(broken.contains(&"log 0 ends".to_owned()), "{sql}: {broken:?}");
        assert!(broken.iter().any(|one| one == named), "{sql}: no {named} in {broken:?}");
        // It goes on behind all that there was, once that is accepted.
        let dir = copy(template.path());
        let opened = open(dir.path());
        wait(opened.0.run_unrecorded(Durability::Kill, move |db| Ok(db.execute_batch(sql)?))).expect(sql);
        wait(opened.0.accept_log()).expect("it is accepted");
        login(&opened.0, 105, at(TODAY, 3));
        act(&opened.0, 99, at(TODAY, 3));
        close(opened);
        assert_eq!(judge(dir.path()).0, [""; 0], "{sql}");
    }
}

/// What somebody does, and what must be named after the daemon went on with it.
const CRIMES: [(&str, &str); 20] = [
    // Finished rows that look unfinished: the daemon would finish them again.
    (
        "UPDATE login SET state = 'verified', reason = '', token = randomblob(32), boot = zeroblob(16) WHERE id = 20",
        "login 20 changed",
    ),
    ("UPDATE login SET source = '::1', token = randomblob(16), phase = 1 WHERE id = 20", "login 20 changed"),
    ("UPDATE login SET token = randomblob(16) WHERE id = 21", "log 0 ends"),
    // Rows that were never written, as if they were under way.
    (MADE_UP, "login 31 added"),
    (MADE_UP_ASKED, "login 31 added"),
    (MADE_UP_FINISHED, "login 31 added"),
    // One that is under way.
    ("UPDATE login SET source = '::1' WHERE token IS NOT NULL", "log 0 ends"),
    ("DELETE FROM login WHERE token IS NOT NULL", "log 0 ends"),
    // Made to look old: pruning would take them, or others with them.
    ("UPDATE login SET started = 0 WHERE id <= 20", "login 9 changed"),
    ("UPDATE login SET started = 0 WHERE id > 8 AND id <= 12; DELETE FROM login WHERE id = 3", "log 0 ends"),
    ("UPDATE act SET at = 0 WHERE id <= 9", "act 9 changed"),
    ("DELETE FROM act WHERE id = 2", "act 2 missing"),
    ("DELETE FROM login WHERE id = 3", "login 3 missing"),
    ("UPDATE link SET digest = randomblob(16) WHERE seq = 2", "log 0 ends"),
    (
        "INSERT INTO sqlite_sequence VALUES ('x', 1); UPDATE login SET id = 5000000 WHERE id = 30",
        "login 30 missing",
    ),
    // The end goes, and its number is given again.
    (
        "DELETE FROM login WHERE id = 30; UPDATE sqlite_sequence SET seq = 29 WHERE name = 'login'",
        "login 30 missing",
    ),
    (
        "DELETE FROM act WHERE id = (SELECT max(id) FROM act);
         UPDATE sqlite_sequence SET seq = (SELECT max(id) FROM act) WHERE name = 'act'",
        "log 0 ends",
    ),
    ("DELETE FROM sqlite_sequence; DELETE FROM login WHERE id = 30", "login 30 missing"),
    // An older date to count age from, or none.
    ("UPDATE chain SET kept_to = 4000000000", "log 0 ends"),
    ("DELETE FROM chain", "log 0 ends"),
];

const MADE_UP: &str = "INSERT INTO login (token, phase, caller, user, ruser, service, program, tty, source, source_key,
       console, person_pays, talk, policy, state, reason, started, boot, started_ms)
     SELECT randomblob(16), 1, caller, 'mallory', ruser, service, program, tty, source, source_key, console, person_pays,
       talk, policy, 'verified', '', started, zeroblob(16), started_ms FROM login WHERE id = 30";
const MADE_UP_ASKED: &str = "INSERT INTO login (token, phase, caller, user, ruser, service, program, tty, source,
       source_key, console, person_pays, talk, policy, state, reason, started, boot, started_ms)
     SELECT randomblob(16), 0, caller, 'mallory', ruser, service, program, tty, source, source_key, console, person_pays,
       talk, policy, 'verified', '', started, zeroblob(16), started_ms FROM login WHERE id = 30";
const MADE_UP_FINISHED: &str = "INSERT INTO login (phase, caller, user, ruser, service, program, tty, source,
       source_key, console, person_pays, talk, policy, state, reason, started, boot, started_ms)
     SELECT 0, caller, 'mallory', ruser, service, program, tty, source, source_key, console, person_pays,
       talk, policy, 'verified', '', started, zeroblob(16), started_ms FROM login WHERE id = 30";

#[test]
fn adm_09_what_the_daemon_finishes_and_prunes_is_not_certified() {
    let template = installation();
    for (crime, named) in CRIMES {
        let dir = copy(template.path());
        tamper(dir.path(), crime).expect(crime);
        live(dir.path());
        let (broken, read) = judge(dir.path());
        if crime.starts_with("UPDATE chain") {
            // Old as they are, these are what somebody looks into now.
            assert_eq!(read.iter().filter(|one| one.starts_with("Login")).count(), 30 + 6, "{crime}");
        }
        assert!(broken.iter().any(|one| one == named), "{crime}: no {named} in {broken:?}");
        assert!(broken.iter().any(|one| one == "log 0 ends"), "{crime}: {broken:?}");
    }
}

#[test]
fn adm_09_what_is_accepted_is_whole_from_there_on_whatever_was_done() {
    let template = installation();
    for (crime, _) in CRIMES.iter().step_by(2) {
        let dir = copy(template.path());
        tamper(dir.path(), crime).expect(crime);
        let opened = open(dir.path());
        login(&opened.0, 104, at(TODAY, 3));
        wait(opened.0.accept_log()).expect("it is accepted");
        login(&opened.0, 105, at(TODAY, 3));
        close(opened);
        assert_eq!(judge(dir.path()).0, [""; 0], "{crime}");
        live(dir.path());
        assert_eq!(judge(dir.path()).0, [""; 0], "{crime}, and on");
    }
}

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 33).expect("31 bits") % sides
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

const LOGIN_COLUMNS: [&str; 16] = [
    "user",
    "uid",
    "caller",
    "service",
    "source",
    "policy",
    "state",
    "factor",
    "reason",
    "started",
    "tries",
    "confirmed",
    "phase",
    "boot",
    "started_ms",
    "link",
];
const ACT_COLUMNS: [&str; 9] =
    ["at", "verb", "actor", "actor_name", "about", "about_name", "before", "reason", "mac"];
const CHAIN_COLUMNS: [&str; 14] = [
    "links",
    "link_mac",
    "first_link",
    "first_mac",
    "last_login",
    "floor",
    "accepted",
    "acts",
    "act_mac",
    "first_act",
    "first_act_mac",
    "under_way",
    "kept_to",
    "broken",
];

/// Something that somebody without the key may do.
fn deed(dice: &mut Dice) -> String {
    let (n, m) = (1 + dice.roll(32), 1 + dice.roll(32));
    match dice.roll(19) {
        // A value that another row has, so that it always fits.
        0 | 1 => {
            let column = dice.one(&LOGIN_COLUMNS);
            format!("UPDATE login SET {column} = (SELECT {column} FROM login WHERE id = {m}) WHERE id = {n}")
        }
        2 => format!("UPDATE login SET user = 'mallory' WHERE id = {n}"),
        3 => format!("DELETE FROM login WHERE id = {n}"),
        4 => format!("UPDATE login SET token = randomblob(16), phase = {}, boot = zeroblob(16) WHERE id = {n}", m % 4),
        5 => "UPDATE login SET token = NULL, phase = 3".to_owned(),
        6 => format!("UPDATE login SET started = 0 WHERE id <= {n}"),
        7 => format!(
            "UPDATE login SET id = -1 WHERE id = {n}; UPDATE login SET id = {n} WHERE id = {m}; UPDATE login SET id = {m} WHERE id = -1"
        ),
        8 => dice.one(&[MADE_UP, MADE_UP_ASKED, MADE_UP_FINISHED]).to_owned(),
        9 => {
            let column = dice.one(&ACT_COLUMNS);
            format!("UPDATE act SET {column} = (SELECT {column} FROM act WHERE id = {m}) WHERE id = {n} AND {m} <= 12")
        }
        10 => format!("DELETE FROM act WHERE id = {n}"),
        11 => format!("UPDATE act SET at = 0 WHERE id <= {n}"),
        12 => format!(
            "INSERT INTO act (at, verb, actor, actor_name, about_name, before, after, reason, mac)
             SELECT at, verb, actor, actor_name, about_name, before, after, 'made up', mac FROM act WHERE id = {n}"
        ),
        13 => format!("DELETE FROM link WHERE seq = {n}"),
        14 => {
            let column = dice.one(&["login", "digest", "mac"]);
            format!("UPDATE link SET {column} = (SELECT {column} FROM link WHERE seq = {m}) WHERE seq = {n}")
        }
        15 => format!(
            "UPDATE link SET seq = -1 WHERE seq = {n}; UPDATE link SET seq = {n} WHERE seq = {m}; UPDATE link SET seq = {m} WHERE seq = -1"
        ),
        16 => {
            let (to, from) = (dice.one(&CHAIN_COLUMNS), dice.one(&CHAIN_COLUMNS));
            format!("UPDATE chain SET {to} = {from}")
        }
        17 => format!("UPDATE chain SET {} = {n}", dice.one(&["links", "first_link", "last_login", "floor", "acts", "first_act"])),
        _ => format!("UPDATE sqlite_sequence SET seq = {n} WHERE name = '{}'", dice.one(&["login", "act"])),
    }
}

/// Cases of the random adversary. `COUNTERSIGN_CASES` asks for more.
const CASES: u64 = 40;

#[test]
fn adm_09_whatever_somebody_does_without_the_key_is_named_or_changes_nothing() {
    let template = installation();
    let honest = copy(template.path());
    live(honest.path());
    let (_, expected) = judge(honest.path());
    let cases = std::env::var("COUNTERSIGN_CASES").ok().and_then(|n| n.parse().ok()).unwrap_or(CASES);
    let tables = ["login", "act", "link", "chain", "sqlite_sequence"];
    let before = tables.map(|table| dump(template.path(), table));
    for seed in 1..=cases {
        let mut dice = Dice(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let deeds: Vec<String> = (0..=dice.roll(3)).map(|_| deed(&mut dice)).collect();
        let dir = copy(template.path());
        for one in &deeds {
            // What SQLite itself refuses is not done.
            let _ = tamper(dir.path(), &format!("BEGIN; {one}; COMMIT"));
        }
        let after = tables.map(|table| dump(dir.path(), table));
        live(dir.path());
        let (broken, read) = judge(dir.path());
        assert!(!broken.is_empty() || read == expected, "case {seed}, unseen: {deeds:#?}");
        assert!(broken.is_empty() || after != before, "case {seed}, nothing was done: {deeds:#?} {broken:?}");
    }
}
