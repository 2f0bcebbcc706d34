//! `bus-guest`: a process that connects to a bus as somebody and hands the connection to the test.
//!
//! What a bus and polkit know of a caller they have from the socket: uid, pid, user namespace. So this is how a
//! test speaks as a process that is really there, or no longer.

use nix::sched::{CloneFlags, unshare};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, recvmsg, sendmsg,
};
use std::fs;
use std::io::{self, IoSlice, IoSliceMut, Read as _};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Room for one descriptor beside a message.
const ROOM: usize = rustix::cmsg_space!(ScmRights(1));

/// The process. Dropped, it ends.
#[derive(Debug)]
pub struct BusGuest {
    child: Child,
    /// Closed, it ends by itself.
    _line: UnixStream,
}

impl BusGuest {
    /// A process of this uid; with `is_root` it is uid 0 of a user namespace of its own.
    ///
    /// # Panics
    /// When it cannot connect (root only).
    #[must_use]
    pub fn connect(socket: &Path, uid: u32, is_root: bool) -> (Self, UnixStream) {
        let (line, theirs) = UnixStream::pair().expect("a pair of sockets");
        let child = Command::new(crate::host::built_beside("bus-guest"))
            .arg(socket)
            .args([uid.to_string(), is_root.to_string()])
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .spawn()
            .expect("start bus-guest");
        let stream = receive(&line).expect("bus-guest connects");
        (Self { child, _line: line }, stream)
    }

    /// Its pid.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it; the connection stays, and the pid is free.
    pub fn end(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Drop for BusGuest {
    fn drop(&mut self) {
        self.end();
    }
}

fn receive(line: &UnixStream) -> io::Result<UnixStream> {
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut beside = RecvAncillaryBuffer::new(&mut room);
    let mut byte = [0];
    recvmsg(line, &mut [IoSliceMut::new(&mut byte)], &mut beside, RecvFlags::CMSG_CLOEXEC)?;
    let descriptor = beside.drain().find_map(|message| match message {
        RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
        _ => None,
    });
    Ok(UnixStream::from(descriptor.ok_or(io::ErrorKind::UnexpectedEof)?))
}

/// The whole of `bus-guest SOCKET UID IS-ROOT`; the test's socket is its standard input.
pub fn serve() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [socket, uid, is_root] = words.as_slice() else { panic!("bus-guest SOCKET UID IS-ROOT") };
    let uid: u32 = uid.parse().expect("a uid");
    crate::wire::become_uid(uid);
    // Whoever changed their uid is not the owner of their own /proc otherwise.
    nix::sys::prctl::set_dumpable(true).expect("dumpable");
    if is_root == "true" {
        unshare(CloneFlags::CLONE_NEWUSER).expect("a user namespace");
        for (file, text) in [
            ("setgroups", "deny".to_owned()),
            ("uid_map", format!("0 {uid} 1")),
            ("gid_map", format!("0 {uid} 1")),
        ] {
            fs::write(format!("/proc/self/{file}"), text).unwrap_or_else(|e| panic!("{file}: {e}"));
        }
        assert!(nix::unistd::geteuid().is_root(), "the control: root in here");
    }
    let bus = UnixStream::connect(socket).expect("connect to the bus");
    let mut room = [MaybeUninit::uninit(); ROOM];
    let mut beside = SendAncillaryBuffer::new(&mut room);
    let descriptors = [bus.as_fd()];
    assert!(beside.push(SendAncillaryMessage::ScmRights(&descriptors)), "room for one");
    let stdin = io::stdin();
    sendmsg(stdin.as_fd(), &[IoSlice::new(b"!")], &mut beside, SendFlags::empty()).expect("the test reads");
    drop(bus);
    // Until the test has gone, or has had enough.
    drop(io::stdin().read_to_end(&mut Vec::new()));
}
