//! Files of the administrator's, read without trust and replaced whole or not at all.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{Gid, OFlags, Uid, XattrFlags};

use crate::terminal::safe;
use crate::text::enable as text;

/// More than any configuration file, less than what fills memory.
const LARGEST: u64 = 1 << 20;

/// A file as it is: its bytes and what else must come back with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Saved {
    pub(super) bytes: Vec<u8>,
    /// Permission bits.
    pub(super) mode: u32,
    pub(super) uid: u32,
    pub(super) gid: u32,
}

impl Saved {
    /// A new file of root's that everybody may read.
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        Self { bytes, mode: 0o644, uid, gid }
    }

    /// The same file with other bytes.
    pub(super) fn with(&self, bytes: Vec<u8>) -> Self {
        Self { bytes, ..self.clone() }
    }
}

/// What a file shall be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) path: &'a Path,
    /// What it must be until that moment, so that nobody's edit is lost; `None` is whatever it is.
    pub(super) from: Option<Option<&'a Saved>>,
    /// `None` is gone.
    pub(super) to: Option<&'a Saved>,
}

/// Reads a file that somebody is about to depend on; `None` where there is none.
///
/// # Errors
/// A sentence for everything that is no plain file of root's alone.
pub(super) fn read(path: &Path) -> Result<Option<Saved>, String> {
    let Some((saved, names)) = open(path)? else { return Ok(None) };
    let named = safe(&path.display().to_string());
    if names > 1 {
        return Err(text::several_names(&named, names));
    }
    if saved.mode & 0o022 != 0 {
        return Err(text::too_open(&named, saved.mode));
    }
    Ok(Some(saved))
}

/// Reads a file that somebody depended on: on the way back an open mode or a second name stops nobody.
///
/// # Errors
/// A sentence for everything that is no plain file of root's.
pub(super) fn look(path: &Path) -> Result<Option<Saved>, String> {
    Ok(open(path)?.map(|(saved, _)| saved))
}

/// The file, and how many names it has.
fn open(path: &Path) -> Result<Option<(Saved, u64)>, String> {
    let named = safe(&path.display().to_string());
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let flags = i32::try_from(flags.bits()).unwrap_or_default();
    let file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(_) if path.is_symlink() => {
            let target = fs::read_link(path).unwrap_or_default();
            return Err(text::is_link(&named, &safe(&target.display().to_string())));
        }
        Err(error) => return Err(text::unreadable(&named, &error)),
    };
    let meta = file.metadata().map_err(|error| text::unreadable(&named, &error))?;
    let me = rustix::process::geteuid().as_raw();
    if !meta.is_file() {
        return Err(text::not_a_file(&named));
    }
    if meta.uid() != me && meta.uid() != 0 {
        return Err(text::not_roots(&named, meta.uid()));
    }
    let mut bytes = Vec::new();
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(|error| text::unreadable(&named, &error))?;
    if bytes.len() as u64 > LARGEST {
        return Err(text::too_large(&named));
    }
    let saved = Saved { bytes, mode: meta.mode() & 0o7777, uid: meta.uid(), gid: meta.gid() };
    Ok(Some((saved, meta.nlink())))
}

/// Brings all these files to what is wanted, or leaves them all as they were.
///
/// New contents are written beside each file and synced before the first one is renamed, so that what can
/// fail (no space, read-only, immutable folder) fails before anything is changed.
///
/// # Errors
/// A sentence; what had been renamed already is put back.
pub(super) fn replace_all(wanted: &[Wanted<'_>]) -> Result<(), String> {
    let mut staged = Vec::new();
    for Wanted { path, to, .. } in wanted {
        let Some(saved) = to else { continue };
        match stage(path, saved) {
            Ok(beside) => staged.push(beside),
            Err(error) => {
                discard(&staged);
                return Err(text::unwritable(&safe(&path.display().to_string()), &error));
            }
        }
    }
    let mut before = Vec::new();
    for one in wanted {
        match exchange(one) {
            Ok(was) => before.push((one.path, was)),
            Err(why) => {
                discard(&staged);
                put_back(&before);
                return Err(why);
            }
        }
    }
    Ok(())
}

/// Brings one file to what is wanted; what it was.
fn exchange(Wanted { path, from, to }: &Wanted<'_>) -> Result<Option<Saved>, String> {
    let named = || safe(&path.display().to_string());
    let was = look(path)?;
    if from.is_some_and(|from| from != was.as_ref()) {
        return Err(text::changed_meanwhile(&named()));
    }
    let change = match to {
        Some(_) => fs::rename(beside(path), path),
        None => fs::remove_file(path).or_else(gone_already),
    };
    change.and_then(|()| sync_folder(path)).map_err(|error| text::unwritable(&named(), &error))?;
    Ok(was)
}

/// Best effort, after a failure that is told anyway.
fn put_back(before: &[(&Path, Option<Saved>)]) {
    for (path, was) in before.iter().rev() {
        let back = match was {
            Some(was) => stage(path, was).and_then(|beside| fs::rename(beside, path)),
            None => fs::remove_file(path),
        };
        drop(back.and_then(|()| sync_folder(path)));
    }
}

fn gone_already(error: io::Error) -> io::Result<()> {
    if error.kind() == ErrorKind::NotFound { Ok(()) } else { Err(error) }
}

/// `/etc/pam.d/.sshd.countersign-new`: no service, no drop-in, and in the same folder, so that a rename is
/// all that it takes.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".countersign-new");
    path.with_file_name(name)
}

/// Writes what the file shall be beside it, durable, with mode, owner and labels.
fn stage(path: &Path, saved: &Saved) -> io::Result<PathBuf> {
    let new = beside(path);
    // Left behind by a power cut.
    fs::remove_file(&new).or_else(gone_already)?;
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&new)?;
    let filled = fill(&mut file, path, saved);
    if filled.is_err() {
        drop(fs::remove_file(&new));
    }
    filled.map(|()| new)
}

fn fill(file: &mut File, path: &Path, saved: &Saved) -> io::Result<()> {
    file.write_all(&saved.bytes)?;
    rustix::fs::fchown(&*file, Some(Uid::from_raw(saved.uid)), Some(Gid::from_raw(saved.gid)))?;
    copy_labels(path, file)?;
    // After the owner, which may take bits away.
    file.set_permissions(fs::Permissions::from_mode(saved.mode))?;
    file.sync_all()
}

/// SELinux context, access lists and whatever else hangs on the file.
fn copy_labels(from: &Path, to: &File) -> io::Result<()> {
    let Ok(from) = File::open(from) else { return Ok(()) };
    let mut names = vec![0; 4096];
    let Ok(length) = rustix::fs::flistxattr(&from, &mut names) else { return Ok(()) };
    names.truncate(length);
    for name in names.split(|byte| *byte == 0).filter(|name| !name.is_empty()) {
        let mut value = vec![0; 65_536];
        let length = rustix::fs::fgetxattr(&from, name, &mut value)?;
        value.truncate(length);
        match rustix::fs::fsetxattr(to, name, &value, XattrFlags::empty()) {
            Ok(()) => {}
            // A system that does not let anybody set what it has set itself.
            Err(rustix::io::Errno::NOTSUP) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn discard(staged: &[PathBuf]) {
    for new in staged {
        drop(fs::remove_file(new));
    }
}

/// Makes a rename in the file's folder outlive a power cut.
pub(super) fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn to<'a>(path: &'a Path, to: Option<&'a Saved>) -> Wanted<'a> {
        Wanted { path, from: None, to }
    }

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("ctl-enable-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        fs::create_dir(&folder).expect("a folder of our own");
        folder
    }

    #[test]
    fn prv_11_only_plain_files_of_root_alone_are_touched() {
        let folder = folder("plain");
        let file = folder.join("sshd");
        assert_eq!(read(&file), Ok(None));
        fs::write(&file, "auth\n").expect("written");
        assert_eq!(read(&file).expect("good").expect("there").bytes, b"auth\n");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o664)).expect("ours");
        assert!(read(&file).expect_err("writable by a group").contains("chmod"));
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("ours");
        fs::hard_link(&file, folder.join("other")).expect("same folder");
        assert!(read(&file).expect_err("two names").contains("2 names"));
        assert!(look(&file).expect("on the way back").is_some());
        fs::remove_file(folder.join("other")).expect("ours");
        symlink(&file, folder.join("link")).expect("ours");
        let said = read(&folder.join("link")).expect_err("a link");
        assert!(said.contains("symbolic link") && said.contains("/sshd"), "{said}");
        assert!(read(&folder).expect_err("a folder").contains("no plain file"));
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn modes_stay_and_nothing_is_left_beside() {
        let folder = folder("modes");
        let (old, new) = (folder.join("old"), folder.join("new"));
        fs::write(&old, "a").expect("written");
        fs::set_permissions(&old, fs::Permissions::from_mode(0o600)).expect("ours");
        // What a power cut left.
        fs::write(beside(&old), "junk").expect("written");
        let was = read(&old).expect("good").expect("there");
        let (changed, made) = (was.with(b"b".to_vec()), Saved::new(b"c".to_vec()));
        replace_all(&[to(&old, Some(&changed)), to(&new, Some(&made))]).expect("replaced");
        assert_eq!(read(&old), Ok(Some(changed)));
        assert_eq!(read(&new), Ok(Some(made)));
        replace_all(&[to(&old, Some(&was)), to(&new, None)]).expect("replaced");
        assert_eq!(read(&old), Ok(Some(was)));
        let left: Vec<_> = fs::read_dir(&folder).expect("ours").flatten().map(|e| e.file_name()).collect();
        assert_eq!(left, ["old"]);
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn what_somebody_wrote_in_between_stays_and_nothing_else_is_changed() {
        let folder = folder("between");
        let (first, second) = (folder.join("first"), folder.join("second"));
        fs::write(&first, "a").expect("written");
        fs::write(&second, "a").expect("written");
        let was = read(&first).expect("good");
        let changed = Saved::new(b"b".to_vec());
        fs::write(&second, "mine").expect("written");
        let all = [&first, &second];
        let wanted = all.map(|path| Wanted { path, from: Some(was.as_ref()), to: Some(&changed) });
        assert!(replace_all(&wanted).expect_err("edited").contains("second was changed by somebody else"));
        assert_eq!(
            (fs::read(&first).expect("there"), fs::read(&second).expect("there")),
            (b"a".to_vec(), b"mine".to_vec())
        );
        assert_eq!(fs::read_dir(&folder).expect("ours").count(), 2);
        fs::remove_dir_all(folder).expect("ours");
    }

    #[test]
    fn where_one_file_cannot_be_changed_none_is() {
        let folder = folder("half");
        let (first, second) = (folder.join("first"), folder.join("no-such-folder/second"));
        fs::write(&first, "a").expect("written");
        let changed = Saved::new(b"b".to_vec());
        replace_all(&[to(&first, Some(&changed)), to(&second, Some(&changed))]).expect_err("no folder");
        assert_eq!(fs::read(&first).expect("there"), b"a");
        // A folder in the place of a file fails at the rename, after the first file was renamed.
        let taken = folder.join("taken");
        fs::create_dir(&taken).expect("ours");
        replace_all(&[to(&first, Some(&changed)), to(&taken, Some(&changed))]).expect_err("a folder");
        assert_eq!(fs::read(&first).expect("there"), b"a", "put back");
        assert_eq!(fs::read_dir(&folder).expect("ours").count(), 2);
        fs::remove_dir_all(folder).expect("ours");
    }
}
