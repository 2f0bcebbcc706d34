//! The date that the age of the log is counted from.
//!
//! It is not the wall clock: one that jumps ahead by a year would have a year of evidence removed within
//! the hour. It follows the wall clock at the pace at which this host runs, and a little faster, so that
//! what a host slept through is caught up with. A clock that is wrong for an hour costs a day of the log.

use super::ends::Head;
use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::error::Error;
use rusqlite::Connection;

/// How much faster than time it follows at most, and by how much in one step: a day in an hour.
const CATCHES_UP: i64 = 23;
const IN_ONE_STEP: i64 = 23 * 3600;

impl Store {
    /// The date that age is counted from now, in seconds since 1970. Nothing is written.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn age_counts_from(&self, now: Moment) -> Result<i64, Error> {
        self.run(Durability::Kill, move |db| from(db, now)).await
    }

    /// Goes on with it; to be called now and then while the host runs.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn let_age(&self, now: Moment) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            let to = from(db, now)?;
            db.execute(
                "UPDATE chain SET kept_to = ?1, kept_boot = ?2, kept_ms = ?3",
                (to, now.boot, now.boot_ms),
            )?;
            Ok(())
        })
        .await
    }
}

fn from(db: &Connection, now: Moment) -> Result<i64, Error> {
    let head = Head::read(db)?;
    let oldest: Option<i64> = db
        .prepare_cached(
            "SELECT min(t) FROM (SELECT * FROM (SELECT started AS t FROM login ORDER BY id LIMIT 1)
               UNION ALL SELECT * FROM (SELECT at AS t FROM act ORDER BY id LIMIT 1)
               UNION ALL SELECT * FROM (SELECT at AS t FROM notice ORDER BY id LIMIT 1))",
        )?
        .query_row([], |r| r.get(0))?;
    let boot: Option<[u8; 16]> = head.kept_boot.try_into().ok();
    let before = boot.map(|boot| (head.kept_to, Stamp { boot, ms: head.kept_ms }));
    Ok(follow(before, oldest, now))
}

/// One step. What it was and when comes from the row of both ends; `oldest` is when the oldest row began,
/// and being no further than that removes nothing.
fn follow(before: Option<(i64, Stamp)>, oldest: Option<i64>, now: Moment) -> i64 {
    let went = before.map_or(0, |(to, set)| {
        let passed = now.since(set) / 1000;
        to.saturating_add(passed).saturating_add(passed.saturating_mul(CATCHES_UP).min(IN_ONE_STEP))
    });
    went.max(oldest.unwrap_or(now.wall)).min(now.wall)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3600;
    const DAY: i64 = 24 * HOUR;
    const YEAR: i64 = 365 * DAY;

    fn at(wall: i64, boot_ms: i64, boot: u8) -> Moment {
        Moment { wall, date: wall, boot_ms, boot: [boot; 16] }
    }

    /// Goes on once an hour for so many hours with a clock that is ahead by this.
    fn run(from: i64, hours: i64, ahead: i64) -> i64 {
        let set = |hour: i64| Stamp { boot: [1; 16], ms: hour * HOUR * 1000 };
        (1..=hours).fold(from, |to, hour| {
            follow(Some((to, set(hour - 1))), Some(0), at(from + ahead + hour * HOUR, hour * HOUR * 1000, 1))
        })
    }

    #[test]
    fn adm_09_age_follows_a_clock_that_jumps_ahead_by_a_day_in_an_hour() {
        let now = 1_800_000_000;
        assert_eq!(run(now, 1000, 0), now + 1000 * HOUR, "an honest clock");
        assert_eq!(run(now, 1, YEAR), now + DAY);
        assert_eq!(run(now, 10, YEAR), now + 10 * DAY);
        assert_eq!(run(now, 500, YEAR), now + YEAR + 500 * HOUR, "it was right after all");
        // Back again: what was gone ahead is taken back, and cannot be used later.
        assert_eq!(
            follow(Some((now + YEAR, Stamp { boot: [1; 16], ms: 0 })), Some(0), at(now, 1000, 1)),
            now
        );
    }

    #[test]
    fn adm_09_age_counts_what_ran_and_not_restarts() {
        let now = 1_800_000_000;
        let set = Stamp { boot: [1; 16], ms: 0 };
        // Started again and again within a minute: nothing is gained.
        assert_eq!(follow(Some((now, set)), Some(0), at(now + YEAR, 60_000, 1)), now + 24 * 60);
        // Another boot, a minute ago, after a year in a drawer or with a clock that lies.
        assert_eq!(follow(Some((now, set)), Some(0), at(now + YEAR, 60_000, 2)), now + 24 * 60);
        // The daemon was off for a year while the host ran.
        let later = follow(Some((now, set)), Some(0), at(now + 2 * YEAR, YEAR * 1000, 1));
        assert_eq!(later, now + YEAR + 23 * HOUR);
    }

    #[test]
    fn age_begins_with_the_oldest_row() {
        let now = 1_800_000_000;
        assert_eq!(follow(None, None, at(now, 1, 1)), now);
        assert_eq!(follow(None, Some(now - YEAR), at(now, 1, 1)), now - YEAR);
        // A log that was begun by a clock of 1970 is not kept for fifty years.
        let set = Stamp { boot: [1; 16], ms: 0 };
        assert_eq!(follow(Some((100, set)), Some(now - DAY), at(now, 1000, 1)), now - DAY);
    }
}
