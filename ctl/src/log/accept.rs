//! `log accept`: takes the log as it is, after somebody looked into what was done to it.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Accept;
use crate::errors::Failure;
use crate::output::Output;
use crate::{overrides, text};

/// Nobody can be asked on a pipe.
pub(super) fn refuse_early(args: &Accept) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::ACCEPT_NEEDS_YES));
    }
    Ok(())
}

pub(super) async fn run(manager: &ManagerProxy<'_>, args: &Accept) -> Result<(), Failure> {
    if !args.yes {
        overrides::agree(text::ACCEPT_QUESTION, text::LOG_NOT_ACCEPTED)?;
    }
    manager.accept_log(&args.reason).await?;
    let mut out = Output::stdout();
    out.line(text::LOG_ACCEPTED)?;
    out.flush()
}
