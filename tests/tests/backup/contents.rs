//! What lies in a state directory while no daemon runs, read by SQLite and judged by nobody.

use countersign_daemon::seal::{Sealer, recovery_row, totp_row};
use countersign_tests::scratch::Scratch;
use countersign_tests::{Daemon, Secret};
use rusqlite::Connection;
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use super::{found_in, spellings};

/// What decides who gets in: one line for each row, in order.
const DECIDES: &[&str] = &[
    "SELECT 'person', uid, name FROM person",
    "SELECT 'app', uid, name, hex(serial), digits, period FROM totp",
    "SELECT 'set', uid, hex(salt), scratch FROM recovery_set",
    "SELECT 'code', uid, number, hex(hash), used_at IS NOT NULL FROM recovery_code",
    "SELECT 'gone', hex(serial) FROM gone",
    "SELECT 'override', uid, name, kind FROM override",
    "SELECT 'failures', subject, lane, failures FROM tally",
    "SELECT 'address', uid, address FROM address",
    "SELECT 'grace', uid, until FROM grace",
    "SELECT 'invited', uid FROM invitation",
    "SELECT 'under way', id FROM login WHERE token IS NOT NULL",
];
/// What tells of it.
const TELLS: &[&str] = &[
    "SELECT 'notice', uid, kind, detail FROM notice",
    "SELECT 'act', verb, actor, reason FROM act",
    "SELECT 'chain', acts, broken FROM chain",
];

/// A state directory at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Contents {
    /// Who gets in, and by what.
    pub(super) decides: Vec<String>,
    /// Notices and acts.
    pub(super) tells: Vec<String>,
    /// The highest step that each authenticator has used, by its serial.
    pub(super) marks: BTreeMap<Vec<u8>, i64>,
    /// Which of the keys in the key file open what is sealed, the present one first; one line for each secret.
    pub(super) opens: Vec<Vec<bool>>,
}

impl Contents {
    /// Of a daemon that does not run; `None` where there is no database.
    pub(super) fn of(daemon: &Daemon) -> Option<Self> {
        if !daemon.database().exists() {
            return None;
        }
        // A copy: SQLite would fold the write-ahead log into the database and remove it.
        let copy = Scratch::new("contents");
        for name in ["countersign.db", "countersign.db-wal"] {
            let from = daemon.state().join(name);
            if from.exists() {
                fs::copy(from, copy.join(name)).expect("copy the state");
            }
        }
        let db = Connection::open(copy.join("countersign.db")).expect("a database");
        let whole: String = db.query_row("PRAGMA integrity_check", [], |r| r.get(0)).expect("a database");
        assert_eq!(whole, "ok");
        let mut marks = db.prepare("SELECT serial, last_step FROM totp").expect("our own schema");
        let marks = marks.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).expect("rows");
        Some(Self {
            decides: lines(&db, DECIDES),
            tells: lines(&db, TELLS),
            marks: marks.map(|row| row.expect("a row")).collect(),
            opens: opened(&db, daemon),
        })
    }
}

fn lines(db: &Connection, queries: &[&str]) -> Vec<String> {
    let mut all = Vec::new();
    for query in queries {
        let mut statement = db.prepare(query).expect("our own schema");
        let columns = statement.column_count();
        let mut rows = statement.query([]).expect("our own schema");
        while let Some(row) = rows.next().expect("a row") {
            let values = (0..columns).map(|i| format!("{:?}", row.get_ref(i).expect("a column")));
            all.push(values.collect::<Vec<_>>().join(" "));
        }
    }
    all.sort();
    all
}

/// The keys of the key file, the present one first.
fn sealers(daemon: &Daemon) -> Vec<Sealer> {
    let text = fs::read_to_string(daemon.key_file()).expect("the key file");
    let value = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    let instance = unhex(value("instance ").expect("an instance"));
    let keys = [value("key "), value("previous ")].into_iter().flatten();
    keys.map(|key| Sealer::derive(&unhex(key), instance).expect("derives")).collect()
}

fn unhex<const N: usize>(text: &str) -> [u8; N] {
    let byte = |i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).expect("hex");
    std::array::from_fn(byte)
}

fn opened(db: &Connection, daemon: &Daemon) -> Vec<Vec<bool>> {
    let keys = sealers(daemon);
    let by_each = |context: String, sealed: Vec<u8>| -> Vec<bool> {
        keys.iter().map(|key| key.open(&context, &sealed).is_ok()).collect()
    };
    let mut all = Vec::new();
    let mut apps = db.prepare("SELECT uid, secret FROM totp").expect("our own schema");
    let rows = apps.query_map([], |r| Ok((r.get::<_, u32>(0)?, r.get::<_, Vec<u8>>(1)?)));
    all.extend(rows.expect("rows").map(|row| row.expect("a row")).map(|(uid, s)| by_each(totp_row(uid), s)));
    let mut codes = db
        .prepare("SELECT uid, number, sealed FROM recovery_code WHERE sealed IS NOT NULL")
        .expect("our own schema");
    let rows = codes.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get::<_, Vec<u8>>(2)?)));
    let rows = rows.expect("rows").map(|row| row.expect("a row"));
    all.extend(rows.map(|(uid, number, sealed)| by_each(recovery_row(uid, number), sealed)));
    all
}

/// The files of a stopped daemon, to be put back again and again.
pub(super) struct Before(Scratch);

impl Before {
    /// Takes them as they are: the state directory, and the key file's folder.
    pub(super) fn of(daemon: &Daemon) -> Self {
        let before = Self(Scratch::new("before"));
        copy(daemon.state(), before.0.path());
        copy(daemon.key_file().parent().expect("a folder"), before.0.path());
        before
    }

    /// Puts them back; what came since is gone.
    pub(super) fn put_back(&self, daemon: &Daemon) {
        for folder in [daemon.state(), daemon.key_file().parent().expect("a folder")] {
            fs::remove_dir_all(folder).expect("our own folder");
            let name = folder.file_name().expect("a name");
            copy(&self.0.path().join(name), folder.parent().expect("a folder"));
        }
    }
}

fn copy(from: &Path, into: &Path) {
    let done = Command::new("cp").arg("-a").arg(from).arg(into).status();
    assert!(done.is_ok_and(|status| status.success()), "cp -a {}", from.display());
}

/// No file in there holds a secret of this app, in any spelling.
pub(super) fn assert_nothing_in_the_clear(folder: &Path, app: &Secret, what: &str) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let bytes = fs::read(entry.path()).unwrap_or_default();
        assert_eq!(found_in(&bytes, &spellings(app)), None, "{what}: in {}", entry.path().display());
    }
}
