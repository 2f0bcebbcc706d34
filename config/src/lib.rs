//! `countersign.toml`: from text to a checked [`Config`], or to every problem with its place.
//!
//! What somebody typed and what it means are two types. [`raw`] holds the keys that were written,
//! with their types checked and their places kept; [`check`] turns that into a [`Config`] or into
//! problems. A new key is one line in the key table of `raw`, one field in each type, and one rule
//! in `check`.
//!
//! Nothing is lenient here: an unknown key is an error, because a misspelt `groups` that is
//! ignored would silently change who is asked for a second factor.

#![forbid(unsafe_code)]

mod check;
mod file;
mod place;
mod problem;
mod raw;
mod shadow;
mod suggest;
mod words;

use std::path::Path;

pub use problem::{Problem, Problems};

/// The largest file that is read, in bytes.
pub const MAX_FILE: usize = 1024 * 1024;
/// The most `[[policy]]` blocks in one file.
pub const MAX_POLICIES: usize = 256;
/// The most names in one `groups` or `services` list.
pub const MAX_NAMES: usize = 100;
/// The issuer when the file names none.
pub const DEFAULT_ISSUER: &str = "Countersign";

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name above the codes in the authenticator app.
    pub issuer: String,
    /// Shown to the person when a login is denied or locked after the first factor.
    pub help: Option<String>,
    /// In the order of the file: the first that matches decides. Never empty.
    pub policies: Vec<Policy>,
    /// SHA-256 of the file's bytes, in lower-case hex.
    pub hash: String,
}

/// One `[[policy]]` block: whom and what it matches, and what then holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Unique in the file; stands in the attempt log.
    pub name: String,
    /// Whether a match asks, only logs, or does nothing.
    pub status: Status,
    /// Whether people without a factor are refused or let through.
    pub require: Require,
    /// Members of any of these; `None` is everyone. Never an empty list.
    pub groups: Option<Vec<GroupRef>>,
    /// These PAM services; `None` is all of them. Never an empty list.
    pub services: Option<Vec<String>>,
    /// Replaces the issuer for the people of this policy.
    pub label: Option<String>,
}

/// A group as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// The group's name, without the `?`.
    pub name: String,
    /// Written with a trailing `?`: this host may lack the group.
    pub may_be_missing: bool,
}

/// What a policy does to the logins it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Ask for a second factor.
    Enforce,
    /// Log what would have happened, and ask nothing.
    Report,
    /// Ask nothing.
    Off,
}

/// Whom a policy requires a factor of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Everyone it matches; who has no factor is refused.
    Everyone,
    /// Only those who have a factor; the others pass, and the log says so.
    Enrolled,
}

/// Reads and checks a configuration file.
///
/// The file and the folder that holds it must belong to root or to `also_owner` (the uid of a
/// private set-up) and must not be writable by their group or by others. The file must be a
/// regular file with one name, not a link, of at most [`MAX_FILE`] bytes.
///
/// # Errors
///
/// Everything that is wrong with the file, in the order of its lines.
pub fn load(path: &Path, also_owner: Option<u32>) -> Result<Config, Problems> {
    let name = path.display().to_string();
    let bytes = file::read(path, &name, also_owner)?;
    parse_bytes(&name, &bytes)
}

/// Checks the text of a configuration; `file` is the name that messages show.
///
/// # Errors
///
/// Everything that is wrong with the text, in the order of its lines.
pub fn parse(file: &str, text: &str) -> Result<Config, Problems> {
    parse_bytes(file, text.as_bytes())
}

fn parse_bytes(file: &str, bytes: &[u8]) -> Result<Config, Problems> {
    let text = file::as_text(file, bytes)?;
    let mut problems = problem::Report::new(file, text);
    let config =
        raw::read(text, &mut problems).and_then(|raw| check::check(raw, &file::hash(bytes), &mut problems));
    problems.finish(config)
}
