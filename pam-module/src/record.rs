//! What the auth phase leaves for the account phase of the same PAM transaction.

use crate::{bus::Owner, outcome::Outcome};

/// One attempt to authenticate, kept as PAM data until the transaction ends or the next attempt.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    /// `PAM_USER` when the login began.
    pub(crate) user: Vec<u8>,
    /// The PAM service when the login began.
    pub(crate) service: Vec<u8>,
    /// The effective uid that began it, which is what the daemon saw.
    pub(crate) euid: u32,
    /// How it ended. An attempt under way is [`Outcome::NoAnswer`].
    pub(crate) outcome: Outcome,
    /// The login at the daemon, where it came to one.
    pub(crate) login: Option<Begun>,
}

/// A login that the daemon knows.
#[derive(Debug, Clone)]
pub(crate) struct Begun {
    /// The capability that names it. Not for any log.
    pub(crate) id: String,
    /// Who answered, as last proven.
    pub(crate) owner: Owner,
}
