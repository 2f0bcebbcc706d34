//! `log verify`: whether the log is what was written.

use countersign_protocol::manager::{Broken, ManagerProxy};
use serde::Serialize;

use crate::cli::Verify;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::terminal::safe;
use crate::{json, text};

/// What follows the last page.
const DONE: u32 = 3;
/// Broken places that are named.
const NAMED: usize = 100;

#[derive(Serialize)]
struct Line<'a> {
    whole: bool,
    rows: u64,
    last_link: &'a str,
    accepted: i64,
    broken: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Place<'a> {
    what: &'a str,
    row: &'a str,
    id: i64,
    why: &'a str,
}

pub(super) async fn run(manager: &ManagerProxy<'_>, args: &Verify) -> Result<(), Failure> {
    let mut at = (0, 0);
    let (mut rows, mut accepted) = (0, 0);
    let mut last = String::new();
    let mut broken: Vec<Broken> = Vec::new();
    let progress = Progress::of(text::PROVING);
    let (mut done, mut base) = (0_u64, 0_i64);
    while at.0 < DONE {
        let page = manager.verify_log(at, args.noted.as_deref().unwrap_or_default()).await?;
        let next = (page.part, page.after);
        if next <= at {
            return Err(Failure::new(Exit::Unavailable, text::strange_answer(text::WRONG_ORDER)));
        }
        if at.0 == next.0 {
            done += if at.1 == 0 { 1000 } else { u64::try_from(next.1 - base).unwrap_or(0) };
        }
        base = next.1;
        (rows, accepted, last) = (page.rows, page.accepted, page.last);
        broken.extend(page.broken.into_iter().take(NAMED + 1 - broken.len().min(NAMED + 1)));
        at = next;
        progress.at(text::proving(done.min(rows), rows));
    }
    drop(progress);
    show(args, rows, &safe(&last), accepted, &broken)
}

fn show(args: &Verify, rows: u64, last: &str, accepted: i64, broken: &[Broken]) -> Result<(), Failure> {
    let mut out = Output::stdout();
    let named = &broken[..broken.len().min(NAMED)];
    if args.json {
        let broken = named
            .iter()
            .map(|b| Place { what: &b.what, row: &b.row, id: b.id, why: &b.why })
            .collect::<Vec<_>>();
        let whole = broken.is_empty();
        out.line(&json::to_line(&Line { whole, rows, last_link: last, accepted, broken }))?;
    } else {
        for one in named {
            out.line(&safe(&format!("{} {}  {}  {}", one.row, one.id, one.what, one.why)))?;
        }
        if named.is_empty() {
            out.line(&text::whole(rows, last))?;
        } else if broken.len() > NAMED {
            out.line(text::AND_MORE)?;
        }
        if accepted > 0 {
            out.line(&text::accepted_up_to(accepted))?;
        }
    }
    out.flush()?;
    if broken.is_empty() {
        return Ok(());
    }
    Err(Failure::new(Exit::Problems, if args.json { "" } else { text::LOG_BROKEN }))
}
