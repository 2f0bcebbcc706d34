//! Proving the chains of the log, a page at a time: whether each row is what was written, and none is
//! missing, added or in another place.

use super::chain::{ACT, Head, LOGIN, act_mac, digest, link_mac, written};
use super::worker::{Durability, Store};
use crate::error::Error;
use crate::seal::{ChainKey, Keys};
use countersign_protocol::manager::{Broken, Verified};
use rusqlite::{Connection, OptionalExtension};
use std::sync::Arc;

/// Rows that one transaction looks at.
const AT_ONCE: u32 = 1000;
/// Broken places that one page names; the rest is counted by looking again once these are mended.
const NAMED: usize = 200;

/// Where the proof stands: links, then logins, then acts.
const LINKS: u32 = 0;
const LOGINS: u32 = 1;
const ACTS: u32 = 2;
/// What follows the last page.
pub const DONE: u32 = 3;

struct Proof<'a> {
    db: &'a Connection,
    key: ChainKey,
    head: Head,
    broken: Vec<Broken>,
}

impl Store {
    /// Proves a page of the log from a position on, which begins at (0, 0). A link that the journal or
    /// somebody else has noted is looked for in the first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn verify(
        &self,
        keys: Arc<Keys>,
        (part, after): (u32, i64),
        noted: Option<(i64, Vec<u8>)>,
    ) -> Result<Verified, Error> {
        self.run(Durability::Kill, move |db| {
            let head = Head::read(db)?;
            let rows = (head.links - head.first_link)
                + (head.last_login - head.floor.max(head.accepted))
                + (head.acts - head.first_act);
            let mut proof = Proof { key: keys.chain_key(), head, db, broken: Vec::new() };
            if (part, after) == (LINKS, 0) {
                proof.ends();
                if let Some((seq, mac)) = noted {
                    proof.noted(seq, &mac)?;
                }
            }
            let next = match part {
                LINKS => proof.links(after)?,
                LOGINS => proof.logins(after)?,
                ACTS => proof.acts(after)?,
                _ => None,
            };
            proof.broken.truncate(NAMED);
            Ok(Verified {
                part: if next.is_some() { part } else { (part + 1).min(DONE) },
                after: next.unwrap_or(0),
                rows: u64::try_from(rows).unwrap_or(0),
                last: written(proof.head.links, &proof.head.link_mac),
                accepted: proof.head.accepted,
                broken: proof.broken,
            })
        })
        .await
    }

    /// Takes the log as it is from now on: what is broken was seen by somebody, who says why. Rows of before
    /// are vouched for by nobody any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn accept_log(&self) -> Result<(), Error> {
        self.run(Durability::Power, |db| {
            db.execute(
                "UPDATE chain SET first_link = links, first_mac = link_mac, first_act = acts, first_act_mac = act_mac,
                   last_login = max(last_login, (SELECT coalesce(max(id), 0) FROM login)),
                   accepted = max(last_login, (SELECT coalesce(max(id), 0) FROM login)), broken = 0",
                [],
            )?;
            // Links of nobody's row, or beyond the last, would be in the way of the next.
            db.execute("DELETE FROM link WHERE seq > (SELECT links FROM chain)", [])?;
            Ok(())
        })
        .await
    }
}

impl Proof<'_> {
    fn say(&mut self, what: &str, row: &str, id: i64, why: impl Into<String>) {
        self.broken.push(Broken { what: what.into(), row: row.into(), id, why: why.into() });
    }

    fn ends(&mut self) {
        if self.head.broken != 0 {
            self.say(
                "ends",
                "log",
                0,
                "what the log begins and ends with was changed, or is from an older state",
            );
        }
    }

    /// A link that somebody noted is still there.
    fn noted(&mut self, seq: i64, mac: &[u8]) -> Result<(), Error> {
        if seq < self.head.first_link || seq == 0 {
            return Ok(());
        }
        let found: Option<Vec<u8>> =
            self.db.query_row("SELECT mac FROM link WHERE seq = ?1", [seq], |r| r.get(0)).optional()?;
        let found = found.or_else(|| (seq == self.head.first_link).then(|| self.head.first_mac.clone()));
        if found.as_deref() != Some(mac) {
            self.say("missing", "link", seq, "the link that was noted is not in this log");
        }
        Ok(())
    }

    fn links(&mut self, after: i64) -> Result<Option<i64>, Error> {
        let first = self.head.first_link;
        let (mut last, mut mac) = if after <= first {
            (first, self.head.first_mac.clone())
        } else {
            let mac =
                self.db.query_row("SELECT mac FROM link WHERE seq = ?1", [after], |r| r.get(0)).optional()?;
            (after, mac.unwrap_or_default())
        };
        // A login's columns come first, as its digest wants them.
        let mut statement = self.db.prepare_cached(&format!(
            "SELECT {}, k.seq, k.login, k.digest, k.mac, l.link
             FROM (SELECT * FROM link WHERE seq > ?1 ORDER BY seq LIMIT ?2) k LEFT JOIN login l ON l.id = k.login
             ORDER BY k.seq",
            LOGIN.replace("id, user", "l.id, user")
        ))?;
        let mut rows = statement.query((last, AT_ONCE))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            let (seq, login): (i64, i64) = (row.get(17)?, row.get(18)?);
            let (kept, made): (Vec<u8>, Vec<u8>) = (row.get(19)?, row.get(20)?);
            if seq != last + 1 {
                self.say(
                    "missing",
                    "link",
                    last + 1,
                    format!("links {} to {} are missing", last + 1, seq - 1),
                );
                // What it was tied to is gone: the chain is followed from here on.
            } else if made != link_mac(&self.key, &mac, seq, login, &kept) {
                self.say(
                    "changed",
                    "link",
                    seq,
                    format!("the link of login {login} does not fit the one before it"),
                );
            }
            (last, mac) = (seq, made);
            if login <= self.head.floor.max(self.head.accepted) && row.get::<_, Option<i64>>(0)?.is_none() {
                continue;
            }
            match row.get::<_, Option<i64>>(21)? {
                None => self.say("missing", "login", login, "the log has a link for it and no row"),
                Some(link) if link == seq && digest(&self.key, row)?.as_slice() != kept => {
                    self.say("changed", "login", login, "the row is not what was written");
                }
                Some(link) if link < seq && login > self.head.accepted => {
                    self.say("changed", "login", login, "the row is older than what was written last");
                }
                Some(_) => {}
            }
        }
        if seen == AT_ONCE {
            return Ok(Some(last));
        }
        if last != self.head.links || mac != self.head.link_mac {
            let why = format!("the chain ends at link {last}, and its last was {}", self.head.links);
            self.say("missing", "link", last + 1, why);
        }
        Ok(None)
    }

    fn logins(&mut self, after: i64) -> Result<Option<i64>, Error> {
        let mut last = after.max(self.head.floor).max(self.head.accepted);
        if after == 0 {
            let pruned: Option<i64> =
                self.db
                    .query_row("SELECT min(id) FROM login WHERE id <= ?1", [self.head.floor], |r| r.get(0))?;
            if let Some(id) = pruned {
                self.say("added", "login", id, "the row was removed by age or number, and is there again");
            }
        }
        let mut statement = self.db.prepare_cached(
            "SELECT l.id, l.phase, l.link, k.login FROM login l LEFT JOIN link k ON k.seq = l.link
             WHERE l.id > ?1 ORDER BY l.id LIMIT ?2",
        )?;
        let mut rows = statement.query((last, AT_ONCE))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            let (id, phase): (i64, i64) = (row.get(0)?, row.get(1)?);
            if id > last + 1 {
                for missing in (last + 1..id).take(NAMED) {
                    self.say("missing", "login", missing, "the row is gone");
                }
            }
            last = id;
            if id > self.head.last_login {
                self.say("added", "login", id, "the row was not written by countersignd");
            } else if row.get::<_, Option<i64>>(3)? != Some(id) && (phase != 0 || row.get::<_, i64>(2)? != 0)
            {
                self.say("added", "login", id, "the row has no link in the chain");
            }
        }
        if seen == AT_ONCE {
            return Ok(Some(last));
        }
        for missing in (last + 1..=self.head.last_login).take(NAMED) {
            self.say("missing", "login", missing, "the row is gone from the end");
        }
        Ok(None)
    }

    fn acts(&mut self, after: i64) -> Result<Option<i64>, Error> {
        let first = self.head.first_act;
        let (mut last, mut mac) = if after <= first {
            (first, self.head.first_act_mac.clone())
        } else {
            let mac =
                self.db.query_row("SELECT mac FROM act WHERE id = ?1", [after], |r| r.get(0)).optional()?;
            (after, mac.unwrap_or_default())
        };
        let mut statement = self
            .db
            .prepare_cached(&format!("SELECT {ACT}, mac FROM act WHERE id > ?1 ORDER BY id LIMIT ?2"))?;
        let mut rows = statement.query((last, AT_ONCE))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            let id: i64 = row.get(0)?;
            let kept: Vec<u8> = row.get(11)?;
            if id != last + 1 {
                for missing in (last + 1..id).take(NAMED) {
                    self.say("missing", "act", missing, "the record is gone");
                }
            } else if act_mac(&self.key, &mac, row)?.as_slice() != kept {
                let what = if id > self.head.acts { "added" } else { "changed" };
                self.say(what, "act", id, "the record is not what was written");
            }
            (last, mac) = (id, kept);
        }
        if seen == AT_ONCE {
            return Ok(Some(last));
        }
        for missing in (last + 1..=self.head.acts).take(NAMED) {
            self.say("missing", "act", missing, "the record is gone from the end");
        }
        if last > self.head.acts || (last == self.head.acts && mac != self.head.act_mac) {
            self.say("changed", "act", last, "the last record is another one");
        }
        Ok(None)
    }
}
