//! `exempt [USER]`: who logs in without a second factor for a while, whatever policy says.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;

use crate::cli::Exempt;
use crate::date::Date;
use crate::errors::Failure;
use crate::output::Output;
use crate::overrides::{self, EXEMPT};
use crate::terminal::Screen;
use crate::text;

/// What the daemon need not be asked for, and nobody can be asked on a pipe.
pub(crate) fn refuse_early(args: &Exempt) -> Result<(), Failure> {
    if args.user.is_none() || args.end {
        return Ok(());
    }
    if args.until.is_none() {
        return Err(Failure::usage(text::EXEMPT_NEEDS_END));
    }
    if args.reason.is_none() {
        return Err(Failure::usage(text::EXEMPT_NEEDS_REASON));
    }
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::EXEMPT_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Exempt) -> Result<(), Failure> {
    let Some(name) = &args.user else { return overrides::list(manager, EXEMPT, args.json).await };
    let screen = Screen::stdout();
    let user = screen.show(name);
    let reason = args.reason.as_deref().unwrap_or_default();
    let mut out = Output::stdout();
    if args.end {
        manager.end_override(name, EXEMPT, reason).await?;
        out.line(&text::exemption_ended(&user))?;
        return out.flush();
    }
    let until = args.until.map(Date::end).unwrap_or_default();
    let when = text::until(until);
    if !args.yes {
        let person = manager.status(name).await?;
        overrides::agree(&text::exempt_question(&user, person.uid, &when), text::NOT_EXEMPTED)?;
    }
    manager.exempt(name, until, reason).await?;
    out.line(&text::exempted(&user, &when))?;
    out.flush()
}
