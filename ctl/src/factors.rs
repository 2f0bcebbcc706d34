//! `rename`, `remove`, `resync`: the authenticators that somebody has.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;

use crate::cli::{Remove, Rename, Resync};
use crate::errors::Failure;
use crate::output::Output;
use crate::prove::{prove, typed};
use crate::terminal::{Screen, ask, read_line, safe};
use crate::text;
use crate::whom::Whom;

pub(crate) async fn rename(manager: &ManagerProxy<'_>, args: Rename) -> Result<(), Failure> {
    let whom = Whom::of(args.user)?;
    let proof = prove(manager, &whom).await?;
    manager.rename_factor(&whom.user, &args.name, &args.new_name, &proof).await?;
    say(&text::renamed(&shown(&args.name), &shown(&args.new_name)))
}

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &Remove) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::REMOVE_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn remove(manager: &ManagerProxy<'_>, args: Remove) -> Result<(), Failure> {
    if args.user.is_none() && rustix::process::geteuid().is_root() {
        return Err(say_whose(manager, &args.name).await);
    }
    let whom = Whom::of(args.user)?;
    let reason = match (args.reason, whom.own) {
        (Some(reason), _) => reason,
        (None, true) => String::new(),
        (None, false) => return Err(Failure::usage(text::REMOVE_NEEDS_REASON)),
    };
    if !args.yes {
        ask(&text::remove_question(&shown(&args.name), &shown(&whom.user)));
        let answer =
            read_line().map_err(|error| Failure::failed(text::cannot_read(&safe(&error.to_string()))))?;
        if answer.is_none_or(|line| line.trim_ascii() != b"yes") {
            return Err(Failure::failed(text::NOT_REMOVED));
        }
    }
    let proof = prove(manager, &whom).await?;
    let left = manager.remove_factor(&whom.user, &args.name, &proof, &reason).await?;
    say(&text::removed(&shown(&args.name), &shown(&whom.user), left))
}

/// Root has named one thing where two are needed: most often the person, of whom it is then said what there is.
async fn say_whose(manager: &ManagerProxy<'_>, name: &str) -> Failure {
    let person = manager.status(name).await.ok();
    let apps = person.iter().flat_map(|person| &person.factors).filter(|factor| factor.kind == "totp");
    let apps: Vec<String> = apps.map(|factor| safe(&factor.name)).collect();
    Failure::usage(match person {
        Some(_) => text::say_which(&safe(name), &apps),
        None => text::say_whose(&safe(name)),
    })
}

/// Two codes, one after the other; they prove enough.
pub(crate) async fn resync(manager: &ManagerProxy<'_>, args: Resync) -> Result<(), Failure> {
    let whom = Whom::of(args.user)?;
    let first = typed(text::RESYNC_FIRST)?;
    let second = typed(text::RESYNC_SECOND)?;
    let ahead = manager.resync(&whom.user, &args.name, first.trim_ascii(), second.trim_ascii()).await?;
    say(&text::resynced(&shown(&args.name), ahead))
}

fn shown(text: &str) -> String {
    Screen::stdout().show(text)
}

fn say(line: &str) -> Result<(), Failure> {
    let mut out = Output::stdout();
    out.line(line)?;
    out.flush()
}
