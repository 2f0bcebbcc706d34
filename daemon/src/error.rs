//! What can go wrong while serving a call, by who must act.

use std::fmt;

/// A refusal that is not a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Error {
    /// The caller may not do this.
    NotAuthorized(String),
    /// No such person, login or enrollment.
    NotFound(String),
    /// It was valid once.
    Expired(String),
    /// Too much in flight.
    Busy(String),
    /// We cannot decide: the store cannot be read or written, or the kernel refuses something.
    Unavailable(String),
    /// The request is malformed or makes no sense now.
    InvalidArgument(String),
}

impl Error {
    /// We cannot decide; the administrator must act.
    #[must_use]
    pub fn unavailable(why: impl Into<String>) -> Self {
        Self::Unavailable(why.into())
    }

    /// The sentence for people.
    #[must_use]
    pub fn text(&self) -> &str {
        match self {
            Self::NotAuthorized(t)
            | Self::NotFound(t)
            | Self::Expired(t)
            | Self::Busy(t)
            | Self::Unavailable(t)
            | Self::InvalidArgument(t) => t,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl std::error::Error for Error {}

impl From<rusqlite::Error> for Error {
    fn from(e: rusqlite::Error) -> Self {
        Self::Unavailable(format!("the database refuses: {e}"))
    }
}

impl From<std::io::Error> for Error {
    fn from(e: std::io::Error) -> Self {
        Self::Unavailable(e.to_string())
    }
}
