//! `pam-host`: a PAM application in a process of its own, driven over pipes.
//!
//! One JSON object a line. In: the [`Login`], then one [`Typed`] per prompt. Out: [`Said`].

use crate::held::{Event, Turn};
use crate::login::Login;
use crate::talk::{HANG_UP, Outcome, Reply, Shown};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Sender, channel};

/// What the program reports.
#[derive(Debug, Serialize, Deserialize)]
pub enum Said {
    /// A message was shown.
    Shown(Shown),
    /// A prompt was shown and an answer is expected.
    Asks(Shown),
    /// An answer with a gate arrived, and the program now waits at that gate.
    AtGate,
    /// The transaction is over.
    Ended(Outcome),
}

/// One answer. With a gate, it is given to the module once that file can be locked: whoever holds
/// the exclusive lock lets all waiting programs go with one system call.
#[derive(Debug, Serialize, Deserialize)]
pub struct Typed {
    reply: Reply,
    gate: Option<PathBuf>,
}

/// The path of `pam-host`, which cargo builds beside the tests.
///
/// # Panics
/// When it was not built.
#[must_use]
pub fn program_path() -> PathBuf {
    built_beside("pam-host")
}

/// A program that cargo builds beside the tests.
pub(crate) fn built_beside(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let dir = test.parent().and_then(|deps| deps.parent()).expect("target/debug/deps/test");
    let path = dir.join(name);
    assert!(path.exists(), "{} is missing: build the whole test package", path.display());
    path
}

pub(crate) struct Program {
    child: Child,
    line: ChildStdin,
}

impl Program {
    pub(crate) fn start(login: &Login, words: &[String], turns: Sender<Event>) -> Self {
        let (mut program, said) = Self::spawn(login, words);
        program.pump(said, turns);
        program
    }

    fn spawn(login: &Login, words: &[String]) -> (Self, impl BufRead + Send + use<>) {
        let host = program_path();
        let mut command = match words.split_first() {
            None => Command::new(host),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(host);
                command
            }
        };
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|e| panic!("start {command:?}: {e}"));
        let mut line = child.stdin.take().expect("piped");
        let said = BufReader::new(child.stdout.take().expect("piped"));
        write_line(&mut line, login);
        (Self { child, line }, said)
    }

    fn pump(&mut self, said: impl BufRead + Send + 'static, turns: Sender<Event>) {
        std::thread::spawn(move || {
            for line in said.lines() {
                let event = match serde_json::from_str(&line.expect("pam-host writes text")) {
                    Ok(Said::Shown(_)) => continue,
                    Ok(Said::Asks(shown)) => Event::Turn(Turn::Prompt(shown)),
                    Ok(Said::AtGate) => Event::AtGate,
                    Ok(Said::Ended(outcome)) => Event::Turn(Turn::Done(Box::new(outcome))),
                    Err(e) => panic!("pam-host wrote something else: {e}"),
                };
                if turns.send(event).is_err() {
                    return;
                }
            }
        });
    }

    pub(crate) fn answer(&mut self, reply: Reply, gate: Option<&Path>) {
        write_line(&mut self.line, &Typed { reply, gate: gate.map(Path::to_owned) });
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Killed and reaped even when a test fails halfway; both may fail where it has ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Runs a login in its own process with a closure at the other end.
pub(crate) fn talk(login: &Login, talk: &mut dyn FnMut(&Shown) -> Reply) -> Outcome {
    let words = login.program.clone().unwrap_or_default();
    let (mut program, said) = Program::spawn(login, &words);
    let (sender, turns) = channel();
    std::thread::spawn(move || {
        for line in said.lines().map_while(Result::ok) {
            let said: Said = serde_json::from_str(&line).expect("pam-host writes its own JSON");
            if sender.send(said).is_err() {
                return;
            }
        }
    });
    loop {
        match turns.recv().expect("pam-host lives until its login ends") {
            Said::Shown(shown) => drop(talk(&shown)),
            Said::AtGate => {}
            Said::Asks(shown) => program.answer(talk(&shown), None),
            Said::Ended(outcome) => return outcome,
        }
    }
}

/// The whole of `pam-host`.
pub fn serve() {
    let mut lines = std::io::stdin().lines();
    let mut next = move || lines.next().and_then(Result::ok);
    let login: Login = serde_json::from_str(&next().expect("a login on stdin")).expect("a login in JSON");
    let outcome = login.run_here(&mut |shown| {
        if !shown.style.asks() {
            say(&Said::Shown(shown.clone()));
            return Reply::Null;
        }
        say(&Said::Asks(shown.clone()));
        let Some(typed) = next().and_then(|line| serde_json::from_str::<Typed>(&line).ok()) else {
            return HANG_UP;
        };
        if let Some(gate) = typed.gate {
            let gate = File::open(gate).expect("the gate of a rush");
            say(&Said::AtGate);
            gate.lock_shared().expect("wait at the gate");
        }
        typed.reply
    });
    say(&Said::Ended(outcome));
}

fn say(said: &Said) {
    let mut line = serde_json::to_vec(said).expect("what is said is plain data");
    line.push(b'\n');
    let mut out = std::io::stdout().lock();
    // A test that has gone needs no report.
    drop(out.write_all(&line).and_then(|()| out.flush()));
}

fn write_line(to: &mut ChildStdin, value: &impl Serialize) {
    let mut line = serde_json::to_vec(value).expect("what is sent is plain data");
    line.push(b'\n');
    to.write_all(&line).expect("pam-host reads its line");
}
