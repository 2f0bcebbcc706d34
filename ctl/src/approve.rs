//! `approve [ID]`: the resets that were asked for, and a yes or a no to one of them.

use std::io::IsTerminal;

use countersign_protocol::manager::{ManagerProxy, ResetRequest};

use crate::cli::Approve;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::reset::sessions_after;
use crate::table::{Column, lines};
use crate::terminal::{Screen, complain, consent};
use crate::{json, text, time};

const COLUMNS: &[Column] = &[
    Column { title: "ID", narrowest: 2, rank: 0 },
    Column { title: "USER", narrowest: 8, rank: 1 },
    Column { title: "ASKED BY", narrowest: 8, rank: 2 },
    Column { title: "REASON", narrowest: 12, rank: 3 },
    Column { title: "UNTIL", narrowest: 20, rank: 5 },
    Column { title: "APPROVED BY", narrowest: 11, rank: 6 },
    Column { title: "MISSING", narrowest: 7, rank: 4 },
];

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &Approve) -> Result<(), Failure> {
    if args.id.is_some() && !args.yes && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::APPROVE_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Approve) -> Result<(), Failure> {
    let Some(id) = args.id else { return list(manager, args.json).await };
    let screen = Screen::stdout();
    // Whom it is about is asked for before it is done: afterwards nobody knows it any more.
    let request = if args.yes && !args.end_sessions { None } else { Some(find(manager, id).await?) };
    if let (Some(request), false) = (&request, args.yes) {
        ask(request, args.refuse, screen)?;
    }
    let mut out = Output::stdout();
    if let (true, Some(reason)) = (args.refuse, &args.reason) {
        manager.refuse_reset(id, reason).await?;
        out.line(&text::refused_request(id))?;
        return out.flush();
    }
    let missing = manager.approve_reset(id).await?;
    out.line(&text::approved(id, missing))?;
    out.flush()?;
    match request {
        Some(request) if missing == 0 => {
            let but = text::reset_but(&Screen::stdout().show(&request.user));
            sessions_after(manager, &request.user, request.uid, args.end_sessions, &but).await
        }
        _ => Ok(()),
    }
}

async fn find(manager: &ManagerProxy<'_>, id: u32) -> Result<ResetRequest, Failure> {
    let requests = manager.reset_requests().await?;
    let found = requests.into_iter().find(|request| request.id == id);
    found.ok_or_else(|| Failure::new(Exit::NotFound, text::no_request(id)))
}

fn ask(request: &ResetRequest, refuse: bool, screen: Screen) -> Result<(), Failure> {
    let show = |part: &str| screen.show(part);
    let question = if refuse { text::refuse_question } else { text::approve_question };
    let (user, requester, reason) = (show(&request.user), show(&request.requester), show(&request.reason));
    let when = time::utc(request.asked);
    let shown = question(request.id, &user, request.uid, &requester, &when, &reason);
    if consent(&shown)? { Ok(()) } else { Err(Failure::failed(text::NOT_APPROVED)) }
}

async fn list(manager: &ManagerProxy<'_>, as_json: bool) -> Result<(), Failure> {
    let requests = manager.reset_requests().await?;
    let mut out = Output::stdout();
    if as_json {
        for request in &requests {
            out.line(&json::reset_request(request))?;
        }
        return out.flush();
    }
    if requests.is_empty() {
        complain(text::NO_REQUESTS);
        return Ok(());
    }
    let rows: Vec<Vec<String>> = requests.iter().map(row).collect();
    for line in lines(COLUMNS, &rows, Screen::stdout()) {
        out.line(&line)?;
    }
    out.flush()
}

fn row(request: &ResetRequest) -> Vec<String> {
    vec![
        request.id.to_string(),
        request.user.clone(),
        request.requester.clone(),
        request.reason.clone(),
        time::utc(request.until),
        request.approved.join(", "),
        request.missing.to_string(),
    ]
}
