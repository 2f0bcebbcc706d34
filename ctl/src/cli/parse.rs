//! What an argument may be.

use super::enable::Rollback;
use super::policy::From;

/// A login name as far as this side can judge it; whether it exists is the daemon's answer.
pub(super) fn user(text: &str) -> Result<String, &'static str> {
    match text.len() {
        0 => Err("a login name is not empty"),
        1..=256 => Ok(text.to_owned()),
        _ => Err("a login name has at most 256 bytes"),
    }
}

/// A mail address as mail servers take it without quoting.
pub(super) fn address(text: &str) -> Result<String, &'static str> {
    if countersign_config::is_address(text) {
        Ok(text.to_owned())
    } else {
        Err("write an address such as alice@example.org, without a name beside it")
    }
}

/// The name of an authenticator; the daemon has the last word.
pub(super) fn label(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("a name is not empty"),
        text if text.chars().count() > 32 => Err("a name has at most 32 characters"),
        text if text.chars().any(crate::terminal::is_unprintable) => Err("a name has no control characters"),
        text => Ok(text.to_owned()),
    }
}

/// Seconds, minutes, hours, days or weeks, in seconds; at most the ten years that a log is kept.
pub(crate) fn span(text: &str) -> Result<u64, &'static str> {
    let wrong = "write a number and a unit, such as 30d, 12h or 2w";
    let unit = text.chars().next_back().ok_or(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'w' => 7 * 24 * 3600,
        _ => return Err(wrong),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong)?;
    match number.checked_mul(seconds) {
        Some(span @ 1..=315_360_000) => Ok(span),
        _ => Err("write a time of one second to ten years"),
    }
}

/// A time to confirm in: long enough to log in, short enough to wait for.
pub(super) fn minutes(text: &str) -> Result<u64, &'static str> {
    match span(text)? {
        seconds @ 5..=3600 => Ok(seconds),
        _ => Err("write a time of five seconds to one hour"),
    }
}

/// What a rollback is about.
pub(super) fn rollback(text: &str) -> Result<Rollback, &'static str> {
    match text {
        "at-boot" => Ok(Rollback::AtBoot),
        _ if text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            Ok(Rollback::Change(text.to_owned()))
        }
        _ => Err("this is the number of a change, or at-boot"),
    }
}

/// The name of a PAM service, which is the name of a file.
pub(super) fn service(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("a service is not empty"),
        _ if text.len() > 256 => Err("a service has at most 256 bytes"),
        _ if text.starts_with('.')
            || text.contains(|c: char| c == '/' || c.is_whitespace() || c.is_control()) =>
        {
            Err("a service is the name of one file in /etc/pam.d")
        }
        // libpam turns the names into lower case before any module sees them.
        _ => Ok(text.to_lowercase()),
    }
}

/// Names of hosts are never resolved: whoever answers for a name would choose the policy.
pub(super) fn place(text: &str) -> Result<From, &'static str> {
    match text {
        "local" => Ok(From::Local),
        "unknown" => Ok(From::Unknown),
        _ => text
            .parse()
            .map(From::Address)
            .map_err(|_| "write an address such as 192.0.2.7, or local, or unknown; names are not resolved"),
    }
}

/// A reason is one line of a log.
pub(super) fn reason(text: &str) -> Result<String, &'static str> {
    if text.chars().any(crate::terminal::is_unprintable) {
        return Err("a reason is one line without control characters");
    }
    match text.trim() {
        "" => Err("a reason is not empty"),
        text if text.chars().count() > 400 => Err("a reason has at most 400 characters"),
        text => Ok(text.to_owned()),
    }
}

/// The states of a login.
const STATES: [&str; 8] =
    ["asked", "verified", "denied", "locked", "skipped", "would-ask", "abandoned", "enrolled"];

/// One of them.
pub(super) fn state(text: &str) -> Result<String, String> {
    if STATES.contains(&text) {
        return Ok(text.to_owned());
    }
    Err(format!("the states are {}", STATES.join(", ")))
}

/// An address, a network or a class, as the daemon reads it too.
pub(super) fn whence(text: &str) -> Result<String, String> {
    countersign_config::Network::parse(text).map(|network| network.to_string())
}

/// A name out of the policy file or of a method.
pub(super) fn policy(text: &str) -> Result<String, &'static str> {
    match text.len() {
        0 => Err("a name is not empty"),
        1..=256 => Ok(text.to_owned()),
        _ => Err("a name has at most 256 bytes"),
    }
}
