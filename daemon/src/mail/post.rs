//! Handing letters to the mailer, a process of its own on the same bus. No login waits for it longer
//! than it says.

use crate::journal;
use countersign_protocol::mailer::Outcome;
use countersign_protocol::names::{MAILER_BUS_NAME, MAILER_INTERFACE, MAILER_PATH};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use zbus::Connection;
use zeroize::Zeroizing;

/// Letters on their way at once. A bus refuses a client with more than 128 calls unanswered.
const AT_ONCE: usize = 32;
/// How long a letter may take in all.
const PATIENCE: Duration = Duration::from_secs(25);

/// A letter. Holds a code, and therefore has no `Debug`.
pub struct Letter {
    /// The account that sends it.
    pub mailbox: String,
    /// To whom.
    pub to: String,
    /// One line.
    pub subject: String,
    /// The text.
    pub text: Zeroizing<String>,
}

/// What became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sent {
    /// The mail server has it, or may have it.
    Sent,
    /// It does not.
    Failed,
}

/// The way to the mailer.
pub struct Post {
    bus: Mutex<Option<Connection>>,
    desks: Semaphore,
}

impl Default for Post {
    fn default() -> Self {
        Self { bus: Mutex::new(None), desks: Semaphore::new(AT_ONCE) }
    }
}

impl Post {
    /// Tells the bus that the mailer is reached by; `None` when the daemon ends, which waits until
    /// nobody holds the bus any more.
    pub fn reach_by(&self, bus: Option<Connection>) {
        *self.bus.lock().unwrap_or_else(PoisonError::into_inner) = bus;
    }

    /// Hands a letter with a code over, once: what is not sent by then is never sent. That is less than
    /// the shortest life of a code.
    pub async fn send(&self, letter: Letter) -> Sent {
        match self.deliver(&letter).await {
            Some(Outcome::Sent | Outcome::Unknown) => Sent::Sent,
            Some(Outcome::Later | Outcome::Refused) | None => Sent::Failed,
        }
    }

    /// Hands a letter over, and tells what the mail server made of it; `None` is that no mailer answered.
    pub async fn deliver(&self, letter: &Letter) -> Option<Outcome> {
        tokio::time::timeout(PATIENCE, self.hand_over(letter)).await.unwrap_or_else(|_| {
            journal::warning("the mailer does not answer", &[("mailbox", &letter.mailbox)]);
            None
        })
    }

    async fn hand_over(&self, letter: &Letter) -> Option<Outcome> {
        let _desk = self.desks.acquire().await.ok()?;
        let bus = self.bus.lock().unwrap_or_else(PoisonError::into_inner).clone()?;
        let milliseconds = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
        let body = (&letter.mailbox, &letter.to, &letter.subject, letter.text.as_str(), milliseconds);
        let reply =
            bus.call_method(Some(MAILER_BUS_NAME), MAILER_PATH, Some(MAILER_INTERFACE), "Send", &body).await;
        let said = match reply {
            Ok(reply) => reply.body().deserialize::<(String, String, String, String)>().ok(),
            Err(e) => {
                let error = e.to_string();
                journal::error(
                    "the mailer refuses a letter",
                    &[("mailbox", &letter.mailbox), ("error", &error)],
                );
                return None;
            }
        };
        let (outcome, stage, cause, said) = said?;
        let outcome = Outcome::parse(&outcome)?;
        if outcome != Outcome::Sent {
            let fields = [
                ("mailbox", letter.mailbox.as_str()),
                ("outcome", outcome.as_str()),
                ("stage", &stage),
                ("cause", &cause),
                ("said", &said),
            ];
            journal::warning("a letter was not sent", &fields);
        }
        Some(outcome)
    }
}
