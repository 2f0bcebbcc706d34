//! `export FILE [USER...]`: people on their way to another host.
//!
//! The daemon seals them by a key that is made here for this file and reaches it by a descriptor; the file
//! holds that key and the sealed people, encrypted by the passphrase. So secrets are nowhere in the clear,
//! not on the bus, not on a disk and not in this process.

use std::io::{Seek, SeekFrom, Write};
use std::os::fd::AsFd;

use countersign_protocol::manager::ManagerProxy;

use crate::backup::in_memory;
use crate::bundle::{self, Kind};
use crate::cli::Export;
use crate::errors::Failure;
use crate::newfile::{NewFile, shown};
use crate::output::Output;
use crate::progress::Progress;
use crate::{keyfile, passphrase, text};

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &Export) -> Result<(), Failure> {
    let new = NewFile::create(&args.file)?;
    let passphrase = passphrase::new(&args.passphrase)?;
    let failed = |error: std::io::Error| Failure::failed(text::bundle_not_written(&error.to_string()));
    let key = keyfile::fresh()?;
    let mut key_file = in_memory()?;
    key_file.write_all(key.as_slice()).map_err(failed)?;
    let mut sealed = in_memory()?;
    let users: Vec<&str> = args.user.iter().map(String::as_str).collect();
    let copying = manager.export_people(&users, key_file.as_fd().into(), sealed.as_fd().into(), &args.reason);
    let people = Progress::during(text::COPYING, copying).await?;
    sealed.seek(SeekFrom::Start(0)).map_err(failed)?;
    bundle::write(&new.file, &passphrase, Kind::People, key.as_slice(), &mut sealed)?;
    new.keep()?;
    let path = shown(&args.file);
    let mut out = Output::stdout();
    if args.json {
        out.line(&serde_json::json!({ "file": path, "people": people }).to_string())?;
    } else {
        out.line(&text::exported(&path, people))?;
    }
    out.flush()
}
