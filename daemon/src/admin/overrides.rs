//! Exempting and requiring single persons, and the clock that exemptions end by.

use super::{PAGE, Target, printable};
use crate::clock::Moment;
use crate::decide::overrides::{Kind, LATEST_REQUIREMENT_DAYS, LONGEST_EXEMPTION_DAYS, Override};
use crate::error::Error;
use crate::host::Host;
use crate::{journal, people};
use countersign_protocol::manager as wire;

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Exempts a person from every policy until a date, in seconds since 1970.
///
/// # Errors
/// `InvalidArgument` without a reason or for a date that is over or too far; `NotAuthorized` for
/// oneself; `NotFound` for somebody who has no account now; `Unavailable` when the store cannot be written.
pub async fn exempt(host: &Host, caller: u32, whom: &Target, until: i64, reason: &str) -> Result<(), Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    let reason = checked(reason, "an exemption")?;
    if until <= now.date {
        return Err(Error::InvalidArgument(
            "that date is over, by the latest clock that this host has seen; an exemption needs an end in the future".into(),
        ));
    }
    if until > Kind::Exempt.latest(now.date) {
        return Err(Error::InvalidArgument(format!(
            "an exemption lasts {LONGEST_EXEMPTION_DAYS} days at most; for longer, except the person in the policy file, where everybody sees it"
        )));
    }
    refuse_self(caller, whom)?;
    if !whom.present {
        // An exemption must not wait for whoever gets the name or the uid next.
        return Err(Error::NotFound(format!(
            "the account database does not know \"{}\" now; check with `getent passwd`",
            printable(&whom.name)
        )));
    }
    keep(host, caller, whom, Kind::Exempt, until, reason, now).await
}

/// Requires a second factor of a person, whatever policy says; `by` is when `later` ends, 0 for at once.
///
/// # Errors
/// As [`exempt`], but the reason may be empty, and anybody may require it of themselves.
pub async fn require(host: &Host, caller: u32, whom: &Target, by: i64, reason: &str) -> Result<(), Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    let reason = if reason.trim().is_empty() { String::new() } else { checked(reason, "a requirement")? };
    if by != 0 && by <= now.date {
        return Err(Error::InvalidArgument(
            "that date is over, by the latest clock that this host has seen; leave it out to require a second factor at once".into(),
        ));
    }
    if by > Kind::Require.latest(now.date) {
        return Err(Error::InvalidArgument(format!(
            "a requirement begins within {LATEST_REQUIREMENT_DAYS} days"
        )));
    }
    keep(host, caller, whom, Kind::Require, by, reason, now).await
}

/// Refuses every login of a person until it is lifted. Anybody may lock themselves.
///
/// # Errors
/// `InvalidArgument` without a reason; `Unavailable` when the store cannot be written.
pub async fn lock(host: &Host, caller: u32, whom: &Target, reason: &str) -> Result<(), Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    let reason = checked(reason, "a lock")?;
    keep(host, caller, whom, Kind::Lock, 0, reason, now).await
}

/// Whoever may exempt others does not thereby exempt themself. Root can do anything anyway.
fn refuse_self(caller: u32, whom: &Target) -> Result<(), Error> {
    if caller != 0 && caller == whom.uid {
        return Err(Error::NotAuthorized("nobody lets themself off; ask another administrator".into()));
    }
    Ok(())
}

async fn keep(
    host: &Host,
    caller: u32,
    whom: &Target,
    kind: Kind,
    until: i64,
    reason: String,
    now: Moment,
) -> Result<(), Error> {
    let new = Override {
        uid: whom.uid,
        name: whom.name.clone(),
        kind,
        until,
        made: now.stamp(),
        lasts_ms: until.saturating_sub(now.date).max(0).saturating_mul(1000),
        at: now.wall,
        reason,
        by_uid: caller,
        by: people::name_of(caller).await,
    };
    let (by, reason) = (new.by.clone(), new.reason.clone());
    host.change_overrides(async { Ok(((), host.store.keep_override(new, now).await?)) }).await?;
    let event = match kind {
        Kind::Lock => "somebody was locked",
        Kind::Exempt => "somebody was exempted",
        Kind::Require => "a second factor was required of somebody",
    };
    journal::warning(
        event,
        &[
            ("user", &whom.name),
            ("uid", &whom.uid.to_string()),
            ("until", &until.to_string()),
            ("reason", &reason),
            ("by", &by),
            ("by-uid", &caller.to_string()),
        ],
    );
    Ok(())
}

/// Finds somebody for the end of what was decided of them: also whoever has no account any more.
///
/// # Errors
/// As [`target`](super::target).
pub async fn overridden_target(host: &Host, user: &str) -> Result<Target, Error> {
    let found = super::target(host, user).await;
    if found.is_ok() {
        return found;
    }
    let kept = host.overrides().uid_of(user);
    kept.map_or(found, |uid| Ok(Target { uid, name: user.to_owned(), present: false }))
}

/// Takes an exemption or a requirement back; gives how many there were.
///
/// # Errors
/// `InvalidArgument` for another kind, or a requirement without a reason; `NotFound` when there is none;
/// `Unavailable` when the store cannot be written.
pub async fn end_override(
    host: &Host,
    caller: u32,
    whom: &Target,
    what: &str,
    reason: &str,
) -> Result<u32, Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    let kind = Kind::parse(what)
        // A lock ends by `Unlock`, which asks for another right.
        .filter(|kind| *kind != Kind::Lock)
        .ok_or_else(|| Error::InvalidArgument("what ends is either \"exempt\" or \"require\"".into()))?;
    let reason = match kind {
        Kind::Exempt if reason.trim().is_empty() => String::new(),
        _ => checked(reason, "the end of a requirement")?,
    };
    if kind == Kind::Require {
        refuse_self(caller, whom)?;
    }
    let by = people::name_of(caller).await;
    let (actor, why) = ((caller, by.clone()), reason.clone());
    let ended = host
        .change_overrides(async { host.store.end_override(whom.name.clone(), kind, actor, why, now).await })
        .await?;
    if ended == 0 {
        return Err(Error::NotFound(match kind {
            Kind::Exempt => format!("\"{}\" is not exempt", printable(&whom.name)),
            Kind::Lock | Kind::Require => {
                format!("nothing is required of \"{}\" by name", printable(&whom.name))
            }
        }));
    }
    let event = match kind {
        Kind::Exempt => "an exemption was taken back",
        Kind::Lock | Kind::Require => "a requirement was taken back",
    };
    journal::warning(
        event,
        &[("user", &whom.name), ("reason", &reason), ("by", &by), ("by-uid", &caller.to_string())],
    );
    Ok(u32::try_from(ended).unwrap_or(u32::MAX))
}

/// Everything that holds now, by name.
///
/// # Errors
/// When the kernel refuses a clock.
pub fn overrides(host: &Host) -> Result<Vec<wire::Override>, Error> {
    let now = host.clock.now()?;
    Ok(host.overrides().holding(now).take(PAGE as usize).map(|one| shown(one, now)).collect())
}

/// One of them as it crosses the bus.
pub(super) fn shown(one: &Override, now: Moment) -> wire::Override {
    wire::Override {
        user: one.name.clone(),
        uid: one.uid,
        what: one.kind.as_str().into(),
        until: one.until,
        left: (one.until - now.date).max(0),
        reason: one.reason.clone(),
        by: one.by.clone(),
        by_uid: one.by_uid,
        made: one.at,
    }
}

/// Takes the wall clock for the date, though this host has seen a later one; gives by how many seconds.
///
/// # Errors
/// `InvalidArgument` when there is nothing to accept, `Unavailable` when the store cannot be written.
pub async fn accept_clock(host: &Host, caller: u32) -> Result<i64, Error> {
    let now = host.clock.now()?;
    let ahead = now.date - now.wall;
    if ahead <= 0 {
        return Err(Error::InvalidArgument(
            "the clock of this host is not behind any date that was seen; nothing is to be accepted".into(),
        ));
    }
    let dates = host.clock.high_water().clone();
    host.change_overrides(async { Ok(((), host.store.accept_clock(dates, now).await?)) }).await?;
    journal::warning(
        "an earlier clock was accepted",
        &[("date", &now.date.to_string()), ("wall", &now.wall.to_string()), ("by-uid", &caller.to_string())],
    );
    Ok(ahead)
}

/// Once an hour: what is over goes, and the date is written down.
pub async fn sweep(host: &Host) {
    if let Err(e) = sweep_all(host).await {
        journal::warning("exemptions that are over were not removed, ignoring", &[("error", e.text())]);
    }
}

async fn sweep_all(host: &Host) -> Result<(), Error> {
    let now = host.clock.now()?;
    if !host.overrides().has_ended(now) {
        return host.store.keep_date().await;
    }
    let over = host.change_overrides(async { host.store.purge_overrides(now).await }).await?;
    for one in over {
        journal::notice("an exemption is over", &[("user", &one.name), ("uid", &one.uid.to_string())]);
    }
    Ok(())
}

/// A reason as it is kept.
fn checked(reason: &str, of: &str) -> Result<String, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Error::InvalidArgument(format!(
            "{of} needs a reason of 1 to {LONGEST_REASON} characters: an auditor will ask"
        )));
    }
    Ok(reason.to_owned())
}
