//! Forgetting where a person passes unasked, and lifting locks.

use super::Target;
use super::reset::reason_of;
use crate::error::Error;
use crate::host::Host;
use crate::store::{Unlock, Whom};
use crate::{journal, people};

/// Forgets every source that a person would pass unasked from; gives how many.
///
/// # Errors
/// When the store cannot be written.
pub async fn forget(host: &Host, whom: &Target) -> Result<u32, Error> {
    let now = host.clock.now()?;
    let forgotten = host.store.forget(whom.uid, now).await?;
    journal::notice(
        "remembered sources were forgotten",
        &[("user", &whom.name), ("uid", &whom.uid.to_string()), ("forgotten", &forgotten.to_string())],
    );
    Ok(forgotten)
}

/// Lifts every lock of a person; gives how many. What an administrator has locked is lifted only by
/// `administrators`, never for oneself, and for a reason.
///
/// # Errors
/// `NotAuthorized` and `InvalidArgument` as above; `Unavailable` when the store cannot be written.
pub async fn unlock(
    host: &Host,
    caller: u32,
    whom: &Target,
    reason: &str,
    administrators: bool,
) -> Result<u32, Error> {
    let reason = if reason.trim().is_empty() { "" } else { reason_of(reason)? };
    crate::act::because(reason);
    let now = host.clock.now()?;
    let own = caller != 0 && caller == whom.uid;
    let how = Unlock {
        by: (caller, people::name_of(caller).await),
        reason: reason.to_owned(),
        administrators: administrators && !own,
    };
    let stored = Whom { uid: whom.uid, name: whom.name.clone() };
    let cap = host.cap();
    let lifted = host.change_overrides(host.store.unlock(stored, cap, how, now)).await?;
    journal::notice(
        "locks were lifted",
        &[
            ("user", &whom.name),
            ("uid", &whom.uid.to_string()),
            ("lifted", &lifted.to_string()),
            ("reason", reason),
        ],
    );
    Ok(lifted)
}
