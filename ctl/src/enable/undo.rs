//! Taking a change back: to the byte where nobody touched the files since, else our lines and nothing else.

use std::path::{Path, PathBuf};

use super::files::{self, Saved, Wanted, replace_all};
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
    how: How,
    wanted: Option<Saved>,
}

/// What became of a change.
#[derive(Debug, Default)]
pub(super) struct Undone {
    pub(super) files: Vec<(PathBuf, How)>,
    /// Why the rest is still there; what is left can be undone again.
    pub(super) failed: Vec<String>,
}

impl Undone {
    pub(super) fn extend(&mut self, other: Self) {
        self.files.extend(other.files);
        self.failed.extend(other.failed);
    }
}

/// Undoes a change and forgets it. Each file goes back by itself: one that is no file any more, or does not fit
/// on the disk, keeps nobody from the others; and the change is remembered until the last one is back.
pub(super) fn undo(host: &Host, records: &Records, record: &Record) -> Undone {
    let mut undone = Undone::default();
    let changes = records.changes(record);
    let untouched_since = changes.iter().all(|(path, change)| {
        change.as_ref().is_ok_and(|change| {
            files::look(&host.real(path))
                .is_ok_and(|now| bytes(&now) == bytes(&change.after) || bytes(&now) == bytes(&change.before))
        })
    });
    if record.profile && profile::is_on(host) && host.is_running() {
        // The tool first: it keeps notes of its own.
        undone.failed.extend(profile::switch(false).err());
    }
    for (path, change) in changes {
        // What the tool has written is its own reading of how it was; ours is the bytes.
        let tool_wrote = record.profile && untouched_since;
        match put_back(host, &path, change, tool_wrote) {
            Ok(how) => undone.files.push((path, how)),
            Err(why) => undone.failed.push(why),
        }
    }
    if record.reload_sshd
        && let Err(why) = sshd::check().and_then(|()| sshd::reload(host))
    {
        journal::note(&format!("sshd was not reloaded: {}", why.replace('\n', " ")));
    }
    if undone.failed.is_empty() {
        undone.failed.extend(records.forget(record).err());
        timer::disarm(host, &record.id);
    }
    undone
}

fn bytes(saved: &Option<Saved>) -> Option<&[u8]> {
    saved.as_ref().map(|saved| &*saved.bytes)
}

fn put_back(
    host: &Host,
    path: &Path,
    change: Result<Change, String>,
    tool_wrote: bool,
) -> Result<How, String> {
    let real = host.real(path);
    let now = files::look(&real)?;
    let step = match (change, &now) {
        (Ok(change), _) => {
            let now = if tool_wrote { change.after.clone() } else { now.clone() };
            step(&change, now)
        }
        // Nobody knows how it was; our lines are ours all the same.
        (Err(why), Some(now)) => {
            journal::note(&format!("{}: {why}", path.display()));
            by_lines(path, now.clone())
        }
        (Err(_), None) => Step { how: How::Untouched, wanted: None },
    };
    if step.how != How::Untouched {
        let wanted = Wanted { path: &real, from: Some(now.as_ref()), to: step.wanted.as_ref() };
        replace_all(&[wanted])?;
    }
    Ok(step.how)
}

fn step(change: &Change, now: Option<Saved>) -> Step {
    let Some(now) = now else {
        // Somebody has removed the file; it does not come back with a login in it.
        return Step { how: How::Untouched, wanted: None };
    };
    if Some(&now.bytes) == change.before.as_ref().map(|before| &before.bytes) {
        let same = change.before.as_ref() == Some(&now);
        let how = if same { How::Untouched } else { How::Restored };
        return Step { how, wanted: change.before.clone() };
    }
    if Some(&now.bytes) == change.after.as_ref().map(|after| &after.bytes) {
        let how = if change.before.is_some() { How::Restored } else { How::Removed };
        return Step { how, wanted: change.before.clone() };
    }
    by_lines(&change.path, now)
}

/// Our lines out of a file that is not as we left it.
fn by_lines(path: &Path, now: Saved) -> Step {
    if path == Path::new(sshd::DROP_IN) {
        return match sshd::without_ours(&now.bytes) {
            Some(left) if left == now.bytes => Step { how: How::Untouched, wanted: Some(now) },
            Some(left) => Step { how: How::LinesTaken, wanted: Some(now.with(left)) },
            None => Step { how: How::Removed, wanted: None },
        };
    }
    match without_ours(&now.bytes) {
        Some(left) => Step { how: How::LinesTaken, wanted: Some(now.with(left)) },
        None => Step { how: How::Untouched, wanted: Some(now) },
    }
}

/// Takes lines of ours out of files that no record is about.
pub(super) fn take_out(host: &Host, paths: &[PathBuf]) -> Undone {
    let mut undone = Undone::default();
    for path in paths {
        let real = host.real(path);
        let taken = files::look(&real).and_then(|now| {
            let Some((now, left)) = now.and_then(|now| without_ours(&now.bytes).map(|left| (now, left)))
            else {
                return Ok(How::Untouched);
            };
            let wanted = Wanted { path: &real, from: Some(Some(&now)), to: Some(&now.with(left)) };
            replace_all(&[wanted]).map(|()| How::LinesTaken)
        });
        match taken {
            Ok(how) => undone.files.push((path.clone(), how)),
            Err(why) => undone.failed.push(why),
        }
    }
    undone
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
    fn a_file_whose_old_bytes_are_gone_loses_our_lines_all_the_same() {
        let now = change().after.expect("made");
        let step = by_lines(Path::new("/etc/pam.d/sshd"), now);
        assert_eq!((step.how, step.wanted), (How::LinesTaken, change().before));
    }

    #[test]
    fn a_file_of_ours_goes() {
        let ours = Change { before: None, ..change() };
        let step = step(&ours, ours.after.clone());
        assert_eq!((step.how, step.wanted), (How::Removed, None));
    }
}
