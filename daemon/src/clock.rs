//! The only reader of time.
//!
//! Wall clock for TOTP steps and for dates in the log, nothing else. Dates that something ends at are
//! judged by the latest wall clock ever seen, so that nobody turns them back. Lifetimes and delays use
//! `CLOCK_BOOTTIME`, which counts suspend and which nobody can set, together with the boot id.

use nix::time::{ClockId, clock_gettime};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
    /// Seconds since 1970 by a clock that is never turned back: the latest wall clock that this
    /// installation has seen. What is granted until a date is judged by this.
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

/// The latest wall clock that this installation has seen, kept in the database over restarts.
#[derive(Debug, Clone, Default)]
pub struct HighWater(Arc<AtomicI64>);

impl HighWater {
    /// Notes a wall clock; gives the latest one seen.
    pub fn note(&self, wall: i64) -> i64 {
        self.0.fetch_max(wall, Ordering::Relaxed).max(wall)
    }

    /// The latest one seen.
    #[must_use]
    pub fn latest(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
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
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
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
        Ok(Moment {
            wall,
            date: self.high_water.note(wall),
            boot_ms: boot.tv_sec() * 1000 + boot.tv_nsec() / 1_000_000,
            boot: self.boot,
        })
    }
}
