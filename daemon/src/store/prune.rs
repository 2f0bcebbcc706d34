//! Keeping the log to its age and size, and ending logins that nobody goes on with. A few rows at a time:
//! no login waits long.
//!
//! Nothing is removed that was not proven: a row that is made to look old would take what it shows with it,
//! and nobody could tell its end from that of old age. So a batch is looked at between two transactions,
//! when everything that was written has its link, and a finished row never changes after. What does not fit
//! stays for whoever looks into it, and so does everything else until somebody accepts the log.

use super::answer::LOGIN_LIVES_MS;
use super::chain::{self, ACT, Chain, LOGIN, act_mac, link_mac};
use super::worker::{Durability, Session, Store};
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// Rows that one transaction removes at most.
const AT_ONCE: u32 = 500;
/// Links that one transaction removes at most: a login has two or three.
const LINKS_AT_ONCE: u32 = 2000;
/// Seconds of the future that a row began in by a clock that was wrong: it keeps no other row.
const WRONG_CLOCK: i64 = 2 * 24 * 3600;

/// What may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Plan {
    /// Nothing, now.
    Nothing,
    /// Everything up to this row.
    UpTo(i64),
    /// Nothing: the rows are not what was written.
    Broken,
}

impl Store {
    /// Removes the oldest logins: those that began before a date (seconds since 1970), and those that are
    /// more than `most`. One that is going on is never removed, nor any behind it. Gives how many went; 0
    /// is that none are left, or that the log is broken.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune(&self, before: i64, most: u32, now: Moment) -> Result<usize, Error> {
        let plan = self.plan(move |db, chain| plan_logins(db, chain, before, most, now)).await?;
        self.carry_out(plan, now, |db, last| {
            let gone = db.execute("DELETE FROM login WHERE id <= ?1 AND token IS NULL", [last])?;
            db.execute("UPDATE chain SET floor = max(floor, ?1)", [last])?;
            Ok(gone)
        })
        .await
    }

    /// Removes the links at the beginning of the chain that no login needs any more. Gives how many went.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune_links(&self, now: Moment) -> Result<usize, Error> {
        let plan = self.plan(plan_links).await?;
        self.carry_out(plan, now, |db, last| {
            db.execute(
                "UPDATE chain SET first_link = ?1, first_mac = (SELECT mac FROM link WHERE seq = ?1)
                 WHERE first_link < ?1",
                [last],
            )?;
            Ok(db.execute("DELETE FROM link WHERE seq <= ?1", [last])?)
        })
        .await
    }

    /// Removes the oldest acts from before a date (seconds since 1970). Their number is not bounded: who
    /// may act shall not push out what they did.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune_acts(&self, before: i64, now: Moment) -> Result<usize, Error> {
        let plan = self.plan(move |db, chain| plan_acts(db, chain, before)).await?;
        self.carry_out(plan, now, |db, last| {
            db.execute(
                "UPDATE chain SET first_act = ?1, first_act_mac = (SELECT mac FROM act WHERE id = ?1)
                 WHERE first_act < ?1",
                [last],
            )?;
            Ok(db.execute("DELETE FROM act WHERE id <= ?1", [last])?)
        })
        .await
    }

    async fn plan(
        &self,
        look: impl FnOnce(&Connection, &Chain) -> Result<Plan, Error> + Send + 'static,
    ) -> Result<Plan, Error> {
        self.between(move |session: &mut Session| match &session.chain {
            Some(chain) if chain.head.broken == 0 => look(&session.db, chain),
            _ => Ok(Plan::Nothing),
        })
        .await
    }

    async fn carry_out(
        &self,
        plan: Plan,
        now: Moment,
        remove: impl FnOnce(&Connection, i64) -> Result<usize, Error> + Send + 'static,
    ) -> Result<usize, Error> {
        match plan {
            Plan::Nothing => Ok(0),
            Plan::UpTo(last) => self.run(Durability::Kill, move |db| remove(db, last)).await,
            Plan::Broken => {
                self.run(Durability::Kill, move |db| {
                    db.execute("UPDATE chain SET broken = max(1, ?1) WHERE broken = 0", [now.date])?;
                    Ok(0)
                })
                .await
            }
        }
    }

    /// Ends logins that nobody can go on with: their time is over, or the host was started anew. What was
    /// asked was abandoned; what was decided stays. Gives how many.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn end_overdue(&self, now: Moment) -> Result<usize, Error> {
        self.run(Durability::Kill, move |db| {
            Ok(db
                .prepare_cached(
                    "UPDATE login SET phase = 3, token = NULL,
                       reason = CASE state WHEN 'asked' THEN 'timed-out' ELSE reason END,
                       state = CASE state WHEN 'asked' THEN 'abandoned' ELSE state END
                     WHERE id IN (SELECT id FROM login WHERE token IS NOT NULL AND (boot <> ?1 OR started_ms < ?2) LIMIT ?3)",
                )?
                .execute((now.boot, now.boot_ms - LOGIN_LIVES_MS, AT_ONCE))?)
        })
        .await
    }
}

fn plan_logins(db: &Connection, chain: &Chain, before: i64, most: u32, now: Moment) -> Result<Plan, Error> {
    let head = &chain.head;
    let too_many = head.last_login.saturating_sub(i64::from(most));
    let mut plan = Plan::Nothing;
    let mut last = head.floor.max(head.accepted);
    // A login's columns come first, as its digest wants them.
    let mut statement = db.prepare_cached(&format!(
        "SELECT {LOGIN}, l.token IS NULL, k.login, k.digest FROM login l LEFT JOIN link k ON k.seq = l.link
         ORDER BY l.id LIMIT ?1"
    ))?;
    let mut rows = statement.query([AT_ONCE])?;
    while let Some(row) = rows.next()? {
        let (id, started): (i64, i64) = (row.get(0)?, row.get(12)?);
        let over: bool = row.get(17)?;
        let odd = started > now.date + WRONG_CLOCK;
        if !over || !(id <= too_many || started < before || odd) {
            break;
        }
        if id > head.accepted {
            let whose: Option<i64> = row.get(18)?;
            let kept: Option<Vec<u8>> = row.get(19)?;
            let fits = whose == Some(id) && kept.as_deref() == Some(&chain::digest(&chain.key, row)?[..]);
            // A row that is gone before it is not found later by the hole that it leaves.
            if !fits || id != last + 1 {
                return Ok(Plan::Broken);
            }
            last = id;
        }
        plan = Plan::UpTo(id);
    }
    Ok(plan)
}

fn plan_links(db: &Connection, chain: &Chain) -> Result<Plan, Error> {
    let Some(last) = unneeded(db)? else { return Ok(Plan::Nothing) };
    let (mut seq, mut mac) = (chain.head.first_link, chain.head.first_mac.clone());
    let mut statement = db.prepare_cached(
        "SELECT seq, login, digest, mac FROM link WHERE seq > ?1 AND seq <= ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query((seq, last))?;
    while let Some(row) = rows.next()? {
        let next: i64 = row.get(0)?;
        let kept: Vec<u8> = row.get(2)?;
        let made = link_mac(&chain.key, &mac, next, row.get(1)?, &kept);
        mac = row.get(3)?;
        if next != seq + 1 || mac != made {
            return Ok(Plan::Broken);
        }
        seq = next;
    }
    Ok(Plan::UpTo(last))
}

fn plan_acts(db: &Connection, chain: &Chain, before: i64) -> Result<Plan, Error> {
    let (mut last, mut mac) = (chain.head.first_act, chain.head.first_act_mac.clone());
    let mut plan = Plan::Nothing;
    let mut statement = db.prepare_cached(&format!("SELECT {ACT}, mac FROM act ORDER BY id LIMIT ?1"))?;
    let mut rows = statement.query([AT_ONCE])?;
    while let Some(row) = rows.next()? {
        let (id, at): (i64, i64) = (row.get(0)?, row.get(1)?);
        if at >= before {
            break;
        }
        // Up to the first they are vouched for by nobody.
        if id > chain.head.first_act {
            let made = act_mac(&chain.key, &mac, row)?;
            mac = row.get(11)?;
            if id != last + 1 || mac != made {
                return Ok(Plan::Broken);
            }
            last = id;
        }
        plan = Plan::UpTo(id);
    }
    Ok(plan)
}

/// The last link, not far from the first, before which no login has its last.
fn unneeded(db: &Connection) -> Result<Option<i64>, Error> {
    let first_needed: Option<i64> = db
        .query_row(
            "SELECT min(k.seq) FROM (SELECT seq, login FROM link ORDER BY seq LIMIT ?1) k
             JOIN login l ON l.id = k.login AND l.link = k.seq",
            [LINKS_AT_ONCE],
            |r| r.get(0),
        )
        .optional()?
        .flatten();
    let last: Option<i64> = match first_needed {
        Some(needed) => db.query_row("SELECT max(seq) FROM link WHERE seq < ?1", [needed], |r| r.get(0))?,
        None => db.query_row(
            "SELECT max(seq) FROM (SELECT seq FROM link ORDER BY seq LIMIT ?1)",
            [LINKS_AT_ONCE],
            |r| r.get(0),
        )?,
    };
    Ok(last)
}
