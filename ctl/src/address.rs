//! `email show`, `set`, `confirm` and `remove`: the mail address of somebody.

use std::io::IsTerminal;

use countersign_protocol::manager::ManagerProxy;
use zeroize::Zeroizing;

use crate::cli::{EmailConfirm, EmailRemove, EmailSet, EmailShow};
use crate::errors::{Failure, is_wrong_code, needs_invitation};
use crate::output::Output;
use crate::prove::{prove, typed};
use crate::status::address_line;
use crate::terminal::{Screen, ask, complain, read_line, safe};
use crate::text::email as text;
use crate::whom::Whom;
use crate::{json, text as all};

/// How often a person may mistype the code.
const ATTEMPTS: u32 = 3;

pub(crate) async fn show(manager: &ManagerProxy<'_>, args: EmailShow) -> Result<(), Failure> {
    let whom = Whom::of(args.user)?;
    let person = manager.status(&whom.user).await?;
    let mut out = Output::stdout();
    if args.json {
        for one in &person.addresses {
            out.line(&json::address(one))?;
        }
        return out.flush();
    }
    let screen = Screen::stdout();
    for one in &person.addresses {
        out.line(&address_line(one, screen))?;
    }
    if person.addresses.is_empty() {
        out.line(&text::no_address(&screen.show(&whom.user), whom.own))?;
    }
    out.flush()
}

pub(crate) async fn set(manager: &ManagerProxy<'_>, args: EmailSet) -> Result<(), Failure> {
    let whom = Whom::of(args.user)?;
    let reason = reason(args.reason, &whom)?;
    let proof = prove(manager, &whom).await?;
    let typed = Zeroizing::new(args.invitation.unwrap_or_default());
    let set = manager.set_address(&whom.user, &args.address, &proof, &typed, &reason).await;
    let masked = match set {
        Err(error) if typed.is_empty() && needs_invitation(&error) => {
            complain(all::INVITATION_NEEDED);
            let typed = invitation()?;
            manager.set_address(&whom.user, &args.address, &proof, &typed, &reason).await?
        }
        set => set?,
    };
    say(&text::asked(&shown(&masked), &shown(&whom.user), whom.own))
}

/// The code that was sent there, by the person or as it was read to an administrator.
pub(crate) async fn confirm(manager: &ManagerProxy<'_>, args: EmailConfirm) -> Result<(), Failure> {
    let whom = Whom::of(args.user)?;
    for left in (0..ATTEMPTS).rev() {
        let code = typed(text::CODE_QUESTION)?;
        match manager.confirm_address(&whom.user, code.trim_ascii()).await {
            Ok(masked) => return say(&text::confirmed(&shown(&masked), &shown(&whom.user))),
            Err(error) if left > 0 && is_wrong_code(&error) => complain(text::WRONG_CODE),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &EmailRemove) -> Result<(), Failure> {
    if !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::REMOVE_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn remove(manager: &ManagerProxy<'_>, args: EmailRemove) -> Result<(), Failure> {
    let whom = Whom::of(args.user)?;
    let reason = reason(args.reason, &whom)?;
    if !args.yes {
        ask(&text::remove_question(&shown(&whom.user)));
        let answer =
            read_line().map_err(|error| Failure::failed(all::cannot_read(&safe(&error.to_string()))))?;
        if answer.is_none_or(|line| line.trim_ascii() != b"yes") {
            return Err(Failure::failed(all::NOT_REMOVED));
        }
    }
    let proof = prove(manager, &whom).await?;
    let masked = manager.remove_address(&whom.user, &proof, &reason).await?;
    say(&text::removed(&shown(&masked), &shown(&whom.user)))
}

/// Whoever acts on somebody else says why.
fn reason(given: Option<String>, whom: &Whom) -> Result<String, Failure> {
    match (given, whom.own) {
        (Some(reason), _) => Ok(reason),
        (None, true) => Ok(String::new()),
        (None, false) => Err(Failure::usage(text::NEEDS_REASON)),
    }
}

fn invitation() -> Result<Zeroizing<String>, Failure> {
    let line = typed(all::INVITATION_QUESTION)?;
    Ok(Zeroizing::new(String::from_utf8_lossy(line.trim_ascii()).into_owned()))
}

fn shown(text: &str) -> String {
    Screen::stdout().show(text)
}

fn say(text: &str) -> Result<(), Failure> {
    let mut out = Output::stdout();
    out.line(text)?;
    out.flush()
}
