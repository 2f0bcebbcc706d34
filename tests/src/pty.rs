//! A program at a terminal, and a person who reads and types.

use crate::booted::Record;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::process::{Child, Command, ExitStatus};
use std::time::{Duration, Instant};

/// A program whose controlling terminal is ours. Dropped, it is killed.
pub struct Pty {
    master: File,
    child: Child,
    transcript: String,
    /// Bytes of a character whose end has not arrived.
    partial: Vec<u8>,
    read_to: usize,
    closed: bool,
    /// Where its transcript goes, what of it went there, and what was started when.
    record: Option<Record>,
    recorded_to: usize,
    words: String,
    begun: Instant,
}

impl Pty {
    /// Starts it on a new 80x24 terminal of its own session.
    ///
    /// # Panics
    /// When there is no pty or no such program.
    #[must_use]
    pub fn spawn(command: &Command) -> Self {
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).expect("a pty");
        // setsid(1) makes the session and takes the terminal, which std cannot do without unsafe code.
        let mut at_terminal = Command::new("setsid");
        at_terminal.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => at_terminal.env(name, value),
                None => at_terminal.env_remove(name),
            };
        }
        if let Some(dir) = command.get_current_dir() {
            at_terminal.current_dir(dir);
        }
        let slave = || pty.slave.try_clone().expect("another descriptor of the pty");
        let child = at_terminal
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap_or_else(|e| panic!("start {command:?} through setsid (util-linux): {e}"));
        drop(at_terminal);
        Self {
            master: File::from(pty.master),
            child,
            transcript: String::new(),
            partial: Vec::new(),
            read_to: 0,
            closed: false,
            record: None,
            recorded_to: 0,
            words: said(command),
            begun: Instant::now(),
        }
    }

    /// The same, with its transcript in a record when it is dropped.
    #[must_use]
    pub fn recorded(mut self, record: &Record) -> Self {
        self.record = Some(record.clone());
        self
    }

    /// Puts what was shown since the last time into the record; the end of it goes there by itself.
    pub fn record_so_far(&mut self) {
        let shown = &self.transcript[self.recorded_to..];
        if let (Some(record), false) = (&self.record, shown.is_empty()) {
            record.terminal(self.begun, &self.words, shown);
        }
        self.recorded_to = self.transcript.len();
        self.begun = Instant::now();
    }

    /// Reads until `words` appear after what was already expected. `false` when the program closed the terminal first.
    ///
    /// # Panics
    /// When neither happens within `patience`; the transcript is in the message.
    #[must_use]
    pub fn expect_or_end(&mut self, words: &str, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        loop {
            if let Some(at) = self.transcript[self.read_to..].find(words) {
                self.read_to += at + words.len();
                return true;
            }
            if self.closed {
                return false;
            }
            assert!(
                self.read_more(until),
                "no {words:?} within {patience:?}; the terminal shows:\n{}",
                self.transcript
            );
        }
    }

    /// Reads until one of several appears; which. `None` when the program closed the terminal first.
    ///
    /// # Panics
    /// When neither happens within `patience`.
    #[must_use]
    pub fn expect_any(&mut self, each: &[&str], patience: Duration) -> Option<usize> {
        let until = Instant::now() + patience;
        loop {
            let unread = &self.transcript[self.read_to..];
            let found =
                each.iter().enumerate().filter_map(|(which, words)| Some((unread.find(words)?, which)));
            if let Some((at, which)) = found.min() {
                self.read_to += at + each[which].len();
                return Some(which);
            }
            if self.closed {
                return None;
            }
            assert!(self.read_more(until), "none of {each:?}; the terminal shows:\n{}", self.transcript);
        }
    }

    /// Reads until `words` appear after what was already expected.
    ///
    /// # Panics
    /// When they do not within 20 s.
    pub fn expect(&mut self, words: &str) {
        let found = self.expect_or_end(words, Duration::from_secs(20));
        assert!(found, "closed before {words:?}; the terminal shows:\n{}", self.transcript);
    }

    /// The pid of the program.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Types a line.
    pub fn send_line(&mut self, line: &str) {
        self.send(format!("{line}\n").as_bytes());
    }

    /// Types these bytes; a program that has gone does not mind.
    pub fn send(&mut self, bytes: &[u8]) {
        drop(self.master.write_all(bytes));
    }

    /// Reads to the end and returns how the program ended.
    ///
    /// # Panics
    /// When it does not end within `patience`.
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let until = Instant::now() + patience;
        while !self.closed {
            assert!(self.read_more(until), "it does not end; the terminal shows:\n{}", self.transcript);
        }
        self.child.wait().expect("wait for our own child")
    }

    /// Everything the terminal showed, with invalid UTF-8 replaced and carriage returns left out.
    #[must_use]
    pub fn transcript(&self) -> &str {
        &self.transcript
    }

    /// One read, or the end. `false` when the time is over.
    fn read_more(&mut self, until: Instant) -> bool {
        let left = until.saturating_duration_since(Instant::now());
        let timeout = PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX);
        let mut fds = [PollFd::new(self.master.as_fd(), PollFlags::POLLIN)];
        if poll(&mut fds, timeout).expect("poll the pty") == 0 {
            return false;
        }
        let mut buffer = [0; 64 * 1024];
        match self.master.read(&mut buffer) {
            Ok(n) if n > 0 => {
                self.partial.extend_from_slice(&buffer[..n]);
                // A read may end within a character; what is really no UTF-8 is replaced.
                let whole = match std::str::from_utf8(&self.partial) {
                    Err(e) if e.error_len().is_none() => e.valid_up_to(),
                    Ok(_) | Err(_) => self.partial.len(),
                };
                let bytes: Vec<u8> = self.partial.drain(..whole).collect();
                self.transcript.push_str(&String::from_utf8_lossy(&bytes).replace('\r', ""));
            }
            // EIO is how a pty says that the last program has closed it.
            Ok(_) | Err(_) => self.closed = true,
        }
        true
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        self.record_so_far();
    }
}

/// A command as a person would have typed it, without how it got into its container.
fn said(command: &Command) -> String {
    let words: Vec<_> = command.get_args().map(|word| word.to_string_lossy()).collect();
    let own = words.iter().position(|word| word == "--").filter(|_| command.get_program() == "nsenter");
    own.map_or_else(|| words.join(" "), |at| words[at + 1..].join(" "))
}
