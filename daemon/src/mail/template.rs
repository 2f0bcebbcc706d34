//! Templates of letters: the administrator's over the package's over the one in this program.

use crate::error::Error;
use minijinja::{Environment, UndefinedBehavior, Value};
use nix::fcntl::OFlag;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// Where templates lie; the first that has one is taken.
const FOLDERS: [&str; 2] = ["/etc/countersign/templates", "/usr/share/countersign/templates"];
/// The largest template, in bytes.
const LARGEST: u64 = 16 * 1024;
/// The letter with a code, as it ships.
pub(super) const SHIPPED: &str = include_str!("../../../packaging/usr/share/countersign/templates/code.txt");
/// The name of the usual letter with a code.
const USUAL: &str = "code";

/// The text of a template, and how to call it in a message.
pub(super) struct Template {
    pub(super) name: String,
    pub(super) text: String,
}

impl Template {
    /// The one that ships, which always renders.
    pub(super) fn shipped() -> Self {
        Self { name: USUAL.into(), text: SHIPPED.into() }
    }

    /// Reads a template; an empty name is the usual one.
    ///
    /// # Errors
    /// When there is none of that name, or others than root could have written it.
    pub(super) fn read(name: &str) -> Result<Self, Error> {
        let name = if name.is_empty() { USUAL } else { name };
        // The configuration allows a-z, 0-9, - and _; a name is never a path.
        if !name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_".contains(&b)) {
            return Err(Error::InvalidArgument(format!("\"{name}\" is no name of a template")));
        }
        for folder in FOLDERS {
            let path = PathBuf::from(folder).join(format!("{name}.txt"));
            if let Some(text) = read(&path)? {
                return Ok(Self { name: path.display().to_string(), text });
            }
        }
        if name == USUAL {
            return Ok(Self::shipped());
        }
        Err(Error::InvalidArgument(format!(
            "there is no template {}/{name}.txt; write it, or leave `template` out",
            FOLDERS[0]
        )))
    }

    /// Renders to subject and text.
    ///
    /// # Errors
    /// With file, line and column of what is wrong.
    pub(super) fn render(&self, values: Value) -> Result<(String, Zeroizing<String>), Error> {
        let mut jinja = Environment::new();
        jinja.set_undefined_behavior(UndefinedBehavior::Strict);
        // It is plain text: nothing is escaped, and a name is one line whatever it holds.
        jinja.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
        let text = jinja.render_str(&self.text, values).map_err(|e| self.at(&e))?;
        let text = Zeroizing::new(text);
        let (subject, body) = text
            .split_once("\n\n")
            .and_then(|(head, body)| Some((head.strip_prefix("Subject: ")?, body)))
            .filter(|(subject, _)| !subject.contains('\n'))
            .ok_or_else(|| {
                let wrong = "begin with a line `Subject: ...` and an empty line";
                Error::InvalidArgument(format!("{}:1:1: {wrong}", self.name))
            })?;
        Ok((subject.chars().take(120).collect(), Zeroizing::new(body.to_owned())))
    }

    fn at(&self, e: &minijinja::Error) -> Error {
        let line = e.line().unwrap_or(1);
        let start = e.range().map_or(0, |range| range.start).min(self.text.len());
        let before = self.text.get(..start).unwrap_or_default();
        let column = before.rsplit('\n').next().map_or(1, |part| part.chars().count() + 1);
        let why = e.detail().map_or_else(|| e.kind().to_string(), |detail| format!("{}: {detail}", e.kind()));
        Error::InvalidArgument(format!("{}:{line}:{column}: {why}", self.name))
    }
}

/// The text of a file; `None` where there is none.
fn read(path: &Path) -> Result<Option<String>, Error> {
    let shown = path.display();
    let bad = |why: &str| Error::InvalidArgument(format!("{shown}: {why}"));
    let opened = OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path);
    let file = match opened {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(bad(&e.to_string())),
    };
    let meta = file.metadata().map_err(|e| bad(&e.to_string()))?;
    if !meta.is_file() || meta.len() > LARGEST {
        return Err(bad("is not a regular file of at most 16 KiB"));
    }
    if meta.uid() != 0 || meta.mode() & 0o022 != 0 {
        return Err(bad("could have been written by others than root; run chown root, chmod go-w"));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(|e| bad(&e.to_string()))?;
    Ok(Some(text))
}
