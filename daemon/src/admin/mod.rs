//! The use cases of administration, one per file.

mod address;
mod apply;
mod backup;
mod doctor;
mod enroll;
mod factors;
mod impact;
mod import;
mod invite;
mod log;
mod metrics;
mod overrides;
mod people;
mod policy;
mod preview;
mod prune;
mod recovery;
mod rekey;
mod report;
mod reset;
mod restore;
mod transfer;

pub use address::{confirm as confirm_address, remove as remove_address, set as set_address};
pub use apply::{Apply, apply, reload};
pub use backup::{backup, last_backup};
pub use doctor::facts;
pub use enroll::{begin_enrollment, cancel_enrollment, confirm_enrollment, enrollment_right};
pub use factors::{new_recovery_codes, remove, rename, resync, view_recovery_codes};
pub use impact::{Draft, impact};
pub use import::{Foreign, import_factor};
pub use invite::invite;
pub use log::{accept_log, acts, follow_log, log, note_act, verify_log};
pub use metrics::metrics;
pub use overrides::{accept_clock, end_override, exempt, lock, overridden_target, overrides, require, sweep};
pub use people::{forget, unlock};
pub use policy::explain;
pub use preview::preview_email;
pub use prune::{end_overdue, let_age, prune};
pub(crate) use recovery::generate as generate_codes;
pub use rekey::rekey;
pub use report::{host_status, status, users};
pub use reset::{
    Doer, approve_reset, refuse_reset, refuse_without_proof, request_reset, reset, reset_request,
    reset_requests,
};
pub use restore::{because, restore};
pub use transfer::{export_people, import_people};

use crate::decide::policy::Resolution;
use crate::error::Error;
use crate::host::Host;
use crate::login::LoginId;
use crate::store::Proof;

/// Rows of a listing that one call gives at most.
const PAGE: u32 = 2000;

/// The person that a call is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The uid.
    pub uid: u32,
    /// The login name.
    pub name: String,
    /// Whether the account database has them under this name now. Otherwise they are somebody we
    /// keep, and the uid may be another person's by now.
    present: bool,
}

impl Target {
    /// Whether this is the very person behind a uid.
    #[must_use]
    pub fn is_uid(&self, uid: u32) -> bool {
        self.present && self.uid == uid
    }
}

/// Who acts on somebody's factors, and what they showed for it.
#[derive(Debug, Clone, Copy)]
pub struct Acting {
    /// Their uid.
    pub caller: u32,
    /// Whether they act on themselves and by no other right.
    pub own: bool,
    /// The login by which they showed a factor of theirs.
    pub proof: Option<Proof>,
}

impl Acting {
    /// Reads the proof that a caller handed in; an empty one is none.
    ///
    /// # Errors
    /// `NotFound` for what is no login id.
    pub fn new(caller: u32, own: bool, proof: &str) -> Result<Self, Error> {
        let proof = if proof.is_empty() {
            None
        } else {
            Some(Proof { token: LoginId::parse(proof)?.stored(), caller })
        };
        Ok(Self { caller, own, proof })
    }
}

fn needs_proof() -> Error {
    Error::NotAuthorized("a code of a factor you have is needed for this".into())
}

/// Longest name of an authenticator, in characters.
const LONGEST_LABEL: usize = 32;
/// The name of an authenticator that nobody named.
const USUAL_LABEL: &str = "app";

/// The name of an authenticator as somebody gave it.
///
/// # Errors
/// `InvalidArgument` for what is too long or cannot be shown.
fn label(text: &str) -> Result<String, Error> {
    let label = text.trim();
    if label.chars().count() > LONGEST_LABEL || label.chars().any(crate::journal::is_unsafe) {
        return Err(Error::InvalidArgument(format!(
            "a name has at most {LONGEST_LABEL} characters, all of them printable"
        )));
    }
    Ok(if label.is_empty() { USUAL_LABEL } else { label }.to_owned())
}

/// Finds a person by name: the account database first, then the people we keep.
///
/// # Errors
/// `NotFound` for nobody, `Unavailable` when the account database gives no answer.
pub async fn target(host: &Host, user: &str) -> Result<Target, Error> {
    let (uid, present) = match host.in_force().directory.person(user).await.resolution {
        Resolution::Found(uid) => (uid, true),
        Resolution::NotFound => {
            let kept = host.store.uid_of(user.to_owned()).await?.ok_or_else(|| {
                Error::NotFound(format!(
                    "there is no user \"{}\" on this host; check the spelling with `getent passwd`",
                    printable(user)
                ))
            })?;
            (kept, false)
        }
        Resolution::Failed => {
            return Err(Error::unavailable(
                "the account database gives no answer; try again, then check nsswitch.conf and the directory service",
            ));
        }
    };
    Ok(Target { uid, name: user.to_owned(), present })
}

/// Finds a person by name among those we keep first: what somebody left behind is found even where
/// their name has another uid by now.
///
/// # Errors
/// As [`target`].
pub async fn kept_target(host: &Host, user: &str) -> Result<Target, Error> {
    match host.store.uid_of(user.to_owned()).await? {
        Some(uid) => Ok(Target { uid, name: user.to_owned(), present: false }),
        None => target(host, user).await,
    }
}

/// Somebody known by uid and name, as a request or a row of ours has them.
pub async fn target_of(host: &Host, uid: u32, name: String) -> Target {
    let present = host.in_force().directory.person(&name).await.resolution == Resolution::Found(uid);
    Target { uid, name, present }
}

fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if crate::journal::is_unsafe(c) { '?' } else { c }).collect()
}
