//! People as the account database (NSS) knows them.
//!
//! Lookups run on threads of their own with a deadline, because a directory service may take a
//! minute: a slow lookup of one person delays nobody else, and no answer in time is "unknown",
//! which is "required".

mod nss;
pub mod record;

use crate::decide::policy::{Person, Resolution};
use crate::error::Error;
use countersign_config::{Config, GroupRef, Problem};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long a login waits for the account database.
const DEADLINE: Duration = Duration::from_secs(4);
/// How long an answer is used again: long enough for the steps of one login, short enough that a
/// change of groups holds by the time somebody tries it.
const CACHED: Duration = Duration::from_secs(2);
/// Answers that are kept at most.
const CACHE_SIZE: usize = 1024;
/// Lookups under way at most; what comes beyond is undetermined at once.
const LOOKUPS: usize = 48;

/// The login name of a uid, for people to read; empty where the account database does not say in time.
pub async fn name_of(uid: u32) -> String {
    owner_of(uid).await.ok().flatten().unwrap_or_default()
}

/// The login name of a uid; `None` is nobody's.
///
/// # Errors
/// `Unavailable` when the account database gives no answer in time.
pub async fn owner_of(uid: u32) -> Result<Option<String>, Error> {
    let lookup = tokio::task::spawn_blocking(move || nss::owner_of(uid));
    match tokio::time::timeout(DEADLINE, lookup).await {
        Ok(Ok(Ok(name))) => Ok(name),
        Ok(_) | Err(_) => Err(Error::unavailable("the account database gives no answer")),
    }
}

/// The name of a person's account here, as their authenticator app shows it.
#[must_use]
pub fn account(user: &str) -> String {
    let host = nix::unistd::gethostname()
        .ok()
        .and_then(|name| name.into_string().ok())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "localhost".into());
    format!("{user}@{host}")
}

/// Looks people up.
#[derive(Debug, Clone)]
pub struct Directory {
    groups: Arc<Vec<GroupRef>>,
    cache: Arc<Mutex<HashMap<String, (Instant, Person)>>>,
    underway: Arc<Mutex<HashMap<String, Underway>>>,
    slots: Arc<tokio::sync::Semaphore>,
}

/// A lookup under way, which everybody who asks for the same name waits for: a name that takes a minute
/// takes one place, however often it is asked for.
#[derive(Debug, Clone)]
struct Underway {
    began: Instant,
    answer: watch::Receiver<Option<Person>>,
}

impl Directory {
    /// A directory that determines membership of these groups, those that policies name.
    #[must_use]
    pub fn new(named: Vec<GroupRef>) -> Self {
        let mut groups: Vec<GroupRef> = Vec::new();
        for group in named {
            match groups.iter_mut().find(|g| g.name == group.name) {
                // Named twice, once as one that must exist: it must.
                Some(known) => known.may_be_missing &= group.may_be_missing,
                None => groups.push(group),
            }
        }
        Self {
            groups: Arc::new(groups),
            cache: Arc::new(Mutex::new(HashMap::new())),
            underway: Arc::new(Mutex::new(HashMap::new())),
            slots: Arc::new(tokio::sync::Semaphore::new(LOOKUPS)),
        }
    }

    /// What is known of a name now.
    pub async fn person(&self, name: &str) -> Person {
        if !is_account_name(name) {
            return Person::unresolved(name, Resolution::NotFound);
        }
        if let Some(known) = self.cached(name) {
            return known;
        }
        let asked = self.ask(name);
        let answer = async {
            let mut answer = asked?.answer;
            answer.wait_for(Option::is_some).await.ok()?.clone()
        };
        let Ok(Some(person)) = tokio::time::timeout(DEADLINE, answer).await else {
            crate::journal::warning(
                "the account database gives no answer in time, the person counts as required",
                &[("user", name)],
            );
            return Person::unresolved(name, Resolution::Failed);
        };
        person
    }

    /// Begins a lookup, or joins one that began just now; `None` where an earlier one hangs, or too many
    /// are under way.
    fn ask(&self, name: &str) -> Option<Underway> {
        let mut underway = lock(&self.underway);
        if let Some(one) = underway.get(name) {
            return (one.began.elapsed() < DEADLINE).then(|| one.clone());
        }
        let slot = Arc::clone(&self.slots).try_acquire_owned().ok()?;
        let (said, answer) = watch::channel(None);
        let one = Underway { began: Instant::now(), answer };
        underway.insert(name.to_owned(), one.clone());
        let over = Over { name: name.to_owned(), underway: Arc::clone(&self.underway) };
        let (directory, began) = (self.clone(), one.began);
        tokio::task::spawn_blocking(move || {
            let person = nss::look_up(&over.name, &directory.groups);
            directory.keep(began, &person);
            drop(over);
            drop(slot);
            said.send_replace(Some(person));
        });
        Some(one)
    }

    /// The people whom the groups of the policies list, as far as the account database says so in time.
    pub async fn members(&self) -> Vec<String> {
        let groups = Arc::clone(&self.groups);
        let lookup = tokio::task::spawn_blocking(move || {
            groups.iter().flat_map(|group| nss::members(&group.name)).collect()
        });
        match tokio::time::timeout(DEADLINE, lookup).await {
            Ok(Ok(members)) => members,
            _ => Vec::new(),
        }
    }

    /// One problem for each place of a configuration that names a group which must exist and does not
    /// resolve now. Blocks.
    #[must_use]
    pub fn missing_groups(config: &Config) -> Vec<Problem> {
        // Guesses come from here alone: a directory could take minutes to list its groups.
        let known = std::fs::read("/etc/group").unwrap_or_default();
        let known = countersign_config::group_names(&String::from_utf8_lossy(&known));
        config.missing_groups(&known, |group| !nss::group_exists(group))
    }

    fn cached(&self, name: &str) -> Option<Person> {
        let cache = lock(&self.cache);
        cache.get(name).filter(|(at, _)| at.elapsed() < CACHED).map(|(_, person)| person.clone())
    }

    /// Keeps an answer, as old as its question.
    fn keep(&self, asked: Instant, person: &Person) {
        // Only found people are worth keeping: names that do not exist are anybody's to invent.
        if !matches!(person.resolution, Resolution::Found(_)) {
            return;
        }
        let mut cache = lock(&self.cache);
        if cache.len() >= CACHE_SIZE {
            cache.retain(|_, (at, _)| at.elapsed() < CACHED);
        }
        if cache.len() < CACHE_SIZE {
            cache.insert(person.name.clone(), (asked, person.clone()));
        }
    }
}

/// Takes a lookup off the list when it is over, however it ends.
struct Over {
    name: String,
    underway: Arc<Mutex<HashMap<String, Underway>>>,
}

impl Drop for Over {
    fn drop(&mut self) {
        lock(&self.underway).remove(&self.name);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether a name could be an account's: anything else is never handed to NSS backends.
fn is_account_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 256
        && !name.starts_with('-')
        && !name.chars().any(|c| c.is_control() || c == ':' || c == '/')
}
