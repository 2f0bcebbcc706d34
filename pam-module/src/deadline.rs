//! The time that the machine may take, and the only reader of a clock in the module.

use std::time::{Duration, Instant};

/// An instant by which all machine work of one PAM call is over.
///
/// While a person thinks it moves along: see [`Deadline::extend`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

impl Deadline {
    /// This long from now.
    pub(crate) fn after(budget: Duration) -> Self {
        Self(Instant::now() + budget)
    }

    /// The time left, or `None` when it is over. Never a zero duration: a zero socket timeout
    /// would mean "for ever".
    pub(crate) fn left(self) -> Option<Duration> {
        // A whole microsecond is the least that a socket option can hold.
        self.0.checked_duration_since(Instant::now()).filter(|left| left.as_micros() > 0)
    }

    /// Gives back time that a person, not the machine, has taken.
    pub(crate) fn extend(&mut self, by: Duration) {
        self.0 += by;
    }

    /// The earlier of this and `budget` from now.
    pub(crate) fn within(self, budget: Duration) -> Self {
        Self(self.0.min(Instant::now() + budget))
    }

    /// Sleeps for `pause`, or less where the deadline comes first.
    pub(crate) fn sleep(self, pause: Duration) {
        if let Some(left) = self.left() {
            std::thread::sleep(left.min(pause));
        }
    }
}

/// Measures how long a person takes.
pub(crate) struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts now.
    pub(crate) fn start() -> Self {
        Self(Instant::now())
    }

    /// The time since the start.
    pub(crate) fn elapsed(&self) -> Duration {
        self.0.elapsed()
    }
}
