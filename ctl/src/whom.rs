//! Whom a verb is about: somebody by name, or whoever typed it.

use nix::unistd::{User, geteuid};

use crate::errors::{Exit, Failure};
use crate::text;

/// The person that a verb is about.
pub(crate) struct Whom {
    /// The login name.
    pub(crate) user: String,
    /// Whether it is whoever runs this, and not root: then a factor of theirs is asked for before
    /// anything changes. The daemon does not rely on it.
    pub(crate) own: bool,
}

impl Whom {
    /// By the name on the command line; without one, the caller.
    pub(crate) fn of(user: Option<String>) -> Result<Self, Failure> {
        let caller = geteuid();
        match user {
            // Root manages others, and says whom.
            None if caller.is_root() => Err(Failure::usage(text::SAY_WHOM)),
            None => match User::from_uid(caller) {
                Ok(Some(found)) => Ok(Self { user: found.name, own: true }),
                Ok(None) | Err(_) => {
                    Err(Failure::new(Exit::NotFound, text::you_have_no_name(caller.as_raw())))
                }
            },
            Some(user) => {
                let found = if caller.is_root() { None } else { User::from_name(&user).ok().flatten() };
                let own = found.is_some_and(|found| found.uid == caller);
                Ok(Self { user, own })
            }
        }
    }
}
