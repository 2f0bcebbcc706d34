//! `accept-clock`: takes the clock of this host for right, though a later date was seen here.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;

use crate::cli::AcceptClock;
use crate::errors::Failure;
use crate::output::Output;
use crate::{overrides, text, time};

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &AcceptClock) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::ACCEPT_CLOCK_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &AcceptClock) -> Result<(), Failure> {
    if !args.yes {
        let (.., behind) = manager.host_status().await?;
        overrides::agree(&text::accept_clock_question(&time::duration(behind)), text::CLOCK_NOT_ACCEPTED)?;
    }
    let behind = manager.accept_clock().await?;
    let mut out = Output::stdout();
    out.line(&text::clock_accepted(&time::duration(behind)))?;
    out.flush()
}
