//! The attempt log and the people, read again to try a policy on them.

use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use std::collections::{HashMap, HashSet};

/// One login of the past, as far as policies look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    /// Its row.
    pub id: i64,
    /// The login name; `None` for a name that was nobody's.
    pub user: Option<String>,
    /// The PAM service.
    pub service: String,
    /// An address, `local` or `unknown`.
    pub source: String,
    /// When it began, in seconds since 1970.
    pub started: i64,
}

impl Store {
    /// A page of the attempt log, newest first, from before a row: short, so that no login waits.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn past(&self, before: i64, limit: u32) -> Result<Vec<Past>, Error> {
        self.run(Durability::Kill, move |db| {
            let rows = db
                .prepare_cached(
                    "SELECT id, user, uid, service, source, started FROM login
                     WHERE id < ?1 ORDER BY id DESC LIMIT ?2",
                )?
                .query_map((before, limit), |r| {
                    let user: String = r.get(1)?;
                    let somebody = r.get::<_, Option<u32>>(2)?.is_some();
                    Ok(Past {
                        id: r.get(0)?,
                        user: somebody.then_some(user),
                        service: r.get(3)?,
                        source: r.get(4)?,
                        started: r.get(5)?,
                    })
                })?
                .collect::<Result<_, _>>()?;
            Ok(rows)
        })
        .await
    }

    /// A page of the people who have a factor (an authenticator or an unused recovery code), by uid.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn people_with_a_factor(
        &self,
        after: Option<u32>,
        limit: u32,
    ) -> Result<Vec<(u32, String)>, Error> {
        self.run(Durability::Kill, move |db| {
            let after = after.map_or(-1, i64::from);
            let people = db
                .prepare_cached(
                    "SELECT uid, name FROM person WHERE uid > ?1 AND
                       (EXISTS (SELECT 1 FROM totp WHERE totp.uid = person.uid) OR
                       EXISTS (SELECT 1 FROM recovery_code c WHERE c.uid = person.uid AND c.used_at IS NULL))
                     ORDER BY uid LIMIT ?2",
                )?
                .query_map((after, limit), |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect::<Result<_, _>>()?;
            Ok(people)
        })
        .await
    }

    /// Who holds an invitation now, and when whose grace began: the newest so many of each.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn newcomers(&self, limit: u32, now: Moment) -> Result<Newcomers, Error> {
        self.run(Durability::Kill, move |db| {
            let invited = db
                .prepare_cached(
                    "SELECT name FROM invitation WHERE boot = ?1 AND made_ms + lives_ms > ?2 LIMIT ?3",
                )?
                .query_map((now.boot, now.boot_ms, limit), |r| r.get(0))?
                .collect::<Result<_, _>>()?;
            let grace = db
                .prepare_cached("SELECT name, began FROM grace ORDER BY began DESC LIMIT ?1")?
                .query_map([limit], |r| Ok((r.get(0)?, r.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let addressed = db
                .prepare_cached("SELECT name FROM address ORDER BY confirmed DESC LIMIT ?1")?
                .query_map([limit], |r| r.get(0))?
                .collect::<Result<_, _>>()?;
            Ok(Newcomers { invited, grace, addressed })
        })
        .await
    }
}

/// People who may still be without a factor.
#[derive(Debug, Clone, Default)]
pub struct Newcomers {
    /// They hold an invitation.
    pub invited: HashSet<String>,
    /// When their grace began, in seconds since 1970.
    pub grace: HashMap<String, i64>,
    /// A mail address of theirs was set and confirmed.
    pub addressed: HashSet<String>,
}
