//! What somebody does with the authenticators and recovery codes that they have.

use super::{Acting, Target, label, needs_proof, recovery};
use crate::clock::Moment;
use crate::decide::policy;
use crate::decide::totp::Authenticator;
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::seal::{Keys, recovery_row, totp_row};
use crate::store::{Owner, Resynced, SealedTotp};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Gives an authenticator another name.
///
/// # Errors
/// `NotAuthorized` without a code from people who act on themselves, `NotFound` for no such
/// authenticator, `InvalidArgument` for a name that is taken or none.
pub async fn rename(host: &Host, acting: &Acting, whom: &Target, from: &str, to: &str) -> Result<(), Error> {
    let now = host.clock.now()?;
    let owner = owner(acting, whom)?;
    if to.trim().is_empty() {
        return Err(Error::InvalidArgument("a name is not empty".into()));
    }
    host.store.rename_factor(owner, label(from)?, label(to)?, now).await
}

/// Removes an authenticator; gives how many are left.
///
/// # Errors
/// `NotAuthorized` without a code from people who act on themselves, or for their last one while a
/// policy asks them for one; `InvalidArgument` without a reason from anybody else.
pub async fn remove(
    host: &Host,
    acting: &Acting,
    whom: &Target,
    name: &str,
    reason: &str,
) -> Result<u32, Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    let owner = owner(acting, whom)?;
    if !acting.own {
        reasonable(reason)?;
    }
    let name = label(name)?;
    let may_be_last = !acting.own || !is_required(host, whom, now).await;
    let left = host.store.remove_factor(owner, name.clone(), may_be_last, now).await?;
    journal::notice(
        "an authenticator was removed",
        &[
            ("user", &whom.name),
            ("name", &name),
            ("by", &format!("uid {}", acting.caller)),
            ("reason", reason.trim()),
        ],
    );
    Ok(left)
}

/// Puts an authenticator right whose clock is off, by two codes in a row; gives how many seconds it is
/// ahead.
///
/// # Errors
/// `InvalidArgument` that begins with "those codes are not right", `NotAuthorized` after too many.
pub async fn resync(
    host: &Host,
    acting: &Acting,
    whom: &Target,
    name: &str,
    codes: [Zeroizing<Vec<u8>>; 2],
) -> Result<i64, Error> {
    let now = host.clock.now()?;
    // The codes are the proof.
    let owner = Owner { uid: whom.uid, name: whom.name.clone(), proof: None };
    let keys = Arc::clone(&host.keys);
    let uid = whom.uid;
    let done = host
        .store
        .resync(owner, label(name)?, now, move |sealed| {
            let app = open(&keys, uid, sealed)?;
            let [first, second] = &codes;
            Ok(app.resync(&digits(first), &digits(second), now.wall))
        })
        .await?;
    match done {
        Resynced::Done(drift) => {
            journal::notice(
                "an authenticator was resynchronised",
                &[
                    ("user", &whom.name),
                    ("ahead", &drift.to_string()),
                    ("by", &format!("uid {}", acting.caller)),
                ],
            );
            Ok(drift)
        }
        Resynced::Wrong => Err(Error::InvalidArgument(
            "those codes are not right: type two that follow each other, from a clock that is off by ten minutes at most"
                .into(),
        )),
        Resynced::Locked(ms) => {
            Err(Error::NotAuthorized(format!("too many tries, again in {} s", (ms + 999) / 1000)))
        }
    }
}

/// Makes a new set of recovery codes and gives it, this once; the old one is void.
///
/// # Errors
/// `NotAuthorized` without a code from people who act on themselves, `InvalidArgument` where the last
/// set is too young.
pub async fn new_recovery_codes(
    host: &Host,
    acting: &Acting,
    whom: &Target,
) -> Result<Vec<Zeroizing<String>>, Error> {
    let now = host.clock.now()?;
    let owner = owner(acting, whom)?;
    let after = host.in_force().config.recovery.regenerate_after;
    host.store.may_renew_codes(owner.clone(), after, now).await?;
    let (shown, codes) = recovery::generate(host, whom.uid).await?;
    host.store.renew_codes(owner, codes, after, now).await?;
    journal::notice(
        "new recovery codes were made",
        &[("user", &whom.name), ("by", &format!("uid {}", acting.caller))],
    );
    Ok(shown)
}

/// The unused recovery codes of somebody, where the configuration lets them be viewed. They are told.
///
/// # Errors
/// `InvalidArgument` where it does not, or without a reason.
pub async fn view_recovery_codes(
    host: &Host,
    by: u32,
    whom: &Target,
    reason: &str,
) -> Result<Vec<Zeroizing<String>>, Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    let reason = reasonable(reason)?;
    if !host.in_force().config.recovery.viewable {
        return Err(Error::InvalidArgument(
            "recovery codes are shown once and then kept as hashes; [recovery] viewable = true changes that for new sets"
                .into(),
        ));
    }
    let owner = Owner { uid: whom.uid, name: whom.name.clone(), proof: None };
    let sealed = host.store.sealed_codes(owner, format!("uid {by}: {reason}"), now).await?;
    journal::warning(
        "recovery codes were viewed",
        &[("user", &whom.name), ("by", &format!("uid {by}")), ("reason", reason)],
    );
    sealed
        .into_iter()
        .map(|(number, code)| {
            let code = host.keys.open(&recovery_row(whom.uid, number), &code)?;
            let text =
                std::str::from_utf8(&code).map_err(|_| Error::unavailable("a recovery code is damaged"))?;
            Ok(Zeroizing::new(text.to_owned()))
        })
        .collect()
}

/// Somebody whose factors are changed, with what they showed for it.
fn owner(acting: &Acting, whom: &Target) -> Result<Owner, Error> {
    if acting.own && acting.proof.is_none() {
        return Err(needs_proof());
    }
    let proof = acting.proof.filter(|_| acting.own);
    Ok(Owner { uid: whom.uid, name: whom.name.clone(), proof })
}

/// Whether some policy asks a second factor of this person, wherever they log in.
pub(super) async fn is_required(host: &Host, whom: &Target, now: Moment) -> bool {
    let force = host.in_force();
    let person = force.directory.person(&whom.name).await;
    policy::is_required_somewhere(&force.config, &person)
        || matches!(
            host.decide(&force, &person, "sshd", policy::Source::Unknown, now),
            policy::Decision::Required(_)
        )
}

pub(super) fn reasonable(reason: &str) -> Result<&str, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Error::InvalidArgument(format!(
            "a reason of 1 to {LONGEST_REASON} characters is needed: an auditor will ask"
        )));
    }
    Ok(reason)
}

fn digits(code: &[u8]) -> Zeroizing<String> {
    Zeroizing::new(String::from_utf8_lossy(code).chars().filter(|c| !c.is_whitespace()).take(16).collect())
}

fn open(keys: &Keys, uid: u32, sealed: &SealedTotp) -> Result<Authenticator, Error> {
    Ok(Authenticator {
        id: sealed.id,
        secret: keys.open(&totp_row(uid), &sealed.secret)?,
        digits: sealed.digits,
        period: sealed.period,
        skew: 0,
        last_step: sealed.last_step,
        drift: 0,
    })
}
