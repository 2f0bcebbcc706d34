//! polkit: whether somebody who is not root may do something.
//!
//! The subject is the caller's bus name, never a process id, which another program may have by the
//! time polkit looks. Absent, slow and refusing are all "no", and so is a caller who is gone by the
//! time of the answer.

use super::fairness::Open;
use crate::error::Error;
use crate::journal;
use std::collections::HashMap;
use std::time::Duration;
use zbus::{Connection, Variant};

const NAME: &str = "org.freedesktop.PolicyKit1";
const PATH: &str = "/org/freedesktop/PolicyKit1/Authority";
const INTERFACE: &str = "org.freedesktop.PolicyKit1.Authority";
const BUS: &str = "org.freedesktop.DBus";
const BUS_PATH: &str = "/org/freedesktop/DBus";
/// polkit's flag `AllowUserInteraction`.
const ASK_THE_PERSON: u32 = 1;
/// How long polkit may take to decide by its rules, being started included.
const BY_RULES: Duration = Duration::from_secs(5);
/// How long a person may take to type a password.
const BY_PERSON: Duration = Duration::from_secs(120);
/// How often it is looked whether the person is still there, whom polkit asks for a password.
const STILL_THERE: Duration = Duration::from_secs(1);
/// Questions of one uid, and of everybody, that may be open at a time. Of the calls that one uid may have open
/// ([`super::recorded`]) one is left for what asks nobody.
const OPEN_OF_ONE: u32 = 3;
const OPEN: u32 = 64;

/// The answer of polkit: authorized, could be after a challenge, details.
type Answer = (bool, bool, HashMap<String, String>);

/// Who asks polkit, and how often at a time.
#[derive(Debug)]
pub(super) struct Authority {
    open: Open,
}

/// One question for polkit.
pub(super) struct Question<'a> {
    /// The caller's unique name on the bus.
    pub(super) caller: &'a str,
    /// The caller's uid, to be fair by.
    pub(super) uid: u32,
    /// The last part of the action's name.
    pub(super) action: &'static str,
    /// What administrators' rules may look at, and the dialog may show.
    pub(super) details: HashMap<&'static str, String>,
}

impl Default for Authority {
    fn default() -> Self {
        Self { open: Open::at_most(OPEN_OF_ONE, OPEN) }
    }
}

impl Authority {
    /// Asks polkit, and the person if polkit wants that.
    ///
    /// # Errors
    /// `NotAuthorized` unless polkit says yes, `Busy` when too many questions are open.
    pub(super) async fn require(&self, bus: &Connection, question: &Question<'_>) -> Result<(), Error> {
        let _open = self.open.one(question.uid).ok_or_else(|| {
            Error::Busy("too many questions to polkit are open; answer or cancel them".into())
        })?;
        let (mut yes, challenge, _) = ask(bus, question, false).await?;
        if !yes && challenge {
            yes = ask(bus, question, true).await?.0;
        }
        let action = question.action;
        if !yes {
            journal::notice(
                "polkit says no",
                &[("action", action), ("uid", &question.uid.to_string()), ("user", question.about())],
            );
            return Err(Error::NotAuthorized(if challenge {
                format!("polkit wanted a password for org.countersign1.{action} and did not get it")
            } else {
                format!(
                    "polkit does not let you do org.countersign1.{action}; ask an administrator, or try with sudo"
                )
            }));
        }
        Ok(())
    }
}

impl Question<'_> {
    fn about(&self) -> &str {
        self.details.get("user").map_or("", String::as_str)
    }
}

async fn ask(bus: &Connection, question: &Question<'_>, interactive: bool) -> Result<Answer, Error> {
    let subject = ("system-bus-name", HashMap::from([("name", Variant::from(question.caller))]));
    let action = format!("org.countersign1.{}", question.action);
    let (flags, patience) = if interactive { (ASK_THE_PERSON, BY_PERSON) } else { (0, BY_RULES) };
    // By this polkit knows which question is no longer of interest.
    let id = if interactive { format!("{}/{}", question.caller, question.action) } else { String::new() };
    let arguments = (subject, action.as_str(), &question.details, flags, id.as_str());
    let call = bus.call_method(Some(NAME), PATH, Some(INTERFACE), "CheckAuthorization", &arguments);
    let no = tokio::select! {
        biased;
        answer = tokio::time::timeout(patience, call) => match answer {
            Ok(Ok(reply)) => return reply.body().deserialize::<Answer>().map_err(|e| no_answer(&e.to_string())),
            Ok(Err(e)) => return Err(no_answer(&e.to_string())),
            Err(_) => no_answer("it took too long"),
        },
        // Else who hangs up leaves a dialog behind, and a question that counts as theirs.
        () = hung_up(bus, question.caller), if interactive => {
            Error::NotAuthorized("the caller hung up while polkit asked".into())
        }
    };
    if interactive {
        let cancel = bus.call_method(Some(NAME), PATH, Some(INTERFACE), "CancelCheckAuthorization", &id);
        let _ = tokio::time::timeout(BY_RULES, cancel).await;
    }
    Err(no)
}

/// Waits until a caller has left the bus.
async fn hung_up(bus: &Connection, caller: &str) {
    loop {
        tokio::time::sleep(STILL_THERE).await;
        let there = bus.call_method(Some(BUS), BUS_PATH, Some(BUS), "NameHasOwner", &caller).await;
        // A bus that gives no answer says nothing about anybody.
        if there.is_ok_and(|reply| matches!(reply.body().deserialize::<bool>(), Ok(false))) {
            return;
        }
    }
}

fn no_answer(why: &str) -> Error {
    journal::warning("polkit gives no answer, which is no", &[("error", why)]);
    Error::NotAuthorized(
        "polkit, which says who but root may do this, gives no answer; see `systemctl status polkit`".into(),
    )
}
