//! One connection to the bus.

use std::{io, io::Read, num::NonZeroU32, os::unix::net::UnixStream};

use zbus::{DynamicType, Message, export::serde::Serialize};
use zeroize::Zeroizing;

use super::{
    Address, Failure, Guid,
    message::{self, HEADER_LEN, Target},
};
use crate::{deadline::Deadline, ffi::socket};

/// Longest line of the authentication, in bytes.
const LINE_CAP: usize = 512;
/// Bytes asked for in one read.
const CHUNK: usize = 8 * 1024;

/// A connection, and what is still to be written to it.
pub(super) struct Link {
    stream: UnixStream,
    deadline: Deadline,
    outbox: Zeroizing<Vec<u8>>,
    inbox: Vec<u8>,
    last_serial: u32,
}

impl Link {
    /// Connects, and prepares the authentication; nothing is sent yet.
    pub(super) fn open(address: &Address, deadline: Deadline, euid: u32) -> Result<Self, Failure> {
        let left = deadline.left().ok_or(Failure::Late)?;
        let stream = socket::connect(address, left).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => Failure::Late,
            _ => Failure::Unreachable(error),
        })?;
        Ok(Self::over(stream, deadline, euid))
    }

    /// Uses a connected stream.
    pub(super) fn over(stream: UnixStream, deadline: Deadline, euid: u32) -> Self {
        let mut link = Self {
            stream,
            deadline,
            outbox: Zeroizing::new(Vec::with_capacity(1024)),
            inbox: Vec::new(),
            last_serial: 0,
        };
        // EXTERNAL, with the uid in decimal, in hex (D-Bus specification, "Authentication
        // Protocol"). The bus asks the kernel anyway. BEGIN may follow unasked: a bus that
        // rejects us reads the rest as nonsense and hangs up.
        link.outbox.extend_from_slice(b"\0AUTH EXTERNAL ");
        for digit in euid.to_string().bytes() {
            link.outbox.extend_from_slice(format!("{digit:02x}").as_bytes());
        }
        link.outbox.extend_from_slice(b"\r\nBEGIN\r\n");
        link
    }

    /// Adds a call to what the next [`Link::flush`] writes.
    pub(super) fn queue<B>(
        &mut self,
        target: Target<'_>,
        member: &str,
        body: &B,
    ) -> Result<NonZeroU32, Failure>
    where
        B: Serialize + DynamicType,
    {
        let serial = self.next_serial();
        let call = message::call(target, member, serial, body)?;
        self.outbox.extend_from_slice(call.data());
        Ok(serial)
    }

    /// Adds a call whose last argument is a secret `ay`.
    ///
    /// zbus keeps no buffer that can be wiped, so it encodes zeros of the same length; the secret
    /// takes their place here, in a buffer that is wiped. It is the end of the message: the last
    /// argument, of bytes, is followed by nothing.
    pub(super) fn queue_secret(
        &mut self,
        target: Target<'_>,
        member: &str,
        first: &str,
        secret: &[u8],
    ) -> Result<NonZeroU32, Failure> {
        let serial = self.next_serial();
        let call = message::call(target, member, serial, &(first, vec![0_u8; secret.len()]))?;
        let bytes = call.data();
        let at =
            bytes.len().checked_sub(secret.len()).ok_or(Failure::Malformed("the call cannot be encoded"))?;
        // Growing would leave an unwiped copy of an earlier secret behind; there is never one.
        self.outbox.reserve_exact(bytes.len());
        self.outbox.extend_from_slice(&bytes[..at]);
        self.outbox.extend_from_slice(secret);
        Ok(serial)
    }

    fn next_serial(&mut self) -> NonZeroU32 {
        self.last_serial += 1;
        NonZeroU32::MIN.saturating_add(self.last_serial - 1)
    }

    /// Writes what is queued.
    pub(super) fn flush(&mut self) -> Result<(), Failure> {
        let mut written = 0;
        while written < self.outbox.len() {
            let left = self.deadline.left().ok_or(Failure::Late)?;
            self.stream.set_write_timeout(Some(left)).map_err(Failure::Broken)?;
            match socket::send(&self.stream, &self.outbox[written..]) {
                Ok(0) => return Err(Failure::Broken(io::ErrorKind::WriteZero.into())),
                Ok(sent) => written += sent,
                Err(error) => retry_or_fail(error)?,
            }
        }
        self.outbox = Zeroizing::new(Vec::new());
        Ok(())
    }

    /// Reads the line that ends the authentication: `OK` and the bus's identity.
    pub(super) fn guid(&mut self) -> Result<Guid, Failure> {
        let end = loop {
            if let Some(end) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                break end;
            }
            if self.inbox.len() > LINE_CAP {
                return Err(Failure::Malformed("the bus does not authenticate"));
            }
            self.fill()?;
        };
        let guid = self.inbox[..end]
            .strip_prefix(b"OK ")
            .filter(|guid| guid.iter().all(u8::is_ascii_hexdigit))
            .and_then(|guid| guid.try_into().ok())
            .ok_or(Failure::Malformed("the bus does not authenticate"))?;
        self.inbox.drain(..end + 2);
        Ok(Guid(guid))
    }

    /// Reads one message, whatever it is.
    pub(super) fn receive(&mut self) -> Result<Message, Failure> {
        while self.inbox.len() < HEADER_LEN {
            self.fill()?;
        }
        let header = self.inbox.first_chunk().ok_or(Failure::Malformed("a message is too short"))?;
        let len = message::whole_len(header)?;
        while self.inbox.len() < len {
            self.fill()?;
        }
        let rest = self.inbox.split_off(len);
        message::parse(std::mem::replace(&mut self.inbox, rest))
    }

    /// Reads on until an answer to `serial` comes from whom `trusts` trusts. Everything else on
    /// the way (signals of the bus, forgeries of other clients) is passed over.
    pub(super) fn answer_to(
        &mut self,
        serial: NonZeroU32,
        trusts: impl Fn(&str) -> bool,
    ) -> Result<Message, Failure> {
        loop {
            let message = self.receive()?;
            let trusted = message::sender(&message).is_some_and(|sender| trusts(&sender));
            if trusted && message::answers(&message, serial) {
                return message::accept(message);
            }
        }
    }

    /// Reads what there is, at least one byte. `read(2)` takes no descriptors: the kernel drops
    /// any that were sent along.
    fn fill(&mut self) -> Result<(), Failure> {
        loop {
            let left = self.deadline.left().ok_or(Failure::Late)?;
            self.stream.set_read_timeout(Some(left)).map_err(Failure::Broken)?;
            let old = self.inbox.len();
            self.inbox.resize(old + CHUNK, 0);
            let result = self.stream.read(&mut self.inbox[old..]);
            self.inbox.truncate(old + *result.as_ref().unwrap_or(&0));
            match result {
                Ok(0) => return Err(Failure::Broken(io::ErrorKind::UnexpectedEof.into())),
                Ok(_) => return Ok(()),
                Err(error) => retry_or_fail(error)?,
            }
        }
    }
}

/// A signal or a spurious wake-up is no failure; the deadline decides.
fn retry_or_fail(error: io::Error) -> Result<(), Failure> {
    match error.kind() {
        io::ErrorKind::Interrupted | io::ErrorKind::WouldBlock => Ok(()),
        _ => Err(Failure::Broken(error)),
    }
}
