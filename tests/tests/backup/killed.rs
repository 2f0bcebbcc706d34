//! Something dies in the middle of a copy: what lies there then is what was there before or what was to
//! come, and the same command brings it about.

use super::contents::{Before, Contents, assert_nothing_in_the_clear};
use super::{Place, passes};
use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::faults::Strace;
use countersign_tests::{Fixture, Secret, Wire, artifacts, require};
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Calls by which anything reaches a disk. A set names one call on all architectures.
const WRITES: &[&str] = &["write", "pwrite64", "fsync,fdatasync", "?unlink,?unlinkat", "?ftruncate"];
/// The same of the tool, which also replaces files and asks the daemon.
const OF_TOOL: &[&str] =
    &["fsync", "?rename,?renameat,?renameat2", "?linkat", "?unlink,?unlinkat", "sendmsg"];

/// The 1st, 2nd, 3rd, then fewer and fewer: between two writes of one transaction nothing is decided.
pub(super) fn moments() -> impl Iterator<Item = usize> {
    std::iter::successors(Some((1, 1)), |(at, step)| Some((at + step, if *at < 4 { 1 } else { step + 1 })))
        .map(|(at, _)| at)
}

/// A command that is killed again and again, each time on the same files.
struct Trial<'a> {
    t: &'a mut Fixture,
    alice: &'a Secret,
    /// Whether it said that it was done.
    act: &'a dyn Fn(&Fixture) -> bool,
    before: Before,
    old: Contents,
    new: Contents,
}

impl<'a> Trial<'a> {
    /// With a daemon that is as it is to be before; runs the command once, undisturbed.
    fn of(t: &'a mut Fixture, alice: &'a Secret, act: &'a dyn Fn(&Fixture) -> bool) -> Self {
        t.daemon.stop();
        let before = Before::of(&t.daemon);
        let old = Contents::of(&t.daemon).expect("a database");
        let mut trial = Self { t, alice, act, before, new: old.clone(), old };
        trial.t.daemon.resume();
        assert!(act(trial.t), "undisturbed");
        trial.t.daemon.kill9();
        trial.new = Contents::of(&trial.t.daemon).expect("a database");
        assert_ne!(trial.new, trial.old, "it does something");
        trial
    }

    /// Kills the daemon at the N-th such call; `None` where it lived to the end.
    fn kill_daemon(&mut self, call: &str, n: usize) -> Option<bool> {
        self.t.daemon.kill9();
        self.before.put_back(&self.t.daemon);
        self.t.daemon.resume();
        let strace = Strace::inject(self.t.daemon.pid(), &format!("{call}:signal=KILL:when={n}"));
        let told = (self.act)(self.t);
        let until = Instant::now() + Duration::from_millis(20);
        while !told && self.t.daemon.is_running() && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        strace.end();
        let died = !self.t.daemon.is_running();
        assert!(died || told, "{call} {n}: it lives, and refused");
        died.then(|| self.is_done(&format!("{call} {n}"), told))
    }

    /// What lies there now is the one or the other; the same command once more makes it the other.
    fn is_done(&mut self, what: &str, told: bool) -> bool {
        self.t.daemon.kill9();
        let now = Contents::of(&self.t.daemon).expect("a database");
        let done = now == self.new;
        assert!(done || now == self.old, "{what}: {now:#?} is neither {:#?} nor {:#?}", self.old, self.new);
        assert!(done || !told, "{what}: told that it was done");
        assert_nothing_in_the_clear(self.t.daemon.state(), self.alice, what);
        done
    }

    fn again(&mut self, what: &str) {
        self.t.daemon.resume();
        assert!((self.act)(self.t), "{what}: the same command again");
        let checked = self.t.daemon.ctl().run(&["log", "verify"]);
        assert_eq!(checked.code, Some(0), "{what}: {checked:?}");
        self.t.daemon.kill9();
        let now = Contents::of(&self.t.daemon).expect("a database");
        assert_eq!(now.decides, self.new.decides, "{what}: the same command again");
        let left = fs::read_dir(self.t.daemon.state()).expect("the state").flatten();
        let names: Vec<_> = left.map(|entry| entry.file_name().into_string().expect("ours")).collect();
        assert!(!names.iter().any(|name| name.contains("new")), "{what}: {names:?}");
    }

    /// The daemon dies at each moment. Gives how often it was not done then, and how often it was.
    fn daemon_dies(&mut self) -> (usize, usize) {
        let mut fates = (0, 0);
        for call in WRITES {
            for n in moments() {
                let Some(done) = self.kill_daemon(call, n) else { break };
                if done {
                    fates.1 += 1;
                } else {
                    fates.0 += 1;
                }
                // The first of each kind, and whatever lies around it, is tried to the end.
                if n < 3 {
                    self.again(&format!("{call} {n}"));
                }
            }
        }
        eprintln!("{} deaths before it was done, {} after it", fates.0, fates.1);
        fates
    }
}

#[test]
fn rpl_12_killed_while_a_backup_is_brought_back() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let ctl = t.daemon.ctl();
    let _ = ctl.run(&["require", "carol", "--reason", "a test"]).ok();
    let place = Place::new();
    let _ = t.cs().login("alice", [alice.wrong_code(0)]);
    let backup = place.backup(&ctl, "b");
    let _ = ctl.run(&["require", "carol", "--end", "--reason", "over", "--yes"]).ok();
    let _ = ctl.run(&["exempt", "bob", "--until", "+2d", "--reason", "a test", "--yes"]).ok();
    let act = |t: &Fixture| {
        let out = t.daemon.ctl().run(&["restore", &backup, "--yes", "--reason", "a test"]);
        out.code == Some(0)
    };
    let (before, after) = Trial::of(&mut t, &alice, &act).daemon_dies();
    assert!(before > 5 && after >= 1, "{before} {after}");
    t.daemon.crash_and_restart();
    passes(&t, &alice);
}

fn memory() -> fs::File {
    tempfile::tempfile().expect("a file without a name")
}

#[test]
fn adm_02_killed_while_people_come_from_another_host() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let _bob = t.daemon.enroll("bob");
    // By hand: the tool spends a second on the passphrase each time.
    let (mut key, file) = (memory(), memory());
    key.write_all(&[7; 32]).expect("a key");
    let mut root = Wire::on(&t.bus);
    let wanted = (vec![""; 0], zbus::Fd::from(&key), zbus::Fd::from(&file), "a move");
    drop(root.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ExportPeople", &wanted).expect("people"));
    for user in ["alice", "bob"] {
        let _ = t.daemon.ctl().run(&["reset", user, "--alone", "--yes", "--reason", "a test"]).ok();
    }
    let act = |t: &Fixture| {
        let came = (zbus::Fd::from(&key), zbus::Fd::from(&file), (false, false, false), "a move");
        Wire::on(&t.bus).call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ImportPeople", &came).is_ok()
    };
    let (before, after) = Trial::of(&mut t, &alice, &act).daemon_dies();
    assert!(before > 3 && after >= 1, "{before} {after}");
    t.daemon.crash_and_restart();
    t.clock().shift(60);
    passes(&t, &alice);
}

/// A backup that was not finished is none, and in nobody's way.
#[test]
fn dat_02_killed_while_a_backup_is_made() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let path = place.path("b");
    let mut made = (0, 0);
    let mut look = |t: &mut Fixture, what: &str, told: bool| {
        let there = fs::metadata(&path);
        assert!(there.is_ok() || !told, "{what}: told that it was made");
        if let Ok(meta) = there {
            assert_eq!(meta.permissions().mode() & 0o7777, 0o600, "{what}");
            let dry = t.daemon.ctl().run(&["restore", &path, "--dry-run"]);
            assert_eq!(dry.code, Some(0), "{what}: what has the name is whole: {dry:?}");
            made.1 += 1;
            fs::remove_file(&path).expect("our own file");
        } else {
            made.0 += 1;
        }
        assert_nothing_in_the_clear(t.daemon.state(), &alice, what);
        let _ = t.daemon.ctl().run(&["backup", &path]).ok();
        fs::remove_file(&path).expect("the same command again");
    };
    for call in ["write", "pwrite64", "fsync,fdatasync"] {
        for n in moments() {
            let strace = Strace::inject(t.daemon.pid(), &format!("{call}:signal=KILL:when={n}"));
            let out = t.daemon.ctl().run(&["backup", &path]);
            strace.end();
            let died = !t.daemon.is_running();
            t.daemon.crash_and_restart();
            look(&mut t, &format!("the daemon at {call} {n}"), out.code == Some(0));
            if !died {
                break;
            }
        }
    }
    for call in OF_TOOL {
        for n in moments() {
            let status = tool(&t, &["backup", &path], &format!("{call}:signal=KILL:when={n}"));
            look(&mut t, &format!("the tool at {call} {n}"), status);
            if status {
                break;
            }
        }
    }
    assert!(made.0 > 5 && made.1 > 1, "{made:?}");
    passes(&t, &alice);
}

/// The tool under a fault of strace; whether it ended well.
pub(super) fn tool(t: &Fixture, args: &[&str], fault: &str) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", &format!("inject={fault}")]).arg(artifacts::ctl());
    command.args(["--bus", &t.bus.address()]).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().expect("run strace").success()
}
