//! A wall clock that the test sets, for programs run under libfaketime.

use crate::scratch::Scratch;
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// TOTP step length in seconds.
pub const STEP: u64 = 30;

/// A wall clock at a distance from the real one. Programs that got it by [`Clock::apply`] see every
/// change at once; their monotonic clocks stay real, unless it is one that runs.
pub struct Clock {
    dir: Scratch,
    offset: Mutex<i64>,
    runs: bool,
}

impl Clock {
    /// A clock that stands five seconds into a TOTP step, so that a test of ordinary length sees no step edge.
    #[must_use]
    pub fn new() -> Self {
        Self::with(false)
    }

    /// One whose changes are time that passes: the programs' clocks of boot time go with it.
    #[must_use]
    pub fn that_runs() -> Self {
        Self::with(true)
    }

    fn with(runs: bool) -> Self {
        let clock = Self { dir: Scratch::new("clock"), offset: Mutex::new(0), runs };
        clock.align();
        clock
    }

    /// Seconds since 1970 on this clock. 0 before 1970.
    #[must_use]
    pub fn now(&self) -> u64 {
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
        real.saturating_add_signed(*self.offset())
    }

    /// The TOTP step now.
    #[must_use]
    pub fn step(&self) -> u64 {
        self.now() / STEP
    }

    /// Moves it by so many seconds, back when negative.
    pub fn shift(&self, seconds: i64) {
        let mut offset = self.offset();
        *offset += seconds;
        self.write(*offset);
    }

    /// Sets it to this many seconds since 1970.
    pub fn set(&self, seconds: u64) {
        self.shift(i64::try_from(seconds).expect("a date") - i64::try_from(self.now()).expect("a date"));
    }

    /// Moves it forward to five seconds into the next TOTP step.
    pub fn next_step(&self) {
        self.set((self.step() + 1) * STEP + 5);
    }

    /// Moves it to five seconds into the present TOTP step.
    pub fn align(&self) {
        self.set(self.step() * STEP + 5);
    }

    /// Makes a program live by this clock.
    pub fn apply(&self, command: &mut Command) {
        command
            .env("LD_PRELOAD", crate::artifacts::libfaketime())
            .env("FAKETIME_TIMESTAMP_FILE", self.dir.join("now"))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", if self.runs { "0" } else { "1" })
            .env("FAKETIME_NO_CACHE", "1");
    }

    fn offset(&self) -> std::sync::MutexGuard<'_, i64> {
        self.offset.lock().expect("nobody panics with it")
    }

    /// By rename: a program that reads at this moment sees the old time or the new.
    fn write(&self, offset: i64) {
        let draft = self.dir.join("draft");
        std::fs::write(&draft, format!("{offset:+}\n")).expect("write the clock");
        std::fs::rename(draft, self.dir.join("now")).expect("set the clock");
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

/// The TOTP step of the machine's own clock.
#[must_use]
pub fn real_step() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs()) / STEP
}

/// Sleeps until the machine's clock is in `step`.
pub(crate) fn sleep_until_step(step: u64) {
    let start = UNIX_EPOCH + Duration::from_secs(step * STEP);
    if let Ok(wait) = start.duration_since(SystemTime::now()) {
        eprintln!("waiting {} s for the next TOTP step (a Clock would save this)", wait.as_secs());
        std::thread::sleep(wait + Duration::from_millis(50));
    }
}
