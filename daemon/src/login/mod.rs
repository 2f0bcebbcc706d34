//! The use cases of a login, one per file. The only place that joins decisions with storage.

mod abandon;
mod begin;
mod check;
mod confirm;
mod email;
mod enroll;
mod origin;
mod respond;
mod tell;

pub use abandon::abandon;
pub use begin::{BeginRequest, begin};
pub use check::{CheckRequest, check};
pub use confirm::confirm;
pub use email::{Reach, limits as email_limits, unasked};
pub use respond::respond;

use crate::error::Error;
use crate::random;
use crate::text::Message;
use countersign_protocol::login as wire;
use countersign_protocol::login::Verdict;

/// A login id: a random 128-bit capability. Its text is handed out once and never stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct LoginId([u8; 16]);

impl LoginId {
    fn new() -> Result<Self, Error> {
        Ok(Self(random::bytes()?))
    }

    /// Reads an id as a caller gave it.
    ///
    /// # Errors
    /// `NotFound`: what is no id names no login.
    pub fn parse(text: &str) -> Result<Self, Error> {
        random::unhex(text).map(Self).ok_or_else(|| Error::NotFound("no such login".into()))
    }

    /// What the store knows it by.
    #[must_use]
    pub fn stored(self) -> [u8; 16] {
        crate::seal::token_hash(&self.0)
    }

    fn show(self) -> String {
        random::hex(&self.0)
    }
}

/// A step of a login on its way to the module. What asks has a prompt, and nothing else has.
#[must_use]
pub struct Step {
    id: LoginId,
    verdict: Verdict,
    messages: Vec<Message>,
    prompt: Option<String>,
}

impl Step {
    fn ask(id: LoginId, prompt: String, messages: Vec<Message>) -> Self {
        Self { id, verdict: Verdict::Ask, messages, prompt: Some(prompt) }
    }

    /// The end of a login. One that would ask without a prompt is refused.
    fn end(id: LoginId, verdict: Verdict, messages: Vec<Message>) -> Self {
        let verdict = if verdict == Verdict::Ask { Verdict::Deny } else { verdict };
        Self { id, verdict, messages, prompt: None }
    }

    /// The step as it crosses the bus.
    #[must_use]
    pub fn into_wire(self) -> wire::Step {
        wire::Step {
            login: self.id.show(),
            verdict: self.verdict.as_str().to_owned(),
            messages: self.messages,
            prompt: self.prompt.into_iter().map(|text| (true, text)).collect(),
        }
    }
}

/// An argument from outside, cut to a length that the log can hold.
fn bounded(text: &str) -> String {
    text.chars().take(256).collect()
}
