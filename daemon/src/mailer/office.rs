//! Where letters are taken: the accounts, and how many letters are on their way at once.

use super::accounts::Accounts;
use super::args::Args;
use super::dialogue::{Dialogue, Failure, Stage};
use super::letter::Letter;
use super::secret::Secrets;
use super::smtp;
use super::tls::Encryption;
use crate::error::Error;
use crate::journal;
use countersign_protocol::mailer::{self as wire, Outcome};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Connections at once. Each costs at most a few hundred KiB.
const AT_ONCE: usize = 16;
/// Letters that wait for a connection. With [`AT_ONCE`] this bounds what we hold.
const WAITING: usize = 1024;
/// The longest that a letter may take.
const LONGEST: Duration = Duration::from_secs(60);

/// The office.
pub(super) struct Office {
    accounts: Accounts,
    secrets: Secrets,
    encryption: Encryption,
    desks: Semaphore,
    inside: AtomicUsize,
    used: AtomicBool,
}

impl Office {
    pub(super) fn new(args: &Args) -> Self {
        Self {
            accounts: Accounts::new(args.config.clone(), args.also_owner()),
            secrets: Secrets::new(args.mailboxes.clone(), args.also_owner()),
            encryption: Encryption::new(),
            desks: Semaphore::new(AT_ONCE),
            inside: AtomicUsize::new(0),
            used: AtomicBool::new(true),
        }
    }

    /// Whether nothing was sent or waited since this was last asked.
    pub(super) fn is_quiet(&self) -> bool {
        let used = self.used.swap(false, Ordering::Relaxed);
        !used && self.inside.load(Ordering::Relaxed) == 0
    }

    /// Sends one letter within the time given, waiting included.
    ///
    /// # Errors
    /// `Busy` when too many wait already; then nothing was done.
    pub(super) async fn send(
        &self,
        mailbox: &str,
        letter: &Letter,
        within: Duration,
    ) -> Result<(Outcome, Vec<wire::Stage>), Error> {
        let _inside = self.enter()?;
        let begun = Instant::now();
        let mut dialogue = Dialogue::new();
        let done =
            tokio::time::timeout(within.min(LONGEST), self.send_now(mailbox, letter, &mut dialogue)).await;
        let outcome = match done {
            Ok(Ok(())) => Outcome::Sent,
            Ok(Err(failure)) => {
                dialogue.failed(&failure);
                failure.outcome
            }
            Err(_) => {
                let outcome = if dialogue.handed_over { Outcome::Unknown } else { Outcome::Later };
                let failure = Failure { outcome, cause: "timeout", said: String::new() };
                dialogue.failed(&failure);
                outcome
            }
        };
        note(mailbox, outcome, &dialogue, begun);
        Ok((outcome, dialogue.into_stages()))
    }

    async fn send_now(&self, mailbox: &str, letter: &Letter, dialogue: &mut Dialogue) -> Result<(), Failure> {
        let _desk = self.desks.acquire().await.map_err(|_| Failure::later("stopping", String::new()))?;
        let mailbox = self.accounts.find(mailbox)?;
        dialogue.passed(&mailbox.name);
        smtp::send(&mailbox, &self.secrets, &self.encryption, letter, dialogue).await
    }

    fn enter(&self) -> Result<Inside<'_>, Error> {
        self.used.store(true, Ordering::Relaxed);
        let inside = Inside(&self.inside);
        if self.inside.fetch_add(1, Ordering::Relaxed) >= AT_ONCE + WAITING {
            return Err(Error::Busy("too many letters wait for the mail server".into()));
        }
        Ok(inside)
    }
}

/// A letter that is counted until it is done.
struct Inside<'a>(&'a AtomicUsize);

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One line for each letter. What a server said behind the login or the letter may repeat a secret,
/// and is not logged.
fn note(mailbox: &str, outcome: Outcome, dialogue: &Dialogue, begun: Instant) {
    let took = begun.elapsed().as_millis().to_string();
    let mut fields =
        vec![("mailbox", mailbox), ("outcome", outcome.as_str()), ("stage", dialogue.now().as_str())];
    let (cause, said) = dialogue.last().unwrap_or_default();
    let said = discreet(dialogue.now().as_str(), said);
    if outcome != Outcome::Sent {
        fields.extend([("cause", cause), ("said", said.as_str())]);
    }
    fields.push(("ms", &took));
    if outcome == Outcome::Sent {
        journal::notice("letter", &fields);
    } else {
        journal::warning("letter", &fields);
    }
}

/// What may be repeated of a server's words: where it has heard a secret, its code alone.
pub(super) fn discreet(stage: &str, said: &str) -> String {
    if stage != Stage::Login.as_str() && stage != Stage::Message.as_str() {
        return said.to_owned();
    }
    let code = said.get(..3).filter(|code| code.bytes().all(|b| b.is_ascii_digit()));
    code.unwrap_or_default().to_owned()
}
