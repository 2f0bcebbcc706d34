//! One login in this process, with the time of each of its parts.

use countersign_tests::pam::Transaction;
use countersign_tests::{Code, HANG_UP, Reply};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long a login took, and whether it was let in.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timed {
    /// Whether every phase said yes.
    pub(crate) passed: bool,
    /// From `pam_start` to `pam_end`.
    pub(crate) whole: Duration,
    /// The same without the account phase.
    pub(crate) without_account: Duration,
    /// From the start of the auth phase to the prompt.
    pub(crate) to_prompt: Duration,
    /// From the answer to the end of the auth phase.
    pub(crate) after_answer: Duration,
    /// The account phase.
    pub(crate) account: Duration,
}

impl Timed {
    /// What is neither asking the daemon nor deciding: opening and closing the transaction.
    pub(crate) fn rest(&self) -> Duration {
        self.whole - self.to_prompt - self.after_answer - self.account
    }

    /// An exchange without parts.
    pub(crate) fn of_exchange(took: Duration, passed: bool) -> Self {
        let none = Duration::ZERO;
        Self {
            passed,
            whole: took,
            without_account: took,
            to_prompt: none,
            after_answer: none,
            account: none,
        }
    }
}

/// Logs `user` in through `confdir/service`, answering the one prompt with `code`.
pub(crate) fn login(confdir: &Path, service: &str, user: &str, code: &str, with_account: bool) -> Timed {
    let began = Instant::now();
    let mut prompted = None;
    let mut answered = None;
    let mut talk = |shown: &countersign_tests::Shown| {
        if !shown.style.asks() {
            return Reply::Null;
        }
        // A second prompt means that the answer was refused.
        if prompted.is_some() {
            return HANG_UP;
        }
        prompted = Some(Instant::now());
        let reply = Reply::from(code);
        answered = Some(Instant::now());
        reply
    };
    let mut pam = Transaction::start(confdir, service, Some(user.as_bytes()), &mut talk).expect("pam_start");
    let opened = Instant::now();
    let auth = pam.authenticate();
    let authenticated = Instant::now();
    let account = if auth == Code::SUCCESS && with_account { pam.account() } else { auth };
    let accounted = Instant::now();
    drop(pam);
    let whole = began.elapsed();
    let account_took = accounted - authenticated;
    Timed {
        passed: account == Code::SUCCESS,
        whole,
        without_account: whole - account_took,
        to_prompt: prompted.map_or(Duration::ZERO, |at| at - opened),
        after_answer: answered.map_or(Duration::ZERO, |at| authenticated - at),
        account: account_took,
    }
}

/// Keeps a stack's modules loaded for as long as the process lives, as in a host that has logged
/// somebody in before.
pub(crate) fn keep_loaded(confdir: &Path, service: &str) {
    let talk = Box::leak(Box::new(|_: &countersign_tests::Shown| HANG_UP));
    std::mem::forget(Transaction::start(confdir, service, Some(b"nobody"), talk));
}
