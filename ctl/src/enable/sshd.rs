//! sshd's own part: a login by key never enters the auth phase, so sshd must ask for keyboard-interactive.
//!
//! sshd takes the first value that it reads for a keyword, and a matching `Match` block over all of them. So
//! a drop-in may have no effect, and says so: `sshd -T` prints what holds, and the files say why.

use std::fs;
use std::path::{Path, PathBuf};

use super::commands::{ask, command, find, run};
use super::files::{self, Saved};
use super::host::Host;
use super::lines::{as_bytes, characters};
use super::record::Change;
use crate::terminal::safe;
use crate::text::enable as text;

/// The service that this is about.
pub(super) const SERVICE: &str = "sshd";
const CONFIG: &str = "/etc/ssh/sshd_config";
/// Read before every other drop-in that anybody names by a number.
pub(super) const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-countersign.conf";
/// Every way in asks PAM, after a key or without one.
const WITH_PASSWORD: &str = "publickey,keyboard-interactive:pam keyboard-interactive:pam";
/// The recipe of a key and a code.
const WITH_KEY: &str = "publickey,keyboard-interactive:pam";
/// What the drop-in says.
const KEYWORDS: [&str; 3] = ["authenticationmethods", "kbdinteractiveauthentication", "usepam"];
/// sshd gives up on includes deeper than this.
const MAX_DEPTH: usize = 16;

/// What is to be done for sshd.
pub(super) struct Plan {
    /// The drop-in; `None` where it would change nothing, and the notes say why.
    pub(super) change: Option<Change>,
    pub(super) notes: Vec<String>,
    pub(super) problems: Vec<String>,
    /// What sshd would do then, for each person.
    pub(super) ways: Ways,
}

/// sshd asked for what would hold for somebody, `Match` blocks and all.
pub(super) struct Ways {
    sshd: PathBuf,
    /// The configuration as it would be; without one, as it is.
    candidate: Option<Candidate>,
}

/// One line of sshd's configuration, in the order in which sshd reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Line {
    file: PathBuf,
    number: usize,
    /// In lower case.
    keyword: String,
    value: String,
    /// The `Match` line that it stands under.
    under: Option<String>,
}

impl Line {
    fn shown(&self) -> String {
        safe(&format!("{}:{}", self.file.display(), self.number))
    }
}

/// What sshd would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Effective {
    /// `AuthenticationMethods`.
    pub(super) methods: String,
    /// `KbdInteractiveAuthentication`.
    pub(super) kbd: bool,
    /// `UsePAM`.
    pub(super) pam: bool,
    /// `PubkeyAuthentication`.
    pub(super) keys: bool,
    /// `AuthorizedKeysFile`, patterns as written.
    pub(super) keys_file: String,
    /// `PermitRootLogin`.
    pub(super) root_login: String,
}

/// A connection that only a `Match` block about people is about. Without one sshd says nothing where there is a block about its
/// own address or port.
const SOMEWHERE: &str = "host=host.invalid,addr=192.0.2.1,laddr=192.0.2.2,lport=22";

/// Plans the drop-in and judges what sshd makes of it, without changing anything.
pub(super) fn plan(host: &Host, after_key: bool) -> Result<Plan, String> {
    let Some(sshd) = find("sshd") else { return Err(text::NO_SSHD.to_owned()) };
    let main = PathBuf::from(CONFIG);
    let mut lines = Vec::new();
    read_lines(host, &main, &mut None, 0, &mut lines)?;
    let before = files::read(&host.real(DROP_IN))?;
    let wanted = content(after_key);
    let base = before.clone().unwrap_or_else(|| Saved::new(Vec::new()));
    let after = base.with(wanted.into_bytes());
    let has_include =
        host.real(DROP_IN).parent().is_some_and(Path::is_dir) && includes_drop_ins(host, &main)?;
    let methods = if after_key { WITH_KEY } else { WITH_PASSWORD };
    let ways = Ways { sshd, candidate: Some(Candidate::new(host, has_include.then_some(&after.bytes))?) };
    let mut found = Found::default();
    found.judge(&ways.effective(None)?, methods, &lines);
    for line in lines.iter().filter(|line| line.under.is_some()) {
        found.judge_match(line);
    }
    if !has_include {
        found.notes.insert(0, text::sshd_no_include(CONFIG));
    }
    let changes = has_include && before.as_ref() != Some(&after);
    let change = changes.then(|| Change { path: DROP_IN.into(), before, after: Some(after) });
    Ok(Plan { change, notes: found.notes, problems: found.problems, ways })
}

impl Ways {
    /// sshd as it is; `None` where there is none.
    pub(super) fn now() -> Option<Self> {
        Some(Self { sshd: find("sshd")?, candidate: None })
    }

    /// What would hold for somebody, wherever they come from.
    pub(super) fn of(&self, user: &str) -> Result<Effective, String> {
        self.effective(Some(user))
    }

    fn effective(&self, user: Option<&str>) -> Result<Effective, String> {
        let mut ask = command(&self.sshd);
        ask.arg("-T");
        if let Some(candidate) = &self.candidate {
            ask.arg("-f").arg(candidate.folder.join("sshd_config"));
        }
        // A name with a comma could not be asked for; what holds for all does for them.
        let user = user.filter(|user| !user.contains([',', '='])).unwrap_or("nobody");
        ask.args(["-C", &format!("user={user},{SOMEWHERE}")]);
        let ended = run(&mut ask)?;
        if !ended.success {
            return Err(text::sshd_broken(&safe(ended.err.trim())));
        }
        Ok(effective(&ended.out))
    }
}

/// What was found about sshd.
#[derive(Default)]
struct Found {
    notes: Vec<String>,
    problems: Vec<String>,
}

fn content(after_key: bool) -> String {
    let methods = if after_key { WITH_KEY } else { WITH_PASSWORD };
    format!(
        "# Written by countersignctl enable; countersignctl disable sshd takes it away.\n\
         # A login with a key never enters PAM's auth lines, so sshd must ask for them.\n\
         AuthenticationMethods {methods}\n\
         KbdInteractiveAuthentication yes\n\
         UsePAM yes\n"
    )
}

impl Found {
    /// What holds for everybody whom no `Match` block meets.
    fn judge(&mut self, effective: &Effective, wanted: &str, lines: &[Line]) {
        let first = |keyword: &str| {
            let ours = Path::new(DROP_IN);
            lines
                .iter()
                .find(|line| line.under.is_none() && line.keyword == keyword && line.file != ours)
                .map_or_else(|| CONFIG.to_owned(), Line::shown)
        };
        if !effective.pam {
            self.problems.push(text::sshd_overridden("UsePAM", "no", &first("usepam")));
        }
        if !effective.kbd {
            let place = first("kbdinteractiveauthentication");
            self.problems.push(text::sshd_overridden("KbdInteractiveAuthentication", "no", &place));
        }
        if effective.methods == wanted {
            return;
        }
        let place = first("authenticationmethods");
        let ways: Vec<&str> = effective.methods.split(' ').collect();
        let asks = |way: &&str| way.split(',').any(asks_pam);
        if effective.methods == "any" {
            self.notes.push(text::SSHD_KEYS_ALONE.to_owned());
        } else if ways.iter().all(asks) {
            self.notes.push(text::sshd_methods_kept(&safe(&effective.methods), &place));
        } else {
            let ways: Vec<&str> = ways.into_iter().filter(|way| !asks(way)).collect();
            self.problems.push(text::sshd_other_methods(&safe(&ways.join(" ")), &place));
        }
    }

    fn judge_match(&mut self, line: &Line) {
        let under = line.under.as_deref().map(safe).unwrap_or_default();
        match line.keyword.as_str() {
            "authenticationmethods" if !line.value.split(' ').all(|way| way.split(',').any(asks_pam)) => {
                self.notes.push(text::sshd_match_methods(&line.shown(), &under, &safe(&line.value)));
            }
            "kbdinteractiveauthentication" | "challengeresponseauthentication"
                if line.value.eq_ignore_ascii_case("no") =>
            {
                self.problems.push(text::sshd_match_no_kbd(&line.shown(), &under));
            }
            _ => {}
        }
    }
}

pub(super) fn asks_pam(method: &str) -> bool {
    matches!(method, "keyboard-interactive" | "keyboard-interactive:pam")
}

/// A copy of the main file in which the drop-in is included from elsewhere, for `sshd -T` to judge.
struct Candidate {
    folder: PathBuf,
}

impl Candidate {
    fn new(host: &Host, drop_in: Option<&Vec<u8>>) -> Result<Self, String> {
        use std::os::unix::fs::DirBuilderExt;
        let folder = host.real("/run").join(format!("countersign-enable-sshd-{}", std::process::id()));
        drop(fs::remove_dir_all(&folder));
        let failed = |error: std::io::Error| text::unwritable(&folder.display().to_string(), &error);
        fs::DirBuilder::new().mode(0o700).create(&folder).map_err(failed)?;
        let candidate = Self { folder: folder.clone() };
        let main = fs::read(host.real(CONFIG)).map_err(|error| text::unreadable(CONFIG, &error))?;
        let main = String::from_utf8_lossy(&main).into_owned();
        let ours = folder.join("00-countersign.conf");
        if let Some(drop_in) = drop_in {
            fs::write(&ours, drop_in).map_err(failed)?;
        }
        let made = with_drop_in(host, &main, drop_in.is_some().then_some(&ours));
        fs::write(folder.join("sshd_config"), made).map_err(failed)?;
        Ok(candidate)
    }
}

impl Drop for Candidate {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn effective(printed: &str) -> Effective {
    let value = |keywords: &[&str]| {
        printed.lines().find_map(|line| {
            let (keyword, value) = line.split_once(' ')?;
            keywords.contains(&keyword).then(|| value.trim().to_owned())
        })
    };
    Effective {
        methods: value(&["authenticationmethods"]).unwrap_or_else(|| "any".to_owned()),
        kbd: value(&["kbdinteractiveauthentication", "challengeresponseauthentication"])
            .is_some_and(|value| value == "yes"),
        pam: value(&["usepam"]).is_some_and(|value| value == "yes"),
        keys: value(&["pubkeyauthentication"]).is_none_or(|value| value == "yes"),
        keys_file: value(&["authorizedkeysfile"]).unwrap_or_else(|| ".ssh/authorized_keys".to_owned()),
        root_login: value(&["permitrootlogin"]).unwrap_or_default(),
    }
}

/// The main file with every `Include` of the drop-in folder spelled out: the files that are there, ours at
/// its place among them.
fn with_drop_in(host: &Host, main: &str, ours: Option<&PathBuf>) -> String {
    let mut made = String::new();
    for line in main.lines() {
        let Some((keyword, patterns)) = split(line) else {
            made.push_str(&format!("{line}\n"));
            continue;
        };
        if keyword != "include" {
            made.push_str(&format!("{line}\n"));
            continue;
        }
        for pattern in patterns.split_whitespace() {
            for file in expand(host, pattern) {
                if file != Path::new(DROP_IN) {
                    made.push_str(&format!("Include {}\n", host.real(&file).display()));
                }
                if let (true, Some(ours)) = (file == Path::new(DROP_IN), ours) {
                    made.push_str(&format!("Include {}\n", ours.display()));
                }
            }
        }
    }
    made
}

/// The files that an `Include` pattern names, in order; the drop-in counts as being there.
fn expand(host: &Host, pattern: &str) -> Vec<PathBuf> {
    let pattern = pattern.trim_matches('"');
    let path = Path::new("/etc/ssh").join(pattern);
    let (Some(folder), Some(name)) = (path.parent(), path.file_name().and_then(|name| name.to_str())) else {
        return vec![path];
    };
    if !name.contains(['*', '?', '[']) {
        return vec![path];
    }
    let mut files: Vec<PathBuf> = fs::read_dir(host.real(folder))
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| matches(name, &entry.file_name().to_string_lossy()))
        .map(|entry| folder.join(entry.file_name()))
        .collect();
    let ours = PathBuf::from(DROP_IN);
    if ours.parent() == Some(folder) && matches(name, "00-countersign.conf") && !files.contains(&ours) {
        files.push(ours);
    }
    files.sort();
    files
}

/// `*` and `?` of glob(7); a name with a leading dot is not met by `*`.
fn matches(pattern: &str, name: &str) -> bool {
    fn inner(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.split_first(), name.split_first()) {
            (None, None) => true,
            (Some((b'*', rest)), _) => {
                inner(rest, name) || name.split_first().is_some_and(|(_, n)| inner(pattern, n))
            }
            (Some((b'?', rest)), Some((_, name))) => inner(rest, name),
            (Some((a, rest)), Some((b, name))) if a == b => inner(rest, name),
            _ => false,
        }
    }
    (!name.starts_with('.') || pattern.starts_with('.')) && inner(pattern.as_bytes(), name.as_bytes())
}

/// Whether the main file includes the folder of drop-ins, outside of a `Match` block.
fn includes_drop_ins(host: &Host, main: &Path) -> Result<bool, String> {
    let text = fs::read(host.real(main)).map_err(|error| text::unreadable(CONFIG, &error))?;
    let text = String::from_utf8_lossy(&text).into_owned();
    let before_match =
        text.lines().take_while(|line| split(line).is_none_or(|(keyword, _)| keyword != "match"));
    let ours = PathBuf::from(DROP_IN);
    Ok(before_match.filter_map(split).any(|(keyword, patterns)| {
        keyword == "include" && patterns.split_whitespace().any(|one| expand(host, one).contains(&ours))
    }))
}

/// The lines in sshd's order, includes followed where they stand.
fn read_lines(
    host: &Host,
    file: &Path,
    under: &mut Option<String>,
    depth: usize,
    lines: &mut Vec<Line>,
) -> Result<(), String> {
    let bytes = match fs::read(host.real(file)) {
        Ok(bytes) => bytes,
        Err(error) if depth > 0 && error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(text::unreadable(&safe(&file.display().to_string()), &error)),
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    for (index, line) in text.lines().enumerate() {
        let Some((keyword, value)) = split(line) else { continue };
        match keyword.as_str() {
            "match" if value.eq_ignore_ascii_case("all") => *under = None,
            "match" => *under = Some(value.clone()),
            "include" if depth < MAX_DEPTH => {
                for pattern in value.split_whitespace() {
                    for included in expand(host, pattern) {
                        // A Match block of an included file ends with it.
                        read_lines(host, &included, &mut under.clone(), depth + 1, lines)?;
                    }
                }
            }
            _ => {}
        }
        let (file, number) = (file.to_owned(), index + 1);
        lines.push(Line { file, number, keyword, value, under: under.clone() });
    }
    Ok(())
}

/// Keyword in lower case, and the rest; `None` for comments and empty lines.
fn split(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return None;
    }
    let at = line.find(|c: char| c.is_whitespace() || c == '=').unwrap_or(line.len());
    let (keyword, rest) = line.split_at(at);
    let rest = rest.trim_start().trim_start_matches('=').trim();
    // A comment may follow (OpenSSH 8.5 and later).
    let rest = rest.split(" #").next().unwrap_or(rest).trim();
    Some((keyword.to_ascii_lowercase(), rest.to_owned()))
}

/// The drop-in as somebody has edited it, without what we wrote; `None` where nothing else is left.
pub(super) fn without_ours(bytes: &[u8]) -> Option<Vec<u8>> {
    let kept: String = characters(bytes)
        .split_inclusive('\n')
        .filter(|line| split(line).is_none_or(|(keyword, _)| !KEYWORDS.contains(&keyword.as_str())))
        .filter(|line| !content(false).lines().any(|ours| ours == line.trim_end()))
        .collect();
    kept.lines().any(|line| split(line).is_some()).then(|| as_bytes(&kept))
}

/// Has sshd look at the files as they are now.
pub(super) fn check() -> Result<(), String> {
    let Some(sshd) = find("sshd") else { return Ok(()) };
    let ended = run(command(&sshd).arg("-t"))?;
    if ended.success { Ok(()) } else { Err(text::sshd_broken(&safe(ended.err.trim()))) }
}

/// Has a running sshd read them. Sessions go on.
pub(super) fn reload(host: &Host) -> Result<(), String> {
    if !host.is_running() {
        return Ok(());
    }
    for unit in ["ssh.service", "sshd.service"] {
        if ask("systemctl", &["--quiet", "is-active", unit]).is_ok() {
            return ask("systemctl", &["reload", unit]).map(drop);
        }
    }
    // Started by a socket for each connection, or not at all: nothing has read the old ones.
    Ok(())
}

#[cfg(test)]
#[path = "sshd/tests.rs"]
mod tests;
