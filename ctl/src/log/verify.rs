//! `log verify`: whether the log is what was written.

use countersign_protocol::manager::{Act, Broken, ManagerProxy};
use serde::Serialize;

use crate::cli::Verify;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::terminal::safe;
use crate::{json, text, time};

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
    noted: Option<&'a str>,
    restored: Vec<Restored<'a>>,
    broken: Vec<Place<'a>>,
}

#[derive(Serialize)]
struct Restored<'a> {
    act: i64,
    at: i64,
    verb: &'a str,
    actor: &'a str,
    actor_uid: u32,
    loginuid: Option<i64>,
    after: &'a str,
}

#[derive(Serialize)]
struct Place<'a> {
    what: &'a str,
    row: &'a str,
    id: i64,
    why: &'a str,
}

/// What was found out, page by page.
#[derive(Default)]
struct Proof {
    rows: u64,
    last: String,
    accepted: i64,
    /// What became of the link that was noted; empty where none was given.
    noted: String,
    /// Databases that were put in place while nothing ran.
    placed: Vec<Act>,
    broken: Vec<Broken>,
}

pub(super) async fn run(manager: &ManagerProxy<'_>, args: &Verify) -> Result<(), Failure> {
    let mut at = (0, 0);
    let mut proof = Proof::default();
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
        if at == (0, 0) {
            proof.noted = page.noted;
        }
        (proof.rows, proof.accepted, proof.last) = (page.rows, page.accepted, safe(&page.last));
        let room = NAMED + 1 - proof.broken.len().min(NAMED + 1);
        proof.broken.extend(page.broken.into_iter().take(room));
        proof.placed.extend(page.placed.into_iter().take(NAMED - proof.placed.len().min(NAMED)));
        at = next;
        progress.at(text::proving(done.min(proof.rows), proof.rows));
    }
    drop(progress);
    show(args, &proof)
}

fn show(args: &Verify, proof: &Proof) -> Result<(), Failure> {
    let mut out = Output::stdout();
    let compared = args.noted.is_none() || proof.noted == "matched";
    if args.json {
        out.line(&json::to_line(&line(args, proof)))?;
    } else {
        for one in proof.broken.iter().take(NAMED) {
            out.line(&safe(&format!("{} {}  {}  {}", one.row, one.id, one.what, one.why)))?;
        }
        if proof.broken.is_empty() {
            out.line(&text::whole(proof.rows, &proof.last))?;
        } else if proof.broken.len() > NAMED {
            out.line(text::AND_MORE)?;
        }
        if proof.noted == "matched" {
            out.line(text::NOTED_MATCHED)?;
        } else if proof.noted == "gone" {
            out.line(text::NOTED_GONE)?;
        }
        if proof.accepted > 0 {
            out.line(&text::accepted_up_to(proof.accepted))?;
        }
        for act in &proof.placed {
            let by = if act.actor_name.is_empty() { act.actor.to_string() } else { act.actor_name.clone() };
            out.line(&text::placed(&time::utc(act.at), &safe(&by), &safe(&act.after), act.id))?;
        }
    }
    out.flush()?;
    match (proof.broken.is_empty(), compared, args.json) {
        (true, true, _) => Ok(()),
        (_, _, true) => Err(Failure::new(Exit::Problems, "")),
        (true, false, _) => Err(Failure::new(Exit::Problems, text::NOT_COMPARED)),
        (false, ..) => Err(Failure::new(Exit::Problems, text::LOG_BROKEN)),
    }
}

fn line<'a>(args: &Verify, proof: &'a Proof) -> Line<'a> {
    let broken: Vec<Place<'_>> = proof
        .broken
        .iter()
        .take(NAMED)
        .map(|b| Place { what: &b.what, row: &b.row, id: b.id, why: &b.why })
        .collect();
    let restored = proof.placed.iter().map(|act| Restored {
        act: act.id,
        at: act.at,
        verb: &act.verb,
        actor: &act.actor_name,
        actor_uid: act.actor,
        loginuid: Some(act.loginuid).filter(|uid| *uid >= 0),
        after: &act.after,
    });
    Line {
        whole: broken.is_empty(),
        rows: proof.rows,
        last_link: &proof.last,
        accepted: proof.accepted,
        noted: args.noted.as_ref().map(|_| proof.noted.as_str()),
        restored: restored.collect(),
        broken,
    }
}
