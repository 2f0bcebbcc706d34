//! `--all`: the distribution's own tool puts our lines behind the password of every service.

use std::fs;
use std::path::{Path, PathBuf};

use super::commands::{Ended, command, find, run};
use super::files;
use super::host::{Host, PAM};
use super::lines::{characters, has_ours};
use super::record::Change;
use super::trial::Trial;
use crate::terminal::safe;
use crate::text::enable as text;

const TOOL: &str = "pam-auth-update";
const PROFILES: &str = "/usr/share/pam-configs";
const STATE: &str = "/var/lib/pam";
/// Our profile's file.
pub(super) const NAME: &str = "countersign";

/// What the tool would do, found out in a copy; nothing where it would change nothing.
pub(super) fn plan(host: &Host, trial: &Trial) -> Result<Vec<Change>, String> {
    if find(TOOL).is_none() {
        return Err(text::NO_TOOL.to_owned());
    }
    if !host.real(PROFILES).join(NAME).is_file() {
        return Err(text::NO_PROFILE.to_owned());
    }
    let copy = trial.scratch()?;
    for folder in [PAM, PROFILES, STATE] {
        copy_folder(&host.real(folder), &copy.join(folder.trim_start_matches('/')))?;
    }
    // A database of its own: the tool notes there what it will do by itself the next time.
    let database = format!("File{{{}}}", copy.join("debconf.dat").display());
    let root = copy.display().to_string();
    let ended = tool(&["--root", &root, "--enable", NAME], &[("DEBCONF_DB_REPLACE", &database)])?;
    if !ended.success {
        return Err(text::tool_failed(&words(&ended)));
    }
    must_be_on(&words(&ended), |path| fs::read(copy.join(path.strip_prefix("/").unwrap_or(path))).ok())?;
    let mut changes = Vec::new();
    for folder in [PAM, STATE] {
        let mut names: Vec<_> = fs::read_dir(copy.join(folder.trim_start_matches('/')))
            .into_iter()
            .flatten()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        names.sort();
        for name in names {
            let path = Path::new(folder).join(&name);
            let made = fs::read(copy.join(folder.trim_start_matches('/')).join(&name)).unwrap_or_default();
            let was = fs::read(host.real(&path)).ok();
            if was.as_ref() == Some(&made) {
                continue;
            }
            let before = files::read(&host.real(&path))?;
            let after = before.clone().unwrap_or_else(|| files::Saved::new(Vec::new())).with(made);
            if folder == PAM {
                trial.write(&name.to_string_lossy(), &String::from_utf8_lossy(&after.bytes))?;
            }
            changes.push(Change { path, before, after: Some(after) });
        }
    }
    Ok(changes)
}

/// Has the tool do it, or take it back; what it said.
pub(super) fn switch(on: bool) -> Result<String, String> {
    if find(TOOL).is_none() {
        return if on { Err(text::NO_TOOL.to_owned()) } else { Ok(String::new()) };
    }
    let ended = tool(&[if on { "--enable" } else { "--disable" }, NAME], &[])?;
    if ended.success { Ok(words(&ended)) } else { Err(text::tool_failed(&words(&ended))) }
}

/// The tool does nothing, and calls it success, where somebody has edited its files (`faillock`, for example).
/// So what counts is what stands there afterwards.
pub(super) fn must_be_on(said: &str, read: impl Fn(&Path) -> Option<Vec<u8>>) -> Result<(), String> {
    let text =
        |folder: &str, file: &str| characters(&read(&Path::new(folder).join(file)).unwrap_or_default());
    let on = ["auth", "account"].iter().all(|phase| {
        text(STATE, phase).lines().any(|line| line.trim() == format!("Module: {NAME}"))
            && has_ours(&text(PAM, &format!("common-{phase}")))
    });
    if on { Ok(()) } else { Err(text::tool_declined(said)) }
}

/// What the tool said, line by line.
fn words(ended: &Ended) -> String {
    let lines = ended.err.lines().chain(ended.out.lines()).map(str::trim).filter(|line| !line.is_empty());
    lines.map(safe).collect::<Vec<_>>().join("\n")
}

/// Whether the tool has our profile on.
pub(super) fn is_on(host: &Host) -> bool {
    ["auth", "account"].iter().any(|file| {
        let state = fs::read_to_string(host.real(STATE).join(file)).unwrap_or_default();
        state.lines().any(|line| line.trim() == format!("Module: {NAME}"))
    })
}

fn tool(args: &[&str], environment: &[(&str, &str)]) -> Result<Ended, String> {
    let path = find(TOOL).unwrap_or_else(|| PathBuf::from(TOOL));
    let mut command = command(&path);
    command.env("DEBIAN_FRONTEND", "noninteractive").envs(environment.iter().copied()).args(args);
    run(&mut command)
}

fn copy_folder(from: &Path, to: &Path) -> Result<(), String> {
    let failed = |error: std::io::Error| text::unwritable(&to.display().to_string(), &error);
    fs::create_dir_all(to).map_err(failed)?;
    for entry in fs::read_dir(from).into_iter().flatten().flatten() {
        if entry.path().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(failed)?;
        }
    }
    Ok(())
}
