//! The only reader of time.
//!
//! Wall clock for TOTP steps and for dates in the log, nothing else. Dates that something ends at are
//! judged by the latest wall clock ever seen, and by the boot time since, so that nobody turns them back
//! or holds them. Lifetimes and delays use `CLOCK_BOOTTIME`, which counts suspend and which nobody can
//! set, together with the boot id.

use nix::time::{ClockId, clock_gettime};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A point in boot time that can be stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The boot it belongs to.
    pub boot: [u8; 16],
    /// Milliseconds since that boot.
    pub ms: i64,
}

/// Now, read once per request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Seconds since 1970 by the wall clock; 0 when the clock stands before 1970.
    pub wall: i64,
    /// Seconds since 1970 by a clock that is never turned back and never stands still: the latest wall
    /// clock that this installation has seen, or more by the boot time that has passed since. What is
    /// granted until a date is judged by this.
    pub date: i64,
    /// Milliseconds since boot, suspend included.
    pub boot_ms: i64,
    /// The boot id.
    pub boot: [u8; 16],
}

impl Moment {
    /// This moment as something to store.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        Stamp { boot: self.boot, ms: self.boot_ms }
    }

    /// The moment that will be, or was, at a date, if no clock is touched until then.
    #[must_use]
    pub fn at(&self, date: i64) -> Self {
        let later = date.saturating_sub(self.date);
        Self {
            wall: self.wall.saturating_add(later),
            date,
            boot_ms: self.boot_ms.saturating_add(later.saturating_mul(1000)),
            boot: self.boot,
        }
    }

    /// Milliseconds since a stamp. For a stamp of an earlier boot: since this boot began, the
    /// most that is certain.
    #[must_use]
    pub fn since(&self, stamp: Stamp) -> i64 {
        if stamp.boot == self.boot { (self.boot_ms - stamp.ms).max(0) } else { self.boot_ms }
    }

    /// Whether something that lives `ms` milliseconds from `stamp` is over. Another boot is over.
    #[must_use]
    pub fn is_past(&self, stamp: Stamp, ms: i64) -> bool {
        stamp.boot != self.boot || self.boot_ms - stamp.ms >= ms
    }
}

/// The clock for dates, kept in the database over restarts.
#[derive(Debug, Clone, Default)]
pub struct HighWater(Arc<Mutex<Water>>);

#[derive(Debug, Default)]
struct Water {
    /// The latest wall clock seen.
    seen: i64,
    /// The boot time since which dates have run on from it; `None` until it is known.
    since_ms: Option<i64>,
    /// The latest date given.
    latest: i64,
}

impl HighWater {
    fn water(&self) -> MutexGuard<'_, Water> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes a wall clock at a boot time; gives the date.
    pub fn note(&self, wall: i64, boot_ms: i64) -> i64 {
        let mut water = self.water();
        let since = *water.since_ms.get_or_insert(boot_ms);
        let ran_on = water.seen.saturating_add((boot_ms - since).max(0) / 1000);
        if wall >= ran_on {
            (water.seen, water.since_ms) = (wall, Some(boot_ms));
        }
        water.latest = water.latest.max(wall).max(ran_on);
        water.latest
    }

    /// Takes a date from the database: it is at least as late as that.
    pub fn raise(&self, date: i64) {
        let mut water = self.water();
        if date > water.latest {
            *water = Water { seen: date, since_ms: None, latest: date };
        }
    }

    /// Takes the wall clock for right, however much later it was before.
    pub fn accept(&self, wall: i64, boot_ms: i64) {
        *self.water() = Water { seen: wall, since_ms: Some(boot_ms), latest: wall };
    }

    /// The latest date given.
    #[must_use]
    pub fn latest(&self) -> i64 {
        self.water().latest
    }
}

/// Reads the clocks of this host.
#[derive(Debug, Clone)]
pub struct Clock {
    boot: [u8; 16],
    high_water: HighWater,
}

impl Clock {
    /// Reads the boot id.
    ///
    /// # Errors
    /// When the kernel's boot id cannot be read or is not an id.
    pub fn new(high_water: HighWater) -> std::io::Result<Self> {
        let path = "/proc/sys/kernel/random/boot_id";
        let text = std::fs::read_to_string(path).map_err(|e| {
            std::io::Error::new(e.kind(), format!("{path} cannot be read ({e}); is /proc mounted?"))
        })?;
        let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let boot = u128::from_str_radix(&hex, 16)
            .map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))?;
        Ok(Self { boot: boot.to_be_bytes(), high_water })
    }

    /// Now.
    ///
    /// # Errors
    /// When the kernel refuses a clock, which denies the login that asked.
    pub fn now(&self) -> std::io::Result<Moment> {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME)?;
        let boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
        let wall = wall.tv_sec().max(0);
        let boot_ms = boot.tv_sec() * 1000 + boot.tv_nsec() / 1_000_000;
        Ok(Moment { wall, date: self.high_water.note(wall, boot_ms), boot_ms, boot: self.boot })
    }

    /// What the dates are kept in.
    #[must_use]
    pub fn high_water(&self) -> &HighWater {
        &self.high_water
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn byp_22_dates_go_neither_back_nor_slower_than_time() {
        let dates = HighWater::default();
        let hour = 3_600_000;
        assert_eq!(dates.note(1_000_000, 0), 1_000_000);
        assert_eq!(dates.note(1_000_010, 10_000), 1_000_010);
        // The wall clock is turned back by a day: the date runs on.
        assert_eq!(dates.note(913_610, 10_000), 1_000_010);
        assert_eq!(dates.note(917_210, 10_000 + hour), 1_003_610);
        for step in 1..=10 {
            // Asked for often: no fraction of a second is lost.
            assert_eq!(dates.note(917_210, 10_000 + hour + step * 500), 1_003_610 + step / 2);
        }
        // Forward by a day, and right again: it stays there and runs on.
        assert_eq!(dates.note(1_090_010, 10_000 + 2 * hour), 1_090_010);
        assert_eq!(dates.note(1_010_810, 10_000 + 3 * hour), 1_093_610);
        assert_eq!(dates.latest(), 1_093_610);
    }

    #[test]
    fn byp_22_a_restart_goes_on_from_the_latest_date() {
        let dates = HighWater::default();
        dates.raise(2_000_000);
        assert_eq!(dates.note(1_000_000, 50_000), 2_000_000);
        assert_eq!(dates.note(1_000_000, 80_000), 2_000_030);
        dates.raise(1_500_000);
        assert_eq!(dates.note(1_000_000, 90_000), 2_000_040);
        dates.accept(1_000_100, 100_000);
        assert_eq!(dates.note(1_000_110, 110_000), 1_000_110, "accepted is right again");
    }
}
