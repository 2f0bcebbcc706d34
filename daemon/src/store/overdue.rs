//! People whose time to get a factor is over, and who have none: what `doctor` names and `metrics` counts.

use super::pages::PAGE;
use super::worker::Store;
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::Connection;

/// People that are named at most: a report is read by somebody.
const NAMED: usize = 1000;

/// Who has no factor. An authenticator is one under any policy; a confirmed address only where `?4` says so.
const WITHOUT: &str =
    "NOT EXISTS (SELECT 1 FROM totp t JOIN person p USING (uid) WHERE t.uid = o.uid AND p.name = o.name)
    AND NOT (?4 AND EXISTS (SELECT 1 FROM address a WHERE a.uid = o.uid AND a.name = o.name))";

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Overdue {
    /// The first of those whose time is over, by name, and when it ended (seconds since 1970).
    pub people: Vec<(String, i64)>,
    /// How many there are.
    pub over: u64,
    /// People who are given time still.
    pub in_grace: u64,
}

impl Store {
    /// Looks for them. `mail` is whether an address is a factor under the policies in force.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn overdue(&self, mail: bool, now: Moment) -> Result<Overdue, Error> {
        let nobody = Overdue::default();
        let given = self
            .gather(nobody, -1_i64, move |db, found, after| given_time(db, found, *after, mail, now))
            .await?;
        let mut found = self
            .gather(given, (-1_i64, String::new()), move |db, found, after| {
                required(db, found, after, mail, now)
            })
            .await?;
        found.people.sort();
        Ok(found)
    }
}

impl Overdue {
    fn add(&mut self, name: String, until: i64) {
        self.over += 1;
        if self.people.len() < NAMED {
            self.people.push((name, until));
        }
    }
}

/// Those whom a policy has given time.
fn given_time(
    db: &Connection,
    found: &mut Overdue,
    after: i64,
    mail: bool,
    now: Moment,
) -> Result<Option<i64>, Error> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT uid, name, until, until <= ?1, {WITHOUT} FROM grace o WHERE uid > ?2 ORDER BY uid LIMIT ?3"
    ))?;
    let mut rows = statement.query((now.date, after, PAGE, mail))?;
    let (mut last, mut seen) = (after, 0);
    while let Some(row) = rows.next()? {
        (last, seen) = (row.get(0)?, seen + 1);
        match (row.get(4)?, row.get(3)?) {
            (false, _) => {}
            (true, true) => found.add(row.get(1)?, row.get(2)?),
            (true, false) => found.in_grace += 1,
        }
    }
    Ok((seen == PAGE).then_some(last))
}

/// Those of whom an administrator requires a factor by name, but those counted already.
fn required(
    db: &Connection,
    found: &mut Overdue,
    after: &(i64, String),
    mail: bool,
    now: Moment,
) -> Result<Option<(i64, String)>, Error> {
    let mut statement = db.prepare_cached(&format!(
        "SELECT uid, name, until, {WITHOUT}
           AND NOT EXISTS (SELECT 1 FROM grace g WHERE g.uid = o.uid AND g.name = o.name AND g.until <= ?1)
         FROM override o WHERE kind = 'require' AND until <= ?1 AND (uid, name) > (?2, ?5)
         ORDER BY uid, name LIMIT ?3"
    ))?;
    let mut rows = statement.query((now.date, after.0, PAGE, mail, &after.1))?;
    let (mut last, mut seen) = (None, 0);
    while let Some(row) = rows.next()? {
        let name: String = row.get(1)?;
        if row.get(3)? {
            found.add(name.clone(), row.get(2)?);
        }
        (last, seen) = (Some((row.get(0)?, name)), seen + 1);
    }
    Ok(last.filter(|_| seen == PAGE))
}
