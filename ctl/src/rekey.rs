//! `rekey`: a new sealing key.
//!
//! The key file holds both keys until the daemon has sealed everything anew, and each step puts a whole
//! file in the place of a whole one: whatever dies when, the key that is needed lies there. Typed again,
//! the verb goes on where it was.

use std::io::IsTerminal;
use std::os::fd::AsFd;

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Rekey;
use crate::errors::Failure;
use crate::newfile::shown;
use crate::output::Output;
use crate::progress::Progress;
use crate::terminal::consent;
use crate::{keyfile, text};

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &Rekey) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::REKEY_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &Rekey) -> Result<(), Failure> {
    let path = shown(&args.key_file);
    let mut present = keyfile::read(&args.key_file)?;
    if !args.yes && !consent(&text::rekey_question(&path, present.is_changing()))? {
        return Err(Failure::failed(text::NOT_REKEYED));
    }
    // A daemon that does not answer, or uses another key, is found out before anything is written.
    Progress::during(text::SEALING, manager.rekey(present.file.as_fd().into())).await?;
    if !present.is_changing() {
        keyfile::replace(&args.key_file, &present, &present.with_new()?)?;
        present = keyfile::read(&args.key_file)?;
    }
    let (secrets, ended) = Progress::during(text::SEALING, manager.rekey(present.file.as_fd().into()))
        .await
        .map_err(|error| Failure::from(error).with(text::REKEY_AGAIN))?;
    keyfile::replace(&args.key_file, &present, &present.without_previous())?;
    let mut out = Output::stdout();
    if args.json {
        out.line(&serde_json::json!({ "key_file": path, "secrets": secrets, "ended": ended }).to_string())?;
    } else {
        out.line(&text::rekeyed(&path, secrets, ended))?;
    }
    out.flush()
}
