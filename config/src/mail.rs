//! What a checked configuration says of codes by e-mail.

use std::path::PathBuf;
use std::time::Duration;

use crate::Address;

/// Codes by e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Email {
    /// Digits of a code: 6 to 10.
    pub length: u8,
    /// How long a code works: 1 to 10 minutes.
    pub valid_for: Duration,
    /// How long after a code the next one can be asked for: 10 seconds to 5 minutes, and less than
    /// `valid_for`.
    pub resend_after: Duration,
    /// Where addresses come from: the first that has one is taken. Never empty, each once.
    pub addresses: Vec<AddressSource>,
    /// The most codes that are mailed for the whole host within an hour, and the most notices: 10 to
    /// 100,000.
    pub most_per_hour: u32,
    /// Whether a template may put the code into the subject.
    pub code_in_subject: bool,
}

impl Default for Email {
    fn default() -> Self {
        Self {
            length: 8,
            valid_for: Duration::from_secs(10 * 60),
            resend_after: Duration::from_secs(30),
            addresses: vec![AddressSource::Set, AddressSource::Pattern],
            most_per_hour: 1000,
            code_in_subject: false,
        }
    }
}

/// Where a person's address comes from. Never a file that the person can write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressSource {
    /// Set by an administrator or by the person, and confirmed by a code.
    Set,
    /// The pattern that the policy gives.
    Pattern,
    /// `emailAddress` of systemd's user records. Not by default: where they come from may let people change
    /// their own.
    Record,
}

/// A `[mailbox.NAME]`: an account at a mail server. Its secret stands elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mailbox {
    /// 1 to 32 of a-z, 0-9, `-` and `_`: the name of a file, too.
    pub name: String,
    /// A host name or an address, without brackets.
    pub host: String,
    /// 465, 587 or 25, as `tls` says, where the file names none.
    pub port: u16,
    /// How the connection is protected.
    pub tls: Tls,
    /// The sender.
    pub from: Address,
    /// Where answers go, if not to the sender.
    pub reply_to: Option<Address>,
    /// The name by which the mailer greets the server; `None` is the name of this host.
    pub helo: Option<String>,
    /// How the mailer says who it is.
    pub login: MailLogin,
    /// A PEM file of the authorities that are believed instead of the system's; an absolute path.
    pub ca_file: Option<PathBuf>,
}

/// How a connection to a mail server is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tls {
    /// From the first byte.
    Implicit,
    /// After STARTTLS, which the server must offer.
    StartTls,
    /// Not at all; the server is on this host.
    None,
}

/// How the mailer says who it is. Always under TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailLogin {
    /// Not at all.
    None,
    /// With a user name and a password.
    Password {
        /// The user name.
        user: String,
    },
    /// With a user name and a token that something else keeps fresh.
    XOAuth2 {
        /// The user name.
        user: String,
    },
}
