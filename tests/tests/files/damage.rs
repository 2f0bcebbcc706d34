//! INP-07: databases that were damaged while the daemon was down.

use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::daemon::StartAttempt;
use countersign_tests::people::DAEMON_UID;
use countersign_tests::{Code, Fixture, Wire, require};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;

/// Pseudo-random numbers that are the same in every run (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 >> 16).expect("48 bits") % n
    }
}

fn put_back(files: &[(PathBuf, Vec<u8>)]) {
    for (path, bytes) in files {
        fs::write(path, bytes).expect("write the state");
        // A refused start may have taken the write-ahead log away.
        fs::set_permissions(path, Permissions::from_mode(0o600)).expect("our own file");
        chown(path, Some(DAEMON_UID), Some(DAEMON_UID)).expect("our own file");
    }
}

/// Damages one file of the state, and says how.
fn damage(dice: &mut Dice, files: &[(PathBuf, Vec<u8>)]) -> String {
    // Most of the damage goes where the factors are.
    let (path, good) = &files[[0, 0, 0, 0, 0, 1, 1, 2][dice.below(8)]];
    let mut bytes = good.clone();
    let at = dice.below(bytes.len());
    let how = match dice.below(8) {
        0 => {
            bytes.truncate(at);
            "cut"
        }
        1 => {
            let page = at / 4096 * 4096;
            let end = bytes.len().min(page + 4096);
            bytes[page..end].fill(0);
            "page zeroed"
        }
        2 => {
            let other = dice.below(bytes.len()) / 4096 * 4096;
            let page = at / 4096 * 4096;
            let length = 4096.min(bytes.len() - page.max(other));
            bytes.copy_within(other..other + length, page);
            "page replaced by another"
        }
        3 => {
            bytes[at] = u8::try_from(dice.below(256)).expect("a byte");
            "byte changed"
        }
        _ => {
            bytes[at] ^= 1 << dice.below(8);
            "bit flipped"
        }
    };
    fs::write(path, bytes).expect("write the state");
    format!("{how} at {at} of {}", path.display())
}

/// How many are damaged by each test; all ten thousand with `COUNTERSIGN_LONG=1`.
fn rounds() -> usize {
    if std::env::var_os("COUNTERSIGN_LONG").is_some() { 5000 } else { 250 }
}

/// A damaged database is refused, or decides as before, or denies. It never lets anybody in without a code, nor
/// by somebody else's.
#[test]
fn inp_07_hundreds_of_damaged_databases_let_nobody_in() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let_nobody_in(Dice(0x0c0d_e5ee_d007));
}

#[test]
fn inp_07_hundreds_more_of_damaged_databases_let_nobody_in() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let_nobody_in(Dice(0x5ca1_ab1e_0b57));
}

/// The files of a daemon that was killed, so that the log lies beside the database.
fn files_of(t: &mut Fixture) -> Vec<(PathBuf, Vec<u8>)> {
    // Enough rows that the write-ahead log was copied into the database: both hold what matters.
    let mut root = Wire::on(&t.bus);
    for _ in 0..500 {
        let begin = ("carol", "", "sshd", "sshd", "192.0.2.1", "ssh", "passed");
        root.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &begin).expect("a step");
    }
    t.daemon.kill9();
    let names = ["countersign.db", "countersign.db-wal", "instance"];
    let paths = names.iter().map(|name| t.daemon.state().join(name));
    paths.map(|path| (path.clone(), fs::read(&path).expect("a file"))).collect()
}

fn let_nobody_in(mut dice: Dice) {
    let mut t = Fixture::with_clock();
    let [alice, bob] = ["alice", "bob"].map(|user| t.daemon.enroll(user));
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
    let good = files_of(&mut t);
    // Each round begins with the same files, so a code is unused in each.
    t.clock().next_step();
    let wrong = alice.wrong_code(1);

    let probe = t.probe();
    let (mut refusals, mut denials, mut usual) = (0, 0, 0);
    for round in 0..rounds() {
        put_back(&good);
        let how = format!("round {round}: {}", damage(&mut dice, &good));
        let before = t.daemon.said().len();
        match t.daemon.try_start() {
            StartAttempt::Ready => {
                // Somebody else's, a wrong one, and then the right one.
                let outcome = probe.login("alice", [&bob.code_in(0), &wrong, &alice.code_in(0)]);
                let refused = !matches!(outcome.auth, Code::SUCCESS | Code::IGNORE);
                assert!(refused || outcome.code_prompts() == 3, "{how}: {outcome:?}");
                assert_ne!(outcome.auth, Code::IGNORE, "{how}: {outcome:?}");
                if refused {
                    denials += 1;
                    let said = t.daemon.said()[before..].to_owned();
                    let told = outcome.code_prompts() > 0 || said.lines().any(is_alarm);
                    assert!(told, "{how}: denied before the prompt, and nothing said: {said}");
                } else {
                    usual += 1;
                }
                assert!(t.daemon.is_running(), "{how}: {}", &t.daemon.said()[before..]);
                t.daemon.kill9();
            }
            StartAttempt::Ended(status) => {
                assert!(status.code().is_some() && status.signal().is_none(), "{how}: {status}");
                let said = t.daemon.said()[before..].to_owned();
                assert!(!said.trim().is_empty(), "{how}: it ended without a word");
                refusals += 1;
            }
            StartAttempt::Silent => panic!("{how}: it hangs"),
        }
        let said = t.daemon.said();
        assert!(!said[before..].contains("panicked"), "{how}: {}", &said[before..]);
    }
    eprintln!(
        "figures: {} damaged databases: {refusals} refused at start, {denials} logins denied, {usual} as usual",
        rounds()
    );
    assert!(refusals > 25 && usual > 25, "the damage is neither all nor nothing: {refusals}, {usual}");

    put_back(&good);
    t.daemon.resume();
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "the good files still work");
}

/// A line of the daemon's that a monitor looks for: a warning, an error or worse.
fn is_alarm(line: &str) -> bool {
    ["<4>", "<3>", "<2>"].iter().any(|priority| line.starts_with(priority))
}

/// Secrets that are none, or far too long: nobody gets in, it is said, and everybody else does.
#[test]
fn inp_07_secrets_of_no_and_of_a_million_bytes_deny_their_owner_alone() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let [alice, bob] = ["alice", "bob"].map(|user| t.daemon.enroll(user));
    t.daemon.stop();
    let good: Vec<_> = ["countersign.db", "instance"]
        .map(|name| t.daemon.state().join(name))
        .map(|path| (path.clone(), fs::read(&path).expect("a file")))
        .to_vec();
    let not_null = "PRAGMA writable_schema = ON; UPDATE sqlite_schema SET sql = replace(sql, 'BLOB    NOT NULL', 'BLOB') \
         WHERE name = 'totp'; PRAGMA writable_schema = RESET; UPDATE totp SET secret = NULL WHERE uid = 5001";
    for (change, starts) in [
        ("UPDATE totp SET secret = zeroblob(0) WHERE uid = 5001", true),
        ("UPDATE totp SET secret = zeroblob(1048576) WHERE uid = 5001", true),
        ("UPDATE totp SET secret = (SELECT secret FROM totp WHERE uid = 5002) WHERE uid = 5001", true),
        (not_null, false),
    ] {
        put_back(&good);
        drop(fs::remove_file(t.daemon.state().join("countersign.db-wal")));
        let db = rusqlite::Connection::open(t.daemon.database()).expect("a database");
        db.execute_batch(change).unwrap_or_else(|e| panic!("{change}: {e}"));
        let is_null = "SELECT count(*) FROM totp WHERE secret IS NULL";
        let nulls: u32 = db.query_row(is_null, [], |r| r.get(0)).expect("a number");
        assert_eq!(nulls, u32::from(!starts), "the control: {change}");
        drop(db);
        let before = t.daemon.said().len();
        let started = t.daemon.try_start();
        assert_eq!(started == StartAttempt::Ready, starts, "{change}: {started:?}");
        if starts {
            for code in [alice.fresh_code(), bob.code_in(0), "000000".to_owned()] {
                let outcome = t.probe().login("alice", [&code]);
                assert!(!matches!(outcome.auth, Code::SUCCESS | Code::IGNORE), "{change}: {outcome:?}");
            }
            assert!(t.daemon.is_running(), "{change}: {}", t.daemon.said());
            assert!(t.cs().login("bob", [bob.fresh_code()]).passed(), "{change}: bob's own");
            t.daemon.kill9();
        }
        let said = t.daemon.said()[before..].to_owned();
        let told =
            if starts { said.lines().any(is_alarm) } else { said.contains("restore it from your backup") };
        assert!(told && !said.contains("panicked"), "{change}: {said}");
    }
}

/// Whoever looks finds it: the daemon says why it does not start, and `doctor` that nobody answers.
#[test]
fn inp_07_a_damaged_database_is_named_by_the_daemon_and_found_by_doctor() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let mut t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let db = rusqlite::Connection::open(t.daemon.database()).expect("a database");
    let page: i64 = db
        .query_row("SELECT rootpage FROM sqlite_schema WHERE name = 'totp'", [], |r| r.get(0))
        .expect("a table");
    drop(db);
    let mut bytes = fs::read(t.daemon.database()).expect("the database");
    let at = usize::try_from(page - 1).expect("a page") * 4096;
    bytes[at..at + 4096].fill(0x5a);
    fs::write(t.daemon.database(), bytes).expect("damage");
    let before = t.daemon.said().len();
    assert!(matches!(t.daemon.try_start(), StartAttempt::Ended(_)));
    let said = t.daemon.said()[before..].to_owned();
    assert!(said.contains("damaged") && said.contains("restore"), "{said}");
    let out = t.daemon.ctl().run(&["doctor", "--json"]);
    assert_eq!(out.code, Some(6), "{out:?}");
    assert_eq!(out.json()[0]["findings"][0]["id"], "daemon-away", "{out:?}");
}

/// A database that somebody has written into: what is in it beyond ours would run with every login.
#[test]
fn inp_07_a_foreign_schema_is_refused_at_start() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let names = ["countersign.db", "instance"];
    let good: Vec<_> = names
        .iter()
        .map(|name| t.daemon.state().join(name))
        .map(|path| (path.clone(), fs::read(&path).expect("a file")))
        .collect();
    let odd = "CREATE TRIGGER sqlite_x AFTER INSERT ON login BEGIN DELETE FROM totp; END";
    for (sql, part) in [
        ("CREATE TRIGGER x AFTER INSERT ON login BEGIN DELETE FROM totp; END", "the trigger \"x\""),
        ("CREATE VIEW x AS SELECT * FROM totp", "the view \"x\""),
        ("CREATE TABLE \"x\u{1b}[2J\ny\" (z)", "the table \"x\\u{1b}[2J\\ny\""),
        ("CREATE UNIQUE INDEX x ON login (started)", "the index \"x\""),
        ("DROP INDEX login_by_state", "the index \"login_by_state\""),
        ("DROP TRIGGER totp_gone", "the trigger \"totp_gone\""),
        ("ALTER TABLE person ADD COLUMN x TEXT", "the table \"person\""),
        (
            &format!(
                "PRAGMA writable_schema = ON;
                 INSERT INTO sqlite_schema VALUES ('trigger', 'sqlite_x', 'login', 0, '{odd}')"
            ),
            "the trigger \"sqlite_x\"",
        ),
    ] {
        let db = rusqlite::Connection::open(t.daemon.database()).expect("the database");
        db.execute_batch(sql).expect("a change");
        db.close().expect("the database closes");
        let before = t.daemon.said().len();
        assert!(matches!(t.daemon.try_start(), StartAttempt::Ended(_)), "{sql}");
        let said = &t.daemon.said()[before..];
        assert!(
            said.contains("is not made as this countersignd makes it") && said.contains(part),
            "{sql}: {said}"
        );
        put_back(&good);
    }
    t.daemon.resume();
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "the good files still work");
}
