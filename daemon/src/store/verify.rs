//! Proving the chains of the log, a page at a time: whether each row is what was written, and none is
//! missing, added or in another place.

use super::act;
use super::chain::read_act;
use super::chain::{ACT, LOGIN, act_mac, digest, link_mac, written};
use super::ends::{self, Head};
use super::overrides::minute;
use super::under_way::UnderWay;
use super::worker::{Durability, Session, Store};
use crate::error::Error;
use crate::seal::ChainKey;
use countersign_protocol::manager::{Act, Broken, Verified};
use rusqlite::{Connection, OptionalExtension};

/// Rows that one transaction looks at.
const AT_ONCE: u32 = 1000;
/// Broken places that one page names; the rest is counted by looking again once these are mended.
const NAMED: usize = 200;

/// Rows of each kind that are looked at where the whole would take too long.
const LOOKED_AT: i64 = 200;

/// Where the proof stands: links, then logins, then acts.
const LINKS: u32 = 0;
const LOGINS: u32 = 1;
const ACTS: u32 = 2;
/// What follows the last page.
pub const DONE: u32 = 3;

/// What became of a link that somebody noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Noted {
    /// It is there.
    Matched,
    /// The log begins behind it.
    Gone,
    /// It should be there, and is not.
    Absent,
}

impl Noted {
    fn as_str(self) -> &'static str {
        match self {
            Self::Matched => "matched",
            Self::Gone => "gone",
            Self::Absent => "absent",
        }
    }
}

struct Proof<'a> {
    db: &'a Connection,
    key: &'a ChainKey,
    head: &'a Head,
    broken: Vec<Broken>,
    placed: Vec<Act>,
}

impl Store {
    /// Proves a page of the log from a position on, which begins at (0, 0). A link that the journal or
    /// somebody else has noted is looked for in the first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn verify(&self, from: (u32, i64), noted: Option<(i64, Vec<u8>)>) -> Result<Verified, Error> {
        // Between two transactions everything that was written has its link.
        self.between(move |session: &mut Session| {
            let chain =
                session.chain.as_ref().ok_or_else(|| Error::unavailable("the log is not open yet"))?;
            let (db, key, head) = (&session.db, &*chain.key, &chain.head);
            prove(&mut Proof { db, key, head, broken: Vec::new(), placed: Vec::new() }, from, noted)
        })
        .await
    }

    /// What is broken at the ends of the log, looked at quickly: its last rows and all that is under way.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn log_trouble(&self) -> Result<Option<Broken>, Error> {
        self.between(|session: &mut Session| {
            let Some(chain) = &session.chain else { return Ok(None) };
            let (db, key, head) = (&session.db, &*chain.key, &chain.head);
            let mut proof = Proof { db, key, head, broken: Vec::new(), placed: Vec::new() };
            proof.ends()?;
            proof.links((head.links - LOOKED_AT).max(head.first_link))?;
            proof.logins((head.last_login - LOOKED_AT).max(1))?;
            proof.acts((head.acts - LOOKED_AT).max(head.first_act))?;
            Ok(proof.broken.into_iter().next())
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
                "UPDATE chain SET first_link = links, first_mac = link_mac,
                   (acts, act_mac) = (SELECT max(c.acts, coalesce(max(a.id), 0)), coalesce(a.mac, c.act_mac)
                                      FROM chain c LEFT JOIN act a ON a.id >= c.acts),
                   last_login = max(last_login, (SELECT coalesce(max(id), 0) FROM login)), broken = 0",
                [],
            )?;
            db.execute(
                "UPDATE chain SET first_act = acts, first_act_mac = act_mac, accepted = last_login",
                [],
            )?;
            // Links of nobody's row, or beyond the last, would be in the way of the next.
            db.execute("DELETE FROM link WHERE seq > (SELECT links FROM chain)", [])?;
            ends::go_on_behind(db, &Head::read(db)?)?;
            Ok(())
        })
        .await
    }
}

fn prove(
    proof: &mut Proof<'_>,
    (part, after): (u32, i64),
    noted: Option<(i64, Vec<u8>)>,
) -> Result<Verified, Error> {
    let head = proof.head;
    let rows = head.links.saturating_sub(head.first_link)
        + head.last_login.saturating_sub(head.floor.max(head.accepted))
        + head.acts.saturating_sub(head.first_act);
    let mut of_noted = "";
    if (part, after) == (LINKS, 0) {
        proof.ends()?;
        if let Some((seq, mac)) = noted {
            of_noted = proof.noted(seq, &mac)?.as_str();
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
        last: written(head.links, &head.link_mac),
        accepted: head.accepted,
        noted: of_noted.to_owned(),
        placed: std::mem::take(&mut proof.placed),
        broken: std::mem::take(&mut proof.broken),
    })
}

impl Proof<'_> {
    fn say(&mut self, what: &str, row: &str, id: i64, why: impl Into<String>) {
        self.broken.push(Broken { what: what.into(), row: row.into(), id, why: why.into() });
    }

    fn ends(&mut self) -> Result<(), Error> {
        if self.head.broken != 0 {
            let found = minute(self.db, self.head.broken)?;
            let why = format!(
                "found {found}: its ends, a login under way or a row that was to go was not what was written"
            );
            self.say("ends", "log", 0, why);
        }
        if UnderWay::read(self.db, self.key)?.tag(self.key)[..] != self.head.under_way[..] {
            self.say("changed", "log", 0, "the logins under way are not what was written");
        }
        Ok(())
    }

    /// Whether a link that somebody noted is still there.
    fn noted(&mut self, seq: i64, mac: &[u8]) -> Result<Noted, Error> {
        if (1..self.head.first_link).contains(&seq) {
            return Ok(Noted::Gone);
        }
        let found: Option<Vec<u8>> =
            self.db.query_row("SELECT mac FROM link WHERE seq = ?1", [seq], |r| r.get(0)).optional()?;
        let found = found.or_else(|| (seq == self.head.first_link).then(|| self.head.first_mac.clone()));
        if found.as_deref() == Some(mac) {
            return Ok(Noted::Matched);
        }
        self.say("missing", "link", seq, "the link that was noted is not in this log");
        Ok(Noted::Absent)
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
            } else if made != link_mac(self.key, &mac, seq, login, &kept) {
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
                Some(link) if link == seq && digest(self.key, row)?.as_slice() != kept => {
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
            "SELECT l.id, l.phase = 0 AND l.link = 0 AND l.token IS NOT NULL, k.login
             FROM login l LEFT JOIN link k ON k.seq = l.link
             WHERE l.id > ?1 ORDER BY l.id LIMIT ?2",
        )?;
        let mut rows = statement.query((last, AT_ONCE))?;
        let mut seen = 0;
        while let Some(row) = rows.next()? {
            seen += 1;
            let (id, asked): (i64, bool) = (row.get(0)?, row.get(1)?);
            if id > last + 1 {
                for missing in (last + 1..id).take(NAMED) {
                    self.say("missing", "login", missing, "the row is gone");
                }
            }
            last = id;
            if id > self.head.last_login {
                self.say("added", "login", id, "the row was not written by countersignd");
            } else if !asked && row.get::<_, Option<i64>>(2)? != Some(id) {
                let why = "the row has no link: it was added, or was under way while others were changed";
                self.say("added", "login", id, why);
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
            } else if act_mac(self.key, &mac, row)?.as_slice() != kept {
                let what = if id > self.head.acts { "added" } else { "changed" };
                self.say(what, "act", id, "the record is not what was written");
            }
            let done = read_act(row)?;
            if act::PLACED.contains(&done.verb.as_str()) {
                self.placed.push(done);
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
