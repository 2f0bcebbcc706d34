//! The accounts of the configuration, read again when its files change.

use super::dialogue::Failure;
use crate::journal;
use countersign_config::{Config, Mailbox};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// The accounts. What the daemon says is only the name of one: where a secret is sent, the
/// administrator's file alone says.
pub(super) struct Accounts {
    config: PathBuf,
    also_owner: Option<u32>,
    /// The last whole configuration: a broken file keeps it, as it keeps the daemon's policy.
    last_good: Mutex<Option<Arc<Config>>>,
}

impl Accounts {
    pub(super) fn new(config: PathBuf, also_owner: Option<u32>) -> Self {
        Self { config, also_owner, last_good: Mutex::new(None) }
    }

    /// Reads the files now.
    ///
    /// # Errors
    /// When they are broken and were so since we started.
    pub(super) fn read(&self) -> Result<Arc<Config>, Failure> {
        let mut last_good = self.last_good.lock().unwrap_or_else(PoisonError::into_inner);
        match countersign_config::load(&self.config, self.also_owner) {
            Ok(config) => {
                let config = Arc::new(config);
                *last_good = Some(Arc::clone(&config));
                Ok(config)
            }
            Err(problems) => {
                let said = problems.to_string();
                journal::warning("the configuration cannot be used", &[("error", &said)]);
                last_good.clone().ok_or_else(|| Failure::later("bad-configuration", said))
            }
        }
    }

    /// An account by name; without a name, the only one.
    ///
    /// # Errors
    /// When there is none of that name, or none or several and no name was given.
    pub(super) fn find(&self, name: &str) -> Result<Mailbox, Failure> {
        let config = self.read()?;
        match config.mailboxes.as_slice() {
            [] => Err(Failure::later("no-mailbox", "")),
            [only] if name.is_empty() => Ok(only.clone()),
            _ if name.is_empty() => Err(Failure::later("which-mailbox", "")),
            all => all
                .iter()
                .find(|mailbox| mailbox.name == name)
                .cloned()
                .ok_or_else(|| Failure::later("unknown-mailbox", name)),
        }
    }
}
