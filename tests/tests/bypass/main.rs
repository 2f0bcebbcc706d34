//! Ways around the second factor that must not be there.

mod absent;
mod accounts;
mod config;
mod echoed;
mod environment;
mod impostor;
mod phases;
mod ssh;

use countersign_tests::{Code, Daemon, Outcome};
use std::time::Duration;

/// What every test here needs, and what this one needs beyond it.
macro_rules! require_all {
    ($($more:expr),*) => {
        countersign_tests::require!(
            Root,
            Staged("countersignd"),
            Staged("countersignctl"),
            Staged("pam_countersign.so")
            $(, $more)*
        )
    };
}
use require_all;

/// Denied because nobody answered, soon enough, and without asking for a code that nobody will check.
fn assert_no_answer(outcome: &Outcome, what: &str) {
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{what}: {outcome:?}");
    assert_eq!(outcome.code_prompts(), 0, "{what}: {outcome:?}");
    assert!(outcome.took < Duration::from_secs(10), "{what}: {:?}", outcome.took);
}

/// Alice's consecutive failures, as `countersignctl` tells them.
fn failures_of_alice(daemon: &Daemon) -> u64 {
    let people = daemon.ctl().run(&["users", "--json"]).ok().json();
    let alice = people.iter().find(|person| person["user"] == "alice").expect("alice is enrolled");
    alice["failures"].as_u64().expect("a number")
}
