//! `import people FILE`: people whom another host exported.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;

use countersign_protocol::manager::{CameIn, HowToTakeIn, ManagerProxy};

use crate::backup::in_memory;
use crate::bundle::{self, Kind};
use crate::cli::ImportPeople;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::restore::existing;
use crate::table::{Column, lines};
use crate::terminal::{Screen, consent};
use crate::{passphrase, text};

const COLUMNS: &[Column] = &[
    Column { title: "USER", narrowest: 8, rank: 0 },
    Column { title: "UID HERE", narrowest: 8, rank: 2 },
    Column { title: "WHAT", narrowest: 8, rank: 1 },
    Column { title: "NEW", narrowest: 3, rank: 4 },
    Column { title: "WHY", narrowest: 10, rank: 3 },
];

pub(super) async fn run(manager: &ManagerProxy<'_>, args: &ImportPeople) -> Result<(), Failure> {
    if args.replace && !args.yes && !args.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::REPLACE_NEEDS_YES));
    }
    let file = existing(&args.file)?;
    if !bundle::is_one(&file) {
        return Err(Failure::failed(text::NO_BUNDLE));
    }
    let passphrase = passphrase::known(&args.passphrase)?;
    let progress = Progress::of(text::DECRYPTING);
    let mut opened = bundle::open(file, &passphrase, Kind::People)?;
    let failed = |error: std::io::Error| Failure::failed(text::no_memory_file(&error.to_string()));
    let (mut key, mut sealed) = (in_memory()?, in_memory()?);
    key.write_all(&opened.key).map_err(failed)?;
    std::io::copy(&mut opened.content, &mut sealed).map_err(|_| Failure::failed(text::BUNDLE_DAMAGED))?;
    drop(progress);
    let call = async |dry_run| {
        let how = HowToTakeIn { add: args.add, replace: args.replace, dry_run };
        let reason = args.reason.as_deref().unwrap_or("a look");
        let taking = manager.import_people(key.as_fd().into(), sealed.as_fd().into(), &how, reason);
        Progress::during(text::TAKING_IN, taking).await
    };
    if args.replace && !args.yes && !args.dry_run {
        show(&call(true).await?, args.json, true)?;
        if !consent(text::REPLACE_QUESTION)? {
            return Err(Failure::failed(text::NOT_TAKEN_IN));
        }
    }
    let came = call(args.dry_run).await?;
    show(&came, args.json, args.dry_run)?;
    if came.iter().any(|one| one.what == "refused") {
        return Err(Failure::new(Exit::Failed, ""));
    }
    Ok(())
}

fn show(came: &[CameIn], json: bool, dry_run: bool) -> Result<(), Failure> {
    let mut out = Output::stdout();
    if json {
        for one in came {
            let line = serde_json::json!({
                "user": one.user, "uid": one.uid, "what": one.what, "new": one.new, "why": one.why,
                "dry_run": dry_run,
            });
            out.line(&line.to_string())?;
        }
        return out.flush();
    }
    let rows: Vec<Vec<String>> = came
        .iter()
        .map(|one| {
            let uid = if one.uid == 0 { String::new() } else { one.uid.to_string() };
            vec![one.user.clone(), uid, one.what.clone(), one.new.to_string(), one.why.clone()]
        })
        .collect();
    for line in lines(COLUMNS, &rows, Screen::stdout()) {
        out.line(&line)?;
    }
    let count = |what| came.iter().filter(|one| one.what == what).count();
    out.line(&text::taken_in(dry_run, count("new"), count("present"), count("refused")))?;
    out.flush()
}
