//! People who change what they have, and those who try it in their place.

mod alone;
mod enroll;
mod factors;
mod invitation;
mod strangers;

use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::caller::CallError;
use countersign_tests::wire::step_of;
use countersign_tests::{Ctl, Fixture, Wire, people};
use serde_json::Value;
use zbus::export::serde::Serialize;
use zbus::{DynamicType, Message};

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

/// alice and bob under a policy that lets people enroll in this way; everybody else may opt in.
fn config(enroll: &str) -> String {
    format!(
        r#"[[policy]]
name = "operators"
require = "everyone"
groups = ["mfa-required"]
enroll = "{enroll}"

[[policy]]
name = "everyone else"
require = "enrolled"
"#
    )
}

fn start(enroll: &str) -> Fixture {
    let t = Fixture::with_clock();
    apply(&t, &config(enroll));
    t
}

fn apply(t: &Fixture, config: &str) {
    t.daemon.configure(config);
    done(t, &["policy", "apply", "--accept-weaker", "--yes"]);
}

/// Root does something that must work.
fn done(t: &Fixture, args: &[&str]) {
    let out = t.daemon.ctl().run(args);
    assert_eq!(out.code, Some(0), "{args:?}: {out:?}");
}

/// `countersignctl` as one of the people.
fn as_one(t: &Fixture, who: people::Person) -> Ctl {
    t.daemon.ctl().as_uid(who.uid)
}

/// `status USER --json` as root.
fn status(t: &Fixture, user: &str) -> Value {
    t.daemon.ctl().run(&["status", user, "--json"]).ok().json().remove(0)
}

/// The names of somebody's authenticators, oldest first.
fn apps(t: &Fixture, user: &str) -> Vec<String> {
    let person = status(t, user);
    let factors = person["factors"].as_array().expect("factors").clone();
    let totp = factors.iter().filter(|one| one["kind"] == "totp");
    totp.map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
}

/// Recovery codes left.
fn codes_left(t: &Fixture, user: &str) -> u64 {
    let person = status(t, user);
    let factors = person["factors"].as_array().expect("factors").clone();
    let codes = factors.iter().find(|one| one["kind"] == "recovery");
    codes.map_or(0, |one| one["left"].as_u64().expect("a number"))
}

fn notices(t: &Fixture, user: &str) -> Vec<String> {
    let person = status(t, user);
    let all = person["notices"].as_array().expect("notices").clone();
    all.iter().map(|one| one["kind"].as_str().expect("a kind").to_owned()).collect()
}

fn manager<B: Serialize + DynamicType>(
    wire: &mut Wire,
    member: &str,
    body: &B,
) -> Result<Message, CallError> {
    wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, member, body)
}

/// Logs in on the bus for this service; the login and the last verdict.
fn on_the_bus(wire: &mut Wire, user: &str, service: &str, code: &str) -> (String, String) {
    let begin = (user, "", service, "test", "", "", "passed");
    let reply = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &begin).expect("a step");
    let (login, verdict) = step_of(&reply);
    if verdict != "ask" {
        return (login, verdict);
    }
    let answer = (login.as_str(), code.as_bytes());
    let reply = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &answer).expect("a step");
    step_of(&reply)
}
