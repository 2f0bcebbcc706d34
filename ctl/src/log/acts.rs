//! `log acts`: what people did through the daemon, newest first.

use countersign_protocol::manager::{Act, ManagerProxy, WhichActs};
use serde::Serialize;

use super::{PAGE, USUAL_LIMIT};
use crate::cli::Acts;
use crate::date::Date;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::table::{Column, Table};
use crate::terminal::{Screen, complain};
use crate::{json, text, time};

const COLUMNS: &[Column] = &[
    Column { title: "TIME", narrowest: 20, rank: 0 },
    Column { title: "BY", narrowest: 8, rank: 1 },
    Column { title: "DID", narrowest: 10, rank: 2 },
    Column { title: "USER", narrowest: 8, rank: 3 },
    Column { title: "REASON", narrowest: 12, rank: 4 },
    Column { title: "BEFORE", narrowest: 20, rank: 6 },
    Column { title: "AFTER", narrowest: 20, rank: 5 },
    Column { title: "LOGINUID", narrowest: 8, rank: 7 },
    Column { title: "ID", narrowest: 5, rank: 8 },
];

#[derive(Serialize)]
struct Line<'a> {
    id: i64,
    at: i64,
    verb: &'a str,
    actor: &'a str,
    actor_uid: u32,
    loginuid: Option<i64>,
    user: Option<&'a str>,
    uid: Option<i64>,
    before: &'a str,
    after: &'a str,
    reason: &'a str,
}

pub(super) async fn run(manager: &ManagerProxy<'_>, args: Acts) -> Result<(), Failure> {
    let usual = args.limit.is_none();
    let mut left = args.limit.unwrap_or(if args.json { u64::MAX } else { USUAL_LIMIT });
    let which = WhichActs {
        user: args.user.unwrap_or_default(),
        since: args.since.map_or(0, Date::start).max(0),
        until: args.until.map_or(0, Date::end).max(0),
        verbs: args.verb,
    };
    let mut out = Output::stdout();
    let mut table = None;
    let mut before = 0;
    while left > 0 {
        let asked = u32::try_from(left.min(PAGE)).unwrap_or(u32::MAX);
        let (page, next) = manager.acts(&which, before, asked).await?;
        if page.len() as u64 > left || (before != 0 && next >= before) {
            return Err(Failure::new(Exit::Unavailable, text::strange_answer(text::WRONG_ORDER)));
        }
        left -= page.len() as u64;
        if args.json {
            for act in &page {
                out.line(&line(act))?;
            }
        } else {
            let rows: Vec<_> = page.iter().map(row).collect();
            if table.is_none() && !rows.is_empty() {
                let first = Table::new(COLUMNS, &rows, Screen::stdout());
                out.line(&first.title())?;
                table = Some(first);
            }
            for row in &rows {
                let Some(table) = &table else { break };
                out.line(&table.row(row))?;
            }
        }
        out.flush()?;
        before = next;
        if next == 0 {
            break;
        }
    }
    if !args.json && table.is_none() {
        complain(text::NO_ACTS);
    } else if !args.json && usual && left == 0 {
        complain(&text::newest_acts_only(USUAL_LIMIT));
    }
    Ok(())
}

fn line(act: &Act) -> String {
    json::to_line(&Line {
        id: act.id,
        at: act.at,
        verb: &act.verb,
        actor: &act.actor_name,
        actor_uid: act.actor,
        loginuid: (act.loginuid >= 0).then_some(act.loginuid),
        user: (act.uid >= 0).then_some(&act.user),
        uid: (act.uid >= 0).then_some(act.uid),
        before: &act.before,
        after: &act.after,
        reason: &act.reason,
    })
}

fn row(act: &Act) -> Vec<String> {
    let by = if act.actor_name.is_empty() { format!("uid {}", act.actor) } else { act.actor_name.clone() };
    let loginuid = if act.loginuid < 0 { String::new() } else { act.loginuid.to_string() };
    vec![
        time::utc(act.at),
        by,
        act.verb.clone(),
        act.user.clone(),
        act.reason.clone(),
        act.before.clone(),
        act.after.clone(),
        loginuid,
        act.id.to_string(),
    ]
}
