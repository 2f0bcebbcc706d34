//! What a person reads on the way to a new factor.
//!
//! Multi-line texts begin with a line end, because clients put `(user@host) ` before what they show.

use super::Message;
use crate::decide::enrolling::{Asking, Miss};
use countersign_protocol::login::{STYLE_ERROR, STYLE_INFO};
use std::fmt::Write as _;
use zeroize::Zeroizing;

/// Columns and lines of the smallest terminal that people use.
const COLUMNS: usize = 80;
const LINES: usize = 24;
/// Lines below a QR code: the key, what else can be typed, and the prompt.
const BELOW: usize = 3;

/// Until when somebody may pass without a factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Later {
    /// The first second that is too late, since 1970.
    pub until: i64,
    /// Seconds that are left.
    pub left: i64,
}

/// A key as it is shown once.
pub struct KeyCard<'a> {
    /// The QR code, each line ended.
    pub drawing: Option<&'a str>,
    /// The key in base32.
    pub key: &'a str,
    /// The name of this place in the app.
    pub issuer: &'a str,
    /// The name of the account in the app.
    pub account: &'a str,
    /// What stands in the app beside the usual 6 digits and 30 s.
    pub unusual: Option<(u8, u32)>,
    /// Whether `later` is an answer.
    pub later: Option<Later>,
    /// Whether the person has passed already and may go on without.
    pub optional: bool,
}

/// The QR code and the key: one message, because old versions of sshd count them.
#[must_use]
pub fn key(card: &KeyCard<'_>) -> Message {
    let mut text = String::from("\n");
    match card.drawing {
        Some(drawing) => {
            text.push_str(
                "Set up your second factor: scan this with an authenticator app, or type the key.\n",
            );
            text.push_str(drawing);
            let lines = drawing.lines().count();
            if lines + BELOW > LINES {
                let _ = writeln!(
                    text,
                    "This QR code takes {} lines: make the terminal higher, or type the key.",
                    lines + BELOW
                );
            }
        }
        None => text.push_str("Set up your second factor: type this key into an authenticator app.\n"),
    }
    let line = format!("Key: {}", grouped(card.key).as_str());
    let whose = format!(" ({} at {})", card.account, card.issuer);
    let fits = line.len() + whose.len() <= COLUMNS;
    let _ = write!(text, "{line}{}{whose}", if fits { "" } else { "\n    " });
    if let Some((digits, period)) = card.unusual {
        let _ = write!(text, "\nTime based, {digits} digits, {period} s.");
    }
    if let Some(later) = card.later {
        let _ = write!(text, "\n{}", or_later(later));
    } else if card.optional {
        text.push_str("\nYou may type no instead: then your old phone and codes stay as they are.");
    }
    (STYLE_INFO, text)
}

/// A key in groups of four, to be read aloud.
fn grouped(key: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(key.len() * 5 / 4 + 1));
    for (i, c) in key.chars().enumerate() {
        if i > 0 && i % 4 == 0 {
            out.push(' ');
        }
        out.push(c);
    }
    out
}

/// The recovery codes: shown once, in two columns. `asked` is the one that must be typed back, from 0.
#[must_use]
pub fn recovery_codes(codes: &[Zeroizing<String>], asked: u32) -> Message {
    let mut text = String::from(
        "\nRight. These recovery codes let you in when your phone is lost, each once.\nWrite them down now, apart from your phone: they are not shown again.\n\n",
    );
    let rows = codes.len().div_ceil(2);
    for row in 0..rows {
        let cell = |at: usize| codes.get(at).map(|code| format!("{:>4}  {}", at + 1, code.as_str()));
        if let Some(left) = cell(row) {
            text.push_str(&left);
        }
        if let Some(right) = cell(row + rows) {
            let _ = write!(text, "    {right}");
        }
        text.push('\n');
    }
    let _ = write!(text, "\nTo show that you have them, type number {} below.", asked + 1);
    (STYLE_INFO, text)
}

/// The prompt of a question. `asked_back` counts from 0.
#[must_use]
pub fn prompt(asking: Asking, asked_back: u32) -> String {
    match asking {
        Asking::Code => super::PROMPT.to_owned(),
        Asking::Invitation => "Invitation code: ".to_owned(),
        Asking::FirstCode => "First code from the app: ".to_owned(),
        Asking::ReadBack => format!("Type recovery code {} to show that you kept them: ", asked_back + 1),
        Asking::Offer => "Type enroll to set up a new phone now, or no to go on: ".to_owned(),
    }
}

/// The answer to `?`.
#[must_use]
pub fn what_to_type(asking: Asking, later: Option<Later>, optional: bool, asked_back: u32) -> Message {
    let mut text = match asking {
        Asking::Code => return super::what_to_type(),
        Asking::Invitation => "Type the one-time code that an administrator gave you to enroll with.".to_owned(),
        Asking::FirstCode => "Scan the QR code above with an authenticator app, or type its key by hand.\nThen type the code that the app shows for this account.".to_owned(),
        Asking::ReadBack => format!(
            "Type number {} of the recovery codes above. Dashes and capitals do not matter.",
            asked_back + 1
        ),
        Asking::Offer => {
            "Type enroll if your phone is lost: you get a new key and new recovery codes, and\nthe old ones stop working. Anything else lets you in as you are.".to_owned()
        }
    };
    if let Some(later) = later {
        let _ = write!(text, "\n{}", or_later(later));
    } else if optional && asking != Asking::Offer {
        text.push_str("\nType no to go on without a new phone.");
    }
    (STYLE_INFO, if text.contains('\n') { format!("\n{text}") } else { text })
}

fn or_later(later: Later) -> String {
    format!("You may type later instead: {} left, until {}.", days(later.left), last_day(later.until))
}

/// Asked for an invitation code.
#[must_use]
pub fn invited(later: Option<Later>) -> Message {
    let mut text = String::from(
        "\nYou need a second factor to log in here, and are invited to set one up.\nType the one-time code that your administrator gave you.",
    );
    if let Some(later) = later {
        let _ = write!(text, "\n{}", or_later(later));
    }
    (STYLE_INFO, text)
}

/// Passes for now, and what is needed soon. `command` is what an administrator types.
#[must_use]
pub fn grace(later: Later, command: &str, user: &str) -> Message {
    (
        STYLE_INFO,
        format!(
            "\nFrom {} on you need a second factor to log in here; {} left.\nAsk an administrator to run: countersignctl {command} {user}\n",
            last_day(later.until + 86_400),
            days(later.left)
        ),
    )
}

/// After `later`.
#[must_use]
pub fn until_later(later: Later) -> Message {
    (
        STYLE_INFO,
        format!(
            "\nYou are in without a second factor, this time; {} left to set one up, until {}.\n",
            days(later.left),
            last_day(later.until)
        ),
    )
}

/// A wrong answer with tries left.
#[must_use]
pub fn missed(miss: Miss, tries_left: u32, asked_back: u32) -> Message {
    let tries = super::tries(tries_left);
    let text = match miss {
        Miss::Invitation => format!("That invitation code is not right; {tries}. Type ? for help."),
        Miss::FirstCode { off: Some(seconds) } => {
            format!("{} Set it automatically; {tries}.", super::clock_is_off(seconds))
        }
        Miss::FirstCode { off: None } => {
            format!("That is not the code of this key; {tries}. Type ? for help.")
        }
        Miss::ReadBack => format!("That is not recovery code {}. Look again, or type ?.", asked_back + 1),
    };
    (STYLE_ERROR, text)
}

/// The last wrong answer: what was wrong, and what next.
#[must_use]
pub fn missed_for_good(miss: Miss, asked_back: u32) -> Message {
    const NOTHING_KEPT: &str = "Nothing of this key is kept: log in again for a new one.";
    let text = match miss {
        Miss::Invitation => "That invitation code is not right, and no try is left. Log in again.".into(),
        Miss::FirstCode { off: Some(seconds) } => {
            format!("\n{} Set it automatically.\n{NOTHING_KEPT}", super::clock_is_off(seconds))
        }
        Miss::FirstCode { off: None } => {
            format!("\nThat is not the code of this key, and no try is left.\n{NOTHING_KEPT}")
        }
        Miss::ReadBack => {
            let number = asked_back + 1;
            format!("\nThat is not recovery code {number}, and no try is left.\n{NOTHING_KEPT}")
        }
    };
    (STYLE_ERROR, text)
}

/// A passed login goes on without a new factor, although one was tried.
#[must_use]
pub fn not_set_up() -> Message {
    (STYLE_INFO, "\nNo new phone was set up; what you had before still counts.\n".into())
}

/// The key or its codes are gone.
#[must_use]
pub fn over() -> Message {
    (STYLE_ERROR, "This enrollment is over; nothing of it is kept. Log in again for a new key.".into())
}

/// Verified, and kept once the host says that the whole login is good.
#[must_use]
pub fn set_up(replaced: bool) -> Message {
    let text = if replaced {
        "\nYour new phone and the new recovery codes count from now on; the old ones are void.\n"
    } else {
        "\nYour second factor is set up. From now on a code of the app is asked for.\n"
    };
    (STYLE_INFO, text.into())
}

/// The host ends the login soon.
#[must_use]
pub fn hurry(seconds: i64) -> Message {
    (
        STYLE_INFO,
        format!(
            "\nAbout {seconds} s are left before this login is ended. If that happens, log in again:\nit begins with a new key then."
        ),
    )
}

/// Whole days, rounded up.
fn days(seconds: i64) -> String {
    match (seconds + 86_399) / 86_400 {
        ..=1 => "1 day".into(),
        days => format!("{days} days"),
    }
}

/// The last day on which something holds that ends at `until`, as year, month, day (UTC).
fn last_day(until: i64) -> String {
    let (year, month, day) = civil((until - 1).div_euclid(86_400));
    format!("{year:04}-{month:02}-{day:02}")
}

/// The Gregorian date of a day since 1970-01-01 (Howard Hinnant, `civil_from_days`).
fn civil(days: i64) -> (i64, i64, i64) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day_of_year - (153 * shifted + 2) / 5 + 1)
}
