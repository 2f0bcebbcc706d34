//! Every sentence that a person can see during a login stands here, ready for translation.
//! English now. The module composes none of them.

pub mod email;
pub mod enrolling;

use countersign_protocol::login::{CODE_PROMPT, STYLE_ERROR, STYLE_INFO};
use std::fmt::Write as _;

/// A message as it crosses the bus.
pub type Message = (u32, String);

/// The prompt for every kind of code. Each code prompt contains the word "code".
pub const PROMPT: &str = CODE_PROMPT;

/// The answer to `?`, the same for everybody.
#[must_use]
pub fn what_to_type() -> Message {
    (STYLE_INFO, "Type the code that your authenticator app shows, or one of your recovery codes.".into())
}

/// After a wrong answer. `None` is that no try is left.
#[must_use]
pub fn wrong_code(tries_left: Option<u32>) -> Message {
    let text = match tries_left {
        Some(left) => format!("That code is not right; {}. Type ? for help.", tries(left)),
        None => "That code is not right, and no try is left. Log in again.".into(),
    };
    (STYLE_ERROR, text)
}

/// The same to somebody who may not be told why: it was wrong, or right and used up.
#[must_use]
pub fn not_accepted(tries_left: u32) -> Message {
    let tries = tries(tries_left);
    (
        STYLE_ERROR,
        format!("That was not accepted; {tries}. The code of an app works once: take the next one."),
    )
}

/// After the last answer of any kind that a login takes.
#[must_use]
pub fn no_more_answers() -> Message {
    (STYLE_ERROR, "This login takes no more answers. Log in again.".into())
}

fn tries(left: u32) -> String {
    if left == 1 { "1 try left".into() } else { format!("{left} tries left") }
}

/// After the code of another time. `None` is that no try is left.
#[must_use]
pub fn clock_off(seconds: i64, tries_left: Option<u32>, user: &str) -> Message {
    let mut text = format!(
        "\n{} Set it automatically,\nor once you are in by another code run: countersignctl resync {user}",
        clock_is_off(seconds)
    );
    match tries_left {
        Some(left) => {
            let _ = write!(text, "\n{}. Type ? for help.", tries(left));
        }
        None => text.push_str("\nNo try is left: log in again."),
    }
    (STYLE_ERROR, text)
}

fn clock_is_off(seconds: i64) -> String {
    let way = if seconds < 0 { "behind" } else { "ahead" };
    format!("Your phone's clock looks about {} s {way}.", seconds.abs())
}

/// After a code that was right and is used up. `over` is that the login takes no other.
#[must_use]
pub fn code_reused(wait: Option<i64>, over: bool) -> Message {
    let text = match (wait, over) {
        (Some(wait), false) => format!("This code was already used, wait for the next one ({wait} s)."),
        (Some(wait), true) => {
            format!("This code was already used. Log in again with the next one ({wait} s).")
        }
        (None, false) => "This recovery code was already used. Type another one.".into(),
        (None, true) => "This recovery code was already used. Log in again with another one.".into(),
    };
    (STYLE_ERROR, text)
}

/// The lane is closed; milliseconds until it opens, `None` until somebody helps.
#[must_use]
pub fn locked(ms: Option<i64>, recovery_open: bool) -> Message {
    let mut text = match ms {
        Some(ms) => format!("Too many tries, again in {}.", span(ms)),
        None => "Too many tries. This account is locked until an administrator unlocks it.".into(),
    };
    if recovery_open {
        text.push_str(" A recovery code still works.");
    }
    (STYLE_ERROR, text)
}

/// An administrator has locked this person, and why is not for whoever has the password.
#[must_use]
pub fn barred() -> Message {
    (STYLE_ERROR, "An administrator has locked this account. No code opens it until it is unlocked.".into())
}

/// After a recovery code let somebody in. `offered` is that they may set up a new phone right now,
/// which brings new codes.
#[must_use]
pub fn recovery_used(left: u32, offered: bool) -> Message {
    let mut text = match left {
        0 => "That was your last recovery code.".into(),
        1 => "One recovery code is left.".into(),
        2 | 3 => format!("Only {left} recovery codes are left."),
        _ => format!("{left} recovery codes are left."),
    };
    text.push_str(match (offered, left) {
        (true, _) => " A new phone comes with new ones.",
        (false, 0) => " Ask an administrator to enroll you anew.",
        (false, 1..=3) => " Ask an administrator to enroll you anew soon.",
        (false, _) => "",
    });
    (STYLE_INFO, text)
}

/// Required, and nothing to show. `command` is what an administrator types.
#[must_use]
pub fn not_enrolled(command: &str, user: &str) -> Message {
    (
        STYLE_ERROR,
        format!(
            "You need a second factor to log in here and have none yet. Ask an administrator to run: countersignctl {command} {user}"
        ),
    )
}

/// Whom to call, as the configuration says: the last word to somebody who is refused or locked.
#[must_use]
pub fn with_help(said: Vec<Message>, help: Option<&str>) -> Vec<Message> {
    said.into_iter().chain(help.map(|help| (STYLE_INFO, help.to_owned()))).collect()
}

/// A span of time for people, rounded up: nobody is told to come back too early.
fn span(ms: i64) -> String {
    let seconds = (ms + 999) / 1000;
    if seconds < 120 { format!("{seconds} s") } else { format!("{} min", (seconds + 59) / 60) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded_up() {
        for (ms, text) in [
            (1, "1 s"),
            (30_000, "30 s"),
            (30_001, "31 s"),
            (119_000, "119 s"),
            (120_000, "2 min"),
            (120_001, "3 min"),
            (3_600_000, "60 min"),
        ] {
            assert_eq!(span(ms), text, "{ms}");
        }
    }
}
