//! Nobody but root may begin more logins than a person can, or have more calls open than a person needs: a
//! local user who floods the daemon is told to wait, and everybody else is served.

use crate::error::Error;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Logins that one uid may begin at once.
const BURST: u32 = 20;
/// Time after which one more is allowed.
const REFILL: Duration = Duration::from_secs(1);
/// Uids that are remembered; a full table forgets those that have waited long enough.
const REMEMBERED: usize = 4096;

/// How much each uid has left.
#[derive(Debug, Default)]
pub(super) struct Fairness {
    spent: Mutex<HashMap<u32, (Instant, u32)>>,
}

impl Fairness {
    /// Lets a caller begin a login, or not.
    ///
    /// # Errors
    /// `Busy` when this uid began too many.
    pub(super) fn admit(&self, uid: u32, now: Instant) -> Result<(), Error> {
        if uid == 0 {
            return Ok(());
        }
        let busy = || Error::Busy("too many logins begun; wait a moment".into());
        let mut spent = self.spent.lock().unwrap_or_else(PoisonError::into_inner);
        if spent.len() >= REMEMBERED && !spent.contains_key(&uid) {
            spent.retain(|_, (since, count)| remaining(*count, now.duration_since(*since)) > 0);
            if spent.len() >= REMEMBERED {
                return Err(busy());
            }
        }
        let (since, count) = spent.entry(uid).or_insert((now, 0));
        *count = remaining(*count, now.duration_since(*since));
        // Keep the fraction of a refill that has passed.
        let whole = now.duration_since(*since).as_secs() / REFILL.as_secs();
        *since += REFILL * u32::try_from(whole).unwrap_or(u32::MAX);
        if *count >= BURST {
            return Err(busy());
        }
        *count += 1;
        Ok(())
    }
}

/// Counts what each uid has open.
#[derive(Debug)]
pub(super) struct Open {
    open: Mutex<HashMap<u32, u32>>,
    of_one: u32,
    in_all: u32,
}

/// Something that is open. Dropped, it no longer counts.
pub(super) struct Opened<'a> {
    open: &'a Open,
    uid: u32,
}

impl Open {
    /// So many of one uid, and so many in all, may be open at a time.
    pub(super) fn at_most(of_one: u32, in_all: u32) -> Self {
        Self { open: Mutex::default(), of_one, in_all }
    }

    /// Opens one more; `None` where there are too many.
    pub(super) fn one(&self, uid: u32) -> Option<Opened<'_>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if open.values().sum::<u32>() >= self.in_all || open.get(&uid).is_some_and(|n| *n >= self.of_one) {
            return None;
        }
        *open.entry(uid).or_insert(0) += 1;
        Some(Opened { open: self, uid })
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        let mut open = self.open.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = open.get_mut(&self.uid) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.uid);
            }
        }
    }
}

fn remaining(count: u32, passed: Duration) -> u32 {
    count.saturating_sub(u32::try_from(passed.as_secs() / REFILL.as_secs()).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn avl_05_a_burst_then_one_a_second_and_root_always() {
        let fairness = Fairness::default();
        let start = Instant::now();
        for _ in 0..BURST {
            assert!(fairness.admit(1000, start).is_ok());
        }
        assert!(fairness.admit(1000, start).is_err());
        assert!(fairness.admit(1001, start).is_ok(), "others are not held up");
        assert!(fairness.admit(0, start).is_ok());
        let later = start + Duration::from_millis(1500);
        assert!(fairness.admit(1000, later).is_ok());
        assert!(fairness.admit(1000, later).is_err());
        assert!(fairness.admit(1000, start + Duration::from_millis(2100)).is_ok(), "half a second was kept");
    }

    #[test]
    fn the_table_is_bounded() {
        let fairness = Fairness::default();
        let start = Instant::now();
        for uid in 1..=u32::try_from(REMEMBERED).expect("fits") {
            assert!(fairness.admit(uid, start).is_ok());
        }
        assert!(fairness.admit(1_000_000, start).is_err());
        assert!(fairness.admit(1_000_000, start + Duration::from_secs(30)).is_ok());
    }

    #[test]
    fn what_is_open_is_bounded_by_uid_and_in_all() {
        let open = Open::at_most(3, 8);
        let mine: Vec<_> = (0..3).map(|_| open.one(1000).expect("open")).collect();
        assert!(open.one(1000).is_none());
        let others: Vec<_> = (3..8).map(|n| open.one(2000 + n).expect("open")).collect();
        assert!(open.one(3000).is_none(), "no more than 8 in all");
        drop(others);
        assert!(open.one(3000).is_some());
        drop(mine);
        assert!(open.one(1000).is_some());
        assert!(open.open.lock().expect("whole").is_empty());
    }
}
