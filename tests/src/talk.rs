//! The conversation of a login: what modules show, and what the person at the other end does.

use crate::code::Code;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The style of one conversation message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Style {
    /// A prompt whose answer is hidden (`PAM_PROMPT_ECHO_OFF`).
    Hidden,
    /// A prompt whose answer is visible (`PAM_PROMPT_ECHO_ON`).
    Visible,
    /// `PAM_ERROR_MSG`.
    Error,
    /// `PAM_TEXT_INFO`.
    Info,
    /// A number that libpam does not define.
    Other(i32),
}

impl Style {
    pub(crate) fn from_number(style: i32) -> Self {
        match style {
            1 => Self::Hidden,
            2 => Self::Visible,
            3 => Self::Error,
            4 => Self::Info,
            other => Self::Other(other),
        }
    }

    /// Whether an answer is expected.
    #[must_use]
    pub fn asks(self) -> bool {
        matches!(self, Self::Hidden | Self::Visible)
    }
}

/// One message or prompt as it reached the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shown {
    /// How it was to be shown.
    pub style: Style,
    /// The text; invalid UTF-8 is replaced.
    pub text: String,
}

impl Shown {
    /// Whether this is a prompt for a code (every such prompt contains the word).
    #[must_use]
    pub fn asks_code(&self) -> bool {
        self.style.asks() && self.text.to_lowercase().contains("code")
    }
}

/// What the person does at a prompt.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reply {
    /// Types this (no NUL byte: C strings cannot carry one).
    Text(Vec<u8>),
    /// Success without a text, as hosts answer information.
    Null,
    /// The application gives up: the conversation function returns this code.
    Refuse(Code),
}

impl std::fmt::Debug for Reply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({} bytes)", text.len()),
            Self::Null => f.write_str("Null"),
            Self::Refuse(code) => write!(f, "Refuse({code})"),
        }
    }
}

impl From<&str> for Reply {
    fn from(text: &str) -> Self {
        Self::Text(text.as_bytes().to_vec())
    }
}

impl From<&String> for Reply {
    fn from(text: &String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<String> for Reply {
    fn from(text: String) -> Self {
        Self::Text(text.into_bytes())
    }
}

impl From<&[u8]> for Reply {
    fn from(text: &[u8]) -> Self {
        Self::Text(text.to_vec())
    }
}

/// The end of the prompt after a recovery code: whether to set up a new phone.
pub const OFFER: &str = "or no to go on: ";

/// What somebody does who has nothing more to say: goes on where they are in already, hangs up else.
#[must_use]
pub fn speechless(prompt: &Shown) -> Reply {
    if prompt.text.ends_with(OFFER) { Reply::from("no") } else { HANG_UP }
}

/// The person hung up, as a PAM application reports it.
pub const HANG_UP: Reply = Reply::Refuse(Code::CONV_ERR);

/// How a login ended.
#[must_use]
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// `pam_authenticate`.
    pub auth: Code,
    /// `pam_acct_mgmt`, run only where the login asked for it and auth succeeded.
    pub account: Option<Code>,
    /// `pam_setcred`, on request.
    pub setcred: Option<Code>,
    /// `pam_open_session`, on request.
    pub session: Option<Code>,
    /// Everything shown, prompts and messages in order.
    pub shown: Vec<Shown>,
    /// The delay on refusal that modules asked for, in microseconds (recorded, not slept).
    pub delay_usec: u32,
    /// From `pam_start` to the last call, the person's thinking included.
    pub took: Duration,
}

impl Outcome {
    /// Whether a host program would let the person in: auth and account both succeeded.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.auth == Code::SUCCESS && self.account.is_none_or(|code| code == Code::SUCCESS)
    }

    /// The prompts, in order.
    #[must_use]
    pub fn prompts(&self) -> Vec<&str> {
        self.shown.iter().filter(|s| s.style.asks()).map(|s| s.text.as_str()).collect()
    }

    /// The messages that expect no answer, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<&str> {
        self.shown.iter().filter(|s| !s.style.asks()).map(|s| s.text.as_str()).collect()
    }

    /// How many prompts asked for a code.
    #[must_use]
    pub fn code_prompts(&self) -> usize {
        self.shown.iter().filter(|s| s.asks_code()).count()
    }
}
