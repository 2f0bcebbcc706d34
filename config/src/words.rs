//! Which texts may stand in a configuration: they end up in prompts, logs and file lookups.

/// What a text is for, and so what it may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Shown in the authenticator app.
    Issuer,
    /// A sentence shown to a person.
    Sentence,
    /// The name of a policy.
    PolicyName,
    /// A Unix group.
    Group,
    /// A Unix user.
    User,
    /// A PAM service.
    Service,
    /// The name of a file of ours: a mailbox or a template.
    FileName,
}

impl Kind {
    /// The longest that is accepted, in characters.
    fn limit(self) -> usize {
        match self {
            // Fits the lists of the usual apps and keeps the QR code within 80x24.
            Self::Issuer => 40,
            Self::Sentence => 400,
            Self::PolicyName => 64,
            Self::Group | Self::User => 255,
            Self::Service => 64,
            Self::FileName => 32,
        }
    }
}

/// Why `text` cannot be used as a `kind`, and what could; `None` if it can.
pub(crate) fn objection(text: &str, kind: Kind) -> Option<(String, String)> {
    let say = |wrong: &str, right: &str| Some((wrong.to_owned(), right.to_owned()));
    let length = text.chars().count();
    if text.is_empty() {
        return say("is empty", "write something, or leave the key out");
    }
    if length > kind.limit() {
        return Some((format!("has {length} characters"), format!("use at most {}", kind.limit())));
    }
    if let Some(bad) = text.chars().find(|c| is_unprintable(*c)) {
        return Some((
            format!("contains the unprintable character U+{:04X}", u32::from(bad)),
            "write it in one line of visible characters".to_owned(),
        ));
    }
    if text.trim() != text {
        return say("begins or ends with a space", "take the space away");
    }
    match kind {
        Kind::Issuer if text.contains(':') => say(
            "contains a colon, which separates issuer and account in the authenticator app",
            "leave the colon out",
        ),
        Kind::Group if text.contains([':', ',', '/']) => {
            say("is not a group name", "write one group, as `getent group` shows it")
        }
        Kind::User if text.contains([':', ',', '/']) => {
            say("is not a user name", "write one user, as `getent passwd` shows it")
        }
        Kind::Group if text.contains('?') => {
            say("has a `?` inside", "write a single `?` at the end, as in \"wheel?\"")
        }
        Kind::Service if text.contains(|c: char| c == '/' || c.is_whitespace()) => {
            say("is not a PAM service", "write the name of one file in /etc/pam.d")
        }
        Kind::Service | Kind::User if text.contains('?') => {
            say("has a `?`, which only groups can have", "leave the question mark out")
        }
        Kind::FileName
            if !text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b))
                || text.starts_with(['-', '_']) =>
        {
            say("is not a name of this kind", "use a-z, 0-9, - and _, and begin with a letter or a digit")
        }
        // libpam turns service names into lower case before any module sees them.
        Kind::Service if text.chars().any(char::is_uppercase) => Some((
            "would never match: PAM service names are lower case".to_owned(),
            format!("write \"{}\"", text.to_lowercase()),
        )),
        _ => None,
    }
}

/// `text` with everything unprintable written as an escape, for messages.
pub(crate) fn printable(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == 120 {
            shown.push_str("...");
            break;
        }
        if is_unprintable(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    shown
}

/// Control characters, line separators, and those that change the direction of writing.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061C}'
                | '\u{200B}'
                | '\u{200E}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ok(text: &str, kind: Kind) -> bool {
        objection(text, kind).is_none()
    }

    #[test]
    fn accepts_ordinary_texts() {
        assert!(ok("Acme", Kind::Issuer));
        assert!(ok("Ünïted Bäckeries & Söhne?", Kind::Issuer));
        assert!(ok("Lost your phone? Ask: room 12.", Kind::Sentence));
        assert!(ok("domain users", Kind::Group));
        assert!(ok("acme\\wheel", Kind::Group));
        assert!(ok("polkit-1", Kind::Service));
        assert!(ok(&"i".repeat(40), Kind::Issuer));
    }

    #[test]
    fn refuses_what_would_break_a_terminal_a_uri_or_a_lookup() {
        for text in ["", " ", "a ", "a\nb", "a\u{1b}[2J", "a\u{9b}", "a\u{202e}b", "a\u{2028}b"] {
            assert!(!ok(text, Kind::Sentence), "{text:?}");
        }
        assert!(!ok("Acme: Ops", Kind::Issuer));
        assert!(!ok(&"i".repeat(41), Kind::Issuer));
        assert!(!ok("a,b", Kind::Group));
        assert!(!ok("wh?eel", Kind::Group));
        assert!(!ok("/etc/pam.d/sshd", Kind::Service));
        assert!(!ok("two words", Kind::Service));
        let (_, right) = objection("SSHD", Kind::Service).expect("upper case");
        assert_eq!(right, "write \"sshd\"");
    }

    #[test]
    fn messages_show_no_raw_escape() {
        assert_eq!(printable("a\u{1b}[2J"), "a\\u{1b}[2J");
        assert!(printable(&"x".repeat(5000)).chars().count() < 130);
    }
}
