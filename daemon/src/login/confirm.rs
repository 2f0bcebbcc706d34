//! Confirm: the account phase of a login that we authenticated. The whole auth stack said yes.

use super::{LoginId, bounded};
use crate::clock::Moment;
use crate::decide::policy::Source;
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::store::{ConfirmRow, Confirmed};
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
        rules: host.in_force().config.hash.clone(),
    };
    let verdict = match host.store.confirm(what, now).await {
        Ok(Confirmed::Verified) => Verdict::Allow,
        Ok(Confirmed::Enrolled) => {
            journal::notice("somebody enrolled in a login", &[("user", user), ("service", service)]);
            Verdict::Allow
        }
        Ok(Confirmed::Skipped) => Verdict::NotRequired,
        Ok(Confirmed::Barred) => Verdict::Locked,
        Ok(Confirmed::Refused) => Verdict::Deny,
        // A full disk keeps out nobody of whom nothing is required: `begin` let them go on unlogged.
        Ok(Confirmed::NoLogin) | Err(_) if is_waived(host, user, service, now).await => Verdict::NotRequired,
        Ok(Confirmed::NoLogin) => Verdict::Deny,
        Err(e) => return Err(e),
    };
    if verdict == Verdict::Deny {
        journal::warning(
            "the account phase names a login that was not verified for it",
            &[("user", user), ("service", service)],
        );
    }
    Ok(verdict)
}

/// Whether policy, positively, asks no second factor of this person here. The account phase does not
/// say from where, so what is waived for some networks only is not waived here. That no answer was
/// asked for was decided by `begin`; this only spares those whose row could not be written.
async fn is_waived(host: &Host, user: &str, service: &str, now: Moment) -> bool {
    let force = host.in_force();
    let person = force.directory.person(user).await;
    [Source::Local, Source::Unknown]
        .into_iter()
        .all(|source| !host.decide(&force, &person, service, source, now).asks())
}
