//! Whose turn it is at the store's thread: logins come first.
//!
//! What belongs to a call on the Manager interface waits until no login does, and has a transaction to
//! itself, after which the logins that came meanwhile have their turn. So whoever asks for lists holds a
//! login up for one page of them at most, however many ask.

use crate::act;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Places in the queue that calls on the Manager interface have, but those of root; the others are for logins.
const PLACES: usize = 32;

/// Whose turn a use case waits for.
pub(super) enum Turn {
    /// That of logins, and of what the daemon does by itself.
    Login,
    /// That of whoever administers or looks something up. The place in the queue is given back with this;
    /// root needs none.
    Manager { _place: Option<OwnedSemaphorePermit> },
}

/// The places in the queue that are not for logins.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(PLACES)))
    }
}

impl Places {
    /// Whose turn it is that what runs now waits for. Whoever calls on the Manager interface and is not root
    /// waits here for a place, in the order of coming.
    pub(super) async fn turn(&self) -> Turn {
        match act::caller() {
            None => Turn::Login,
            Some(0) => Turn::Manager { _place: None },
            // Nobody ever closes the semaphore.
            Some(_) => Turn::Manager { _place: Arc::clone(&self.0).acquire_owned().await.ok() },
        }
    }
}
