//! What a person hears of codes by e-mail. Addresses are masked by the caller.

use super::{Message, span};
use countersign_protocol::login::{STYLE_ERROR, STYLE_INFO};

/// A code was sent, or is on its way.
#[must_use]
pub fn sent(to: &str, on_its_way: bool, valid_ms: i64, resend_ms: i64) -> Message {
    let sent = if on_its_way { "A code is on its way" } else { "A code was sent" };
    let (valid, resend) = (span(valid_ms), span(resend_ms));
    (STYLE_INFO, format!("{sent} to {to}. It works for {valid}.\nNothing came? Type resend after {resend}."))
}

/// Where codes go cannot be known now.
#[must_use]
pub fn unknown() -> Message {
    (
        STYLE_ERROR,
        "Your mail address cannot be looked up now, so no code can be sent.\nTry again in a minute, or type a recovery code.".into(),
    )
}

/// A code could not be sent.
#[must_use]
pub fn failed(to: &str, has_app: bool) -> Message {
    let other = if has_app { "the code that your\nauthenticator app shows, or a" } else { "a" };
    (
        STYLE_ERROR,
        format!(
            "The code could not be sent to {to}: the mail server does not take it.\nType resend to try again, or {other} recovery code."
        ),
    )
}

/// A code was sent just now.
#[must_use]
pub fn too_soon(ms: i64) -> Message {
    (STYLE_INFO, format!("A code was sent just now. Another one can be asked for in {}.", span(ms)))
}

/// Too many codes were sent.
#[must_use]
pub fn capped(ms: i64) -> Message {
    (STYLE_ERROR, format!("Too many codes were sent. The next one can be asked for in {}.", span(ms)))
}

/// A code that was right came too late. `over` is that the login takes no other.
#[must_use]
pub fn expired(over: bool) -> Message {
    let text = if over {
        "This code has expired, and no try is left. Log in again for a new one."
    } else {
        "This code has expired. Type resend for a new one."
    };
    (STYLE_ERROR, text.into())
}

/// The answer to `?`.
#[must_use]
pub fn what_to_type(to: &str, has_app: bool) -> Message {
    let app = if has_app { "the code that your authenticator app shows,\n" } else { "" };
    (
        STYLE_INFO,
        format!(
            "Type {app}a code that was sent to you by e-mail, or one of your recovery codes.\nType email to have a code sent to {to}."
        ),
    )
}

/// The subject of the letter that asks whether an address is somebody's.
#[must_use]
pub fn confirm_subject(issuer: &str, host: &str) -> String {
    format!("{issuer}: confirm your mail address for {host}")
}

/// That letter, of one-line values. `whose` is the account, the computer, who asks and when.
#[must_use]
pub fn confirm_letter(whose: [&str; 4], code: &str, minutes: i64, help: Option<&str>) -> String {
    let [user, host, by, time] = whose;
    let help = help.map_or_else(String::new, |help| format!("{help}\n"));
    format!(
        "Codes and notices of this account are to be sent to you here:\n\n    \
         Account:  {user}\n    Computer: {host}\n    Asked by: {by}\n    Time:     {time}\n\n\
         To confirm that the address is yours, type this code on that computer:\n\n    {code}\n\n\
         with:  countersignctl email confirm\n\n\
         It works once, for {minutes} minutes.\n\n\
         Do you know nothing of this? Then give the code to nobody, and nothing\n\
         will be sent to you. Tell the administrator of that computer.\n{help}"
    )
}
