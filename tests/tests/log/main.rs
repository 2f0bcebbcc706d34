//! The log: what it is asked, who may read it, what proves it, what leaves it, and the record of acts.

mod acts;
mod chain;
mod events;
mod filters;
mod flood;
mod metrics;
mod prune;

use countersign_tests::{Fixture, LogRow};
use rusqlite::Connection;
use serde_json::Value;

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

/// Does something to the database while the daemon is stopped, as somebody could who can write it.
fn tamper(t: &mut Fixture, work: impl FnOnce(&Connection)) {
    t.daemon.stop();
    let db = Connection::open(t.daemon.database()).expect("the database");
    work(&db);
    // Closing removes the write-ahead log, which would be root's and not the daemon's.
    db.close().expect("the database closes");
    t.daemon.resume();
}

/// Whether the log is whole, and the places where it is not, such as `login 3 changed`.
fn verify(t: &Fixture, more: &[&str]) -> (bool, Vec<String>, Value) {
    let args: Vec<&str> = ["log", "verify", "--json"].iter().chain(more).copied().collect();
    let out = t.daemon.ctl().run(&args);
    assert!(matches!(out.code, Some(0 | 6)), "{out:?}");
    let said = out.json().remove(0);
    let broken: Vec<String> = said["broken"]
        .as_array()
        .expect("places")
        .iter()
        .map(|one| {
            format!(
                "{} {} {}",
                one["row"].as_str().expect("a word"),
                one["id"],
                one["what"].as_str().expect("a word")
            )
        })
        .collect();
    let whole = said["whole"].as_bool().expect("a verdict");
    let proven = whole && matches!(said["noted"].as_str(), None | Some("matched"));
    assert_eq!((whole, out.code), (broken.is_empty(), Some(if proven { 0 } else { 6 })), "{out:?}");
    (whole, broken, said)
}

fn log(t: &Fixture, args: &[&str]) -> Vec<LogRow> {
    t.daemon.ctl().log(args)
}
