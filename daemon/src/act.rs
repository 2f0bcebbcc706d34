//! Who does what through the Manager interface: carried with the call, so that the store can record each
//! change in the transaction that makes it, whatever method makes it.
//!
//! The bus opens a scope around every call (`bus/recorded.rs`), the gate says who and about whom, the use
//! case why. A change inside of a scope without a record is not possible: `store/act.rs`.

use std::sync::{Arc, Mutex, PoisonError};

tokio::task_local! {
    static CURRENT: Arc<Mutex<Deed>>;
}

/// A call on the Manager interface.
#[derive(Debug, Clone, Default)]
pub struct Deed {
    /// The method.
    pub verb: String,
    /// Whether it may change or show anything that is to be recorded.
    pub acts: bool,
    /// When, in seconds since 1970.
    pub at: i64,
    /// Who calls: their uid as the bus saw them connect.
    pub actor: u32,
    /// Their login name.
    pub actor_name: String,
    /// Who they were before any `su` or `sudo`, where the kernel says so.
    pub loginuid: Option<u32>,
    /// The person it is about.
    pub about: Option<(u32, String)>,
    /// Why, as they say.
    pub reason: String,
    /// Whether something of it is on record already.
    pub recorded: bool,
}

/// Runs a call.
pub async fn scope<T>(deed: Deed, call: impl Future<Output = T>) -> T {
    CURRENT.scope(Arc::new(Mutex::new(deed)), call).await
}

/// The call that runs now; `None` outside of the Manager interface.
#[must_use]
pub fn current() -> Option<Deed> {
    CURRENT.try_with(|deed| deed.lock().unwrap_or_else(PoisonError::into_inner).clone()).ok()
}

/// The uid behind the call that runs now; `None` outside of the Manager interface.
#[must_use]
pub fn caller() -> Option<u32> {
    CURRENT.try_with(|deed| deed.lock().unwrap_or_else(PoisonError::into_inner).actor).ok()
}

fn note(what: impl FnOnce(&mut Deed)) {
    let _ = CURRENT.try_with(|deed| what(&mut deed.lock().unwrap_or_else(PoisonError::into_inner)));
}

/// Says who calls.
pub fn by(uid: u32) {
    note(|deed| deed.actor = uid);
}

/// Says more of who calls.
pub fn known_as(name: String, loginuid: Option<u32>) {
    note(|deed| (deed.actor_name, deed.loginuid) = (name, loginuid));
}

/// Says whom it is about.
pub fn about(uid: u32, name: &str) {
    note(|deed| deed.about = Some((uid, name.to_owned())));
}

/// Says why.
pub fn because(reason: &str) {
    note(|deed| reason.trim().clone_into(&mut deed.reason));
}

/// Says that something of it is on record.
pub fn recorded() {
    note(|deed| deed.recorded = true);
}
