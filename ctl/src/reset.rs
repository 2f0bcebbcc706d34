//! `reset USER`: takes every factor away, for a lost phone.

use std::io::IsTerminal;

use countersign_protocol::manager::{ManagerProxy, Person};

use crate::cli::Reset;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::sessions::{self, End};
use crate::terminal::{Screen, consent};
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
    // Asked for before, since afterwards somebody whose account is gone is not known any more. Who may reset may
    // not therefore see what people have: a helpdesk would be asked for an administrator's password here.
    let sees = !args.yes && rustix::process::geteuid().is_root();
    let person = if sees || args.end_sessions { Some(manager.status(&args.user).await?) } else { None };
    if !args.yes && !consent(&question(&user, person.as_ref(), screen))? {
        return Err(Failure::failed(text::NOT_RESET));
    }
    let removed = manager.reset(&args.user, &args.reason, args.alone).await?;
    let mut out = Output::stdout();
    out.line(&text::reset_done(&user, removed))?;
    out.flush()?;
    match person {
        Some(person) => {
            sessions_after(manager, &args.user, person.uid, args.end_sessions, &text::reset_but(&user)).await
        }
        None if !args.yes => sessions_stay(&user),
        None => Ok(()),
    }
}

fn question(user: &str, person: Option<&Person>, screen: Screen) -> String {
    match person {
        Some(person) => text::reset_question(user, person.uid, &screen.show(&users::factors(person))),
        None => text::reset_question_unseen(user),
    }
}

fn sessions_stay(user: &str) -> Result<(), Failure> {
    let mut out = Output::stdout();
    out.line(&text::sessions_stay(user))?;
    out.flush()
}

/// Ends the open sessions of somebody who was reset or locked, or says that they go on; `but` stands before
/// the reason why they do although they should not.
pub(crate) async fn sessions_after(
    manager: &ManagerProxy<'_>,
    user: &str,
    uid: u32,
    end_sessions: bool,
    but: &str,
) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let shown = screen.show(user);
    if !end_sessions {
        return sessions_stay(&shown);
    }
    let mut out = Output::stdout();
    let ends = sessions::end_all_of(manager.inner().connection(), uid)
        .await
        .map_err(|why| Failure::failed(but.to_owned() + why.message()))?;
    if ends.is_empty() {
        out.line(&text::no_sessions(&shown))?;
    }
    for (session, end) in &ends {
        out.line(&session.line(user, end, screen))?;
    }
    out.flush()?;
    if ends.iter().any(|(_, end)| matches!(end, End::Refused(_))) {
        return Err(Failure::new(Exit::Failed, ""));
    }
    Ok(())
}
