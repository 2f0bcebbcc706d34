//! Lines to the authentication log, without libc's `syslog`.
//!
//! `syslog(3)` is no tool for a guest: it reads `TZ` and opens `/etc/localtime`, keeps a
//! descriptor in the host, and blocks the login while the log daemon is stuck. A line here is one
//! datagram to `/dev/log`, which is what `syslog(3)` sends too, and is dropped rather than waited
//! for.

use std::{cell::Cell, fmt::Display, os::unix::net::UnixDatagram, time::Duration};

use crate::text;

/// Where the log daemon listens.
const LOG_SOCKET: &str = "/dev/log";
/// Facility `authpriv` in the place where a syslog priority has it (RFC 3164, section 4.1.1).
const AUTHPRIV: u8 = 10 << 3;
/// How long one line may wait for a log daemon that does not read.
const PATIENCE: Duration = Duration::from_millis(100);
/// Longest line, in bytes.
const LINE_CAP: usize = 1024;

/// Severities in use (RFC 3164, section 4.1.1).
#[derive(Clone, Copy)]
enum Severity {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
    Debug = 7,
}

/// The log of one PAM call. Its lines look like those of other modules:
/// `sshd[123]: pam_countersign(sshd:auth): text`.
pub(crate) struct Log {
    prefix: String,
    subject: String,
    vouched: Cell<bool>,
    debug: Cell<bool>,
    muted: Cell<bool>,
}

impl Log {
    /// A log for one `phase` of a `service`. `program` is the host's name in the line.
    pub(crate) fn new(program: &str, service: &[u8], phase: &str) -> Self {
        let program = program.rsplit('/').next().unwrap_or_default();
        let tag: String = program.chars().filter(char::is_ascii_graphic).take(32).collect();
        let service: String = text::for_bus(service, 32).escape_default().collect();
        Self {
            prefix: format!("{tag}[{}]: pam_countersign({service}:{phase}): ", std::process::id()),
            subject: String::new(),
            vouched: Cell::new(false),
            debug: Cell::new(false),
            muted: Cell::new(false),
        }
    }

    /// Whom the lines are about. They do not say so before [`Log::vouch`].
    pub(crate) fn about(&mut self, user: &[u8]) {
        self.subject = format!(" user={}", text::for_log(user));
    }

    /// Names the user at the end of every line from now on: an earlier factor or the daemon has
    /// said that it is somebody. Until then it may be a password, typed where the name belongs.
    pub(crate) fn vouch(&self) {
        self.vouched.set(true);
    }

    /// Turns on [`Log::debug`].
    pub(crate) fn enable_debug(&self) {
        self.debug.set(true);
    }

    /// Something an administrator must repair.
    pub(crate) fn error(&self, line: impl Display) {
        self.send(Severity::Error, &line);
    }

    /// Something that refused a login and is not the person's doing.
    pub(crate) fn warning(&self, line: impl Display) {
        self.send(Severity::Warning, &line);
    }

    /// A refusal.
    pub(crate) fn notice(&self, line: impl Display) {
        self.send(Severity::Notice, &line);
    }

    /// A success.
    pub(crate) fn info(&self, line: impl Display) {
        self.send(Severity::Info, &line);
    }

    /// Detail, on stack lines with `debug`.
    pub(crate) fn debug(&self, line: impl Display) {
        if self.debug.get() {
            self.send(Severity::Debug, &line);
        }
    }

    fn send(&self, severity: Severity, line: &dyn Display) {
        // One line that could not be delivered is enough waiting for one login.
        if !self.muted.get() && deliver(&self.datagram(severity, line)).is_err() {
            self.muted.set(true);
        }
    }

    fn datagram(&self, severity: Severity, line: &dyn Display) -> Vec<u8> {
        // Without a time: the log daemon stamps the line, and knows the time zone.
        let subject = if self.vouched.get() { self.subject.as_str() } else { "" };
        let mut bytes = format!("<{}>{}{line}{subject}", AUTHPRIV | severity as u8, self.prefix).into_bytes();
        bytes.truncate(LINE_CAP);
        bytes
    }
}

fn deliver(datagram: &[u8]) -> std::io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(PATIENCE))?;
    socket.send_to(datagram, LOG_SOCKET)?;
    Ok(())
}

/// One line for a panic, which happens outside any call's log. Never holds the panic's message:
/// that could quote an answer.
pub(crate) fn panicked(program: &str, file: &str, line: u32) {
    let log = Log::new(program, b"", "panic");
    log.error(format_args!("defect: panicked at {file}:{line}; the call was refused"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_shaped_as_other_modules_shape_theirs() {
        let mut log = Log::new("/usr/sbin/sshd", b"sshd\n", "auth");
        log.about(b"al\nice");
        let line = || String::from_utf8(log.datagram(Severity::Notice, &"refused")).expect("ascii");
        let expected = format!("<85>sshd[{}]: pam_countersign(sshd:auth): refused", std::process::id());
        assert_eq!(line(), expected, "nobody has vouched for the name");
        log.vouch();
        assert_eq!(line(), expected + " user=\"al\\nice\"");
        assert_eq!(log.datagram(Severity::Error, &"x".repeat(9000)).len(), LINE_CAP);
    }
}
