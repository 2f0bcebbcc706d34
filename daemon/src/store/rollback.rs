//! A database that went back in time: a copy from an older backup, or an older snapshot.
//!
//! The generation in the database tells, except where a newer write-ahead log still lies beside an
//! older file: SQLite takes what changed last from the log, the generation too, and everything else
//! from the file, where codes that were used meanwhile are unused. So the file is also looked at
//! alone. It may be behind the log, but never behind where it was when a log was last folded in,
//! and never another installation's.

use super::files::Layout;
use super::instance::Instance;
use crate::error::Error;
use crate::random;
use rusqlite::{Connection, OpenFlags};
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

/// Refuses a database file that is older than the write-ahead log beside it can mend, or not ours.
///
/// # Errors
/// When it is.
pub(super) fn refuse_older_file(layout: &Layout, instance: &Instance) -> Result<(), Error> {
    let path = layout.database();
    match read_alone(&path) {
        Ok((id, _)) if id != random::hex(&instance.id) => Err(foreign(layout)),
        Ok((_, alone)) if alone < instance.settled => Err(refusal(&path, alone, instance.settled)),
        // A power cut while the log was folded in can leave a file that is not readable alone. The
        // log mends it, and what else may be wrong shows when both are opened together.
        Ok(_) | Err(_) => Ok(()),
    }
}

/// What to say of a database of this generation where a later one was seen.
pub(super) fn refusal(database: &Path, generation: i64, seen: i64) -> Error {
    Error::unavailable(format!(
        "{} was rolled back (generation {generation}, the instance file saw {seen}): codes used since would work again. Put the newer database back; where it is lost, see `countersignd --help` for --accept-older",
        database.display()
    ))
}

/// What to say of a database that the instance file does not vouch for.
pub(super) fn foreign(layout: &Layout) -> Error {
    Error::unavailable(format!(
        "{} belongs to another installation than {}; restore both from the same backup",
        layout.database().display(),
        layout.instance().display()
    ))
}

/// Instance and generation in the file itself: `immutable` makes SQLite ignore the log.
pub(super) fn read_alone(path: &Path) -> rusqlite::Result<(String, i64)> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(format!("file:{}?immutable=1", uri_path(path)), flags)?;
    db.query_row("SELECT instance, generation FROM meta WHERE id = 1", [], |r| Ok((r.get(0)?, r.get(1)?)))
}

pub(super) fn uri_path(path: &Path) -> String {
    let mut out = String::new();
    for byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._".contains(byte) {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_data_in_a_uri_too() {
        assert_eq!(uri_path(Path::new("/var/lib/a?b#c%d e/x.db")), "/var/lib/a%3Fb%23c%25d%20e/x.db");
    }
}
