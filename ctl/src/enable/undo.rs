//! Taking a change back: to the byte where nobody touched the files since, else our lines and nothing else.

use std::path::{Path, PathBuf};

use super::files::{self, Saved, replace_all};
use super::host::Host;
use super::lines::without_ours;
use super::record::{Change, Record, Records};
use super::{journal, profile, sshd, timer};
use crate::terminal::safe;
use crate::text::enable as text;

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// As it was, byte for byte.
    Restored,
    /// Somebody had edited it since: our lines are out, the rest stays.
    LinesTaken,
    /// It was ours alone and is gone.
    Removed,
    /// Nothing of ours was in it.
    Untouched,
}

/// What one file shall be, and what that is called.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    path: PathBuf,
    how: How,
    wanted: Option<Saved>,
}

/// Undoes a change and forgets it. What is done is done in an order in which every moment lets people in who
/// were let in before or after.
pub(super) fn undo(host: &Host, records: &Records, record: &Record) -> Result<Vec<(PathBuf, How)>, String> {
    let changes = records.changes(record)?;
    let mut untouched_since = true;
    for change in &changes {
        // A link or an open mode is told, and does not keep us from the other files.
        let now = files::read(&host.real(&change.path))?;
        untouched_since &= bytes(&now) == bytes(&change.after) || bytes(&now) == bytes(&change.before);
    }
    if record.profile && profile::is_on(host) && host.is_running() {
        // The tool first: it keeps notes of its own.
        profile::switch(false)?;
    }
    let mut steps = Vec::new();
    for change in &changes {
        let now = files::read(&host.real(&change.path))?;
        // What the tool has written is its own reading of how it was; ours is the bytes.
        let tool_wrote = record.profile && untouched_since;
        let now = if tool_wrote { change.after.clone() } else { now };
        steps.push(step(change, now));
    }
    carry_out(host, &steps)?;
    if record.reload_sshd
        && let Err(why) = sshd::check().and_then(|()| sshd::reload(host))
    {
        journal::note(&format!("sshd was not reloaded: {}", why.replace('\n', " ")));
    }
    records.forget(&record.service)?;
    timer::disarm(host, &record.id);
    Ok(steps.into_iter().map(|step| (step.path, step.how)).collect())
}

fn bytes(saved: &Option<Saved>) -> Option<&[u8]> {
    saved.as_ref().map(|saved| &*saved.bytes)
}

fn carry_out(host: &Host, steps: &[Step]) -> Result<(), String> {
    let paths: Vec<PathBuf> = steps.iter().map(|step| host.real(&step.path)).collect();
    let wanted: Vec<_> = (steps.iter().zip(&paths))
        .filter(|(step, _)| step.how != How::Untouched)
        .map(|(step, path)| (path.as_path(), step.wanted.as_ref()))
        .collect();
    replace_all(&wanted)
}

fn step(change: &Change, now: Option<Saved>) -> Step {
    let path = change.path.clone();
    let of = |how, wanted| Step { path: path.clone(), how, wanted };
    let Some(now) = now else {
        // Somebody has removed the file; it does not come back with a login in it.
        return of(How::Untouched, None);
    };
    if Some(&now.bytes) == change.before.as_ref().map(|before| &before.bytes) {
        let same = change.before.as_ref() == Some(&now);
        let how = if same { How::Untouched } else { How::Restored };
        return of(how, change.before.clone());
    }
    if Some(&now.bytes) == change.after.as_ref().map(|after| &after.bytes) {
        let how = if change.before.is_some() { How::Restored } else { How::Removed };
        return of(how, change.before.clone());
    }
    if path == Path::new(sshd::DROP_IN) {
        return match sshd::without_ours(&now.bytes) {
            Some(left) if left == now.bytes => of(How::Untouched, Some(now)),
            Some(left) => of(How::LinesTaken, Some(now.with(left))),
            None => of(How::Removed, None),
        };
    }
    match without_ours(&now.bytes) {
        Some(left) => of(How::LinesTaken, Some(now.with(left))),
        None => of(How::Untouched, Some(now)),
    }
}

/// Takes lines of ours out of files that no record is about.
pub(super) fn take_out(host: &Host, files: &[PathBuf]) -> Result<Vec<(PathBuf, How)>, String> {
    let mut done = Vec::new();
    for path in files {
        let Some(now) = files::read(&host.real(path))? else { continue };
        let Some(left) = without_ours(&now.bytes) else { continue };
        let wanted = now.with(left);
        replace_all(&[(&host.real(path), Some(&wanted))])?;
        done.push((path.clone(), How::LinesTaken));
    }
    Ok(done)
}

/// What people read of it.
pub(super) fn sentences(done: &[(PathBuf, How)]) -> Vec<String> {
    (done.iter())
        .filter_map(|(path, how)| {
            let path = safe(&path.display().to_string());
            match how {
                How::Restored => Some(text::restored(&path)),
                How::LinesTaken => Some(text::lines_taken(&path)),
                How::Removed => Some(text::removed(&path)),
                How::Untouched => None,
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn saved(text: &str, mode: u32) -> Saved {
        Saved { bytes: text.as_bytes().to_vec(), mode, uid: 0, gid: 0 }
    }

    fn change() -> Change {
        Change {
            path: "/etc/pam.d/sshd".into(),
            before: Some(saved("@include common-auth\n", 0o600)),
            after: Some(saved("@include common-auth\nauth required pam_countersign.so\n", 0o600)),
        }
    }

    #[test]
    fn untouched_files_come_back_to_the_byte_and_mode() {
        let change = change();
        let step = step(&change, change.after.clone());
        assert_eq!((step.how, step.wanted), (How::Restored, change.before));
    }

    #[test]
    fn edited_files_lose_our_lines_only() {
        let now = saved("# mine\n@include common-auth\nauth required pam_countersign.so debug\n", 0o644);
        let step = step(&change(), Some(now));
        assert_eq!(step.how, How::LinesTaken);
        assert_eq!(step.wanted, Some(saved("# mine\n@include common-auth\n", 0o644)));
    }

    #[test]
    fn a_power_cut_before_the_change_leaves_nothing_to_do() {
        let change = change();
        assert_eq!(step(&change, change.before.clone()).how, How::Untouched);
        assert_eq!(step(&change, None).how, How::Untouched);
    }

    #[test]
    fn a_file_of_ours_goes() {
        let ours = Change { before: None, ..change() };
        let step = step(&ours, ours.after.clone());
        assert_eq!((step.how, step.wanted), (How::Removed, None));
    }
}
