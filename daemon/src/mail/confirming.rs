//! The letter that asks whether an address is somebody's.

use super::letter::{line, utc};
use super::post::Letter;
use crate::text::email as text;
use zeroize::Zeroizing;

/// What the letter says.
pub struct Facts<'a> {
    /// The name above the codes.
    pub issuer: &'a str,
    /// Whose address it is to be.
    pub user: &'a str,
    /// Who asks for it.
    pub by: &'a str,
    /// Seconds since 1970.
    pub at: i64,
    /// How long the code works.
    pub minutes: i64,
    /// Whom to ask.
    pub help: Option<&'a str>,
    /// The code.
    pub code: &'a str,
}

/// The letter, from this mailbox to this address.
#[must_use]
pub fn letter(mailbox: &str, to: &str, facts: &Facts<'_>) -> Letter {
    let host = nix::unistd::gethostname().ok().and_then(|name| name.into_string().ok()).unwrap_or_default();
    let host = line(&host);
    Letter {
        mailbox: mailbox.to_owned(),
        to: to.to_owned(),
        subject: text::confirm_subject(&line(facts.issuer), &host),
        text: Zeroizing::new(text::confirm_letter(
            [&line(facts.user), &host, &line(facts.by), &utc(facts.at)],
            facts.code,
            facts.minutes,
            facts.help.map(line).as_deref(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dis_07_the_letter_says_who_and_when_and_outside_text_stays_on_its_line() {
        let evil = "x\r\nBcc: dave@example.org\n\n31415926\u{202e}";
        for (name, by) in [("alice", "carol"), (evil, evil)] {
            let facts = Facts {
                issuer: name,
                user: name,
                by,
                at: 1_795_340_700,
                minutes: 10,
                help: Some("Ask the helpdesk."),
                code: "31415926",
            };
            let letter = letter("ops", "a@example.org", &facts);
            assert!(!letter.subject.contains(['\r', '\n']), "{}", letter.subject);
            assert!(letter.text.lines().all(|line| !line.starts_with("Bcc")), "{}", *letter.text);
            assert!(!letter.text.contains(['\r', '\u{202e}']));
            assert_eq!(letter.text.lines().filter(|line| line.trim() == "31415926").count(), 1);
            for word in [by.split('\r').next().unwrap_or_default(), "2026-11-22", "10 minutes", "helpdesk"] {
                assert!(letter.text.contains(word), "{word} in {}", *letter.text);
            }
        }
    }
}
