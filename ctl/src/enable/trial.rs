//! A copy of the host's stacks in which the change is made and tried before anybody depends on it.
//!
//! The probe (`countersign-pam-probe`) walks through the copy with the real libpam and our real module, which
//! asks the real daemon. Nobody's password or phone is there, so modules that ask for a password are replaced
//! by one that always says yes, or always no: what is then said of our line holds for every password. Jumps
//! and includes are the file's own. The person is nobody's name, to whom the daemon speaks as to anybody.

use std::fs::{self, DirBuilder};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::commands::{command, run};
use super::host::{Host, PAM, PAM_SHIPPED};
use crate::terminal::safe;
use crate::text::enable as text;
use countersign_ctl::stack::{Folders, Phase, Stacks, is_first_factor};

/// Where the package puts the probe.
const PROBE: &str = "/usr/libexec/countersign/countersign-pam-probe";
/// Nobody's name.
const NOBODY: &str = "countersign-probe";
/// Every prompt for a code says so.
const CODE: &str = "code";

// Return codes of <security/_pam_types.h>.
const SUCCESS: i32 = 0;
const OPEN_ERR: i32 = 1;
const SERVICE_ERR: i32 = 3;
const AUTHINFO_UNAVAIL: i32 = 9;
const MODULE_UNKNOWN: i32 = 28;

/// The copy; it vanishes with this.
pub(super) struct Trial {
    folder: PathBuf,
}

/// What became of the password in a walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Password {
    /// The modules are the real ones.
    Real,
    Right,
    Wrong,
}

/// What a walk showed.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Walk {
    code: i32,
    asked_for_code: bool,
    said: Vec<String>,
}

/// What is known of who is asked, before the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Expected {
    /// Whether policy asks somebody unknown at this service from this machine.
    pub(super) asked: bool,
    /// The line says `after_first_factor`.
    pub(super) after_first_factor: bool,
    /// The line says `after_key`: nobody here has one.
    pub(super) after_key: bool,
}

impl Trial {
    /// Copies every stack of the host into a folder of root's alone.
    pub(super) fn new(host: &Host) -> Result<Self, String> {
        let parent = host.real("/run");
        let mut number = 0;
        let folder = loop {
            let folder = parent.join(format!("countersign-enable-{}-{number}", std::process::id()));
            match DirBuilder::new().mode(0o700).create(&folder) {
                Ok(()) => break folder,
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists && number < 100 => {
                    number += 1;
                }
                Err(error) => return Err(text::unwritable(&folder.display().to_string(), &error)),
            }
        };
        let trial = Self { folder };
        // What the administrator has comes over what is shipped.
        for from in [PAM_SHIPPED, PAM] {
            let Ok(entries) = fs::read_dir(host.real(from)) else { continue };
            for entry in entries.flatten() {
                if fs::metadata(entry.path()).is_ok_and(|meta| meta.is_file() && meta.len() < 1 << 20)
                    && let Ok(bytes) = fs::read(entry.path())
                {
                    trial.write_bytes(&entry.file_name().to_string_lossy(), &bytes)?;
                }
            }
        }
        Ok(trial)
    }

    /// Makes a service what it shall be.
    pub(super) fn write(&self, service: &str, text: &str) -> Result<(), String> {
        self.write_bytes(service, text.as_bytes())
    }

    fn write_bytes(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let path = self.folder.join(name);
        fs::write(&path, bytes).map_err(|error| text::unwritable(&safe(&path.display().to_string()), &error))
    }

    /// A folder for copies of other things.
    pub(super) fn scratch(&self) -> Result<PathBuf, String> {
        let folder = self.folder.join(".scratch");
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| text::unwritable(&folder.display().to_string(), &error))?;
        Ok(folder)
    }

    /// The copy, for the resolver.
    pub(super) fn folders(&self) -> Folders {
        Folders::alone(&self.folder)
    }

    /// Tries a service; every sentence is a reason not to depend on it.
    pub(super) fn test(&self, service: &str, expected: Expected) -> Result<Vec<String>, String> {
        let mut problems = Vec::new();
        let real = self.walk(service, Password::Real, "auth")?;
        if real.code == SUCCESS {
            problems.push(text::test_lets_anybody_in(service));
        }
        problems.extend(not_reached(service, &real));
        if expected.after_key {
            // Without a key the module refuses before it asks the daemon; the account phase does ask.
            let right = self.walk(service, Password::Right, "auth")?;
            if right.code == SUCCESS {
                problems.push(text::test_passes_without_code(service));
            }
        } else {
            let right = self.walk(service, Password::Right, "auth")?;
            problems.extend(self.judge_right(service, &right, expected));
            let wrong = self.walk(service, Password::Wrong, "auth")?;
            if wrong.code == SUCCESS {
                problems.push(text::test_passes_without_password(service));
            }
            if wrong.asked_for_code && expected.after_first_factor {
                problems.push(text::test_not_after_password(service));
            }
        }
        let account = self.walk(service, Password::Real, "account")?;
        if account.code == SUCCESS && expected.asked {
            problems.push(text::test_account_passes(service));
        }
        problems.extend(not_reached(service, &account));
        problems.dedup();
        Ok(problems)
    }

    /// The password was right, and the code is none.
    fn judge_right(&self, service: &str, walk: &Walk, expected: Expected) -> Option<String> {
        if let Some(why) = not_reached(service, walk) {
            return Some(why);
        }
        match (walk.code, walk.asked_for_code) {
            (SUCCESS, true) => Some(text::test_passes_in_spite(service)),
            (SUCCESS, false) if expected.asked => Some(text::test_passes_without_code(service)),
            (_, false) if expected.asked => {
                Some(text::test_never_asked(service, walk.code, walk.said.last().map_or("", |said| said)))
            }
            _ => None,
        }
    }

    /// One walk through a service, in a copy of its own where modules are replaced.
    fn walk(&self, service: &str, password: Password, phase: &str) -> Result<Walk, String> {
        let stand_in = match password {
            Password::Real => None,
            Password::Right => Some("pam_permit.so"),
            Password::Wrong => Some("pam_deny.so"),
        };
        let folder = self.folder.join(".walk");
        drop(fs::remove_dir_all(&folder));
        let made = DirBuilder::new().mode(0o700).create(&folder);
        made.map_err(|error| text::unwritable(&folder.display().to_string(), &error))?;
        let mut replaced = self.replaced(service);
        replaced.retain(|(_, _, rootok)| *rootok || stand_in.is_some());
        let stand_in = stand_in.unwrap_or_default();
        for entry in fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            if let Ok(text) = fs::read(entry.path()) {
                let text = String::from_utf8_lossy(&text);
                let text = spell_out(&replace(&text, &name, &replaced, stand_in), &folder);
                let path = folder.join(&name);
                fs::write(&path, text)
                    .map_err(|error| text::unwritable(&safe(&path.display().to_string()), &error))?;
            }
        }
        self.probe(&folder, service, phase)
    }

    /// The auth lines (file, line) that ask for a first factor, and those that let root in.
    fn replaced(&self, service: &str) -> Vec<(String, usize, bool)> {
        let stacks = Stacks::read(&self.folders(), service);
        (stacks.phase(Phase::Auth).entries.iter())
            .filter_map(|entry| {
                // The probe is root; the people are not.
                let rootok = entry.module() == Some("pam_rootok.so");
                let name = entry.place.file.file_name()?.to_string_lossy().into_owned();
                (rootok || is_first_factor(entry)).then_some((name, entry.place.line, rootok))
            })
            .collect()
    }

    fn probe(&self, folder: &Path, service: &str, phase: &str) -> Result<Walk, String> {
        let program = probe_program().ok_or_else(|| text::no_probe(PROBE))?;
        let mut walk = command(&program);
        let ended = run(walk.arg(folder).args([service, NOBODY, phase]))?;
        if !ended.success {
            return Err(text::probe_failed(service, &safe(ended.err.trim())));
        }
        read(&ended.out).ok_or_else(|| text::probe_failed(service, ""))
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

/// The package's; or the one below this program's own prefix (`make install PREFIX=`), or beside it where nothing
/// is installed. Root runs it, so it must lie where nobody else could have put it.
fn probe_program() -> Option<PathBuf> {
    let me = std::env::current_exe().ok();
    let prefix = me.as_deref().and_then(Path::parent).and_then(Path::parent);
    let below = prefix.map(|prefix| prefix.join("libexec/countersign/countersign-pam-probe"));
    let beside = me.as_deref().map(|me| me.with_file_name("countersign-pam-probe"));
    let others = [below, beside].into_iter().flatten().filter(|path| is_roots(path));
    std::iter::once(PathBuf::from(PROBE)).chain(others).find(|path| path.is_file())
}

/// Whether a file and every folder on the way to it can be changed by root alone.
fn is_roots(path: &Path) -> bool {
    path.ancestors().all(|part| {
        fs::symlink_metadata(part)
            .is_ok_and(|meta| !meta.is_symlink() && meta.uid() == 0 && meta.mode() & 0o022 == 0)
    })
}

/// The module of these lines becomes another one; controls, jumps and includes stay.
fn replace(text: &str, name: &str, lines: &[(String, usize, bool)], stand_in: &str) -> String {
    let mut made = String::new();
    for (index, line) in text.split_inclusive('\n').enumerate() {
        match lines.iter().find(|(file, at, _)| file == name && *at == index + 1) {
            Some((_, _, rootok)) => {
                let module = if *rootok { "pam_deny.so" } else { stand_in };
                let words = line.split_whitespace();
                let replaced = words.map(|word| if word.ends_with(".so") { module } else { word });
                made.push_str(&replaced.collect::<Vec<_>>().join(" "));
                made.push('\n');
            }
            None => made.push_str(line),
        }
    }
    made
}

/// Includes look into `/etc/pam.d` on Debian, whatever folder libpam was told, so each gets the folder's own
/// path; and `@include`, which is Debian's, becomes the same in standard words.
fn spell_out(text: &str, folder: &Path) -> String {
    let inside = |name: &str| {
        if name.starts_with('/') { name.to_owned() } else { folder.join(name).display().to_string() }
    };
    let mut made = String::new();
    for line in text.split_inclusive('\n') {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        match words.as_slice() {
            ["@include", name, ..] => {
                for phase in Phase::ALL {
                    made.push_str(&format!("{} include {}\n", phase.word(), inside(name)));
                }
            }
            [phase, how, name, ..]
                if how.eq_ignore_ascii_case("include") || how.eq_ignore_ascii_case("substack") =>
            {
                made.push_str(&format!("{phase} {how} {}\n", inside(name)));
            }
            _ => made.push_str(line),
        }
    }
    made
}

fn read(said: &str) -> Option<Walk> {
    let mut walk = Walk { code: -1, asked_for_code: false, said: Vec::new() };
    for line in said.lines() {
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "code" => walk.code = rest.parse().ok()?,
            "hidden" | "shown" => walk.asked_for_code |= rest.to_lowercase().contains(CODE),
            "says" => walk.said.push(safe(rest)),
            _ => return None,
        }
    }
    (walk.code >= 0).then_some(walk)
}

/// What says that our line never got an answer of the daemon.
fn not_reached(service: &str, walk: &Walk) -> Option<String> {
    match walk.code {
        AUTHINFO_UNAVAIL => Some(text::test_no_daemon(service)),
        MODULE_UNKNOWN | OPEN_ERR => Some(text::test_no_module(service)),
        SERVICE_ERR => Some(text::test_bad_options(service)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_is_read_and_nothing_else() {
        let walk = read("hidden Password:\nshown Verification code:\nsays no\ncode 7\n").expect("a walk");
        assert!(walk.code == 7 && walk.asked_for_code && walk.said == ["no"]);
        assert_eq!(read("hidden Password:\n"), None);
        assert_eq!(read("rubbish\ncode 0\n"), None);
    }

    #[test]
    fn prv_11_a_probe_that_others_could_have_put_there_is_not_run() {
        assert!(is_roots(Path::new("/usr/bin")));
        // A link, a folder that everybody writes to, and what is not there.
        assert!(!is_roots(Path::new("/proc/self/exe")));
        assert!(!is_roots(&std::env::temp_dir().join("countersign-pam-probe")));
        assert!(!is_roots(&std::env::temp_dir()));
    }

    #[test]
    fn includes_stay_in_the_copy() {
        assert_eq!(
            spell_out(
                "auth a b\n@include x # y\nauth substack z\n# @include b\nauth include /a\n",
                Path::new("/c")
            ),
            "auth a b\nauth include /c/x\naccount include /c/x\npassword include /c/x\n\
             session include /c/x\nauth substack /c/z\n# @include b\nauth include /a\n"
        );
    }

    #[test]
    fn the_password_is_replaced_and_jumps_stay() {
        let stack = "auth sufficient pam_rootok.so\nauth [success=1 default=ignore] pam_unix.so nullok\n";
        let lines = [("su".to_owned(), 1, true), ("su".to_owned(), 2, false)];
        assert_eq!(
            replace(stack, "su", &lines, "pam_permit.so"),
            "auth sufficient pam_deny.so\nauth [success=1 default=ignore] pam_permit.so nullok\n"
        );
        assert_eq!(replace(stack, "other", &lines, "pam_permit.so"), stack);
    }
}
