//! Opening a file of somebody who may have prepared it.
//!
//! A file in a home is opened by a process that is its owner and nobody else: whatever the path leads
//! to, no more is read than the owner could read anyway. That process is this program again, with the
//! hidden verb `read-own`; it tells what it found by its first line.

use std::fs::{File, Metadata};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use zeroize::Zeroizing;

use super::homes::Account;
use crate::errors::Failure;
use crate::text;

/// Bytes of a file in a home.
const LARGEST_IN_HOME: u64 = 64 * 1024;
/// Bytes of a file that an administrator names.
pub(super) const LARGEST_NAMED: u64 = 4 * 1024 * 1024;
/// How long a home may keep us waiting; it may lie on a server that is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// The first line of `read-own` before what was read.
const READ: &str = "read";

/// A file that was read.
pub(crate) struct Contents {
    pub(crate) bytes: Zeroizing<Vec<u8>>,
    /// When it was last written, in seconds since 1970.
    pub(crate) modified: i64,
}

/// Why a file was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unread {
    Absent,
    Link,
    Linked,
    Special,
    Foreign,
    Open,
    Large,
    Denied,
    Silent,
    /// The system said this.
    Error(i32),
}

/// The word that crosses the pipe, and the sentence that people read.
const UNREAD: &[(Unread, &str, &str)] = &[
    (Unread::Absent, "absent", text::FILE_ABSENT),
    (Unread::Link, "link", text::FILE_LINK),
    (Unread::Linked, "linked", text::FILE_LINKED),
    (Unread::Special, "special", text::FILE_SPECIAL),
    (Unread::Foreign, "foreign", text::FILE_FOREIGN),
    (Unread::Open, "open", text::FILE_OPEN),
    (Unread::Large, "large", text::FILE_LARGE),
    (Unread::Denied, "denied", text::FILE_DENIED),
    (Unread::Silent, "silent", text::FILE_SILENT),
];

impl Unread {
    pub(crate) fn sentence(self) -> String {
        match (self, UNREAD.iter().find(|(one, _, _)| *one == self)) {
            (_, Some((_, _, sentence))) => (*sentence).to_owned(),
            (Self::Error(code), None) => {
                text::file_error(&std::io::Error::from_raw_os_error(code).to_string())
            }
            (_, None) => text::file_error("unknown"),
        }
    }

    fn word(self) -> String {
        match (self, UNREAD.iter().find(|(one, _, _)| *one == self)) {
            (_, Some((_, word, _))) => (*word).to_owned(),
            (Self::Error(code), None) => format!("error {code}"),
            (_, None) => "error 0".to_owned(),
        }
    }

    fn from_word(word: &str) -> Self {
        match UNREAD.iter().find(|(_, one, _)| *one == word) {
            Some((unread, _, _)) => *unread,
            None => Self::Error(word.strip_prefix("error ").and_then(|code| code.parse().ok()).unwrap_or(0)),
        }
    }
}

impl From<std::io::Error> for Unread {
    fn from(error: std::io::Error) -> Self {
        match error.raw_os_error().map(Errno::from_raw_os_error) {
            Some(Errno::NOENT | Errno::NOTDIR) => Self::Absent,
            Some(Errno::LOOP) => Self::Link,
            // What opening a socket, or a device without a driver, gives.
            Some(Errno::NXIO | Errno::NODEV) => Self::Special,
            Some(Errno::ACCESS | Errno::PERM) => Self::Denied,
            other => Self::Error(other.map_or(0, Errno::raw_os_error)),
        }
    }
}

/// Reads a file of `owner`, or of root: regular, under one name, not reached by a link, and no
/// secret to nobody but its owner.
pub(crate) fn read(path: &Path, owner: u32, largest: u64) -> Result<Contents, Unread> {
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map_err(std::io::Error::from)?;
    let file = File::from(opened);
    let about = file.metadata()?;
    refuse(&about, owner, largest)?;
    let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(about.len()).unwrap_or_default() + 1));
    (&file).take(largest + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > largest {
        return Err(Unread::Large);
    }
    Ok(Contents { bytes, modified: about.mtime() })
}

fn refuse(about: &Metadata, owner: u32, largest: u64) -> Result<(), Unread> {
    if !about.is_file() {
        Err(Unread::Special)
    } else if about.uid() != owner && about.uid() != 0 {
        Err(Unread::Foreign)
    } else if about.nlink() != 1 {
        Err(Unread::Linked)
    } else if about.mode() & 0o077 != 0 {
        Err(Unread::Open)
    } else if about.len() > largest {
        Err(Unread::Large)
    } else {
        Ok(())
    }
}

/// The hidden verb: prints a file of whoever runs it.
pub(crate) fn read_own(path: &Path) -> Result<(), Failure> {
    let read = read(path, rustix::process::geteuid().as_raw(), LARGEST_IN_HOME);
    let (line, bytes) = match read {
        Ok(contents) => (READ.to_owned(), contents.bytes),
        Err(unread) => (unread.word(), Zeroizing::default()),
    };
    let mut out = std::io::stdout().lock();
    let wrote = writeln!(out, "{line}").and_then(|()| out.write_all(&bytes)).and_then(|()| out.flush());
    wrote.map_err(|error| Failure::failed(error.to_string()))
}

/// Reads a file in somebody's home as that person.
pub(super) fn read_as(account: &Account, path: &Path) -> Result<Zeroizing<Vec<u8>>, Unread> {
    let mut child = reader(account, path).spawn()?;
    let mut out = child.stdout.take().ok_or(Unread::Silent)?;
    let (sender, answer) = mpsc::channel();
    // The thread ends with the child, whose end closes the pipe.
    std::thread::spawn(move || {
        let mut said = Zeroizing::new(Vec::with_capacity(4096));
        let room = LARGEST_IN_HOME + 64;
        let read = Read::by_ref(&mut out).take(room).read_to_end(&mut said);
        drop(sender.send(read.map(|_| said)));
    });
    let said = answer.recv_timeout(PATIENCE);
    end(&mut child, said.is_ok());
    let said = said.map_err(|_| Unread::Silent)??;
    let line = said.iter().position(|c| *c == b'\n').ok_or(Unread::Silent)?;
    let word = String::from_utf8_lossy(&said[..line]);
    if word != READ {
        return Err(Unread::from_word(&word));
    }
    Ok(Zeroizing::new(said[line + 1..].to_vec()))
}

/// This very program as `account`, with nothing of ours but the pipe. Its path need not be open to
/// them: the kernel's own link to it is.
fn reader(account: &Account, path: &Path) -> Command {
    let mut command = Command::new("/proc/self/exe");
    command.arg("read-own").arg("--").arg(path).env_clear().current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if rustix::process::geteuid().is_root() {
        // As root, setting the uid drops all supplementary groups too (std::os::unix::process).
        command.uid(account.uid).gid(account.gid);
    }
    command
}

fn end(child: &mut Child, answered: bool) {
    // Both fail only where it has ended already.
    drop(child.kill());
    // What hangs in a dead file system even a kill cannot end at once: then it is not waited for.
    drop(if answered { child.wait().map(Some) } else { child.try_wait() });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_cross_the_pipe_and_come_back() {
        for (unread, _, _) in UNREAD {
            assert_eq!(Unread::from_word(&unread.word()), *unread);
        }
        assert_eq!(Unread::from_word(&Unread::Error(5).word()), Unread::Error(5));
        assert_eq!(Unread::from_word("rubbish"), Unread::Error(0));
        assert!(Unread::Error(5).sentence().contains("Input/output"));
    }
}
