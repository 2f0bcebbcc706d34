//! A new sealing key.
//!
//! The caller keeps the keys: a file with the new one and the one until now, which stays where the daemon
//! reads its key at the start until all is done. So whenever anything dies, the key that the database is
//! under lies there.

use super::backup::{key_file, off_the_loop};
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::seal::Sealer;
use crate::store::Unsealed;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

/// What was sealed with the old key before the change is in the database after this long.
const STRAGGLERS: Duration = Duration::from_millis(500);

/// Seals everything anew under the key of this key file. Once more does no harm, and ends what an
/// earlier call began.
///
/// # Errors
/// `InvalidArgument` for a file that is not that of this installation or does not hold the present key,
/// `Busy` for a second one at a time, `Unavailable` when the store cannot be written: then all is as it was.
pub async fn rekey(host: &Host, file: File) -> Result<Unsealed, Error> {
    let _one = host
        .rekeying
        .try_lock()
        .map_err(|_| Error::Busy("the sealing key is being changed; try again when it is done".into()))?;
    let keys = off_the_loop(move || key_file(&file)).await?;
    let instance = host.keys.sealer().instance();
    if keys.instance != instance {
        return Err(Error::InvalidArgument("that key file belongs to another installation".into()));
    }
    let new = Arc::new(Sealer::derive(&keys.key, instance)?);
    let old = keys.previous.as_ref().map(|key| Sealer::derive(key, instance)).transpose()?;
    drop(keys);
    let present = host.keys.fingerprint();
    let is_present = |key: &Sealer| key.fingerprint() == present;
    if !is_present(&new) && !old.as_ref().is_some_and(is_present) {
        return Err(Error::InvalidArgument(
            "that key file does not hold the key in use, so a restart could not read the database; nothing was changed"
                .into(),
        ));
    }
    host.keys.open_also(if is_present(&new) { old.map(Arc::new) } else { Some(Arc::clone(&new)) });
    let changes = !is_present(&new);
    // Whatever comes of the commit, one of both opens what is there.
    let mut done = host.store.reseal(Arc::clone(&host.keys), Arc::clone(&new), changes).await?;
    if changes {
        host.keys.change_to(Arc::clone(&new));
        tokio::time::sleep(STRAGGLERS).await;
    }
    let late = host.store.reseal(Arc::clone(&host.keys), new, changes).await?;
    host.keys.open_also(None);
    done.secrets += late.secrets;
    done.ended += late.ended;
    journal::notice(
        "everything is sealed by a new key",
        &[("secrets", &done.secrets.to_string()), ("by", "uid 0")],
    );
    Ok(done)
}
