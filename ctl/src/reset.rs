//! `reset USER`: takes every factor away, for a lost phone.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Reset;
use crate::errors::Failure;
use crate::output::Output;
use crate::terminal::{Screen, ask, read_line, safe};
use crate::{text, users};

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &Reset) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::RESET_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Reset) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let user = screen.show(&args.user);
    if !args.yes {
        let person = manager.status(&args.user).await?;
        ask(&text::reset_question(&user, person.uid, &screen.show(&users::factors(&person))));
        let answer =
            read_line().map_err(|error| Failure::failed(text::cannot_read(&safe(&error.to_string()))))?;
        if answer.is_none_or(|line| line.trim_ascii() != b"yes") {
            return Err(Failure::failed(text::NOT_RESET));
        }
    }
    let removed = manager.reset(&args.user, &args.reason).await?;
    let mut out = Output::stdout();
    out.line(&text::reset_done(&user, removed))?;
    out.flush()
}
