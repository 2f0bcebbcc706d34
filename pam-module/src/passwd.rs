//! The uid of the daemon's account, from `/etc/passwd` itself.
//!
//! No NSS: it would load libraries into the host, read files and environment variables, and ask
//! the network who may answer for the local second factor.

use std::{
    fs::{File, OpenOptions},
    io::{self, BufRead, BufReader, Read},
    os::unix::fs::OpenOptionsExt,
};

const PASSWD: &str = "/etc/passwd";
/// Longest line that is read. A longer one is a file that we do not understand.
const LINE_CAP: u64 = 16 * 1024;

/// Why the account is not known. Every case is for the administrator.
#[derive(Debug)]
pub(crate) enum PasswdError {
    /// The file cannot be read.
    Unreadable(io::Error),
    /// The account is not there.
    Missing,
    /// The account is there more than once.
    Duplicate,
    /// The account's uid is 0 or no number.
    BadUid,
}

impl std::fmt::Display for PasswdError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable(error) => write!(f, "cannot read {PASSWD}: {error}"),
            Self::Missing => write!(f, "the daemon's account is not in {PASSWD}"),
            Self::Duplicate => write!(f, "the daemon's account is in {PASSWD} more than once"),
            Self::BadUid => write!(f, "the daemon's account in {PASSWD} has no usable uid"),
        }
    }
}

/// The uid of the account `name`, which may be neither 0 nor ambiguous.
pub(crate) fn uid_of(name: &str) -> Result<u32, PasswdError> {
    uid_in(open().map_err(PasswdError::Unreadable)?, name)
}

fn open() -> io::Result<File> {
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_CLOEXEC | libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(PASSWD)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a regular file")) }
}

fn uid_in(source: impl Read, name: &str) -> Result<u32, PasswdError> {
    let mut lines = BufReader::with_capacity(64 * 1024, source);
    let mut found = None;
    let mut line = Vec::with_capacity(256);
    loop {
        line.clear();
        let read =
            (&mut lines).take(LINE_CAP).read_until(b'\n', &mut line).map_err(PasswdError::Unreadable)?;
        if read == 0 {
            return found.ok_or(PasswdError::Missing);
        }
        let whole = line.pop_if(|last| *last == b'\n').is_some();
        if !whole && read as u64 == LINE_CAP {
            return Err(PasswdError::Unreadable(io::Error::other("a line is too long")));
        }
        let mut fields = line.split(|&byte| byte == b':');
        if fields.next() != Some(name.as_bytes()) {
            continue;
        }
        if found.is_some() {
            return Err(PasswdError::Duplicate);
        }
        found = Some(uid_field(fields.nth(1)).ok_or(PasswdError::BadUid)?);
    }
}

/// Digits only: `str::parse` would take a sign. 4294967295 is "no uid" (`(uid_t) -1`).
fn uid_field(field: Option<&[u8]>) -> Option<u32> {
    let digits = std::str::from_utf8(field?).ok()?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse().ok().filter(|&uid| uid != 0 && uid != u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(file: &str) -> Result<u32, PasswdError> {
        uid_in(file.as_bytes(), "countersign")
    }

    #[test]
    fn the_account_is_found() {
        let file =
            "root:x:0:0::/:\ncountersignx:x:7:7::/:\n#countersign:x:8:8\ncountersign:x:997:997::/:/bin/false";
        assert!(matches!(read(file), Ok(997)));
    }

    #[test]
    fn doubtful_files_name_nobody() {
        assert!(matches!(read("root:x:0:0::/:\n"), Err(PasswdError::Missing)));
        assert!(matches!(read("countersign:x:0:0::/:\n"), Err(PasswdError::BadUid)));
        for uid in ["", "+5", "-1", "4294967295", "4294967296", "5 ", "0x5"] {
            assert!(
                matches!(read(&format!("countersign:x:{uid}:0::/:\n")), Err(PasswdError::BadUid)),
                "{uid}"
            );
        }
        assert!(matches!(read("countersign:x\n"), Err(PasswdError::BadUid)));
        assert!(matches!(read("countersign:x:5:5\ncountersign:x:5:5\n"), Err(PasswdError::Duplicate)));
        assert!(matches!(read(&"x".repeat(20_000)), Err(PasswdError::Unreadable(_))));
    }
}
