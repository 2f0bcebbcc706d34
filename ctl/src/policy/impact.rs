//! `policy impact [FILE]`: what a draft would change for people, before it is applied.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;

use countersign_config::{parse_all, read_draft};
use countersign_protocol::manager::{Change, Impact, ManagerProxy};
use countersign_protocol::names::error::INVALID_ARGUMENT;
use rustix::fs::{MemfdFlags, memfd_create};

use super::check::writers;
use super::{groups, short};
use crate::cli::PolicyImpact;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::table::{Column, lines};
use crate::terminal::{Screen, complain, safe};
use crate::{json, text, time};

const COLUMNS: &[Column] = &[
    Column { title: "USER", narrowest: 8, rank: 0 },
    Column { title: "SERVICES", narrowest: 8, rank: 3 },
    Column { title: "LOGINS", narrowest: 6, rank: 5 },
    Column { title: "NOW", narrowest: 9, rank: 2 },
    Column { title: "DRAFT", narrowest: 10, rank: 1 },
    Column { title: "POLICY", narrowest: 8, rank: 4 },
];

/// Names and sizes, and a file with the bytes of all.
type Draft = (Vec<(String, u64)>, OwnedFd);

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &PolicyImpact) -> Result<(), Failure> {
    let (files, contents) = match &args.file {
        None => packed(&[])?,
        Some(path) => match draft(path) {
            Ok(draft) => draft?,
            Err(problems) => return Err(broken(&problems, args.json)?),
        },
    };
    let asking = manager.policy_impact(&files, contents.as_fd().into(), args.last);
    let impact = match Progress::during(text::TRYING_LOGINS, asking).await {
        Ok(impact) => impact,
        Err(zbus::Error::MethodError(name, Some(said), _)) if name.as_str() == INVALID_ARGUMENT => {
            let problems: Vec<String> = said.lines().map(str::to_owned).collect();
            return Err(broken(&problems, args.json)?);
        }
        Err(error) => return Err(error.into()),
    };
    let mut out = Output::stdout();
    if args.json {
        out.line(&json::impact(&impact))?;
    } else {
        for line in shown(&impact, Screen::stdout()) {
            out.line(&line)?;
        }
    }
    out.flush()?;
    if Sums::of(&impact).locked_out.is_empty() {
        Ok(())
    } else {
        Err(Failure::new(Exit::Problems, String::new()))
    }
}

/// The files of a draft, ready to be sent; or what `policy check` would say of them.
fn draft(path: &Path) -> Result<Result<Draft, Failure>, Vec<String>> {
    let said = |problems: &countersign_config::Problems| {
        problems.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let draft = read_draft(path, &writers()).map_err(|problems| said(&problems))?;
    for warning in &draft.warnings {
        complain(&text::warning(&safe(&text::would_be_refused(warning))));
    }
    let files = draft.files;
    let config = parse_all(&files).map_err(|problems| said(&problems))?;
    match groups::problems(&config) {
        problems if problems.is_empty() => Ok(packed(&files)),
        problems => Err(problems),
    }
}

/// What was checked is what is sent: the bytes that were read, not the files, which may change. In
/// one descriptor, because a bus passes no more than 16 with a message.
fn packed(files: &[(String, Vec<u8>)]) -> Result<Draft, Failure> {
    let failed = |error: std::io::Error| Failure::failed(text::cannot_send_draft(&safe(&error.to_string())));
    let memory = memfd_create("countersign-draft", MemfdFlags::CLOEXEC).map_err(|e| failed(e.into()))?;
    let mut contents = File::from(memory);
    let mut names = Vec::new();
    for (name, bytes) in files {
        contents.write_all(bytes).map_err(failed)?;
        names.push((name.clone(), bytes.len() as u64));
    }
    Ok((names, contents.into()))
}

/// Shows the problems of a draft; what to end with.
fn broken(problems: &[String], as_json: bool) -> Result<Failure, Failure> {
    let mut out = Output::stdout();
    if as_json {
        out.line(&json::no_impact(problems))?;
    } else {
        for problem in problems {
            out.line(&Screen::stdout().show(problem))?;
        }
        out.line(&text::problems(problems.len()))?;
    }
    out.flush()?;
    Ok(Failure::new(Exit::Problems, String::new()))
}

/// Who is in which group of people.
#[derive(Default)]
struct Sums<'i> {
    locked_out: BTreeSet<&'i str>,
    still_locked_out: BTreeSet<&'i str>,
    newly_asked: BTreeSet<&'i str>,
    without_a_factor: BTreeSet<&'i str>,
    no_longer_asked: BTreeSet<&'i str>,
}

impl<'i> Sums<'i> {
    fn of(impact: &'i Impact) -> Self {
        let mut sums = Self::default();
        for Change { user, before, after, .. } in &impact.changes {
            match (before.as_str(), after.as_str()) {
                ("locked-out", "locked-out") => drop(sums.still_locked_out.insert(user)),
                (_, "locked-out") => drop(sums.locked_out.insert(user)),
                (_, "not-asked") => drop(sums.no_longer_asked.insert(user)),
                ("not-asked", asked) => {
                    sums.newly_asked.insert(user);
                    if asked != "asked" {
                        sums.without_a_factor.insert(user);
                    }
                }
                _ => {}
            }
        }
        sums
    }

    fn sentences(&self) -> Vec<String> {
        let said = |who: &BTreeSet<&str>, sentence: fn(usize) -> String| {
            (!who.is_empty()).then(|| sentence(who.len()))
        };
        let all = [
            said(&self.locked_out, text::would_be_locked_out),
            said(&self.newly_asked, text::newly_asked),
            said(&self.without_a_factor, text::without_a_factor),
            said(&self.no_longer_asked, text::no_longer_asked),
            said(&self.still_locked_out, text::still_locked_out),
        ];
        all.into_iter().flatten().collect()
    }
}

fn shown(impact: &Impact, screen: Screen) -> Vec<String> {
    let hash = |hash: &str| screen.show(&short(hash));
    let mut shown: Vec<String> = impact.warnings.iter().map(|one| text::warning(&screen.show(one))).collect();
    shown.push(if impact.draft == impact.in_force {
        text::same_draft(&hash(&impact.draft))
    } else {
        text::drafted(&hash(&impact.draft), &hash(&impact.in_force))
    });
    shown.push(text::replayed(impact.logins, impact.people, &time::utc(impact.since)));
    shown.extend(impact.notes.iter().map(|note| text::left_out(&screen.show(note))));
    shown.push(String::new());
    if impact.changes.is_empty() {
        shown.push(text::NO_IMPACT.to_owned());
        return shown;
    }
    let mut rows: Vec<&Change> = impact.changes.iter().collect();
    // Who would be locked out stands first.
    rows.sort_by_key(|change| (change.after != "locked-out", change.before == "locked-out"));
    let rows: Vec<Vec<String>> = rows.into_iter().map(row).collect();
    shown.extend(lines(COLUMNS, &rows, screen));
    shown.push(String::new());
    shown.extend(Sums::of(impact).sentences());
    shown
}

fn row(change: &Change) -> Vec<String> {
    let mut after = text::effect(&change.after).to_owned();
    if !change.certain {
        after.push_str(text::NOT_SURE);
    }
    let logins = match change.logins {
        0 => text::DID_NOT_LOG_IN.to_owned(),
        some => some.to_string(),
    };
    vec![
        change.user.clone(),
        change.services.join(", "),
        logins,
        text::effect(&change.before).to_owned(),
        after,
        change.policy.clone(),
    ]
}
