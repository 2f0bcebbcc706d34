//! Passphrases: typed without an echo, or read from a file. Never an argument, which everybody sees.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;

use rustix::termios::{LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use crate::cli::Passphrase;
use crate::errors::Failure;
use crate::import::file;
use crate::terminal::{ask, complain, read_line, safe};
use crate::text;

/// Characters of the shortest passphrase that is taken for something new.
const SHORTEST: usize = 12;
/// Bytes of a file with one.
const LARGEST_FILE: u64 = 4096;
/// Bytes of the longest passphrase that is typed.
const LONGEST: usize = 1024;
/// What Ctrl-C, Ctrl-D and Ctrl-Z type while the terminal does not act on them.
const GIVE_UP: [u8; 3] = [3, 4, 26];

/// One for something new, typed twice.
///
/// # Errors
/// When there is none, it is short, or both are not the same.
pub(crate) fn new(from: &Passphrase) -> Result<Zeroizing<String>, Failure> {
    let first = get(from, text::NEW_PASSPHRASE)?;
    if first.chars().count() < SHORTEST {
        return Err(Failure::failed(text::SHORT_PASSPHRASE));
    }
    if from.passphrase_file.is_none() && typed(text::PASSPHRASE_AGAIN)? != first {
        return Err(Failure::failed(text::TWO_PASSPHRASES));
    }
    Ok(first)
}

/// One that opens something.
///
/// # Errors
/// When there is none.
pub(crate) fn known(from: &Passphrase) -> Result<Zeroizing<String>, Failure> {
    get(from, text::PASSPHRASE)
}

fn get(from: &Passphrase, question: &str) -> Result<Zeroizing<String>, Failure> {
    match &from.passphrase_file {
        None => typed(question),
        Some(path) if path.as_os_str() == "-" => line()?.ok_or_else(none),
        Some(path) => from_file(path),
    }
}

fn from_file(path: &Path) -> Result<Zeroizing<String>, Failure> {
    let caller = rustix::process::geteuid().as_raw();
    let contents = file::read(path, caller, LARGEST_FILE).map_err(|unread| {
        let shown = safe(&OsStr::to_string_lossy(path.as_os_str()));
        Failure::failed(text::no_passphrase_file(&shown, &unread.sentence()))
    })?;
    let first = contents.bytes.split(|c| *c == b'\n').next().unwrap_or_default();
    let text = std::str::from_utf8(first).map_err(|_| none())?;
    if text.is_empty() { Err(none()) } else { Ok(Zeroizing::new(text.to_owned())) }
}

fn line() -> Result<Option<Zeroizing<String>>, Failure> {
    let read = read_line().map_err(|error| Failure::failed(text::cannot_read(&safe(&error.to_string()))))?;
    let text = read.filter(|line| !line.is_empty()).map(|line| String::from_utf8(line.to_vec()));
    text.transpose().map(|text| text.map(Zeroizing::new)).map_err(|_| none())
}

fn none() -> Failure {
    Failure::failed(text::NO_PASSPHRASE)
}

/// Asks at the terminal, which shows nothing of it.
fn typed(question: &str) -> Result<Zeroizing<String>, Failure> {
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::PASSPHRASE_NEEDS_TERMINAL));
    }
    let quiet = Quiet::begin()?;
    ask(question);
    let answer = typed_line();
    drop(quiet);
    complain("");
    answer.map_err(|error| Failure::failed(text::cannot_read(&error.to_string())))?.ok_or_else(none)
}

/// One line; `None` where somebody gives up, or types nothing.
fn typed_line() -> std::io::Result<Option<Zeroizing<String>>> {
    let mut input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST));
    let mut byte = Zeroizing::new([0_u8]);
    // Byte by byte, so that nothing of it stays behind in a buffer.
    while input.read(byte.as_mut_slice())? == 1 && byte[0] != b'\n' {
        if GIVE_UP.contains(&byte[0]) || line.len() == LONGEST {
            return Ok(None);
        }
        line.push(byte[0]);
    }
    Ok(std::str::from_utf8(&line)
        .ok()
        .filter(|text| !text.is_empty())
        .map(|text| Zeroizing::new(text.to_owned())))
}

/// A terminal without echo, and as it was once dropped. Signals are keys like others meanwhile, so that
/// nothing ends us before it is as it was.
struct Quiet(Termios);

impl Quiet {
    fn begin() -> Result<Self, Failure> {
        let failed = |error: rustix::io::Errno| Failure::failed(text::cannot_read(&error.to_string()));
        let before = tcgetattr(std::io::stdin()).map_err(failed)?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO | LocalModes::ISIG);
        // Ctrl-C ends the line too.
        quiet.special_codes[SpecialCodeIndex::VEOL] = GIVE_UP[0];
        tcsetattr(std::io::stdin(), OptionalActions::Flush, &quiet).map_err(failed)?;
        Ok(Self(before))
    }
}

impl Drop for Quiet {
    fn drop(&mut self) {
        // Where it fails the terminal is gone.
        let _ = tcsetattr(std::io::stdin(), OptionalActions::Now, &self.0);
    }
}
