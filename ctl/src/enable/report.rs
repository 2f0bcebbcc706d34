//! What `enable` says: for people line by line, for programs as one object.

use serde::Serialize;

use super::record::ALL;
use super::{Item, diff};
use crate::cli::Enable;
use crate::errors::Failure;
use crate::output::Output;
use crate::terminal::Screen;
use crate::text::enable as text;

/// What is known of one service beside its changes.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// It asks already; where.
    pub(super) already: Option<String>,
    pub(super) also: Vec<String>,
    pub(super) notes: Vec<String>,
    pub(super) problems: Vec<String>,
    pub(super) tested: Vec<String>,
}

#[derive(Serialize)]
struct Line<'i> {
    dry_run: bool,
    changed: bool,
    /// Seconds until it is taken back; absent where nothing was changed.
    rollback_after: Option<u64>,
    services: Vec<ServiceLine<'i>>,
}

#[derive(Serialize)]
struct ServiceLine<'i> {
    service: &'i str,
    already: Option<&'i str>,
    after_first_factor: bool,
    also: &'i [String],
    tested: &'i [String],
    notes: &'i [String],
    problems: &'i [String],
    files: Vec<FileLine>,
}

#[derive(Serialize)]
struct FileLine {
    path: String,
    diff: Vec<String>,
}

/// The change itself and what was found, before anything is done.
pub(super) fn show(items: &[Item], args: &Enable) -> Result<(), Failure> {
    if args.json {
        return Ok(());
    }
    let screen = Screen::stdout();
    let mut out = Output::stdout();
    for item in items {
        if let Some(place) = &item.told.already {
            // What it asks by is there; sshd's own part may not be.
            out.line(&text::already(&name(item), place))?;
        }
        for line in files(item).iter().flat_map(|file| &file.diff) {
            out.line(&screen.show(line))?;
        }
        if !item.changes.is_empty() {
            out.line("")?;
        }
        if !item.told.also.is_empty() {
            out.line(&text::also_asks(&item.service, &item.told.also))?;
        }
        for note in &item.told.notes {
            out.line(&text::note(note))?;
        }
        if !item.told.tested.is_empty() && item.told.problems.is_empty() {
            out.line(&text::tested(&item.told.tested))?;
        }
        for problem in &item.told.problems {
            out.line(&text::problem(problem))?;
        }
    }
    out.flush()
}

/// What came of it.
pub(super) fn finish(items: &[Item], args: &Enable, rollback_after: Option<u64>) -> Result<(), Failure> {
    let mut out = Output::stdout();
    if args.json {
        let services = (items.iter())
            .map(|item| ServiceLine {
                service: if item.profile { "all" } else { &item.service },
                already: item.told.already.as_deref(),
                after_first_factor: item.after_first_factor,
                also: &item.told.also,
                tested: &item.told.tested,
                notes: &item.told.notes,
                problems: &item.told.problems,
                files: files(item),
            })
            .collect();
        let line =
            Line { dry_run: args.dry_run, changed: rollback_after.is_some(), rollback_after, services };
        let line = serde_json::to_string(&line).map_err(|error| Failure::failed(error.to_string()))?;
        out.line(&line)?;
        return out.flush();
    }
    match rollback_after {
        Some(seconds) => {
            let services: Vec<String> = items.iter().map(name).collect();
            out.line(&text::enabled(&services, seconds))?;
            for item in items {
                out.line(&text::how_to_confirm(if item.profile { "sshd" } else { &item.service }))?;
            }
            out.line(&text::then_confirm(crate::time::now() + i64::try_from(seconds).unwrap_or(0)))?;
        }
        None if items.iter().all(|item| item.changes.is_empty()) => out.line(text::NOTHING_TO_CHANGE)?,
        None if args.dry_run => out.line(text::DRY_RUN)?,
        None => {}
    }
    out.flush()
}

fn name(item: &Item) -> String {
    if item.service == ALL { text::EVERY_SERVICE.to_owned() } else { item.service.clone() }
}

fn files(item: &Item) -> Vec<FileLine> {
    let utf8 = |saved: &super::files::Saved| String::from_utf8_lossy(&saved.bytes).into_owned();
    (item.changes.iter())
        .map(|change| {
            let path = change.path.display().to_string();
            let before = change.before.as_ref().map(utf8);
            let after = change.after.as_ref().map(utf8);
            FileLine { diff: diff::unified(&path, before.as_deref(), after.as_deref()), path }
        })
        .collect()
}
