//! Letters with notices: one task puts what was noted into a queue in the database and takes it out
//! again, letter by letter. No login waits for it, and the store is held by none of it.

use super::post::Letter;
use super::{addresses, letter};
use crate::clock::Moment;
use crate::decide::policy;
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::store::{Fresh, NewLetter, Queue, Taken, Told, Waiting};
use countersign_protocol::mailer::Outcome;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::task::JoinSet;

/// People whose letters are on their way at once. Codes have most of the mailer for themselves.
const AT_ONCE: usize = 4;
/// How long the addresses of one person may take.
const LOOKUP: Duration = Duration::from_secs(10);
/// The longest sleep while something waits: sleeping does not count the time of a suspended host.
const LONGEST_SLEEP: Duration = Duration::from_secs(60);
/// How long after an error of the store it is tried again.
const AFTER_AN_ERROR: Duration = Duration::from_secs(300);
/// How long the end waits for what became of letters that are on their way. Those that it does not hear
/// of are sent again.
const PATIENCE_AT_END: Duration = Duration::from_secs(1);

/// One person, by uid and name.
type Whose = (u32, String);

/// Mails notices until told to stop.
pub async fn drain(host: Arc<Host>, stop: Arc<Notify>) {
    let mut under_way = JoinSet::new();
    let mut busy = HashSet::new();
    let mut well = true;
    loop {
        let sleep = match round(&host, &mut under_way, &mut busy).await {
            Ok(next) => {
                well = true;
                next.map(|seconds| Duration::from_secs(seconds.unsigned_abs()).min(LONGEST_SLEEP))
            }
            Err(e) => {
                if well {
                    journal::warning("notices are not mailed for now", &[("error", e.text())]);
                }
                well = false;
                Some(AFTER_AN_ERROR)
            }
        };
        let due = async {
            match sleep {
                Some(sleep) => tokio::time::sleep(sleep).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.notified() => break,
            Some(done) = under_way.join_next() => forget(&mut busy, done),
            () = host.store.noticed(), if well => {}
            () = due => {}
        }
    }
    let rest = async { while under_way.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(PATIENCE_AT_END, rest).await;
}

fn forget(busy: &mut HashSet<Whose>, done: Result<Whose, tokio::task::JoinError>) {
    match done {
        Ok(whose) => {
            busy.remove(&whose);
        }
        // Which one it was cannot be told any more. Another round finds who still waits.
        Err(_) => busy.clear(),
    }
}

/// Puts into letters what is new, and lets letters go whose time has come. Gives the seconds until the
/// next one's has; `None` where none waits.
async fn round(
    host: &Arc<Host>,
    under_way: &mut JoinSet<Whose>,
    busy: &mut HashSet<Whose>,
) -> Result<Option<i64>, Error> {
    while queue(host).await? {}
    let Queue { due, next } = host.store.letter_queue(host.clock.now()?).await?;
    let mut people: Vec<(Whose, Vec<Waiting>)> = Vec::new();
    for letter in due {
        let whose = (letter.uid, letter.name.clone());
        match people.iter_mut().find(|(who, _)| *who == whose) {
            Some((_, letters)) => letters.push(letter),
            None => people.push((whose, vec![letter])),
        }
    }
    let idle: Vec<_> = people.into_iter().filter(|(whose, _)| !busy.contains(whose)).collect();
    let room = AT_ONCE.saturating_sub(busy.len());
    // Who finds no room is looked at again as soon as somebody is done.
    for (whose, letters) in idle.into_iter().take(room) {
        busy.insert(whose.clone());
        let host = Arc::clone(host);
        under_way.spawn(async move {
            // One after the other: nobody is sent two letters at once.
            for letter in letters {
                if let Err(e) = send(&host, letter).await {
                    journal::warning("a notice waits in its queue", &[("error", e.text())]);
                }
            }
            whose
        });
    }
    Ok(next)
}

/// Puts some new notices into letters; false when there are none.
async fn queue(host: &Host) -> Result<bool, Error> {
    let (fresh, up_to) = host.store.fresh_notices().await?;
    if fresh.is_empty() {
        return Ok(false);
    }
    let force = host.in_force();
    let mut letters = Vec::new();
    // Without a mailbox nothing waits for one: what happened is told at the next login.
    if !force.config.mailboxes.is_empty() {
        for person in &fresh {
            let found = addresses::of(host, &force, person.uid, &person.name);
            let addresses = tokio::time::timeout(LOOKUP, found).await.unwrap_or_else(|_| {
                journal::warning(
                    "the addresses of a person cannot be found in time",
                    &[("user", &person.name)],
                );
                Vec::new()
            });
            letters.extend(letters_of(person, addresses));
        }
    }
    host.store.queue_letters(up_to, letters, host.clock.now()?).await?;
    Ok(true)
}

/// A letter to each address, and to each that a single notice names beyond them.
fn letters_of(person: &Fresh, addresses: Vec<String>) -> Vec<NewLetter> {
    let beyond = person.beyond.iter().filter(|(_, address)| {
        let known = |one: &String| one.eq_ignore_ascii_case(address);
        !addresses.iter().any(known)
    });
    let beyond: Vec<_> = beyond.map(|(id, address)| (address.clone(), *id, *id)).collect();
    let theirs = addresses.into_iter().map(|address| (address, person.first, person.last));
    theirs
        .chain(beyond)
        .map(|(address, first, last)| NewLetter {
            uid: person.uid,
            name: person.name.clone(),
            address,
            first,
            last,
            changes: person.changes,
        })
        .collect()
}

async fn send(host: &Host, waiting: Waiting) -> Result<(), Error> {
    let force = host.in_force();
    let user = waiting.name.clone();
    let most = force.config.email.most_per_hour;
    let told = match host.store.take_letter(waiting.clone(), most, host.clock.now()?).await? {
        Taken::Send(told) => told,
        Taken::Capped(seconds) => {
            let fields = [("user", user.as_str()), ("seconds", &seconds.to_string())];
            journal::warning("a notice waits, too many were mailed", &fields);
            return Ok(());
        }
        Taken::Expired => {
            journal::warning("a notice could not be mailed in its time", &[("user", &user)]);
            return Ok(());
        }
        Taken::Gone => return Ok(()),
    };
    let person = force.directory.person(&user).await;
    // A configuration without a mailbox may have one again before the letter ends.
    let Some(mailbox) = policy::mailbox(&force.config, &person) else {
        return host.store.letter_failed(&told).await;
    };
    let rendered = letter::notice(&force.config, &user, &told)
        .map_err(|problem| Error::InvalidArgument(problem.to_string()))?;
    let letter = Letter {
        mailbox: mailbox.to_owned(),
        to: waiting.address.clone(),
        subject: rendered.subject,
        text: rendered.text,
    };
    let outcome = host.post.deliver(&letter).await;
    settle(host, waiting, outcome, &told, host.clock.now()?).await
}

async fn settle(
    host: &Host,
    letter: Waiting,
    outcome: Option<Outcome>,
    told: &Told,
    now: Moment,
) -> Result<(), Error> {
    match outcome {
        Some(Outcome::Sent) => host.store.letter_sent(letter, told, now).await,
        // It may have arrived. Once more is better than never; over and over is a flood.
        Some(Outcome::Unknown) if told.tries > 1 => host.store.letter_sent(letter, told, now).await,
        Some(Outcome::Refused) => {
            let name = letter.name.clone();
            host.store.letter_refused(letter, told, now).await?;
            journal::warning("a notice is refused for good by the mail server", &[("user", &name)]);
            Ok(())
        }
        Some(Outcome::Unknown | Outcome::Later) | None => host.store.letter_failed(told).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_address_gets_everything_and_one_that_is_none_any_more_its_own_notice() {
        let beyond = vec![(8, "old@example.org".to_owned()), (9, "New@example.org".to_owned())];
        let person = Fresh { uid: 7, name: "alice".into(), first: 5, last: 9, changes: true, beyond };
        let letters = letters_of(&person, vec!["new@example.org".into(), "a@example.org".into()]);
        let told: Vec<_> = letters.iter().map(|l| (l.address.as_str(), l.first, l.last)).collect();
        assert_eq!(told, [("new@example.org", 5, 9), ("a@example.org", 5, 9), ("old@example.org", 8, 8)]);
    }
}
