//! Every sentence that a person can see during a login stands here, ready for translation.
//! English now. The module composes none of them.

pub mod email;
pub mod enrolling;

use countersign_protocol::login::{STYLE_ERROR, STYLE_INFO};
use std::fmt::Write as _;

/// A message as it crosses the bus.
pub type Message = (u32, String);

/// The prompt for every kind of code. Each code prompt contains the word "code".
pub const PROMPT: &str = "Verification code: ";

/// The answer to `?`, the same for everybody.
#[must_use]
pub fn what_to_type() -> Message {
    (STYLE_INFO, "Type the code that your authenticator app shows, or one of your recovery codes.".into())
}

/// After a wrong answer with tries left.
#[must_use]
pub fn wrong_code(tries_left: u32) -> Message {
    (STYLE_ERROR, format!("That code is not right; {}. Type ? for help.", tries(tries_left)))
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
    if let Some(left) = tries_left {
        let _ = write!(text, "\n{}. Type ? for help.", tries(left));
    }
    (STYLE_ERROR, text)
}

fn clock_is_off(seconds: i64) -> String {
    let way = if seconds < 0 { "behind" } else { "ahead" };
    format!("Your phone's clock looks about {} s {way}.", seconds.abs())
}

/// After a code that was right and is used up.
#[must_use]
pub fn code_reused(wait: Option<i64>) -> Message {
    let text = match wait {
        Some(seconds) => format!("This code was already used, wait for the next one ({seconds} s)."),
        None => "This recovery code was already used. Type another one.".into(),
    };
    (STYLE_ERROR, text)
}

/// The lane is closed; milliseconds until it opens, `None` until somebody helps.
#[must_use]
pub fn locked(ms: Option<i64>, recovery_open: bool, help: Option<&str>) -> Vec<Message> {
    let mut text = match ms {
        Some(ms) => format!("Too many tries, again in {}.", span(ms)),
        None => "Too many tries. This account is locked until an administrator unlocks it.".into(),
    };
    if recovery_open {
        text.push_str(" A recovery code still works.");
    }
    with_help(text, help)
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
pub fn not_enrolled(command: &str, user: &str, help: Option<&str>) -> Vec<Message> {
    with_help(
        format!(
            "You need a second factor to log in here and have none yet. Ask an administrator to run: countersignctl {command} {user}"
        ),
        help,
    )
}

fn with_help(text: String, help: Option<&str>) -> Vec<Message> {
    let mut messages = vec![(STYLE_ERROR, text)];
    messages.extend(help.map(|h| (STYLE_INFO, h.to_owned())));
    messages
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
