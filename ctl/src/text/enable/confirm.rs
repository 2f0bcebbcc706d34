//! The sentences of `confirm`, and the line of `status` about what waits for it.

use super::EVERY_SERVICE;

pub(crate) const NOTHING_TO_CONFIRM: &str = "Nothing waits to be confirmed.";

pub(crate) fn not_enabled(service: &str) -> String {
    format!("{service} was not changed by enable, and has no line of ours.")
}

pub(crate) fn confirmed(service: &str, login: i64) -> String {
    format!("Confirmed by login {login}: {service} asks for a code for good.")
}

pub(crate) fn does_not_count(user: &str, state: &str, reason: &str) -> String {
    let user = crate::terminal::safe(user);
    let reason =
        if reason.is_empty() { String::new() } else { format!(" ({})", crate::terminal::safe(reason)) };
    match state {
        "verified" | "enrolled" => format!(
            "{user} showed a code, but the account phase did not confirm the login: it was\n\
             refused afterwards, or is not over yet"
        ),
        "skipped" | "would-ask" => format!("{user} was let in without being asked{reason}"),
        state => format!("the newest login, of {user}, is {}{reason}", crate::terminal::safe(state)),
    }
}

pub(crate) fn no_login_yet(service: &str, nearest: Option<String>, left: Option<u64>) -> String {
    let nearest = nearest.map_or_else(|| "Nobody has tried".to_owned(), |nearest| format!("Seen: {nearest}"));
    let left = match left {
        Some(left) => {
            format!("It is taken back in {}.", crate::time::duration(i64::try_from(left).unwrap_or(i64::MAX)))
        }
        None => "Its time is over; it is being taken back.".to_owned(),
    };
    format!(
        "{service} is not confirmed: no login with a code since the change. {nearest}.\n\
         {left} Log in with a code, then again:  countersignctl confirm"
    )
}

pub(crate) fn too_late(service: &str) -> String {
    format!("{service} was taken back in this moment. To begin again:  countersignctl enable {service}")
}

/// One line for each service, below the state of the daemon.
pub(crate) fn status_line(service: &str, since: i64, unconfirmed: Option<u64>) -> String {
    let service = if service.starts_with('@') { EVERY_SERVICE } else { service };
    match unconfirmed {
        None => format!("enabled        {service}, since {}", crate::time::utc(since)),
        Some(left) => format!(
            "enabled        {service}, NOT CONFIRMED: taken back in {}",
            crate::time::duration(i64::try_from(left).unwrap_or(i64::MAX))
        ),
    }
}
