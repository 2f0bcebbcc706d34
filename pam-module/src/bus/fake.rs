//! A scripted bus with a scripted daemon on it, for tests.

use std::{
    io::{IoSlice, Read, Write},
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::net::{SocketAddr, UnixListener, UnixStream},
    },
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use countersign_protocol::{login::Step, names::BUS_NAME};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use zbus::Message;

use super::{
    Address,
    message::{self, DRIVER, HEADER_LEN},
};

/// The uid that the tests expect the daemon to have.
pub(super) const UID: u32 = 4711;
pub(super) const LOGIN: &str = "00112233445566778899aabbccddeeff";

/// How the bytes of one connection reach the client.
#[derive(Clone)]
pub(super) enum Delivery {
    Whole,
    Drip(Duration),
    /// The connection ends after so many bytes.
    Cut(usize),
    /// Nothing ever comes.
    Silent,
    /// These bytes come instead of any answer.
    Instead(Vec<u8>),
    /// Every write carries an open descriptor.
    WithDescriptor,
}

/// How bus and daemon behave on one connection.
#[derive(Clone)]
pub(super) struct Behaviour {
    pub(super) guid: u8,
    pub(super) owner: Option<&'static str>,
    /// The uid behind the well-known name, and behind the owner's unique name.
    pub(super) uids: (u32, u32),
    /// Who sends the daemon's replies.
    pub(super) sender: &'static str,
    /// Added to the serial that the daemon's replies answer.
    pub(super) serial_shift: u32,
    pub(super) verdict: &'static str,
    /// An error in place of the daemon's reply: name and sender.
    pub(super) error: Option<(&'static str, &'static str)>,
    /// A reply with another signature.
    pub(super) odd_signature: bool,
    pub(super) delivery: Delivery,
}

impl Default for Behaviour {
    fn default() -> Self {
        Self {
            guid: b'a',
            owner: Some(":1.5"),
            uids: (UID, UID),
            sender: ":1.5",
            serial_shift: 0,
            verdict: "ask",
            error: None,
            odd_signature: false,
            delivery: Delivery::Whole,
        }
    }
}

/// What the daemon was called with: method, destination, and whether the message held `123456`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Call(pub(super) String, pub(super) String, pub(super) bool);

/// A bus that runs until the test ends.
pub(super) struct FakeBus {
    pub(super) address: Address,
    calls: Arc<Mutex<Vec<Call>>>,
}

impl FakeBus {
    /// The first connection meets the first behaviour, and so on; the last one stays.
    pub(super) fn start(behaviours: Vec<Behaviour>) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name =
            format!("countersign-test/{}/{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let at = SocketAddr::from_abstract_name(&name).expect("a short name");
        let listener = UnixListener::bind_addr(&at).expect("a free name");
        let calls = Arc::new(Mutex::new(Vec::new()));
        let log = calls.clone();
        std::thread::spawn(move || {
            for (count, stream) in listener.incoming().enumerate() {
                let behaviour = behaviours[count.min(behaviours.len() - 1)].clone();
                let log = log.clone();
                let stream = stream.expect("a connection");
                std::thread::spawn(move || Connection { stream, behaviour, written: 0, log }.serve());
            }
        });
        Self { address: Address::Abstract(name), calls }
    }

    pub(super) fn calls(&self) -> Vec<Call> {
        self.calls.lock().expect("no panic while locked").clone()
    }

    pub(super) fn count(&self, method: &str) -> usize {
        self.calls().iter().filter(|call| call.0 == method).count()
    }
}

struct Connection {
    stream: UnixStream,
    behaviour: Behaviour,
    written: usize,
    log: Arc<Mutex<Vec<Call>>>,
}

impl Connection {
    /// Ends, and hangs up, when either side has had enough.
    fn serve(mut self) -> Option<()> {
        let mut greeting = Vec::new();
        while !greeting.ends_with(b"BEGIN\r\n") {
            let mut byte = [0];
            self.stream.read_exact(&mut byte).ok()?;
            greeting.push(byte[0]);
        }
        assert!(greeting.starts_with(b"\0AUTH EXTERNAL "));
        match &self.behaviour.delivery {
            Delivery::Instead(bytes) => {
                let bytes = bytes.clone();
                self.stream.write_all(&bytes).ok()?;
                return self.wait_for_the_end();
            }
            Delivery::Silent => return self.wait_for_the_end(),
            _ => {}
        }
        let guid = [self.behaviour.guid; 32];
        self.write(format!("OK {}\r\n", str::from_utf8(&guid).expect("ascii")).as_bytes())?;
        loop {
            let call = self.read()?;
            if let Some(reply) = self.reply_to(&call) {
                self.write(reply.data())?;
            }
        }
    }

    fn wait_for_the_end(mut self) -> Option<()> {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).ok().map(drop)
    }

    fn read(&mut self) -> Option<Message> {
        let mut bytes = vec![0; HEADER_LEN];
        self.stream.read_exact(&mut bytes).ok()?;
        let len = message::whole_len(bytes[..].first_chunk()?).ok()?;
        bytes.resize(len, 0);
        self.stream.read_exact(&mut bytes[HEADER_LEN..]).ok()?;
        Some(message::parse(bytes).expect("the client writes good messages"))
    }

    fn write(&mut self, bytes: &[u8]) -> Option<()> {
        match self.behaviour.delivery {
            Delivery::Drip(pause) => {
                for byte in bytes {
                    self.stream.write_all(&[*byte]).ok()?;
                    std::thread::sleep(pause);
                }
            }
            Delivery::Cut(at) => {
                let left = at - self.written;
                self.stream.write_all(&bytes[..bytes.len().min(left)]).ok()?;
                if bytes.len() >= left {
                    return None;
                }
            }
            Delivery::WithDescriptor => {
                let descriptors = [self.stream.as_raw_fd()];
                let rights = [ControlMessage::ScmRights(&descriptors)];
                let sent = sendmsg::<()>(
                    self.stream.as_raw_fd(),
                    &[IoSlice::new(bytes)],
                    &rights,
                    MsgFlags::MSG_NOSIGNAL,
                    None,
                );
                assert_eq!(sent.ok()?, bytes.len());
            }
            _ => self.stream.write_all(bytes).ok()?,
        }
        self.written += bytes.len();
        Some(())
    }

    fn reply_to(&self, call: &Message) -> Option<Message> {
        let header = call.header();
        let member = header.member()?.as_str();
        let it = &self.behaviour;
        let answer = Message::method_return(&header).sender(DRIVER);
        let nobody = || {
            let name = "org.freedesktop.DBus.Error.NameHasNoOwner";
            Message::error(&header, name).sender(DRIVER).build(&"nobody").ok()
        };
        match member {
            "Hello" => answer.build(&":1.99").ok(),
            "GetNameOwner" => it.owner.map_or_else(nobody, |owner| answer.build(&owner).ok()),
            "GetConnectionUnixUser" => {
                let name: String = call.body().deserialize().expect("a name");
                match it.owner {
                    Some(_) if name == BUS_NAME => answer.build(&it.uids.0).ok(),
                    Some(owner) if name == owner => answer.build(&it.uids.1).ok(),
                    _ => nobody(),
                }
            }
            _ => self.daemon(call, member),
        }
    }

    fn daemon(&self, call: &Message, member: &str) -> Option<Message> {
        let it = &self.behaviour;
        let header = call.header();
        let destination = header.destination()?.to_string();
        let has_answer = call.data().windows(6).any(|bytes| bytes == b"123456");
        self.log.lock().expect("no panic while locked").push(Call(
            member.to_owned(),
            destination,
            has_answer,
        ));
        if let Some((name, sender)) = it.error {
            return Message::error(&header, name).sender(sender).build(&"text").ok();
        }
        let serial = header.primary().serial_num().saturating_add(it.serial_shift);
        let reply = Message::method_return(&header).sender(it.sender).reply_serial(Some(serial));
        match member {
            "Begin" | "Respond" if it.odd_signature => reply.build(&(LOGIN, it.verdict)).ok(),
            "Begin" | "Respond" => {
                let prompt = if it.verdict == "ask" { vec![(true, "code: ".to_owned())] } else { vec![] };
                let (login, verdict) = (LOGIN.to_owned(), it.verdict.to_owned());
                reply.build(&Step { login, verdict, messages: vec![], prompt }).ok()
            }
            "Confirm" | "Check" => reply.build(&it.verdict).ok(),
            _ => reply.build(&()).ok(),
        }
    }
}
