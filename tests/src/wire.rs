//! A connection to a bus by hand, as any uid: for what no library would send, and for thousands of
//! calls without a process each.

use crate::bus::PrivateBus;
use crate::bus_guest::BusGuest;
use crate::caller::CallError;
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::future::Future as _;
use std::io::{self, IoSlice, Read as _, Write as _};
use std::num::NonZeroU32;
use std::os::fd::{AsFd, AsRawFd as _, RawFd};
use std::os::unix::net::UnixStream;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;
use zbus::export::serde::Serialize;
use zbus::message::Type;
use zbus::{DynamicType, Message};

/// The bus itself.
pub const DRIVER: &str = "org.freedesktop.DBus";
/// How long a reply is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// A client that has said hello.
pub struct Wire {
    guest: Option<BusGuest>,
    stream: UnixStream,
    inbox: Vec<u8>,
    serial: u32,
    name: String,
}

impl Wire {
    /// As the test itself.
    ///
    /// # Panics
    /// When the bus does not take us.
    #[must_use]
    pub fn on(bus: &PrivateBus) -> Self {
        let stream = UnixStream::connect(bus.socket()).expect("connect to the bus");
        Self::over(stream, nix::unistd::geteuid().as_raw())
    }

    /// As somebody else (root only). A bus asks the kernel who connected, and that is the thread: one
    /// of our own becomes that uid for good.
    ///
    /// # Panics
    /// When the bus does not take us.
    #[must_use]
    pub fn as_uid(bus: &PrivateBus, uid: u32) -> Self {
        let socket = bus.socket().to_owned();
        let connect = move || {
            become_uid(uid);
            UnixStream::connect(socket).expect("connect to the bus")
        };
        let stream = std::thread::spawn(connect).join().expect("connect as somebody else");
        Self::over(stream, uid)
    }

    /// As a process of somebody else (root only), which is there until the connection is dropped.
    ///
    /// # Panics
    /// When the bus does not take it.
    #[must_use]
    pub fn in_own_process(bus: &PrivateBus, uid: u32) -> Self {
        let (guest, stream) = BusGuest::connect(bus.socket(), uid, false);
        Self { guest: Some(guest), ..Self::over(stream, uid) }
    }

    /// The same, where that process is root of a user namespace of its own.
    ///
    /// # Panics
    /// When the bus does not take it.
    #[must_use]
    pub fn as_namespace_root(bus: &PrivateBus, uid: u32) -> Self {
        let (guest, stream) = BusGuest::connect(bus.socket(), uid, true);
        Self { guest: Some(guest), ..Self::over(stream, uid) }
    }

    /// The process behind a connection that has one of its own.
    ///
    /// # Panics
    /// Without one.
    pub fn process(&mut self) -> &mut BusGuest {
        self.guest.as_mut().expect("Wire::in_own_process")
    }

    fn over(stream: UnixStream, uid: u32) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        stream.set_write_timeout(Some(PATIENCE)).expect("a timeout");
        let mut wire = Self { guest: None, stream, inbox: Vec::new(), serial: 0, name: String::new() };
        let hex: String = uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        wire.send(format!("\0AUTH EXTERNAL {hex}\r\n").as_bytes()).expect("the bus reads");
        assert!(wire.line().starts_with("OK "), "the bus takes uid {uid}");
        wire.send(b"NEGOTIATE_UNIX_FD\r\nBEGIN\r\n").expect("the bus reads");
        let _ = wire.line();
        let hello = wire.call(DRIVER, "/", DRIVER, "Hello", &()).expect("the bus says hello");
        wire.name = hello.body().deserialize().expect("a name");
        wire
    }

    /// The unique name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The socket, for what this cannot do.
    #[must_use]
    pub fn stream(&self) -> &UnixStream {
        &self.stream
    }

    /// Another hand on the same connection, to read while this one writes.
    #[must_use]
    pub fn reader(&self) -> Self {
        let stream = self.stream.try_clone().expect("another descriptor");
        Self { guest: None, stream, inbox: self.inbox.clone(), serial: 0, name: self.name.clone() }
    }

    /// The next serial.
    pub fn next_serial(&mut self) -> NonZeroU32 {
        self.serial += 1;
        NonZeroU32::new(self.serial).expect("not 4 billion calls")
    }

    /// A call, and its reply.
    ///
    /// # Errors
    /// The error reply; `Disconnected` where the bus hangs up instead, as it does on malformed messages.
    pub fn call<B>(
        &mut self,
        destination: &str,
        path: &str,
        interface: &str,
        member: &str,
        body: &B,
    ) -> Result<Message, CallError>
    where
        B: Serialize + DynamicType,
    {
        let serial = self.next_serial();
        let call = Message::method_call(path, member).destination(destination).serial(serial);
        let call = if interface.is_empty() { call } else { call.interface(interface) };
        let call = call.build(body).expect("a well-formed call");
        drop(self.send_with(call.data().bytes(), call.data().fds()));
        self.reply_to(serial)
    }

    /// The reply to a call that was sent.
    ///
    /// # Errors
    /// As [`call`](Self::call).
    pub fn reply_to(&mut self, serial: NonZeroU32) -> Result<Message, CallError> {
        loop {
            let message = self
                .receive()
                .map_err(|e| CallError { name: "Disconnected".to_owned(), text: e.to_string() })?;
            if message.header().reply_serial() != Some(serial) {
                continue;
            }
            if message.message_type() != Type::Error {
                return Ok(message);
            }
            let name = message.header().error_name().map(ToString::to_string).unwrap_or_default();
            return Err(CallError { name, text: message.body().deserialize().unwrap_or_default() });
        }
    }

    /// Writes these bytes, whatever they are.
    ///
    /// # Errors
    /// When the bus has hung up or reads nothing for 20 s.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Writes these bytes with these descriptors beside the first of them.
    fn send_with(&mut self, bytes: &[u8], descriptors: &[impl AsFd]) -> io::Result<()> {
        if descriptors.is_empty() {
            return self.send(bytes);
        }
        let raw: Vec<RawFd> = descriptors.iter().map(|one| one.as_fd().as_raw_fd()).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let slice = [IoSlice::new(bytes)];
        let sent = sendmsg::<()>(self.stream.as_raw_fd(), &slice, &rights, MsgFlags::empty(), None)?;
        self.send(&bytes[sent..])
    }

    /// The next message, whatever it is.
    ///
    /// # Errors
    /// At the end of the connection, or when nothing comes for 20 s.
    pub fn receive(&mut self) -> io::Result<Message> {
        self.fill_to(16)?;
        let word = |at: usize| {
            let bytes = [self.inbox[at], self.inbox[at + 1], self.inbox[at + 2], self.inbox[at + 3]];
            (if self.inbox[0] == b'B' { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
                as usize
        };
        let length = 16 + word(12).next_multiple_of(8) + word(4);
        self.fill_to(length)?;
        let rest = self.inbox.split_off(length);
        parse(std::mem::replace(&mut self.inbox, rest))
    }

    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.inbox.drain(..end + 2).collect();
                return String::from_utf8_lossy(&line).into_owned();
            }
            let more = self.inbox.len() + 1;
            self.fill_to(more).expect("the bus authenticates");
        }
    }

    fn fill_to(&mut self, length: usize) -> io::Result<()> {
        let mut chunk = [0; 64 * 1024];
        while self.inbox.len() < length {
            match self.stream.read(&mut chunk)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                n => self.inbox.extend_from_slice(&chunk[..n]),
            }
        }
        Ok(())
    }
}

/// The calling thread becomes somebody else for good, and in a process of one thread the process.
///
/// # Panics
/// Without root.
pub fn become_uid(uid: u32) {
    let gid = rustix::thread::Gid::from_raw(uid);
    rustix::thread::set_thread_groups(&[]).expect("root may drop groups");
    rustix::thread::set_thread_res_gid(gid, gid, gid).expect("root may become anybody");
    let uid = rustix::thread::Uid::from_raw(uid);
    rustix::thread::set_thread_res_uid(uid, uid, uid).expect("root may become anybody");
}

/// The login and the verdict's word of a step.
///
/// # Panics
/// When the reply is no step.
#[must_use]
pub fn step_of(reply: &Message) -> (String, String) {
    type Step = (String, String, Vec<(u32, String)>, Vec<(bool, String)>);
    let (login, verdict, _, _): Step = reply.body().deserialize().expect("a step");
    (login, verdict)
}

fn parse(mut bytes: Vec<u8>) -> io::Result<Message> {
    let mut no_descriptors = Vec::new();
    let mut source = Complete;
    let future = pin!(source.receive_message(0, &mut bytes, &mut no_descriptors));
    // All bytes are there, so the future never waits.
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(message)) => Ok(message),
        Poll::Ready(Err(e)) => Err(io::Error::other(e)),
        Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
    }
}

/// The read half of a socket whose message has already come whole.
#[derive(Debug)]
struct Complete;

#[async_trait]
impl ReadHalf for Complete {
    async fn recvmsg(&mut self, _: &mut [u8]) -> io::Result<(usize, Vec<std::os::fd::OwnedFd>)> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
