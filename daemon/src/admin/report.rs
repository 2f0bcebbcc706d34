//! Reading: one person, everybody, the daemon itself.

use super::overrides::shown;
use super::{PAGE, Target};
use crate::clock::Moment;
use crate::decide::overrides::Kind;
use crate::error::Error;
use crate::host::Host;
use countersign_protocol::manager::{Lock, Person};

/// People that one transaction looks at: each takes some ten questions, and logins wait meanwhile.
const AT_ONCE: usize = 200;

/// Version, configuration in words, policy hash, people enrolled, seconds by which the wall clock is
/// behind the latest date that was seen. Where the file on disk is not what is in force, the words go on
/// for some lines: one that says so, then one for each reason.
///
/// # Errors
/// When the store cannot be read.
pub async fn host_status(host: &Host) -> Result<(String, String, String, u64, i64), Error> {
    let force = host.in_force();
    let policies = force.config.policies.len();
    let mut words = format!("{policies} {} in force", if policies == 1 { "policy" } else { "policies" });
    if let Some(trouble) = host.policies.trouble() {
        words.push_str("\nthe policy file is NOT in force:\n");
        words.push_str(&trouble);
    }
    let now = host.clock.now()?;
    let enrolled = host.store.enrolled(host.takes_mail()).await?;
    let behind = now.date - now.wall;
    Ok((env!("CARGO_PKG_VERSION").into(), words, force.config.hash.clone(), enrolled, behind))
}

/// One person; `whole` is whether their mail addresses are shown as they are.
///
/// # Errors
/// When the store cannot be read.
pub async fn status(host: &Host, whom: &Target, whole: bool) -> Result<Person, Error> {
    let now = host.clock.now()?;
    let person = host.store.person(whom.uid, whom.name.clone(), host.view(), now).await?;
    let addresses = super::address::list(host, whom, whole, now).await?;
    Ok(Person { addresses, ..with_overrides(host, person, now) })
}

/// The record with what was decided of its person. The store gives it without: that is in memory.
fn with_overrides(host: &Host, person: Person, now: Moment) -> Person {
    let overrides = host.overrides();
    let held = overrides.of(person.uid, &person.user, now);
    let mut person = person;
    if held.iter().any(|one| one.kind == Kind::Lock) {
        person.locks.insert(0, Lock { lane: "administrator".into(), seconds: -1 });
    }
    Person { overrides: held.into_iter().map(|one| shown(one, now)).collect(), ..person }
}

/// A page of everybody who has a factor.
///
/// # Errors
/// When the store cannot be read.
pub async fn users(host: &Host, after: Option<u32>, limit: u32) -> Result<Vec<Person>, Error> {
    let now = host.clock.now()?;
    let (mut people, mut after, limit) = (Vec::new(), after, limit.clamp(1, PAGE) as usize);
    loop {
        let most = AT_ONCE.min(limit - people.len());
        let some = host.store.people(after, u32::try_from(most).unwrap_or(PAGE), host.view(), now).await?;
        let over = some.len() < most;
        after = some.last().map(|person| person.uid);
        people.extend(some.into_iter().map(|person| with_overrides(host, person, now)));
        if over || people.len() >= limit {
            return Ok(people);
        }
    }
}
