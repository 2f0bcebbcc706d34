//! What the daemon says to the journal: lower case, no full stop, one line per event, outside text
//! quoted. Nothing here can take a secret: values are what callers spell out, and secret types have
//! no text.
//!
//! Nobody waits for a reader: what does not fit into the socket or the pipe now is lost, here and in the
//! journal's native protocol (systemd.journal-fields(7), "Native Journal Protocol").

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixDatagram;
use std::sync::OnceLock;

/// `LOG_ERR` of syslog(3), and those below it.
pub const ERROR: u8 = 3;
/// `LOG_WARNING`.
pub const WARNING: u8 = 4;
/// `LOG_NOTICE`.
pub const NOTICE: u8 = 5;
/// `LOG_INFO`.
pub const INFO: u8 = 6;

/// Where journald takes messages with fields.
const SOCKET: &str = "/run/systemd/journal/socket";
/// Bytes of a line: a pipe that has any room has this much (`PIPE_BUF`).
const LONGEST_LINE: usize = 4096;

/// Which part of syslog a message goes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Facility {
    /// `LOG_DAEMON`.
    Daemon,
    /// `LOG_AUTHPRIV`: who was let in, who was not, who changed what.
    AuthPriv,
}

impl Facility {
    fn number(self) -> u8 {
        match self {
            Self::Daemon => 3,
            Self::AuthPriv => 10,
        }
    }
}

/// A named value.
#[derive(Debug, Clone, Copy)]
pub struct Field<'a> {
    name: &'a str,
    value: &'a str,
}

impl<'a> Field<'a> {
    /// Text from anywhere.
    #[must_use]
    pub fn new(name: &'a str, value: &'a str) -> Self {
        Self { name, value }
    }
}

/// An event with a number and fields.
#[derive(Debug)]
pub struct Message<'a> {
    /// 128 bits in hexadecimal.
    pub id: &'a str,
    /// Of syslog(3).
    pub priority: u8,
    /// Of syslog(3).
    pub facility: Facility,
    /// What happened, in words of ours.
    pub event: &'a str,
    /// What the line says of it, quoted; empty ones are left out.
    pub said: &'a [Field<'a>],
    /// What only programs read; empty ones are left out. Names are ours.
    pub fields: &'a [Field<'a>],
}

/// Sends an event to the journal, or says its line where there is none.
pub fn send(message: &Message<'_>) {
    let said: Vec<(&str, &str)> = message.said.iter().map(|f| (f.name, f.value)).collect();
    let said: Vec<(&str, &str)> = said.into_iter().filter(|(_, value)| !value.is_empty()).collect();
    let text = words(message.event, &said);
    if !is_heard(message, &text) {
        say(message.priority, &text);
    }
}

/// Whether the journal is there to take it. A journal that is full is there.
fn is_heard(message: &Message<'_>, text: &str) -> bool {
    static SENDER: OnceLock<Option<UnixDatagram>> = OnceLock::new();
    let unbound = || {
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        Some(socket)
    };
    let Some(socket) = SENDER.get_or_init(unbound) else { return false };
    match socket.send_to(&native(message, text), SOCKET) {
        Ok(_) => true,
        Err(e) => e.kind() == std::io::ErrorKind::WouldBlock,
    }
}

fn native(message: &Message<'_>, text: &str) -> Vec<u8> {
    let priority = message.priority.to_string();
    let facility = message.facility.number().to_string();
    let ours = [
        ("MESSAGE", text),
        ("MESSAGE_ID", message.id),
        ("PRIORITY", &priority),
        ("SYSLOG_FACILITY", &facility),
        ("SYSLOG_IDENTIFIER", "countersignd"),
    ];
    let mut out = Vec::with_capacity(1024);
    for (name, value) in ours.into_iter().chain(message.fields.iter().map(|f| (f.name, f.value))) {
        if value.is_empty() {
            continue;
        }
        // With its length in front of it a value may be anything, a new line too.
        out.extend_from_slice(name.as_bytes());
        out.push(b'\n');
        out.extend_from_slice(&(value.len() as u64).to_le_bytes());
        out.extend_from_slice(value.as_bytes());
        out.push(b'\n');
    }
    out
}

/// Something an administrator must mend.
pub fn error(event: &str, fields: &[(&str, &str)]) {
    say(ERROR, &words(event, fields));
}

/// Something that is not as it should be.
pub fn warning(event: &str, fields: &[(&str, &str)]) {
    say(WARNING, &words(event, fields));
}

/// Something worth knowing.
pub fn notice(event: &str, fields: &[(&str, &str)]) {
    say(NOTICE, &words(event, fields));
}

/// Writes a line to standard error, which systemd gives to the journal.
fn say(priority: u8, text: &str) {
    // `<N>` is how systemd reads a priority from standard error (sd-daemon(3)).
    let mut line = format!("<{priority}>{text}");
    let end = (0..LONGEST_LINE.min(line.len() + 1)).rev().find(|end| line.is_char_boundary(*end));
    line.truncate(end.unwrap_or_default());
    line.push('\n');
    let stderr = std::io::stderr();
    // The journal may be full or gone: a login never waits for it or fails by it.
    let mut ready = [PollFd::new(stderr.as_fd(), PollFlags::POLLOUT)];
    if poll(&mut ready, PollTimeout::ZERO).is_ok_and(|ready| ready > 0) {
        let _ = stderr.lock().write_all(line.as_bytes());
    }
}

fn words(event: &str, fields: &[(&str, &str)]) -> String {
    let mut text = event.to_owned();
    for (key, value) in fields {
        let _ = write!(text, " {key}=\"");
        for c in value.chars().take(512) {
            match c {
                '"' | '\\' => {
                    text.push('\\');
                    text.push(c);
                }
                c if is_unsafe(c) => {
                    let _ = write!(text, "\\u{{{:x}}}", u32::from(c));
                }
                c => text.push(c),
            }
        }
        text.push('"');
    }
    text
}

/// Control characters, and those that turn the direction of text around.
#[must_use]
pub fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inp_03_outside_text_stays_inside_its_quotes_and_line() {
        let evil = "a\"b\\\n<0>fake\u{1b}[2J\u{202e}x";
        let text = words("login denied", &[("user", evil)]);
        assert_eq!(text, "login denied user=\"a\\\"b\\\\\\u{a}<0>fake\\u{1b}[2J\\u{202e}x\"");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn inp_03_outside_text_stays_inside_its_field() {
        let evil = "x\nMESSAGE=forged\nCOUNTERSIGN_USER=root\n";
        let message = Message {
            id: "0",
            priority: NOTICE,
            facility: Facility::AuthPriv,
            event: "login denied",
            said: &[],
            fields: &[Field::new("COUNTERSIGN_USER", evil), Field::new("COUNTERSIGN_TTY", "")],
        };
        let sent = native(&message, "login denied");
        // Read back by the rule of the protocol: a name, its length, as many bytes.
        let (mut rest, mut read) = (sent.as_slice(), Vec::new());
        while !rest.is_empty() {
            let end = rest.iter().position(|b| *b == b'\n').expect("a name");
            let (name, after) = rest.split_at(end);
            let (length, after) = after[1..].split_first_chunk::<8>().expect("a length");
            let length = usize::try_from(u64::from_le_bytes(*length)).expect("short");
            read.push((String::from_utf8_lossy(name).into_owned(), after[..length].to_vec()));
            assert_eq!(after[length], b'\n');
            rest = &after[length + 1..];
        }
        let names: Vec<&str> = read.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(
            names,
            ["MESSAGE", "MESSAGE_ID", "PRIORITY", "SYSLOG_FACILITY", "SYSLOG_IDENTIFIER", "COUNTERSIGN_USER"]
        );
        assert_eq!(read[5].1, evil.as_bytes());
        assert_eq!(read[3].1, b"10");
    }
}
