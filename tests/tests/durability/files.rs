//! Files that vanish, shrink, are another installation's, go back in time, or that somebody else holds.

use super::{assert_fresh_code_passes, assert_whole_database};
use countersign_tests::daemon::StartAttempt;
use countersign_tests::{Clock, Code, Daemon, DaemonSetup, Fixture, PrivateBus, Secret, artifacts, require};
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The directory that holds the daemon's `state` and `etc`, `fresh` (another installation's files) and `good` (a copy).
fn base(daemon: &Daemon) -> PathBuf {
    daemon.state().parent().expect("state lies in a directory of the harness").to_owned()
}

fn shell(dir: &Path, script: &str) {
    let out = Command::new("sh").args(["-ec", script]).current_dir(dir).output().expect("run sh");
    assert!(out.status.success(), "{script}: {out:?}");
}

/// Another installation beside the daemon's own.
fn initialise_another(daemon: &Daemon) {
    let fresh = base(daemon).join("fresh");
    let mut init = Command::new(artifacts::daemon());
    init.arg("--init").arg("--state").arg(&fresh).arg("--key-file").arg(fresh.join("key"));
    assert!(init.status().is_ok_and(|s| s.success()), "countersignd --init");
    shell(&fresh, "chown countersign: countersign.db instance");
}

/// What the daemon said while it refused to start.
fn refusal(daemon: &mut Daemon, what: &str) -> String {
    let before = daemon.said().len();
    let attempt = daemon.try_start();
    let said = daemon.said()[before..].to_owned();
    assert!(matches!(attempt, StartAttempt::Ended(s) if s.code() == Some(1)), "{what}: {attempt:?}: {said}");
    said
}

/// What is done to the state directory, and what the daemon says of it: while it runs, and at the next start.
struct Harm {
    /// Shell, in the state directory; the other installation lies in `../fresh`.
    script: &'static str,
    running: &'static str,
    at_start: &'static str,
}

const HARMS: [Harm; 12] = [
    Harm {
        script: "rm countersign.db",
        running: "countersign.db was removed, replaced or truncated while the daemon runs; put it back",
        at_start: "countersign.db is missing; restore it from your backup",
    },
    Harm {
        script: ": > countersign.db",
        running: "countersign.db was removed, replaced or truncated while the daemon runs; put it back",
        at_start: "restore it from your backup",
    },
    Harm {
        script: "truncate -s 36864 countersign.db",
        running: "countersign.db was removed, replaced or truncated while the daemon runs; put it back",
        at_start: "countersign.db is damaged",
    },
    Harm {
        script: "rm countersign.db; install -m 600 -o countersign /dev/null countersign.db",
        running: "countersign.db was removed, replaced or truncated while the daemon runs; put it back",
        at_start: "countersign.db is not a countersign database; restore it from your backup",
    },
    Harm {
        script: "rm countersign.db*; cp -a ../fresh/countersign.db .",
        running: "countersign.db was removed, replaced or truncated while the daemon runs; put it back",
        at_start: "belongs to another installation",
    },
    Harm {
        script: ": > countersign.db-wal",
        running: "countersign.db-wal was removed, replaced or truncated while the daemon runs; put it back",
        at_start: "countersign.db was rolled back",
    },
    Harm {
        script: "rm instance",
        running: "instance was removed, replaced or overwritten while the daemon runs; put it back",
        at_start: "instance is missing; restore it from your backup",
    },
    Harm {
        script: ": > instance",
        running: "instance was removed, replaced or overwritten while the daemon runs; put it back",
        at_start: "instance is damaged; restore the state directory from your backup",
    },
    Harm {
        script: "truncate -s 90 instance",
        running: "instance was removed, replaced or overwritten while the daemon runs; put it back",
        at_start: "instance is damaged; restore the state directory from your backup",
    },
    Harm {
        script: "cat ../fresh/instance > instance",
        running: "instance was removed, replaced or overwritten while the daemon runs; put it back",
        at_start: "belongs to another installation",
    },
    Harm {
        script: "rm countersign.db* instance; cp -a ../fresh/countersign.db ../fresh/instance .",
        running: "instance was removed, replaced or overwritten while the daemon runs; put it back",
        at_start: "belongs to another installation",
    },
    Harm {
        script: "mv ../state ../gone",
        running: "instance was removed, replaced or overwritten while the daemon runs; put it back",
        at_start: "state is missing; restore it from your backup",
    },
];

/// The files there, by name.
fn listing(dir: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|e| e.file_name().to_string_lossy().into_owned()).collect())
        .unwrap_or_default();
    // The write-ahead log comes and goes.
    names.retain(|name| !name.ends_with("-wal"));
    names.sort();
    names
}

fn enrolled_with_neighbour() -> (Fixture, Secret) {
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    initialise_another(&t.daemon);
    assert_fresh_code_passes(&t, &alice);
    (t, alice)
}

/// Puts the state back that `good` was made of.
fn restore(t: &mut Fixture, alice: &Secret) {
    shell(&base(&t.daemon), "rm -rf state gone etc; cp -a good/state good/etc .");
    t.daemon.resume();
    assert_fresh_code_passes(t, alice);
}

#[test]
fn dat_03_files_harmed_while_it_runs() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let (mut t, alice) = enrolled_with_neighbour();
    for Harm { script, running, at_start } in HARMS {
        shell(&base(&t.daemon), "rm -rf good; mkdir good; cp -a state etc good");
        shell(t.daemon.state(), script);
        let left = listing(t.daemon.state());
        let before = t.daemon.said().len();
        for _ in 0..2 {
            let denied = t.cs().login("alice", [alice.fresh_code()]);
            assert_eq!(denied.auth, Code::AUTHINFO_UNAVAIL, "{script}: {denied:?}");
        }
        let bob = t.cs().login("bob", [""; 0]);
        assert_eq!(bob.auth, Code::AUTHINFO_UNAVAIL, "{script}: {bob:?}");
        let said = t.daemon.said()[before..].to_owned();
        assert!(said.contains(running), "{script}: {said}");
        assert_eq!(listing(t.daemon.state()), left, "{script}: something was made anew");

        t.daemon.kill9();
        let said = refusal(&mut t.daemon, script);
        // The log that lay beside an emptied database went with the try to close it.
        let damaged = script.contains("> countersign.db") || script.contains("truncate");
        assert!(said.contains(at_start) || damaged && said.contains("restore"), "{script}: {said}");
        restore(&mut t, &alice);
    }
}

#[test]
fn dat_03_files_harmed_while_it_is_down() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let (mut t, alice) = enrolled_with_neighbour();
    for Harm { script, at_start, .. } in HARMS {
        t.daemon.kill9();
        shell(&base(&t.daemon), "rm -rf good; mkdir good; cp -a state etc good");
        shell(t.daemon.state(), script);
        let left = listing(t.daemon.state());
        let said = refusal(&mut t.daemon, script);
        assert!(said.contains(at_start), "{script}: {said}");
        let last = said.lines().last().unwrap_or_default();
        assert!(last.starts_with("countersignd: "), "the refusal is one line: {script}: {said}");
        assert_eq!(listing(t.daemon.state()), left, "{script}: something was made anew");
        if listing(t.daemon.state()).len() == 1 {
            let init = t.daemon.init();
            assert_eq!(init.status.code(), Some(1), "{script}: a lost file is not made anew: {init:?}");
        }
        restore(&mut t, &alice);
    }
}

#[test]
fn dat_05_a_key_that_is_missing_or_another() {
    require!(
        Root,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let (mut t, alice) = enrolled_with_neighbour();
    for (script, words) in [
        ("rm etc/key", "key is missing; restore it from your backup"),
        (": > etc/key", "is not a countersign key file; restore it from your backup"),
        ("truncate -s 100 etc/key", "is not a countersign key file; restore it from your backup"),
        ("cat fresh/key > etc/key", "belongs to another installation"),
        ("chmod 644 etc/key", "is open to others (mode 644); run `chmod 0640"),
    ] {
        t.daemon.kill9();
        shell(&base(&t.daemon), "rm -rf good; mkdir good; cp -a state etc good");
        shell(&base(&t.daemon), script);
        let said = refusal(&mut t.daemon, script);
        assert!(said.contains(words), "{script}: {said}");
        assert!(!t.daemon.init().status.success(), "{script}: the state is still there");
        restore(&mut t, &alice);
    }

    // The right installation and the wrong bytes: the database knows the key it is sealed under.
    t.daemon.kill9();
    shell(&base(&t.daemon), "rm -rf good; mkdir good; cp -a state etc good");
    shell(&base(&t.daemon), r"sed -i 's/^key \(.\)\(.*\)/key \2\1/' etc/key");
    for script in ["true", "rm -f state/policy"] {
        shell(&base(&t.daemon), script);
        let said = refusal(&mut t.daemon, "wrong bytes");
        assert!(said.contains("is not the key that") && said.contains("put the right one back"), "{said}");
    }
    // The right key, and a secret that it did not seal.
    shell(&base(&t.daemon), "rm -rf state etc; cp -a good/state good/etc .");
    shell(
        t.daemon.state(),
        "sqlite3 countersign.db 'UPDATE totp SET secret = zeroblob(60)'; chown countersign: *",
    );
    t.daemon.resume();
    let before = t.daemon.said().len();
    let code = alice.fresh_code();
    for _ in 0..6 {
        let undecided = t.cs().login("alice", [&code]);
        assert_eq!(undecided.auth, Code::AUTHINFO_UNAVAIL, "no guess, and not charged as one: {undecided:?}");
    }
    let said = &t.daemon.said()[before..];
    assert!(said.contains("an authenticator cannot be read user=\"alice\""), "{said}");
    assert!(said.contains("wrong key"), "{said}");
    t.daemon.kill9();
    restore(&mut t, &alice);
}

#[test]
fn rpl_11_a_second_daemon_is_refused() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    // On a bus of its own, so that the name does not keep it out.
    let bus = PrivateBus::start(t.world.daemon_uid());
    let setup = DaemonSetup::new(&t.world, countersign_tests::fixture::CONFIG);
    let setup = setup.state(t.daemon.state()).clock(&Arc::new(Clock::new())).without_init();
    let mut second = setup.prepare(&t.world, &bus);
    shell(&base(&t.daemon), &format!("cp -a etc/key {}", second.key_file().display()));
    let said = refusal(&mut second, "a second daemon");
    assert!(said.contains("another countersignd runs on this state directory"), "{said}");
    assert_fresh_code_passes(&t, &alice);
    assert_fresh_code_passes(&t, &alice);
}

/// sqlite3 in the middle of something with the database.
struct Foreigner(Child);

impl Foreigner {
    /// Runs this SQL and stays.
    fn at(database: &Path, sql: &str) -> Self {
        let mut program = Command::new("sqlite3");
        let mut child = program
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start sqlite3");
        writeln!(child.stdin.as_mut().expect("piped"), "{sql}\nSELECT 'done';").expect("type SQL");
        let said = BufReader::new(child.stdout.as_mut().expect("piped")).lines();
        assert!(said.map_while(Result::ok).any(|line| line == "done"), "sqlite3 ended");
        Self(child)
    }
}

impl Drop for Foreigner {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn rpl_11_a_foreign_program_holds_the_database() {
    require!(
        Root,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    // While we run nobody else reads or writes.
    for sql in ["SELECT * FROM totp", "UPDATE totp SET last_step = 0", "PRAGMA wal_checkpoint"] {
        let out = Command::new("sqlite3").arg(t.daemon.database()).arg(sql).output().expect("run sqlite3");
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!out.status.success() && said.contains("locked") && out.stdout.is_empty(), "{sql}: {out:?}");
    }
    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());
    assert!(t.daemon.stop().success());

    for sql in ["BEGIN IMMEDIATE; UPDATE totp SET last_step = 0;", "BEGIN; SELECT count(*) FROM meta;"] {
        let foreigner = Foreigner::at(&t.daemon.database(), sql);
        let began = Instant::now();
        let said = refusal(&mut t.daemon, sql);
        assert!(said.contains("countersign.db is in use by another program"), "{sql}: {said}");
        assert!(began.elapsed() < Duration::from_secs(4), "{sql}: {:?}", began.elapsed());
        drop(foreigner);
    }
    t.daemon.resume();
    let again = t.cs().login("alice", [&code]);
    assert_eq!(again.auth, Code::CONV_ERR, "asked again, and hung up: {again:?}");
    assert_fresh_code_passes(&t, &alice);
}

/// An older copy of the database comes back; what was used since would be unused again.
#[test]
fn rpl_12_an_older_database_is_refused() {
    require!(
        Root,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    assert_fresh_code_passes(&t, &alice);
    assert!(t.daemon.stop().success());
    assert!(
        !t.daemon.state().join("countersign.db-wal").exists(),
        "a clean end folds the log into the database"
    );
    shell(t.daemon.state(), "cp -a countersign.db ../older.db");
    t.daemon.resume();
    let (code, recovery) = (alice.fresh_code(), &alice.recovery[0]);
    assert!(t.cs().login("alice", [&code]).passed());
    assert!(t.cs().login("alice", [recovery]).passed());

    // After a clean end; after a crash, without and with the log that lies beside the newer database.
    for (end, put_back) in [
        ("stop", "cp -a ../older.db countersign.db"),
        ("kill", "rm countersign.db-wal; cp -a ../older.db countersign.db"),
        ("kill", "cp -a ../older.db countersign.db"),
    ] {
        if end == "stop" {
            assert!(t.daemon.stop().success());
        } else {
            t.daemon.kill9();
        }
        shell(t.daemon.state(), "rm -rf ../newer; cp -a . ../newer");
        shell(t.daemon.state(), put_back);
        let said = refusal(&mut t.daemon, put_back);
        assert!(said.contains("was rolled back") && said.contains("Put the newer database back"), "{said}");

        shell(t.daemon.state(), "rm countersign.db*; cp -a ../newer/* .");
        assert_whole_database(&mut t.daemon);
        t.daemon.resume();
        for used in [&code, recovery] {
            let again = t.cs().login("alice", [used]);
            assert_eq!(again.auth, Code::CONV_ERR, "{end}, {put_back}: {again:?}");
        }
        assert_fresh_code_passes(&t, &alice);
    }
}
