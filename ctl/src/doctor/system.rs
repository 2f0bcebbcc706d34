//! The host as `doctor` sees it: files below a root folder, and programs that run for a bounded time.

use std::fs;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use countersign_ctl::stack::open_file;

/// More than any file that is looked at, less than what fills memory.
const MAX_BYTES: u64 = 4 << 20;
/// The longest a program may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// What a program said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// What runs programs: this host, or a test's script.
type Programs = Box<dyn Fn(&[&str]) -> Option<Said>>;

/// A host.
pub(crate) struct System {
    root: PathBuf,
    programs: Programs,
}

/// Who owns a file, and its mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Guard {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) mode: u32,
}

impl System {
    /// This host.
    pub(crate) fn this() -> Self {
        Self { root: PathBuf::from("/"), programs: Box::new(run) }
    }

    /// A folder that looks like one, with programs that say what the test wants.
    #[cfg(test)]
    pub(crate) fn scripted(root: &Path, programs: impl Fn(&[&str]) -> Option<Said> + 'static) -> Self {
        Self { root: root.to_path_buf(), programs: Box::new(programs) }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where a file of the host is for us.
    pub(crate) fn real(&self, path: &str) -> PathBuf {
        self.root.join(path.trim_start_matches('/'))
    }

    /// A text file, cut off at 4 MiB; `None` where there is none that can be read.
    pub(crate) fn read(&self, path: &str) -> Option<String> {
        let file = open_file(&self.real(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(MAX_BYTES).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The last bytes of a text file; `None` where there is none that can be read.
    pub(crate) fn tail(&self, path: &str, count: u64) -> Option<String> {
        let mut file = open_file(&self.real(path)).ok()?;
        let length = file.metadata().ok()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(count))).ok()?;
        let mut bytes = Vec::new();
        file.take(count).read_to_end(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// The first bytes of a file.
    pub(crate) fn head(&self, path: &str, count: usize) -> Option<Vec<u8>> {
        let file = open_file(&self.real(path)).ok()?;
        let mut bytes = Vec::new();
        file.take(count as u64).read_to_end(&mut bytes).ok()?;
        Some(bytes)
    }

    pub(crate) fn exists(&self, path: &str) -> bool {
        self.real(path).exists()
    }

    pub(crate) fn guard(&self, path: &str) -> io::Result<Guard> {
        let meta = fs::metadata(self.real(path))?;
        Ok(Guard { uid: meta.uid(), gid: meta.gid(), mode: meta.mode() & 0o7777 })
    }

    /// What a symbolic link says; `None` for anything else.
    pub(crate) fn link(&self, path: &str) -> Option<PathBuf> {
        fs::read_link(self.real(path)).ok()
    }

    /// The names in a folder, sorted; none where there is no such folder.
    pub(crate) fn list(&self, path: &str) -> Vec<String> {
        let entries = fs::read_dir(self.real(path)).into_iter().flatten().flatten();
        let mut names: Vec<String> =
            entries.filter_map(|entry| entry.file_name().into_string().ok()).collect();
        names.sort();
        names
    }

    /// Runs a program of the host without our environment; `None` where there is none or it takes too long.
    pub(crate) fn run(&self, words: &[&str]) -> Option<Said> {
        (self.programs)(words)
    }

    /// uid and gid of a name, as often as `/etc/passwd` has it.
    pub(crate) fn accounts(&self, name: &str) -> Vec<(u32, u32)> {
        self.lines_of("/etc/passwd", name)
            .into_iter()
            .filter_map(|fields| Some((fields.get(2)?.parse().ok()?, fields.get(3)?.parse().ok()?)))
            .collect()
    }

    /// The fields behind each line of a colon-separated file that begins with this name.
    fn lines_of(&self, file: &str, name: &str) -> Vec<Vec<String>> {
        let text = self.read(file).unwrap_or_default();
        let fields = text.lines().map(|line| line.split(':').map(str::to_owned).collect::<Vec<_>>());
        fields.filter(|fields| fields.first().is_some_and(|first| first == name)).collect()
    }

    /// Somebody who is in a group; `None` where the files name nobody.
    pub(crate) fn member_of(&self, group: &str) -> Option<String> {
        let entry = self.lines_of("/etc/group", group).into_iter().next()?;
        let listed = entry.get(3).and_then(|members| members.split(',').next()).unwrap_or_default();
        if !listed.is_empty() {
            return Some(listed.to_owned());
        }
        let gid = entry.get(2)?;
        let passwd = self.read("/etc/passwd")?;
        let primary = passwd.lines().find(|line| line.split(':').nth(3) == Some(gid))?;
        primary.split(':').next().map(str::to_owned)
    }
}

fn run(words: &[&str]) -> Option<Said> {
    let (program, args) = words.split_first()?;
    let mut child = Command::new(program)
        .args(args)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let out = reader(child.stdout.take()?);
    let err = reader(child.stderr.take()?);
    let success = wait(&mut child)?;
    Some(Said { success, out: out.join().ok()?, err: err.join().ok()? })
}

/// Reads until the end of file, so that no program waits for us.
fn reader(mut from: impl io::Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        drop(from.by_ref().take(MAX_BYTES).read_to_end(&mut bytes));
        drop(io::copy(&mut from, &mut io::sink()));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

fn wait(child: &mut Child) -> Option<bool> {
    let until = Instant::now() + PATIENCE;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status.success()),
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                drop(child.kill());
                drop(child.wait());
                return None;
            }
        }
    }
}
