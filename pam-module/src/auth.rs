//! The auth phase, from PAM items to an outcome.

use crate::{
    bus::Client,
    claims::{Claims, Items},
    ffi::process,
    log::Log,
    login::{self, Person},
    options::Options,
    outcome::Outcome,
    passwd,
    record::Begun,
    text,
};
use countersign_protocol::{login::FirstFactor, names::DAEMON_USER};

/// Runs one login. Says how it ended, and which login at the daemon it was.
pub(crate) fn authenticate(
    person: &mut dyn Person,
    items: &Items,
    options: &Options,
    log: &Log,
) -> (Outcome, Option<Begun>) {
    if options.after_key && !items.names_public_key() {
        log.notice("refused: after_key, and no public key came first");
        return (Outcome::NoKey, None);
    }
    let Ok(claims) = Claims::read(items, options) else {
        log.notice("refused: not a name that anybody has");
        person.delay_refusal();
        return (Outcome::Wrong, None);
    };
    if claims.first_factor == FirstFactor::Passed {
        log.vouch();
    }
    let Some(owner_uid) = owner_uid(options, log) else {
        return (Outcome::NoAnswer, None);
    };
    log.debug(format_args!(
        "begins: rhost={} tty={} first_factor={}",
        text::for_log(&items.rhost),
        text::for_log(&items.tty),
        claims.first_factor.as_str(),
    ));
    let mut client = Client::new(&options.bus, owner_uid, process::euid(), options.timeout);
    let (outcome, begun) = login::run(person, &mut client, &claims, options, log);
    match outcome {
        Outcome::NotRequired if options.after_key => (Outcome::NotRequiredAfterKey, begun),
        other => (other, begun),
    }
}

/// The uid that must own the daemon's name; a log line where it is not to be had.
pub(crate) fn owner_uid(options: &Options, log: &Log) -> Option<u32> {
    if let Some(uid) = options.owner {
        return Some(uid);
    }
    passwd::uid_of(DAEMON_USER).inspect_err(|error| log.error(format_args!("refused: {error}"))).ok()
}
