//! `org.countersign1.Mailer`: one letter by one of the mailboxes of the configuration.
//!
//! ```text
//! Send(s mailbox, s to, s subject, s text, u milliseconds) -> (s outcome, s stage, s cause, s said)   the daemon
//! Test(s mailbox, s to, u milliseconds)                    -> (s outcome, a(ssss) stages)             root, the daemon
//! ```
//!
//! An empty mailbox is the only one of the configuration. `milliseconds` is the time for everything, from the
//! name lookup to the server's last word.

use serde::{Deserialize, Serialize};
use zbus::zvariant::Type;

/// What became of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The server has taken it.
    Sent,
    /// Not now: the server is away, or something here or there must be mended first.
    Later,
    /// The server will not take this letter, now or later.
    Refused,
    /// The letter was handed over and the answer never came: it may arrive.
    Unknown,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Sent, Self::Later, Self::Refused, Self::Unknown];

    /// The word on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Sent => "sent",
            Self::Later => "later",
            Self::Refused => "refused",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word on the bus; another word is none of them.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// One stage of the talk with a mail server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Stage {
    /// `settings`, `secret`, `resolve`, `connect`, `tls`, `greeting`, `login`, `sender`, `recipient` or
    /// `message`.
    pub stage: String,
    /// `ok`, or the outcome that it led to.
    pub outcome: String,
    /// Why it failed, as a word such as `unknown-issuer` or `timeout`; empty where it did not.
    pub cause: String,
    /// What the server or the system said, printable and cut short. Data: never a sentence of ours.
    pub said: String,
}

/// The client side of the mailer.
#[cfg(feature = "client")]
#[zbus::proxy(
    interface = "org.countersign1.Mailer",
    default_service = "org.countersign1.Mailer",
    default_path = "/org/countersign1/Mailer"
)]
pub trait Mailer {
    /// Sends a letter that says it is a test, and tells how far it came.
    fn test(&self, mailbox: &str, to: &str, milliseconds: u32) -> zbus::Result<(String, Vec<Stage>)>;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_survive_the_bus() {
        for outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.as_str()), Some(outcome));
        }
        assert_eq!(Outcome::parse("SENT"), None);
        assert_eq!(Outcome::parse(""), None);
    }
}
