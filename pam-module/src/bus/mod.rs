//! D-Bus without a runtime: one blocking socket per call, one deadline for all of them.
//!
//! zbus builds and reads the messages; it opens nothing, reads no environment variable and starts
//! no thread. A call is a fresh connection, because a login that waits for a person must not hold
//! one of the bus's few.
//!
//! - [`address`]: where the bus listens;
//! - [`link`]: one connection: authentication, whole messages in and out;
//! - [`proof`]: who owns the daemon's name, and is it the right uid;
//! - [`client`]: the five calls.

mod address;
mod client;
#[cfg(test)]
mod fake;
mod link;
mod message;
mod proof;
#[cfg(test)]
mod tests;

use std::{fmt, io};

use crate::text;

pub(crate) use self::{address::Address, client::Client};

/// What is answered to a call that the other side does not know in this form. The bus lets nothing through
/// that its policy does not name, and its policy is installed with the daemon.
const OTHER_VERSION: [&str; 5] = [
    "org.freedesktop.DBus.Error.AccessDenied",
    "org.freedesktop.DBus.Error.InvalidArgs",
    "org.freedesktop.DBus.Error.UnknownInterface",
    "org.freedesktop.DBus.Error.UnknownMethod",
    "org.freedesktop.DBus.Error.UnknownObject",
];
/// What an administrator should look at then.
const ONE_VERSION: &str = "; are pam_countersign.so, countersignd and the bus policy of one version?";

/// Who answered on the bus: a connection's unique name, which one bus never uses twice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The unique name.
    pub(crate) unique: String,
    /// The bus on which it means something.
    pub(crate) bus: Guid,
}

/// The identity of a bus, new at each of its starts: 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Guid([u8; 32]);

/// Why there is no answer that counts.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The bus cannot be reached.
    Unreachable(io::Error),
    /// The connection ended, or could not be read or written.
    Broken(io::Error),
    /// The deadline has passed.
    Late,
    /// Nobody owns the daemon's name.
    Absent,
    /// Somebody else owns the daemon's name.
    Impostor { uid: u32 },
    /// What came is not what was asked for.
    Malformed(&'static str),
    /// The bus or the daemon answered with an error.
    Error { name: String, from_bus: bool },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(error) => write!(f, "the bus cannot be reached: {error}"),
            Self::Broken(error) => write!(f, "the bus connection failed: {error}"),
            Self::Late => write!(f, "no answer in time"),
            Self::Absent => write!(f, "the daemon is not on the bus"),
            Self::Impostor { uid } => write!(f, "the daemon's bus name belongs to uid {uid}"),
            Self::Malformed(what) => write!(f, "malformed reply: {what}"),
            Self::Error { name, from_bus } => {
                let who = if *from_bus { "bus" } else { "daemon" };
                let hint = if OTHER_VERSION.contains(&name.as_str()) { ONE_VERSION } else { "" };
                write!(f, "the {who} answered {}{hint}", text::for_log(name.as_bytes()))
            }
        }
    }
}
