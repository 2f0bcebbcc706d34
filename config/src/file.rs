//! Opening a file once, without trusting what lies there, and reading it whole.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::Mode;
use sha2::{Digest, Sha256};

use crate::place::Spot;
use crate::problem::{Problem, Problems, Report};
use crate::{MAX_FILE, words};

/// Writable by group or others.
const OTHERS_WRITE: u32 = 0o022;
/// Only the owner of a file can rename or remove it.
const STICKY: u32 = 0o1000;

/// The bytes of a file that only those who are trusted could have written; `name` is for messages.
pub(crate) fn read(
    folder: impl AsFd,
    file_name: &OsStr,
    name: &str,
    trust: &Trust<'_>,
) -> Result<Vec<u8>, Problems> {
    let problem = |wrong: String, right: String| Problems::from(Problem::of_file(name, wrong, right));
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
    let flags = OFlag::O_RDONLY | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
    let opened = openat(folder, file_name, flags | OFlag::O_NOCTTY, Mode::empty())
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
    if let Some((wrong, right)) = trust.distrusts(before.uid(), before.mode()) {
        trust.judge(Problem::of_file(name, wrong, fix(&right, &shown)))?;
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

/// Why bytes are no text.
pub(crate) struct NotText<'b> {
    /// What comes before the first byte that is wrong.
    pub(crate) valid: &'b str,
    /// Whether that place is worth naming.
    placed: bool,
    wrong: String,
    right: &'static str,
}

impl NotText<'_> {
    pub(crate) fn report(&self, file: usize, problems: &mut Report<'_>) {
        if self.placed {
            let spot = Spot { file, offset: self.valid.len() };
            problems.at_syntax(spot, &*self.wrong, self.right);
        } else {
            problems.whole(file, &*self.wrong, self.right);
        }
    }
}

/// The bytes as text.
pub(crate) fn as_text(bytes: &[u8]) -> Result<&str, NotText<'_>> {
    let refuse = |valid, wrong: &str, right| Err(NotText { valid, placed: true, wrong: wrong.into(), right });
    if bytes.len() > MAX_FILE {
        let wrong = format!("is larger than {MAX_FILE} bytes");
        let right = "a configuration is a few hundred lines at most";
        return Err(NotText { valid: "", placed: false, wrong, right });
    }
    match bytes {
        [0xEF, 0xBB, 0xBF, ..] => refuse(
            "",
            "begins with a byte order mark (BOM)",
            "save it as UTF-8 without BOM; sed -i '1s/^\\xef\\xbb\\xbf//' FILE takes it away",
        ),
        [0xFE, 0xFF, ..] | [0xFF, 0xFE, ..] => refuse("", "is UTF-16", "save it as UTF-8 without BOM"),
        _ => std::str::from_utf8(bytes).or_else(|error| {
            let valid = std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default();
            refuse(valid, "is not valid UTF-8", "save it as UTF-8")
        }),
    }
}

/// SHA-256 in lower-case hex: of the bytes of a single file, which `sha256sum` shows as well; of
/// several, of what tells them apart. The folder is left out, so that a copy has the same hash.
pub(crate) fn hash(files: &[(impl AsRef<str>, impl AsRef<[u8]>)]) -> String {
    let mut digest = Sha256::new();
    if let [(_, bytes)] = files {
        digest.update(bytes.as_ref());
    } else {
        for (name, bytes) in files {
            let name = name.as_ref().rsplit('/').next().unwrap_or_default();
            // The lengths begin with a zero byte, which no single valid file does.
            for part in [name.as_bytes(), bytes.as_ref()] {
                digest.update((part.len() as u64).to_be_bytes());
                digest.update(part);
            }
        }
    }
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who may have written what is read.
pub(crate) enum Trust<'d> {
    /// Root, or this uid of a private set-up. What others could have written is refused.
    Installed(Option<u32>),
    /// Root and these: nothing is in force by a draft. What others could have written is said.
    Draft(&'d [u32], RefCell<Vec<Problem>>),
}

impl Trust<'_> {
    /// Why a file or folder with this owner and mode is not trusted.
    pub(crate) fn distrusts(&self, uid: u32, mode: u32) -> Option<(String, Fix)> {
        match self {
            Self::Installed(also_owner) => distrust(uid, mode, also_owner.as_slice()),
            Self::Draft(owners, _) => distrust(uid, mode, owners),
        }
    }

    /// Whether in the folder of a draft nobody can replace what belongs to somebody else (sticky(7)).
    pub(crate) fn takes_sticky(&self, mode: u32) -> bool {
        matches!(self, Self::Draft(..)) && mode & STICKY != 0
    }

    /// What comes of it.
    pub(crate) fn judge(&self, problem: Problem) -> Result<(), Problems> {
        match self {
            Self::Installed(_) => Err(problem.into()),
            Self::Draft(_, said) => {
                said.borrow_mut().push(problem);
                Ok(())
            }
        }
    }
}

/// How to make the owner or the mode right.
pub(crate) enum Fix {
    Owner(String),
    Mode,
}

pub(crate) fn fix(fix: &Fix, path: &str) -> String {
    match fix {
        Fix::Owner(owner) => format!("chown {owner} {path}"),
        Fix::Mode => format!("chmod go-w {path}"),
    }
}

/// Why a file or folder with this owner and mode could have been changed by somebody else than root and these.
fn distrust(uid: u32, mode: u32, owners: &[u32]) -> Option<(String, Fix)> {
    if uid != 0 && !owners.contains(&uid) {
        let owner = match owners.iter().find(|own| **own != 0) {
            Some(own) => format!("root or uid {own}"),
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

pub(crate) fn cannot_open(name: &str, error: Errno) -> Problems {
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
