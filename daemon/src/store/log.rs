//! Reading the attempt log.

use super::answer::LOGIN_LIVES_MS;
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use countersign_protocol::manager::Login;
use rusqlite::Row;

const COLUMNS: &str = "id, user, uid, ruser, service, program, tty, source, policy,
    CASE WHEN state = 'asked' AND (boot <> ?1 OR started_ms < ?2) THEN 'abandoned' ELSE state END,
    factor, reason, started, tries, last_try, confirmed";

/// Rows that one transaction prunes at most, so that no login waits long.
const PRUNED_AT_ONCE: u32 = 500;

impl Store {
    /// Removes the oldest rows of the attempt log that began before a date (seconds since 1970), a
    /// few at a time. Gives how many went; 0 is that none are left.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune(&self, before: i64) -> Result<usize, Error> {
        self.run(Durability::Kill, move |db| {
            Ok(db.execute(
                "DELETE FROM login WHERE id IN (SELECT id FROM login ORDER BY id LIMIT ?1) AND started < ?2",
                (PRUNED_AT_ONCE, before),
            )?)
        })
        .await
    }

    /// A page of logins, newest first: everybody's, or those of one name, or of one name and uid. A login that was never
    /// answered and whose time is over reads as abandoned.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn logins(
        &self,
        of: Option<String>,
        only: Option<u32>,
        before: i64,
        limit: u32,
        now: Moment,
    ) -> Result<Vec<Login>, Error> {
        self.run(Durability::Kill, move |db| {
            let dead = now.boot_ms - LOGIN_LIVES_MS;
            let before = if before <= 0 { i64::MAX } else { before };
            let found = match of {
                None => db
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM login WHERE id < ?3 ORDER BY id DESC LIMIT ?4"
                    ))?
                    .query_map((now.boot, dead, before, limit), read)?
                    .collect::<Result<Vec<_>, _>>()?,
                Some(user) => db
                    .prepare_cached(&format!(
                        "SELECT {COLUMNS} FROM login WHERE user = ?5 AND (?6 IS NULL OR uid = ?6) AND id < ?3 ORDER BY id DESC LIMIT ?4"
                    ))?
                    .query_map((now.boot, dead, before, limit, user, only), read)?
                    .collect::<Result<Vec<_>, _>>()?,
            };
            Ok(found)
        })
        .await
    }
}

fn read(r: &Row<'_>) -> rusqlite::Result<Login> {
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
