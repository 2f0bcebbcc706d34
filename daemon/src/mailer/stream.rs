//! The stream that lettre speaks SMTP over, opened and encrypted by us.

use super::bounded::Bounded;
use lettre::transport::smtp::client::AsyncTokioStream;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

/// A connection to a mail server.
#[derive(Debug)]
pub(super) struct Stream {
    line: Line,
    peer: SocketAddr,
    /// What the server said before encryption and lettre expects to hear: its greeting.
    replay: Vec<u8>,
}

/// What the bytes travel through.
#[derive(Debug)]
pub(super) enum Line {
    /// In clear, to this very host.
    Plain(Bounded),
    /// Encrypted.
    Tls(Box<TlsStream<Bounded>>),
}

impl Stream {
    /// A stream that says `greeting` before what the server says.
    pub(super) fn new(line: Line, peer: SocketAddr, greeting: Vec<u8>) -> Self {
        Self { line, peer, replay: greeting }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        out: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.replay.is_empty() {
            let part = self.replay.len().min(out.remaining());
            out.put_slice(&self.replay.drain(..part).collect::<Vec<_>>());
            return Poll::Ready(Ok(()));
        }
        match &mut self.line {
            Line::Plain(s) => Pin::new(s).poll_read(cx, out),
            Line::Tls(s) => Pin::new(s.as_mut()).poll_read(cx, out),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        match &mut self.line {
            Line::Plain(s) => Pin::new(s).poll_write(cx, data),
            Line::Tls(s) => Pin::new(s.as_mut()).poll_write(cx, data),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(s) => Pin::new(s).poll_flush(cx),
            Line::Tls(s) => Pin::new(s.as_mut()).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.line {
            Line::Plain(s) => Pin::new(s).poll_shutdown(cx),
            Line::Tls(s) => Pin::new(s.as_mut()).poll_shutdown(cx),
        }
    }
}

impl AsyncTokioStream for Stream {
    fn peer_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.peer)
    }
}
