//! Abandon: the person hung up. Costs no try.

use super::LoginId;
use crate::error::Error;
use crate::host::Host;

/// Ends a login of this caller that waits for an answer.
///
/// # Errors
/// When the store cannot be read or written.
pub async fn abandon(host: &Host, caller: u32, id: LoginId) -> Result<(), Error> {
    host.store.abandon(id.stored(), caller).await
}
