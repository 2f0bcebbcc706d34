//! What the database says of the health of a host: a page of people at a time, so that no login waits.

use super::overdue::Overdue;
use super::pages::PAGE;
use super::tally;
use super::worker::Store;
use crate::clock::{Moment, Stamp};
use crate::decide::throttle::{Cap, Lane, Tally};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};

/// People of one kind that are named at most: a report is read by somebody.
const MOST: usize = 1000;
/// Recovery codes that are too few to bridge the loss of a phone.
const FEW: u32 = 2;
/// Uses of authenticators that say something about the clock of now.
const RECENT: i64 = 14 * 24 * 3600;

/// What the database says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// People without a factor whose time is over, and when it ended (seconds since 1970).
    pub past_date: Vec<(String, i64)>,
    /// People with an authenticator and few recovery codes left, and how many; the fewest first.
    pub few_codes: Vec<(String, u32)>,
    /// People who are locked until somebody helps.
    pub locked: Vec<String>,
    /// By how many seconds each authenticator that was used lately was ahead of this host's clock then, in
    /// whole steps.
    pub skews: Vec<i64>,
}

impl Store {
    /// Looks at everything. `mail` is whether an address is a factor under the policies in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn health(&self, cap: Cap, mail: bool, now: Moment) -> Result<Health, Error> {
        let Overdue { people: past_date, .. } = self.overdue(mail, now).await?;
        let mut few = self.gather(Vec::new(), -1_i64, few_codes).await?;
        keep_first(&mut few);
        let nowhere = (String::new(), String::new());
        let mut locked = self
            .gather(Vec::new(), nowhere, move |db, found, after| locked(db, found, after, cap, now))
            .await?;
        locked.sort();
        let mut skews =
            self.gather(Vec::new(), 0_i64, move |db, found, after| skews(db, found, *after, now)).await?;
        keep_first(&mut skews);
        Ok(Health {
            past_date,
            few_codes: few.into_iter().map(|(left, name)| (name, left)).collect(),
            locked,
            skews: skews.into_iter().map(|(_, skew)| skew).collect(),
        })
    }
}

fn keep_first<T: Ord>(found: &mut Vec<T>) {
    found.sort_unstable();
    found.truncate(MOST);
}

fn few_codes(db: &Connection, found: &mut Vec<(u32, String)>, after: &i64) -> Result<Option<i64>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT uid, name, EXISTS (SELECT 1 FROM totp WHERE totp.uid = person.uid),
                (SELECT count(*) - count(used_at) FROM recovery_code c WHERE c.uid = person.uid)
         FROM person WHERE uid > ?1 ORDER BY uid LIMIT ?2",
    )?;
    let mut rows = statement.query((after, PAGE))?;
    let (mut last, mut seen) = (*after, 0);
    while let Some(row) = rows.next()? {
        let (has_app, left): (bool, u32) = (row.get(2)?, row.get(3)?);
        (last, seen) = (row.get(0)?, seen + 1);
        if has_app && left <= FEW {
            found.push((left, row.get(1)?));
        }
    }
    if found.len() > 2 * MOST {
        keep_first(found);
    }
    Ok((seen == PAGE).then_some(last))
}

fn locked(
    db: &Connection,
    found: &mut Vec<String>,
    after: &(String, String),
    cap: Cap,
    now: Moment,
) -> Result<Option<(String, String)>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT subject, lane, failures, boot, last_ms FROM tally
         WHERE (subject, lane) > (?1, ?2) ORDER BY subject, lane LIMIT ?3",
    )?;
    let mut name = db.prepare_cached("SELECT name FROM person WHERE uid = ?1")?;
    let mut rows = statement.query((&after.0, &after.1, PAGE))?;
    let (mut last, mut seen) = (None, 0);
    while let Some(row) = rows.next()? {
        let (subject, lane): (String, String) = (row.get(0)?, row.get(1)?);
        if let Some(uid) = tally::uid_of(&subject).filter(|_| lane == Lane::All.as_str()) {
            let tally =
                Tally { failures: row.get(2)?, last: Some(Stamp { boot: row.get(3)?, ms: row.get(4)? }) };
            if cap.closes(&tally, now) == Some(None) && found.len() < MOST {
                found.extend(name.query_row([uid], |r| r.get(0)).optional()?);
            }
        }
        (last, seen) = (Some((subject, lane)), seen + 1);
    }
    Ok(last.filter(|_| seen == PAGE))
}

/// The step that was typed against the step that it was then, by the clock of the authenticator; the last used
/// first.
fn skews(
    db: &Connection,
    found: &mut Vec<(std::cmp::Reverse<i64>, i64)>,
    after: i64,
    now: Moment,
) -> Result<Option<i64>, Error> {
    let mut statement = db.prepare_cached(
        "SELECT id, last_used, (last_step - (last_used + drift) / period) * period FROM totp
         WHERE id > ?1 ORDER BY id LIMIT ?2",
    )?;
    let mut rows = statement.query((after, PAGE))?;
    let (mut last, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        let used: i64 = row.get(1)?;
        (last, seen) = (row.get(0)?, seen + 1);
        if (now.wall - RECENT..=now.wall).contains(&used) {
            found.push((std::cmp::Reverse(used), row.get(2)?));
        }
    }
    if found.len() > 2 * MOST {
        keep_first(found);
    }
    Ok((seen == PAGE).then_some(last))
}
