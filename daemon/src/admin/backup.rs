//! A backup: the whole database as it was at one moment, into a file that the caller opened.

use crate::backup::{Header, PIECE, Writer};
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::store::{KeyFile, key_from, schema_version};
use countersign_protocol::manager::Backup;
use std::fs::File;

/// Writes a backup into an empty file. Logins go on meanwhile. A key file that is to lie beside it is
/// compared with the key in use.
///
/// # Errors
/// `Busy` while another one is made, `InvalidArgument` for a file that is not new or another key,
/// `Unavailable` when anything cannot be read or written; what is in the file then is worth nothing.
pub async fn backup(host: &Host, file: File, beside: Option<File>) -> Result<Backup, Error> {
    let _one = one_at_a_time(host)?;
    let now = host.clock.now()?;
    let key = host.keys.sealer();
    if let Some(beside) = beside {
        let fits = off_the_loop(move || key_file(&beside)).await?.is_present(&key)?;
        if !fits {
            return Err(Error::InvalidArgument(
                "that key file does not hold the key in use; with it the backup could not be read".into(),
            ));
        }
    }
    let held = host.store.hold().await?;
    let still = held.still;
    let header = Header {
        instance: key.instance(),
        sealed_by: key.fingerprint(),
        schema: schema_version(),
        generation: still.generation,
        taken: now.wall,
        length: still.length,
    };
    let mut writer = off_the_loop(move || Writer::begin(file, &header)).await?;
    let mut at = 0;
    while at < still.length {
        let left = usize::try_from(still.length - at).unwrap_or(PIECE).min(PIECE);
        let piece = held.piece(at, left).await?;
        writer = off_the_loop(move || writer.push(&piece).map(|()| writer)).await?;
        at += left as u64;
    }
    drop(held);
    off_the_loop(move || writer.end(&key)).await?;
    host.store.note_backup(now).await?;
    journal::notice(
        "a backup was made",
        &[("generation", &still.generation.to_string()), ("bytes", &still.length.to_string())],
    );
    Ok(Backup { taken: now.wall, generation: still.generation, bytes: still.length })
}

/// When the last backup was made, in seconds since 1970; 0 is never.
///
/// # Errors
/// When the store cannot be read.
pub async fn last_backup(host: &Host) -> Result<i64, Error> {
    host.store.last_backup().await
}

/// Reads a key file that somebody handed in.
pub(super) fn key_file(file: &File) -> Result<KeyFile, Error> {
    key_from(file)?.ok_or_else(|| Error::InvalidArgument("this is not a countersign key file".into()))
}

/// Keeps a second one out.
pub(super) fn one_at_a_time(host: &Host) -> Result<tokio::sync::MutexGuard<'_, ()>, Error> {
    host.copying
        .try_lock()
        .map_err(|_| Error::Busy("a backup or a restore is under way; try again when it is done".into()))
}

/// Runs what may wait for a disk where no login waits for it.
pub(super) async fn off_the_loop<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::unavailable("a copy died"))?
}
