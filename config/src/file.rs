//! Opening a configuration once, without trusting its path, and reading it whole.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;
use sha2::{Digest, Sha256};

use crate::problem::{Problem, Problems, Report};
use crate::{MAX_FILE, words};

/// Writable by group or others.
const OTHERS_WRITE: u32 = 0o022;

/// The bytes of a configuration that only root, or `also_owner`, could have written.
pub(crate) fn read(path: &Path, name: &str, also_owner: Option<u32>) -> Result<Vec<u8>, Problems> {
    let problem = |wrong: String, right: String| Problems::from(Problem::of_file(name, wrong, right));
    let Some(Component::Normal(file_name)) = path.components().next_back() else {
        return Err(problem("is not the path of a file".into(), "name a file".into()));
    };
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let folder_name = words::printable(&parent.display().to_string());

    // The folder is held open, so that what is checked and what is opened are the same.
    let folder = open(parent, OFlag::O_PATH | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC, Mode::empty())
        .map_err(|error| cannot_open(name, error))?;
    let folder = File::from(folder);
    let about = folder.metadata().map_err(|error| {
        problem(format!("its folder cannot be examined ({error})"), "check the disk".into())
    })?;
    if let Some((wrong, right)) = distrust(about.uid(), about.mode(), also_owner) {
        return Err(problem(
            format!("its folder {folder_name} {wrong}, so anyone of them could replace it"),
            fix(&right, &folder_name),
        ));
    }

    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opened = openat(&folder, file_name, flags | OFlag::O_NOCTTY, Mode::empty())
        .map_err(|error| cannot_open(name, error))?;
    let mut file = File::from(opened);
    let unreadable = |error: std::io::Error| {
        problem(format!("cannot be read ({error})"), "check the disk and the file".into())
    };
    let before = file.metadata().map_err(unreadable)?;
    if !before.is_file() {
        return Err(problem(
            format!("is {}, not a regular file", kind(&before)),
            "put an ordinary file there".into(),
        ));
    }
    let shown = words::printable(name);
    if let Some((wrong, right)) = distrust(before.uid(), before.mode(), also_owner) {
        return Err(problem(wrong, fix(&right, &shown)));
    }
    if before.nlink() != 1 {
        return Err(problem(
            format!("has {} names (hard links)", before.nlink()),
            "make it a file of its own: copy it, then move the copy over it".into(),
        ));
    }
    let too_large = || {
        let wrong = format!("is larger than {MAX_FILE} bytes");
        problem(wrong, "a configuration is a few hundred lines at most".into())
    };
    if before.len() > MAX_FILE as u64 {
        return Err(too_large());
    }
    let mut bytes = Vec::new();
    (&mut file).take(MAX_FILE as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > MAX_FILE {
        return Err(too_large());
    }
    // A file that an editor is writing just now can be half a file that still parses.
    let after = file.metadata().map_err(unreadable)?;
    let stamp = |about: &std::fs::Metadata| {
        (about.len(), about.mtime(), about.mtime_nsec(), about.ctime(), about.ctime_nsec())
    };
    if stamp(&before) != stamp(&after) || bytes.len() as u64 != after.len() {
        return Err(problem(
            "was written to while it was read".into(),
            "try again; write a new file and rename it over the old one".into(),
        ));
    }
    Ok(bytes)
}

/// The bytes as text.
pub(crate) fn as_text<'b>(file: &str, bytes: &'b [u8]) -> Result<&'b str, Problems> {
    if bytes.len() > MAX_FILE {
        let wrong = format!("is larger than {MAX_FILE} bytes");
        let right = "a configuration is a few hundred lines at most";
        return Err(Problem::of_file(file, wrong, right).into());
    }
    let refuse = |valid: &str, wrong: &str, right: &str| {
        let mut report = Report::new(file, valid);
        report.at_syntax(Some(valid.len()..valid.len()), wrong, right);
        report.finish::<()>(None).err()
    };
    let refused = match bytes {
        [0xEF, 0xBB, 0xBF, ..] => refuse(
            "",
            "begins with a byte order mark (BOM)",
            "save it as UTF-8 without BOM; sed -i '1s/^\\xef\\xbb\\xbf//' FILE takes it away",
        ),
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => refuse("", "is UTF-16", "save it as UTF-8 without BOM"),
        _ => match std::str::from_utf8(bytes) {
            Ok(text) => return Ok(text),
            Err(error) => {
                let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
                refuse(valid, "is not valid UTF-8", "save it as UTF-8")
            }
        },
    };
    let unexplained = || Problem::of_file(file, "is not text", "save it as UTF-8").into();
    Err(refused.unwrap_or_else(unexplained))
}

/// SHA-256 in lower-case hex.
pub(crate) fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// How to make the owner or the mode right.
enum Fix {
    Owner(String),
    Mode,
}

fn fix(fix: &Fix, path: &str) -> String {
    match fix {
        Fix::Owner(owner) => format!("chown {owner} {path}"),
        Fix::Mode => format!("chmod go-w {path}"),
    }
}

/// Why a file or folder with this owner and mode could have been changed by somebody else.
fn distrust(uid: u32, mode: u32, also_owner: Option<u32>) -> Option<(String, Fix)> {
    if uid != 0 && Some(uid) != also_owner {
        let owner = match also_owner {
            Some(own) if own != 0 => format!("root or uid {own}"),
            _ => "root".to_owned(),
        };
        return Some((format!("belongs to uid {uid}, not to {owner}"), Fix::Owner("root".into())));
    }
    let who = match mode & OTHERS_WRITE {
        0 => return None,
        0o020 => "its group",
        0o002 => "others",
        _ => "its group and others",
    };
    Some((format!("is writable by {who} (mode {:04o})", mode & 0o7777), Fix::Mode))
}

fn kind(about: &std::fs::Metadata) -> &'static str {
    use std::os::unix::fs::FileTypeExt;
    let kind = about.file_type();
    match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () if kind.is_char_device() || kind.is_block_device() => "a device",
        () => "something else",
    }
}

fn cannot_open(name: &str, error: Errno) -> Problems {
    let (wrong, right) = match error {
        Errno::ENOENT => ("does not exist", "install the default one, or name another file"),
        Errno::ELOOP => ("is a symbolic link", "put the file itself there"),
        Errno::ENOTDIR => ("is below something that is no directory", "correct the path"),
        Errno::ENXIO => ("is a socket or a device, not a regular file", "put an ordinary file there"),
        Errno::EACCES => ("may not be read by this user", "check its owner and mode"),
        other => {
            let wrong = format!("cannot be opened ({})", other.desc());
            return Problem::of_file(name, wrong, "check the path and the disk").into();
        }
    };
    Problem::of_file(name, wrong, right).into()
}
