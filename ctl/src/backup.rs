//! `backup FILE`: everything the daemon keeps, as it is at one moment.

use std::fs::File;
use std::io::{Seek, SeekFrom};
use std::os::fd::AsFd;

use countersign_protocol::manager::ManagerProxy;
use rustix::fs::{MemfdFlags, memfd_create};

use crate::bundle::{self, Kind};
use crate::cli::Backup;
use crate::errors::Failure;
use crate::newfile::{NewFile, shown};
use crate::output::Output;
use crate::progress::Progress;
use crate::{keyfile, passphrase, text, time};

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &Backup) -> Result<(), Failure> {
    // All that can fail without the daemon comes first.
    let key = args.with_key.then(|| keyfile::read(&args.key_file)).transpose()?;
    let new = NewFile::create(&args.file)?;
    let made = match &key {
        None => Progress::during(text::COPYING, manager.backup(new.file.as_fd().into(), &[])).await?,
        Some(key) => {
            let passphrase = passphrase::new(&args.passphrase)?;
            let mut plain = in_memory()?;
            let keys = [key.file.as_fd().into()];
            let copying = manager.backup(plain.as_fd().into(), &keys);
            let made = Progress::during(text::COPYING, copying).await?;
            plain
                .seek(SeekFrom::Start(0))
                .map_err(|error| Failure::failed(text::bundle_not_written(&error.to_string())))?;
            bundle::write(&new.file, &passphrase, Kind::Backup, key.text.as_bytes(), &mut plain)?;
            made
        }
    };
    new.keep()?;
    let path = shown(&args.file);
    let mut out = Output::stdout();
    if args.json {
        out.line(
            &serde_json::json!({
                "file": path, "taken": made.taken, "generation": made.generation, "bytes": made.bytes,
                "with_key": args.with_key,
            })
            .to_string(),
        )?;
    } else {
        out.line(&text::backed_up(&path, &time::utc(made.taken), made.bytes))?;
        out.line(if args.with_key { text::KEEP_PASSPHRASE } else { text::KEEP_KEY })?;
    }
    out.flush()
}

/// A file that no disk ever sees.
pub(crate) fn in_memory() -> Result<File, Failure> {
    memfd_create("countersign", MemfdFlags::CLOEXEC)
        .map(File::from)
        .map_err(|error| Failure::failed(text::no_memory_file(&error.to_string())))
}
