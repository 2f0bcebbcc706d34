//! What policies cost: a decision by the number of rules and of the person's groups, alone and as the
//! beginning of a login, and a reload.

use crate::stats::Series;
use countersign_daemon::decide::policy::{self, Person, Resolution, Source, Tri};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::bus::{Broker, PrivateBus};
use countersign_tests::{Daemon, DaemonSetup, Wire, World};
use std::fmt::Write as _;
use std::fs;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Rules, and groups of the person.
const SIZES: [usize; 3] = [1, 100, 1000];
/// People whom the daemon has not looked up before, each with one login.
const STRANGERS: usize = 20;
/// Logins of somebody whom it has just looked up.
const AGAIN: usize = 200;
/// Reloads of each kind.
const RELOADS: usize = 5;

/// One cell of the table: so many rules, so many groups.
pub(crate) struct Decided {
    pub(crate) rules: usize,
    pub(crate) groups: usize,
    /// Microseconds that the decision alone takes, everything being known.
    pub(crate) alone: f64,
    /// Begin of somebody who is looked up for it.
    pub(crate) looked_up: Series,
    /// Begin of somebody who was just looked up.
    pub(crate) known: Series,
}

/// A reload of so many rules.
pub(crate) struct Reloaded {
    pub(crate) rules: usize,
    /// Reading the text alone, without anything that is ours but the checks.
    pub(crate) parsed: Series,
    /// Applied where the policies are the same ones.
    pub(crate) same: Series,
    /// Applied where one rule is another one, so that protection is compared.
    pub(crate) changed: Series,
}

pub(crate) fn measure(world: &World) -> (Vec<Decided>, Vec<Reloaded>) {
    settle();
    let mut decided = Vec::new();
    for rules in SIZES {
        for groups in SIZES {
            decided.push(decide(world, rules, groups));
        }
    }
    (decided, SIZES.map(|rules| reload(world, rules)).into())
}

/// The name of somebody in so many groups. Uids follow each other.
fn somebody(groups: usize, n: usize) -> String {
    format!("in{groups}n{n:02}")
}

/// Adds people in 1, 100 and 1,000 groups, and the groups: `r0` to `r999`, which the rules name.
fn settle() {
    let read = |file| fs::read_to_string(file).expect("our own /etc");
    let (mut passwd, mut group) = (read("/etc/passwd"), read("/etc/group"));
    let mut uid = 40_000;
    let mut members = vec![String::new(); 1000];
    for groups in SIZES {
        for n in 0..STRANGERS {
            let name = somebody(groups, n);
            let _ = writeln!(passwd, "{name}:x:{uid}:{uid}::/nonexistent:/bin/sh");
            let _ = writeln!(group, "{name}:x:{uid}:");
            uid += 1;
            // The last ones, so that the walk meets most rules before one applies.
            for list in &mut members[1000 - groups..] {
                let comma = if list.is_empty() { "" } else { "," };
                let _ = write!(list, "{comma}{name}");
            }
        }
    }
    for (n, list) in members.iter().enumerate() {
        let _ = writeln!(group, "r{n}:x:{}:{list}", 50_000 + n);
    }
    fs::write("/etc/passwd", passwd).expect("our own /etc");
    fs::write("/etc/group", group).expect("our own /etc");
}

/// So many rules for groups that nobody of ours is in, but for the last one, which asks nobody.
fn text(rules: usize) -> String {
    let mut text = String::new();
    for n in 0..rules {
        let last = n + 1 == rules;
        let (group, status) = if last { (999, "off") } else { (n % 900, "enforce") };
        let _ = writeln!(
            text,
            "[[policy]]\nname = \"p{n}\"\nstatus = \"{status}\"\ngroups = [\"r{group}\"]\nservices = [\"s{n}\", \"cs\"]"
        );
    }
    text
}

/// What [`text`] is for people in 1,000 groups: other groups than those of their rules.
fn text_for(rules: usize, groups: usize) -> String {
    if groups < 1000 {
        return text(rules);
    }
    // They are in all groups: only the service tells the rules apart.
    text(rules).replace(", \"cs\"]\n[[", "]\n[[")
}

fn decide(world: &World, rules: usize, groups: usize) -> Decided {
    let text = text_for(rules, groups);
    let config = countersign_config::parse("bench.toml", &text).expect("the rules parse");
    let bus = PrivateBus::start_with(Broker::Reference, world.daemon_uid(), None, "");
    let daemon = DaemonSetup::new(world, &text).start(world, &bus);
    let mut wire = Wire::on(&bus);
    let (mut looked_up, mut known) = (Series::default(), Series::default());
    for n in 0..STRANGERS {
        begin(&mut wire, &somebody(groups, n), &mut looked_up);
        for _ in 0..AGAIN / STRANGERS {
            begin(&mut wire, &somebody(groups, n), &mut known);
        }
    }
    drop(daemon);
    Decided { rules, groups, alone: alone(&config, groups), looked_up, known }
}

/// One Begin, which is to say that nothing is asked.
fn begin(wire: &mut Wire, user: &str, series: &mut Series) {
    let request = (user, "", "cs", "bench", "192.0.2.1", "ssh", "passed");
    let began = Instant::now();
    let reply = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &request);
    let took = began.elapsed();
    let verdict = reply.map(|reply| countersign_tests::wire::step_of(&reply).1);
    if verdict.as_deref() == Ok("not-required") {
        series.add(took);
    }
}

/// The decision alone, of somebody of whom everything is known.
fn alone(config: &countersign_config::Config, groups: usize) -> f64 {
    let named = config.policies.iter().flat_map(|p| p.groups.iter().flatten());
    let known = named.map(|group| {
        let number: usize = group.name.trim_start_matches('r').parse().expect("a number");
        (group.name.clone(), if number >= 1000 - groups { Tri::Yes } else { Tri::No })
    });
    let person = Person { name: "in".into(), resolution: Resolution::Found(40_000), groups: known.collect() };
    let began = Instant::now();
    let mut times = 0_u32;
    while began.elapsed() < Duration::from_millis(100) {
        for _ in 0..10 {
            let _ = black_box(policy::decide(black_box(config), &person, "cs", Source::Local));
        }
        times += 10;
    }
    began.elapsed().as_secs_f64() * 1e6 / f64::from(times)
}

fn reload(world: &World, rules: usize) -> Reloaded {
    let text = text(rules);
    let mut parsed = Series::default();
    for _ in 0..RELOADS {
        let began = Instant::now();
        let config = countersign_config::parse("bench.toml", black_box(&text));
        parsed.add(began.elapsed());
        assert!(config.is_ok(), "the rules parse");
    }
    let bus = PrivateBus::start_with(Broker::Reference, world.daemon_uid(), None, "");
    let daemon = DaemonSetup::new(world, &text).start(world, &bus);
    let mut wire = Wire::on(&bus);
    let (mut same, mut changed) = (Series::default(), Series::default());
    for n in 0..RELOADS {
        daemon.configure(&format!("{text}# {n}\n"));
        apply(&mut wire, &daemon, &mut same);
    }
    for n in 0..RELOADS {
        daemon.configure(&text.replacen("\"cs\"", &format!("\"cs{n}\""), 1));
        apply(&mut wire, &daemon, &mut changed);
    }
    Reloaded { rules, parsed, same, changed }
}

fn apply(wire: &mut Wire, daemon: &Daemon, series: &mut Series) {
    let began = Instant::now();
    let sessions: Vec<(String, u32, String, String, u32, i64)> = Vec::new();
    let question = (true, false, false, sessions, "");
    let reply = wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ApplyPolicy", &question);
    let took = began.elapsed();
    match reply {
        Ok(_) => series.add(took),
        Err(e) => eprintln!("a reload was refused: {e}; {}", daemon.said()),
    }
}
