//! That something goes on, where it takes longer than a second: one line on standard error that is gone in the end,
//! and only at a terminal.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use crate::text;

/// Nobody wonders before.
const PATIENCE: Duration = Duration::from_secs(1);
/// Often enough to be seen moving.
const PACE: Duration = Duration::from_millis(250);

/// One line that counts. Dropped, it is gone.
pub(crate) struct Progress {
    began: Instant,
    shown: Option<Instant>,
    terminal: bool,
}

impl Progress {
    pub(crate) fn start() -> Self {
        Self { began: Instant::now(), shown: None, terminal: std::io::stderr().is_terminal() }
    }

    /// So many are done.
    pub(crate) fn done(&mut self, many: usize) {
        let due = self.shown.map_or(self.began + PATIENCE, |last| last + PACE);
        if self.terminal && Instant::now() >= due {
            self.show(&text::so_many(many));
        }
    }

    fn show(&mut self, line: &str) {
        self.shown = Some(Instant::now());
        let mut stderr = std::io::stderr();
        // Nobody is left to tell when standard error is gone.
        drop(write!(stderr, "\r{line:<60}").and_then(|()| stderr.flush()));
    }

    /// Waits for something, and says for how long.
    pub(crate) async fn while_waiting<T>(work: impl Future<Output = T>) -> T {
        let mut progress = Self::start();
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                result = &mut work => return result,
                () = tokio::time::sleep(PATIENCE) => {
                    if progress.terminal {
                        progress.show(&text::so_long(progress.began.elapsed().as_secs()));
                    }
                }
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.shown.is_some() {
            let mut stderr = std::io::stderr();
            drop(write!(stderr, "\r{:<60}\r", "").and_then(|()| stderr.flush()));
        }
    }
}
