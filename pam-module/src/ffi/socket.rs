//! Two socket calls that std does not offer.

use std::{
    ffi::{c_char, c_int},
    io,
    mem::{offset_of, size_of},
    os::{
        fd::{AsRawFd, FromRawFd, OwnedFd},
        unix::net::UnixStream,
    },
    time::Duration,
};

use crate::bus::Address;

/// Connects within `timeout`. A full backlog blocks `connect(2)`, and only a send timeout set
/// before it bounds that (unix(7)); `WouldBlock` is the timeout.
pub(crate) fn connect(address: &Address, timeout: Duration) -> io::Result<UnixStream> {
    let (name, len) = socket_name(address)?;
    // SAFETY: socket(2) takes numbers and gives a number.
    let fd = cvt(unsafe { libc::socket(libc::AF_UNIX, libc::SOCK_STREAM | libc::SOCK_CLOEXEC, 0) })?;
    // SAFETY: `fd` is fresh from the kernel and nobody else's.
    let stream = UnixStream::from(unsafe { OwnedFd::from_raw_fd(fd) });
    stream.set_write_timeout(Some(timeout))?;
    loop {
        // SAFETY: `name` outlives the call and `len` bytes of it are initialized.
        let result = cvt(unsafe { libc::connect(fd, (&raw const name).cast(), len) });
        match result {
            Ok(_) => return Ok(stream),
            // An interrupted connect(2) of a Unix socket has not begun, unlike that of TCP.
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Writes, and gives EPIPE for a closed peer: `write(2)` would raise SIGPIPE, which ends a host
/// that has not ignored it.
pub(crate) fn send(stream: &UnixStream, bytes: &[u8]) -> io::Result<usize> {
    // SAFETY: the kernel reads `bytes.len()` bytes that are there, of an open descriptor.
    let sent =
        unsafe { libc::send(stream.as_raw_fd(), bytes.as_ptr().cast(), bytes.len(), libc::MSG_NOSIGNAL) };
    usize::try_from(sent).map_err(|_| io::Error::last_os_error())
}

/// `sockaddr_un` and its length, as unix(7) has them.
fn socket_name(address: &Address) -> io::Result<(libc::sockaddr_un, libc::socklen_t)> {
    let mut name = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    // A path ends with a NUL, an abstract name begins with one; both are there already.
    let (at, bytes) = match address {
        Address::Path(path) => (0, path.as_bytes()),
        Address::Abstract(abstract_name) => (1, abstract_name.as_bytes()),
    };
    let used = at + bytes.len();
    if used >= name.sun_path.len() + at {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    for (to, from) in name.sun_path[at..].iter_mut().zip(bytes) {
        *to = *from as c_char;
    }
    let len = match address {
        Address::Path(_) => size_of::<libc::sockaddr_un>(),
        Address::Abstract(_) => offset_of!(libc::sockaddr_un, sun_path) + used,
    };
    Ok((name, len as libc::socklen_t))
}

fn cvt(result: c_int) -> io::Result<c_int> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}
