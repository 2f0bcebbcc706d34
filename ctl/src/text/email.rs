//! The sentences of `email`.

use countersign_protocol::manager::Preview;

pub(crate) fn address_line(address: &str, why: &str) -> String {
    format!("address        {address}, {why}")
}

pub(crate) const FROM_RECORD: &str = "from the user record";
pub(crate) const FROM_PATTERN: &str = "made of the name by a policy";

pub(crate) fn set_by(by: &str, confirmed: &str) -> String {
    format!("set by {by}, confirmed {confirmed}")
}

pub(crate) fn waits(by: &str) -> String {
    format!("asked for by {by}, waits for its code")
}

pub(crate) fn no_address(user: &str, own: bool) -> String {
    let whose = if own { "" } else { user };
    format!("{user} has no mail address here. To set one:\n    countersignctl email set ADDRESS {whose}")
        .trim_end()
        .to_owned()
}

pub(crate) const NEEDS_REASON: &str = "an auditor will ask why somebody else's mail address was changed.\n\
    Nothing was changed. Add --reason TEXT.";

/// A code is on its way to an address that somebody set.
pub(crate) fn asked(masked: &str, user: &str, own: bool) -> String {
    let (whose, user) =
        if own { ("It".to_owned(), String::new()) } else { (format!("For {user} it"), format!(" {user}")) };
    format!(
        "A code was sent to {masked}. {whose} counts once that code is typed:\n    \
         countersignctl email confirm{user}\n\
         Until then nothing changes."
    )
}

pub(crate) const CODE_QUESTION: &str = "The code in the letter: ";
pub(crate) const WRONG_CODE: &str = "That code is not right. Type the one in the newest letter.";

pub(crate) fn confirmed(masked: &str, user: &str) -> String {
    format!(
        "Mail for {user} goes to {masked} from now on.\n\
         The address before it, if there was one, is told."
    )
}

pub(crate) const REMOVE_NEEDS_YES: &str = "email remove asks before it removes anything, and standard input is no terminal.\n\
    Nothing was changed. Add --yes if you are sure.";

pub(crate) fn remove_question(user: &str) -> String {
    format!(
        "The mail address that was set for {user} is removed: no code and no notice goes there\n\
         any more, but for one that says so.\n\
         Type yes to go on: "
    )
}

pub(crate) fn removed(masked: &str, user: &str) -> String {
    if masked.is_empty() {
        format!("The address of {user} that waited for its code was removed. None had counted.")
    } else {
        format!("{masked} removed. {user} is told there and at the next login.")
    }
}

pub(crate) const OK: &str = "ok";
pub(crate) const FAILED: &str = "FAILED";

/// What stands above the text of a preview.
pub(crate) fn above_preview(preview: &Preview) -> Vec<String> {
    let or = |text: &str, none: &str| if text.is_empty() { none.to_owned() } else { text.to_owned() };
    let from = match preview.mailbox.as_str() {
        "" => "nobody: no mailbox is configured".to_owned(),
        mailbox => format!("{} ([mailbox.{mailbox}])", preview.from),
    };
    vec![
        format!("Template: {}", or(&preview.file, "the one that ships")),
        format!("Policy:   {}", or(&preview.policy, "none sends codes")),
        format!("From:     {from}"),
        format!("Subject:  {}", preview.subject),
    ]
}

pub(crate) fn sent(address: &str) -> String {
    format!("The server has taken the letter. Look whether it arrives at {address}, and how soon.")
}

pub(crate) const UNKNOWN: &str = "The letter was handed over and the server did not say whether it took it. Look whether it \
     arrives; if this happens again, the server checks letters for too long before it answers.";

pub(crate) const NO_MAILER: &str = "countersign-mailer is not installed, or the bus does not know it yet.\n\
     Run: systemctl reload dbus; systemctl status countersign-mailer";

pub(crate) const NOT_ROOT: &str = "Only root may test a mailbox. Run this as root.";

pub(crate) fn not_started(said: &str) -> String {
    format!(
        "countersign-mailer could not be started: {said}\n\
         Run: journalctl -u countersign-mailer"
    )
}

/// What to do about a stage that failed.
pub(crate) fn advice(stage: &str, cause: &str) -> &'static str {
    match (stage, cause) {
        (_, "no-mailbox") => "No mailbox is configured. Write [mailbox.NAME] into the configuration.",
        (_, "which-mailbox") => "There are several mailboxes. Say which: --mailbox NAME",
        (_, "unknown-mailbox") => "The configuration has no mailbox of that name. Look for [mailbox.NAME].",
        (_, "bad-configuration") => "The configuration has problems. Run: countersignctl policy check",
        (_, "no-secret") => {
            "The mailbox has a login and no secret. Write the password or token alone into that file, \
             owned by root:countersign-mail, mode 0640; or write login = \"none\"."
        }
        (_, "open-secret") => {
            "The file with the secret must belong to root and be closed to others. \
             Run: chown root:countersign-mail FILE; chmod 0640 FILE"
        }
        (_, "unreadable-secret") => {
            "The mailer cannot read the file with the secret. \
             Run: chown root:countersign-mail FILE; chmod 0640 FILE"
        }
        (_, "bad-secret") => {
            "The file must hold the secret and nothing else: one line of text, without control characters."
        }
        (_, "login-in-clear") => "A login is never sent in clear. Write login = \"none\", or another tls.",
        (_, "not-loopback") => {
            "tls = \"none\" is for a server on this host, and this name is another host. \
             Write tls = \"implicit\" or \"starttls\"."
        }
        (_, "unknown-host") => {
            "The server's name is not known here. Correct server, or look at the DNS of this host."
        }
        (_, "no-connection") => {
            "Nobody listens there, or something in between refuses. Is the port right (465 implicit, 587 \
             starttls), and does a firewall let this host out to it?"
        }
        (_, "no-starttls") => {
            "The server offers no STARTTLS, so nothing was sent. Try tls = \"implicit\" with port 465. If it \
             offers STARTTLS elsewhere, something in between removes it."
        }
        (_, "no-tls") => "What answers does not speak TLS there. Try tls = \"starttls\" (port 587).",
        (_, "unknown-issuer" | "self-signed") => {
            "Nobody this host trusts vouches for the server's certificate. If it is your own server, name \
             the certificate of your authority with ca_file; a certificate that signed itself cannot be used."
        }
        (_, "expired" | "not-valid-yet") => {
            "The server's certificate does not hold at this time. Renew it, or set this host's clock."
        }
        (_, "wrong-name") => {
            "The certificate is for another name. Write the name that is in the certificate as server."
        }
        (_, "bad-ca-file" | "no-authorities") => {
            "The certificates to trust cannot be read. Correct ca_file (PEM, readable by everybody), or \
             install ca-certificates."
        }
        ("login", "no-mechanism") => {
            "The server offers no login of that kind (see what it said). Try login = \"password\" or \"xoauth2\"."
        }
        ("login", _) => {
            "The server does not accept name and secret. Is user right, and the secret still valid? Some \
             providers want an app password, others a token (login = \"xoauth2\")."
        }
        ("sender", _) => {
            "The server does not let this account send as from. Correct from, or allow it there."
        }
        ("recipient", "rejected") => "The server does not take mail for this address. Try another address.",
        ("message", "rejected") => "The server read the letter and did not take it; see what it said.",
        (_, "out-of-turn" | "garbled" | "says-too-much") => {
            "What answers there does not behave like a mail server. Correct server, port and tls."
        }
        (_, "timeout") => {
            "The server did not answer in time. Is the port right (465 wants tls = \"implicit\", 587 \
             \"starttls\"), and does a firewall drop what this host sends?"
        }
        (_, "hung-up" | "broken" | "tls") => {
            "The server ended the connection. Is the port right (465 wants tls = \"implicit\", 587 \"starttls\")?"
        }
        _ => "See what the server said.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advice_is_plain_ascii() {
        for (stage, cause) in [
            ("tls", "unknown-issuer"),
            ("login", "rejected"),
            ("login", "no-mechanism"),
            ("connect", "timeout"),
        ] {
            let text = advice(stage, cause);
            assert!(text.is_ascii() && !text.starts_with("See"), "{stage} {cause}: {text}");
        }
    }
}
