//! `countersignctl` as a program: on pipes, and on a pseudo-terminal.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{OpenptyResult, Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The program with a UTF-8 locale and this bus.
pub fn ctl(bus: &str, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_countersignctl"));
    command.args(["--bus", bus]).args(args);
    command.env_clear().env("LANG", "C.UTF-8");
    command
}

/// What a run printed and how it ended.
#[derive(Debug)]
pub struct Ended {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// Runs on pipes with this standard input.
pub fn piped(command: &mut Command, input: &str) -> Ended {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("countersignctl starts");
    let mut stdin = child.stdin.take().expect("piped");
    // A program that refuses early does not read.
    drop(stdin.write_all(input.as_bytes()));
    drop(stdin);
    let output = child.wait_with_output().expect("countersignctl ends");
    Ended {
        code: output.status.code().expect("not killed"),
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// A pseudo-terminal of so many columns.
fn pty(columns: u16) -> OpenptyResult {
    let size = Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
    openpty(&size, None).expect("a pseudo-terminal")
}

/// Runs with this standard input, and standard error on a terminal of 80 columns; exit code, standard output
/// and what that terminal shows.
pub fn seen(mut command: Command, input: Option<&str>) -> (i32, String, String) {
    let pty = pty(80);
    let mut child = command.stderr(Stdio::from(pty.slave)).spawn().expect("countersignctl starts");
    drop(command);
    if let (Some(mut stdin), Some(input)) = (child.stdin.take(), input) {
        // A program that refuses early does not read.
        drop(stdin.write_all(input.as_bytes()));
    }
    let shown = std::thread::spawn(move || shown(File::from(pty.master), Vec::new()));
    let output = child.wait_with_output().expect("countersignctl ends");
    let out = String::from_utf8(output.stdout).expect("UTF-8");
    (output.status.code().expect("not killed"), out, shown.join().expect("a terminal"))
}

/// All that comes to a terminal until its last program has closed it.
fn shown(mut terminal: File, mut bytes: Vec<u8>) -> String {
    let mut chunk = [0; 4096];
    // EIO is how Linux says that.
    while let Ok(count @ 1..) = terminal.read(&mut chunk) {
        bytes.extend(&chunk[..count]);
    }
    String::from_utf8_lossy(&bytes).replace("\r\n", "\n")
}

/// A run on a terminal.
pub struct Typing {
    child: Child,
    terminal: File,
    /// Everything shown so far.
    pub seen: String,
    /// How much of it earlier expectations have used up.
    used: usize,
}

impl Typing {
    pub fn start(mut command: Command, columns: u16) -> Self {
        let pty = pty(columns);
        let slave = || Stdio::from(pty.slave.try_clone().expect("dup"));
        let child =
            command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().expect("countersignctl starts");
        // The command holds the other ends; while one is open here, the terminal has no end.
        drop(command);
        Self { child, terminal: File::from(pty.master), seen: String::new(), used: 0 }
    }

    /// Waits until `text` is shown, after what was expected before.
    pub fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut bytes = self.seen.clone().into_bytes();
        loop {
            self.seen = String::from_utf8_lossy(&bytes).into_owned();
            if let Some(at) = self.seen[self.used..].find(text) {
                self.used += at + text.len();
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let mut ready = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
            let timeout = PollTimeout::try_from(left).expect("a short time");
            let count = poll(&mut ready, timeout).expect("poll");
            assert!(count > 0, "no {text:?} in {:?}", self.seen);
            let mut chunk = [0; 4096];
            match self.terminal.read(&mut chunk) {
                Ok(count) if count > 0 => bytes.extend(&chunk[..count]),
                _ => panic!("ended without {text:?}: {:?}", self.seen),
            }
        }
    }

    pub fn send(&mut self, line: &str) {
        self.terminal.write_all(format!("{line}\n").as_bytes()).expect("typing");
    }

    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).expect("a pid");
        kill(Pid::from_raw(pid), signal).expect("the program runs");
    }

    /// Waits for the end; everything that was shown, and the exit code.
    pub fn end(mut self) -> (i32, String) {
        let shown = shown(self.terminal, self.seen.into_bytes());
        let code = self.child.wait().expect("countersignctl ends").code().expect("not killed");
        (code, shown)
    }
}
