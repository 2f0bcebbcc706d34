//! `org.countersign1.Login`: one PAM transaction, driven by the daemon.
//!
//! ```text
//! Begin(s user, s ruser, s service, s program, s rhost, s tty, s first_factor) -> step
//! Respond(s login, ay answer)                                                 -> step
//! Confirm(s login, s user, s service)                                         -> s verdict
//! Check(s user, s service, s rhost)                                           -> s verdict
//! Abandon(s login)
//! step = (s login, s verdict, a(us) messages, a(bs) prompt)
//! ```

use serde::{Deserialize, Serialize};
use zbus::zvariant::Type;

/// The prompt for a code of any factor. Where it says exactly this, and nowhere else, the stack line's
/// `prompt=` and `forward_pass` apply: a first code or an invitation is asked for in other words.
pub const CODE_PROMPT: &str = "Verification code: ";

/// The signature of a step, as four out-arguments of a method return.
pub const STEP_SIGNATURE: &str = "ssa(us)a(bs)";

/// Method names.
pub mod method {
    /// Opens a login.
    pub const BEGIN: &str = "Begin";
    /// One answer typed by the person.
    pub const RESPOND: &str = "Respond";
    /// The account phase of a login that we authenticated: the whole auth stack said yes.
    pub const CONFIRM: &str = "Confirm";
    /// The account phase of an ssh login that never entered the auth phase.
    pub const CHECK: &str = "Check";
    /// The person hung up; costs no try.
    pub const ABANDON: &str = "Abandon";
}

/// What the module knows of the first factor when it begins a login.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstFactor {
    /// The stack guarantees that an earlier module said yes.
    Passed,
    /// An earlier module may have said no: nothing about the person may be shown or changed.
    Unknown,
}

impl FirstFactor {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Passed => "passed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the wire word; anything unexpected is `Unknown`, the careful reading.
    #[must_use]
    pub fn parse(word: &str) -> Self {
        if word == "passed" { Self::Passed } else { Self::Unknown }
    }
}

/// The daemon's word on a login. There is no `Default`: nobody gets a verdict by accident.
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Show the prompt and send the answer.
    Ask,
    /// The answer was right. Never the reply to Begin.
    Allow,
    /// Refused.
    Deny,
    /// Refused because too many tries failed; the right code is refused too.
    Locked,
    /// Positively not required of this person for this service now.
    NotRequired,
}

impl Verdict {
    /// The word on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ask => "ask",
            Self::Allow => "allow",
            Self::Deny => "deny",
            Self::Locked => "locked",
            Self::NotRequired => "not-required",
        }
    }

    /// Reads the wire word. `None` is no answer, and no answer is a refusal.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "ask" => Self::Ask,
            "allow" => Self::Allow,
            "deny" => Self::Deny,
            "locked" => Self::Locked,
            "not-required" => Self::NotRequired,
            _ => return None,
        })
    }
}

/// `PAM_ERROR_MSG`, the style of a message that says what went wrong.
pub const STYLE_ERROR: u32 = 3;
/// `PAM_TEXT_INFO`, the style of any other message.
pub const STYLE_INFO: u32 = 4;

/// One step of a login as it crosses the bus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Type)]
pub struct Step {
    /// The login this step belongs to: a random 128-bit capability, in hex.
    pub login: String,
    /// A [`Verdict`] word.
    pub verdict: String,
    /// PAM message style and text, shown in this order before the prompt.
    pub messages: Vec<(u32, String)>,
    /// None or one: whether the answer may be echoed, and the text.
    pub prompt: Vec<(bool, String)>,
}

/// The client side of `Login`, as far as `countersignctl` needs it. The PAM module has one of its own.
#[cfg(feature = "client")]
#[zbus::proxy(
    interface = "org.countersign1.Login",
    default_service = "org.countersign1",
    default_path = "/org/countersign1"
)]
pub trait Login {
    /// Opens a login; gives the members of a [`Step`].
    #[allow(clippy::too_many_arguments, reason = "the arguments of the wire")]
    fn begin(
        &self,
        user: &str,
        ruser: &str,
        service: &str,
        program: &str,
        rhost: &str,
        tty: &str,
        first_factor: &str,
    ) -> zbus::Result<StepArgs>;
    /// One answer.
    fn respond(&self, login: &str, answer: &[u8]) -> zbus::Result<StepArgs>;
}

/// The members of a [`Step`], as a reply carries them.
#[cfg(feature = "client")]
pub type StepArgs = (String, String, Vec<(u32, String)>, Vec<(bool, String)>);
