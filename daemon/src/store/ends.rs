//! The row of both ends of both chains: what it holds, the hash that it lies under, and whether the tables
//! end where it says.

use super::chain::Mac;
use super::under_way::UnderWay;
use crate::error::Error;
use crate::seal::ChainKey;
use rusqlite::{Connection, OptionalExtension};

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
    /// A keyed hash of all logins under way.
    pub(super) under_way: Vec<u8>,
    /// The date that age is counted from, and when it was set: see `retention`.
    pub(super) kept_to: i64,
    pub(super) kept_boot: Vec<u8>,
    pub(super) kept_ms: i64,
    /// When the log was found not to be what was written.
    pub(super) broken: i64,
}

const HEAD: &str = "links, link_mac, first_link, first_mac, last_login, floor, accepted, acts, act_mac,
    first_act, first_act_mac, under_way, kept_to, kept_boot, kept_ms, broken";

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
                under_way: r.get(11)?,
                kept_to: r.get(12)?,
                kept_boot: r.get(13)?,
                kept_ms: r.get(14)?,
                broken: r.get(15)?,
            })
        })
    }

    /// What the row says, and whether its hash fits; `None` where there is no such row.
    pub(super) fn found(
        db: &Connection,
        key: &ChainKey,
        generation: i64,
    ) -> rusqlite::Result<Option<(Self, bool)>> {
        let mac: Option<Vec<u8>> =
            db.query_row("SELECT mac FROM chain WHERE id = 1", [], |r| r.get(0)).optional()?;
        let Some(mac) = mac else { return Ok(None) };
        let head = Self::read(db)?;
        let fits = mac == head.tag(key, generation);
        Ok(Some((head, fits)))
    }

    pub(super) fn tag(&self, key: &ChainKey, generation: i64) -> Mac {
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
                &self.under_way,
                &n(self.kept_to),
                &self.kept_boot,
                &n(self.kept_ms),
                &n(self.broken),
            ],
        )
    }

    pub(super) fn write(&self, db: &Connection, mac: Mac) -> Result<(), Error> {
        db.prepare_cached(
            "UPDATE chain SET links = ?1, link_mac = ?2, first_link = ?3, first_mac = ?4, last_login = ?5, floor = ?6,
                    accepted = ?7, acts = ?8, act_mac = ?9, first_act = ?10, first_act_mac = ?11, under_way = ?12,
                    kept_to = ?13, kept_boot = ?14, kept_ms = ?15, broken = ?16, mac = ?17
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
            self.under_way,
            self.kept_to,
            self.kept_boot,
            self.kept_ms,
            self.broken,
            mac
        ])?;
        Ok(())
    }

    /// Whether the tables end where this row says. Looks at the last rows only.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub(super) fn fits(&self, db: &Connection) -> rusqlite::Result<bool> {
        let last = Last::read(db)?;
        let links = match last.link {
            _ if self.links == self.first_link => last.link.is_none_or(|(seq, _)| seq <= self.links),
            Some((seq, mac)) => seq == self.links && mac == self.link_mac,
            None => false,
        };
        // Logins and acts up to there may be missing: they were pruned, or somebody accepted that they are.
        let logins = last.login <= self.last_login
            && (last.login == self.last_login || self.last_login <= self.floor.max(self.accepted));
        let acts = match last.act {
            _ if self.acts == self.first_act => last.act.is_none_or(|(id, _)| id <= self.acts),
            Some((id, mac)) => id == self.acts && mac == self.act_mac,
            None => false,
        };
        Ok(links && logins && acts)
    }

    /// The same for a log that does not fit: nothing that is in the tables is written over.
    pub(super) fn behind_all(mut self, db: &Connection) -> rusqlite::Result<Self> {
        let last = Last::read(db)?;
        if let Some((seq, mac)) = last.link.filter(|(seq, _)| *seq > self.links) {
            (self.links, self.link_mac) = (seq, mac);
        }
        if let Some((id, mac)) = last.act.filter(|(id, _)| *id > self.acts) {
            (self.acts, self.act_mac) = (id, mac);
        }
        self.last_login = self.last_login.max(last.login);
        Ok(self)
    }
}

/// The last rows that there are.
struct Last {
    link: Option<(i64, Vec<u8>)>,
    login: i64,
    act: Option<(i64, Vec<u8>)>,
}

impl Last {
    fn read(db: &Connection) -> rusqlite::Result<Self> {
        let row = |sql: &str| db.query_row(sql, [], |r| Ok((r.get(0)?, r.get(1)?))).optional();
        Ok(Self {
            link: row("SELECT seq, mac FROM link ORDER BY seq DESC LIMIT 1")?,
            login: db.query_row("SELECT coalesce(max(id), 0) FROM login", [], |r| r.get(0))?,
            act: row("SELECT id, mac FROM act ORDER BY id DESC LIMIT 1")?,
        })
    }
}

/// The empty chains of a new database.
pub(super) fn create(db: &Connection, key: &ChainKey) -> Result<(), Error> {
    let head = Head { under_way: UnderWay::default().tag(key).to_vec(), ..Head::default() };
    db.execute("INSERT OR REPLACE INTO chain (id) VALUES (1)", [])?;
    head.write(db, head.tag(key, 0))
}

/// No number of a row is given twice, whatever somebody did to the counters.
///
/// # Errors
/// When the database cannot be written.
pub(super) fn go_on_behind(db: &Connection, head: &Head) -> rusqlite::Result<()> {
    for (table, last) in [("login", head.last_login), ("act", head.acts)] {
        let known =
            db.execute("UPDATE sqlite_sequence SET seq = max(seq, ?2) WHERE name = ?1", (table, last))?;
        if known == 0 {
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?1, ?2)", (table, last))?;
        }
    }
    Ok(())
}
