//! Putting a database in its place while no daemon runs: a backup where there is none, or the older copy
//! that somebody put there and an administrator accepts.
//!
//! What happened after the copy was made is not known, so it is taken for the worst: codes of now count as
//! used, recovery codes as known, and nobody is exempt.

use super::chain::Chain;
use super::files::{self, KeyFile, Layout, key_text};
use super::instance::{self, Instance};
use super::kept::replace_own;
use super::notice::{self, Kind as Notice};
use super::staged::Staged;
use super::{act, overrides, restore, rollback, schema};
use crate::act::Deed;
use crate::backup::Reader;
use crate::clock::{HighWater, Moment};
use crate::error::Error;
use crate::random;
use crate::seal::{ChainKey, Sealer};
use nix::unistd::{Gid, Uid, geteuid, setgid, setgroups, setuid};
use rusqlite::{Connection, OpenFlags};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Steps ahead of now that a used code may belong to: the widest window.
const AHEAD: i64 = 2;

/// What was put in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Placed {
    /// People with a factor.
    pub people: u32,
    /// Exemptions that did not come back.
    pub exempt: u32,
}

/// Puts a backup where there is no database. The key file is made where there is none.
///
/// # Errors
/// `InvalidArgument` where there is a database, or key, instance and backup do not belong together;
/// `Unavailable` when files cannot be written. Started again it begins anew.
pub fn restore(
    layout: &Layout,
    backup: &Reader,
    keys: &KeyFile,
    keep_codes: bool,
    by: Deed,
    now: Moment,
) -> Result<Placed, Error> {
    refuse_existing(layout)?;
    let sealer = keys.sealers()?.into_iter().find(|key| backup.is_by(key)).ok_or_else(|| {
        Error::InvalidArgument(
            "the backup was made under another key; name the key file of its day with --backup-key".into(),
        )
    })?;
    let owner = schema::create_state_dir(&layout.state)?;
    place_key(layout, keys, &sealer, owner)?;
    become_owner(owner)?;
    let instance = match layout.instance().symlink_metadata() {
        Err(e) if e.kind() == ErrorKind::NotFound => None,
        _ => Some(Instance::open(&layout.instance())?),
    };
    if instance.as_ref().is_some_and(|instance| instance.id != backup.header.instance) {
        return Err(Error::InvalidArgument(format!(
            "{} belongs to another installation than the backup; move it away first",
            layout.instance().display()
        )));
    }
    let seen = instance.as_ref().map_or(0, |instance| instance.generation);
    let staging = open_staging(layout)?;
    backup.verify(&sealer, Some(&staging))?;
    staging.sync_all()?;
    drop(staging);
    Staged::open(&layout.staging())?.is_of(&backup.header)?;
    let generation = seen.max(backup.header.generation) + 1;
    put(layout, &sealer, generation, &Copy { keep_codes, taken: backup.header.taken, by }, now)
}

/// Accepts the older database that lies in the place of the newer one.
///
/// # Errors
/// `InvalidArgument` where it is not older, `Unavailable` for what cannot be read or written.
pub fn accept_older(
    layout: &Layout,
    keys: &KeyFile,
    keep_codes: bool,
    by: Deed,
    now: Moment,
) -> Result<Placed, Error> {
    let meta = std::fs::symlink_metadata(&layout.state)?;
    become_owner((Uid::from_raw(meta.uid()), Gid::from_raw(meta.gid())))?;
    layout.check_state_dir()?;
    let instance = Instance::open(&layout.instance())?;
    let path = layout.database();
    if schema::open(layout, &instance).is_ok() {
        return Err(Error::InvalidArgument(format!(
            "{} is not older than the instance file says; start countersignd",
            path.display()
        )));
    }
    let source = files::open_own(&path, false)?;
    let (id, generation) = rollback::read_alone(&path)?;
    if id != random::hex(&instance.id) || generation > instance.generation {
        return Err(rollback::foreign(layout));
    }
    let mut staging = open_staging(layout)?;
    std::io::copy(&mut &source, &mut staging)?;
    staging.sync_all()?;
    drop(staging);
    let (_, _, sealed_by) = Staged::open(&layout.staging())?.origin()?;
    let sealer = keys.sealers()?.into_iter().find(|key| key.fingerprint() == sealed_by).ok_or_else(|| {
        Error::InvalidArgument(format!("{} is not the key that it is sealed under", layout.key.display()))
    })?;
    let next = instance.generation + 1;
    // Its log belongs to the database that is lost.
    for beside in layout.beside_database() {
        remove(&beside)?;
    }
    put(layout, &sealer, next, &Copy { keep_codes, taken: 0, by }, now)
}

fn refuse_existing(layout: &Layout) -> Result<(), Error> {
    let shown = layout.database().display().to_string();
    let all = std::iter::once(layout.database()).chain(layout.beside_database());
    if all.into_iter().all(|path| path.symlink_metadata().is_err()) {
        return Ok(());
    }
    Err(Error::InvalidArgument(format!(
        "{shown} exists. If countersignd starts with it, bring the backup back with `countersignctl restore FILE`, which keeps what is newer. If it is broken, move it and its -wal file away first"
    )))
}

/// The key comes first: with a key alone nothing starts.
fn place_key(layout: &Layout, keys: &KeyFile, used: &Sealer, owner: (Uid, Gid)) -> Result<(), Error> {
    if layout.key.symlink_metadata().is_ok() {
        let present = files::read_key_file(&layout.key)?;
        return if present.is_present(used)? {
            Ok(())
        } else {
            Err(Error::InvalidArgument(format!(
                "{} holds another key than the backup was made under; move it away first",
                layout.key.display()
            )))
        };
    }
    let key = keys.key_of(used)?;
    let root = geteuid().is_root();
    let key_owner = if root { (Uid::from_raw(0), owner.1) } else { owner };
    let mode = if key_owner.0 == owner.0 { 0o600 } else { 0o640 };
    // By another name first: half a key file would be in the way of the next attempt.
    let mut name = layout.key.clone().into_os_string();
    name.push(".new");
    let new = PathBuf::from(name);
    remove(&new)?;
    schema::write_new(&new, key_text(&keys.instance, key).as_bytes(), mode, Some(key_owner))?;
    std::fs::rename(&new, &layout.key)?;
    layout.key.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()).map_err(Error::from)
}

/// From here on with no more rights than the daemon: what lies in its directory may be its own doing.
fn become_owner(owner: (Uid, Gid)) -> Result<(), Error> {
    if !geteuid().is_root() || owner.0.is_root() {
        return Ok(());
    }
    setgroups(&[])
        .and_then(|()| setgid(owner.1))
        .and_then(|()| setuid(owner.0))
        .map_err(|e| Error::unavailable(format!("the rights of root cannot be given up: {e}")))
}

/// An empty file where the copy is prepared; what an earlier attempt left is gone.
///
/// # Errors
/// When it cannot be made.
pub fn open_staging(layout: &Layout) -> Result<File, Error> {
    clear_staging(layout)?;
    Ok(OpenOptions::new().write(true).create_new(true).mode(0o600).open(layout.staging())?)
}

/// Removes what an earlier attempt left.
///
/// # Errors
/// When it cannot be removed.
pub fn clear_staging(layout: &Layout) -> Result<(), Error> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        let mut name = layout.staging().into_os_string();
        name.push(suffix);
        remove(&PathBuf::from(name))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Error> {
    match std::fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            Err(Error::unavailable(format!("{} cannot be removed: {e}", path.display())))
        }
        _ => Ok(()),
    }
}

/// What is done with a copy.
struct Copy {
    keep_codes: bool,
    /// When it was made, in seconds since 1970; 0 where nobody knows.
    taken: i64,
    /// Who puts it in place.
    by: Deed,
}

/// Makes the staged copy safe and puts it in place. The instance file goes first: with it ahead, an older
/// database is refused, and the whole can be done again.
fn put(layout: &Layout, sealer: &Sealer, generation: i64, copy: &Copy, now: Moment) -> Result<Placed, Error> {
    let staging = layout.staging();
    let mut db = Connection::open_with_flags(
        &staging,
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    db.pragma_update(None, "trusted_schema", "OFF")?;
    db.pragma_update(None, "secure_delete", "ON")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    // One file: nothing lies beside it when it gets its name.
    let mode: String = db.query_row("PRAGMA journal_mode=DELETE", [], |r| r.get(0))?;
    if mode != "delete" {
        return Err(Error::unavailable("the copy cannot be prepared"));
    }
    let (copied, hash_key): (i64, Option<Vec<u8>>) =
        db.query_row("SELECT generation, hash_key FROM meta", [], |r| Ok((r.get(0)?, r.get(1)?)))?;
    let hash_key = match hash_key {
        Some(sealed) => sealer.open_hash_key(&sealed)?,
        None => sealer.usual_hash_key(),
    };
    // The log goes on where the copy ended, and logins that end here are in it.
    let clock = HighWater::default();
    clock.raise(now.date);
    let mut chain = Chain::open(&mut db, ChainKey::of(&hash_key), copied, &clock)?;
    let tx = db.transaction()?;
    let placed = make_safe(&tx, copy.keep_codes, copy.taken, now)?;
    record(&tx, copy, copied, generation)?;
    tx.execute("UPDATE meta SET generation = ?1 WHERE id = 1", [generation])?;
    chain.seal(&tx, generation)?;
    tx.commit()?;
    drop(chain);
    db.close().map_err(|(_, e)| e)?;
    let text = instance::text(&sealer.instance(), generation, generation);
    replace_own(&layout.instance(), text.as_bytes())?;
    std::fs::rename(&staging, layout.database())?;
    File::open(&layout.state)?.sync_all()?;
    Ok(placed)
}

/// The log that is in place now says where it ended before, and who says that it goes on from there: what was
/// logged since the copy was made is not in it.
fn record(db: &Connection, copy: &Copy, copied: i64, generation: i64) -> Result<(), Error> {
    let (logins, acts): (i64, i64) = db.query_row(
        "SELECT (SELECT coalesce(max(id), 0) FROM login), (SELECT coalesce(max(id), 0) FROM act)",
        [],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    let of = match copy.taken {
        0 => "an older copy".to_owned(),
        taken => format!("a backup of {}", overrides::minute(db, taken)?),
    };
    let before = format!("a database that is lost, up to generation {}", generation - 1);
    let after = format!("{of}, generation {copied}, which ends with login {logins} and act {acts}");
    act::insert(db, &copy.by, &before, &after)
}

/// Takes what happened since for the worst.
fn make_safe(db: &Connection, keep_codes: bool, taken: i64, now: Moment) -> Result<Placed, Error> {
    // A day of drift at most stands in the database; whoever used a code up to now does not use it again.
    db.execute("UPDATE totp SET last_step = max(last_step, (?1 + drift) / period + ?2)", (now.wall, AHEAD))?;
    if !keep_codes {
        let with_app = "uid IN (SELECT uid FROM totp)";
        db.execute(&format!("DELETE FROM recovery_code WHERE {with_app}"), [])?;
        db.execute(&format!("DELETE FROM recovery_set WHERE {with_app}"), [])?;
    }
    let exempt = db.execute("DELETE FROM override WHERE kind = 'exempt'", [])?;
    db.execute("UPDATE known_source SET boot = zeroblob(16)", [])?;
    db.execute("DELETE FROM invitation", [])?;
    db.execute("DELETE FROM address_pending", [])?;
    db.execute("DELETE FROM reset_approval", [])?;
    db.execute("DELETE FROM reset_request", [])?;
    restore::end_logins(db)?;
    let people: Vec<(u32, String)> = db
        .prepare("SELECT uid, name FROM person ORDER BY uid")?
        .query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let of = if taken == 0 { "an older copy".to_owned() } else { overrides::minute(db, taken)? };
    for (uid, name) in &people {
        notice::add(
            db,
            *uid,
            name,
            Notice::Restored,
            &format!("{of}, uid 0: the newer database was lost"),
            now,
        )?;
    }
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(Placed { people: count(people.len()), exempt: count(exempt) })
}
