//! How many people and rows there are, for metrics: a page of people at a time, so that no login waits.

use super::ends::Head;
use super::pages::PAGE;
use super::tally;
use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::decide::throttle::{Cap, Lane, Tally};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use std::collections::{BTreeMap, HashSet};

/// Recovery codes below which somebody runs out of them.
const FEW: i64 = 3;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// People with an authenticator, or with an address where that is a factor.
    pub enrolled: u64,
    /// People with recovery codes, few of which are left.
    pub few_codes: u64,
    /// People whose time without a factor is over and who have none.
    pub past_date: u64,
    /// People who are given time still, and have none.
    pub in_grace: u64,
    /// Lanes that are closed now, by their word; `all` is the cap.
    pub locks: BTreeMap<&'static str, u64>,
    /// People by the policy that decided their last login.
    pub policies: BTreeMap<String, Coverage>,
    /// Logins and acts that are kept.
    pub rows: (u64, u64),
    /// Whether the ends of the log fit.
    pub chain_fits: bool,
}

/// People whose last login one policy decided, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Coverage {
    /// With an authenticator and no address that was set.
    pub app: u64,
    /// With such an address and no authenticator.
    pub address: u64,
    /// With both.
    pub both: u64,
    /// With neither.
    pub none: u64,
}

/// Where one page ended.
type Next<T> = Result<Option<T>, Error>;

impl Store {
    /// Counts everybody. `mail` is whether an address is a factor under the policies in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn census(&self, cap: Cap, mail: bool, now: Moment) -> Result<Census, Error> {
        let overdue = self.overdue(mail, now).await?;
        let enrolled = self.enrolled(mail).await?;
        let census = self.run(Durability::Kill, rows).await?;
        let census = Census { enrolled, past_date: overdue.over, in_grace: overdue.in_grace, ..census };
        let census = self.gather(census, -1_i64, |db, census, after| people(db, census, *after)).await?;
        let census =
            self.gather(census, String::new(), |db, census, after| policies(db, census, after)).await?;
        let first = (String::new(), String::new());
        self.gather(census, first, move |db, census, after| locks(db, census, after, cap, now)).await
    }

    /// How many people have an authenticator, or an address where `mail` says that it is a factor.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn enrolled(&self, mail: bool) -> Result<u64, Error> {
        let count = self.gather(0, -1_i64, |db, count, after| apps(db, count, *after)).await?;
        if !mail {
            return Ok(count);
        }
        self.gather(count, -1_i64, |db, count, after| addresses_alone(db, count, *after)).await
    }

    /// Whether anybody has a factor that a backup would bring back.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn holds_factors(&self) -> Result<bool, Error> {
        self.run(Durability::Kill, |db| {
            let asked = "SELECT EXISTS (SELECT 1 FROM totp) OR EXISTS (SELECT 1 FROM address)";
            Ok(db.query_row(asked, [], |r| r.get(0))?)
        })
        .await
    }
}

fn apps(db: &Connection, count: &mut u64, after: i64) -> Next<i64> {
    let mut statement =
        db.prepare_cached("SELECT DISTINCT uid FROM totp WHERE uid > ?1 ORDER BY uid LIMIT ?2")?;
    let mut rows = statement.query((after, PAGE))?;
    let (mut last, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        (last, seen) = (row.get(0)?, seen + 1);
    }
    *count += u64::from(seen);
    Ok((seen == PAGE).then_some(last))
}

fn addresses_alone(db: &Connection, count: &mut u64, after: i64) -> Next<i64> {
    let mut statement = db.prepare_cached(
        "SELECT uid, EXISTS (SELECT 1 FROM totp WHERE totp.uid = address.uid)
         FROM address WHERE uid > ?1 ORDER BY uid LIMIT ?2",
    )?;
    let mut rows = statement.query((after, PAGE))?;
    let (mut last, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        let has_app: bool = row.get(1)?;
        (last, seen) = (row.get(0)?, seen + 1);
        *count += u64::from(!has_app);
    }
    Ok((seen == PAGE).then_some(last))
}

fn rows(db: &Connection) -> Result<Census, Error> {
    let head = Head::read(db)?;
    let kept = |last: i64, first: i64| u64::try_from(last - first).unwrap_or(0);
    Ok(Census {
        rows: (kept(head.last_login, head.floor), kept(head.acts, head.first_act)),
        chain_fits: head.broken == 0,
        ..Census::default()
    })
}

fn people(db: &Connection, census: &mut Census, after: i64) -> Next<i64> {
    let mut statement = db.prepare_cached(
        "SELECT uid, (SELECT count(*) - count(used_at) FROM recovery_code c WHERE c.uid = person.uid)
         FROM person WHERE uid > ?1 ORDER BY uid LIMIT ?2",
    )?;
    let mut rows = statement.query((after, PAGE))?;
    let (mut last, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        let codes: i64 = row.get(1)?;
        (last, seen) = (row.get(0)?, seen + 1);
        census.few_codes += u64::from(codes < FEW);
    }
    Ok((seen == PAGE).then_some(last))
}

/// Each name that is somebody's, by the index of names: one jump for a name, however many logins it has.
fn policies(db: &Connection, census: &mut Census, after: &str) -> Next<String> {
    let mut next = db.prepare_cached("SELECT min(user) FROM login WHERE user > ?1")?;
    let mut last = db.prepare_cached(
        "SELECT policy, uid IS NOT NULL, EXISTS (SELECT 1 FROM totp WHERE totp.uid = login.uid),
                EXISTS (SELECT 1 FROM address a WHERE a.uid = login.uid AND a.name = login.user)
         FROM login WHERE user = ?1 ORDER BY id DESC LIMIT 1",
    )?;
    let mut after = after.to_owned();
    for _ in 0..PAGE {
        let Some(user) = next.query_row([&after], |r| r.get::<_, Option<String>>(0))? else {
            return Ok(None);
        };
        // Names that nobody has are written so, and there may be any number.
        if user.starts_with("unknown:") {
            after = "unknown;".into();
            continue;
        }
        let found: Option<(String, bool, (bool, bool))> =
            last.query_row([&user], |r| Ok((r.get(0)?, r.get(1)?, (r.get(2)?, r.get(3)?)))).optional()?;
        if let Some((policy, true, has)) = found {
            let people = census.policies.entry(policy).or_default();
            *match has {
                (true, true) => &mut people.both,
                (true, false) => &mut people.app,
                (false, true) => &mut people.address,
                (false, false) => &mut people.none,
            } += 1;
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
    let mut rows = statement.query((&after.0, &after.1, PAGE))?;
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
    Ok(last.filter(|_| seen == PAGE))
}
