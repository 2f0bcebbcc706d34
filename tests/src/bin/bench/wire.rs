//! A connection to a bus with nothing around it: one blocking socket, whole messages in and out.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use zbus::Message;
use zbus::connection::socket::ReadHalf;
use zbus::export::async_trait::async_trait;

/// Bytes of a message before its header fields.
const FIXED: usize = 16;

/// A connection; what is written first carries the authentication too.
pub(crate) struct Wire {
    stream: UnixStream,
    inbox: Vec<u8>,
    greeted: bool,
}

impl Wire {
    pub(crate) fn connect(socket: &Path) -> io::Result<Self> {
        Ok(Self { stream: UnixStream::connect(socket)?, inbox: Vec::new(), greeted: false })
    }

    /// Bytes that open the conversation: EXTERNAL with our uid, as decimal digits in hex.
    pub(crate) fn greeting() -> Vec<u8> {
        let uid: String =
            nix::unistd::geteuid().to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
        format!("\0AUTH EXTERNAL {uid}\r\nBEGIN\r\n").into_bytes()
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// The next message, however long it takes to come.
    pub(crate) fn receive(&mut self) -> io::Result<Message> {
        loop {
            if let Some(message) = self.buffered()? {
                return Ok(message);
            }
            self.fill()?;
        }
    }

    /// The next message if it has come already.
    pub(crate) fn receive_waiting(&mut self) -> io::Result<Option<Message>> {
        if let Some(message) = self.buffered()? {
            return Ok(Some(message));
        }
        self.stream.set_nonblocking(true)?;
        let filled = self.fill();
        self.stream.set_nonblocking(false)?;
        match filled {
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(e) => Err(e),
            Ok(()) => self.buffered(),
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let old = self.inbox.len();
        self.inbox.resize(old + 8192, 0);
        let read = self.stream.read(&mut self.inbox[old..]);
        self.inbox.truncate(old + *read.as_ref().unwrap_or(&0));
        if read? == 0 { Err(io::ErrorKind::UnexpectedEof.into()) } else { Ok(()) }
    }

    fn buffered(&mut self) -> io::Result<Option<Message>> {
        if !self.greeted {
            let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") else { return Ok(None) };
            self.inbox.drain(..end + 2);
            self.greeted = true;
        }
        let number = |at: usize| {
            let bytes = self.inbox.get(at..at + 4).and_then(|four| four.try_into().ok());
            bytes.map_or(0, |four| u32::from_le_bytes(four) as usize)
        };
        let whole = FIXED + number(12).next_multiple_of(8) + number(4);
        if self.inbox.len() < whole {
            return Ok(None);
        }
        let rest = self.inbox.split_off(whole);
        parse(std::mem::replace(&mut self.inbox, rest)).map(Some)
    }
}

/// Reads one whole message through zbus, whose only way in is a socket.
fn parse(mut bytes: Vec<u8>) -> io::Result<Message> {
    let mut no_descriptors = Vec::new();
    let mut source = Complete;
    let future = pin!(source.receive_message(0, &mut bytes, &mut no_descriptors));
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(message)) => Ok(message),
        Poll::Ready(Err(_)) | Poll::Pending => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The read half of a socket whose message has come whole.
#[derive(Debug)]
struct Complete;

#[async_trait]
impl ReadHalf for Complete {
    async fn recvmsg(&mut self, _: &mut [u8]) -> io::Result<(usize, Vec<std::os::fd::OwnedFd>)> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}
