//! Resets: by whoever may, by two people, by root alone; never by oneself; and what they leave.

mod asked;
mod gone;
mod helpdesk;
mod taken;

use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::caller::CallError;
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::Person;
use countersign_tests::wire::step_of;
use countersign_tests::{Daemon, Fixture, PrivateBus, Secret, Wire};
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

/// A fixture where a reset takes so many approvals.
fn with_approvals(approvals: u8) -> Fixture {
    let config = format!("{CONFIG}\n[reset]\napprovals = {approvals}\n");
    let t = Fixture::with_clock();
    t.daemon.configure(&config);
    let _ = t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).ok();
    t
}

fn kinds(daemon: &Daemon, user: &str) -> Vec<String> {
    let person = daemon.ctl().run(&["status", user, "--json"]).ok().json().remove(0);
    let notices = person["notices"].as_array().expect("notices").clone();
    notices.iter().map(|one: &Value| one["kind"].as_str().expect("a word").to_owned()).collect()
}

fn is_enrolled(daemon: &Daemon, user: &str) -> bool {
    daemon.ctl().run(&["status", user]).ok().stdout.contains("totp")
}

/// Somebody on the bus, as their own uid.
struct Somebody(Wire);

/// What a refusal is named.
type Answer = Result<u32, String>;

impl Somebody {
    fn new(bus: &PrivateBus, person: Person) -> Self {
        Self(Wire::as_uid(bus, person.uid))
    }

    /// A login of one's own, verified by a fresh code: what `countersignctl` asks for first.
    fn proof(&mut self, name: &str, secret: &Secret) -> String {
        let begin = (name, "", "countersignctl", "test", "", "", "unknown");
        let begun = self.0.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &begin).expect("a step");
        let (login, verdict) = step_of(&begun);
        assert_eq!(verdict, "ask");
        let answer = (login.as_str(), secret.fresh_code().into_bytes());
        let done = self.0.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &answer).expect("a step");
        assert_eq!(step_of(&done).1, "allow");
        login
    }

    fn ask(&mut self, whom: &str, proof: &str) -> Answer {
        let arguments = (whom, "phone lost", proof);
        number(self.0.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "RequestReset", &arguments))
    }

    fn approve(&mut self, id: u32) -> Answer {
        number(self.0.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ApproveReset", &id))
    }

    fn reset(&mut self, whom: &str, alone: bool) -> Answer {
        let arguments = (whom, "a test", alone);
        number(self.0.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &arguments))
    }
}

fn number(reply: Result<zbus::Message, CallError>) -> Answer {
    reply.map(|reply| reply.body().deserialize().expect("a number")).map_err(|e| e.name)
}

fn not_authorized() -> Answer {
    Err(error::NOT_AUTHORIZED.to_owned())
}
