//! `disable`: takes our lines out, and for the timer, after a restart and for the package the same.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::host::{Host, PAM};
use super::journal::Deed;
use super::record::{ALL, Record, Records};
use super::undo::{How, Undone, sentences, take_out, undo};
use super::{commands, journal, plan, profile};
use crate::cli::{Disable, Rollback};
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::terminal::consent;
use crate::text::enable as text;

#[derive(Serialize)]
struct Line<'l> {
    changed: bool,
    files: Vec<FileLine<'l>>,
    /// What is still there, and why.
    failed: &'l [String],
}

#[derive(Serialize)]
struct FileLine<'l> {
    path: String,
    result: &'l str,
}

/// Needs no daemon: it is for the moment when there is none.
pub(crate) fn run(bus: &str, args: &Disable) -> Result<(), Failure> {
    super::confirm::refuse_early()?;
    let host = Host::on(bus);
    if let Some(rollback) = &args.rollback {
        return roll_back(&host, rollback);
    }
    if !args.yes && !args.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::DISABLE_NEEDS_YES));
    }
    let (records, faults, loose) = affected(&host, args)?;
    let switch = args.all && profile::is_on(&host);
    let mut out = Output::stdout();
    if records.is_empty() && faults.is_empty() && loose.is_empty() && !switch {
        if args.json {
            out.line(&line(&Undone::default())?)?;
        } else {
            out.line(text::NOTHING_IS_ENABLED)?;
        }
        return out.flush();
    }
    let mut names: Vec<String> = records.iter().map(shown).collect();
    names.dedup();
    let recorded = |path: &Path| records.iter().any(|record| Path::new(PAM).join(&record.service) == *path);
    names.extend(loose.iter().filter(|path| !recorded(path)).map(|path| path.display().to_string()));
    if args.dry_run {
        out.line(&text::would_disable(&names))?;
        return out.flush();
    }
    if !args.yes && !consent(&text::disable_question(&names))? {
        return Err(Failure::failed(text::NOTHING_CHANGED));
    }
    let held = Records::lock(&host).map_err(Failure::failed)?;
    let mut undone = Undone { files: Vec::new(), failed: faults };
    // The newest first: each gives back what it found.
    for record in records.iter().rev() {
        let one = undo(&host, &held, record);
        note(&host, &record.service, args, &one.failed);
        undone.extend(one);
    }
    if switch && profile::is_on(&host) {
        match profile::switch(false) {
            Ok(_) => undone.files.push((Path::new(PAM).join("common-auth"), How::LinesTaken)),
            Err(why) => undone.failed.push(why),
        }
        note(&host, "pam-auth-update", args, &undone.failed);
    }
    // Looked for again: the records and the tool have taken out theirs.
    let loose: Vec<PathBuf> =
        plan::files_with_ours(&host).into_iter().filter(|file| loose.contains(file)).collect();
    let taken = take_out(&host, &loose);
    for path in &loose {
        note(&host, &path.display().to_string(), args, &taken.failed);
    }
    undone.extend(taken);
    if args.json {
        out.line(&line(&undone)?)?;
    } else {
        for sentence in sentences(&undone.files) {
            out.line(&sentence)?;
        }
        if undone.failed.is_empty() {
            out.line(&text::disabled(&names))?;
        }
    }
    out.flush()?;
    if undone.failed.is_empty() {
        return Ok(());
    }
    for why in &undone.failed {
        journal::note(&format!("disable: {}", why.replace('\n', " ")));
    }
    Err(Failure::failed(if args.json { String::new() } else { text::not_all_disabled(&undone.failed) }))
}

fn note(host: &Host, what: &str, args: &Disable, failed: &[String]) {
    let reason = args.reason.as_deref();
    journal::note(&text::journal_disabled(what, reason));
    let on = text::act_on(what);
    let off = if failed.is_empty() { text::act_off(what) } else { text::act_partly_off(what, failed) };
    journal::act(host, Deed::Disable, &on, &off, reason.unwrap_or_default());
}

/// The records, why others cannot be read, and the files with lines that nobody recorded.
#[allow(clippy::type_complexity, reason = "three lists")]
fn affected(host: &Host, args: &Disable) -> Result<(Vec<Record>, Vec<String>, Vec<PathBuf>), Failure> {
    let (all, faults) = super::record::peek(host).map_err(Failure::failed)?;
    let files = plan::files_with_ours(host);
    if args.all {
        return Ok((all, faults, files));
    }
    let of = |service: &String| Path::new(PAM).join(service);
    for service in &args.services {
        let known = all.iter().any(|record| record.service == *service) || files.contains(&of(service));
        if !known && plan::files_of(host, service).iter().any(|file| files.contains(file)) {
            return Err(Failure::failed(text::asks_through_another(service)));
        }
        if !known {
            return Err(Failure::new(Exit::NotFound, text::not_enabled(service)));
        }
    }
    let records = all.into_iter().filter(|record| args.services.contains(&record.service)).collect();
    let files = files.into_iter().filter(|file| args.services.iter().any(|one| of(one) == *file)).collect();
    Ok((records, Vec::new(), files))
}

/// By the timer of one change, or after a restart for all that nobody confirmed.
fn roll_back(host: &Host, which: &Rollback) -> Result<(), Failure> {
    let records = Records::lock(host).map_err(Failure::failed)?;
    let (all, mut failed) = records.all().map_err(Failure::failed)?;
    for record in all.iter().rev() {
        let Some(pending) = &record.pending else { continue };
        let due = match which {
            Rollback::Change(id) => record.id == *id,
            // Whoever starts the unit by hand takes back only what is overdue.
            Rollback::AtBoot => pending.left().is_none(),
        };
        if !due {
            continue;
        }
        let undone = undo(host, &records, record);
        let mut out = Output::stdout();
        for sentence in sentences(&undone.files) {
            out.line(&sentence)?;
        }
        out.flush()?;
        if undone.failed.is_empty() {
            let said = text::rolled_back(&shown(record), matches!(which, Rollback::AtBoot));
            journal::note(&said.replace('\n', " "));
            let (before, after) = (text::act_on_waiting(&record.service), text::act_off(&record.service));
            journal::act(host, Deed::RollBack, &before, &after, text::NOBODY_CONFIRMED);
            tell_everybody(host, &said);
        } else {
            let why = undone.failed.join("\n");
            journal::note(&format!("{} could not be taken back: {}", record.service, why.replace('\n', " ")));
            failed.push(text::not_rolled_back(&shown(record), &why));
        }
    }
    // systemd tries again until this succeeds.
    if failed.is_empty() { Ok(()) } else { Err(Failure::failed(failed.join("\n"))) }
}

/// On the terminals of whoever is logged in: they wait for it, or have forgotten it.
fn tell_everybody(host: &Host, said: &str) {
    if host.is_running()
        && let Some(wall) = commands::find("wall")
    {
        drop(commands::run(commands::command(&wall).arg(said)));
    }
}

fn line(undone: &Undone) -> Result<String, Failure> {
    let files = (undone.files.iter())
        .filter(|(_, how)| *how != How::Untouched)
        .map(|(path, how)| FileLine {
            path: path.display().to_string(),
            result: match how {
                How::Restored => "restored",
                How::LinesTaken => "lines-taken",
                How::Removed => "removed",
                How::Untouched => "untouched",
            },
        })
        .collect::<Vec<_>>();
    let line = Line { changed: !files.is_empty(), files, failed: &undone.failed };
    serde_json::to_string(&line).map_err(|error| Failure::failed(error.to_string()))
}

fn shown(record: &Record) -> String {
    if record.service == ALL { text::EVERY_SERVICE.to_owned() } else { record.service.clone() }
}
