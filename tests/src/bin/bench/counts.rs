//! Where a login's time goes: its parts, processor time of daemon and bus, calls and commits.

use crate::cast::{Cast, Role};
use crate::ours::cpu_ns;
use crate::stats::Series;
use countersign_tests::needs::Need;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Logins by which processor time is divided.
const TIMED: usize = 240;
/// People who log in twice more, one login right after the other.
const AGAIN: usize = 60;
/// Logins that are watched.
const WATCHED: usize = 20;

/// A login of ours in parts.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) rest: Series,
    pub(crate) begin: Series,
    /// Begin of somebody whom the daemon looked up less than two seconds ago.
    pub(crate) begin_again: Series,
    pub(crate) respond: Series,
    pub(crate) confirm: Series,
    /// Microseconds of processor time a login.
    pub(crate) daemon_cpu: f64,
    pub(crate) bus_cpu: f64,
    pub(crate) own_cpu: f64,
    /// Per login, as the bus saw them; `None` without dbus-monitor.
    pub(crate) calls: Option<Calls>,
    /// Durable commits a login: the daemon numbers them.
    pub(crate) commits: f64,
    /// Syncs a login, those of folding in the write-ahead log too; `None` without strace.
    pub(crate) syncs: Option<f64>,
}

/// Method calls per login.
#[derive(Default)]
pub(crate) struct Calls {
    /// Of the module to the daemon.
    pub(crate) to_daemon: f64,
    /// Of the module to the bus: Hello, and the questions that prove the owner.
    pub(crate) module_to_bus: f64,
    /// Of the daemon to the bus: who calls.
    pub(crate) daemon_to_bus: f64,
}

pub(crate) fn measure(cast: &mut Cast) -> Counts {
    let mut counts = Counts::default();
    cast.forget_codes();
    let (daemon, bus, own) = (cast.ours.daemon.pid(), cast.ours.bus.pid(), std::process::id());
    let player = cast.player(Role::OursWithAccount);
    turns(cast);
    let commits = generation(cast);
    let before = [daemon, bus, own].map(cpu_ns);
    let mut people = Vec::new();
    for _ in 0..TIMED {
        let (person, timed) = player.turn_of_somebody();
        people.push(person);
        counts.rest.add(timed.rest());
        counts.begin.add(timed.to_prompt);
        counts.respond.add(timed.after_answer);
        counts.confirm.add(timed.account);
    }
    let after = [daemon, bus, own].map(cpu_ns);
    counts.commits = (generation(cast) - commits) as f64 / TIMED as f64;
    let each = |n: usize| (after[n] - before[n]) as f64 / 1e3 / TIMED as f64;
    (counts.daemon_cpu, counts.bus_cpu, counts.own_cpu) = (each(0), each(1), each(2));
    for person in people.into_iter().take(AGAIN) {
        let _ = player.turn_of(person);
        counts.begin_again.add(player.turn_of(person).to_prompt);
    }
    counts.calls = watch_bus(cast);
    counts.syncs = watch_syncs(cast);
    counts
}

/// The number of the last durable commit, which the daemon notes in its instance file.
fn generation(cast: &Cast) -> i64 {
    let text = std::fs::read_to_string(cast.ours.daemon.state().join("instance")).expect("the instance file");
    let number = text.lines().find_map(|line| line.strip_prefix("generation "));
    number.and_then(|digits| digits.parse().ok()).expect("a generation")
}

fn watch_bus(cast: &Cast) -> Option<Calls> {
    Need::Tool("dbus-monitor").missing().is_none().then_some(())?;
    let mut monitor = Command::new("dbus-monitor")
        .args(["--address", &cast.ours.bus.address(), "--profile"])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let lines = BufReader::new(monitor.stdout.take()?).lines();
    let seen = std::thread::spawn(move || lines.map_while(Result::ok).collect::<Vec<_>>());
    std::thread::sleep(Duration::from_millis(300));
    turns(cast);
    std::thread::sleep(Duration::from_millis(300));
    end(&mut monitor);
    Some(tell_calls(&seen.join().ok()?))
}

/// Lines of dbus-monitor: type, time, serial, sender, destination, path, interface, member.
fn tell_calls(lines: &[String]) -> Calls {
    let calls: Vec<Vec<&str>> = lines
        .iter()
        .map(|line| line.split('\t').collect::<Vec<_>>())
        .filter(|fields| fields.first() == Some(&"mc") && fields.len() >= 8)
        .collect();
    // Only the daemon asks who a caller is by a name that it was not born with in the message; the
    // module's questions come from connections that also said Hello while we watched.
    let modules: Vec<&str> = calls.iter().filter(|f| f[7] == "Hello").map(|f| f[3]).collect();
    let mut sums = Calls::default();
    for call in &calls {
        let (from, interface) = (call[3], call[6]);
        match interface {
            "org.countersign1.Login" => sums.to_daemon += 1.0,
            _ if modules.contains(&from) => sums.module_to_bus += 1.0,
            _ => sums.daemon_to_bus += 1.0,
        }
    }
    let per_login = |sum: f64| sum / WATCHED as f64;
    Calls {
        to_daemon: per_login(sums.to_daemon),
        module_to_bus: per_login(sums.module_to_bus),
        daemon_to_bus: per_login(sums.daemon_to_bus),
    }
}

fn watch_syncs(cast: &Cast) -> Option<f64> {
    Need::Ptrace.missing().is_none().then_some(())?;
    let mut strace = Command::new("strace")
        .args(["-f", "-e", "trace=fsync,fdatasync", "-p", &cast.ours.daemon.pid().to_string()])
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut lines = BufReader::new(strace.stderr.take()?).lines();
    // It says so when it is attached.
    lines.next()?.ok()?;
    std::thread::sleep(Duration::from_millis(100));
    turns(cast);
    std::thread::sleep(Duration::from_millis(100));
    end(&mut strace);
    let syncs = lines.map_while(Result::ok).filter(|line| line.contains("sync(")).count();
    Some(syncs as f64 / WATCHED as f64)
}

fn turns(cast: &Cast) {
    let player = cast.player(Role::OursWithAccount);
    for _ in 0..WATCHED {
        let _ = player.turn();
    }
}

fn end(child: &mut Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a pid"));
    // It may have ended by itself.
    let _ = kill(pid, Signal::SIGTERM);
    drop(child.wait());
}
