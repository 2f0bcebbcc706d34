//! Errors as they cross the bus: a name for programs, a sentence for people.

use crate::error::Error;

/// A named error reply.
#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.countersign1.Error")]
pub(crate) enum Refusal {
    #[zbus(error)]
    ZBus(zbus::Error),
    NotAuthorized(String),
    NotFound(String),
    Expired(String),
    Busy(String),
    Unavailable(String),
    InvalidArgument(String),
}

impl From<Error> for Refusal {
    fn from(e: Error) -> Self {
        crate::event::refused(&e);
        match e {
            Error::NotAuthorized(t) => Self::NotAuthorized(t),
            Error::NotFound(t) => Self::NotFound(t),
            Error::Expired(t) => Self::Expired(t),
            Error::Busy(t) => Self::Busy(t),
            Error::Unavailable(t) => Self::Unavailable(t),
            Error::InvalidArgument(t) => Self::InvalidArgument(t),
        }
    }
}
