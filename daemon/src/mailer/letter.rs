//! A letter: what it may hold, and how it looks on the wire.

use super::dialogue::Failure;
use crate::random;
use countersign_config::{Mailbox, is_address};
use countersign_protocol::mailer::Outcome;
use lettre::message::header::{ContentType, Header, HeaderName, HeaderValue, MIME_VERSION_1_0};
use lettre::{Address, Message};
use std::time::SystemTime;

/// The longest subject, in bytes.
pub(super) const LONGEST_SUBJECT: usize = 255;
/// The longest text, in bytes.
pub(super) const LONGEST_TEXT: usize = 16 * 1024;

/// A letter as it was handed to us. Holds a code, and therefore has no `Debug`.
pub(super) struct Letter {
    to: Address,
    subject: String,
    text: String,
}

impl Letter {
    /// Reads what a caller gave.
    ///
    /// # Errors
    /// With a sentence, when the address is none that we send to, the subject is more than a line or
    /// the text holds control characters, or one of them is too long.
    pub(super) fn new(to: &str, subject: String, text: String) -> Result<Self, &'static str> {
        let line = |s: &str| !s.chars().any(crate::journal::is_unsafe);
        if !line(&subject) || subject.len() > LONGEST_SUBJECT {
            return Err("a subject is one line of at most 255 bytes");
        }
        if !text.split('\n').all(line) || text.len() > LONGEST_TEXT {
            return Err("a text holds no control characters, and at most 16 KiB");
        }
        Ok(Self { to: address(to).map_err(|_| "this is no address that mail is sent to")?, subject, text })
    }

    /// To whom.
    pub(super) fn to(&self) -> &Address {
        &self.to
    }

    /// The letter on the wire.
    ///
    /// # Errors
    /// When it cannot be put together.
    pub(super) fn render(&self, by: &Mailbox) -> Result<Vec<u8>, Failure> {
        let bad = |e: String| Failure { outcome: Outcome::Refused, cause: "bad-letter", said: e };
        let id: [u8; 16] = random::bytes().map_err(|e| bad(e.to_string()))?;
        let from = named(&by.from)?;
        let id = format!("<{}@{}>", random::hex(&id), from.email.domain());
        let mut letter = Message::builder()
            .from(from)
            .to(self.to.clone().into())
            .subject(self.subject.as_str())
            .date(SystemTime::now())
            .message_id(Some(id))
            .header(AutoSubmitted)
            .header(MIME_VERSION_1_0)
            .header(ContentType::TEXT_PLAIN);
        if let Some(reply_to) = &by.reply_to {
            letter = letter.reply_to(named(reply_to)?);
        }
        Ok(letter.body(self.text.clone()).map_err(|e| bad(e.to_string()))?.formatted())
    }
}

/// An address for the envelope.
///
/// # Errors
/// When it is none. The configuration has judged its own; this is the second lock on the door.
pub(super) fn address(text: &str) -> Result<Address, Failure> {
    let bad = || Failure { outcome: Outcome::Refused, cause: "bad-address", said: text.to_owned() };
    if !is_address(text) {
        return Err(bad());
    }
    text.parse().map_err(|_| bad())
}

/// An address with the name beside it, for a header.
fn named(of: &countersign_config::Address) -> Result<lettre::message::Mailbox, Failure> {
    Ok(lettre::message::Mailbox::new(of.name.clone(), address(&of.address)?))
}

/// RFC 3834: nobody's holiday reply answers a code.
#[derive(Debug, Clone)]
struct AutoSubmitted;

impl Header for AutoSubmitted {
    fn name() -> HeaderName {
        HeaderName::new_from_ascii_str("Auto-Submitted")
    }

    fn parse(_: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        Ok(Self)
    }

    fn display(&self) -> HeaderValue {
        HeaderValue::new(Self::name(), "auto-generated".into())
    }
}
