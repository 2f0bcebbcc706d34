//! What the attempt log says of an open session.

use super::worker::{Durability, Store};
use crate::error::Error;
use rusqlite::OptionalExtension;

/// Seconds that may lie between the end of a login and the start of its session.
const BEFORE: i64 = 120;
/// Seconds by which the clocks of logind and of the log may disagree.
const AFTER: i64 = 5;

/// What is known of one open session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionFacts {
    /// The person has a factor.
    pub enrolled: bool,
    /// The login that opened it was verified and confirmed; or it came from a source that was, and
    /// is remembered.
    pub passed: bool,
}

impl Store {
    /// What is known of a session of this person and service that began at `since` (seconds since
    /// 1970). Its login is the last one that let them in shortly before.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn session_facts(
        &self,
        uid: u32,
        user: String,
        service: String,
        since: i64,
    ) -> Result<SessionFacts, Error> {
        self.run(Durability::Kill, move |db| {
            let enrolled = db
                .prepare_cached(
                    "SELECT 1 FROM person WHERE uid = ?1 AND name = ?2 AND
                       (EXISTS (SELECT 1 FROM totp WHERE totp.uid = person.uid) OR
                        EXISTS (SELECT 1 FROM recovery_code c WHERE c.uid = person.uid AND c.used_at IS NULL))",
                )?
                .exists((uid, &user))?;
            let let_in: Option<(String, String, bool)> = db
                .prepare_cached(
                    "SELECT state, reason, confirmed FROM login
                     WHERE user = ?1 AND uid = ?2 AND service = ?3
                       AND (confirmed = 1 OR state IN ('skipped', 'would-ask'))
                       AND max(started, last_try) BETWEEN ?4 AND ?5
                     ORDER BY max(started, last_try) DESC, id DESC LIMIT 1",
                )?
                .query_row((&user, uid, &service, since - BEFORE, since + AFTER), |r| {
                    Ok((r.get(0)?, r.get(1)?, r.get(2)?))
                })
                .optional()?;
            let passed = let_in.is_some_and(|(state, reason, confirmed)| match state.as_str() {
                "verified" | "enrolled" => confirmed,
                "skipped" => reason == "remembered",
                _ => false,
            });
            Ok(SessionFacts { enrolled, passed })
        })
        .await
    }
}
