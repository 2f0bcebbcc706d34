//! `countersign.toml`: from text to a checked [`Config`], or to every problem with its place.
//!
//! What somebody typed and what it means are two types. [`raw`] holds the keys that were written,
//! with their types checked and their places kept; [`check`] turns that into a [`Config`] or into
//! problems. A new key is one line in a key table of `raw`, one field in each type, and one rule
//! in `check`.
//!
//! Nothing is lenient here: an unknown key is an error, because a misspelt `groups` that is
//! ignored would silently change who is asked for a second factor.

#![forbid(unsafe_code)]

mod address;
mod check;
mod config;
mod duration;
mod file;
mod folder;
mod groups;
mod letter;
mod mail;
mod network;
mod place;
mod problem;
mod raw;
mod shadow;
mod suggest;
mod words;

use std::cell::RefCell;
use std::path::Path;
use std::time::Duration;

pub use address::{Address, Pattern as AddressPattern, is_address};
pub use config::{
    Apply, Config, DEFAULT_ISSUER, Deadline, Enroll, Except, Factor, GroupRef, Log, Networks, Policy, Qr,
    Recovery, Reload, Require, Reset, Status, Throttle, Totp,
};
pub use groups::group_names;
pub use letter::{
    CodeValues, Letter, NoticeValue, NoticeValues, Rendered, Template, problems as template_problems,
};
pub use mail::{AddressSource, Email, MailLogin, Mailbox, Tls};
pub use network::Network;
pub use problem::{Problem, Problems};

use file::Trust;
use problem::Report;

/// The largest file that is read, in bytes.
pub const MAX_FILE: usize = 1024 * 1024;
/// The most files that are read from `conf.d`.
pub const MAX_DROP_INS: usize = 100;
/// The most `[[policy]]` blocks in all files together.
pub const MAX_POLICIES: usize = 1000;
/// The most entries in one list, such as `groups`, `services` or `networks.only`.
pub const MAX_NAMES: usize = 100;
/// The longest `remember`.
pub const MAX_REMEMBER: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// A date as the configuration reads it, in seconds since 1970: the first second behind a day (UTC), or
/// the second of a moment that names its distance to UTC.
///
/// # Errors
///
/// What is wrong with a moment that means something else on each host; nothing for what is no date.
pub fn end_of(date: &str) -> Result<i64, Option<String>> {
    let date: toml::value::Datetime = date.parse().map_err(|_| None)?;
    check::date::end(&date).map_err(|(wrong, right)| Some(format!("{wrong}; {right}")))
}

/// Reads and checks a configuration file and the drop-ins in `conf.d` beside it.
///
/// # Errors
///
/// Everything that is wrong, in the order of the files and of their lines; what [`read`] refuses
/// comes before anything is parsed.
pub fn load(path: &Path, also_owner: Option<u32>) -> Result<Config, Problems> {
    parse_all(&read(path, also_owner)?)
}

/// Reads a configuration file and the drop-ins in `conf.d` beside it: name and bytes of each, in
/// the order that [`parse_all`] wants.
///
/// Drop-ins are the files `*.toml` that do not begin with a dot, in the order of the bytes of their
/// names. The files and the folders that hold them must belong to root or to `also_owner` (the uid
/// of a private set-up) and must not be writable by their group or by others. Each file must be a
/// regular file with one name, not a link, of at most [`MAX_FILE`] bytes.
///
/// # Errors
///
/// Every file and folder that is not so.
pub fn read(path: &Path, also_owner: Option<u32>) -> Result<Vec<(String, Vec<u8>)>, Problems> {
    folder::read(path, &Trust::Installed(also_owner))
}

/// A configuration that somebody works at.
#[derive(Debug)]
pub struct Draft {
    /// Name and bytes of each file, as [`read`] gives them.
    pub files: Vec<(String, Vec<u8>)>,
    /// What of owners and modes [`read`] would refuse where the file is installed.
    pub warnings: Vec<Problem>,
}

/// As [`read`], for a file that is not in force. It may belong to one of `owners`, and lie in a folder like
/// `/tmp`; other owners and modes are said and not refused.
///
/// # Errors
///
/// Every other thing that [`read`] refuses.
pub fn read_draft(path: &Path, owners: &[u32]) -> Result<Draft, Problems> {
    let trust = Trust::Draft(owners, RefCell::default());
    let files = folder::read(path, &trust)?;
    let Trust::Draft(_, said) = trust else { return Ok(Draft { files, warnings: Vec::new() }) };
    Ok(Draft { files, warnings: said.into_inner() })
}

/// Checks the text of a configuration without drop-ins; `file` is the name that messages show.
///
/// # Errors
///
/// Everything that is wrong with the text, in the order of its lines.
pub fn parse(file: &str, text: &str) -> Result<Config, Problems> {
    parse_all(&[(file, text)])
}

/// Checks the bytes of several files as one configuration: the main file first, then its drop-ins.
///
/// # Errors
///
/// Everything that is wrong with them, in the order of the files and of their lines.
pub fn parse_all(files: &[(impl AsRef<str>, impl AsRef<[u8]>)]) -> Result<Config, Problems> {
    if files.is_empty() {
        return Err(Problem::of_file("configuration", "is no file at all", "name at least one").into());
    }
    let texts: Vec<_> = files.iter().map(|(_, bytes)| file::as_text(bytes.as_ref())).collect();
    let valid = texts.iter().map(|text| match text {
        Ok(text) => *text,
        Err(not_text) => not_text.valid,
    });
    let names = files.iter().map(|(name, _)| name.as_ref());
    let mut problems = Report::new(names.clone().zip(valid).collect());
    for (file, text) in texts.iter().enumerate() {
        if let Err(not_text) = text {
            not_text.report(file, &mut problems);
        }
    }
    // What the other files hold is still looked at, but not judged: a part of the whole is missing.
    let all_are_text = problems.is_empty();
    let texts: Vec<&str> = texts.into_iter().map(Result::unwrap_or_default).collect();
    let sources = names.map(str::to_owned).collect();
    let config = raw::read(&texts, &mut problems)
        .filter(|_| all_are_text)
        .and_then(|raw| check::check(raw, sources, file::hash(files), &mut problems));
    problems.finish(config)
}
