//! Messages, as zbus builds and reads them, without its connection.

use std::{
    future::Future,
    io,
    num::NonZeroU32,
    os::fd::OwnedFd,
    pin::pin,
    task::{Context, Poll, Waker},
};

use zbus::{
    DynamicType, Message,
    connection::socket::ReadHalf,
    export::{async_trait::async_trait, serde::Serialize},
    message::Type,
    wire::DynamicDeserialize,
};

use super::Failure;

/// The bus itself, as the sender and destination of messages.
pub(super) const DRIVER: &str = "org.freedesktop.DBus";
/// Bytes of the smallest message: the primary header and the length of the header fields.
pub(super) const HEADER_LEN: usize = 16;
/// Bytes of the largest message that is read. The largest step, 17 texts of 16 KiB, is above it
/// on purpose: nobody needs it.
pub(super) const MESSAGE_CAP: usize = 256 * 1024;

/// Where a call goes.
#[derive(Clone, Copy)]
pub(super) struct Target<'a> {
    pub(super) destination: &'a str,
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
}

/// A method call, ready for the wire.
pub(super) fn call<B>(
    target: Target<'_>,
    member: &str,
    serial: NonZeroU32,
    body: &B,
) -> Result<Message, Failure>
where
    B: Serialize + DynamicType,
{
    Message::method_call(target.path, member)
        .destination(target.destination)
        .interface(target.interface)
        .serial(serial)
        .build(body)
        // Nothing from outside but argument strings goes in, and PAM's strings hold no NUL.
        .map_err(|_| Failure::Malformed("the call cannot be encoded"))
}

/// The length of the whole message that starts with `header`, where it is one that we read.
///
/// Checked before anything is allocated for it: zbus would take 128 MiB.
pub(super) fn whole_len(header: &[u8; HEADER_LEN]) -> Result<usize, Failure> {
    let word = |at: usize| {
        let bytes = [header[at], header[at + 1], header[at + 2], header[at + 3]];
        if header[0] == b'B' { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    if !matches!(header[0], b'l' | b'B') {
        return Err(Failure::Malformed("not a D-Bus message"));
    }
    // u64: two lengths of up to 4 GiB must not wrap around.
    let fields = u64::from(word(12)).next_multiple_of(8);
    let len = HEADER_LEN as u64 + fields + u64::from(word(4));
    usize::try_from(len)
        .ok()
        .filter(|&len| len <= MESSAGE_CAP)
        .ok_or(Failure::Malformed("a message is too large"))
}

/// Reads one whole message.
pub(super) fn parse(mut bytes: Vec<u8>) -> Result<Message, Failure> {
    let mut no_descriptors = Vec::new();
    let mut source = Complete;
    let future = pin!(source.receive_message(0, &mut bytes, &mut no_descriptors));
    // All bytes are there, so the future never waits.
    match future.poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(Ok(message)) => Ok(message),
        Poll::Ready(Err(_)) | Poll::Pending => Err(Failure::Malformed("a message cannot be read")),
    }
}

/// The read half of a socket whose message has already come whole.
#[derive(Debug)]
struct Complete;

#[async_trait]
impl ReadHalf for Complete {
    async fn recvmsg(&mut self, _: &mut [u8]) -> io::Result<(usize, Vec<OwnedFd>)> {
        Err(io::ErrorKind::UnexpectedEof.into())
    }
}

/// The body, where its signature is exactly that of `T` and nothing follows it.
pub(super) fn body<T>(message: &Message) -> Result<T, Failure>
where
    T: for<'d> DynamicDeserialize<'d>,
{
    let body = message.body();
    let read: zbus::Result<(T, usize)> = body.data().deserialize_for_dynamic_signature(body.signature());
    match read {
        Ok((value, used)) if used == body.len() => Ok(value),
        _ => Err(Failure::Malformed("a reply has another signature")),
    }
}

/// Whether `message` answers the call with this serial.
pub(super) fn answers(message: &Message, serial: NonZeroU32) -> bool {
    matches!(message.message_type(), Type::MethodReturn | Type::Error)
        && message.header().reply_serial() == Some(serial)
}

/// The sender that the bus wrote into a message.
pub(super) fn sender(message: &Message) -> Option<String> {
    message.header().sender().map(ToString::to_string)
}

/// Turns an error reply into a failure.
pub(super) fn accept(message: Message) -> Result<Message, Failure> {
    if message.message_type() != Type::Error {
        return Ok(message);
    }
    let header = message.header();
    let name = header.error_name().map(ToString::to_string).unwrap_or_default();
    let from_bus = header.sender().is_some_and(|sender| sender.as_str() == DRIVER);
    Err(Failure::Error { name, from_bus })
}
