//! Taking factors or locks away.

use super::find;
use crate::error::Error;
use crate::host::Host;
use crate::journal;

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Removes every factor of a person; gives how many.
///
/// # Errors
/// `InvalidArgument` without a reason, `NotFound` for nobody.
pub async fn reset(host: &Host, user: &str, reason: &str) -> Result<u32, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Error::InvalidArgument(format!(
            "a reset needs a reason of 1 to {LONGEST_REASON} characters: an auditor will ask"
        )));
    }
    let uid = match host.store.uid_of(user.to_owned()).await? {
        Some(uid) => uid,
        None => find(host, user).await?,
    };
    let removed = host.store.reset(uid).await?;
    journal::warning(
        "factors were reset",
        &[("user", user), ("uid", &uid.to_string()), ("removed", &removed.to_string()), ("reason", reason)],
    );
    Ok(removed)
}

/// Forgets every source that a person would pass unasked from; gives how many.
///
/// # Errors
/// `NotFound` for nobody.
pub async fn forget(host: &Host, user: &str) -> Result<u32, Error> {
    let now = host.clock.now()?;
    let uid = find(host, user).await?;
    let forgotten = host.store.forget(uid, now).await?;
    journal::notice(
        "remembered sources were forgotten",
        &[("user", user), ("uid", &uid.to_string()), ("forgotten", &forgotten.to_string())],
    );
    Ok(forgotten)
}

/// Lifts every lock of a person; gives how many.
///
/// # Errors
/// `NotFound` for nobody.
pub async fn unlock(host: &Host, user: &str, reason: &str) -> Result<u32, Error> {
    let now = host.clock.now()?;
    let uid = find(host, user).await?;
    let lifted = host.store.unlock(uid, host.cap(), now).await?;
    journal::notice(
        "locks were lifted",
        &[("user", user), ("uid", &uid.to_string()), ("lifted", &lifted.to_string()), ("reason", reason)],
    );
    Ok(lifted)
}
