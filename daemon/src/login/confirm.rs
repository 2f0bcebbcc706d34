//! Confirm: the account phase of a login that we authenticated. The whole auth stack said yes.

use super::{LoginId, bounded};
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::store::{ConfirmRow, Phase};
use countersign_protocol::login::Verdict;

/// Confirms a login if caller, user and service are those it was begun with.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn confirm(
    host: &Host,
    caller: u32,
    id: LoginId,
    user: &str,
    service: &str,
) -> Result<Verdict, Error> {
    let now = host.clock.now()?;
    let what = ConfirmRow {
        token: id.stored(),
        caller,
        user: bounded(user),
        concealed: host.keys.conceal_name(user),
        service: bounded(service),
    };
    let verdict = match host.store.confirm(what, now).await? {
        Some(Phase::Verified) => Verdict::Allow,
        Some(Phase::Skipped) => Verdict::NotRequired,
        Some(Phase::Asked | Phase::Over) | None => Verdict::Deny,
    };
    if verdict == Verdict::Deny {
        journal::warning(
            "the account phase names a login that was not verified for it",
            &[("user", user), ("service", service)],
        );
    }
    Ok(verdict)
}
