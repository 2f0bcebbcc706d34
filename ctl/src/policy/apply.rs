//! `policy apply`: puts the policy file into force, and never weakens protection unnoticed.

use std::io::IsTerminal;

use countersign_protocol::manager::{Applied, ManagerProxy};
use countersign_protocol::names::error::INVALID_ARGUMENT;
use zbus::Connection;
use zeroize::Zeroizing;

use super::end::{self, Fate, Planned};
use super::short;
use crate::cli::PolicyApply;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::prove::typed;
use crate::terminal::{Screen, ask, complain, read_line, safe};
use crate::{json, strays, text};

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &PolicyApply) -> Result<(), Failure> {
    if asks(args) && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::APPLY_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &PolicyApply) -> Result<(), Failure> {
    let mut reason = Zeroizing::new(args.reason.clone().unwrap_or_default().into_bytes());
    let consented = if asks(args) { Some(consent(manager, args).await?) } else { None };
    if reason.is_empty() && consented.as_ref().is_some_and(|shown| !shown.is_empty()) {
        reason = typed(text::WHY_WEAKER)?;
    }
    let reason = String::from_utf8_lossy(reason.trim_ascii());
    // Where nothing was weaker, nothing was accepted: the file may have changed since.
    let accept = args.accept_weaker && consented.as_ref().is_none_or(|shown| !shown.is_empty());
    let mut applied = call(manager, args, accept, args.dry_run, &reason).await?;
    let bus = manager.inner().connection();
    let (mut planned, trouble) = end::plan(bus, std::mem::take(&mut applied.sessions)).await;
    if args.json {
        if !args.dry_run {
            end_or_leave(bus, &mut planned, args.yes).await;
        }
        let trouble = trouble.as_deref().or(Some(&*applied.sessions_trouble)).filter(|why| !why.is_empty());
        let ends: Vec<_> = planned.iter().map(|one| (&one.session, one.word())).collect();
        let mut out = Output::stdout();
        out.line(&json::applied(&applied, args.dry_run, &ends, trouble))?;
        out.flush()?;
        return if applied.applied { all_ended(&planned, "", "") } else { Err(Failure::failed("")) };
    }
    report(&applied, args.dry_run, &consented.unwrap_or_default())?;
    if let Some(why) = trouble {
        complain(&why);
    }
    sessions(bus, &mut planned, args).await
}

/// Ends the sessions that the policy means to end, once somebody agreed; says what became of each.
async fn sessions(bus: &Connection, planned: &mut [Planned], args: &PolicyApply) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let mut out = Output::stdout();
    if planned.is_empty() {
        if args.now {
            out.line(text::ALL_PASSED)?;
        }
        return out.flush();
    }
    out.line(&text::not_passed(planned.len()))?;
    out.flush()?;
    let due: Vec<String> = planned
        .iter()
        .filter(|one| one.fate == Fate::Due)
        .map(|one| text::part(&one.shown(Screen { width: None, ..screen })))
        .collect();
    let mut left = text::SESSIONS_NOT_ASKED;
    if !args.dry_run && !due.is_empty() {
        let mut agreed = args.yes;
        if !agreed && std::io::stdin().is_terminal() {
            ask(&text::end_question(&due.join("\n")));
            let answer =
                read_line().map_err(|error| Failure::failed(text::cannot_read(&safe(&error.to_string()))))?;
            agreed = answer.is_some_and(|line| line.trim_ascii() == b"yes");
            left = text::SESSIONS_LEFT;
        }
        end_or_leave(bus, planned, agreed).await;
    }
    for one in planned.iter() {
        out.line(&one.line(screen))?;
    }
    out.flush()?;
    all_ended(planned, left, text::SOME_REFUSED)
}

async fn end_or_leave(bus: &Connection, planned: &mut [Planned], agreed: bool) {
    if agreed {
        Progress::during(text::ENDING_SESSIONS, end::end(bus, planned)).await;
    } else {
        end::leave(planned);
    }
}

/// Whether every session that was to be ended is; else one of these sentences.
fn all_ended(planned: &[Planned], left: &str, refused: &str) -> Result<(), Failure> {
    if planned.iter().any(|one| matches!(one.fate, Fate::Refused(_))) {
        return Err(Failure::failed(refused));
    }
    if planned.iter().any(|one| one.fate == Fate::Left) {
        return Err(Failure::failed(left));
    }
    Ok(())
}

/// Whether a person has to agree first.
fn asks(args: &PolicyApply) -> bool {
    args.accept_weaker && !args.yes && !args.dry_run
}

/// Shows what the file protects less and asks; what was shown.
async fn consent(manager: &ManagerProxy<'_>, args: &PolicyApply) -> Result<Vec<String>, Failure> {
    let shown = call(manager, args, false, true, "").await?.weaker;
    if shown.is_empty() {
        return Ok(shown);
    }
    ask(&text::weaker_question(&parts(&shown)));
    let answer =
        read_line().map_err(|error| Failure::failed(text::cannot_read(&safe(&error.to_string()))))?;
    if answer.is_none_or(|line| line.trim_ascii() != b"yes") {
        return Err(Failure::failed(text::NOT_ACCEPTED));
    }
    Ok(shown)
}

/// One call; a broken file has been shown when this fails for one.
async fn call(
    manager: &ManagerProxy<'_>,
    args: &PolicyApply,
    accept_weaker: bool,
    dry_run: bool,
    reason: &str,
) -> Result<Applied, Failure> {
    let strays = strays::find();
    let applying = manager.apply_policy(accept_weaker, dry_run, args.now, &strays, reason);
    let error = match Progress::during(text::APPLYING, applying).await {
        Ok(applied) if applied.applied || !applied.weaker.is_empty() => return Ok(applied),
        Ok(_) => {
            return Err(Failure::new(Exit::Unavailable, text::strange_answer(text::REFUSED_WITHOUT_REASON)));
        }
        Err(error) => error,
    };
    let zbus::Error::MethodError(name, said, _) = &error else { return Err(error.into()) };
    if name.as_str() != INVALID_ARGUMENT {
        return Err(error.into());
    }
    let problems: Vec<String> = said.iter().flat_map(|said| said.lines()).map(str::to_owned).collect();
    let mut out = Output::stdout();
    if args.json {
        out.line(&json::broken(&problems, args.dry_run))?;
        out.flush()?;
        return Err(Failure::new(Exit::Problems, String::new()));
    }
    for problem in &problems {
        out.line(&Screen::stdout().show(problem))?;
    }
    out.flush()?;
    Err(Failure::new(Exit::Problems, text::BROKEN))
}

/// Says what came of it. `consented` has been shown already.
fn report(applied: &Applied, dry_run: bool, consented: &[String]) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let mut out = Output::stdout();
    for warning in &applied.warnings {
        out.line(&text::warning(&screen.show(warning)))?;
    }
    if !applied.applied {
        out.flush()?;
        return Err(Failure::failed(text::not_applied(&parts(&applied.weaker), dry_run)));
    }
    let news: Vec<String> =
        applied.weaker.iter().filter(|sentence| !consented.contains(sentence)).cloned().collect();
    if !news.is_empty() {
        out.line(text::weaker(dry_run, !consented.is_empty()))?;
        for sentence in &news {
            out.line(&text::part(&screen.show(sentence)))?;
        }
    }
    let hash = screen.show(&short(&applied.hash));
    out.line(&match (dry_run, applied.changed) {
        (true, true) => text::WOULD_BE_APPLIED.to_owned(),
        (true, false) => text::WOULD_BE_UNCHANGED.to_owned(),
        (false, true) => text::applied(&hash),
        (false, false) => text::unchanged(&hash),
    })?;
    if !applied.sessions_trouble.is_empty() {
        out.line(&text::sessions_unknown(&screen.show(&applied.sessions_trouble)))?;
    }
    out.flush()
}

/// Indented lines for standard error.
fn parts(sentences: &[String]) -> String {
    let lines: Vec<String> = sentences.iter().map(|sentence| text::part(&safe(sentence))).collect();
    lines.join("\n")
}
