//! A database that came back from somewhere, looked at before anything of it is believed.

use super::schema;
use crate::backup::Header;
use crate::decide::overrides::{Kind, Override};
use crate::error::Error;
use crate::random;
use crate::seal::{Fingerprint, Keys, Sealer, recovery_row, totp_row};
use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension};
use std::path::Path;

/// What tables of a copy hold that is worth bringing back, sealed for this host.
#[derive(Debug, Default)]
pub struct Copied {
    /// People with what they had.
    pub people: Vec<Kept>,
    /// Failures by subject and lane.
    pub tallies: Vec<(String, String, u32, [u8; 16], i64, i64)>,
    /// uid, name, since when and until when they had time.
    pub graces: Vec<(u32, String, i64, i64)>,
    /// What was removed before it was made: serials of authenticators, salts of sets of recovery codes.
    pub gone: Vec<Vec<u8>>,
    /// Of whom a second factor was required by name.
    pub required: Vec<Override>,
    /// The latest date that was seen.
    pub high_water: i64,
}

/// A person with a factor, as a copy has them.
#[derive(Debug)]
pub struct Kept {
    /// The uid.
    pub uid: u32,
    /// The login name.
    pub name: String,
    /// Authenticators.
    pub apps: Vec<KeptApp>,
    /// Recovery codes.
    pub set: Option<KeptSet>,
    /// The mail address that was set, and when it was confirmed.
    pub address: Option<(String, i64)>,
}

/// An authenticator, its secret sealed for this host.
#[derive(Debug)]
pub struct KeptApp {
    /// Tells it from all others.
    pub serial: Vec<u8>,
    /// Its name.
    pub label: String,
    /// The sealed secret.
    pub secret: Vec<u8>,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
    /// The highest step that was used.
    pub last_step: i64,
    /// Seconds that its clock is ahead.
    pub drift: i64,
    /// When it was enrolled.
    pub created: i64,
    /// When it last let somebody in.
    pub last_used: i64,
}

/// A set of recovery codes.
#[derive(Debug)]
pub struct KeptSet {
    /// Tells it from all others.
    pub salt: Vec<u8>,
    /// When it was made.
    pub created: i64,
    /// 1 where its hashes are keyed.
    pub scratch: i64,
    /// Its codes.
    pub codes: Vec<KeptCode>,
}

/// A recovery code.
#[derive(Debug)]
pub struct KeptCode {
    /// Its number in the set.
    pub number: u32,
    /// Its hash.
    pub hash: Vec<u8>,
    /// Itself, sealed, where it can be viewed.
    pub sealed: Option<Vec<u8>>,
    /// When it was used.
    pub used_at: Option<i64>,
}

/// A file that was proven to be a database of ours, whole and of this version. Never written.
pub struct Staged(Connection);

impl Staged {
    /// Opens it and proves that. Whatever else is in such a file, a trigger or a view, is a refusal.
    ///
    /// # Errors
    /// `InvalidArgument` with what is wrong with it.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let broken = |e: rusqlite::Error| refuse(&format!("the database in it is damaged ({e})"));
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_URI
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW;
        let uri = format!("file:{}?immutable=1", super::rollback::uri_path(path));
        let db = Connection::open_with_flags(uri, flags).map_err(broken)?;
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(broken)?;
        db.pragma_update(None, "trusted_schema", "OFF").map_err(broken)?;
        db.pragma_update(None, "cell_size_check", "ON").map_err(broken)?;
        schema::refuse_foreign_shape(&db).map_err(|why| refuse(&why))?;
        let health: String = db.query_row("PRAGMA integrity_check(1)", [], |r| r.get(0)).map_err(broken)?;
        if health != "ok" {
            return Err(refuse(&format!("the database in it is damaged ({})", health.replace('\n', " "))));
        }
        Ok(Self(db))
    }

    /// Instance, generation and key.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn origin(&self) -> Result<(String, i64, Fingerprint), Error> {
        Ok(self.0.query_row("SELECT instance, generation, sealed_by FROM meta WHERE id = 1", [], |r| {
            Ok((r.get(0)?, r.get(1)?, r.get(2)?))
        })?)
    }

    /// Whether it is the database that the backup around it speaks of.
    ///
    /// # Errors
    /// `InvalidArgument` when not.
    pub fn is_of(&self, header: &Header) -> Result<(), Error> {
        let of = (random::hex(&header.instance), header.generation, header.sealed_by);
        if self.origin()? == of {
            Ok(())
        } else {
            Err(refuse("the backup says another thing than the database in it"))
        }
    }

    /// Everything worth bringing back, sealed for this host.
    ///
    /// # Errors
    /// `InvalidArgument` when a secret in it does not open, others when it cannot be read.
    pub fn read(&self, by: &Sealer, host: &Keys) -> Result<Copied, Error> {
        let again = |context: &str, sealed: &[u8]| {
            let opened = by.open(context, sealed).map_err(|_| refuse("a secret in it does not open"))?;
            host.seal(context, &opened)
        };
        let same_hashes = *self.hash_key(by)? == *host.hash_key();
        let db = &self.0;
        let mut people = Vec::new();
        for (uid, name) in everybody(db)? {
            let set = set(db, uid, &again)?;
            people.push(Kept {
                uid,
                address: address(db, uid, &name)?,
                name,
                apps: apps(db, uid, &again)?,
                // Keyed hashes are worth nothing under another key.
                set: set.filter(|set| same_hashes || set.scratch == 0),
            });
        }
        Ok(Copied {
            people,
            tallies: all(db, "SELECT subject, lane, failures, boot, last_ms, last FROM tally", |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?))
            })?,
            graces: all(db, "SELECT uid, name, began, until FROM grace", |r| {
                Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?))
            })?,
            gone: all(db, "SELECT serial FROM gone", |r| r.get(0))?,
            required: super::overrides::all(db)?.into_iter().filter(|one| one.kind != Kind::Exempt).collect(),
            high_water: db.query_row("SELECT high_water FROM meta", [], |r| r.get(0))?,
        })
    }

    fn hash_key(&self, by: &Sealer) -> Result<zeroize::Zeroizing<[u8; 32]>, Error> {
        let sealed: Option<Vec<u8>> = self.0.query_row("SELECT hash_key FROM meta", [], |r| r.get(0))?;
        match sealed {
            Some(sealed) => by.open_hash_key(&sealed).map_err(|_| refuse("a secret in it does not open")),
            None => Ok(by.usual_hash_key()),
        }
    }
}

/// Everybody with anything.
pub(super) fn everybody(db: &Connection) -> Result<Vec<(u32, String)>, Error> {
    all(db, "SELECT uid, name FROM person UNION SELECT uid, name FROM address ORDER BY 1", |r| {
        Ok((r.get(0)?, r.get(1)?))
    })
}

/// The mail address that somebody set.
pub(super) fn address(db: &Connection, uid: u32, name: &str) -> Result<Option<(String, i64)>, Error> {
    Ok(db
        .prepare_cached("SELECT address, confirmed FROM address WHERE uid = ?1 AND name = ?2")?
        .query_row((uid, name), |r| Ok((r.get(0)?, r.get(1)?)))
        .optional()?)
}

pub(super) type Again<'a> = &'a dyn Fn(&str, &[u8]) -> Result<Vec<u8>, Error>;

pub(super) fn apps(db: &Connection, uid: u32, again: Again<'_>) -> Result<Vec<KeptApp>, Error> {
    let mut apps: Vec<KeptApp> = db
        .prepare_cached(
            "SELECT serial, name, secret, digits, period, last_step, drift, created, last_used
             FROM totp WHERE uid = ?1 ORDER BY id",
        )?
        .query_map([uid], |r| {
            Ok(KeptApp {
                serial: r.get(0)?,
                label: r.get(1)?,
                secret: r.get(2)?,
                digits: r.get(3)?,
                period: r.get(4)?,
                last_step: r.get(5)?,
                drift: r.get(6)?,
                created: r.get(7)?,
                last_used: r.get(8)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    for app in &mut apps {
        app.secret = again(&totp_row(uid), &app.secret)?;
    }
    Ok(apps)
}

pub(super) fn set(db: &Connection, uid: u32, again: Again<'_>) -> Result<Option<KeptSet>, Error> {
    let mut sets = db.prepare_cached("SELECT salt, created, scratch FROM recovery_set WHERE uid = ?1")?;
    let mut rows = sets.query([uid])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let mut codes: Vec<KeptCode> = db
        .prepare_cached(
            "SELECT number, hash, sealed, used_at FROM recovery_code WHERE uid = ?1 ORDER BY number",
        )?
        .query_map([uid], |r| {
            Ok(KeptCode { number: r.get(0)?, hash: r.get(1)?, sealed: r.get(2)?, used_at: r.get(3)? })
        })?
        .collect::<Result<_, _>>()?;
    for code in &mut codes {
        if let Some(sealed) = &mut code.sealed {
            *sealed = again(&recovery_row(uid, code.number), sealed)?;
        }
    }
    Ok(Some(KeptSet { salt: row.get(0)?, created: row.get(1)?, scratch: row.get(2)?, codes }))
}

fn all<T>(
    db: &Connection,
    sql: &str,
    read: impl FnMut(&rusqlite::Row<'_>) -> rusqlite::Result<T>,
) -> Result<Vec<T>, Error> {
    Ok(db.prepare(sql)?.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// What is wrong with a copy, before anything was touched.
pub(super) fn refuse(why: &str) -> Error {
    Error::InvalidArgument(format!("{why}; nothing was changed"))
}
