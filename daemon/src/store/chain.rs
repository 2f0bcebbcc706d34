//! The chains of the log: keyed hashes by which a changed, missing, added or reordered row is found.
//!
//! SQLite itself says which rows a transaction touched, and before the commit each login among them that
//! is no longer asked gets a link, each act its hash. So no use case can write the log past the chain. What
//! both chains begin and end with lies in one row under a hash of its own, which holds the generation too:
//! with the generation going forward in the instance file, no older state of that row fits. Whoever can
//! write the database but has not the sealing key can make none of these hashes.
//!
//! A row that the daemon changes was what the daemon left, or it gets no link: see `under_way`. Otherwise
//! whoever writes a row would have it vouched for by making it look unfinished. From then on the log is
//! broken, whatever comes after, until somebody accepts it.
//!
//! Two things are beyond this: commits of the last moments that a loss of power may take anyway, and a state
//! directory that is put back whole. The journal has every link, and `log verify --noted` takes one.

use super::ends::{self, Head};
use super::log;
use super::under_way::{self, FIELDS, PHASE, TOKEN, UnderWay};
use crate::clock::HighWater;
use crate::error::Error;
use crate::seal::{ChainKey, LINK_BYTES};
use countersign_protocol::manager::{Act, Login};
use rusqlite::hooks::Action;
use rusqlite::types::{Type, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row};
use std::collections::{BTreeMap, BTreeSet};
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

/// The rows that a transaction touched.
#[derive(Debug, Default)]
pub(super) struct Touched {
    logins: BTreeSet<i64>,
    /// Those that it began.
    begun: BTreeSet<i64>,
    /// What the others were before.
    pub(super) were: BTreeMap<i64, Mac>,
    acts: BTreeSet<i64>,
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
    pub(super) key: Arc<ChainKey>,
    pub(super) head: Head,
    under_way: UnderWay,
    generation: i64,
    clock: HighWater,
    touched: Arc<Mutex<Touched>>,
}

impl Chain {
    /// Takes the chains up where they end. Ends that do not fit are noted for good and deny nobody: the log
    /// is for finding out, not for letting in.
    pub(super) fn open(
        db: &mut Connection,
        key: ChainKey,
        generation: i64,
        clock: &HighWater,
    ) -> Result<Self, Error> {
        let key = Arc::new(key);
        let mut under_way = UnderWay::read(db, &key)?;
        let (head, holds, mac_fits) = match Head::found(db, &key, generation) {
            Ok(Some((head, mac_fits))) => {
                let all_known = head.under_way == under_way.tag(&key);
                if !all_known {
                    // One of them is not what was left, and nobody can say which: none gets a link.
                    under_way = UnderWay::default();
                }
                let holds = mac_fits && all_known && head.fits(db)?;
                (head, holds, mac_fits)
            }
            Ok(None) | Err(_) => {
                ends::create(db, &key)?;
                under_way = UnderWay::default();
                (Head::default(), false, false)
            }
        };
        let head = if mac_fits { head } else { head.behind_all(db)? };
        let mut chain =
            Self { key, head, under_way, generation, clock: clock.clone(), touched: Arc::default() };
        if !holds {
            chain.found_broken();
        }
        if chain.head.broken != 0 {
            crate::event::log_broken();
            // A disk that takes nothing now takes it with the first commit.
            let noted = chain.write(db, generation).and_then(|()| Ok(ends::go_on_behind(db, &chain.head)?));
            chain.generation = if noted.is_ok() { generation } else { UNWRITTEN };
        }
        under_way::watch(db, Arc::clone(&chain.key), &chain.touched)?;
        let notes = Arc::clone(&chain.touched);
        db.update_hook(Some(move |action, _: &str, table: &str, row: i64| {
            let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
            match table {
                "login" => {
                    notes.logins.insert(row);
                    if action == Action::SQLITE_INSERT {
                        notes.begun.insert(row);
                    }
                }
                "act" => {
                    notes.acts.insert(row);
                }
                "chain" => notes.head = true,
                _ => {}
            }
        }))?;
        Ok(chain)
    }

    fn take(&self) -> Touched {
        std::mem::take(&mut *self.touched.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn found_broken(&mut self) {
        if self.head.broken == 0 {
            self.head.broken = self.clock.latest().max(1);
        }
    }

    fn write(&mut self, db: &Connection, generation: i64) -> Result<(), Error> {
        self.head.under_way = self.under_way.tag(&self.key).to_vec();
        self.head.write(db, self.head.tag(&self.key, generation))
    }

    /// Chains what a transaction touched, as its last step but the commit. Gives what is new.
    ///
    /// # Errors
    /// When the database cannot be written; then nothing of the transaction may be kept.
    pub(super) fn seal(&mut self, db: &Connection, generation: i64) -> Result<Vec<Added>, Error> {
        let touched = self.take();
        let before = self.head.clone();
        let mut accepts = false;
        if touched.head {
            let head = Head::read(db)?;
            accepts = head.accepted != before.accepted || (head.broken == 0 && before.broken != 0);
            // What could not be written when it was found is not forgotten.
            let broken = if self.generation == UNWRITTEN && !accepts { before.broken } else { 0 };
            self.head = Head { broken: head.broken.max(broken), ..head };
        }
        let mut added = Vec::new();
        for id in &touched.logins {
            added.extend(self.link(db, *id, &touched, accepts)?);
        }
        for id in &touched.acts {
            added.extend(self.add_act(db, *id, accepts)?);
        }
        if accepts {
            // With the rest of the log somebody has looked at these.
            self.under_way = UnderWay::read(db, &self.key)?;
        }
        self.head.under_way = self.under_way.tag(&self.key).to_vec();
        if touched.head || self.head != before || self.generation != generation {
            self.write(db, generation)?;
            self.generation = generation;
        }
        if self.head.broken != 0 && before.broken == 0 {
            crate::event::log_broken();
        }
        drop(self.take());
        Ok(added)
    }

    /// Whether a row that a transaction touched was what was left, or is one that it began.
    fn was_ours(&self, id: i64, touched: &Touched) -> bool {
        if touched.begun.contains(&id) {
            // A number that was given before would stand for what it was given to.
            return id > self.head.last_login;
        }
        self.under_way.get(id).is_some_and(|left| touched.were.get(&id) == Some(left))
    }

    /// Links one login; nothing for one that is asked, and for one whose insertion was taken back.
    fn link(
        &mut self,
        db: &Connection,
        id: i64,
        touched: &Touched,
        accepts: bool,
    ) -> Result<Option<Added>, Error> {
        let found = db
            .prepare_cached(&format!("SELECT {}, link FROM login WHERE id = ?1", under_way::columns()))?
            .query_row([id], |r| {
                let going_on = r.get_ref(TOKEN)?.data_type() != Type::Null;
                let left = if going_on { Some(under_way::digest(&self.key, r)?) } else { None };
                let (phase, link): (i64, i64) = (r.get(PHASE)?, r.get(FIELDS)?);
                Ok((log::read(r)?, r.get(16)?, digest(&self.key, r)?, phase, link == 0, left))
            })
            .optional()?;
        let ours = accepts || self.was_ours(id, touched);
        let Some((login, caller, digest, phase, first, left)) = found else {
            if self.under_way.remove(id) {
                self.found_broken();
            }
            return Ok(None);
        };
        if !ours {
            self.found_broken();
            self.under_way.remove(id);
            return Ok(Some(Added::Login(Box::new(login), caller, first, String::new())));
        }
        self.head.last_login = self.head.last_login.max(id);
        match left {
            Some(left) => self.under_way.put(id, left),
            None => drop(self.under_way.remove(id)),
        }
        if phase == 0 {
            return Ok(None);
        }
        let seq = self.head.links.saturating_add(1);
        let mac = link_mac(&self.key, &self.head.link_mac, seq, id, &digest);
        db.prepare_cached("INSERT OR REPLACE INTO link (seq, login, digest, mac) VALUES (?1, ?2, ?3, ?4)")?
            .execute((seq, id, digest, mac))?;
        db.prepare_cached("UPDATE login SET link = ?2 WHERE id = ?1")?.execute((id, seq))?;
        (self.head.links, self.head.link_mac) = (seq, mac.to_vec());
        Ok(Some(Added::Login(Box::new(login), caller, first, written(seq, &mac))))
    }

    fn add_act(&mut self, db: &Connection, id: i64, accepts: bool) -> Result<Option<Added>, Error> {
        let found = db
            .prepare_cached(&format!("SELECT {ACT} FROM act WHERE id = ?1"))?
            .query_row([id], |r| Ok((read_act(r)?, act_mac(&self.key, &self.head.act_mac, r)?)))
            .optional()?;
        let Some((act, mac)) = found else { return Ok(None) };
        if act.id <= self.head.acts {
            // Acts are never changed, and no number of one is given twice.
            if !accepts {
                self.found_broken();
            }
            return Ok(Some(Added::Act(Box::new(act), String::new())));
        }
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
    row_mac(key, "login", &[], LOGIN_FIELDS, |column| row.get_ref(column))
}

/// The hash of a link.
pub(super) fn link_mac(key: &ChainKey, before: &[u8], seq: i64, login: i64, digest: &[u8]) -> Mac {
    key.tag("link", &[before, &seq.to_be_bytes(), &login.to_be_bytes(), digest])
}

/// The hash of an act's row, of which [`ACT`] comes first.
pub(super) fn act_mac(key: &ChainKey, before: &[u8], row: &Row<'_>) -> rusqlite::Result<Mac> {
    row_mac(key, "act", before, ACT_FIELDS, |column| row.get_ref(column))
}

/// The keyed hash of the first columns of a row, and of what came before it.
pub(super) fn row_mac<'r>(
    key: &ChainKey,
    kind: &str,
    before: &[u8],
    fields: usize,
    read: impl Fn(usize) -> rusqlite::Result<ValueRef<'r>>,
) -> rusqlite::Result<Mac> {
    let mut values = Vec::with_capacity(fields);
    for column in 0..fields {
        // A value and its type: 0 and "0" and nothing are three things.
        values.push(match read(column)? {
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
