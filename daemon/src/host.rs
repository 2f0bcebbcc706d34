//! What the use cases of one running daemon share.

use crate::clock::{Clock, HighWater, Moment};
use crate::decide::overrides::{self, Override, Overrides};
use crate::decide::policy::{Decision, Person, Resolution, Source, Tri};
use crate::decide::throttle::Cap;
use crate::error::Error;
use crate::in_force::{InForce, Policies};
use crate::mail::Post;
use crate::people::Directory;
use crate::seal::Keys;
use crate::store::{Closed, Layout, Store, View, read_key};
use countersign_config::GroupRef;
use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};
use tokio::sync::{Mutex, Semaphore};

/// One running daemon: its store, keys, configuration and clocks.
pub struct Host {
    /// The database.
    pub store: Store,
    /// The sealing keys.
    pub keys: Arc<Keys>,
    /// The policies, and which are in force.
    pub policies: Policies,
    /// The clocks.
    pub clock: Clock,
    /// What was decided of single persons, as it is in the store.
    overrides: RwLock<Arc<Overrides>>,
    changing: Mutex<()>,
    /// The way to the mailer.
    pub post: Post,
    hasher: Semaphore,
    /// Looks up who can become root.
    admins: Directory,
}

/// The groups whose members distributions let become root.
const ADMIN_GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];

impl Host {
    /// Opens everything, or nothing. Also gives what tells that the store is closed again.
    ///
    /// # Errors
    /// When key, instance file and database do not vouch for each other, or any cannot be read.
    pub fn open(layout: Layout, config: &Path, also_owner: Option<u32>) -> Result<(Self, Closed), Error> {
        let (master, instance) = read_key(&layout.key)?;
        let keys = Arc::new(Keys::derive(&master, instance)?);
        drop(master);
        let high_water = HighWater::default();
        let (store, closed) = Store::open(layout.clone(), instance, high_water.clone())?;
        let overrides = Overrides::new(store.overrides_at_start()?);
        let clock = Clock::new(high_water)?;
        let host = Self {
            overrides: RwLock::new(Arc::new(overrides)),
            changing: Mutex::new(()),
            store,
            policies: Policies::open(config, also_owner, layout, Arc::clone(&keys), clock.clone())?,
            keys,
            clock,
            post: Post::default(),
            hasher: Semaphore::new(1),
            admins: Directory::new(
                ADMIN_GROUPS
                    .iter()
                    .map(|name| GroupRef { name: (*name).to_owned(), may_be_missing: true })
                    .collect(),
            ),
        };
        Ok((host, closed))
    }

    /// The policies in force now.
    #[must_use]
    pub fn in_force(&self) -> Arc<InForce> {
        self.policies.current()
    }

    /// What holds for this person, service and source now. Everybody who needs a decision asks here.
    pub fn decide(
        &self,
        force: &InForce,
        person: &Person,
        service: &str,
        source: Source,
        now: Moment,
    ) -> Decision {
        overrides::decide(&force.config, &self.overrides(), person, service, source, now)
    }

    /// What was decided of single persons.
    #[must_use]
    pub fn overrides(&self) -> Arc<Overrides> {
        Arc::clone(&self.overrides.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs a change of what was decided of single persons, which gives all that is kept after its
    /// commit. One at a time: the last commit is what decides from then on.
    ///
    /// # Errors
    /// Those of the change; then nothing has changed.
    pub async fn change_overrides<T>(
        &self,
        change: impl Future<Output = Result<(T, Vec<Override>), Error>>,
    ) -> Result<T, Error> {
        let _one = self.changing.lock().await;
        let (result, kept) = change.await?;
        let kept = Arc::new(Overrides::new(kept));
        *self.overrides.write().unwrap_or_else(PoisonError::into_inner) = kept;
        Ok(result)
    }

    /// Whether a person is, or may be, one who can become root. What cannot be known is yes: it is
    /// asked to keep people from acting on administrators.
    pub async fn may_be_admin(&self, user: &str) -> bool {
        let person = self.admins.person(user).await;
        !matches!(person.resolution, Resolution::Found(_))
            || person.groups.values().any(|member| *member != Tri::No)
    }

    /// Where failures in a row end, by the policy in force.
    #[must_use]
    pub fn cap(&self) -> Cap {
        Cap::of(self.in_force().config.throttle)
    }

    /// What records of people are read by.
    #[must_use]
    pub fn view(&self) -> View {
        let force = self.in_force();
        View { cap: Cap::of(force.config.throttle), rules: force.config.hash.clone() }
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
