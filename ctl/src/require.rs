//! `require [USER]`: who must show a second factor, whatever policy says.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Require;
use crate::date::Date;
use crate::errors::Failure;
use crate::output::Output;
use crate::overrides::{self, REQUIRE};
use crate::terminal::Screen;
use crate::text;

/// What the daemon need not be asked for, and nobody can be asked on a pipe.
pub(crate) fn refuse_early(args: &Require) -> Result<(), Failure> {
    if args.user.is_none() || !args.end {
        return Ok(());
    }
    if args.reason.is_none() {
        return Err(Failure::usage(text::REQUIRE_END_NEEDS_REASON));
    }
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::REQUIRE_END_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Require) -> Result<(), Failure> {
    let Some(name) = &args.user else { return overrides::list(manager, REQUIRE, args.json).await };
    let screen = Screen::stdout();
    let user = screen.show(name);
    let reason = args.reason.as_deref().unwrap_or_default();
    let mut out = Output::stdout();
    if args.end {
        if !args.yes {
            overrides::agree(&text::require_end_question(&user), text::NOT_ENDED)?;
        }
        manager.end_override(name, REQUIRE, reason).await?;
        out.line(&text::requirement_ended(&user))?;
        return out.flush();
    }
    let by = args.by.map(Date::end).unwrap_or_default();
    manager.require(name, by, reason).await?;
    out.line(&text::required(&user, by))?;
    // Said, because nobody else will before they stand at a login.
    if manager.status(name).await?.factors.is_empty() {
        out.line(&text::required_of_nobody_enrolled(&user))?;
    }
    out.flush()
}
