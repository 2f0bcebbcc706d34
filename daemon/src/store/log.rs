//! Reading the attempt log: what somebody asks for, newest first or as it finishes.
//!
//! A page looks at a bounded number of rows, whether they fit or not, so that a question that nothing
//! answers holds no login up. One index finds them, the narrowest that the question allows; the rest of
//! the question is put to each row.

use super::answer::LOGIN_LIVES_MS;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use countersign_config::Network;
use countersign_protocol::manager::Login;
use rusqlite::{Connection, Row, ToSql};
use std::net::IpAddr;

const COLUMNS: &str = "id, user, uid, ruser, service, program, tty, source, policy,
    CASE WHEN state = 'asked' AND (boot <> ?1 OR started_ms < ?2) THEN 'abandoned' ELSE state END,
    factor, reason, started, tries, last_try, confirmed, phase";

/// Rows that one transaction looks at. Some milliseconds.
const SCANNED: u32 = 5000;
/// Seconds that the account phase of a login may take before it is shown as it is.
const PATIENCE: i64 = 3;
/// States that few logins end in; `login_by_state` has these.
const RARE: [&str; 5] = ["denied", "locked", "would-ask", "abandoned", "enrolled"];

/// Where logins come from that somebody asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whence {
    /// `local`, `unknown` or an address, as the log has it.
    Exactly(String),
    /// A network.
    Network(Network),
}

impl Whence {
    fn has(&self, source: &str) -> bool {
        match self {
            Self::Exactly(one) => one == source,
            Self::Network(network) => source.parse::<IpAddr>().is_ok_and(|address| network.contains(address)),
        }
    }
}

/// Which logins somebody asks for. What is empty or 0 is not asked about.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// The login name.
    pub user: String,
    /// Only where it has this uid.
    pub uid: Option<u32>,
    /// Not begun before this, in seconds since 1970.
    pub since: i64,
    /// Begun before this, in seconds since 1970.
    pub until: i64,
    /// Any of these.
    pub states: Vec<String>,
    /// The PAM service.
    pub service: String,
    /// Where from.
    pub from: Option<Whence>,
    /// The policy that decided.
    pub policy: String,
}

impl Which {
    fn has(&self, login: &Login) -> bool {
        let fits = |wanted: &String, is: &String| wanted.is_empty() || wanted == is;
        fits(&self.user, &login.user)
            && self.uid.is_none_or(|uid| login.uid == i64::from(uid))
            && login.started >= self.since
            && (self.until == 0 || login.started < self.until)
            && (self.states.is_empty() || self.states.contains(&login.state))
            && fits(&self.service, &login.service)
            && self.from.as_ref().is_none_or(|from| from.has(&login.source))
            && fits(&self.policy, &login.policy)
    }

    /// The narrowest index for it, and what is looked up there.
    fn index(&self) -> Option<(&'static str, &'static str, String)> {
        let rare = match self.states.as_slice() {
            [one] if RARE.contains(&one.as_str()) => Some(one),
            _ => None,
        };
        if !self.user.is_empty() {
            return Some(("login_by_user", "user", self.user.clone()));
        }
        if let Some(Whence::Exactly(source)) = &self.from {
            return Some(("login_by_source", "source", source.clone()));
        }
        if let Some(state) = rare {
            return Some(("login_by_state", "state", state.clone()));
        }
        if !self.service.is_empty() {
            return Some(("login_by_service", "service", self.service.clone()));
        }
        if !self.policy.is_empty() {
            return Some(("login_by_policy", "policy", self.policy.clone()));
        }
        None
    }
}

/// Where the reading of the log stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// Rows before this one come next.
    pub before: i64,
    /// No row up to this one fits.
    pub floor: i64,
}

impl Store {
    /// A page of logins, newest first, from a position; `None` is the newest. Also gives from where to go
    /// on; `None` is nowhere. A page may be empty and not the last. A login that was never answered and
    /// whose time is over reads as abandoned.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn logins(
        &self,
        which: Which,
        from: Option<Position>,
        limit: u32,
        now: Moment,
    ) -> Result<(Vec<Login>, Option<Position>), Error> {
        let from = match from {
            Some(from) => from,
            None => self.bounds(which.since, which.until).await?,
        };
        self.run(Durability::Kill, move |db| page(db, &which, from, limit, now)).await
    }

    /// Between which rows all those are that began in this time. The clock of a host may jump: rows are
    /// not in the order of it, and what was begun in a time is found by the index of times alone.
    async fn bounds(&self, since: i64, until: i64) -> Result<Position, Error> {
        let mut found = Position { before: i64::MAX, floor: 0 };
        if since > 0 {
            let least = self.each_of_time(since, i64::MAX, "min").await?;
            found.floor = least.map_or(i64::MAX, |id| id - 1);
        }
        if until > 0 {
            found.before = self.each_of_time(i64::MIN, until, "max").await?.map_or(0, |id| id + 1);
        }
        Ok(found)
    }

    /// The first (`min`) or last (`max`) row that began in this time, some rows at a time.
    async fn each_of_time(&self, since: i64, until: i64, which: &'static str) -> Result<Option<i64>, Error> {
        /// A covering index is quicker than rows.
        const AT_ONCE: u32 = 4 * SCANNED;
        let mut found: Option<i64> = None;
        let mut from = since;
        loop {
            let (ids, last, rows): (Option<i64>, Option<i64>, u32) = self
                .run(Durability::Kill, move |db| {
                    Ok(db
                        .prepare_cached(&format!(
                            "SELECT {which}(id), max(started), count(*) FROM
                               (SELECT id, started FROM login INDEXED BY login_by_started
                                WHERE started >= ?1 AND started < ?2 ORDER BY started LIMIT {AT_ONCE})"
                        ))?
                        .query_row((from, until), |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?)
                })
                .await?;
            found = match (found, ids) {
                (Some(one), Some(other)) => {
                    Some(if which == "min" { one.min(other) } else { one.max(other) })
                }
                (one, other) => one.or(other),
            };
            // The last second is read again, for it may go on. One that fills a page by itself is left.
            match last {
                Some(last) if rows == AT_ONCE => from = if last > from { last } else { last + 1 },
                _ => return Ok(found),
            }
        }
    }

    /// Logins that were finished after this link of the chain, in that order; below 0 gives none, and the
    /// last link. Also gives from where to go on. A login is given when its account phase is over, or
    /// after some seconds, and again if something changes later.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn finished(
        &self,
        which: Which,
        after: i64,
        limit: u32,
        now: Moment,
    ) -> Result<(Vec<Login>, i64), Error> {
        self.run(Durability::Kill, move |db| {
            if after < 0 {
                let last = db.prepare_cached("SELECT links FROM chain")?.query_row([], |r| r.get(0))?;
                return Ok((Vec::new(), last));
            }
            let mut statement = db.prepare_cached(&format!(
                "SELECT {COLUMNS}, seq FROM (SELECT seq, login FROM link WHERE seq > ?3 ORDER BY seq LIMIT {SCANNED}) k
                 LEFT JOIN login ON login.id = k.login AND login.link = k.seq ORDER BY seq"
            ))?;
            let mut rows = statement.query((now.boot, now.boot_ms - LOGIN_LIVES_MS, after))?;
            let (mut found, mut next) = (Vec::new(), after);
            while let Some(row) = rows.next()? {
                let seq = row.get(17)?;
                if row.get::<_, Option<i64>>(0)?.is_some() {
                    let login = read(row)?;
                    let waits = row.get::<_, i64>(16)? < 3;
                    if waits && (0..PATIENCE).contains(&(now.wall - login.started.max(login.last_try))) {
                        break;
                    }
                    if which.has(&login) {
                        found.push(login);
                    }
                }
                next = seq;
                if found.len() >= limit as usize {
                    break;
                }
            }
            Ok((found, next))
        })
        .await
    }
}

fn page(
    db: &Connection,
    which: &Which,
    from: Position,
    limit: u32,
    now: Moment,
) -> Result<(Vec<Login>, Option<Position>), Error> {
    let (hint, value) = match which.index() {
        Some((index, column, value)) => (format!("INDEXED BY {index} WHERE {column} = ?6 AND"), Some(value)),
        None => ("WHERE".to_owned(), None),
    };
    // SQLite takes a partial index only where the words of its condition stand in the question.
    let rare = match &value {
        Some(_) if hint.contains("login_by_state") => {
            "state IN ('denied', 'locked', 'would-ask', 'abandoned', 'enrolled') AND"
        }
        _ => "",
    };
    let mut statement = db.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM login {hint} {rare} id < ?3 AND id > ?4 ORDER BY id DESC LIMIT ?5"
    ))?;
    let dead = now.boot_ms - LOGIN_LIVES_MS;
    let mut values: Vec<&dyn ToSql> = vec![&now.boot, &dead, &from.before, &from.floor, &SCANNED];
    values.extend(value.as_ref().map(|value| value as &dyn ToSql));
    let mut rows = statement.query(values.as_slice())?;
    let (mut found, mut seen) = (Vec::new(), 0);
    let mut next = from;
    while let Some(row) = rows.next()? {
        (next.before, seen) = (row.get(0)?, seen + 1);
        let login = read(row)?;
        if which.has(&login) {
            found.push(login);
        }
        if found.len() >= limit as usize {
            return Ok((found, Some(next)));
        }
    }
    Ok((found, (seen == SCANNED).then_some(next)))
}

/// Reads a login from the columns that come first in any question here.
pub(super) fn read(r: &Row<'_>) -> rusqlite::Result<Login> {
    Ok(Login {
        id: r.get(0)?,
        user: r.get(1)?,
        uid: r.get::<_, Option<i64>>(2)?.unwrap_or(-1),
        ruser: r.get(3)?,
        service: r.get(4)?,
        program: r.get(5)?,
        tty: r.get(6)?,
        source: r.get(7)?,
        policy: r.get(8)?,
        state: r.get(9)?,
        factor: r.get(10)?,
        reason: r.get(11)?,
        started: r.get(12)?,
        tries: r.get(13)?,
        last_try: r.get(14)?,
        confirmed: r.get(15)?,
    })
}
