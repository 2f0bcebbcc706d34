//! Where stack files are.

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Where services are looked for, in libpam's order.
const FOLDERS: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// More than any stack file, less than what fills memory.
const MAX_BYTES: u64 = 1 << 20;

/// The folders of one host.
#[derive(Debug, Clone)]
pub struct Folders {
    root: PathBuf,
    dirs: Vec<PathBuf>,
}

/// How a line names another file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// As a service, or by `include` and `substack`.
    Word,
    /// By Debian's `@include`, which looks into `/etc/pam.d` alone, whatever folder the service is from.
    At,
}

/// A line of a file.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// The file as its host names it.
    pub file: PathBuf,
    /// From 1; 0 for a file as a whole.
    pub line: usize,
}

/// A stack file's text.
pub(super) struct Source {
    pub(super) path: PathBuf,
    pub(super) text: String,
}

impl Folders {
    /// `/etc/pam.d` and `/usr/lib/pam.d` below `root`; `/` is this host.
    #[must_use]
    pub fn below(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into(), dirs: FOLDERS.iter().map(PathBuf::from).collect() }
    }

    /// One folder alone, as `pam_start_confdir(3)` takes it.
    #[must_use]
    pub fn alone(dir: impl Into<PathBuf>) -> Self {
        Self { root: PathBuf::from("/"), dirs: vec![dir.into()] }
    }

    /// Where a file of the host is for us.
    #[must_use]
    pub fn real(&self, path: &Path) -> PathBuf {
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// The names of all services, sorted. What packages leave behind and what they include is not one.
    ///
    /// # Errors
    /// A folder that exists and cannot be read.
    pub fn services(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for dir in &self.dirs {
            let entries = match fs::read_dir(self.real(dir)) {
                Ok(entries) => entries,
                Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
                Err(error) => return Err(error),
            };
            for entry in entries {
                let entry = entry?;
                let Ok(name) = entry.file_name().into_string() else { continue };
                if is_service(&name) && fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file()) {
                    names.push(name);
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// Whether there is any folder; without one libpam reads `/etc/pam.conf`, which is not read here.
    #[must_use]
    pub fn exist(&self) -> bool {
        self.dirs.iter().any(|dir| self.real(dir).is_dir())
    }

    /// Reads what a service or an include names.
    pub(super) fn open(&self, name: &str, by: By) -> io::Result<Source> {
        // An absolute name replaces the folder that it is joined to.
        let candidates: Vec<PathBuf> = match by {
            By::At => vec![Path::new(FOLDERS[0]).join(name)],
            By::Word if name.starts_with('/') => vec![PathBuf::from(name)],
            By::Word => self.dirs.iter().map(|dir| dir.join(name)).collect(),
        };
        let mut last = io::Error::from(io::ErrorKind::NotFound);
        for path in candidates {
            match read(&self.real(&path)) {
                Ok(text) => return Ok(Source { path, text }),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
}

/// A service's name has no dot but in what dpkg, rpm and editors leave behind; `common-*` and the files of
/// authselect are there to be included.
fn is_service(name: &str) -> bool {
    const INCLUDED: [&str; 8] = [
        "system-auth",
        "system-auth-ac",
        "system-login",
        "system-local-login",
        "system-remote-login",
        "password-auth",
        "fingerprint-auth",
        "smartcard-auth",
    ];
    let left_behind = name.contains('.') || name.ends_with('~') || name.starts_with('#');
    !left_behind && !name.starts_with("common-") && !INCLUDED.contains(&name) && name != "postlogin"
}

/// Opens a regular file, and waits for no pipe in its place.
///
/// # Errors
/// When there is none, it is something else, or may not be read.
pub fn open_file(path: &Path) -> io::Result<fs::File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let at_once = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let file = fs::File::options().read(true).custom_flags(at_once).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("not a file")) }
}

fn read(path: &Path) -> io::Result<String> {
    use std::io::Read as _;
    let file = open_file(path)?;
    let mut bytes = Vec::new();
    file.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::other("larger than 1 MiB"));
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}", self.file.display()),
            line => write!(f, "{}:{line}", self.file.display()),
        }
    }
}
