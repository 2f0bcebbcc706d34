//! Mail addresses of people: which there are, and setting one, which counts once the code that was sent to it
//! has been typed.

use super::{Acting, Doer, Target, needs_proof};
use crate::clock::Moment;
use crate::decide::email::{self, Order, mask};
use crate::decide::policy;
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::login::email_limits;
use crate::mail::{Sent, addresses, confirming};
use crate::seal::Keys;
use crate::store::{Asked, NewAddress, Owner, Right, Typed};
use countersign_config::{AddressSource, is_address};
use countersign_protocol::manager::Address;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long somebody waits to hear whether the letter was taken.
const MOMENT: Duration = Duration::from_secs(10);
/// Longest code that is looked at, in bytes.
const LONGEST_CODE: usize = 64;

/// The addresses of a person: those that count, in order, and the one that waits for its code. Masked
/// unless `whole`.
///
/// # Errors
/// When the store cannot be read.
pub async fn list(host: &Host, whom: &Target, whole: bool, now: Moment) -> Result<Vec<Address>, Error> {
    let shown = |address: &str| if whole { address.to_owned() } else { mask(address) };
    let force = host.in_force();
    let (set, waits) = host.store.addresses_of(whom.uid, whom.name.clone(), now).await?;
    let known = addresses::all(host, &force, whom.uid, &whom.name).await.known;
    let mut list: Vec<Address> = known
        .iter()
        .map(|one| {
            let set = set.as_ref().filter(|_| one.source == AddressSource::Set);
            Address {
                address: shown(&one.address),
                source: word(one.source).into(),
                confirmed: set.map_or(0, |set| set.at),
                by: set.map_or_else(String::new, |set| set.by.clone()),
            }
        })
        .collect();
    list.extend(waits.map(|waits| Address {
        address: shown(&waits.address),
        source: "waits".into(),
        confirmed: 0,
        by: waits.by,
    }));
    Ok(list)
}

fn word(source: AddressSource) -> &'static str {
    match source {
        AddressSource::Set => "set",
        AddressSource::Record => "record",
        AddressSource::Pattern => "pattern",
    }
}

/// Sends a code to an address, which counts in the place of the one before once that code is typed. Gives
/// the address as its letter is announced.
///
/// # Errors
/// `InvalidArgument` for what is no address, without a mailbox to send from or without a reason from anybody
/// but the person, and while no letter is sent; `NotAuthorized` for a right that is none; `Unavailable` where
/// the letter or the store fails: nothing is changed then.
pub async fn set(
    host: &Arc<Host>,
    (acting, by): (&Acting, &Doer),
    whom: &Target,
    address: &str,
    reason: &str,
    right: Right,
) -> Result<String, Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    if !is_address(address) {
        return Err(Error::InvalidArgument(
            "that is no mail address; write one such as alice@example.org, without a name beside it".into(),
        ));
    }
    let reason = if acting.own { None } else { Some(super::factors::reasonable(reason)?.to_owned()) };
    let force = host.in_force();
    let person = force.directory.person(&whom.name).await;
    let mailbox = policy::mailbox(&force.config, &person).ok_or_else(|| {
        Error::InvalidArgument(
            "no mailbox is configured that could send a code; see [mailbox.NAME] in countersign.toml".into(),
        )
    })?;
    let limits = email_limits(&force.config.email);
    let code = email::fresh(force.config.email.length)?;
    let hash = hash(&host.keys, whom.uid, address, code.as_bytes());
    let new = NewAddress {
        uid: whom.uid,
        name: whom.name.clone(),
        address: address.to_owned(),
        by: by.actor.clone(),
        reason: reason.clone(),
        code: hash,
    };
    match host.store.ask_address(new, right, limits, now).await? {
        Asked::Waits => {}
        Asked::WrongInvitation => return Err(super::enroll::wrong_invitation()),
        Asked::Locked(ms) => return Err(locked(ms)),
        Asked::NoLetter(order) => return Err(no_letter(order)),
    }
    let facts = confirming::Facts {
        issuer: &force.config.issuer,
        user: &whom.name,
        by: &by.actor.name,
        at: now.wall,
        minutes: limits.valid_ms / 60_000,
        help: force.config.help.as_deref(),
        code: &code,
    };
    let letter = confirming::letter(mailbox, address, &facts);
    let masked = mask(address);
    let fields = [("user", whom.name.as_str()), ("address", &masked), ("by", &by.actor.name)];
    journal::notice(
        "a mail address waits for its code",
        &[&fields[..], &[("reason", reason.as_deref().unwrap_or_default())]].concat(),
    );
    let (post, uid) = (Arc::clone(host), whom.uid);
    // It goes on when nobody waits for it any more.
    let sending = tokio::spawn(async move {
        let sent = post.post.send(letter).await;
        if sent == Sent::Failed {
            // Where this fails too, an address waits for a code that nobody has, and lapses.
            drop(post.store.address_failed(uid, hash).await);
        }
        sent
    });
    match tokio::time::timeout(MOMENT, sending).await {
        Ok(Ok(Sent::Sent)) | Err(_) => Ok(masked),
        Ok(Ok(Sent::Failed) | Err(_)) => Err(Error::unavailable(format!(
            "the code could not be sent to {masked}, and nothing was changed; try the mailbox with `countersignctl email test`"
        ))),
    }
}

/// Puts the address that waits into force, if this is its code. Gives it, masked.
///
/// # Errors
/// `InvalidArgument` that begins with "that code is not right", `NotFound` where nothing waits, `Expired`
/// for a code that lived too long, `NotAuthorized` after too many wrong ones.
pub async fn confirm(host: &Host, by: &Doer, whom: &Target, code: &[u8]) -> Result<String, Error> {
    let now = host.clock.now()?;
    let code = code.get(..LONGEST_CODE.min(code.len())).unwrap_or_default();
    let digits: Zeroizing<Vec<u8>> =
        Zeroizing::new(code.iter().copied().filter(|c| !c.is_ascii_whitespace()).collect());
    let (keys, uid) = (Arc::clone(&host.keys), whom.uid);
    let judge = move |address: &str| hash(&keys, uid, address, &digits);
    let typed = host.store.confirm_address(uid, whom.name.clone(), now, judge).await?;
    let address = match typed {
        Typed::Confirmed(address) => mask(&address),
        Typed::Wrong(0) => {
            return Err(Error::NotFound(
                "that code is not right, and it was the last try; run `countersignctl email set` for a new one".into(),
            ));
        }
        Typed::Wrong(left) => {
            return Err(Error::InvalidArgument(format!("that code is not right; {left} tries are left")));
        }
        Typed::Locked(ms) => return Err(locked(ms)),
    };
    let fields = [("user", whom.name.as_str()), ("address", &address), ("by", &by.actor.name)];
    journal::notice("a mail address was confirmed", &fields);
    Ok(address)
}

/// Removes the address that was set, and the one that waits. Gives the one that counted, masked; empty
/// where none did.
///
/// # Errors
/// `NotAuthorized` without a code from people who act on themselves, or for their last factor while a
/// policy asks them for one; `InvalidArgument` without a reason from anybody else.
pub async fn remove(
    host: &Host,
    (acting, by): (&Acting, &Doer),
    whom: &Target,
    reason: &str,
) -> Result<String, Error> {
    crate::act::because(reason);
    let now = host.clock.now()?;
    if acting.own && acting.proof.is_none() {
        return Err(needs_proof());
    }
    let reason = if acting.own { "" } else { super::factors::reasonable(reason)? };
    let others = addresses::of(host, &host.in_force(), whom.uid, &whom.name).await.len() > 1;
    let may_be_last = !acting.own || others || !super::factors::is_required(host, whom, now).await;
    let owner = Owner { uid: whom.uid, name: whom.name.clone(), proof: acting.proof.filter(|_| acting.own) };
    let removed = host.store.remove_address(owner, by.actor.clone(), may_be_last, now).await?;
    let masked = removed.map(|address| mask(&address)).unwrap_or_default();
    let fields =
        [("user", whom.name.as_str()), ("address", &masked), ("by", &by.actor.name), ("reason", reason)];
    journal::notice("a mail address was removed", &fields);
    Ok(masked)
}

/// What the store keeps of a code: it opens nothing but this address of this person.
fn hash(keys: &Keys, uid: u32, address: &str, code: &[u8]) -> [u8; 32] {
    let bound = [uid.to_string().as_bytes(), b"/", address.as_bytes(), b"/", code].concat();
    keys.vouch("address-code", &Zeroizing::new(bound))
}

fn locked(ms: i64) -> Error {
    Error::NotAuthorized(format!("too many tries, again in {} s", (ms + 999) / 1000))
}

fn no_letter(order: Order) -> Error {
    let (why, ms) = match order {
        Order::TooSoon(ms) => ("a code was sent just now", ms),
        Order::Capped(ms) => ("too many codes were sent", ms),
        Order::Send => ("no code was sent", 0),
    };
    Error::InvalidArgument(format!("{why}; the next one can be asked for in {} s", (ms + 999) / 1000))
}
