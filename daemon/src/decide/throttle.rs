//! How many wrong answers may be tried, and how long one then waits.
//!
//! Failures are counted in lanes: the console, sources the person confirmed a login from lately,
//! everything else, and recovery codes. Each lane has a few free failures and then a delay that
//! doubles. Across lanes a hard cap of consecutive failures closes everything but recovery codes.
//! While a lane is closed the right answer is refused too, so guessing learns nothing.

use crate::clock::{Moment, Stamp};
use countersign_config::Throttle;

/// A lane of tries, each with its own failures and delay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// A local virtual terminal or display.
    Console,
    /// A source this person confirmed a login from in the last 30 days.
    Known,
    /// Any other source.
    Other,
    /// Recovery codes, from anywhere. A lock of the others does not close it.
    Recovery,
    /// A source, where the stack cannot say whether the first factor passed: the source pays.
    Source,
    /// A person's failures in a row over all lanes, for the hard cap. Has no delay of its own.
    All,
}

impl Lane {
    /// The word in the database and in listings.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Console => "console",
            Self::Known => "known",
            Self::Other => "other",
            Self::Recovery => "recovery",
            Self::Source => "source",
            Self::All => "all",
        }
    }
}

/// Wrong answers that cost nothing but themselves; the one that reaches this number closes the lane.
pub const FREE_FAILURES: u32 = 5;
/// The same for a source, which may be an office full of people.
pub const FREE_SOURCE_FAILURES: u32 = 10;
/// The first delay, in milliseconds.
pub const FIRST_DELAY_MS: i64 = 30_000;
/// The longest delay, in milliseconds.
pub const LONGEST_DELAY_MS: i64 = 3_600_000;
/// A lane without failures for this long (milliseconds) starts afresh; the hard cap does not.
pub const FORGET_MS: i64 = 24 * 3_600_000;

/// Where consecutive failures over all lanes end, whatever lane they came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cap {
    /// Failures in a row after which everything but recovery codes is closed.
    pub failures: u32,
    /// Milliseconds for which it then is; `None` is until a recovery code or an administrator helps.
    pub closed_ms: Option<i64>,
}

impl Cap {
    /// The cap of a configured profile: at most 100 failures (NIST SP 800-63B, 5.2.2), or ten and
    /// half an hour (PCI DSS 4.0, 8.3.4).
    #[must_use]
    pub fn of(profile: Throttle) -> Self {
        match profile {
            Throttle::Default => Self { failures: 100, closed_ms: None },
            Throttle::Pci => Self { failures: 10, closed_ms: Some(30 * 60 * 1000) },
        }
    }

    /// Whether this many failures in a row close everything now: `Some(None)` until somebody
    /// helps, `Some(Some(ms))` for so long, `None` not at all.
    #[must_use]
    pub fn closes(&self, in_a_row: &Tally, now: Moment) -> Option<Option<i64>> {
        if in_a_row.failures < self.failures {
            return None;
        }
        let Some(closed_ms) = self.closed_ms else { return Some(None) };
        let left = closed_ms - in_a_row.last.map_or(0, |last| now.since(last));
        (left > 0).then_some(Some(left))
    }
}

/// The state of one lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tally {
    /// Failures since the last success in this lane, or since it was forgotten.
    pub failures: u32,
    /// When the last one happened. `None` is never.
    pub last: Option<Stamp>,
}

impl Tally {
    /// How long the lane stays closed, in milliseconds; 0 is open.
    ///
    /// A stamp of an earlier boot counts as if its delay had begun with this boot: a reboot never
    /// shortens a lock, and an attacker who can reboot the machine gains nothing.
    #[must_use]
    pub fn closed_for(&self, lane: Lane, now: Moment) -> i64 {
        let Some(last) = self.last else { return 0 };
        if self.is_forgotten(now) {
            return 0;
        }
        let delay = delay_after(self.failures, lane);
        let since = now.since(last);
        (delay - since).max(0)
    }

    /// The tally after one more failure now.
    #[must_use]
    pub fn charged(&self, now: Moment) -> Self {
        let before = if self.is_forgotten(now) { 0 } else { self.failures };
        Self { failures: before.saturating_add(1), last: Some(now.stamp()) }
    }

    fn is_forgotten(&self, now: Moment) -> bool {
        self.last.is_some_and(|last| now.since(last) >= FORGET_MS)
    }
}

/// The delay that holds after this many failures, in milliseconds.
fn delay_after(failures: u32, lane: Lane) -> i64 {
    let free = if lane == Lane::Source { FREE_SOURCE_FAILURES } else { FREE_FAILURES };
    let Some(beyond) = failures.checked_sub(free) else { return 0 };
    FIRST_DELAY_MS.saturating_mul(1 << beyond.min(20)).min(LONGEST_DELAY_MS)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: [u8; 16] = [1; 16];
    const OTHER_BOOT: [u8; 16] = [2; 16];

    fn at(ms: i64) -> Moment {
        Moment { wall: 1_800_000_000 + ms / 1000, date: 1_800_000_000, boot_ms: ms, boot: BOOT }
    }

    fn failed(n: u32, now: Moment) -> Tally {
        (0..n).fold(Tally::default(), |t, _| t.charged(now))
    }

    #[test]
    fn bru_01_five_failures_close_the_lane_and_delays_double() {
        assert_eq!(failed(4, at(0)).closed_for(Lane::Other, at(0)), 0);
        assert_eq!(failed(5, at(0)).closed_for(Lane::Other, at(0)), 30_000);
        assert_eq!(failed(5, at(0)).closed_for(Lane::Other, at(29_999)), 1);
        assert_eq!(failed(5, at(0)).closed_for(Lane::Other, at(30_000)), 0);
        assert_eq!(failed(6, at(0)).closed_for(Lane::Other, at(0)), 60_000);
        assert_eq!(failed(60, at(0)).closed_for(Lane::Other, at(0)), LONGEST_DELAY_MS);
    }

    #[test]
    fn a_reboot_never_shortens_a_lock() {
        let locked = failed(6, at(5_000_000));
        let rebooted =
            |ms| Moment { wall: 1_800_009_000, date: 1_800_009_000, boot_ms: ms, boot: OTHER_BOOT };
        assert_eq!(locked.closed_for(Lane::Other, rebooted(0)), 60_000);
        assert_eq!(locked.closed_for(Lane::Other, rebooted(59_999)), 1);
        assert_eq!(locked.closed_for(Lane::Other, rebooted(60_000)), 0);
    }

    #[test]
    fn a_quiet_day_is_forgotten() {
        let t = failed(9, at(0));
        assert_eq!(t.charged(at(FORGET_MS - 1)).failures, 10);
        assert_eq!(t.charged(at(FORGET_MS)).failures, 1);
    }

    #[test]
    fn the_pci_profile_closes_after_ten_for_half_an_hour() {
        let cap = Cap::of(Throttle::Pci);
        assert_eq!(cap.closes(&failed(9, at(0)), at(0)), None);
        assert_eq!(cap.closes(&failed(10, at(0)), at(0)), Some(Some(1_800_000)));
        assert_eq!(cap.closes(&failed(10, at(0)), at(1_799_999)), Some(Some(1)));
        assert_eq!(cap.closes(&failed(10, at(0)), at(1_800_000)), None);
        let default = Cap::of(Throttle::Default);
        assert_eq!(default.closes(&failed(99, at(0)), at(0)), None);
        assert_eq!(default.closes(&failed(100, at(0)), at(FORGET_MS * 30)), Some(None));
    }

    #[test]
    fn a_source_has_more_room() {
        assert_eq!(failed(9, at(0)).closed_for(Lane::Source, at(0)), 0);
        assert_eq!(failed(10, at(0)).closed_for(Lane::Source, at(0)), 30_000);
    }
}
