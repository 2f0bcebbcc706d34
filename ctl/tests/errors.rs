//! Every sentence of countersignctl that says what went wrong, as people meet it: golden/errors.txt, to be read from
//! the top. `COUNTERSIGN_GENERATE=1` writes it anew. A sentence of the sources that nothing here comes to is a failure.

mod support;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use support::bus::Bus;
use support::daemon::{Daemon, Script, applied, login, person};
use support::run::{Typing, seen};

/// Where the command runs.
enum Where {
    /// A bus with a daemon that has this.
    Served(Box<Script>),
    /// A bus with these rules, and a daemon.
    Ruled(&'static str),
    /// A bus without a daemon.
    Unserved,
    /// No bus: this address.
    Nowhere(&'static str),
}

/// What it reads, and where it writes.
#[derive(Clone, Copy)]
enum Input {
    /// A pipe with this.
    Pipe(&'static str),
    /// Standard input that cannot be read.
    Unreadable,
    /// Standard output that is full.
    Full,
    /// A person who answers the first question with this; nothing is somebody who is not asked.
    Person(&'static str),
    /// A pipe, and the uid of somebody without root.
    As(u32),
}

use Input::{As, Full, Person, Pipe, Unreadable};
use Where::{Nowhere, Ruled, Served, Unserved};

fn served() -> Where {
    Served(Box::default())
}

fn script(change: impl FnOnce(&mut Script)) -> Where {
    let mut script = Script::default();
    change(&mut script);
    Served(Box::new(script))
}

const OPEN: &str = "<allow send_destination=\"*\"/><allow own=\"*\"/>";
const NOBODY: u32 = 65_534;

/// One error: how to come to it.
type Case = (&'static str, Where, Input, &'static [&'static str]);

fn cases() -> Vec<(&'static str, Vec<Case>)> {
    vec![
        ("The command line", usage()),
        ("The daemon and the bus", unserved()),
        ("What the daemon refuses", refused()),
        ("Standard input and output", streams()),
        ("Questions that nobody is there to answer", unasked()),
        ("Questions that were answered with no", declined()),
        ("The policy file", policy()),
        ("Files of other programs", import()),
        ("Backups and the key", backup()),
    ]
}

fn usage() -> Vec<Case> {
    vec![
        ("a verb that is none", served(), Pipe(""), &["unlok", "alice"]),
        ("an option that is none", served(), Pipe(""), &["users", "--jsn"]),
        ("something is missing", served(), Pipe(""), &["reset", "alice"]),
        ("an empty name", served(), Pipe(""), &["unlock", ""]),
        ("a reason of several lines", served(), Pipe(""), &["reset", "alice", "--reason", "a\nb"]),
        ("a number out of bounds", served(), Pipe(""), &["invite", "alice", "--minutes", "0"]),
        ("no date", served(), Pipe(""), &["exempt", "alice", "--until", "soon", "--reason", "x"]),
        (
            "a host where an address belongs",
            served(),
            Pipe(""),
            &["policy", "explain", "alice", "--from", "host"],
        ),
        ("no file of PAM's", served(), Pipe(""), &["policy", "explain", "alice", "--service", "a/b"]),
        ("no address", served(), Pipe(""), &["email", "test", "alice"]),
        ("nobody is named, and root is not a person", served(), Pipe(""), &["recovery-codes"]),
        ("an exemption without an end", served(), Pipe(""), &["exempt", "alice"]),
        ("an exemption without a reason", served(), Pipe(""), &["exempt", "alice", "--until", "+1d"]),
        ("a lock without a reason", served(), Pipe(""), &["lock", "alice"]),
        ("the end of a requirement without a reason", served(), Pipe(""), &["require", "alice", "--end"]),
        (
            "somebody else's authenticator without a reason",
            served(),
            Pipe(""),
            &["remove", "app", "alice", "--yes"],
        ),
        ("a person where an authenticator belongs", served(), Pipe(""), &["remove", "alice", "--yes"]),
        ("an authenticator of nobody", served(), Pipe(""), &["remove", "nobody-here", "--yes"]),
        (
            "somebody else's address without a reason",
            served(),
            Pipe(""),
            &["email", "remove", "alice", "--yes"],
        ),
    ]
}

fn unserved() -> Vec<Case> {
    vec![
        ("no daemon", Unserved, Pipe(""), &["users"]),
        ("no bus", Nowhere("unix:path=/nonexistent/bus"), Pipe(""), &["users"]),
        ("no address of a bus", Nowhere("nonsense"), Pipe(""), &["users"]),
        (
            "a bus that forbids it",
            Ruled("<deny send_interface=\"org.countersign1.Manager\"/>"),
            As(NOBODY),
            &["users"],
        ),
        (
            "a page that is not what was asked for",
            script(|s| {
                s.people = vec![person("alice", 1000)];
                s.repeat_pages = true;
            }),
            Pipe(""),
            &["users"],
        ),
        (
            "the same log over and over",
            script(|s| {
                s.logins = (1..=3).map(|id| login(id, "alice")).collect();
                s.repeat_pages = true;
            }),
            Pipe(""),
            &["log", "--json"],
        ),
        ("a log that somebody changed", script(|s| s.broken = vec![broken()]), Pipe(""), &["log", "verify"]),
        (
            "a link from before the log",
            script(|s| s.noted = "gone"),
            Pipe(""),
            &["log", "verify", "--noted", "1:000102030405060708090a0b0c0d0e0f"],
        ),
        ("nobody to ask", served(), Pipe(""), &["log", "accept", "--reason", "ticket 7"]),
        ("no mailer", served(), Pipe(""), &["email", "test", "alice@example.org"]),
        (
            "sessions that nobody can end",
            served(),
            Pipe(""),
            &["reset", "alice", "--reason", "phone lost", "--yes", "--end-sessions"],
        ),
    ]
}

fn refused() -> Vec<Case> {
    vec![
        ("not for this caller", served(), As(NOBODY), &["unlock", "forbidden"]),
        ("not even for root", served(), Pipe(""), &["unlock", "forbidden"]),
        ("nobody of that name", served(), Pipe(""), &["unlock", "nobody-here"]),
        ("a daemon that cannot work", served(), Pipe(""), &["unlock", "broken"]),
        ("a daemon that is busy", served(), Pipe(""), &["unlock", "busy"]),
        ("too late", served(), Pipe(""), &["unlock", "late"]),
        ("what makes no sense", served(), Pipe(""), &["unlock", "refused"]),
        ("no such request", served(), Person(""), &["approve", "9"]),
        ("wrong codes", served(), Pipe("1\n2\n3\n"), &["enroll", "alice", "--json"]),
        ("doctor is for root", served(), As(NOBODY), &["doctor"]),
    ]
}

fn streams() -> Vec<Case> {
    vec![
        ("a full disk", script(|s| s.people = vec![person("alice", 1000)]), Full, &["users"]),
        ("no code", served(), Pipe(""), &["enroll", "alice", "--json"]),
        ("a standard input that is a folder", served(), Unreadable, &["enroll", "alice", "--json"]),
        ("a key for a pipe", served(), Pipe(""), &["enroll", "alice"]),
        ("codes for a pipe", served(), Pipe(""), &["recovery-codes", "alice", "--new"]),
    ]
}

fn unasked() -> Vec<Case> {
    vec![
        ("lock", served(), Pipe("yes\n"), &["lock", "alice", "--reason", "x"]),
        ("reset", served(), Pipe("yes\n"), &["reset", "alice", "--reason", "x"]),
        ("approve", served(), Pipe("yes\n"), &["approve", "3"]),
        ("remove", served(), Pipe("yes\n"), &["remove", "app", "alice", "--reason", "x"]),
        ("email remove", served(), Pipe("yes\n"), &["email", "remove", "alice", "--reason", "x"]),
        ("exempt", served(), Pipe("yes\n"), &["exempt", "alice", "--until", "+1d", "--reason", "x"]),
        ("require --end", served(), Pipe("yes\n"), &["require", "alice", "--end", "--reason", "x"]),
        ("accept-clock", served(), Pipe("yes\n"), &["accept-clock"]),
        ("policy apply", served(), Pipe("yes\n"), &["policy", "apply", "--accept-weaker"]),
    ]
}

fn declined() -> Vec<Case> {
    let request = |s: &mut Script| {
        s.requests.push(countersign_protocol::manager::ResetRequest {
            id: 3,
            user: "alice".into(),
            uid: 1000,
            requester: "bob".into(),
            reason: "phone lost".into(),
            asked: 1_795_332_612,
            until: 1_795_419_012,
            approved: Vec::new(),
            missing: 1,
        });
    };
    vec![
        ("lock", served(), Person("no"), &["lock", "alice", "--reason", "x"]),
        ("reset", served(), Person("no"), &["reset", "alice", "--reason", "x"]),
        ("approve", script(request), Person("no"), &["approve", "3"]),
        ("remove", served(), Person("no"), &["remove", "app", "alice", "--reason", "x"]),
        (
            "policy apply",
            script(|s| {
                s.applies.push_back(Ok(applied(false, &["members of ops, sshd: nobody would be asked"])));
            }),
            Person("no"),
            &["policy", "apply", "--accept-weaker"],
        ),
    ]
}

fn policy() -> Vec<Case> {
    let weaker = |s: &mut Script| {
        s.applies.push_back(Ok(applied(false, &["members of ops, sshd: nobody would be asked any more"])));
    };
    vec![
        ("it protects less", script(weaker), Pipe(""), &["policy", "apply"]),
        (
            "it is broken",
            script(|s| s.applies.push_back(Err("countersign.toml:3:1: unknown key `grups`".into()))),
            Pipe(""),
            &["policy", "apply"],
        ),
        (
            "refused without a reason",
            script(|s| s.applies.push_back(Ok(applied(false, &[])))),
            Pipe(""),
            &["policy", "apply"],
        ),
        ("it is not there", served(), Pipe(""), &["policy", "check", "/no/such.toml"]),
    ]
}

fn import() -> Vec<Case> {
    vec![
        (
            "nobody of that name",
            served(),
            Pipe(""),
            &["import", "google-authenticator", "--user", "nobody-here"],
        ),
        ("other people's homes", served(), As(NOBODY), &["import", "google-authenticator", "--all-homes"]),
        ("no file", served(), Pipe(""), &["import", "oath", "/nonexistent/users.oath"]),
        (
            "nowhere to write",
            served(),
            Pipe("otpauth://nonsense\n"),
            &["import", "otpauth", "-", "--user", "alice", "--failures", "/nonexistent/failures"],
        ),
    ]
}

fn backup() -> Vec<Case> {
    vec![
        ("restore asks", served(), Pipe("yes\n"), &["restore", "/nonexistent/backup", "--reason", "x"]),
        ("no key", served(), Pipe(""), &["rekey", "--key-file", "/nonexistent/key", "--yes"]),
    ]
}

/// A copy of the program where everybody can run it.
fn program(folder: &Path) -> PathBuf {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o755)).expect("our own folder");
    let copy = folder.join("countersignctl");
    fs::copy(env!("CARGO_BIN_EXE_countersignctl"), &copy).expect("a copy");
    copy
}

/// Exit code and standard error; a person's terminal shows both streams, and what is typed.
fn run(program: &Path, place: Where, input: Input, words: &[&str]) -> (i32, String) {
    let bus = match &place {
        Ruled(rules) => Some(Bus::with_policy(&format!("{OPEN}{rules}"))),
        Nowhere(_) => None,
        Served(_) | Unserved => Some(Bus::start()),
    };
    let address = match (&place, &bus) {
        (Nowhere(address), _) => (*address).to_owned(),
        (_, bus) => bus.as_ref().map(Bus::address).unwrap_or_default(),
    };
    let _daemon = match place {
        Served(script) => Some(Daemon::start(&address, *script)),
        Ruled(_) => Some(Daemon::start(&address, Script::default())),
        Unserved | Nowhere(_) => None,
    };
    let mut command = Command::new(program);
    command.args(["--bus", &address]).args(words).env_clear().env("LANG", "C.UTF-8");
    if let Person(answer) = input {
        let mut typing = Typing::start(command, 80);
        if !answer.is_empty() {
            typing.expect("Type yes to ");
            typing.expect(": ");
            typing.send(answer);
        }
        let (code, seen) = typing.end();
        // What was asked is another text; the verdict follows the answer.
        let said = seen.rsplit_once(&format!("{answer}\n")).map_or(&*seen, |(_, said)| said);
        let said = if answer.is_empty() { &seen } else { said };
        return (code, said.replace(&address, "ADDRESS"));
    }
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    match input {
        Unreadable => drop(command.stdin(File::open("/").expect("a folder"))),
        Full => drop(command.stdout(File::options().write(true).open("/dev/full").expect("/dev/full"))),
        As(uid) => drop(command.uid(uid).gid(uid)),
        Pipe(_) | Person(_) => {}
    }
    let text = if let Pipe(text) = input { Some(text) } else { None };
    let (code, out, err) = seen(command, text);
    // Problems that were looked for are the result, not an error.
    let said = if err.is_empty() { out } else { err };
    (code, said.replace(&address, "ADDRESS"))
}

fn golden() -> String {
    let folder = std::env::temp_dir().join(format!("countersignctl-errors-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a temporary folder");
    let program = program(&folder);
    let mut text =
        String::from("What countersignctl says when something went wrong, by ctl/tests/errors.rs.\n");
    for (chapter, cases) in cases() {
        write!(text, "\n\n==== {chapter}\n").expect("memory");
        for (title, place, input, words) in cases {
            let words_shown: Vec<String> = words
                .iter()
                .map(|word| {
                    if word.contains([' ', '\n']) || word.is_empty() {
                        format!("{word:?}")
                    } else {
                        (*word).to_owned()
                    }
                })
                .collect();
            let (code, said) = run(&program, place, input, words);
            assert!(code != 0, "{title}: {said}");
            write!(text, "\n# {title}\n$ countersignctl {}\n{said}[exit {code}]\n", words_shown.join(" "))
                .expect("memory");
        }
    }
    drop(fs::remove_dir_all(&folder));
    text
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/errors.txt")
}

#[test]
fn every_error_reads_as_it_should() {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED: takes root, to run as others");
        return;
    }
    let text = golden();
    if std::env::var_os("COUNTERSIGN_GENERATE").is_some() {
        fs::create_dir_all(file().parent().expect("a folder")).expect("a folder");
        fs::write(file(), &text).expect("the golden file");
    }
    let committed = fs::read_to_string(file()).unwrap_or_default();
    for (number, (new, old)) in text.lines().zip(committed.lines()).enumerate() {
        assert_eq!(new, old, "line {} of ctl/tests/golden/errors.txt", number + 1);
    }
    assert_eq!(text.lines().count(), committed.lines().count(), "ctl/tests/golden/errors.txt is stale");
    for line in text.lines().filter(|line| !line.starts_with("$ ")) {
        assert!(line.chars().count() <= 80, "too long for a terminal: {line}");
        assert!(line.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "not plain: {line}");
    }
}

/// Sentences that no case here comes to, each with what does, or why nothing can.
const ELSEWHERE: &[(&str, &str)] = &[
    ("no_runtime", "the system refuses what every program needs"),
    ("account_unanswered", "an account database that fails"),
    ("NO_GETENT", "a host without getent"),
    ("failures_not_written", "a disk that fills up in the middle"),
    ("cannot_send_draft", "memory files that cannot be made"),
    ("codes_lost", "a terminal that goes away between two lines"),
    ("INTERRUPTED", "ctl/tests/enroll.rs"),
    ("not_proven", "tests/tests/oneself"),
    ("NOTHING_TYPED", "tests/tests/oneself"),
    ("STRANGE_LOGIND", "ctl/tests/sessions.rs"),
    ("not_started", "tests/tests/mail"),
    ("NOT_ROOT", "tests/tests/mail"),
    ("NOT_RESTORED", "tests/tests/backup"),
    ("BUNDLE_DAMAGED", "tests/tests/backup"),
    ("other_bundle", "tests/tests/backup"),
    ("no_new_file", "tests/tests/backup"),
    ("NO_BUNDLE", "tests/tests/backup"),
    ("NO_PASSPHRASE", "tests/tests/backup"),
    ("PASSPHRASE_NEEDS_TERMINAL", "tests/tests/backup"),
    ("SHORT_PASSPHRASE", "tests/tests/backup"),
    ("TWO_PASSPHRASES", "tests/tests/backup"),
    ("WRONG_PASSPHRASE", "tests/tests/backup"),
    ("no_passphrase_file", "tests/tests/backup"),
    ("NO_KEY_FILE", "a key file that the daemon would not have started with"),
    ("EXCESSIVE_WORK", "a file that somebody made to hold a machine up"),
    ("NO_RANDOMNESS", "a kernel without randomness"),
    ("bundle_not_written", "a disk that fills up in the middle"),
    ("file_not_kept", "a disk that fails in the end"),
    ("no_memory_file", "memory files that cannot be made"),
    ("you_have_no_name", "an account that is removed in between: a bus takes nobody without one"),
];

/// Verbs that change the host they run on: their sentences are driven in a system that is booted for it.
const HOST: &str = "enable";

/// The names of texts that become an error, by where one is made.
fn error_texts(folder: &Path, names: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).expect("sources").flatten() {
        let path = entry.path();
        if path.is_dir() {
            if !path.ends_with(HOST) {
                error_texts(&path, names);
            }
            continue;
        }
        let source = fs::read_to_string(&path).expect("a source");
        for part in source.split("Failure::").skip(1) {
            let made = ["new(", "failed(", "usage("].iter().find_map(|how| part.strip_prefix(how));
            let Some(made) = made else { continue };
            let until = made.find(';').unwrap_or(made.len()).min(120);
            let made = made.get(..until).unwrap_or(made);
            let Some((_, name)) = made.split_once("text::").or_else(|| made.split_once("all::")) else {
                continue;
            };
            let name = name.split(|c: char| !(c.is_alphanumeric() || c == '_')).next().unwrap_or_default();
            names.insert(name.to_owned(), path.display().to_string());
        }
    }
}

fn broken() -> countersign_protocol::manager::Broken {
    let (what, row) = ("changed".to_owned(), "login".to_owned());
    countersign_protocol::manager::Broken { what, row, id: 7, why: "the row is not what was written".into() }
}

/// Pieces of the literal text of a definition, long enough to know it by.
fn pieces(sources: &str, name: &str) -> Vec<String> {
    let starts = [format!("fn {name}("), format!("const {name}: &str")];
    let mut found = Vec::new();
    for start in starts {
        for (at, _) in sources.match_indices(&start) {
            let body = &sources[at..];
            let body = &body[..body
                .find("\n}\n")
                .unwrap_or(body.len())
                .min(body.find("\npub(crate)").unwrap_or(body.len()))];
            let literals = body.replace("\\\"", "\u{1}");
            for literal in literals.split('"').skip(1).step_by(2) {
                let text = literal.replace("\\n", "\n").replace('\u{1}', "\"");
                let lines =
                    text.split(['\n', '{', '}']).map(|line| line.trim().trim_end_matches('\\').trim());
                let plain = lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
                found.extend(plain.filter(|line| line.len() >= 12));
            }
        }
    }
    found
}

fn texts(folder: &Path, sources: &mut String) {
    for entry in fs::read_dir(folder).expect("the texts").flatten() {
        let path = entry.path();
        if path.is_dir() {
            texts(&path, sources);
            continue;
        }
        sources.push('\n');
        sources.push_str(&fs::read_to_string(path).expect("a text"));
    }
}

#[test]
fn every_sentence_that_can_go_wrong_is_in_the_golden_file() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut names = BTreeMap::new();
    error_texts(&src, &mut names);
    assert!(names.len() > 40, "{names:?}");
    let mut sources = fs::read_to_string(src.join("text.rs")).expect("the texts");
    texts(&src.join("text"), &mut sources);
    // However its lines are broken.
    let golden = fs::read_to_string(file()).expect("the golden file");
    let golden = golden.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut missing = Vec::new();
    for (name, place) in &names {
        let known = pieces(&sources, name).iter().any(|piece| golden.contains(piece.as_str()));
        if !known && !ELSEWHERE.iter().any(|(elsewhere, _)| elsewhere == name) {
            missing.push(format!("{name}, of {place}"));
        }
    }
    assert!(missing.is_empty(), "say in ctl/tests/errors.rs how to come to these: {missing:#?}");
}
