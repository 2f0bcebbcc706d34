//! The record of administrative acts: one row for each change that a call on the Manager interface makes,
//! in the transaction that makes it.
//!
//! What was before and what is after is read from the database itself, the same way for every method. So no
//! use case can say something else than it does, and a new one is recorded without a line of its own.

use super::chain::{self, read_act};
use super::worker::{Durability, Store};
use crate::act::Deed;
use crate::error::Error;
use countersign_protocol::manager::Act;
use rusqlite::{Connection, ToSql};

/// The acts of `countersignd --restore` and `--accept-older`.
pub(super) const PLACED: [&str; 2] = ["RestoreOffline", "AcceptOlder"];
/// Rows that one transaction looks at, so that no login waits long.
const SCANNED: u32 = 5000;

/// Runs a use case as part of a call, and records what it changes.
pub(super) fn recorded<T>(
    db: &Connection,
    deed: &Deed,
    work: impl FnOnce(&Connection) -> Result<T, Error>,
) -> Result<T, Error> {
    let before = if deed.acts { describe(db, deed)? } else { String::new() };
    let changes = db.total_changes();
    let done = work(db)?;
    if db.total_changes() == changes {
        return Ok(done);
    }
    if !deed.acts {
        // No method that is said to read can change anything unrecorded.
        return Err(Error::unavailable(format!("{} is not allowed to change anything", deed.verb)));
    }
    let after = describe(db, deed)?;
    // A second step of the same call that changes nothing to speak of is no act of its own.
    if !deed.recorded || before != after {
        insert(db, deed, &before, &after)?;
    }
    Ok(done)
}

pub(super) fn insert(db: &Connection, deed: &Deed, before: &str, after: &str) -> Result<(), Error> {
    let (uid, name) = deed.about.as_ref().map_or((None, ""), |(uid, name)| (Some(*uid), name.as_str()));
    db.prepare_cached(
        "INSERT INTO act (at, verb, actor, actor_name, loginuid, about, about_name, before, after, reason)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute((
        deed.at,
        &deed.verb,
        deed.actor,
        &deed.actor_name,
        deed.loginuid,
        uid,
        name,
        before,
        after,
        &deed.reason,
    ))?;
    Ok(())
}

/// Everything about a person that an act can change, each as a part of one line.
const PARTS: &[&str] = &[
    "SELECT 'uid ' || uid || ' kept as ' || name FROM person WHERE uid = ?1 AND name <> ?2",
    "SELECT 'authenticator \"' || name || '\"' || CASE drift WHEN 0 THEN '' ELSE ' ' || drift || ' s ahead' END
       FROM totp WHERE uid = ?1 ORDER BY id",
    "SELECT (count(c.id) - count(c.used_at)) || ' of ' || count(c.id) || CASE scratch WHEN 0 THEN ' recovery codes of ' ELSE ' scratch codes of ' END
            || strftime('%Y-%m-%d %H:%M:%SZ', s.created, 'unixepoch')
       FROM recovery_set s LEFT JOIN recovery_code c USING (uid) WHERE s.uid = ?1 GROUP BY s.uid",
    "SELECT 'enrolling \"' || label || '\"' || CASE tries WHEN 0 THEN '' ELSE ' after ' || tries || ' wrong codes' END
       FROM enrollment WHERE uid = ?1",
    "SELECT 'invited' || CASE tries WHEN 0 THEN '' ELSE ', ' || tries || ' wrong tries' END FROM invitation WHERE uid = ?1",
    "SELECT count(*) || ' enrollments in logins' FROM pending WHERE uid = ?1 HAVING count(*) > 0",
    "SELECT lane || ' lane: ' || failures || ' failures' FROM tally WHERE subject = 'uid:' || ?1 ORDER BY lane",
    "SELECT count(*) || ' remembered sources' FROM known_source WHERE uid = ?1 AND boot <> zeroblob(16) HAVING count(*) > 0",
    "SELECT CASE kind WHEN 'lock' THEN 'locked by an administrator'
            ELSE CASE kind WHEN 'exempt' THEN 'exempt until ' ELSE 'required from ' END || strftime('%Y-%m-%d %H:%M:%SZ', until, 'unixepoch') END
       FROM override WHERE name = ?2 ORDER BY uid, kind",
    "SELECT 'reset asked for by ' || requester_name || ', ' || (SELECT count(*) FROM reset_approval a WHERE a.request = r.id) || ' approvals'
       FROM reset_request r WHERE uid = ?1",
    // Masked, as everybody sees it but the person and root.
    "SELECT 'address ' || substr(address, 1, 1) || '***' || substr(address, instr(address, '@')) FROM address WHERE uid = ?1",
    "SELECT 'address ' || substr(address, 1, 1) || '***' || substr(address, instr(address, '@')) || ' waits for its code'
            || CASE tries WHEN 0 THEN '' ELSE ', ' || tries || ' wrong ones' END
       FROM address_pending WHERE uid = ?1",
    "SELECT laters || ' times later, until ' || strftime('%Y-%m-%d', until, 'unixepoch') FROM grace WHERE uid = ?1",
];

/// What the host is, for acts about nobody.
const HOST: &str = "SELECT 'latest date seen ' || strftime('%Y-%m-%d %H:%M:%SZ', high_water, 'unixepoch')
      || '; last backup ' || CASE backed_up WHEN 0 THEN 'never' ELSE strftime('%Y-%m-%d %H:%M:%SZ', backed_up, 'unixepoch') END
      || '; key ' || lower(hex(substr(sealed_by, 1, 4))) || '; ' || (SELECT count(*) FROM totp) || ' authenticators' FROM meta";

fn describe(db: &Connection, deed: &Deed) -> Result<String, Error> {
    let mut parts: Vec<String> = Vec::new();
    match &deed.about {
        None => parts.push(db.prepare_cached(HOST)?.query_row([], |r| r.get(0))?),
        Some((uid, name)) => {
            for part in PARTS {
                let mut statement = db.prepare_cached(part)?;
                // Some parts look for the uid, some for the name, some for both.
                let both: [&dyn ToSql; 2] = [uid, name];
                let wanted = statement.parameter_count();
                let mut rows = statement.query(&both[..wanted])?;
                while let Some(row) = rows.next()? {
                    parts.push(row.get(0)?);
                }
            }
        }
    }
    Ok(if parts.is_empty() { "nothing".into() } else { parts.join("; ") })
}

/// Which acts somebody asks for.
#[derive(Debug, Clone, Default)]
pub struct WhichActs {
    /// By or about this login name; empty is anybody.
    pub user: String,
    /// Not before this, in seconds since 1970.
    pub since: i64,
    /// Before this, in seconds since 1970; 0 is now.
    pub until: i64,
    /// The methods; none is all.
    pub verbs: Vec<String>,
}

impl WhichActs {
    fn has(&self, act: &Act) -> bool {
        (self.user.is_empty() || act.user == self.user || act.actor_name == self.user)
            && act.at >= self.since
            && (self.until == 0 || act.at < self.until)
            && (self.verbs.is_empty() || self.verbs.contains(&act.verb))
    }
}

impl Store {
    /// Records an act whose change is not in the database, before it is made. Blocks.
    ///
    /// # Errors
    /// When the store cannot be written; then the change must not be made.
    pub fn record(&self, deed: Deed, before: String, after: String) -> Result<(), Error> {
        self.run_blocking(Durability::Power, move |db| insert(db, &deed, &before, &after))
    }

    /// Records what somebody did elsewhere, as the act of the call that runs now.
    ///
    /// # Errors
    /// When the store cannot be written, or no call runs.
    pub async fn note_act(&self, verb: String, before: String, after: String) -> Result<(), Error> {
        let deed = crate::act::current().ok_or_else(|| Error::unavailable("nobody acts"))?;
        let deed = Deed { verb, ..deed };
        self.run_unrecorded(Durability::Power, move |db| insert(db, &deed, &before, &after)).await?;
        crate::act::recorded();
        Ok(())
    }

    /// A page of acts, newest first, from before a row (0: the newest). Also gives from where to go on;
    /// 0 is nowhere. A page may be empty and not the last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn acts(&self, which: WhichActs, before: i64, limit: u32) -> Result<(Vec<Act>, i64), Error> {
        self.run(Durability::Kill, move |db| {
            let before = if before <= 0 { i64::MAX } else { before };
            let mut statement = db.prepare_cached(&format!(
                "SELECT {} FROM act WHERE id < ?1 ORDER BY id DESC LIMIT {SCANNED}",
                chain::ACT
            ))?;
            let mut rows = statement.query([before])?;
            let (mut found, mut next, mut seen) = (Vec::new(), 0, 0);
            while let Some(row) = rows.next()? {
                let act = read_act(row)?;
                (next, seen) = (act.id, seen + 1);
                if which.has(&act) {
                    found.push(act);
                }
                if found.len() >= limit as usize {
                    return Ok((found, next));
                }
            }
            Ok((found, if seen < SCANNED { 0 } else { next }))
        })
        .await
    }
}
