//! The only reader of time.
//!
//! Wall clock for TOTP steps and for dates in the log, nothing else. Lifetimes and delays use
//! `CLOCK_BOOTTIME`, which counts suspend and which nobody can set, together with the boot id.

use nix::time::{ClockId, clock_gettime};

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

/// Reads the clocks of this host.
#[derive(Debug, Clone)]
pub struct Clock {
    boot: [u8; 16],
}

impl Clock {
    /// Reads the boot id.
    ///
    /// # Errors
    /// When the kernel's boot id cannot be read or is not an id.
    pub fn new() -> std::io::Result<Self> {
        let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?;
        let hex: String = text.chars().filter(char::is_ascii_hexdigit).collect();
        let boot = u128::from_str_radix(&hex, 16)
            .map_err(|e| std::io::Error::new(std::io::ErrorKind::InvalidData, e))?;
        Ok(Self { boot: boot.to_be_bytes() })
    }

    /// Now.
    ///
    /// # Errors
    /// When the kernel refuses a clock, which denies the login that asked.
    pub fn now(&self) -> std::io::Result<Moment> {
        let wall = clock_gettime(ClockId::CLOCK_REALTIME)?;
        let boot = clock_gettime(ClockId::CLOCK_BOOTTIME)?;
        Ok(Moment {
            wall: wall.tv_sec().max(0),
            boot_ms: boot.tv_sec() * 1000 + boot.tv_nsec() / 1_000_000,
            boot: self.boot,
        })
    }
}
