//! The attempt log and the record of acts: reading, following, proving.

use super::PAGE;
use crate::act;
use crate::error::Error;
use crate::host::Host;
use crate::random;
use crate::store::{Position, Whence, Which, WhichActs};
use countersign_config::Network;
use countersign_protocol::manager::{Act, Login, NOTED_VERBS, Verified, WhichActs as WireActs, WhichLogins};

/// The states of a login, as the log has them.
const STATES: [&str; 8] =
    ["asked", "verified", "denied", "locked", "skipped", "would-ask", "abandoned", "enrolled"];
/// Longest text of a noted act, in characters.
const LONGEST_NOTE: usize = 1000;
/// Longest word that is looked for, in bytes: nothing in the log is longer.
const LONGEST: usize = 1024;

/// A page of the attempt log, newest first, and where to go on. `only` is the uid that the name must have.
///
/// # Errors
/// `InvalidArgument` for a question that makes no sense, `Unavailable` when the store cannot be read.
pub async fn log(
    host: &Host,
    which: WhichLogins,
    only: Option<u32>,
    from: (i64, i64),
    limit: u32,
) -> Result<(Vec<Login>, (i64, i64)), Error> {
    let now = host.clock.now()?;
    let from = match from {
        (0, 0) => None,
        (before, floor) => Some(Position { before, floor }),
    };
    let (logins, next) = host.store.logins(read(which, only)?, from, limit.clamp(1, PAGE), now).await?;
    Ok((logins, next.map_or((0, 0), |next| (next.before, next.floor))))
}

/// Logins that were finished after a place, and where to go on; below 0 is the end.
///
/// # Errors
/// As [`log`].
pub async fn follow_log(
    host: &Host,
    which: WhichLogins,
    only: Option<u32>,
    after: i64,
    limit: u32,
) -> Result<(Vec<Login>, i64), Error> {
    let now = host.clock.now()?;
    host.store.finished(read(which, only)?, after, limit.clamp(1, PAGE), now).await
}

fn read(which: WhichLogins, uid: Option<u32>) -> Result<Which, Error> {
    let words = [&which.user, &which.service, &which.policy, &which.from];
    if words.iter().any(|word| word.len() > LONGEST) {
        return Err(Error::InvalidArgument("nothing in the log is that long".into()));
    }
    if let Some(odd) = which.states.iter().find(|state| !STATES.contains(&state.as_str())) {
        return Err(Error::InvalidArgument(format!(
            "\"{}\" is no state of a login; they are {}",
            super::printable(odd),
            STATES.join(", ")
        )));
    }
    let from = match which.from.as_str() {
        "" => None,
        text => {
            let network = Network::parse(text).map_err(Error::InvalidArgument)?;
            Some(if network.is_one() {
                Whence::Exactly(network.to_string())
            } else {
                Whence::Network(network)
            })
        }
    };
    let WhichLogins { user, since, until, states, service, policy, .. } = which;
    Ok(Which { user, uid, since, until, states, service, from, policy })
}

/// A page of what was done through the Manager interface, newest first, and where to go on.
///
/// # Errors
/// When the store cannot be read.
pub async fn acts(host: &Host, which: WireActs, before: i64, limit: u32) -> Result<(Vec<Act>, i64), Error> {
    let WireActs { user, since, until, verbs } = which;
    host.store.acts(WhichActs { user, since, until, verbs }, before, limit.clamp(1, PAGE)).await
}

/// Proves a page of the log.
///
/// # Errors
/// `InvalidArgument` for a noted link that is none, `Unavailable` when the store cannot be read.
pub async fn verify_log(host: &Host, from: (u32, i64), noted: &str) -> Result<Verified, Error> {
    let noted = match noted {
        "" => None,
        text => Some(link(text).ok_or_else(|| {
            Error::InvalidArgument(
                "a link is a number, a colon and 32 hexadecimal digits, as `log verify` prints the last one"
                    .into(),
            )
        })?),
    };
    host.store.verify(from, noted).await
}

fn link(text: &str) -> Option<(i64, Vec<u8>)> {
    let (seq, mac) = text.split_once(':')?;
    let mac: [u8; crate::seal::LINK_BYTES] = random::unhex(mac)?;
    let seq = seq.parse().ok().filter(|seq| *seq >= 0)?;
    Some((seq, mac.to_vec()))
}

/// Records what root's tool did to this host by itself.
///
/// # Errors
/// `InvalidArgument` for a verb that is not in the list and for texts that are empty, long or more than a
/// line; `Unavailable` when the store cannot be written.
pub async fn note_act(host: &Host, verb: &str, before: &str, after: &str, reason: &str) -> Result<(), Error> {
    if !NOTED_VERBS.contains(&verb) {
        return Err(Error::InvalidArgument(format!("what is noted is one of {}", NOTED_VERBS.join(", "))));
    }
    let fits = |text: &str| text.chars().count() <= LONGEST_NOTE && !text.chars().any(char::is_control);
    if before.is_empty() || after.is_empty() || ![before, after, reason].into_iter().all(fits) {
        return Err(Error::InvalidArgument(format!(
            "what was before and after is noted as one line of 1 to {LONGEST_NOTE} characters"
        )));
    }
    act::because(reason);
    host.store.note_act(verb.to_owned(), before.to_owned(), after.to_owned()).await
}

/// Accepts what is broken in the log now.
///
/// # Errors
/// `InvalidArgument` without a reason, `Unavailable` when the store cannot be written.
pub async fn accept_log(host: &Host, reason: &str) -> Result<(), Error> {
    act::because(reason);
    if reason.trim().is_empty() || reason.chars().count() > 500 {
        return Err(Error::InvalidArgument(
            "what was done to the log is accepted for a reason of 1 to 500 characters: an auditor will ask"
                .into(),
        ));
    }
    host.store.accept_log().await
}
