//! Every sentence that a person can see during a login stands here, ready for translation.
//! English now. The module composes none of them.

use countersign_protocol::login::{STYLE_ERROR, STYLE_INFO};

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
    let tries = if tries_left == 1 { "1 try left".into() } else { format!("{tries_left} tries left") };
    (STYLE_ERROR, format!("That code is not right; {tries}. Type ? for help."))
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

/// After a recovery code let somebody in.
#[must_use]
pub fn recovery_used(left: u32) -> Message {
    let text = match left {
        0 => "That was your last recovery code. Ask an administrator to enroll you anew.".into(),
        1 => "One recovery code is left. Ask an administrator to enroll you anew soon.".into(),
        2 | 3 => {
            format!("Only {left} recovery codes are left. Ask an administrator to enroll you anew soon.")
        }
        _ => format!("{left} recovery codes are left."),
    };
    (STYLE_INFO, text)
}

/// Required, and nothing to show.
#[must_use]
pub fn not_enrolled(user: &str, help: Option<&str>) -> Vec<Message> {
    with_help(
        format!(
            "You need a second factor to log in here and have none yet. Ask an administrator to run: countersignctl enroll {user}"
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
