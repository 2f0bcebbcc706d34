//! Letters: what they can say, the templates that they are made from, and what is wrong with those.

mod check;
mod template;

use serde::Serialize;
use zeroize::Zeroizing;

pub use check::problems;
pub use template::Template;

/// A kind of letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Letter {
    /// A code to log in with; the template is that of the policy.
    Code,
    /// What happened to somebody's factors.
    Notice,
}

impl Letter {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Code, Self::Notice];

    /// Its word, which is also the name of its usual template.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Notice => "notice",
        }
    }

    /// Reads the word; another one is none of them.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|letter| letter.as_str() == word)
    }

    /// The template that ships.
    fn shipped(self) -> &'static str {
        match self {
            Self::Code => include_str!("../../../packaging/usr/share/countersign/templates/code.txt"),
            Self::Notice => include_str!("../../../packaging/usr/share/countersign/templates/notice.txt"),
        }
    }

    /// The values of its templates.
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Code => &["issuer", "user", "host", "service", "source", "time", "minutes", "help", "code"],
            Self::Notice => &[
                "issuer", "user", "host", "service", "source", "time", "what", "times", "notices", "more",
                "help",
            ],
        }
    }

    /// What each of its letters must say: by it people tell whether it was they.
    fn required(self) -> &'static [&'static str] {
        match self {
            Self::Code => &["user", "host", "service", "source", "time", "code"],
            Self::Notice => &["user", "host", "service", "source", "time", "what"],
        }
    }
}

/// What a letter with a code can say. Each is one line, without control characters.
#[derive(Serialize)]
pub struct CodeValues<'a> {
    /// The name above the codes.
    pub issuer: &'a str,
    /// The login name.
    pub user: &'a str,
    /// The host's name.
    pub host: &'a str,
    /// The PAM service.
    pub service: &'a str,
    /// An address, `local` or `unknown`.
    pub source: &'a str,
    /// When it was asked for, to the minute, in UTC.
    pub time: &'a str,
    /// How long the code works.
    pub minutes: i64,
    /// Whom to ask.
    pub help: Option<&'a str>,
    /// The code.
    pub code: &'a str,
}

/// What a letter with notices can say. Each is one line, without control characters. What is beside
/// `notices` is that of the first of them.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeValues {
    /// The name above the codes.
    pub issuer: String,
    /// The login name.
    pub user: String,
    /// The host's name.
    pub host: String,
    /// The first of `notices`.
    #[serde(flatten)]
    pub first: NoticeValue,
    /// Everything that happened: changes before mere tries, the newest first. Never empty.
    pub notices: Vec<NoticeValue>,
    /// How many more there are.
    pub more: u32,
    /// Whom to ask.
    pub help: Option<String>,
}

/// Something that happened.
#[derive(Debug, Clone, Serialize)]
pub struct NoticeValue {
    /// In plain words, beginning small and without a full stop.
    pub what: String,
    /// The PAM service, or `countersignctl`.
    pub service: String,
    /// An address, `local` or `unknown`.
    pub source: String,
    /// When, to the minute, in UTC.
    pub time: String,
    /// How often; the time is that of the last.
    pub times: u32,
}

/// A letter. May hold a code, and therefore has no `Debug`.
pub struct Rendered {
    /// One line of at most 120 characters and 255 bytes.
    pub subject: String,
    /// The text.
    pub text: Zeroizing<String>,
}
