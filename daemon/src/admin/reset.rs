//! Resetting somebody: by whoever may, by two people or more, or by root alone; never by oneself.

use super::Target;
use crate::decide::policy::Resolution;
use crate::error::Error;
use crate::host::Host;
use crate::seal::token_hash;
use crate::store::{Actor, Whom};
use crate::{journal, people, random};
use countersign_protocol::manager::ResetRequest;

/// Longest reason that is kept, in characters.
const LONGEST_REASON: usize = 500;

/// Somebody who acts.
#[derive(Debug, Clone)]
pub struct Doer {
    pub(super) actor: Actor,
    loginuid: String,
}

impl Doer {
    /// Whoever has this uid. Their name is for people to read.
    pub async fn new(uid: u32, loginuid: Option<u32>) -> Self {
        let name = people::name_of(uid).await;
        let name = if name.is_empty() { format!("uid {uid}") } else { name };
        Self { actor: Actor { uid, name }, loginuid: loginuid.map(|uid| uid.to_string()).unwrap_or_default() }
    }
}

/// Removes every factor of a person; gives how many. `alone` is root without the approvals that are
/// configured. For somebody whose account is gone, root removes everything else as well.
///
/// # Errors
/// `InvalidArgument` without a reason, `NotAuthorized` for oneself, and where approvals are needed.
pub async fn reset(host: &Host, by: &Doer, whom: &Target, reason: &str, alone: bool) -> Result<u32, Error> {
    crate::act::because(reason);
    let reason = reason_of(reason)?;
    refuse_oneself(by, whom)?;
    refuse_without_approvals(host, by, whom, alone)?;
    let now = host.clock.now()?;
    // Only root: a directory that is down looks the same, and what an administrator ordered is lost.
    let gone = by.actor.uid == 0 && is_gone(host, whom).await;
    let removed = if gone {
        host.change_overrides(async { host.store.purge_person(stored(whom)).await }).await?
    } else {
        let name = if alone { format!("{} alone", by.actor.name) } else { by.actor.name.clone() };
        host.store.reset(stored(whom), name, reason.to_owned(), now).await?
    };
    let count = removed.to_string();
    let event = if gone { "everything of somebody gone was removed" } else { "factors were reset" };
    let more = [("alone", word(alone)), ("removed", &count), ("reason", reason)];
    say(journal::warning, event, by, whom, &more);
    Ok(removed)
}

/// Asks for a reset of a colleague; gives the request's number.
///
/// # Errors
/// `InvalidArgument` without a reason, for a person with an open request and for a requester with
/// too many; `NotAuthorized` for oneself and without a proof of one's own factor.
pub async fn request_reset(
    host: &Host,
    by: &Doer,
    whom: &Target,
    reason: &str,
    proof: &str,
) -> Result<u32, Error> {
    crate::act::because(reason);
    let reason = reason_of(reason)?;
    refuse_oneself(by, whom)?;
    let proof = proof_of(proof)?;
    let now = host.clock.now()?;
    let id = host.store.request_reset(stored(whom), by.actor.clone(), reason.to_owned(), proof, now).await?;
    let more = [("request", &*id.to_string()), ("reason", reason)];
    say(journal::notice, "a reset was asked for", by, whom, &more);
    Ok(id)
}

/// Refuses whoever has not shown a factor of theirs. Uses nothing up.
///
/// # Errors
/// `NotAuthorized` without a proof of one's own factor.
pub async fn refuse_without_proof(host: &Host, by: &Doer, proof: &str) -> Result<(), Error> {
    host.store.holds_proof(proof_of(proof)?, by.actor.clone(), host.clock.now()?).await
}

fn proof_of(proof: &str) -> Result<[u8; 16], Error> {
    random::unhex(proof)
        .map(|id: [u8; 16]| token_hash(&id))
        .ok_or_else(|| Error::NotAuthorized("this needs a code of your own first".into()))
}

/// Requests that nobody has decided yet, oldest first.
///
/// # Errors
/// When the store cannot be read.
pub async fn reset_requests(host: &Host) -> Result<Vec<ResetRequest>, Error> {
    host.store.reset_requests(approvals(host), host.clock.now()?).await
}

/// Whom an open request is about.
///
/// # Errors
/// `NotFound` when there is none of this number (any more).
pub async fn reset_request(host: &Host, id: u32) -> Result<Target, Error> {
    let whom = host.store.reset_request(id, host.clock.now()?).await?;
    Ok(super::target_of(host, whom.uid, whom.name).await)
}

/// Agrees to a request; gives how many must still agree. 0: the person was reset.
///
/// # Errors
/// `NotFound` for no open request, `NotAuthorized` for whoever is involved in it.
pub async fn approve_reset(host: &Host, by: &Doer, id: u32, whom: &Target) -> Result<u32, Error> {
    let now = host.clock.now()?;
    let done = host.store.approve_reset(id, stored(whom), by.actor.clone(), approvals(host), now).await?;
    let (id, missing, removed) = (id.to_string(), done.missing.to_string(), done.removed.to_string());
    say(
        journal::notice,
        "a reset was approved",
        by,
        whom,
        &[("request", id.as_str()), ("missing", &missing)],
    );
    if done.missing == 0 {
        let more = [("alone", word(false)), ("removed", removed.as_str()), ("request", &id)];
        say(journal::warning, "factors were reset", by, whom, &more);
    }
    Ok(done.missing)
}

/// Refuses a request.
///
/// # Errors
/// `InvalidArgument` without a reason, `NotFound` for no open request.
pub async fn refuse_reset(host: &Host, by: &Doer, id: u32, whom: &Target, reason: &str) -> Result<(), Error> {
    crate::act::because(reason);
    let reason = reason_of(reason)?;
    let now = host.clock.now()?;
    host.store.refuse_reset(id, stored(whom), by.actor.clone(), reason.to_owned(), now).await?;
    let more = [("request", &*id.to_string()), ("reason", reason)];
    say(journal::notice, "a reset was refused", by, whom, &more);
    Ok(())
}

pub(super) fn reason_of(reason: &str) -> Result<&str, Error> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().count() > LONGEST_REASON {
        return Err(Error::InvalidArgument(format!(
            "this needs a reason of 1 to {LONGEST_REASON} characters: an auditor will ask"
        )));
    }
    Ok(reason)
}

fn refuse_oneself(by: &Doer, whom: &Target) -> Result<(), Error> {
    // Root is whoever became root: for root's own factors that is the only way.
    if by.actor.uid == whom.uid && by.actor.uid != 0 {
        return Err(Error::NotAuthorized(
            "nobody resets themselves: a colleague runs `countersignctl request-reset`, or an administrator resets you"
                .into(),
        ));
    }
    Ok(())
}

fn refuse_without_approvals(host: &Host, by: &Doer, whom: &Target, alone: bool) -> Result<(), Error> {
    let needed = host.in_force().config.reset.approvals;
    if alone && by.actor.uid != 0 {
        return Err(Error::NotAuthorized("--alone is for root".into()));
    }
    if needed == 0 || alone {
        return Ok(());
    }
    let people = if needed == 1 { "one other person".to_owned() } else { format!("{needed} other people") };
    Err(Error::NotAuthorized(format!(
        "here a reset takes a colleague who runs `countersignctl request-reset {user} --reason TEXT` and {people} who run `countersignctl approve`; root alone, in an emergency: `countersignctl reset {user} --alone --reason TEXT`",
        user = super::printable(&whom.name)
    )))
}

/// Whether the account database, positively, has neither this name nor this uid.
async fn is_gone(host: &Host, whom: &Target) -> bool {
    let named = host.in_force().directory.person(&whom.name).await.resolution;
    named == Resolution::NotFound && matches!(people::owner_of(whom.uid).await, Ok(None))
}

fn approvals(host: &Host) -> u32 {
    host.in_force().config.reset.approvals.into()
}

fn stored(whom: &Target) -> Whom {
    Whom { uid: whom.uid, name: whom.name.clone() }
}

fn word(yes: bool) -> &'static str {
    if yes { "yes" } else { "no" }
}

/// Says something to the journal; every line about a reset has these fields in front.
fn say(how: fn(&str, &[(&str, &str)]), event: &str, by: &Doer, whom: &Target, more: &[(&str, &str)]) {
    let (uid, by_uid) = (whom.uid.to_string(), by.actor.uid.to_string());
    let mut fields = vec![
        ("user", &*whom.name),
        ("uid", &uid),
        ("by", &by.actor.name),
        ("by-uid", &by_uid),
        ("loginuid", &by.loginuid),
    ];
    fields.extend_from_slice(more);
    how(event, &fields);
}
