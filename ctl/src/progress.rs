//! That something goes on, where it takes longer than a second: one line on standard error that is gone in the end,
//! and only at a terminal. What it stands for runs on this thread, awaited or not; the line has one of its own.

use std::future::Future;
use std::io::{IsTerminal, Write};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::terminal::{complain, cut};
use crate::{agent, text};

/// Nobody wonders before.
const PATIENCE: Duration = Duration::from_secs(1);
/// Often enough to be seen moving.
const PACE: Duration = Duration::from_millis(250);
/// Columns of the line: it stays in one, or it could not be taken back.
const WIDEST: usize = 78;

/// One line that moves. Dropped, it is gone; nothing else may be written to the terminal before.
pub(crate) struct Progress {
    what: Arc<Mutex<String>>,
    line: Option<(Sender<()>, JoinHandle<()>)>,
}

impl Progress {
    /// Begins to wait for this.
    pub(crate) fn of(what: impl Into<String>) -> Self {
        Self::begin(what.into(), std::io::stderr().is_terminal())
    }

    /// The same where standard output is written meanwhile: at a terminal that is enough to be seen.
    pub(crate) fn beside_output(what: impl Into<String>) -> Self {
        Self::begin(what.into(), std::io::stderr().is_terminal() && !std::io::stdout().is_terminal())
    }

    fn begin(what: String, seen: bool) -> Self {
        let what = Arc::new(Mutex::new(what));
        // Where polkit asks for a password, its question must stay where it is.
        let line = (seen && !agent::asks()).then(|| {
            let (stop, stopped) = channel();
            let shown = Arc::clone(&what);
            (stop, std::thread::spawn(move || show(&shown, &stopped)))
        });
        Self { what, line }
    }

    /// It is something else now that is waited for.
    pub(crate) fn at(&self, what: impl Into<String>) {
        *self.what.lock().unwrap_or_else(PoisonError::into_inner) = what.into();
    }

    /// Waits for something.
    pub(crate) async fn during<T>(what: &str, work: impl Future<Output = T>) -> T {
        let _progress = Self::of(what);
        work.await
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some((stop, line)) = self.line.take() {
            drop(stop);
            // It ends as soon as nobody can stop it any more; if it has died it shows nothing either.
            drop(line.join());
        }
    }
}

fn show(what: &Mutex<String>, stopped: &Receiver<()>) {
    let began = Instant::now();
    let dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    let (mut wait, mut shown) = (PATIENCE, false);
    while stopped.recv_timeout(wait) == Err(RecvTimeoutError::Timeout) {
        wait = PACE;
        let line =
            text::going_on(&what.lock().unwrap_or_else(PoisonError::into_inner), began.elapsed().as_secs());
        // What cannot take a line back gets one, once.
        match (dumb, shown) {
            (true, true) => {}
            (true, false) => complain(&line),
            (false, _) => write(&format!("\r{:<WIDEST$}", cut(&line, WIDEST, false))),
        }
        shown = true;
    }
    if shown && !dumb {
        write(&format!("\r{:<WIDEST$}\r", ""));
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr();
    // Nobody is left to tell when standard error is gone.
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}
