//! DAT-01: the power is cut under load, four hundred times.
//!
//! No power is cut. strace writes down what the daemon writes and when it syncs; from that a disk is made as
//! a cut at any moment would have left it. What a file had at its last sync is there. Of what was written to
//! it since, whole writes are missing, or single sectors of them, by chance, as a disk may do that reorders.
//! (A disk that says it has synced and has not is another thing; no database is proof against that.)

use super::assert_fresh_code_passes;
use countersign_tests::faults::Strace;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Daemon, Fixture, Secret, require};
use rusqlite::{Connection, OpenFlags};
use std::fs;
use std::os::unix::fs::chown;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

const FILES: [&str; 3] = ["countersign.db", "countersign.db-wal", "instance"];
const SECTOR: usize = 512;
const CUTS: usize = 400;

/// What reached the kernel, and when, in seconds since 1970.
struct Event {
    at: f64,
    file: usize,
    what: What,
}

enum What {
    Write(usize, Vec<u8>),
    Truncate(usize),
    Sync,
}

/// What somebody was told, between when it was asked and when it was told.
struct Told {
    asked: f64,
    told: f64,
    fact: Fact,
}

enum Fact {
    /// Alice's app has used this step.
    Used(u64),
    /// She has used up so many recovery codes.
    Spent(i64),
    /// Bob has an authenticator of this name.
    Enrolled(String),
    /// And has it no more.
    Removed(String),
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs_f64()
}

/// The store's calls out of a trace with `-ttt -xx`.
fn events(trace: &str, descriptors: &[(u32, usize)]) -> Vec<Event> {
    trace.lines().filter_map(|line| event(line, descriptors)).collect()
}

fn event(line: &str, descriptors: &[(u32, usize)]) -> Option<Event> {
    let (_, rest) = line.split_once(char::is_whitespace)?;
    let (at, call) = rest.trim_start().split_once(' ')?;
    let (name, arguments) = call.split_once('(')?;
    let number = |text: &str| text.trim().parse::<usize>().ok();
    let fd_ends = arguments.find([',', ')', ' '])?;
    let fd: u32 = arguments[..fd_ends].parse().ok()?;
    let file = descriptors.iter().find(|(one, _)| *one == fd)?.1;
    let what = match name {
        "pwrite64" => {
            let mut quoted = arguments.splitn(3, '"').skip(1);
            let (data, rest) = (quoted.next()?, quoted.next()?);
            let ends = rest.find([')', '<']).unwrap_or(rest.len());
            let mut numbers = rest[..ends].split(',').skip(1);
            let (length, offset) = (number(numbers.next()?)?, number(numbers.next()?)?);
            let data: Vec<u8> =
                data.split("\\x").skip(1).map(|hex| u8::from_str_radix(hex, 16).expect("hex")).collect();
            assert_eq!(data.len(), length, "strace was to print all of it");
            What::Write(offset, data)
        }
        "ftruncate" => What::Truncate(number(arguments[fd_ends + 1..].split(')').next()?)?),
        "fsync" | "fdatasync" => What::Sync,
        _ => return None,
    };
    Some(Event { at: at.parse().ok()?, file, what })
}

/// A disk: what is on it for certain, and what may be.
struct Disk<'e> {
    synced: [Vec<u8>; 3],
    since: [Vec<&'e What>; 3],
}

impl<'e> Disk<'e> {
    fn take(&mut self, event: &'e Event) {
        if matches!(event.what, What::Sync) {
            for what in self.since[event.file].drain(..) {
                apply(&mut self.synced[event.file], what, |_| true);
            }
        } else {
            self.since[event.file].push(&event.what);
        }
    }

    /// As it is when the power goes.
    fn cut(&self, dice: &mut Dice) -> [Vec<u8>; 3] {
        let mut files = self.synced.clone();
        for (file, since) in files.iter_mut().zip(&self.since) {
            let mode = dice.roll(4);
            for what in since {
                let whole = dice.roll(2) == 0;
                apply(file, what, |_| match mode {
                    0 => false,
                    1 => true,
                    2 => whole,
                    _ => dice.roll(2) == 0,
                });
            }
        }
        files
    }
}

fn apply(file: &mut Vec<u8>, what: &What, mut keep: impl FnMut(usize) -> bool) {
    match what {
        What::Truncate(length) if keep(0) => file.resize(*length, 0),
        What::Truncate(_) | What::Sync => {}
        What::Write(offset, data) => {
            let mut at = 0;
            while at < data.len() {
                let sector = (offset + at) / SECTOR;
                let ends = data.len().min((sector + 1) * SECTOR - offset);
                if keep(sector) {
                    if file.len() < offset + ends {
                        file.resize(offset + ends, 0);
                    }
                    file[offset + at..offset + ends].copy_from_slice(&data[at..ends]);
                }
                at = ends;
            }
        }
    }
}

/// xorshift64*.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, end: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).expect("31 bits") % end
    }
}

/// Ends the crowd, however the rest went.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Alice logs in by code and by recovery code while an administrator enrolls, removes and makes backups.
fn load(t: &Fixture, alice: &Secret) -> Vec<Told> {
    let done = AtomicBool::new(false);
    let mut told = Vec::new();
    let clock = Mutex::new(());
    std::thread::scope(|scope| {
        let end = AtEnd(&done);
        let crowd = scope.spawn(|| {
            let mut told = Vec::new();
            let mut spent = 0;
            while !done.load(Ordering::Relaxed) {
                // It moves the clock, by which bob's first code would be too old.
                let moves = clock.lock().expect("nobody panics with it");
                let asked = now();
                let code = alice.fresh_code();
                let step = alice.step();
                assert!(t.cs().login("alice", [&code]).passed());
                drop(moves);
                told.push(Told { asked, told: now(), fact: Fact::Used(step) });
                assert!(!t.cs().login("alice", [alice.wrong_code(told.len())]).passed());
                if told.len() % 6 == 0 && spent < 9 {
                    let asked = now();
                    let code = alice.recovery[spent].as_str();
                    assert!(t.cs().visit("alice").run([code, "no"]).passed());
                    spent += 1;
                    let fact = Fact::Spent(i64::try_from(spent).expect("few"));
                    told.push(Told { asked, told: now(), fact });
                }
            }
            told
        });
        let ctl = t.daemon.ctl();
        let copies = Scratch::new("power");
        for n in 0..6 {
            let (name, asked) = (format!("phone {n}"), now());
            let stands = clock.lock().expect("nobody panics with it");
            let bob = ctl.try_enroll(&["bob", "--name", &name], "", t.daemon.clock().cloned());
            drop(stands);
            assert!(bob.is_ok(), "{:?}", bob.err());
            told.push(Told { asked, told: now(), fact: Fact::Enrolled(name) });
            if n > 0 {
                let (name, asked) = (format!("phone {}", n - 1), now());
                let _ = ctl.run(&["remove", &name, "bob", "--reason", "lost", "--yes"]).ok();
                told.push(Told { asked, told: now(), fact: Fact::Removed(name) });
            }
            // Folds the log into the file.
            let copy = copies.join(&n.to_string()).display().to_string();
            let _ = ctl.run(&["backup", &copy]).ok();
        }
        drop(end);
        told.extend(crowd.join().expect("every login went as it should"));
    });
    told
}

/// The store's descriptors of a running daemon, by the number of the file.
fn descriptors(daemon: &Daemon) -> Vec<(u32, usize)> {
    let folder = format!("/proc/{}/fd", daemon.pid());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("our own daemon").flatten() {
        let Ok(path) = fs::read_link(entry.path()) else { continue };
        if let Some(file) = FILES.iter().position(|name| path == daemon.state().join(name)) {
            let fd = entry.file_name().to_str().and_then(|name| name.parse().ok()).expect("a number");
            found.push((fd, file));
        }
    }
    found
}

fn lay(folder: &Path, files: &[Vec<u8>; 3]) {
    for (name, bytes) in FILES.iter().zip(files) {
        fs::write(folder.join(name), bytes).expect("our own folder");
    }
}

/// Whole, not behind what the instance file says, and with everything that anybody had been told.
fn assert_whole(folder: &Path, instance: &[u8], told: &[Told], cut: f64) {
    let numbers: Vec<i64> = String::from_utf8_lossy(instance)
        .lines()
        .skip(2)
        .filter_map(|line| line.split(' ').next_back()?.parse().ok())
        .collect();
    let [seen, settled] = numbers[..] else { panic!("the instance file: {instance:?}") };
    let alone = format!("file:{}?immutable=1", folder.join(FILES[0]).display());
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
    let generation =
        |db: &Connection| db.query_row("SELECT generation FROM meta", [], |r| r.get::<_, i64>(0));
    if let Ok(alone) = Connection::open_with_flags(alone, flags).and_then(|db| generation(&db)) {
        assert!(alone >= settled, "the daemon would refuse it as rolled back: {alone} < {settled}");
    }
    let db = Connection::open(folder.join(FILES[0])).expect("a database");
    let whole: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).expect("a database");
    assert_eq!(whole, "ok");
    let reached = generation(&db).expect("a generation");
    assert!(reached >= seen, "the daemon would refuse it as rolled back: {reached} < {seen}");
    let one = |sql: &str| db.query_row(sql, [], |r| r.get::<_, i64>(0)).expect("a number");
    let used = one("SELECT last_step FROM totp WHERE uid = 5001");
    let spent = one("SELECT count(*) FROM recovery_code WHERE uid = 5001 AND used_at IS NOT NULL");
    let has = |name: &str| {
        let rows = db.query_row("SELECT count(*) FROM totp WHERE uid = 5002 AND name = ?1", [name], |r| {
            r.get::<_, i64>(0)
        });
        rows.expect("a number")
    };
    for Told { fact, .. } in told.iter().filter(|one| one.told < cut) {
        match fact {
            Fact::Used(step) => assert!(used >= i64::try_from(*step).expect("small"), "{used} < {step}"),
            Fact::Spent(codes) => assert!(spent >= *codes, "{spent} < {codes}"),
            Fact::Enrolled(name) => {
                let removing = |one: &Told| matches!(&one.fact, Fact::Removed(other) if other == name);
                let going = told.iter().any(|one| removing(one) && one.asked < cut);
                assert!(going || has(name) == 1, "{name} is lost");
            }
            Fact::Removed(name) => assert_eq!(has(name), 0, "{name} is back"),
        }
    }
}

#[test]
fn dat_01_nothing_acknowledged_is_lost_to_a_power_cut() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    assert_fresh_code_passes(&t, &alice);
    let descriptors = descriptors(&t.daemon);
    let calls = "trace=pwrite64,ftruncate,fsync,fdatasync";
    let strace = Strace::attach(t.daemon.pid(), &["-ttt", "-xx", "-s", "70000", "-e", calls]);
    let began = FILES.map(|name| fs::read(t.daemon.state().join(name)).expect("the state"));
    let told = load(&t, &alice);
    let trace = strace.finish_raw();
    t.daemon.kill9();
    let events = events(&trace, &descriptors);
    let syncs = events.iter().filter(|one| matches!(one.what, What::Sync)).count();
    let folded = events.iter().any(|one| one.file == 0 && matches!(one.what, What::Write(..)));
    assert!(events.len() > 300 && syncs > 10 && folded, "{} events, {syncs} syncs", events.len());

    let seed = u64::from(std::process::id()) * 8 + 1;
    eprintln!(
        "seed {seed}: {CUTS} cuts among {} writes and {syncs} syncs, {} promises",
        events.len(),
        told.len()
    );
    let mut dice = Dice(seed);
    let mut cuts: Vec<usize> = (0..CUTS).map(|_| dice.roll(events.len())).collect();
    cuts.sort_unstable();
    let mut disk = Disk { synced: began, since: [const { Vec::new() }; 3] };
    let mut next = 0;
    for (n, cut) in cuts.iter().enumerate() {
        while next <= *cut {
            disk.take(&events[next]);
            next += 1;
        }
        let files = disk.cut(&mut dice);
        // In memory: what is durable was decided above.
        let folder = Path::new("/dev/shm").join(n.to_string());
        fs::create_dir(&folder).expect("our own /dev/shm");
        lay(&folder, &files);
        assert_whole(&folder, &files[2], &told, events[*cut].at);
        fs::remove_dir_all(folder).expect("our own folder");
        // And now and then the daemon itself.
        if n % (CUTS / 4) == 0 {
            t.daemon.kill9();
            for name in FILES {
                drop(fs::remove_file(t.daemon.state().join(name)));
            }
            lay(t.daemon.state(), &files);
            for name in FILES {
                let (path, uid) = (t.daemon.state().join(name), t.daemon.uid());
                chown(&path, Some(uid), Some(uid)).expect("our own file");
                fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600))
                    .expect("ours");
            }
            t.daemon.resume();
            let _ = t.daemon.ctl().run(&["unlock", "alice"]);
            assert_fresh_code_passes(&t, &alice);
            let checked = t.daemon.ctl().run(&["log", "verify"]);
            assert_eq!(checked.code, Some(0), "{checked:?}");
        }
    }
}

/// The same by `kill -9`: the page cache outlives it, so that this is about what was never written at all.
#[test]
fn dat_01_nothing_acknowledged_is_lost_to_a_kill() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut let_in = 0;
    for n in 0..40 {
        let code = alice.fresh_code();
        let mut held = t.cs().hold("alice");
        held.send_answer(&code);
        std::thread::sleep(std::time::Duration::from_micros(n * 100));
        t.daemon.crash_and_restart();
        let first = held.finish().passed();
        let again = t.cs().login("alice", [&code]).passed();
        assert!(!(first && again), "{n}: let in twice by one code");
        let_in += usize::from(first);
    }
    eprintln!("{let_in} of 40 were let in");
    assert_fresh_code_passes(&t, &alice);
}
