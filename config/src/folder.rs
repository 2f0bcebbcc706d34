//! The files that make a configuration: the main one, and the drop-ins in `conf.d` beside it.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::os::fd::AsFd;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, fstat};

use crate::file::Trust;
use crate::problem::{Problem, Problems};
use crate::{MAX_DROP_INS, file, words};

/// The folder of the drop-ins.
const DROP_INS: &str = "conf.d";

/// Name and bytes of each file, the main one first; or everything that forbids to use them.
pub(crate) fn read(path: &Path, trust: &Trust<'_>) -> Result<Vec<(String, Vec<u8>)>, Problems> {
    let name = path.display().to_string();
    let Some(Component::Normal(file_name)) = path.components().next_back() else {
        return Err(Problem::of_file(&name, "is not the path of a file", "name a file").into());
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let shown = parent.unwrap_or(Path::new(".")).display().to_string();

    // The folder is held open, so that what is checked and what is opened are the same.
    let flags = OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let folder = open(parent.unwrap_or(Path::new(".")), flags, Mode::empty())
        .map_err(|error| file::cannot_open(&name, error))?;
    let folder = File::from(folder);
    check_folder(&folder, &name, &shown, "replace it", trust)?;

    let mut files = Vec::new();
    let mut refused = Vec::new();
    match file::read(&folder, file_name, &name, trust) {
        Ok(bytes) => files.push((name, bytes)),
        Err(problems) => refused.push(problems),
    }
    let drop_ins = parent.map_or_else(|| DROP_INS.into(), |parent| parent.join(DROP_INS));
    match read_drop_ins(&folder, &drop_ins, trust) {
        Ok(more) => files.extend(more),
        Err(problems) => refused.push(problems),
    }
    Problems::joined(refused).map_or(Ok(files), Err)
}

fn read_drop_ins(parent: &File, path: &Path, trust: &Trust<'_>) -> Result<Vec<(String, Vec<u8>)>, Problems> {
    let shown = path.display().to_string();
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_NOFOLLOW | OFlag::O_CLOEXEC;
    let mut folder = match Dir::openat(parent, DROP_INS, flags, Mode::empty()) {
        Ok(folder) => folder,
        Err(Errno::ENOENT) => return Ok(Vec::new()),
        // With O_DIRECTORY a link is ENOTDIR as well.
        Err(Errno::ENOTDIR | Errno::ELOOP) => {
            let right = "put a folder there, not a file or a link, or take it away";
            return Err(Problem::of_file(&shown, "is not a folder", right).into());
        }
        Err(error) => return Err(file::cannot_open(&shown, error)),
    };
    check_folder(&folder, &shown, &shown, "put a file there", trust)?;

    let mut files = Vec::new();
    let mut refused = Vec::new();
    for file_name in drop_in_names(&mut folder, &shown)? {
        let path = path.join(&file_name);
        let name = path.display().to_string();
        if path.to_str().is_none() {
            // Two such names could look the same in a message and in the hash.
            refused.push(Problem::of_file(&name, "has a name that is not UTF-8", "rename it").into());
            continue;
        }
        match file::read(&folder, &file_name, &name, trust) {
            Ok(bytes) => files.push((name, bytes)),
            Err(problems) => refused.push(problems),
        }
    }
    Problems::joined(refused).map_or(Ok(files), Err)
}

/// The names `*.toml` that do not begin with a dot, in the order of their bytes.
fn drop_in_names(folder: &mut Dir, shown: &str) -> Result<Vec<OsString>, Problems> {
    let mut names = Vec::new();
    for entry in folder.iter() {
        let entry = entry.map_err(|error| {
            let wrong = format!("cannot be listed ({})", error.desc());
            Problem::of_file(shown, wrong, "check the disk")
        })?;
        let name = entry.file_name().to_bytes();
        if name.ends_with(b".toml") && !name.starts_with(b".") {
            names.push(OsString::from_vec(name.to_vec()));
        }
    }
    if names.len() > MAX_DROP_INS {
        let wrong = format!("holds {} files", names.len());
        return Err(Problem::of_file(shown, wrong, format!("use at most {MAX_DROP_INS}")).into());
    }
    names.sort_unstable_by(|a: &OsString, b| OsStr::as_bytes(a).cmp(OsStr::as_bytes(b)));
    Ok(names)
}

/// Whether nobody but those who are trusted can change what lies in a folder.
fn check_folder(
    folder: impl AsFd,
    name: &str,
    shown: &str,
    could: &str,
    trust: &Trust<'_>,
) -> Result<(), Problems> {
    let about = fstat(folder).map_err(|error| {
        let wrong = format!("its folder cannot be examined ({})", error.desc());
        Problem::of_file(name, wrong, "check the disk")
    })?;
    let Some((wrong, right)) = trust.distrusts(about.st_uid, about.st_mode) else {
        return Ok(());
    };
    if trust.takes_sticky(about.st_mode) {
        return Ok(());
    }
    let of_itself = name == shown;
    let shown = words::printable(shown);
    let whose = if of_itself { String::new() } else { format!("its folder {shown} ") };
    let wrong = format!("{whose}{wrong}, so anyone of them could {could}");
    trust.judge(Problem::of_file(name, wrong, file::fix(&right, &shown)))
}
