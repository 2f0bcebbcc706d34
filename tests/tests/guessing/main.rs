//! Guessing codes: one after the other, all at once, by recovery code, over the bus, under names nobody has.
//!
//! Every throttle is ended with the right code refused: a test that only sees wrong codes fail would pass without
//! any throttle.

mod budget;
mod days;
mod ends;
mod lanes;
mod recovery;
mod strangers;

use countersign_tests::{Code, Daemon, LogRow, Outcome};
use serde_json::Value;
use std::collections::BTreeSet;

/// Wrong answers that close a lane of a person.
const BUDGET: u32 = 5;
/// Wrong answers that close a source.
const SOURCE_BUDGET: u32 = 10;

/// Addresses for documentation (RFC 5737).
const HOME: &str = "192.0.2.10";
const ATTACKER: &str = "198.51.100.66";
const CAFE: &str = "203.0.113.5";

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

/// Answers that the daemon compared with anything. Each login here types one, so a row is one answer.
fn evaluated(rows: &[LogRow]) -> u32 {
    rows.iter().filter(|row| row.reason == "wrong-code").map(|row| row.tries).sum()
}

fn locked(rows: &[LogRow]) -> usize {
    rows.iter().filter(|row| row.state == "locked").count()
}

/// What `countersignctl users` says of alice.
fn alice_now(daemon: &Daemon) -> Value {
    let people = daemon.ctl().run(&["users", "--json"]).ok().json();
    people.into_iter().find(|person| person["user"] == "alice").expect("alice is enrolled")
}

/// Seconds until a lane of hers opens; `None` where it is open.
fn closed_for(daemon: &Daemon, lane: &str) -> Option<u64> {
    let locks = alice_now(daemon)["locks"].as_array().expect("a list of locks").clone();
    locks.iter().find(|lock| lock["lane"] == lane).map(|lock| lock["seconds"].as_u64().expect("a delay"))
}

/// How many logins ended with which code, for messages.
fn ends(outcomes: &[Outcome]) -> Vec<(Code, usize)> {
    let codes: Vec<Code> = outcomes.iter().map(|o| o.auth).collect();
    let kinds: BTreeSet<i32> = codes.iter().map(|c| c.0).collect();
    kinds.into_iter().map(|k| (Code(k), codes.iter().filter(|c| c.0 == k).count())).collect()
}
