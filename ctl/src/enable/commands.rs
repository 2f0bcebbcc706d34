//! Programs of the system, without the caller's environment.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No folder of anybody else's.
const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";
/// The slowest of them, pam-auth-update, takes a second.
const PATIENCE: Duration = Duration::from_secs(60);

/// What a program said and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Ended {
    pub(super) success: bool,
    /// Standard output.
    pub(super) out: String,
    /// Standard error.
    pub(super) err: String,
}

/// Where a program is; `None` where the host has none.
pub(super) fn find(name: &str) -> Option<PathBuf> {
    PATH.split(':').map(|folder| Path::new(folder).join(name)).find(|path| path.is_file())
}

/// A command with nothing of the caller's.
pub(super) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("PATH", PATH).env("LANG", "C").env("LC_ALL", "C").current_dir("/");
    command.stdin(Stdio::null());
    command
}

/// Runs it to its end, or ends it after a minute.
pub(super) fn run(command: &mut Command) -> Result<Ended, String> {
    let name =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let said = |why: String| format!("{name}: {why}");
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| said(error.to_string()))?;
    let reader = |stream: Option<Box<dyn Read + Send>>| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut stream) = stream {
                drop(stream.read_to_end(&mut bytes));
            }
            String::from_utf8_lossy(&bytes).into_owned()
        })
    };
    let out = reader(child.stdout.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>));
    let err = reader(child.stderr.take().map(|stream| Box::new(stream) as Box<dyn Read + Send>));
    let deadline = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait().map_err(|error| said(error.to_string()))? {
            Some(status) => break status,
            None if Instant::now() >= deadline => {
                drop(child.kill());
                drop(child.wait());
                return Err(said(format!("no end within {} s", PATIENCE.as_secs())));
            }
            None => std::thread::sleep(Duration::from_millis(5)),
        }
    };
    let text = |handle: std::thread::JoinHandle<String>| handle.join().unwrap_or_default();
    Ok(Ended { success: status.success(), out: text(out), err: text(err) })
}

/// Runs a program of the host by its name; what it printed, or what it complained of.
pub(super) fn ask(name: &str, args: &[&str]) -> Result<String, String> {
    let path = find(name).ok_or_else(|| format!("there is no {name} on this host"))?;
    let ended = run(command(&path).args(args))?;
    if ended.success {
        return Ok(ended.out);
    }
    let why = ended.err.trim();
    Err(format!("{name}: {}", if why.is_empty() { "it failed and said nothing" } else { why }))
}
