//! Templates: the administrator's over the package's over the one in this program.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use nix::fcntl::OFlag;
use serde::Serialize;
use zeroize::Zeroizing;

use super::{Letter, Rendered};
use crate::place::Place;
use crate::problem::Problem;
use crate::words::is_unprintable;

/// Where templates lie; the first that has one is taken.
const FOLDERS: [&str; 2] = ["/etc/countersign/templates", "/usr/share/countersign/templates"];
/// What the template in this program is called in messages.
const BUILT_IN: &str = "the template that ships";
/// The largest template, in bytes.
const LARGEST: u64 = 16 * 1024;
/// The longest subject, in characters and in bytes.
const LONGEST_SUBJECT: (usize, usize) = (120, 255);
/// The longest text, in bytes: what the mailer takes.
const LONGEST_TEXT: usize = 16 * 1024;

/// The text of a template, and how to call it in a message.
#[derive(Debug)]
pub struct Template {
    pub(super) letter: Letter,
    pub(super) file: String,
    pub(super) text: String,
}

impl Template {
    /// The one in this program, which always renders.
    #[must_use]
    pub fn shipped(letter: Letter) -> Self {
        Self { letter, file: BUILT_IN.into(), text: letter.shipped().into() }
    }

    /// Reads a template; without a name, the usual one of this kind of letter.
    ///
    /// # Errors
    /// When there is none of that name, others than root could have written it, or it is no text.
    pub fn read(letter: Letter, name: Option<&str>) -> Result<Self, Problem> {
        let usual = letter.as_str();
        let name = name.unwrap_or(usual);
        // The configuration allows a-z, 0-9, - and _; a name is never a path.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return Err(Problem::of_file(name, "is no name of a template", "use a-z, 0-9, - and _"));
        }
        for folder in FOLDERS {
            let path = PathBuf::from(folder).join(format!("{name}.txt"));
            if let Some(text) = read(&path)? {
                let template = Self { letter, file: path.display().to_string(), text };
                return template.printable();
            }
        }
        if name == usual {
            return Ok(Self::shipped(letter));
        }
        let file = format!("{}/{name}.txt", FOLDERS[0]);
        Err(Problem::of_file(&file, "is not there", "write this template, or leave `template` out"))
    }

    /// Its file; nothing for the one in this program.
    #[must_use]
    pub fn file(&self) -> &str {
        if self.file == BUILT_IN { "" } else { &self.file }
    }

    /// Renders to subject and text.
    ///
    /// # Errors
    /// With file, line and column of what is wrong.
    pub fn render(&self, values: &impl Serialize) -> Result<Rendered, Problem> {
        let mut jinja = Environment::new();
        jinja.set_undefined_behavior(UndefinedBehavior::Strict);
        // It is plain text: nothing is escaped, and a value is one line whatever it holds.
        jinja.set_auto_escape_callback(|_| AutoEscape::None);
        let text = Zeroizing::new(jinja.render_str(&self.text, values).map_err(|e| self.jinja(&e))?);
        let (subject, body) = text
            .split_once("\n\n")
            .and_then(|(head, body)| Some((head.strip_prefix("Subject: ")?, body)))
            .filter(|(subject, _)| !subject.contains('\n'))
            .ok_or_else(|| {
                self.at(0, "has no subject", "begin with a line `Subject: ...` and an empty line")
            })?;
        if body.len() > LONGEST_TEXT {
            return Err(self.at(0, "makes a letter of more than 16 KiB", "say less"));
        }
        let (characters, bytes) = LONGEST_SUBJECT;
        let mut short = String::new();
        for c in subject.chars().take(characters) {
            if short.len() + c.len_utf8() > bytes {
                break;
            }
            short.push(c);
        }
        Ok(Rendered { subject: short, text: Zeroizing::new(body.to_owned()) })
    }

    /// Something wrong at a byte of the text.
    pub(super) fn at(&self, byte: usize, wrong: impl Into<String>, right: impl Into<String>) -> Problem {
        Problem::in_text(&self.file, Place::of(self.text.as_bytes(), byte), wrong.into(), right.into())
    }

    fn jinja(&self, e: &minijinja::Error) -> Problem {
        let why = e.detail().map_or_else(|| e.kind().to_string(), |detail| format!("{}: {detail}", e.kind()));
        let right = format!("the values are {}", self.letter.names().join(", "));
        match e.range() {
            Some(range) => self.at(range.start, why, right),
            // Where only the line is known, it is the whole line.
            None => {
                let lines = self.text.split_inclusive('\n').take(e.line().unwrap_or(1).saturating_sub(1));
                self.at(lines.map(str::len).sum(), why, right)
            }
        }
    }

    fn printable(self) -> Result<Self, Problem> {
        let bad = self.text.char_indices().find(|(_, c)| *c != '\n' && is_unprintable(*c));
        match bad {
            Some((byte, c)) => {
                let wrong = format!("holds the character U+{:04X}", u32::from(c));
                Err(self.at(byte, wrong, "write plain text, with spaces and line ends only"))
            }
            None => Ok(self),
        }
    }
}

/// The text of a file; `None` where there is none.
fn read(path: &Path) -> Result<Option<String>, Problem> {
    let shown = path.display().to_string();
    let bad = |wrong: String, right: &str| Problem::of_file(&shown, wrong, right);
    let again = "look at the file and its folder";
    // O_NONBLOCK: a FIFO in the file's place must not hang us.
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(bad(format!("cannot be read: {e}"), again)),
    };
    let meta = file.metadata().map_err(|e| bad(format!("cannot be read: {e}"), again))?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(bad("is no regular file of at most 16 KiB".into(), "write one"));
    }
    if meta.uid() != 0 || meta.mode() & 0o022 != 0 {
        let right = "run chown root, chmod go-w";
        return Err(bad("could have been written by others than root".into(), right));
    }
    let mut text = String::new();
    file.take(LARGEST)
        .read_to_string(&mut text)
        .map_err(|e| bad(format!("cannot be read: {e}"), "write it as UTF-8 text"))?;
    Ok(Some(text.replace("\r\n", "\n")))
}
