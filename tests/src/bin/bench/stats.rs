//! Medians and tails, and how busy the machine was meanwhile.

use std::time::Duration;

/// Durations of the same thing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Series(Vec<Duration>);

impl Series {
    pub(crate) fn add(&mut self, took: Duration) {
        self.0.push(took);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Microseconds below which half of them lie; `None` without any.
    pub(crate) fn median(&self) -> Option<f64> {
        self.quantile(50)
    }

    /// Microseconds below which 99 of 100 lie.
    pub(crate) fn p99(&self) -> Option<f64> {
        self.quantile(99)
    }

    fn quantile(&self, percent: usize) -> Option<f64> {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let at = (sorted.len() * percent / 100).min(sorted.len().checked_sub(1)?);
        Some(sorted[at].as_secs_f64() * 1e6)
    }
}

/// The quotient of two figures that may be missing.
pub(crate) fn ratio(of: Option<f64>, to: Option<f64>) -> Option<f64> {
    Some(of? / to.filter(|&to| to > 0.0)?)
}

/// The load average of the last minute, which counts what we do ourselves too.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split(' ').next().unwrap_or("?").to_owned()
}
