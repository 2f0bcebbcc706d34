//! `lock [USER]`: somebody who gets in nowhere, whatever they show, until `unlock`.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;
use nix::unistd::User;

use crate::cli::Lock;
use crate::enable::who_become_root;
use crate::errors::Failure;
use crate::output::Output;
use crate::overrides::{self, LOCK, agree};
use crate::reset::sessions_after;
use crate::terminal::{Screen, safe};
use crate::text;

/// What the daemon need not be asked for, and nobody can be asked on a pipe.
pub(crate) fn refuse_early(args: &Lock) -> Result<(), Failure> {
    if args.user.is_none() {
        return Ok(());
    }
    if args.reason.is_none() {
        return Err(Failure::usage(text::LOCK_NEEDS_REASON));
    }
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::LOCK_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Lock) -> Result<(), Failure> {
    let Some(name) = &args.user else { return overrides::list(manager, LOCK, args.json).await };
    let user = Screen::stdout().show(name);
    // By the account database: who may lock may not therefore see what people have.
    let uid = User::from_name(name).ok().flatten().map(|found| found.uid.as_raw());
    if !args.yes {
        let danger = danger(manager, name, uid).await;
        agree(&text::lock_question(&safe(name), uid, danger), text::NOT_LOCKED)?;
    }
    manager.lock(name, args.reason.as_deref().unwrap_or_default()).await?;
    let mut out = Output::stdout();
    out.line(&text::now_locked(&user))?;
    out.flush()?;
    match uid {
        Some(uid) => sessions_after(manager, name, uid, args.end_sessions, &text::locked_but(&user)).await,
        None => Ok(()),
    }
}

/// What must be said before somebody agrees: that it is they themselves, or that nobody would be left who can
/// become root by a login. Where the list of locks is not for the caller, everybody else counts as free.
async fn danger(manager: &ManagerProxy<'_>, name: &str, uid: Option<u32>) -> Option<&'static str> {
    let through_sudo = std::env::var("SUDO_UID").ok().and_then(|uid| uid.parse::<u32>().ok());
    let caller = rustix::process::getuid();
    if uid.is_some_and(|uid| uid == caller.as_raw() || Some(uid) == through_sudo) {
        return Some(text::LOCKS_YOU);
    }
    let able = who_become_root();
    let locked = if caller.is_root() { manager.overrides().await.unwrap_or_default() } else { Vec::new() };
    let free = |one: &String| !locked.iter().any(|held| held.what == LOCK && held.user == *one);
    let last = able.iter().any(|one| one == name) && !able.iter().any(|one| one != name && free(one));
    last.then_some(text::LOCKS_LAST)
}
