//! The shape of the database, its creation, and the checks before it is used.
//!
//! Migrations are an ordered list: the schema version is the number of migrations applied. One that
//! was released is closed and never edited.

use super::files::{self, Layout};
use super::instance::{self, Instance};
use super::{ends, rollback};
use crate::error::Error;
use crate::random;
use crate::seal::{INSTANCE_BYTES, Keys, MASTER_BYTES};
use nix::fcntl::OFlag;
use nix::unistd::{Gid, Uid, User, fchown, geteuid};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// "CSGN": what `file` and we tell our databases by.
const APPLICATION_ID: i32 = 0x4353_474e;

/// How long another program may hold the database while we open it. Logins wait meanwhile.
const BUSY: Duration = Duration::from_secs(1);

const MIGRATIONS: &[&str] = &[include_str!("migrations/0001_first.sql")];

/// Creates state directory, key, instance file and database, once.
///
/// Refuses when any of them exists: an empty database in the place of a lost one would mean that
/// nobody has a second factor.
///
/// # Errors
/// When something exists already or cannot be written.
pub fn init(layout: &Layout, now: i64) -> Result<(), Error> {
    let ours = [layout.database(), layout.instance(), layout.key.clone()];
    // The directory may be the daemon's already: root must not write through a link planted in it.
    for path in ours.into_iter().chain(layout.beside_database()) {
        if path.symlink_metadata().is_ok() {
            return Err(Error::InvalidArgument(format!(
                "{} exists already: this host is initialised. To start anew, move the state directory and the key file away first; every enrollment is lost with them",
                path.display()
            )));
        }
    }
    let owner = create_state_dir(&layout.state)?;
    let id: [u8; INSTANCE_BYTES] = random::bytes()?;
    let key = zeroize::Zeroizing::new(random::bytes::<MASTER_BYTES>()?);
    create_database(layout, &id, &Keys::derive(&key, id)?, now)?;
    give(&layout.database(), owner)?;
    write_new(&layout.instance(), instance::text(&id, 0, 0).as_bytes(), 0o600, Some(owner))?;
    // The key comes last: with it missing nothing starts, so a half-done init is never used.
    let key_owner = if geteuid().is_root() { (Uid::from_raw(0), owner.1) } else { owner };
    let mode = if key_owner.0 == owner.0 { 0o600 } else { 0o640 };
    write_new(&layout.key, files::key_text(&id, &key).as_bytes(), mode, Some(key_owner))
}

/// Creates the state directory if need be; tells whose its files shall be.
pub(super) fn create_state_dir(path: &Path) -> Result<(Uid, Gid), Error> {
    if let Ok(meta) = path.symlink_metadata() {
        if !meta.is_dir() {
            return Err(Error::unavailable(format!("{} is not a directory", path.display())));
        }
        let dir = OpenOptions::new()
            .read(true)
            .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_DIRECTORY).bits())
            .open(path)?;
        nix::sys::stat::fchmod(&dir, nix::sys::stat::Mode::S_IRWXU)
            .map_err(|e| Error::unavailable(format!("{} cannot be closed to others: {e}", path.display())))?;
        return Ok((Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid())));
    }
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(path)
        .map_err(|e| Error::unavailable(format!("{} cannot be created: {e}", path.display())))?;
    let daemon = if geteuid().is_root() {
        User::from_name(countersign_protocol::names::DAEMON_USER).ok().flatten()
    } else {
        None
    };
    let owner = daemon.map_or((geteuid(), nix::unistd::getegid()), |u| (u.uid, u.gid));
    give(path, owner)?;
    Ok(owner)
}

fn give(path: &Path, owner: (Uid, Gid)) -> Result<(), Error> {
    let file = OpenOptions::new().read(true).custom_flags(OFlag::O_NOFOLLOW.bits()).open(path)?;
    fchown(&file, Some(owner.0), Some(owner.1)).map_err(|e| {
        Error::unavailable(format!("{} cannot be given to uid {}: {e}", path.display(), owner.0))
    })
}

pub(super) fn write_new(
    path: &Path,
    content: &[u8],
    mode: u32,
    owner: Option<(Uid, Gid)>,
) -> Result<(), Error> {
    let unwritable =
        |e: &dyn std::fmt::Display| Error::unavailable(format!("{} cannot be written: {e}", path.display()));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .custom_flags(OFlag::O_NOFOLLOW.bits())
        .open(path)
        .map_err(|e| unwritable(&e))?;
    if let Some((uid, gid)) = owner {
        fchown(&file, Some(uid), Some(gid)).map_err(|e| unwritable(&e))?;
    }
    nix::sys::stat::fchmod(&file, nix::sys::stat::Mode::from_bits_truncate(mode))
        .map_err(|e| unwritable(&e))?;
    file.write_all(content).and_then(|()| file.sync_all()).map_err(|e| unwritable(&e))
}

fn create_database(layout: &Layout, id: &[u8; INSTANCE_BYTES], keys: &Keys, now: i64) -> Result<(), Error> {
    write_new(&layout.database(), b"", 0o600, None)?;
    let mut db = Connection::open_with_flags(
        layout.database(),
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    let tx = db.transaction()?;
    for migration in MIGRATIONS {
        tx.execute_batch(migration)?;
    }
    tx.execute(
        "INSERT INTO meta (id, instance, generation, created, sealed_by) VALUES (1, ?1, 0, ?2, ?3)",
        (random::hex(id), now, keys.fingerprint()),
    )?;
    ends::create(&tx, &keys.chain_key())?;
    tx.pragma_update(None, "application_id", APPLICATION_ID)?;
    tx.pragma_update(None, "user_version", latest())?;
    tx.commit()?;
    // Closing checkpoints and removes the write-ahead log: one file is left.
    db.close().map_err(|(_, e)| e.into())
}

/// The version of the schema that this program writes and reads.
pub(super) fn latest() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Opens the database and proves that it is ours, whole, of this version, of this instance and not
/// behind it. Never creates anything. Gives the connection and its generation.
pub(super) fn open(layout: &Layout, instance: &Instance) -> Result<(Connection, i64), Error> {
    let path = layout.database();
    drop(files::open_own(&path, true)?);
    for beside in layout.beside_database().iter().filter(|p| p.symlink_metadata().is_ok()) {
        drop(files::open_own(beside, true)?);
    }
    rollback::refuse_older_file(layout, instance)?;
    let db = connect(&path).map_err(|e| unusable(&path, &e))?;
    check_shape(&db, &path)?;
    let generation = check_origin(&db, layout, instance)?;
    Ok((db, generation))
}

fn connect(path: &Path) -> rusqlite::Result<Connection> {
    let db = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    db.busy_timeout(BUSY)?;
    // Exclusive: a second daemon, or a shell on the database, is refused while we run; and the
    // index of the write-ahead log stays in our own memory.
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "trusted_schema", "OFF")?;
    db.pragma_update(None, "secure_delete", "ON")?;
    db.pragma_update(None, "foreign_keys", "ON")?;
    // Our own trigger lies in the temporary database, which needs no disk.
    db.pragma_update(None, "temp_store", "MEMORY")?;
    db.pragma_update(None, "cache_size", -1024)?;
    // A prepared statement keeps its plan whatever is bound to it; SQLite would plan joins anew for
    // each answer.
    db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    db.set_prepared_statement_cache_capacity(64);
    Ok(db)
}

/// Ours, of this version, and whole.
fn check_shape(db: &Connection, path: &Path) -> Result<(), Error> {
    let shown = path.display();
    let refuse = |why: String| Err(Error::unavailable(format!("{shown} {why}")));
    let unusable = |e| unusable(path, &e);
    let application: i32 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(unusable)?;
    if application != APPLICATION_ID {
        return refuse("is not a countersign database; restore it from your backup".into());
    }
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(unusable)?;
    if version != latest() {
        return refuse(format!(
            "has schema version {version}, this countersignd knows {}; install the countersign version that wrote it",
            latest()
        ));
    }
    if let Some(what) = foreign_part(db).map_err(unusable)? {
        return refuse(format!(
            "is not made as this countersignd makes it ({what}): somebody has changed it; restore it from your backup"
        ));
    }
    let mode: String = db.query_row("PRAGMA journal_mode=WAL", [], |r| r.get(0)).map_err(unusable)?;
    if mode != "wal" {
        return refuse(format!("cannot be switched to write-ahead logging (it says {mode})"));
    }
    let health: String = db.query_row("PRAGMA quick_check(1)", [], |r| r.get(0)).map_err(unusable)?;
    if health != "ok" {
        let health = health.replace('\n', " ");
        return refuse(format!("is damaged ({health}); restore it from your backup"));
    }
    Ok(())
}

/// What a database is made of: type, name and text of everything that is in it.
fn parts(db: &Connection) -> rusqlite::Result<BTreeSet<(String, String, Option<String>)>> {
    // Tables and indexes of SQLite's own have such names; triggers and views have not.
    db.prepare(
        "SELECT type, name, sql FROM sqlite_schema
         WHERE type NOT IN ('table', 'index') OR name NOT LIKE 'sqlite\\_%' ESCAPE '\\'",
    )?
    .query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?
    .collect()
}

/// The first part that a database has more, has less or has otherwise than this program makes it.
fn foreign_part(db: &Connection) -> rusqlite::Result<Option<String>> {
    let own = Connection::open_in_memory()?;
    for migration in MIGRATIONS {
        own.execute_batch(migration)?;
    }
    let (theirs, ours) = (parts(db)?, parts(&own)?);
    let odd = theirs.symmetric_difference(&ours).next();
    // A name is whatever somebody wrote there.
    Ok(odd.map(|(kind, name, _)| {
        let name: String = name.chars().take(64).collect();
        format!("the {} {name:?}", if kind.is_ascii() { kind.as_str() } else { "part" })
    }))
}

/// Refuses a database that somebody handed in and that is not made as this program makes them.
///
/// # Errors
/// What is wrong with it, as the middle of a sentence.
pub(super) fn refuse_foreign_shape(db: &Connection) -> Result<(), String> {
    let broken = |e: rusqlite::Error| format!("the database in it is damaged ({e})");
    let application: i32 = db.query_row("PRAGMA application_id", [], |r| r.get(0)).map_err(broken)?;
    if application != APPLICATION_ID {
        return Err("there is no countersign database in it".into());
    }
    let version: i64 = db.query_row("PRAGMA user_version", [], |r| r.get(0)).map_err(broken)?;
    if version != latest() {
        return Err(format!(
            "it has schema version {version}, and this countersignd knows {}: install the countersign version that wrote it",
            latest()
        ));
    }
    match foreign_part(db).map_err(broken)? {
        None => Ok(()),
        Some(_) => {
            Err("its database is not made like ours: there are other tables, views or triggers in it".into())
        }
    }
}

/// Of this installation, and not behind what its instance file saw. Gives the generation.
fn check_origin(db: &Connection, layout: &Layout, instance: &Instance) -> Result<i64, Error> {
    let path = layout.database();
    let (id, generation): (String, i64) = db
        .query_row("SELECT instance, generation FROM meta WHERE id = 1", [], |r| Ok((r.get(0)?, r.get(1)?)))
        .map_err(|e| unusable(&path, &e))?;
    if id != random::hex(&instance.id) {
        return Err(rollback::foreign(layout));
    }
    if generation < instance.generation {
        return Err(rollback::refusal(&path, generation, instance.generation));
    }
    Ok(generation)
}

/// Folds the write-ahead log into the database file.
///
/// # Errors
/// When it cannot be done now; everything is still in the log then.
pub(super) fn fold_log(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))
}

/// A database that SQLite refuses, and who can do what about it.
fn unusable(path: &Path, e: &rusqlite::Error) -> Error {
    let shown = path.display();
    Error::unavailable(match e.sqlite_error_code() {
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("{shown} is in use by another program ({e}); end that program")
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            format!("{shown} is damaged ({e}); restore it from your backup")
        }
        _ => format!("{shown} cannot be used ({e}); is the disk full, read-only or failing?"),
    })
}
