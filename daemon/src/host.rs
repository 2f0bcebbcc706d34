//! What the use cases of one running daemon share.

use crate::clock::{Clock, HighWater, Moment};
use crate::decide::overrides::{self, Override, Overrides};
use crate::decide::policy::{Decision, Person, Resolution, Source, Tri};
use crate::decide::throttle::Cap;
use crate::error::Error;
use crate::in_force::{InForce, Policies};
use crate::journal;
use crate::mail::Post;
use crate::meter::Meter;
use crate::people::Directory;
use crate::people::record::Records;
use crate::seal::{Keys, Sealer};
use crate::store::{Closed, KeyFile, Layout, Store, View, clear_staging, read_key_file};
use countersign_config::{Factor, GroupRef, Status};
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
    /// Where its files lie.
    pub layout: Layout,
    /// The clocks.
    pub clock: Clock,
    /// What was decided of single persons, as it is in the store.
    overrides: RwLock<Arc<Overrides>>,
    changing: Mutex<()>,
    /// Mail addresses in user records.
    pub records: Records,
    /// What is counted.
    pub meter: Arc<Meter>,
    /// The way to the mailer.
    pub post: Post,
    /// Held while the database is copied, or read back from a copy: one at a time.
    pub copying: Mutex<()>,
    /// Held while the sealing key changes.
    pub rekeying: Mutex<()>,
    hasher: Semaphore,
    /// Looks up who can become root.
    admins: Directory,
}

/// The groups whose members distributions let become root.
const ADMIN_GROUPS: [&str; 3] = ["sudo", "wheel", "admin"];

/// The keys that the database is sealed under, of those in the key file.
fn keys_of(store: &Store, file: &KeyFile, layout: &Layout) -> Result<Keys, Error> {
    let sealed_by = store.sealed_by_at_start()?;
    let present = Sealer::derive(&file.key, file.instance)?;
    let previous = file.previous.as_ref().map(|key| Sealer::derive(key, file.instance)).transpose()?;
    let (by, also) = match previous {
        _ if present.fingerprint() == sealed_by.fingerprint => (present, previous),
        Some(previous) if previous.fingerprint() == sealed_by.fingerprint => (previous, None),
        _ => {
            return Err(Error::unavailable(format!(
                "{} is not the key that {} is sealed under; put the right one back from your backup: without it no enrollment can be read",
                layout.key.display(),
                layout.database().display()
            )));
        }
    };
    if file.previous.is_some() {
        journal::warning(
            "a change of the sealing key was begun and not ended; run `countersignctl rekey`",
            &[],
        );
    }
    let hash_key = match &sealed_by.hash_key {
        Some(sealed) => by.open_hash_key(sealed)?,
        None => by.usual_hash_key(),
    };
    let keys = Keys::new(by, hash_key)?;
    keys.open_also(also.map(Arc::new));
    Ok(keys)
}

impl Host {
    /// Opens everything, or nothing. Also gives what tells that the store is closed again.
    ///
    /// # Errors
    /// When key, instance file and database do not vouch for each other, or any cannot be read.
    pub fn open(layout: Layout, config: &Path, also_owner: Option<u32>) -> Result<(Self, Closed), Error> {
        let key_file = read_key_file(&layout.key)?;
        let high_water = HighWater::default();
        let meter = Arc::new(Meter::default());
        let (store, closed) =
            Store::open(layout.clone(), key_file.instance, high_water.clone(), Arc::clone(&meter))?;
        // What a restore that was killed left; where it cannot go, the next restore says so.
        let _ = clear_staging(&layout);
        let keys = Arc::new(keys_of(&store, &key_file, &layout)?);
        drop(key_file);
        store.take_up_chain(Arc::clone(&keys))?;
        let overrides = Overrides::new(store.overrides_at_start()?);
        let clock = Clock::new(high_water)?;
        let host = Self {
            overrides: RwLock::new(Arc::new(overrides)),
            changing: Mutex::new(()),
            store,
            layout: layout.clone(),
            policies: Policies::open(config, also_owner, layout, Arc::clone(&keys), clock.clone())?,
            keys,
            clock,
            records: Records::default(),
            meter,
            post: Post::default(),
            copying: Mutex::new(()),
            rekeying: Mutex::new(()),
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

    /// Whether an address is a factor under a policy in force.
    #[must_use]
    pub fn takes_mail(&self) -> bool {
        let force = self.in_force();
        force
            .config
            .policies
            .iter()
            .any(|one| one.status == Status::Enforce && one.factors.contains(&Factor::Email))
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
