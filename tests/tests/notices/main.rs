//! What people are told of changes to their factors: to whom, when, how often, and when not.

mod told;
mod wire;

use countersign_tests::{Daemon, Outcome};
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

/// Kind, detail, and whether a login told it, newest first.
fn kept(daemon: &Daemon, user: &str) -> Vec<(String, String, bool)> {
    let person = daemon.ctl().run(&["status", user, "--json"]).ok().json().remove(0);
    let notices: Vec<Value> = person["notices"].as_array().expect("notices").clone();
    let word = |one: &Value, key: &str| one[key].as_str().expect("a word").to_owned();
    notices.iter().map(|one| (word(one, "kind"), word(one, "detail"), !one["told"].is_null())).collect()
}

fn kinds(daemon: &Daemon, user: &str) -> Vec<String> {
    kept(daemon, user).into_iter().map(|(kind, ..)| kind).collect()
}

/// The message about what happened, if the login had one; where it stood among everything shown.
fn since(outcome: &Outcome) -> Option<String> {
    let told: Vec<&str> = outcome.messages().into_iter().filter(|text| text.contains("Since your")).collect();
    assert!(told.len() <= 1, "{outcome:?}");
    let told = told.first().map(|text| (*text).to_owned())?;
    let last = outcome.shown.last().expect("something");
    assert!(last.text == told, "not the last word: {outcome:?}");
    // Wrapped for the terminal; a test looks for sentences.
    Some(told.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// What is told of being enrolled, so that a test can speak of what comes after.
fn enrolled_and_told(t: &countersign_tests::Fixture) -> countersign_tests::Secret {
    let alice = t.daemon.enroll("alice");
    let first = t.cs().login("alice", [alice.fresh_code()]);
    assert!(first.passed(), "{first:?}");
    let told = since(&first).expect("a notice");
    assert!(told.contains("the authenticator \"app\" was added."), "{told}");
    alice
}
