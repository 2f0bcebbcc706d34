//! The chains of the log: keyed hashes by which a changed, missing, added or reordered row is found.
//!
//! SQLite itself says which rows a transaction touched, and before the commit each login among them that
//! is no longer asked gets a link, each act its hash. So no use case can write the log past the chain. What
//! both chains begin and end with lies in one row under a hash of its own, which holds the generation too:
//! with the generation going forward in the instance file, no older state of that row fits. Whoever can
//! write the database but has not the sealing key can make none of these hashes.
//!
//! A login that is still asked has no link: it is found missing by its number, and it gets its link within
//! minutes. Two things are beyond this: commits of the last moments that a loss of power may take anyway,
//! and a state directory that is put back whole. The journal has every link, and `log verify --since` takes one.

use super::log;
use crate::clock::HighWater;
use crate::error::Error;
use crate::seal::{ChainKey, LINK_BYTES};
use countersign_protocol::manager::{Act, Login};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OptionalExtension, Row};
use std::sync::{Arc, Mutex, PoisonError};

pub(super) type Mac = [u8; LINK_BYTES];

/// What a login's digest covers, as [`log::read`] reads it, and who began it.
pub(super) const LOGIN: &str = "id, user, uid, ruser, service, program, tty, source, policy, state,
    factor, reason, started, tries, last_try, confirmed, caller";
const LOGIN_FIELDS: usize = 17;
/// What an act's hash covers.
pub(super) const ACT: &str =
    "id, at, verb, actor, actor_name, loginuid, about, about_name, before, after, reason";
const ACT_FIELDS: usize = 11;

/// The row of both ends.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The last link, and its hash.
    pub(super) links: i64,
    pub(super) link_mac: Vec<u8>,
    /// The last link that is gone by right, and its hash.
    pub(super) first_link: i64,
    pub(super) first_mac: Vec<u8>,
    /// The last login.
    pub(super) last_login: i64,
    /// The last login that was pruned.
    pub(super) floor: i64,
    /// The last login that nobody vouches for.
    pub(super) accepted: i64,
    /// The same of acts.
    pub(super) acts: i64,
    pub(super) act_mac: Vec<u8>,
    pub(super) first_act: i64,
    pub(super) first_act_mac: Vec<u8>,
    /// When this row was found not to fit.
    pub(super) broken: i64,
}

const HEAD: &str = "links, link_mac, first_link, first_mac, last_login, floor, accepted, acts, act_mac,
    first_act, first_act_mac, broken";

impl Head {
    pub(super) fn read(db: &Connection) -> rusqlite::Result<Self> {
        db.prepare_cached(&format!("SELECT {HEAD} FROM chain WHERE id = 1"))?.query_row([], |r| {
            Ok(Self {
                links: r.get(0)?,
                link_mac: r.get(1)?,
                first_link: r.get(2)?,
                first_mac: r.get(3)?,
                last_login: r.get(4)?,
                floor: r.get(5)?,
                accepted: r.get(6)?,
                acts: r.get(7)?,
                act_mac: r.get(8)?,
                first_act: r.get(9)?,
                first_act_mac: r.get(10)?,
                broken: r.get(11)?,
            })
        })
    }

    fn tag(&self, key: &ChainKey, generation: i64) -> Mac {
        let n = i64::to_be_bytes;
        key.tag(
            "head",
            &[
                &n(generation),
                &n(self.links),
                &self.link_mac,
                &n(self.first_link),
                &self.first_mac,
                &n(self.last_login),
                &n(self.floor),
                &n(self.accepted),
                &n(self.acts),
                &self.act_mac,
                &n(self.first_act),
                &self.first_act_mac,
                &n(self.broken),
            ],
        )
    }

    fn write(&self, db: &Connection, mac: Mac) -> Result<(), Error> {
        db.prepare_cached(
            "UPDATE chain SET links = ?1, link_mac = ?2, first_link = ?3, first_mac = ?4, last_login = ?5, floor = ?6,
                    accepted = ?7, acts = ?8, act_mac = ?9, first_act = ?10, first_act_mac = ?11, broken = ?12, mac = ?13
             WHERE id = 1",
        )?
        .execute(rusqlite::params![
            self.links,
            self.link_mac,
            self.first_link,
            self.first_mac,
            self.last_login,
            self.floor,
            self.accepted,
            self.acts,
            self.act_mac,
            self.first_act,
            self.first_act_mac,
            self.broken,
            mac
        ])?;
        Ok(())
    }
}

/// The empty chains of a new database.
pub(super) fn create(db: &Connection, key: &ChainKey) -> Result<(), Error> {
    let mac = Head::default().tag(key, 0);
    db.execute("INSERT OR REPLACE INTO chain (id, mac) VALUES (1, ?1)", [mac])?;
    Ok(())
}

/// The rows that a transaction touched.
#[derive(Debug, Default)]
struct Touched {
    logins: Vec<i64>,
    acts: Vec<i64>,
    head: bool,
}

/// What a commit adds to the log, for the journal.
#[derive(Debug)]
pub(super) enum Added {
    /// A login. The last two are who began it and whether this is its first link.
    Login(Box<Login>, u32, bool, String),
    /// An act.
    Act(Box<Act>, String),
}

/// The generation of a row of ends that waits to be written.
const UNWRITTEN: i64 = -1;

/// The chains of an open database.
pub(super) struct Chain {
    key: ChainKey,
    head: Head,
    generation: i64,
    touched: Arc<Mutex<Touched>>,
}

impl Chain {
    /// Takes the chains up where they end. A row of ends that does not fit is noted in it for good and
    /// denies nobody: the log is for finding out, not for letting in.
    pub(super) fn open(
        db: &mut Connection,
        key: ChainKey,
        generation: i64,
        clock: &HighWater,
    ) -> Result<Self, Error> {
        let found = Head::read(db).and_then(|head| {
            let mac: Vec<u8> = db.query_row("SELECT mac FROM chain WHERE id = 1", [], |r| r.get(0))?;
            Ok((mac == head.tag(&key, generation), head))
        });
        let now = clock.latest().max(1);
        let head = match found {
            Ok((true, head)) => head,
            Ok((false, head)) => Head { broken: head.broken.max(now), ..head },
            Err(_) => {
                create(db, &key)?;
                Head { broken: now, ..Head::default() }
            }
        };
        let mut generation = generation;
        if head.broken != 0 {
            crate::event::log_broken();
            // A disk that takes nothing now takes it with the first commit.
            let noted = head.write(db, head.tag(&key, generation));
            generation = if noted.is_ok() { generation } else { UNWRITTEN };
        }
        let touched = Arc::new(Mutex::new(Touched::default()));
        let notes = Arc::clone(&touched);
        db.update_hook(Some(move |_, _: &str, table: &str, row: i64| {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            match table {
                "login" => notes.logins.push(row),
                "act" => notes.acts.push(row),
                "chain" => notes.head = true,
                _ => {}
            }
        }))?;
        Ok(Self { key, head, generation, touched })
    }

    fn take(&self) -> Touched {
        std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Chains what a transaction touched, as its last step but the commit. Gives what is new.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing of the transaction may be kept.
    pub(super) fn seal(&mut self, db: &Connection, generation: i64) -> Result<Vec<Added>, Error> {
        let mut touched = self.take();
        let before = self.head.clone();
        if touched.head {
            let broken = if self.generation == UNWRITTEN { self.head.broken } else { 0 };
            let head = Head::read(db)?;
            self.head = Head { broken: head.broken.max(broken), ..head };
        }
        let mut added = Vec::new();
        touched.logins.sort_unstable();
        touched.logins.dedup();
        for id in touched.logins {
            added.extend(self.link(db, id)?);
        }
        touched.acts.sort_unstable();
        touched.acts.dedup();
        for id in touched.acts {
            added.extend(self.add_act(db, id)?);
        }
        if touched.head || self.head != before || self.generation != generation {
            self.head.write(db, self.head.tag(&self.key, generation))?;
            self.generation = generation;
        }
        drop(self.take());
        Ok(added)
    }

    /// Links one login; nothing for one that is asked, and for one whose insertion was taken back.
    fn link(&mut self, db: &Connection, id: i64) -> Result<Option<Added>, Error> {
        let found = db
            .prepare_cached(&format!("SELECT {LOGIN}, phase, link FROM login WHERE id = ?1"))?
            .query_row([id], |r| {
                let (phase, link): (i64, i64) = (r.get(17)?, r.get(18)?);
                Ok((log::read(r)?, r.get(16)?, digest(&self.key, r)?, phase, link == 0))
            })
            .optional()?;
        let Some((login, caller, digest, phase, first)) = found else { return Ok(None) };
        self.head.last_login = self.head.last_login.max(id);
        if phase == 0 {
            return Ok(None);
        }
        let seq = self.head.links + 1;
        let mac = link_mac(&self.key, &self.head.link_mac, seq, id, &digest);
        db.prepare_cached("INSERT OR REPLACE INTO link (seq, login, digest, mac) VALUES (?1, ?2, ?3, ?4)")?
            .execute((seq, id, digest, mac))?;
        db.prepare_cached("UPDATE login SET link = ?2 WHERE id = ?1")?.execute((id, seq))?;
        (self.head.links, self.head.link_mac) = (seq, mac.to_vec());
        Ok(Some(Added::Login(Box::new(login), caller, first, written(seq, &mac))))
    }

    fn add_act(&mut self, db: &Connection, id: i64) -> Result<Option<Added>, Error> {
        let found = db
            .prepare_cached(&format!("SELECT {ACT} FROM act WHERE id = ?1"))?
            .query_row([id], |r| Ok((read_act(r)?, act_mac(&self.key, &self.head.act_mac, r)?)))
            .optional()?;
        let Some((act, mac)) = found.filter(|(act, _)| act.id > self.head.acts) else { return Ok(None) };
        db.prepare_cached("UPDATE act SET mac = ?2 WHERE id = ?1")?.execute((id, mac))?;
        (self.head.acts, self.head.act_mac) = (id, mac.to_vec());
        Ok(Some(Added::Act(Box::new(act), written(id, &mac))))
    }
}

/// A link as it stands in the journal and is typed.
pub(super) fn written(seq: i64, mac: &[u8]) -> String {
    format!("{seq}:{}", crate::random::hex(mac))
}

/// The keyed hash of a login's row, of which [`LOGIN`] comes first.
pub(super) fn digest(key: &ChainKey, row: &Row<'_>) -> rusqlite::Result<Mac> {
    tag(key, "login", &[], row, LOGIN_FIELDS)
}

/// The hash of a link.
pub(super) fn link_mac(key: &ChainKey, before: &[u8], seq: i64, login: i64, digest: &[u8]) -> Mac {
    key.tag("link", &[before, &seq.to_be_bytes(), &login.to_be_bytes(), digest])
}

/// The hash of an act's row, of which [`ACT`] comes first.
pub(super) fn act_mac(key: &ChainKey, before: &[u8], row: &Row<'_>) -> rusqlite::Result<Mac> {
    tag(key, "act", before, row, ACT_FIELDS)
}

fn tag(key: &ChainKey, kind: &str, before: &[u8], row: &Row<'_>, fields: usize) -> rusqlite::Result<Mac> {
    let mut values = Vec::with_capacity(fields);
    for column in 0..fields {
        // A value and its type: 0 and "0" and nothing are three things.
        values.push(match row.get_ref(column)? {
            ValueRef::Null => vec![b'n'],
            ValueRef::Integer(n) => [&b"i"[..], &n.to_be_bytes()].concat(),
            ValueRef::Real(x) => [&b"r"[..], &x.to_be_bytes()].concat(),
            ValueRef::Text(text) => [b"t", text].concat(),
            ValueRef::Blob(bytes) => [b"b", bytes].concat(),
        });
    }
    let fields: Vec<&[u8]> = [before].into_iter().chain(values.iter().map(Vec::as_slice)).collect();
    Ok(key.tag(kind, &fields))
}

/// Reads an act, of which [`ACT`] comes first.
pub(super) fn read_act(r: &Row<'_>) -> rusqlite::Result<Act> {
    Ok(Act {
        id: r.get(0)?,
        at: r.get(1)?,
        verb: r.get(2)?,
        actor: r.get(3)?,
        actor_name: r.get(4)?,
        loginuid: r.get::<_, Option<i64>>(5)?.unwrap_or(-1),
        uid: r.get::<_, Option<i64>>(6)?.unwrap_or(-1),
        user: r.get(7)?,
        before: r.get(8)?,
        after: r.get(9)?,
        reason: r.get(10)?,
    })
}
