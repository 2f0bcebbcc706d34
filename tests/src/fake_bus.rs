//! A bus that is no bus: it speaks the authentication and answers every call as the test scripts it.
//!
//! For what an honest bus never does: wrong owners, malformed replies, half a reply, silence.

use crate::scratch::Scratch;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::num::NonZeroU32;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use zbus::Message;

/// One method call as it arrived.
#[derive(Debug, Clone)]
pub struct Called {
    /// The caller's serial: a reply must name it.
    pub serial: u32,
    /// `Hello`, `GetNameOwner`, `Begin`, ...
    pub member: String,
    /// The interface, empty where none was given.
    pub interface: String,
    /// Where it was sent.
    pub destination: String,
    /// The body's bytes, little endian.
    pub body: Vec<u8>,
}

/// What the fake sends back.
#[derive(Debug, Clone)]
pub enum Does {
    /// These bytes, whatever they are. [`reply`] and [`error`] make well-formed ones.
    Bytes(Vec<u8>),
    /// Several writes with pauses between them.
    Drip(Vec<u8>, usize, Duration),
    /// Nothing; the connection stays open.
    Nothing,
    /// These bytes (perhaps none), then the connection is closed.
    Close(Vec<u8>),
}

type Script = Box<dyn FnMut(&Called) -> Does + Send>;

/// The name under which the fake's "daemon" sends.
pub const DAEMON_UNIQUE_NAME: &str = ":1.1";
/// The name that the fake gives to every client.
pub const CLIENT_UNIQUE_NAME: &str = ":1.77";

/// A listening fake. Dropped, it closes what it has open when those connections end.
pub struct FakeBus {
    dir: Scratch,
    calls: Arc<Mutex<Vec<Called>>>,
}

impl FakeBus {
    /// Answers `Hello`, `GetNameOwner` and `GetConnectionUnixUser` as an honest bus whose daemon runs as `owner`,
    /// and leaves every other call to `script`.
    #[must_use]
    pub fn with_daemon(owner: u32, mut script: impl FnMut(&Called) -> Does + Send + 'static) -> Self {
        Self::scripted(move |call| match call.member.as_str() {
            "Hello" => Does::Bytes(bus_reply(call, &CLIENT_UNIQUE_NAME)),
            "GetNameOwner" => Does::Bytes(bus_reply(call, &DAEMON_UNIQUE_NAME)),
            "GetConnectionUnixUser" => Does::Bytes(bus_reply(call, &owner)),
            _ => script(call),
        })
    }

    /// Leaves every call to `script`, those to the bus itself too.
    #[must_use]
    pub fn scripted(script: impl FnMut(&Called) -> Does + Send + 'static) -> Self {
        let dir = Scratch::new("fake");
        let listener = UnixListener::bind(dir.join("bus")).expect("a socket");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&calls);
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&seen);
                let script = Arc::clone(&script);
                // A client that breaks off ends its own connection only.
                std::thread::spawn(move || drop(serve(stream, &seen, &script)));
            }
        });
        Self { dir, calls }
    }

    /// The address, `unix:path=...`.
    #[must_use]
    pub fn address(&self) -> String {
        format!("unix:path={}", self.dir.join("bus").display())
    }

    /// Every call so far.
    #[must_use]
    pub fn calls(&self) -> Vec<Called> {
        self.calls.lock().expect("no panic holds it").clone()
    }

    /// Whether a method was called.
    #[must_use]
    pub fn heard(&self, member: &str) -> bool {
        self.calls().iter().any(|call| call.member == member)
    }
}

fn serve(stream: UnixStream, seen: &Mutex<Vec<Called>>, script: &Mutex<Script>) -> std::io::Result<()> {
    let mut out = stream.try_clone()?;
    let mut input = BufReader::new(stream);
    authenticate(&mut input, &mut out)?;
    loop {
        let call = read_call(&mut input)?;
        seen.lock().expect("no panic holds it").push(call.clone());
        let does = (script.lock().expect("a script does not panic"))(&call);
        match does {
            Does::Bytes(bytes) => out.write_all(&bytes)?,
            Does::Nothing => {}
            Does::Drip(bytes, size, pause) => {
                for piece in bytes.chunks(size.max(1)) {
                    out.write_all(piece)?;
                    std::thread::sleep(pause);
                }
            }
            Does::Close(bytes) => {
                out.write_all(&bytes)?;
                return out.shutdown(std::net::Shutdown::Both);
            }
        }
    }
}

/// The server side of the D-Bus authentication, EXTERNAL and nothing else.
fn authenticate(input: &mut BufReader<UnixStream>, out: &mut UnixStream) -> std::io::Result<()> {
    loop {
        let mut line = Vec::new();
        if input.read_until(b'\n', &mut line)? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        let line = String::from_utf8_lossy(&line);
        match line.trim_start_matches('\0').split_whitespace().next() {
            Some("AUTH") => out.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n")?,
            Some("NEGOTIATE_UNIX_FD") => out.write_all(b"AGREE_UNIX_FD\r\n")?,
            Some("DATA") => out.write_all(b"OK 0123456789abcdef0123456789abcdef\r\n")?,
            Some("BEGIN") => return Ok(()),
            _ => out.write_all(b"ERROR\r\n")?,
        }
    }
}

/// Reads one little-endian message; only what a test looks at is decoded.
fn read_call(input: &mut BufReader<UnixStream>) -> std::io::Result<Called> {
    let mut fixed = [0; 16];
    input.read_exact(&mut fixed)?;
    let number = |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let (body_length, serial, fields_length) = (number(4) as usize, number(8), number(12) as usize);
    let mut fields = vec![0; fields_length.next_multiple_of(8)];
    input.read_exact(&mut fields)?;
    let mut body = vec![0; body_length];
    input.read_exact(&mut body)?;
    let text = |code| header_field(&fields[..fields_length], code).unwrap_or_default();
    Ok(Called { serial, interface: text(2), member: text(3), destination: text(6), body })
}

/// The string of one header field: an array of (byte code, variant), each aligned to 8.
fn header_field(fields: &[u8], wanted: u8) -> Option<String> {
    let mut at = 0usize;
    while at < fields.len() {
        at = at.next_multiple_of(8);
        let code = *fields.get(at)?;
        let signature_length = usize::from(*fields.get(at + 1)?);
        let signature = fields.get(at + 2..at + 2 + signature_length)?;
        at += 3 + signature_length;
        let (start, length, end) = if signature == b"g" {
            let length = usize::from(*fields.get(at)?);
            (at + 1, length, at + 2 + length)
        } else {
            at = at.next_multiple_of(4);
            let length = u32::from_le_bytes(fields.get(at..at + 4)?.try_into().ok()?) as usize;
            if signature == b"u" { (at, 4, at + 4) } else { (at + 4, length, at + 5 + length) }
        };
        if code == wanted {
            return Some(String::from_utf8_lossy(fields.get(start..start + length)?).into_owned());
        }
        at = end;
    }
    None
}

/// The bytes of a well-formed reply of the daemon to `call`.
#[must_use]
pub fn reply<B: serde::Serialize + zbus::zvariant::DynamicType>(call: &Called, body: &B) -> Vec<u8> {
    reply_from(DAEMON_UNIQUE_NAME, call, body)
}

/// The bytes of a reply of the bus itself.
#[must_use]
pub fn bus_reply<B: serde::Serialize + zbus::zvariant::DynamicType>(call: &Called, body: &B) -> Vec<u8> {
    reply_from("org.freedesktop.DBus", call, body)
}

/// The bytes of a reply that says it comes from `sender`.
#[must_use]
pub fn reply_from<B: serde::Serialize + zbus::zvariant::DynamicType>(
    sender: &str,
    call: &Called,
    body: &B,
) -> Vec<u8> {
    let asked = question(call);
    let builder = Message::method_return(&asked.header()).sender(sender).destination(CLIENT_UNIQUE_NAME);
    bytes_of(&builder.build(body).expect("a well-formed reply"))
}

/// The bytes of an error reply of the daemon.
#[must_use]
pub fn error(call: &Called, name: &str, text: &str) -> Vec<u8> {
    let asked = question(call);
    let builder =
        Message::error(&asked.header(), name).sender(DAEMON_UNIQUE_NAME).destination(CLIENT_UNIQUE_NAME);
    bytes_of(&builder.build(&text).expect("a well-formed error"))
}

/// A call with the right serial, for zbus to make its reply.
fn question(call: &Called) -> Message {
    let serial = NonZeroU32::new(call.serial).unwrap_or(NonZeroU32::MIN);
    Message::method_call("/", "Question").serial(serial).build(&()).expect("a well-formed call")
}

fn bytes_of(message: &Message) -> Vec<u8> {
    message.data().bytes().to_vec()
}
