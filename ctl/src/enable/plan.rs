//! Where our lines go in a service's stack, and whether nobody gets past them there.

use std::path::PathBuf;

use super::files::{self, Saved};
use super::host::{Host, PAM, PAM_SHIPPED};
use super::lines::{Edit, Place, characters, has_ours, spans, stand_in, whole};
use super::record::Change;
use super::trial::Trial;
use crate::terminal::safe;
use crate::text::enable as text;
use countersign_ctl::stack::{
    Action, Assume, Code, Entry, Explored, Phase, Stack, Stacks, Way, is_first_factor,
};

/// Lines that let somebody in by themselves and were looked past, at most.
const MOST_EXCUSED: usize = 8;

/// What is to be done for one service.
pub(super) struct Plan {
    pub(super) change: Change,
    pub(super) after_first_factor: bool,
    /// Other services that ask from now on because they include this one.
    pub(super) also: Vec<String>,
    /// What somebody should know.
    pub(super) notes: Vec<String>,
    /// Why it should not be done.
    pub(super) problems: Vec<String>,
}

/// What a look at a service came to.
pub(super) enum Planned {
    /// It asks already.
    Already {
        /// Where.
        place: String,
        /// As the line that is there says.
        after_first_factor: bool,
    },
    Change(Box<Plan>),
}

/// Why a service cannot be planned for at all.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Hopeless {
    /// There is no such service.
    Unknown(String),
    /// What no force helps.
    Refused(String),
}

impl From<String> for Hopeless {
    fn from(why: String) -> Self {
        Self::Refused(why)
    }
}

/// Plans the lines of a service, and makes them in the trial copy.
pub(super) fn plan(host: &Host, trial: &Trial, service: &str, after_key: bool) -> Result<Planned, Hopeless> {
    let (path, before, base) = source(host, trial, service)?;
    let stacks = Stacks::read(&trial.folders(), service);
    let (auth, account) = (stacks.phase(Phase::Auth), stacks.phase(Phase::Account));
    if let Some(ours) = auth.entries.iter().find(|entry| entry.is_ours()) {
        if account.entries.iter().any(Entry::is_ours) && after_key == has_option(ours, "after_key") {
            let after_first_factor = has_option(ours, "after_first_factor");
            return Ok(Planned::Already { place: name_of(ours), after_first_factor });
        }
        return Err(Hopeless::Refused(text::half_there(service, &name_of(ours), ours.place.line)));
    }
    let text =
        String::from_utf8(base.bytes.clone()).map_err(|_| text::not_text(&path.display().to_string()))?;
    let asked_before = asking(trial);
    let mut notes = Vec::new();
    let mut problems: Vec<String> =
        stacks.faults.iter().map(|fault| text::fault(&safe(&fault.to_string()))).collect();
    let (auth_place, after_first_factor) =
        place_auth(trial, service, &text, auth, after_key, &mut notes, &mut problems)?;
    let option = match (after_key, after_first_factor) {
        (true, _) => " after_key",
        (false, true) => " after_first_factor",
        (false, false) => "",
    };
    if !after_key && !after_first_factor {
        notes.push(text::not_after_first_factor(service));
    }
    let mut edit = Edit {
        auth: Some((auth_place, format!("auth       required     pam_countersign.so{option}"))),
        account: None,
    };
    place_account(trial, service, &text, account, &mut edit, &mut problems)?;
    let made = edit.apply(&text);
    trial.write(service, &made)?;
    let also: Vec<String> =
        asking(trial).into_iter().filter(|one| one != service && !asked_before.contains(one)).collect();
    for twice in asked_twice(trial) {
        problems.push(text::asks_twice(&twice, service));
    }
    let change = Change { path, before, after: Some(base.with(made.into_bytes())) };
    Ok(Planned::Change(Box::new(Plan { change, after_first_factor, also, notes, problems })))
}

/// The file to write, what is there, and what it is made from.
fn source(host: &Host, trial: &Trial, service: &str) -> Result<(PathBuf, Option<Saved>, Saved), Hopeless> {
    let known = trial.folders().services().unwrap_or_default();
    let path = PathBuf::from(PAM).join(service);
    if let Some(before) = files::read(&host.real(&path))? {
        if !known.iter().any(|one| one == service) {
            return Err(Hopeless::Refused(text::no_service_of_its_own(service)));
        }
        return Ok((path, Some(before.clone()), before));
    }
    match files::read(&host.real(PAM_SHIPPED).join(service))? {
        // A file of ours in /etc/pam.d comes before the distribution's, and goes when we go.
        Some(shipped) => Ok((path, None, Saved::new(shipped.bytes))),
        None => Err(Hopeless::Unknown(text::no_such_service(service, &known))),
    }
}

/// Puts the auth line behind the last line that asks for a password.
fn place_auth(
    trial: &Trial,
    service: &str,
    text: &str,
    auth: &Stack,
    after_key: bool,
    notes: &mut Vec<String>,
    problems: &mut Vec<String>,
) -> Result<(Place, bool), Hopeless> {
    if auth.from_other {
        return Err(Hopeless::Refused(text::only_other(service, "auth")));
    }
    let mut factors: Vec<usize> =
        auth.entries.iter().filter(|one| is_first_factor(one)).map(own_line).collect();
    factors.dedup();
    let Some(anchor) = factors.last().copied() else {
        return Err(Hopeless::Refused(text::no_password_line(service)));
    };
    if after_key {
        if factors.len() > 1 {
            return Err(Hopeless::Refused(text::several_passwords(service)));
        }
        return Ok((Place::Instead(anchor, Vec::new()), false));
    }
    let ours = "auth required pam_countersign.so".to_owned();
    let mut tried = None;
    let substack = as_substack(text, anchor);
    // Behind a later line where the password's own jump passes over its next ones (Debian's lines in one file).
    let mut later: Vec<usize> = auth.entries.iter().map(own_line).filter(|line| *line > anchor).collect();
    later.dedup();
    let places = [Some(Place::After(anchor)), substack.map(|line| Place::Instead(anchor, vec![line]))];
    for place in places.into_iter().flatten().chain(later.into_iter().map(Place::After)) {
        let edit = Edit { auth: Some((place.clone(), ours.clone())), account: None };
        trial.write(service, &edit.apply(text))?;
        let stacks = Stacks::read(&trial.folders(), service);
        let mut looked = look(service, stacks.phase(Phase::Auth));
        if passed_over(stacks.phase(Phase::Auth)) {
            looked.problems.push(text::jump_passes_over(service));
        }
        let good = looked.problems.is_empty();
        // The first place is the one to tell of, if neither will do.
        if good || tried.is_none() {
            tried = Some((place, looked));
        }
        if good {
            break;
        }
    }
    trial.write(service, text)?;
    let Some((place, looked)) = tried else { return Err(Hopeless::Refused(text::no_password_line(service))) };
    notes.extend(looked.notes);
    problems.extend(looked.problems);
    if matches!(place, Place::Instead(..)) {
        notes.push(text::substack_instead(service));
    }
    Ok((place, looked.after_first_factor))
}

/// What every way through an auth stack with our line comes to.
struct Looked {
    after_first_factor: bool,
    notes: Vec<String>,
    problems: Vec<String>,
}

fn look(service: &str, stack: &Stack) -> Looked {
    let mut looked = Looked { after_first_factor: false, notes: Vec::new(), problems: Vec::new() };
    // Lines that let somebody in without a password (root, a group) are told and looked past; what is left is
    // what happens to people with a password.
    let mut excused: Vec<(PathBuf, usize)> = Vec::new();
    loop {
        let codes = |entry: &Entry| {
            let line = (entry.place.file.clone(), entry.place.line);
            excused
                .contains(&line)
                .then(|| vec![Code::AUTH_ERR, Code::IGNORE])
                .or_else(|| Assume::somebody(entry))
        };
        let explored = stack.explore(&Assume { first_factor: &is_first_factor, codes: &codes });
        if let Some(way) = explored.skipped() {
            let last = deciding(stack, way);
            if with_factor(stack, way) || excused.len() >= MOST_EXCUSED || last.is_none() {
                let place = last.map_or_else(String::new, shown);
                looked.problems.push(text::skips_ours(service, &place));
            } else if let Some(entry) = last {
                looked.notes.push(text::lets_in_alone(service, &shown(entry)));
                excused.push((entry.place.file.clone(), entry.place.line));
                continue;
            }
        }
        looked.conclude(service, stack, &explored);
        return looked;
    }
}

impl Looked {
    fn conclude(&mut self, service: &str, stack: &Stack, explored: &Explored) {
        if let Some(way) = explored.in_spite_of_ours() {
            let place = deciding(stack, way).map_or_else(String::new, shown);
            self.problems.push(text::in_spite(service, &place));
        }
        if !explored.is_complete() {
            self.problems.push(text::too_intricate(service));
        }
        if !explored.can_succeed_with_ours() {
            self.problems.push(text::nobody_gets_in(service));
        }
        self.after_first_factor = explored.after_first_factor();
    }
}

/// Puts the account line where no way that lets somebody in goes around it: behind the common include, or
/// before it where that can end the phase (an expired password does on Debian).
fn place_account(
    trial: &Trial,
    service: &str,
    text: &str,
    account: &Stack,
    edit: &mut Edit,
    problems: &mut Vec<String>,
) -> Result<(), Hopeless> {
    let own: Vec<usize> = account.entries.iter().map(own_line).collect();
    let (Some(first), Some(last), false) = (own.first(), own.last(), account.from_other) else {
        return Err(Hopeless::Refused(text::only_other(service, "account")));
    };
    let common = account.entries.iter().filter(|one| is_first_factor(one)).map(own_line).next_back();
    let common = common.unwrap_or(*last);
    let ours = "account    required     pam_countersign.so";
    for place in [Place::After(common), Place::Before(common), Place::Before(*first)] {
        edit.account = Some((place, ours.to_owned()));
        trial.write(service, &edit.apply(text))?;
        let stacks = Stacks::read(&trial.folders(), service);
        let explored = stacks.phase(Phase::Account).explore(&Assume::default());
        if explored.skipped().is_none()
            && explored.skipped_when_expired().is_none()
            && explored.in_spite_of_ours().is_none()
            && explored.can_succeed_with_ours()
        {
            return Ok(());
        }
    }
    problems.push(text::account_skipped(service));
    Ok(())
}

/// The line of the service's own file by which an entry gets into the stack.
fn own_line(entry: &Entry) -> usize {
    entry.via.first().map_or(entry.place.line, |outermost| outermost.line)
}

/// `auth include X` as `auth substack X`, in which `sufficient` does not end the whole stack.
fn as_substack(text: &str, line: usize) -> Option<String> {
    let span = spans(text).into_iter().find(|span| (span.first..=span.last).contains(&line))?;
    let lines: Vec<&str> = text.lines().skip(span.first - 1).take(span.last + 1 - span.first).collect();
    let whole = whole(&lines);
    let mut words = whole.split('#').next()?.split_whitespace();
    let (auth, include, name) = (words.next()?, words.next()?, words.next()?);
    (auth.eq_ignore_ascii_case("auth") && include.eq_ignore_ascii_case("include"))
        .then(|| stand_in(&format!("auth       substack     {name}")))
}

/// Whether a jump counts our line, and so lands one line earlier than it did.
fn passed_over(stack: &Stack) -> bool {
    let Some(ours) = stack.entries.iter().position(Entry::is_ours) else { return false };
    let level = stack.entries[ours].level;
    stack.entries[..ours].iter().enumerate().any(|(number, entry)| {
        // In a substack a jump stays there.
        let lines = stack.entries[number + 1..=ours].iter().filter(|one| one.level == entry.level).count();
        let reaches = |code| match entry.control.on(code) {
            Action::Jump(over) => usize::try_from(over).is_ok_and(|over| over >= lines),
            _ => false,
        };
        entry.level == level && Code::all().any(reaches)
    })
}

/// The line whose result decided a way: the last that said yes and ended it, or the last that said yes.
fn deciding<'s>(stack: &'s Stack, way: &Way) -> Option<&'s Entry> {
    let said_yes = || way.iter().rev().filter(|step| step.code == Code::SUCCESS);
    let entry = |number: usize| stack.entries.get(number);
    let ends = |number: usize| {
        entry(number)
            .is_some_and(|entry| matches!(entry.control.on(Code::SUCCESS), Action::Done | Action::Jump(_)))
    };
    let step = said_yes().find(|step| ends(step.entry)).or_else(|| said_yes().next())?;
    entry(step.entry).filter(|entry| !entry.is_ours())
}

/// Whether a password was right on this way.
fn with_factor(stack: &Stack, way: &Way) -> bool {
    way.iter()
        .any(|step| step.code == Code::SUCCESS && stack.entries.get(step.entry).is_some_and(is_first_factor))
}

/// `sudo:2 (pam_unix.so)`
fn shown(entry: &Entry) -> String {
    let module = entry.module().unwrap_or_default();
    safe(&format!("{}:{} ({module})", name_of(entry), entry.place.line))
}

fn name_of(entry: &Entry) -> String {
    safe(&entry.place.file.file_name().unwrap_or_default().to_string_lossy())
}

fn has_option(entry: &Entry, option: &str) -> bool {
    entry.args().iter().any(|arg| arg == option)
}

/// Services whose auth stack has a line of ours.
pub(super) fn asking(trial: &Trial) -> Vec<String> {
    counted(trial, |ours| ours > 0)
}

fn asked_twice(trial: &Trial) -> Vec<String> {
    counted(trial, |ours| ours > 1)
}

fn counted(trial: &Trial, which: impl Fn(usize) -> bool) -> Vec<String> {
    let folders = trial.folders();
    let mut services = folders.services().unwrap_or_default();
    services.retain(|service| {
        let stacks = Stacks::read(&folders, service);
        which(stacks.phase(Phase::Auth).entries.iter().filter(|entry| entry.is_ours()).count())
    });
    services
}

/// The host's stack files that a service's stack is made of.
pub(super) fn files_of(host: &Host, service: &str) -> Vec<PathBuf> {
    let folders = countersign_ctl::stack::Folders::below(host.root());
    let stacks = Stacks::read(&folders, service);
    let mut files: Vec<PathBuf> = (Phase::ALL.into_iter())
        .flat_map(|phase| &stacks.phase(phase).entries)
        .flat_map(|entry| entry.via.iter().chain([&entry.place]))
        .map(|place| place.file.clone())
        .collect();
    files.sort();
    files.dedup();
    files
}

/// Files of the host with a line of ours, whoever wrote it.
pub(super) fn files_with_ours(host: &Host) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(host.real(PAM)).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        // dpkg's and our own copies are read by nobody.
        if name.contains(".dpkg-") || name.starts_with('.') {
            continue;
        }
        if std::fs::read(entry.path()).is_ok_and(|bytes| has_ours(&characters(&bytes))) {
            found.push(PathBuf::from(PAM).join(name));
        }
    }
    found.sort();
    found
}

#[cfg(test)]
#[path = "plan/tests.rs"]
mod tests;
