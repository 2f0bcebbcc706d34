//! What is counted while the daemon runs, for `countersignctl metrics`. Counters begin at 0 with each start,
//! as those who collect them expect.

use countersign_protocol::manager::Login;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Upper bounds of the buckets of answer times, in microseconds.
pub const BUCKETS: [u64; 12] =
    [500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000];
/// Codes by which the clock of this host is judged.
const CODES: usize = 256;
/// Kinds of ends that are told apart; there are fewer.
const MOST_ENDS: usize = 512;

/// How long calls of one kind took.
#[derive(Debug, Default)]
struct Times {
    buckets: [AtomicU64; BUCKETS.len()],
    count: AtomicU64,
    micros: AtomicU64,
}

/// How logins ended: state, factor and reason, all of them words of ours.
pub type End = (String, String, String);

/// How long calls of one kind took, as read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Calls that took at most as long as the bucket says.
    pub up_to: [u64; BUCKETS.len()],
    /// All calls.
    pub count: u64,
    /// What they took together, in microseconds.
    pub micros: u64,
}

/// The calls that people wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// A login begins.
    Begin,
    /// Somebody answers.
    Respond,
    /// The account phase.
    Confirm,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Begin, Self::Respond, Self::Confirm];

    /// Its word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::Respond => "respond",
            Self::Confirm => "confirm",
        }
    }
}

/// Everything that is counted.
#[derive(Debug, Default)]
pub struct Meter {
    times: [Times; 3],
    ends: Mutex<BTreeMap<End, u64>>,
    skews: Mutex<VecDeque<i64>>,
}

impl Meter {
    /// Notes how long a call took.
    pub fn took(&self, call: Call, time: Duration) {
        let micros = u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let times = &self.times[call as usize];
        if let Some(bucket) = BUCKETS.iter().position(|most| micros <= *most) {
            times.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        times.count.fetch_add(1, Ordering::Relaxed);
        times.micros.fetch_add(micros, Ordering::Relaxed);
    }

    /// How long calls of one kind took.
    #[must_use]
    pub fn times(&self, call: Call) -> Read {
        let times = &self.times[call as usize];
        let mut sum = 0;
        let up_to = std::array::from_fn(|bucket| {
            sum += times.buckets[bucket].load(Ordering::Relaxed);
            sum
        });
        // Counted after the buckets, so that it is no less.
        let count = times.count.load(Ordering::Relaxed).max(sum);
        Read { up_to, count, micros: times.micros.load(Ordering::Relaxed) }
    }

    /// Notes how a login ended.
    pub fn ended(&self, login: &Login) {
        let end = (login.state.clone(), login.factor.clone(), login.reason.clone());
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.len() < MOST_ENDS || ends.contains_key(&end) {
            *ends.entry(end).or_default() += 1;
        }
    }

    /// How logins ended.
    #[must_use]
    pub fn ends(&self) -> Vec<(End, u64)> {
        let ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.iter().map(|(end, count)| (end.clone(), *count)).collect()
    }

    /// Notes by how many seconds the clock of an authenticator was ahead when its code was accepted, beyond
    /// what is known of it.
    pub fn ahead(&self, seconds: i64) {
        let mut skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        if skews.len() == CODES {
            skews.pop_front();
        }
        skews.push_back(seconds);
    }

    /// The median of the last of them, and how many there are. Phones are right one by one: where most of
    /// them are ahead, it is this host that is behind.
    #[must_use]
    pub fn skew(&self) -> Option<(i64, usize)> {
        let skews = self.skews.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sorted: Vec<i64> = skews.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get(sorted.len() / 2).map(|median| (*median, sorted.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_add_up_by_bucket() {
        let meter = Meter::default();
        for micros in [1, 500, 501, 3_000_000] {
            meter.took(Call::Respond, Duration::from_micros(micros));
        }
        let read = meter.times(Call::Respond);
        assert_eq!((read.up_to[0], read.up_to[1], read.up_to[11], read.count), (2, 3, 3, 4));
        assert_eq!(read.micros, 3_001_002);
        assert_eq!(meter.times(Call::Begin).count, 0);
    }

    #[test]
    fn the_clock_is_judged_by_most_of_the_phones() {
        let meter = Meter::default();
        assert_eq!(meter.skew(), None);
        for seconds in [0, 30, 30, -30, 30] {
            meter.ahead(seconds);
        }
        assert_eq!(meter.skew(), Some((30, 5)));
        for _ in 0..300 {
            meter.ahead(0);
        }
        assert_eq!(meter.skew(), Some((0, CODES)), "old ones are forgotten");
    }
}
