//! The use cases of administration, one per file.

mod enroll;
mod people;
mod policy;
mod prune;
mod report;

pub use enroll::{begin_enrollment, cancel_enrollment, confirm_enrollment};
pub use people::{forget, reset, unlock};
pub use policy::{apply, explain, reload};
pub use prune::prune;
pub use report::{host_status, log, status, users};

use crate::decide::policy::Resolution;
use crate::error::Error;
use crate::host::Host;

/// Rows of a listing that one call gives at most.
const PAGE: u32 = 2000;

/// Finds a person by name: the account database first, then the people we keep.
async fn find(host: &Host, user: &str) -> Result<u32, Error> {
    match host.in_force().directory.person(user).await.resolution {
        Resolution::Found(uid) => Ok(uid),
        Resolution::NotFound => host.store.uid_of(user.to_owned()).await?.ok_or_else(|| {
            Error::NotFound(format!(
                "there is no user \"{}\" on this host; check the spelling with `getent passwd`",
                printable(user)
            ))
        }),
        Resolution::Failed => Err(Error::unavailable(
            "the account database gives no answer; try again, then check nsswitch.conf and the directory service",
        )),
    }
}

fn printable(name: &str) -> String {
    name.chars().take(64).map(|c| if crate::journal::is_unsafe(c) { '?' } else { c }).collect()
}
