//! What may be typed next, for the completions of shells: `countersignctl complete -- WORD...`.
//!
//! One candidate a line, with what it is behind a tab; `:files` asks the shell for names of files. Taken
//! from the one definition of the command line, so that no shell has a copy of it. Quiet about
//! everything that goes wrong, and done within a second: somebody is waiting at a half-typed line.

mod live;
mod walk;

use std::ffi::OsString;
use std::sync::mpsc;
use std::time::Duration;

use clap::CommandFactory;

use crate::cli::Cli;
use crate::errors::Failure;
use crate::output::Output;

/// The longest that somebody waits for a list.
const PATIENCE: Duration = Duration::from_secs(1);
/// More than this no shell shows in a useful way.
const MOST: usize = 4000;

/// Something that may be typed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Candidate {
    word: String,
    help: String,
}

impl Candidate {
    fn new(word: impl Into<String>, help: impl Into<String>) -> Self {
        Self { word: word.into(), help: help.into() }
    }
}

/// Prints what may stand in place of the last word.
///
/// # Errors
/// When standard output cannot be written.
pub(crate) fn run(words: &[OsString], bus: &str) -> Result<(), Failure> {
    let words: Vec<String> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let (before, current) = match words.split_last() {
        Some((current, before)) => (before, current.as_str()),
        None => (&[][..], ""),
    };
    let mut root = Cli::command();
    root.build();
    let next = walk::next(&root, before, current);
    let mut candidates = next.candidates;
    if let Some(kind) = next.live {
        candidates
            .extend(in_time(kind, bus.to_owned()).into_iter().map(|word| Candidate::new(word, kind.is())));
    }
    let mut out = Output::stdout();
    for candidate in fitting(candidates, &next.prefix, current) {
        out.line(&format!("{}{}\t{}", next.prefix, candidate.word, candidate.help))?;
    }
    if next.files {
        out.line(":files")?;
    }
    out.flush()
}

/// Those that begin with what is typed, each once, in order.
fn fitting(mut candidates: Vec<Candidate>, prefix: &str, current: &str) -> Vec<Candidate> {
    let typed = current.strip_prefix(prefix).unwrap_or(current);
    candidates.retain(|candidate| candidate.word.starts_with(typed) && is_plain(&candidate.word));
    candidates.sort();
    candidates.dedup_by(|a, b| a.word == b.word);
    candidates.truncate(MOST);
    candidates
}

/// A word that a shell reads as itself, spaces apart, and no terminal obeys. Others have to be typed.
fn is_plain(word: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.@+- ".contains(c);
    !word.is_empty() && word.len() <= 256 && word.trim() == word && word.chars().all(plain)
}

/// Whatever comes of it in time. The thread that is late ends with the process.
fn in_time(kind: live::Kind, bus: String) -> Vec<String> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || live::names(kind, &bus, &tell));
    let until = std::time::Instant::now() + PATIENCE;
    let mut names = Vec::new();
    while let Some(left) = until.checked_duration_since(std::time::Instant::now()) {
        match told.recv_timeout(left) {
            Ok(more) => names.extend::<Vec<String>>(more),
            Err(_) => break,
        }
    }
    // A name that looks like an option would be taken for one.
    names.retain(|name| !name.starts_with('-'));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inp_03_only_plain_words_reach_a_shell() {
        for word in
            ["", " a", "$(reboot)", "a\tb", "a\u{1b}[2J", "`x`", "a;b", "a\\b", "j\u{f6}rg", "*", "~root"]
        {
            assert!(!is_plain(word), "{word:?}");
        }
        for word in ["alice", "a.b-c_d", "everyone else", "bob@example.org", "--accept-weaker"] {
            assert!(is_plain(word), "{word:?}");
        }
    }

    #[test]
    fn what_is_typed_chooses() {
        let all = vec![Candidate::new("bob", ""), Candidate::new("alice", ""), Candidate::new("alice", "")];
        assert_eq!(fitting(all.clone(), "", "al"), [Candidate::new("alice", "")]);
        assert_eq!(fitting(all.clone(), "--user=", "--user=b"), [Candidate::new("bob", "")]);
        assert_eq!(fitting(all, "", "").len(), 2);
    }
}
