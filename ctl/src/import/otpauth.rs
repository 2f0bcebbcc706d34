//! `otpauth://` URIs, as QR codes hold them (the Key Uri Format of authenticator apps).

use zeroize::Zeroizing;

use super::found::{Found, base32};
use crate::text;

/// Longest name of an authenticator, in characters; room is left for a number behind it.
const LONGEST_NAME: usize = 32;

/// What a URI says of the account: whose it is, if that can be told, and what it holds.
pub(super) struct Uri {
    /// The account in the label up to its last `@`; empty where there is none.
    pub(super) user: String,
    pub(super) found: Result<Found, String>,
}

/// Reads one URI.
pub(super) fn parse(uri: &[u8]) -> Uri {
    let Ok(uri) = std::str::from_utf8(uri) else { return refused(text::NO_URI) };
    let uri = uri.trim();
    if has_prefix(uri, "otpauth-migration:") {
        return refused(text::MIGRATION);
    }
    if has_prefix(uri, "otpauth://hotp/") {
        return refused(text::COUNTS_EVENTS);
    }
    if !has_prefix(uri, "otpauth://totp/") {
        return refused(text::NO_URI);
    }
    let rest = &uri["otpauth://totp/".len()..];
    let (label, query) = rest.split_once('?').unwrap_or((rest, ""));
    let query = query.split('#').next().unwrap_or_default();
    let label = decode(label);
    let (issuer, account) = match label.split_once(':') {
        Some((issuer, account)) => (issuer.trim(), account.trim()),
        None => ("", label.trim()),
    };
    let user = account.rsplit_once('@').map_or(account, |(user, _)| user).to_owned();
    Uri { user, found: found(issuer, query) }
}

fn refused(why: &str) -> Uri {
    Uri { user: String::new(), found: Err(why.to_owned()) }
}

fn has_prefix(uri: &str, prefix: &str) -> bool {
    uri.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

fn found(issuer: &str, query: &str) -> Result<Found, String> {
    let mut parameters = Parameters::default();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        parameters.set(&key.to_ascii_lowercase(), value)?;
    }
    let secret = parameters.secret.ok_or_else(|| text::NO_URI_SECRET.to_owned())?;
    let algorithm = parameters.algorithm.unwrap_or_default();
    if !matches!(algorithm.to_ascii_uppercase().as_str(), "" | "SHA1" | "SHA-1" | "HMACSHA1") {
        return Err(text::other_algorithm(&algorithm));
    }
    let number = |text: Option<String>, default: u32, key: &str| match text {
        None => Ok(default),
        Some(text) => text.parse().map_err(|_| text::unreadable_option(key)),
    };
    let issuer = parameters.issuer.unwrap_or_else(|| issuer.to_owned());
    let fits = |name: &str| {
        (1..=LONGEST_NAME).contains(&name.chars().count())
            && !name.chars().any(crate::terminal::is_unprintable)
    };
    let mut found = Found::new(if fits(issuer.trim()) { issuer.trim() } else { "app" }, secret);
    found.digits = u8::try_from(number(parameters.digits, 6, "digits")?).unwrap_or(u8::MAX);
    found.period = number(parameters.period, 30, "period")?;
    Ok(found)
}

#[derive(Default)]
struct Parameters {
    secret: Option<Zeroizing<Vec<u8>>>,
    algorithm: Option<String>,
    digits: Option<String>,
    period: Option<String>,
    issuer: Option<String>,
}

impl Parameters {
    /// What is said twice could be read either way, so it is refused.
    fn set(&mut self, key: &str, value: &str) -> Result<(), String> {
        let place = match key {
            "secret" => {
                let value = Zeroizing::new(decode(value));
                let secret = base32(value.as_bytes()).ok_or_else(|| text::NO_URI_SECRET.to_owned())?;
                return match self.secret.replace(secret) {
                    None => Ok(()),
                    Some(_) => Err(text::said_twice(key)),
                };
            }
            "algorithm" => &mut self.algorithm,
            "digits" => &mut self.digits,
            "period" => &mut self.period,
            "issuer" => &mut self.issuer,
            // Pictures and colours of the entry, and whatever else apps add.
            _ => return Ok(()),
        };
        match place.replace(decode(value)) {
            None => Ok(()),
            Some(_) => Err(text::said_twice(key)),
        }
    }
}

/// Percent-decoding (RFC 3986, 2.1); what is no UTF-8 afterwards is marked, what is no escape stays.
fn decode(text: &str) -> String {
    let digit = |c: Option<&u8>| c.and_then(|c| char::from(*c).to_digit(16));
    let bytes = text.as_bytes();
    let mut out = Zeroizing::new(Vec::with_capacity(bytes.len()));
    let mut at = 0;
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECRET: &str = "GROTCLXAZDPP2I3JNJDFTJ4FY4";

    fn why(uri: &str) -> String {
        parse(uri.as_bytes()).found.err().unwrap_or_else(|| panic!("{uri} was taken"))
    }

    #[test]
    fn our_own_and_others() {
        let ours = parse(
            format!("otpauth://totp/Acme%20Inc:alice%40host?secret={SECRET}&issuer=Acme%20Inc").as_bytes(),
        );
        let found = ours.found.expect("ours");
        assert_eq!((ours.user.as_str(), found.name.as_str()), ("alice", "Acme Inc"));
        assert_eq!((found.digits, found.period, found.secret.len()), (6, 30, 16));
        let other = format!(
            "OTPAUTH://TOTP/alice?secret={}&algorithm=sha1&digits=8&period=60&image=x\r",
            SECRET.to_lowercase()
        );
        let other = parse(other.as_bytes());
        let found = other.found.expect("another");
        assert_eq!((other.user.as_str(), found.name.as_str()), ("alice", "app"));
        assert_eq!((found.digits, found.period), (8, 60));
        assert_eq!(parse(b"otpauth://totp/a@b@c?secret=GROT").user, "a@b");
    }

    #[test]
    fn what_is_refused_by_name() {
        for (uri, word) in [
            ("otpauth-migration://offline?data=CjEKCkhlbGxv", "export"),
            (&format!("otpauth://hotp/a?secret={SECRET}&counter=1"), "HOTP"),
            (&format!("otpauth://totp/a?secret={SECRET}&algorithm=SHA256"), "SHA256"),
            (&format!("otpauth://totp/a?secret={SECRET}&algorithm=\u{1b}[2J"), "algorithm"),
            (&format!("otpauth://totp/a?secret={SECRET}&period=x"), "period"),
            (&format!("otpauth://totp/a?secret={SECRET}&secret={SECRET}"), "twice"),
            ("otpauth://totp/a?secret=1", "secret"),
            ("otpauth://totp/a", "secret"),
            ("https://example.org", "otpauth://"),
        ] {
            let why = why(uri);
            assert!(why.contains(word), "{uri}: {why}");
            assert!(!why.contains(SECRET), "{why}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes: Vec<u8>, text: String) {
            drop(parse(&bytes));
            drop(parse(text.as_bytes()));
            drop(parse(format!("otpauth://totp/{text}?secret={SECRET}&{text}").as_bytes()));
        }

        #[test]
        fn inp_08_names_are_read_as_they_were_written(issuer in "[^:]{1,32}", user in "[^:@]{1,32}") {
            let encoded = |text: &str| text.bytes().fold(String::new(), |all, b| format!("{all}%{b:02X}"));
            let uri = format!("otpauth://totp/{0}:{1}%40h?secret={SECRET}&issuer={0}", encoded(&issuer), encoded(&user));
            let read = parse(uri.as_bytes());
            prop_assert_eq!(read.user.as_str(), user.trim_start());
            prop_assert!(read.found.is_ok());
        }
    }
}
