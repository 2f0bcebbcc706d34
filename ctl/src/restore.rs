//! `restore FILE`: shows what a backup brings back, and brings it back.

use std::fs::File;
use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::path::Path;

use countersign_protocol::manager::{HowToRestore, ManagerProxy, Restored};
use rustix::fs::{Mode, OFlags};

use crate::backup::in_memory;
use crate::bundle::{self, Kind};
use crate::cli::Restore;
use crate::errors::{Exit, Failure};
use crate::newfile::{NewFile, shown};
use crate::output::Output;
use crate::progress::Progress;
use crate::table::{Column, lines};
use crate::terminal::{Screen, consent};
use crate::{passphrase, text, time};

const COLUMNS: &[Column] = &[
    Column { title: "USER", narrowest: 8, rank: 0 },
    Column { title: "FACTOR", narrowest: 8, rank: 2 },
    Column { title: "NAME", narrowest: 4, rank: 3 },
    Column { title: "FROM", narrowest: 10, rank: 4 },
    Column { title: "WHAT", narrowest: 15, rank: 1 },
];

/// A backup, and the key of its day where it is another one.
struct Handed {
    backup: File,
    key: Option<File>,
}

/// Nobody can be asked on a pipe, and what comes down a pipe is no consent.
pub(crate) fn refuse_early(args: &Restore) -> Result<(), Failure> {
    if !args.yes && !args.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::RESTORE_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &Restore) -> Result<(), Failure> {
    let handed = open(args)?;
    let mut out = Output::stdout();
    if !args.yes {
        let would = call(manager, &handed, args, true).await?;
        if args.json {
            out.line(&as_json(&would, true))?;
        } else {
            show(&mut out, &would, true)?;
        }
        out.flush()?;
        if args.dry_run {
            return Ok(());
        }
        if !consent(text::RESTORE_QUESTION)? {
            return Err(Failure::failed(text::NOT_RESTORED));
        }
    }
    let done = call(manager, &handed, args, false).await?;
    if args.json {
        out.line(&as_json(&done, false))?;
        return out.flush();
    }
    if args.yes {
        show(&mut out, &done, false)?;
    }
    out.line(text::RESTORED)?;
    if done.factors.iter().any(|factor| factor.what == "void") {
        out.line(text::RESTORED_CODES)?;
    }
    out.flush()
}

async fn call(
    manager: &ManagerProxy<'_>,
    handed: &Handed,
    args: &Restore,
    dry_run: bool,
) -> Result<Restored, Failure> {
    let keys: Vec<zbus::Fd<'_>> = handed.key.iter().map(|key| key.as_fd().into()).collect();
    let reason = args.reason.as_deref().unwrap_or("a look");
    let how = HowToRestore { keep_codes: args.keep_recovery_codes, dry_run };
    let restored = manager.restore(handed.backup.as_fd().into(), &keys, &how, reason);
    let what = if dry_run { text::COMPARING } else { text::RESTORING };
    Progress::during(what, restored).await.map_err(|error| {
        let failure = Failure::from(error);
        if failure.is(Exit::Unavailable) { failure.with(text::RESTORE_WITHOUT_DAEMON) } else { failure }
    })
}

/// Opens what was named; a file with the key is decrypted into memory.
fn open(args: &Restore) -> Result<Handed, Failure> {
    let file = existing(&args.file)?;
    let key = args.key_file.as_deref().map(existing).transpose()?;
    if !bundle::is_one(&file) {
        return Ok(Handed { backup: file, key });
    }
    let passphrase = passphrase::known(&args.passphrase)?;
    let _progress = Progress::of(text::DECRYPTING);
    let mut opened = bundle::open(file, &passphrase, Kind::Backup)?;
    let failed = |error: std::io::Error| Failure::failed(text::no_memory_file(&error.to_string()));
    let mut backup = in_memory()?;
    // A file that is cut off ends in an error here, not in a shorter backup.
    std::io::copy(&mut opened.content, &mut backup).map_err(|_| Failure::failed(text::BUNDLE_DAMAGED))?;
    let mut inner = in_memory()?;
    inner.write_all(&opened.key).map_err(failed)?;
    Ok(Handed { backup, key: Some(key.unwrap_or(inner)) })
}

/// A file that must be there: not behind a link, and no FIFO that nobody writes.
pub(crate) fn existing(path: &Path) -> Result<File, Failure> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let failed = |why: &str| Failure::failed(text::no_backup_file(&shown(path), why));
    let opened = rustix::fs::open(path, flags, Mode::empty());
    let file = File::from(opened.map_err(|error| failed(&error.to_string()))?);
    if file.metadata().is_ok_and(|about| about.is_file()) {
        Ok(file)
    } else {
        Err(failed(text::FILE_SPECIAL))
    }
}

/// Unpacks a file with the key, for a host whose daemon cannot start.
pub(crate) fn extract(args: &Restore) -> Result<(), Failure> {
    let Some(folder) = &args.extract else { return Ok(()) };
    let file = existing(&args.file)?;
    if !bundle::is_one(&file) {
        return Err(Failure::failed(text::BUNDLE_DAMAGED));
    }
    let passphrase = passphrase::known(&args.passphrase)?;
    let progress = Progress::of(text::DECRYPTING);
    let mut opened = bundle::open(file, &passphrase, Kind::Backup)?;
    let failed = |error: &dyn std::fmt::Display| {
        Failure::failed(text::no_new_file(&shown(folder), &error.to_string()))
    };
    rustix::fs::mkdir(folder, Mode::RWXU).map_err(|error| failed(&error))?;
    let mut backup = NewFile::create(&folder.join("backup"))?;
    std::io::copy(&mut opened.content, &mut backup.file)
        .map_err(|_| Failure::failed(text::BUNDLE_DAMAGED))?;
    let mut key = NewFile::create(&folder.join("key"))?;
    key.file.write_all(&opened.key).map_err(|error| failed(&error))?;
    backup.keep()?;
    key.keep()?;
    drop(progress);
    let mut out = Output::stdout();
    out.line(&text::extracted(&shown(folder)))?;
    out.flush()
}

fn show(out: &mut Output, restored: &Restored, dry_run: bool) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let taken = time::utc(restored.taken);
    let Restored { same_installation: same, people, kept, newer, .. } = *restored;
    out.line(&text::restore_head(&taken, same, people, kept, newer))?;
    let rows: Vec<Vec<String>> = restored
        .factors
        .iter()
        .map(|factor| {
            let fate = text::restore_fate(&factor.what, dry_run);
            let fate =
                if factor.why.is_empty() { fate.to_owned() } else { format!("{fate}: {}", factor.why) };
            vec![
                factor.user.clone(),
                factor.kind.clone(),
                factor.name.clone(),
                time::utc(factor.created),
                fate,
            ]
        })
        .collect();
    if rows.is_empty() {
        out.line(text::RESTORE_NOTHING)?;
    } else {
        for line in lines(COLUMNS, &rows, screen) {
            out.line(&line)?;
        }
    }
    if restored.raised > 0 {
        out.line(&text::restore_raised(restored.raised))?;
    }
    if !restored.required.is_empty() {
        out.line(&text::restore_required(&screen.show(&restored.required.join(" "))))?;
    }
    Ok(())
}

fn as_json(restored: &Restored, dry_run: bool) -> String {
    let factors: Vec<_> = restored
        .factors
        .iter()
        .map(|factor| {
            serde_json::json!({
                "user": factor.user, "uid": factor.uid, "kind": factor.kind, "name": factor.name,
                "what": factor.what, "created": factor.created, "why": factor.why,
            })
        })
        .collect();
    serde_json::json!({
        "dry_run": dry_run, "taken": restored.taken, "generation": restored.generation,
        "same_installation": restored.same_installation, "people": restored.people, "kept": restored.kept,
        "kept_codes": restored.kept_codes, "newer": restored.newer, "raised": restored.raised,
        "required": restored.required, "factors": factors,
    })
    .to_string()
}
