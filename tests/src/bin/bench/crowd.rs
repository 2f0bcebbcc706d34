//! Thirty-two at once: as many processes, each logging one person in after the other, all different.

use crate::cast::{Cast, Player, Role, Route};
use crate::codes::wait_for_room;
use crate::people;
use serde::{Deserialize, Serialize};
use std::io::{BufRead as _, BufReader, Read as _, Write as _, stdin};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// Processes that log in at the same time.
const WORKERS: usize = 32;
/// People per process; each logs in once.
const EACH: usize = people::ACTIVE / WORKERS;
/// Measurements of each player, in turns. The slowest gets one.
const ROUNDS: usize = 5;
/// After this long a worker begins no further login.
const PATIENCE: Duration = Duration::from_secs(15);

/// What a worker has to do.
#[derive(Serialize, Deserialize)]
struct Task {
    route: Route,
    logins: Vec<(String, String)>,
}

/// What it did.
#[derive(Serialize, Deserialize)]
struct Done {
    passed: usize,
    refused: usize,
    slowest_us: u64,
}

/// One player's rounds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rush {
    /// Logins a second that were let in, per round.
    pub(crate) rates: Vec<f64>,
    /// Logins that were let in, over all rounds.
    pub(crate) passed: usize,
    /// Right codes that were refused.
    pub(crate) refused: usize,
    /// The slowest login.
    pub(crate) slowest: Duration,
}

impl Rush {
    /// The median of the rounds.
    pub(crate) fn rate(&self) -> Option<f64> {
        let mut sorted = self.rates.clone();
        sorted.sort_by(f64::total_cmp);
        sorted.get(sorted.len() / 2).copied()
    }
}

/// How many logins a second each player manages, and how many right codes it refuses.
pub(crate) fn measure(cast: &mut Cast) -> Vec<(&'static str, Role, Rush)> {
    let mut results: Vec<(&'static str, Role, Rush)> =
        cast.players.iter().map(|player| (player.label, player.role, Rush::default())).collect();
    for round in 0..ROUNDS {
        for (_, role, rush) in &mut results {
            if *role == Role::LargeOath && round > 0 {
                continue;
            }
            cast.forget_codes();
            at_once(cast.player(*role), rush);
        }
    }
    results
}

fn at_once(player: &Player, rush: &mut Rush) {
    wait_for_room(10.0);
    let mut workers: Vec<Worker> = (0..WORKERS).map(|n| Worker::start(&task(player, n))).collect();
    workers.iter_mut().for_each(Worker::wait_ready);
    let began = Instant::now();
    workers.iter_mut().for_each(Worker::go);
    let done: Vec<Done> = workers.into_iter().map(Worker::finish).collect();
    let took = began.elapsed();
    let passed: usize = done.iter().map(|d| d.passed).sum();
    rush.rates.push(passed as f64 / took.as_secs_f64());
    rush.passed += passed;
    rush.refused += done.iter().map(|d| d.refused).sum::<usize>();
    let slowest = done.iter().map(|d| d.slowest_us).max().unwrap_or(0);
    rush.slowest = rush.slowest.max(Duration::from_micros(slowest));
}

fn task(player: &Player, worker: usize) -> Task {
    let people = worker * EACH..(worker + 1) * EACH;
    let mut codes = player.codes.borrow_mut();
    let people = if player.role == Role::LargeOath { people.start..people.start + 1 } else { people };
    let logins = people.map(|person| (people::name(person), codes.present(person))).collect();
    Task { route: player.route.clone(), logins }
}

struct Worker {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Worker {
    fn start(task: &Task) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let mut child = Command::new(program)
            .arg("worker")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start a worker");
        let mut input = child.stdin.take().expect("piped");
        let output = BufReader::new(child.stdout.take().expect("piped"));
        let line = serde_json::to_string(task).expect("a task is plain data");
        writeln!(input, "{line}").expect("a worker reads its task");
        Self { child, input, output }
    }

    fn wait_ready(&mut self) {
        let mut line = String::new();
        self.output.read_line(&mut line).expect("a worker says that it is ready");
    }

    fn go(&mut self) {
        writeln!(self.input, "go").expect("a worker waits to go");
    }

    fn finish(mut self) -> Done {
        let mut said = String::new();
        self.output.read_to_string(&mut said).expect("a worker says what it did");
        drop(self.child.wait());
        serde_json::from_str(&said).unwrap_or_else(|e| panic!("a worker said {said:?}: {e}"))
    }
}

/// The whole of a worker.
pub(crate) fn work() {
    let mut lines = stdin().lines();
    let mut next = || lines.next().and_then(Result::ok).unwrap_or_default();
    let task: Task = serde_json::from_str(&next()).expect("a task on stdin");
    task.route.keep_loaded();
    println!("ready");
    next();
    let began = Instant::now();
    let mut done = Done { passed: 0, refused: 0, slowest_us: 0 };
    for (user, code) in &task.logins {
        if began.elapsed() > PATIENCE {
            break;
        }
        let timed = task.route.go(user, code);
        if timed.passed {
            done.passed += 1;
        } else {
            done.refused += 1;
        }
        let took = u64::try_from(timed.whole.as_micros()).unwrap_or(u64::MAX);
        done.slowest_us = done.slowest_us.max(took);
    }
    println!("{}", serde_json::to_string(&done).expect("a report is plain data"));
}
