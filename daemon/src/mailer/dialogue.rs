//! How far the talk with a mail server came, and what was said.

use countersign_protocol::mailer::{self as wire, Outcome};

/// The stages, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The mailbox in the configuration.
    Settings,
    /// Its password or token.
    Secret,
    /// The server's name to addresses.
    Resolve,
    /// A connection to one of them.
    Connect,
    /// The server's first words, and what it can do.
    Greeting,
    /// Encryption.
    Tls,
    /// Who we are.
    Login,
    /// Whose letter it is.
    Sender,
    /// To whom.
    Recipient,
    /// The letter itself.
    Message,
}

impl Stage {
    /// The word on the bus.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Settings => "settings",
            Self::Secret => "secret",
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Greeting => "greeting",
            Self::Tls => "tls",
            Self::Login => "login",
            Self::Sender => "sender",
            Self::Recipient => "recipient",
            Self::Message => "message",
        }
    }
}

/// Why a stage failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failure {
    /// What it means for the letter.
    pub(super) outcome: Outcome,
    /// A word for programs.
    pub(super) cause: &'static str,
    /// What the server or the system said.
    pub(super) said: String,
}

impl Failure {
    /// Not now.
    pub(super) fn later(cause: &'static str, said: impl Into<String>) -> Self {
        Self { outcome: Outcome::Later, cause, said: said.into() }
    }
}

/// The talk so far.
#[derive(Debug)]
pub(super) struct Dialogue {
    done: Vec<wire::Stage>,
    now: Stage,
    /// The whole letter is on its way, and only its receipt is missing.
    pub(super) handed_over: bool,
}

impl Dialogue {
    pub(super) fn new() -> Self {
        Self { done: Vec::new(), now: Stage::Settings, handed_over: false }
    }

    /// A stage begins.
    pub(super) fn at(&mut self, stage: Stage) {
        self.now = stage;
    }

    /// The stage that runs.
    pub(super) fn now(&self) -> Stage {
        self.now
    }

    /// The stage that runs went well.
    pub(super) fn passed(&mut self, said: &str) {
        self.done.push(wire::Stage {
            stage: self.now.as_str().into(),
            outcome: "ok".into(),
            cause: String::new(),
            said: printable(said),
        });
    }

    /// The stage that runs did not go well.
    pub(super) fn failed(&mut self, failure: &Failure) {
        self.done.push(wire::Stage {
            stage: self.now.as_str().into(),
            outcome: failure.outcome.as_str().into(),
            cause: failure.cause.into(),
            said: printable(&failure.said),
        });
    }

    /// Cause and words of the last stage.
    pub(super) fn last(&self) -> Option<(&str, &str)> {
        self.done.last().map(|stage| (stage.cause.as_str(), stage.said.as_str()))
    }

    /// All that was said.
    pub(super) fn into_stages(self) -> Vec<wire::Stage> {
        self.done
    }
}

/// What a stranger said, fit for a terminal and a log: one line, at most 300 characters.
pub(super) fn printable(text: &str) -> String {
    text.trim().chars().take(300).map(|c| if crate::journal::is_unsafe(c) { ' ' } else { c }).collect()
}
