//! Mail addresses: those that go into a letter without quoting, and nothing else.

use crate::words::{self, Kind};

/// The longest local part and the longest address that SMTP carries (RFC 5321, 4.5.3.1).
const LONGEST_LOCAL: usize = 64;
const LONGEST: usize = 254;
/// What stands for the user name in a [`Pattern`].
const USER: &str = "{user}";

/// An address as it stands in a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The name beside it: printable, without quotes, brackets or backslashes.
    pub name: Option<String>,
    /// `local@domain`, all ASCII, without quotes.
    pub address: String,
}

/// An address with a gap for the user name, such as `{user}@example.org`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern(String);

impl Pattern {
    /// The address of a user; `None` where the name cannot stand in one.
    #[must_use]
    pub fn address(&self, user: &str) -> Option<String> {
        let address = self.0.replacen(USER, user, 1);
        (!user.is_empty() && is_address(&address)).then_some(address)
    }

    /// As it stands in the file.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a text is an address that mail can be sent to: `local@domain`, ASCII, no quotes, no
/// comments, at most 254 bytes.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let Some((local, domain)) = text.rsplit_once('@') else { return false };
    text.len() <= LONGEST
        && local.len() <= LONGEST_LOCAL
        && local.split('.').all(|atom| !atom.is_empty() && atom.bytes().all(is_atom))
        && is_host_name(domain)
}

/// Whether a text is a host name: labels of letters, digits and inner dashes (RFC 1123, 2.1).
pub(crate) fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        !label.is_empty()
            && label.len() <= 63
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.split('.').all(label)
}

/// The characters of an atom (RFC 5322, 3.2.3), without those that templates give a meaning to.
fn is_atom(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#%&'*+-/=?^_~".contains(&byte)
}

/// `a@example.org` or `Name <a@example.org>`.
///
/// # Errors
///
/// What is wrong and what would be right.
pub(crate) fn parse(text: &str) -> Result<Address, (String, String)> {
    let (name, address) = match text.strip_suffix('>').and_then(|text| text.rsplit_once('<')) {
        Some((name, address)) => (name.trim_end(), address),
        None => ("", text),
    };
    if !is_address(address) {
        let right = "write \"user@example.org\" or \"Name <user@example.org>\"";
        return Err((format!("\"{}\" is no mail address", words::printable(text)), right.to_owned()));
    }
    if !name.is_empty()
        && let Some(wrong) = words::objection(name, Kind::Issuer)
    {
        return Err(wrong);
    }
    if name.contains(['"', '<', '>', '\\', '@', ',', ';', '(', ')']) {
        let wrong = "has a name with characters that letters give a meaning to";
        return Err((wrong.to_owned(), "leave \" < > \\ @ , ; ( ) out of the name".to_owned()));
    }
    Ok(Address { name: (!name.is_empty()).then(|| name.to_owned()), address: address.to_owned() })
}

/// `{user}@example.org`.
///
/// # Errors
///
/// What is wrong and what would be right.
pub(crate) fn pattern(text: &str) -> Result<Pattern, (String, String)> {
    let say = |wrong: &str| {
        let wrong = format!("\"{}\" {wrong}", words::printable(text));
        Err((wrong, "write something like \"{user}@example.org\"".to_owned()))
    };
    match text.matches(USER).count() {
        0 => return say("has no {user}, so that all codes would go to one address"),
        1 => {}
        _ => return say("has {user} more than once"),
    }
    if text.rsplit_once('@').is_some_and(|(_, domain)| domain.contains(USER)) {
        return say("has {user} behind the @, so that a name would choose who gets the codes");
    }
    if !is_address(&text.replacen(USER, "x", 1)) {
        return say("is no mail address with {user} in it");
    }
    Ok(Pattern(text.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ordinary_addresses() {
        for text in
            ["a@example.org", "a@localhost", "first.last+tag@mail.example.org", "a'b@xn--bcher-kva.example"]
        {
            assert!(is_address(text), "{text}");
        }
        let with_name = parse("Acme Ltd. <noreply@example.org>").expect("an address");
        assert_eq!(with_name.name.as_deref(), Some("Acme Ltd."));
        assert_eq!(with_name.address, "noreply@example.org");
        assert_eq!(parse("<a@example.org>").expect("an address").name, None);
    }

    #[test]
    fn what_a_letter_could_misread() {
        for text in [
            "",
            "a",
            "@example.org",
            "a@",
            "a@-x.org",
            "a@x..org",
            "a..b@example.org",
            ".a@example.org",
            "a@example.org\r\nBcc: b@example.org",
            "a\n@example.org",
            "a b@example.org",
            "\"a\"@example.org",
            "a@example.org,b@example.org",
            "a@b@example.org ",
            "a@[192.0.2.1]",
            "ä@example.org",
            "a@exämple.org",
            "a$(id)@example.org",
            "{{ code }}@example.org",
            "a<b@example.org",
        ] {
            assert!(!is_address(text), "{text:?}");
            assert!(parse(text).is_err(), "{text:?}");
        }
        assert!(!is_address(&format!("{}@example.org", "x".repeat(65))));
        for text in ["A\r\nBcc: x <a@example.org>", "a@b <a@example.org>", "\"A\" <a@example.org>"] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_name_never_chooses_the_domain() {
        let made = |user: &str| pattern("{user}@example.org").expect("a pattern").address(user);
        assert_eq!(made("alice").as_deref(), Some("alice@example.org"));
        assert_eq!(made("a.l-i_ce").as_deref(), Some("a.l-i_ce@example.org"));
        for user in ["", ".", "a@evil.org", "a@evil.org,b", "a b", "a\r\nb", "ACME\\bob", "ä", "a,b", "a."] {
            assert_eq!(made(user), None, "{user:?}");
        }
        assert_eq!(pattern("unix-{user}@example.org").expect("a pattern").address(""), None);
        for text in
            ["a@example.org", "a@{user}.org", "{user}{user}@example.org", "{user}", "{user}@", "{User}@x.org"]
        {
            assert!(pattern(text).is_err(), "{text:?}");
        }
        assert!(pattern("unix-{user}@example.org").is_ok());
    }

    proptest! {
        /// Whatever the name is, the address is the name, an at sign and the domain, or nothing.
        #[test]
        fn patterns_keep_their_shape(user in "\\PC{0,80}") {
            let pattern = pattern("{user}@example.org").expect("a pattern");
            if let Some(address) = pattern.address(&user) {
                prop_assert_eq!(&address, &format!("{user}@example.org"));
                prop_assert_eq!(address.matches('@').count(), 1);
                prop_assert!(address.is_ascii() && is_address(&address));
            }
        }
    }
}
