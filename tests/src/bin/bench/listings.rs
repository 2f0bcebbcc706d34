//! What somebody who administers waits for: `users` with 100,000 people, `log` with a million rows, until
//! the first row and until the last, beside sqlite3 asked for the same rows of a copy of the database.

use crate::memory::Memory;
use crate::seed;
use crate::stats::load;
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::bus::PrivateBus;
use countersign_tests::{Daemon, Wire, World, artifacts, fixture};
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const PEOPLE: usize = 100_000;
const ROWS: usize = 1_000_000;
/// Each question is asked so often; the median counts.
const ROUNDS: usize = 3;

/// A year of logins of 20,000 people from 5,000 places, oldest first; one in 500 denied, one in 5,000 of a
/// rare service.
const FILL: &str = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000000)
    INSERT INTO login (phase, caller, user, uid, ruser, service, program, tty, source, source_key, console, person_pays,
       talk, policy, state, factor, reason, started, boot, started_ms, rounds, tries, last_try, confirmed)
    SELECT 3, 0, 'idle' || (i * 7919 % 20000), 20000 + i * 7919 % 20000, '',
       CASE WHEN i % 5000 = 0 THEN 'gdm' ELSE 'sshd' END, 'sshd', 'ssh',
       '10.' || (i * 31 % 20) || '.' || (i * 17 % 250) || '.7', 'x', 0, 1, 1, 'operators',
       CASE WHEN i % 500 = 0 THEN 'denied' ELSE 'verified' END, 'totp', CASE WHEN i % 500 = 0 THEN 'wrong-code' ELSE '' END,
       unixepoch() - (1000000 - i) * 31, zeroblob(16), 0, 1, 1, unixepoch() - (1000000 - i) * 31 + 9, 1 FROM n";

/// Ten recovery codes for everybody, and time to enroll for as many others.
const GIVE: &str = "INSERT INTO recovery_set (uid, salt, created) SELECT uid, randomblob(16), 0 FROM person;
    INSERT INTO recovery_code (uid, number, hash) SELECT p.uid, n.value, randomblob(32)
      FROM person p, json_each('[0,1,2,3,4,5,6,7,8,9]') n;
    INSERT INTO grace (uid, name, began, until)
      SELECT uid + 10000000, 'later' || uid, 0, CASE WHEN uid % 2 THEN 1 ELSE 4102444800 END FROM person;
    INSERT INTO tally (subject, lane, failures, boot, last_ms, last) SELECT 'uid:' || uid, 'all', 1, zeroblob(16), 0, 0 FROM person";

/// What counts everybody, and what one process does anyway.
const COUNTS: [(&str, &[&str]); 3] =
    [("metrics", &["metrics"]), ("doctor", &["doctor", "--json"]), ("version", &["--version"])];

/// What sqlite3 gives of the same rows.
const COLUMNS: &str =
    "SELECT id, user, uid, ruser, service, program, tty, source, policy, state, factor, reason, started,
    tries, last_try, confirmed FROM login";

/// A question, as countersignctl and as sqlite3 take it.
const QUESTIONS: [(&str, &[&str], &str); 8] = [
    ("all", &["log", "--json"], "ORDER BY id DESC"),
    ("newest 100", &["log", "--json", "--limit", "100"], "ORDER BY id DESC LIMIT 100"),
    ("one person", &["log", "--json", "idle7"], "WHERE user = 'idle7' ORDER BY id DESC"),
    ("one state", &["log", "--json", "--state", "denied"], "WHERE state = 'denied' ORDER BY id DESC"),
    ("a rare service", &["log", "--json", "--service", "gdm"], "WHERE service = 'gdm' ORDER BY id DESC"),
    (
        "an address",
        &["log", "--json", "--from", "10.3.101.7"],
        "WHERE source = '10.3.101.7' ORDER BY id DESC",
    ),
    (
        "a network",
        &["log", "--json", "--from", "10.3.96.0/20"],
        "WHERE source GLOB '10.3.*' AND CAST(substr(source, 6) AS INTEGER) BETWEEN 96 AND 111 ORDER BY id DESC",
    ),
    (
        "the last week",
        &["log", "--json", "--since", "7d"],
        "WHERE started >= unixepoch() - 604800 ORDER BY id DESC",
    ),
];

#[derive(Debug, Clone, Copy)]
struct Took {
    first: Duration,
    whole: Duration,
    lines: usize,
    /// The most that it had resident, in KiB.
    resident: u64,
}

pub(crate) fn measure(world: &World) {
    let before = load();
    let bus = PrivateBus::start(world.daemon_uid());
    let config = fixture::CONFIG.to_owned() + "\n[log]\nmost = 10000000\n";
    let mut daemon = Daemon::start(world, &bus, &config);
    daemon.stop();
    seed::enroll(&daemon, 0, PEOPLE);
    seed::change(&daemon, |db| db.execute_batch(GIVE));
    seed::change(&daemon, |db| db.execute_batch(FILL));
    let copy = daemon.state().with_extension("copy");
    std::fs::copy(daemon.database(), &copy).expect("room for a copy");
    daemon.resume();
    println!(
        "\n{PEOPLE} people, {ROWS} logins: milliseconds to the first row and to the last (load {before} before)"
    );
    println!(
        "{:16}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>12}",
        "", "rows", "first", "whole", "sqlite3", "whole", "x whole", "ctl KiB"
    );
    let users = best(|| ctl(&bus, &["users", "--json"]));
    row(
        "users",
        users,
        best(|| {
            sqlite(
                &copy,
                "SELECT p.uid, p.name, t.name, t.created, t.last_used
                 FROM (SELECT uid, name FROM person UNION SELECT uid, name FROM grace WHERE until > unixepoch()) p
                 LEFT JOIN totp t USING (uid) ORDER BY uid",
            )
        }),
    );
    for (name, args, query) in QUESTIONS {
        let ours = best(|| ctl(&bus, args));
        row(name, ours, best(|| sqlite(&copy, &format!("{COLUMNS} {query}"))));
    }
    count(&bus);
    let memory = Memory::of(daemon.pid());
    println!("The daemon had {} KiB resident after all that. Load {} after.", memory.resident, load());
    drop(std::fs::remove_file(&copy));
}

/// The same people without the logins: who counts everybody, alone.
pub(crate) fn everybody(world: &World) {
    let bus = PrivateBus::start(world.daemon_uid());
    let mut daemon = Daemon::start(world, &bus, fixture::CONFIG);
    daemon.stop();
    seed::enroll(&daemon, 0, PEOPLE);
    seed::change(&daemon, |db| db.execute_batch(GIVE));
    daemon.resume();
    println!("\n{PEOPLE} people, each with ten recovery codes");
    count(&bus);
}

fn count(bus: &PrivateBus) {
    println!(
        "Counting everybody, and the longest that a Begin took meanwhile, in milliseconds (load {} before)",
        load()
    );
    println!("{:16}{:>9}{:>9}", "", "whole", "Begin");
    for (name, args) in COUNTS {
        let (took, longest) = beside_logins(bus, || ctl(bus, args));
        println!("{name:16}{:>9.0}{:>9.1}", took.as_secs_f64() * 1000.0, longest.as_secs_f64() * 1000.0);
    }
}

/// How long something takes in the worst of all rounds, and how long the longest Begin does meanwhile.
fn beside_logins(bus: &PrivateBus, work: impl Fn() -> Took) -> (Duration, Duration) {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let logins = scope.spawn(|| {
            let mut wire = Wire::on(bus);
            let mut longest = Duration::ZERO;
            while !over.load(Ordering::Relaxed) {
                let begun = Instant::now();
                let begin = ("nobody", "", "bench", "bench", "", "", "unknown");
                drop(wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &begin).expect("a step"));
                longest = longest.max(begun.elapsed());
            }
            longest
        });
        let whole = (0..ROUNDS).map(|_| work().whole).max().unwrap_or_default();
        over.store(true, Ordering::Relaxed);
        (whole, logins.join().expect("logins go on"))
    })
}

fn row(name: &str, ours: Took, theirs: Took) {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    println!(
        "{name:16}{:>9}{:>9.1}{:>9.0}{:>9.1}{:>9.0}{:>9.1}{:>12}",
        ours.lines,
        ms(ours.first),
        ms(ours.whole),
        ms(theirs.first),
        ms(theirs.whole),
        ours.whole.as_secs_f64() / theirs.whole.as_secs_f64(),
        ours.resident,
    );
    if ours.lines != theirs.lines {
        println!("  (sqlite3 gave {} rows)", theirs.lines);
    }
}

/// The median by the whole.
fn best(ask: impl Fn() -> Took) -> Took {
    let mut all: Vec<Took> = (0..ROUNDS).map(|_| ask()).collect();
    all.sort_by_key(|took| took.whole);
    all[ROUNDS / 2]
}

fn ctl(bus: &PrivateBus, args: &[&str]) -> Took {
    let mut command = Command::new(artifacts::ctl());
    command.args(["--bus", &bus.address()]).args(args);
    timed(&mut command)
}

fn sqlite(database: &Path, query: &str) -> Took {
    let mut command = Command::new("sqlite3");
    timed(command.args(["-readonly", "-list"]).arg(PathBuf::from(database)).arg(query))
}

fn timed(command: &mut Command) -> Took {
    let began = Instant::now();
    let mut child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let mut output = child.stdout.take().expect("piped");
    let mut took = Took { first: Duration::ZERO, whole: Duration::ZERO, lines: 0, resident: 0 };
    let mut buffer = vec![0; 1 << 16];
    let mut read = 0_usize;
    while let Ok(length) = output.read(&mut buffer) {
        if length == 0 {
            break;
        }
        if took.first.is_zero() {
            took.first = began.elapsed();
        }
        took.lines += buffer[..length].iter().filter(|byte| **byte == b'\n').count();
        // Once a megabyte: it only grows.
        if read == 0 || read % (1 << 20) + length > 1 << 20 {
            took.resident = took.resident.max(Memory::of(child.id()).resident);
        }
        read += length;
    }
    drop(child.wait());
    took.whole = began.elapsed();
    took
}
