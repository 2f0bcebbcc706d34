//! Bringing a backup back while the daemon runs.

use super::backup::{key_file, off_the_loop, one_at_a_time};
use super::reset::{Doer, reason_of};
use crate::backup::Reader;
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::seal::Sealer;
use crate::store::{Bring, Copied, Staged, clear_staging, open_staging};
use countersign_protocol::manager::Restored;
use std::fs::File;
use std::sync::Arc;

/// Brings back what a backup has and this host lost. `key` is the key file of its day where that is not
/// the key in use.
///
/// # Errors
/// `InvalidArgument` for what is no backup of ours, damaged, of another version or under another key,
/// `Busy` while another copy is made, `Unavailable` when anything cannot be read or written. Then nothing
/// has changed.
pub async fn restore(host: &Host, file: File, key: Option<File>, how: Bring) -> Result<Restored, Error> {
    let _one = one_at_a_time(host)?;
    let now = host.clock.now()?;
    let keys = Arc::clone(&host.keys);
    let layout = host.layout.clone();
    let staged = off_the_loop(move || {
        let backup = Reader::open(file)?;
        let sealer = key_of(&backup, &keys.sealer(), key.as_ref())?;
        // Before anything is written: a damaged file does not fill the disk.
        backup.verify(&sealer, None)?;
        let staging = open_staging(&layout)?;
        let copied = backup.verify(&sealer, Some(&staging)).and_then(|()| {
            let staged = Staged::open(&layout.staging())?;
            staged.is_of(&backup.header)?;
            staged.read(&sealer, &keys)
        });
        drop(staging);
        clear_staging(&layout)?;
        Ok((backup.header, sealer, copied?))
    });
    let (header, sealer, copied): (_, _, Copied) = staged.await?;
    let same = sealer.instance() == host.keys.sealer().instance();
    if same && !how.dry_run {
        host.clock.high_water().raise(copied.high_water);
    }
    let report = Restored {
        taken: header.taken,
        generation: header.generation,
        same_installation: same,
        ..Restored::default()
    };
    let (dry_run, by) = (how.dry_run, how.by.clone());
    let report = host.change_overrides(host.store.bring_back(copied, report, how, now)).await?;
    if !dry_run {
        journal::warning(
            "a backup was brought back",
            &[
                ("taken", &header.taken.to_string()),
                ("generation", &header.generation.to_string()),
                ("by", &by),
                ("changed", &report.factors.len().to_string()),
            ],
        );
    }
    Ok(report)
}

/// Who brings it back and why, as the people concerned read it.
///
/// # Errors
/// `InvalidArgument` without a reason.
pub fn because(by: &Doer, reason: &str) -> Result<String, Error> {
    crate::act::because(reason);
    Ok(format!("{}: {}", by.actor.name, reason_of(reason)?))
}

/// The key that the backup was made under: the one in use, or one of those handed in.
fn key_of(backup: &Reader, used: &Arc<Sealer>, handed_in: Option<&File>) -> Result<Arc<Sealer>, Error> {
    if backup.is_by(used) {
        return Ok(Arc::clone(used));
    }
    let Some(file) = handed_in else {
        let whose = if backup.header.instance == used.instance() {
            "the backup was made before the sealing key was changed"
        } else {
            "the backup was made on another installation"
        };
        return Err(Error::InvalidArgument(format!(
            "{whose}; name the key file of its day with --key-file. Nothing was changed"
        )));
    };
    key_file(file)?.sealers()?.into_iter().find(|key| backup.is_by(key)).map(Arc::new).ok_or_else(|| {
        Error::InvalidArgument(
            "the backup was made under another key than that one; nothing was changed".into(),
        )
    })
}
