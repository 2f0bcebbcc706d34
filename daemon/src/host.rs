//! What the use cases of one running daemon share.

use crate::clock::Clock;
use crate::error::Error;
use crate::people::Directory;
use crate::seal::Keys;
use crate::store::{Layout, Store, read_key};
use countersign_config::Config;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// One running daemon: its store, keys, configuration and clocks.
pub struct Host {
    /// The database.
    pub store: Store,
    /// The sealing keys.
    pub keys: Arc<Keys>,
    /// The policy in force.
    pub config: Arc<Config>,
    /// Users and groups.
    pub directory: Directory,
    /// The clocks.
    pub clock: Clock,
    hasher: Semaphore,
}

impl Host {
    /// Opens everything, or nothing.
    ///
    /// # Errors
    /// When key, instance file and database do not vouch for each other, or any cannot be read.
    pub fn open(layout: Layout, config: Config) -> Result<Self, Error> {
        let (master, instance) = read_key(&layout.key)?;
        let keys = Keys::derive(&master, instance)?;
        drop(master);
        let store = Store::open(layout, instance)?;
        let groups = config.policies.iter().flat_map(|p| p.groups.iter().flatten()).cloned().collect();
        Ok(Self {
            store,
            keys: Arc::new(keys),
            directory: Directory::new(groups),
            config: Arc::new(config),
            clock: Clock::new()?,
            hasher: Semaphore::new(1),
        })
    }

    /// Runs a memory-hard computation on a thread of its own, one at a time.
    ///
    /// # Errors
    /// When the computation dies.
    pub async fn hashing<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Error> {
        let died = || Error::unavailable("a computation died");
        let _one = self.hasher.acquire().await.map_err(|_| died())?;
        tokio::task::spawn_blocking(work).await.map_err(|_| died())
    }
}
