//! The policy in force: from the file where it is whole and not weaker than what held before, else
//! the last good one from the state directory.

use crate::clock::Clock;
use crate::decide::weaken::weakened;
use crate::error::Error;
use crate::journal;
use crate::last_good::{self, Files};
use crate::mail;
use crate::people::Directory;
use crate::seal::Keys;
use crate::store::Layout;
use countersign_config::{Config, template_problems};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;

/// One set of policies, and the directory that knows their groups. A login keeps the one it began
/// with.
#[derive(Debug)]
pub struct InForce {
    /// The checked configuration.
    pub config: Config,
    /// Users, and the groups that these policies name.
    pub directory: Directory,
}

impl InForce {
    fn new(config: Config) -> Arc<Self> {
        let groups = config
            .policies
            .iter()
            .flat_map(|p| p.groups.iter().flatten().chain(&p.except.groups))
            .cloned()
            .collect();
        Arc::new(Self { config, directory: Directory::new(groups) })
    }
}

/// What came of an attempt to put the file into force.
#[derive(Debug, Clone)]
pub struct Reload {
    /// Whether the file is in force now (or would be, for a dry run).
    pub applied: bool,
    /// Whether that is something new.
    pub changed: bool,
    /// What it would protect less, in sentences.
    pub weaker: Vec<String>,
    /// What is worth knowing about it.
    pub warnings: Vec<String>,
    /// What was in force until now.
    pub before: Arc<InForce>,
    /// What the file says.
    pub after: Arc<InForce>,
}

/// Where policies come from, which are in force, and what is wrong with the file on disk.
pub struct Policies {
    clock: Clock,
    file: PathBuf,
    also_owner: Option<u32>,
    layout: Layout,
    keys: Arc<Keys>,
    current: RwLock<Arc<InForce>>,
    /// Why the file on disk is not what is in force.
    trouble: Mutex<Option<String>>,
    one_at_a_time: Mutex<()>,
    applied: Notify,
}

impl Policies {
    /// Decides what is in force when the daemon starts.
    ///
    /// A broken file, or one that protects less than the last good policy, leaves the last good
    /// policy in force; a restart is no way around `policy apply`.
    ///
    /// # Errors
    /// When the file is broken and there is no last good policy either, with every problem of it.
    pub fn open(
        file: &Path,
        also_owner: Option<u32>,
        layout: Layout,
        keys: Arc<Keys>,
        clock: Clock,
    ) -> Result<Self, Error> {
        let kept = last_good::read(&layout, &keys)?;
        let last = kept.as_ref().map(parse).transpose()?;
        let found = countersign_config::read(file, also_owner)
            .and_then(|files| Ok((countersign_config::parse_all(&files)?, files)));
        let (config, trouble) = match (found, last) {
            (Ok((config, files)), None) => {
                last_good::write(&layout, &keys, &files)?;
                (config, None)
            }
            (Ok((config, files)), Some(last)) => {
                let weaker = weakened(&last, &config);
                if weaker.is_empty() {
                    // Nothing is written for the same file again: we must start on a full disk, too.
                    if kept.as_ref() != Some(&files) {
                        last_good::write(&layout, &keys, &files)?;
                    }
                    (config, None)
                } else {
                    (last, Some(weaker_trouble(&weaker)))
                }
            }
            (Err(problems), Some(last)) => (last, Some(problems.to_string())),
            (Err(problems), None) => return Err(Error::InvalidArgument(problems.to_string())),
        };
        if let Some(trouble) = &trouble {
            journal::error(
                "the policy file is not in force, the last good policy is",
                &[("why", &one_line(trouble))],
            );
        }
        for warning in warnings(&config, &clock).into_iter().chain(mail::trouble(&config)) {
            journal::warning("policy", &[("warning", &warning)]);
        }
        Ok(Self {
            clock,
            file: file.to_owned(),
            also_owner,
            layout,
            keys,
            current: RwLock::new(InForce::new(config)),
            trouble: Mutex::new(trouble),
            one_at_a_time: Mutex::new(()),
            applied: Notify::new(),
        })
    }

    /// The configuration file.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// Waits until something new is in force.
    pub async fn applied(&self) {
        self.applied.notified().await;
    }

    /// What is in force now.
    #[must_use]
    pub fn current(&self) -> Arc<InForce> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// A draft: these files, or what is on disk now, with what is worth knowing about it. Blocks like
    /// [`reload`](Self::reload), and changes nothing.
    ///
    /// # Errors
    /// `InvalidArgument` with every problem.
    pub fn draft(&self, files: Option<Files>) -> Result<(Arc<InForce>, Vec<String>), Error> {
        let refused = |problems: countersign_config::Problems| Error::InvalidArgument(problems.to_string());
        let files = match files {
            Some(files) => files,
            None => countersign_config::read(&self.file, self.also_owner).map_err(refused)?,
        };
        let config = countersign_config::parse_all(&files).map_err(refused)?;
        if let Some(problems) = countersign_config::Problems::of(Directory::missing_groups(&config)) {
            return Err(refused(problems));
        }
        let warnings = warnings(&config, &self.clock);
        Ok((InForce::new(config), warnings))
    }

    /// Why the file on disk is not what is in force, if it is not: a line for each reason.
    #[must_use]
    pub fn trouble(&self) -> Option<String> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Notes each group of the policies in force that must exist and does not. Blocks, so that no start
    /// waits for it.
    pub fn warn_of_groups(&self) {
        for group in Directory::missing_groups(&self.current().config) {
            journal::warning("policy", &[("warning", &until_it_exists(&group))]);
        }
    }

    /// Puts the file on disk into force, all of it or nothing. Blocks: it reads files, asks the
    /// account database for groups and compares policies.
    ///
    /// With `strict_groups` a group that does not exist is an error; else it is a warning, because
    /// the directory may come up later than we do.
    ///
    /// # Errors
    /// `InvalidArgument` with every problem of a broken file, and those of `record`, which is told what
    /// is about to change. The running policy stays.
    pub fn reload(
        &self,
        accept_weaker: bool,
        dry_run: bool,
        strict_groups: bool,
        record: impl FnOnce(String, String) -> Result<(), Error>,
    ) -> Result<Reload, Error> {
        let _one = self.one_at_a_time.lock().unwrap_or_else(PoisonError::into_inner);
        let outcome = self.try_reload(accept_weaker, dry_run, strict_groups, record);
        if !dry_run {
            let trouble = match &outcome {
                Err(e) => Some(e.text().to_owned()),
                Ok(reload) if !reload.applied => Some(weaker_trouble(&reload.weaker)),
                Ok(_) => None,
            };
            if let Some(trouble) = &trouble {
                journal::error(
                    "the policy file is not in force, the running policy stays",
                    &[("why", &one_line(trouble))],
                );
            }
            *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        }
        outcome
    }

    fn try_reload(
        &self,
        accept_weaker: bool,
        dry_run: bool,
        strict_groups: bool,
        record: impl FnOnce(String, String) -> Result<(), Error>,
    ) -> Result<Reload, Error> {
        let refused = |problems: countersign_config::Problems| Error::InvalidArgument(problems.to_string());
        let files = countersign_config::read(&self.file, self.also_owner).map_err(refused)?;
        let config = countersign_config::parse_all(&files).map_err(refused)?;
        if let Some(problems) = countersign_config::Problems::of(template_problems(&config)) {
            return Err(refused(problems));
        }
        let next = InForce::new(config);
        let mut warnings = warnings(&next.config, &self.clock);
        let missing = Directory::missing_groups(&next.config);
        if !strict_groups {
            warnings.extend(missing.iter().map(until_it_exists));
        } else if let Some(problems) = countersign_config::Problems::of(missing) {
            return Err(refused(problems));
        }
        let current = self.current();
        let changed = current.config != next.config;
        let weaker = if changed { weakened(&current.config, &next.config) } else { Vec::new() };
        let applied = weaker.is_empty() || accept_weaker;
        if !changed && !dry_run {
            journal::notice("policy unchanged", &[("hash", &next.config.hash)]);
        } else if applied && !dry_run {
            record(in_words(&current.config, &[]), in_words(&next.config, &weaker))?;
            last_good::write(&self.layout, &self.keys, &files)?;
            journal::notice(
                "policy applied",
                &[
                    ("hash", &next.config.hash),
                    ("policies", &next.config.policies.len().to_string()),
                    ("weaker", if weaker.is_empty() { "no" } else { "yes, accepted" }),
                ],
            );
            *self.current.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&next);
            self.applied.notify_one();
        }
        Ok(Reload { applied, changed, weaker, warnings, before: current, after: next })
    }
}

fn parse(files: &Files) -> Result<Config, Error> {
    countersign_config::parse_all(files).map_err(|problems| {
        Error::unavailable(format!("the last good policy in the state directory was written by another version and cannot be read: {problems}"))
    })
}

/// What is allowed but probably not meant, by now.
fn warnings(config: &Config, clock: &Clock) -> Vec<String> {
    clock.now().map_or_else(|_| config.warnings.clone(), |now| config.warnings_at(now.date))
}

fn until_it_exists(group: &countersign_config::Problem) -> String {
    format!("{group}. Until it exists, everybody counts as a member")
}

/// A policy as the record of acts has it.
fn in_words(config: &Config, weaker: &[String]) -> String {
    let weaker = if weaker.is_empty() { String::new() } else { format!(", weaker: {}", weaker.join("; ")) };
    format!("{} policies, hash {}{weaker}", config.policies.len(), config.hash)
}

fn weaker_trouble(weaker: &[String]) -> String {
    format!(
        "it protects less than the policy in force:\n{}\nif that is meant, run `countersignctl policy apply --accept-weaker`",
        weaker.join("\n")
    )
}

/// Several lines as the one that the journal takes.
fn one_line(text: &str) -> String {
    text.replace(":\n", ": ").replace('\n', "; ")
}
