//! How many people and rows there are, for metrics: a page of people at a time, so that no login waits.

use super::ends::Head;
use super::tally;
use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::decide::throttle::{Cap, Lane, Tally};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, HashSet};

/// People that one transaction looks at.
const AT_ONCE: u32 = 1000;
/// Recovery codes below which somebody runs out of them.
const FEW: i64 = 3;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// People with an authenticator.
    pub enrolled: u64,
    /// People with recovery codes, few of which are left.
    pub few_codes: u64,
    /// People whose time without a factor is over and who have none.
    pub past_date: u64,
    /// People who are given time still, and have none.
    pub in_grace: u64,
    /// Lanes that are closed now, by their word; `all` is the cap.
    pub locks: BTreeMap<&'static str, u64>,
    /// By the policy that decided their last login: people, and those of them with an authenticator.
    pub policies: BTreeMap<String, (u64, u64)>,
    /// Logins and acts that are kept.
    pub rows: (u64, u64),
    /// Whether the ends of the log fit.
    pub chain_fits: bool,
}

/// Where one page ended.
type Next<T> = Result<Option<T>, Error>;

impl Store {
    /// Counts everybody.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn census(&self, cap: Cap, now: Moment) -> Result<Census, Error> {
        let mut census = self.run(Durability::Kill, move |db| grace_and_rows(db, now)).await?;
        let mut after = Some(-1);
        while let Some(from) = after {
            (census, after) = self
                .run(Durability::Kill, move |db| {
                    let after = people(db, &mut census, from)?;
                    Ok((census, after))
                })
                .await?;
        }
        let mut after = Some(String::new());
        while let Some(from) = after {
            (census, after) = self
                .run(Durability::Kill, move |db| {
                    let after = policies(db, &mut census, &from)?;
                    Ok((census, after))
                })
                .await?;
        }
        let mut after = Some((String::new(), String::new()));
        while let Some(from) = after {
            (census, after) = self
                .run(Durability::Kill, move |db| {
                    let after = locks(db, &mut census, &from, cap, now)?;
                    Ok((census, after))
                })
                .await?;
        }
        Ok(census)
    }
}

fn grace_and_rows(db: &Connection, now: Moment) -> Result<Census, Error> {
    let without = "NOT EXISTS (SELECT 1 FROM totp WHERE totp.uid = grace.uid)";
    let (past_date, in_grace): (i64, i64) = db.query_row(
        &format!(
            "SELECT count(*) FILTER (WHERE until <= ?1), count(*) FILTER (WHERE until > ?1) FROM grace WHERE {without}"
        ),
        [now.date],
        |r| Ok((r.get(0)?, r.get(1)?)),
    )?;
    let head = Head::read(db)?;
    let kept = |last: i64, first: i64| u64::try_from(last - first).unwrap_or(0);
    Ok(Census {
        past_date: past_date.unsigned_abs(),
        in_grace: in_grace.unsigned_abs(),
        rows: (kept(head.last_login, head.floor), kept(head.acts, head.first_act)),
        chain_fits: head.broken == 0,
        ..Census::default()
    })
}

fn people(db: &Connection, census: &mut Census, after: i64) -> Next<i64> {
    let mut statement = db.prepare_cached(
        "SELECT uid, EXISTS (SELECT 1 FROM totp WHERE totp.uid = person.uid),
                (SELECT count(*) - count(used_at) FROM recovery_code c WHERE c.uid = person.uid)
         FROM person WHERE uid > ?1 ORDER BY uid LIMIT ?2",
    )?;
    let mut rows = statement.query((after, AT_ONCE))?;
    let (mut last, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        let (has_app, codes): (bool, i64) = (row.get(1)?, row.get(2)?);
        (last, seen) = (row.get(0)?, seen + 1);
        census.enrolled += u64::from(has_app);
        census.few_codes += u64::from(codes < FEW);
    }
    Ok((seen == AT_ONCE).then_some(last))
}

/// Each name that is somebody's, by the index of names: one jump for a name, however many logins it has.
fn policies(db: &Connection, census: &mut Census, after: &str) -> Next<String> {
    let mut next = db.prepare_cached("SELECT min(user) FROM login WHERE user > ?1")?;
    let mut last = db.prepare_cached(
        "SELECT policy, uid IS NOT NULL, EXISTS (SELECT 1 FROM totp WHERE totp.uid = login.uid)
         FROM login WHERE user = ?1 ORDER BY id DESC LIMIT 1",
    )?;
    let mut after = after.to_owned();
    for _ in 0..AT_ONCE {
        let Some(user) = next.query_row([&after], |r| r.get::<_, Option<String>>(0))? else {
            return Ok(None);
        };
        // Names that nobody has are written so, and there may be any number.
        if user.starts_with("unknown:") {
            after = "unknown;".into();
            continue;
        }
        let found: Option<(String, bool, bool)> =
            last.query_row([&user], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?))).optional()?;
        if let Some((policy, true, has_app)) = found {
            let people = census.policies.entry(policy).or_default();
            people.0 += 1;
            people.1 += u64::from(has_app);
        }
        after = user;
    }
    Ok(Some(after))
}

fn locks(
    db: &Connection,
    census: &mut Census,
    after: &(String, String),
    cap: Cap,
    now: Moment,
) -> Next<(String, String)> {
    let mut statement = db.prepare_cached(
        "SELECT subject, lane, failures, boot, last_ms FROM tally
         WHERE subject > ?1 OR (subject = ?1 AND lane > ?2) ORDER BY subject, lane LIMIT ?3",
    )?;
    let mut rows = statement.query((&after.0, &after.1, AT_ONCE))?;
    let (mut last, mut seen) = (None, 0);
    let known: HashSet<&'static str> =
        [Lane::Console, Lane::Known, Lane::Other, Lane::Recovery, Lane::Source].map(Lane::as_str).into();
    while let Some(row) = rows.next()? {
        let (subject, lane): (String, String) = (row.get(0)?, row.get(1)?);
        let tally = Tally { failures: row.get(2)?, last: Some(Stamp { boot: row.get(3)?, ms: row.get(4)? }) };
        let closed = match lane.as_str() {
            word if word == Lane::All.as_str() => cap.closes(&tally, now).is_some(),
            word => tally::lane_of(word).is_some_and(|lane| tally.closed_for(lane, now) > 0),
        };
        let word = known.get(lane.as_str()).copied().unwrap_or("all");
        *census.locks.entry(word).or_default() += u64::from(closed);
        (last, seen) = (Some((subject, lane)), seen + 1);
    }
    Ok(last.filter(|_| seen == AT_ONCE))
}
