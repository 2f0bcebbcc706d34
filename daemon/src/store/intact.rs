//! Whether SQLite finds its file whole, without the store's thread: logins go on meanwhile.
//!
//! The file alone is the database of one moment while it is held still (`backup.rs`). A second connection
//! reads it as one that nobody changes, so it takes no lock, reads no log and writes nothing.

use super::files::Layout;
use super::worker::Store;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

/// Steps of SQLite's machine between two looks at the time.
const STEPS: i32 = 10_000;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Intact {
    /// Nothing is wrong.
    Whole,
    /// This is.
    Damaged(String),
    /// It was not looked at to the end, and why.
    Unknown(String),
}

impl Store {
    /// Has SQLite check the database file, for no longer than this. One at a time, and not while a backup is
    /// made: that is the caller's care.
    pub async fn intact(&self, layout: &Layout, patience: Duration) -> Intact {
        let held = match self.hold().await {
            Ok(held) => held,
            Err(e) => return Intact::Unknown(e.text().to_owned()),
        };
        let path = layout.database();
        let until = Instant::now() + patience;
        let checked = tokio::task::spawn_blocking(move || check(&path, until)).await;
        let still = held.piece(0, 0).await;
        match (checked, still) {
            (Ok(found), Ok(_)) => found,
            (Err(e), _) => Intact::Unknown(e.to_string()),
            (Ok(_), Err(e)) => Intact::Unknown(e.text().to_owned()),
        }
    }
}

fn check(path: &Path, until: Instant) -> Intact {
    match look(path, until) {
        Ok(said) if said == "ok" => Intact::Whole,
        Ok(said) => Intact::Damaged(said),
        Err(e) if e.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) => {
            Intact::Unknown("it takes too long".into())
        }
        Err(e)
            if matches!(
                e.sqlite_error_code(),
                Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
            ) =>
        {
            Intact::Damaged(e.to_string())
        }
        Err(e) => Intact::Unknown(e.to_string()),
    }
}

fn look(path: &Path, until: Instant) -> rusqlite::Result<String> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
        | OpenFlags::SQLITE_OPEN_URI
        | OpenFlags::SQLITE_OPEN_NO_MUTEX
        | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let mut db = Connection::open_with_flags(uri(path), flags)?;
    db.pragma_update(None, "trusted_schema", "OFF")?;
    db.progress_handler(STEPS, Some(move || Instant::now() > until))?;
    db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))
}

/// A path as SQLite takes it where there is more to say.
fn uri(path: &Path) -> String {
    let mut uri = String::from("file:");
    for byte in path.as_os_str().as_encoded_bytes() {
        let plain = byte.is_ascii_alphanumeric() || b"/.-_".contains(byte);
        if plain {
            uri.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02x}");
        }
    }
    uri + "?immutable=1"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_path_whatever_is_in_it() {
        assert_eq!(uri(Path::new("/var/lib/a b?c#d%")), "file:/var/lib/a%20b%3fc%23d%25?immutable=1");
    }
}
