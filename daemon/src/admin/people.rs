//! Forgetting where a person passes unasked, and lifting locks.

use super::Target;
use crate::error::Error;
use crate::host::Host;
use crate::journal;

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

/// Lifts every lock of a person; gives how many.
///
/// # Errors
/// When the store cannot be written.
pub async fn unlock(host: &Host, whom: &Target, reason: &str) -> Result<u32, Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    let lifted = host.store.unlock(whom.uid, host.cap(), now).await?;
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
