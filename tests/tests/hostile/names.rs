//! INP-01 and INP-03: names and other words from outside, through the PAM stack, the bus and the command line.

use super::{Begin, assert_clean, assert_events, is_hostile};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::wire::step_of;
use countersign_tests::{Code, Fixture, Pty, Wire, artifacts, require};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;
use zbus::Message;

/// Names that are nobody's, however much some look like alice's.
fn odd_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> =
        [0, 1, 32, 33, 255, 256, 257, 4096, 4097, 65_536].iter().map(|&n| vec![b'a'; n]).collect();
    let words = [
        "\n",
        "\r",
        "alice\n",
        "alice\r\n",
        "al\nice",
        "\u{1b}[2J",
        "\u{1b}]52;c;aGk=\u{7}",
        "\u{9b}31m",
        "%n%s%n%x",
        "../../x",
        "../../../../../../../tmp/x",
        "/etc/passwd",
        "alice/../bob",
        "-o",
        "--help",
        "-",
        ";id",
        "$(id)",
        "`id`",
        "a|b>c",
        "\u{202e}alice",
        "alice\u{202e}",
        "alice\u{200b}",
        "ａlice",
        "alice:",
        ":",
        "alice:x:0:0",
        " ",
        "alice ",
        " alice",
        "ALICE",
        "Alice",
        "alice\t",
        "alice,bob",
        "*",
        "?",
        "5001",
        "+5001",
        "uid:5001",
        "unknown:00",
        "\u{7f}",
        "'; DROP TABLE login;--",
        "{\"user\":\"alice\"}",
    ];
    names.extend(words.map(|word| word.as_bytes().to_vec()));
    names.extend(
        [&b"\xff\xfe"[..], b"alice\xff", b"al\xc3", b"\xc0\x80", b"\xed\xa0\x80"].map(<[u8]>::to_vec),
    );
    names
}

fn shown(name: &[u8]) -> String {
    format!("{:?}... ({} bytes)", String::from_utf8_lossy(&name[..name.len().min(40)]), name.len())
}

/// Whether it can cross the bus as it is.
fn as_text(name: &[u8]) -> Option<&str> {
    std::str::from_utf8(name).ok()
}

/// Every file that a name taken for a path could make.
fn files(t: &Fixture) -> Vec<PathBuf> {
    let places =
        [t.daemon.state(), t.daemon.state().parent().expect("a parent"), Path::new("."), Path::new("/")];
    let entries = places.iter().flat_map(|dir| std::fs::read_dir(dir).expect("a directory").flatten());
    let mut found: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    found.sort();
    found
}

/// What must hold after any amount of odd names: alive, clean, and alice can log in with the code that was tried
/// under all those names.
fn assert_unharmed(t: &mut Fixture, code: &str, before: &[PathBuf]) {
    assert!(t.daemon.is_running());
    assert_eq!(files(t), before, "a name became a file");
    assert!(!t.daemon.state().join("../../x").exists() && !Path::new("/tmp/x").exists());
    assert_events(&t.daemon.said());
    for line in t.world.syslog() {
        assert_clean(&line, "syslog");
    }
    let outcome = t.cs().login("alice", [code]);
    assert!(outcome.passed(), "{outcome:?}");
}

#[test]
fn inp_01_odd_names_through_the_pam_stack() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let code = alice.fresh_code();
    let (names, before) = (odd_names(), files(&t));
    let mut usable = 0;
    for (n, name) in names.iter().enumerate() {
        // Each from a source of its own, so that no lock of the last one refuses it.
        let outcome = t.probe().visit(name).rhost(format!("192.0.2.{n}")).run([&code]);
        assert!(!matches!(outcome.auth, Code::SUCCESS | Code::IGNORE), "{}: {outcome:?}", shown(name));
        assert!(outcome.took < Duration::from_secs(5), "{}: {:?}", shown(name), outcome.took);
        for text in outcome.shown {
            assert_clean(&text.text, &shown(name));
        }
        let fits = (1..=4096).contains(&name.len()) && as_text(name).is_some();
        usable += usize::from(fits);
        assert_eq!(
            t.daemon.log_of_all().len(),
            usable,
            "{}: one row where it can be a name, else none",
            shown(name)
        );
    }
    for row in t.daemon.log_of_all() {
        assert!(row.user.starts_with("unknown:") && row.uid.is_none(), "{row:?}");
        assert_eq!(row.user.len(), "unknown:".len() + 16, "a hash of the name, not the name: {row:?}");
    }
    assert_unharmed(&mut t, &code, &before);
}

#[test]
fn inp_01_odd_names_on_the_bus() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let code = alice.fresh_code();
    let (mut names, before) = (odd_names(), files(&t));
    names.push(vec![b'a'; 1 << 20]);
    names.push(b"alice\0".to_vec());
    let memory = t.daemon.resident_kib();
    let mut rows = 0;
    for name in &names {
        let mut root = Wire::on(&t.bus);
        let Some(user) = as_text(name).filter(|name| !name.contains('\0')) else {
            // No string of D-Bus: the bus hangs up on whoever sends it.
            assert_eq!(begin_raw(&mut root, name), "Disconnected", "{}", shown(name));
            continue;
        };
        let begin = Begin { user, service: "sshd", rhost: "192.0.2.1", ..Begin::default() };
        let (login, verdict) = begin.call(&mut root).expect("a step");
        assert_eq!(verdict, "ask", "{}: everybody has the same prompt", shown(name));
        let answer = (login.as_str(), code.as_bytes());
        let reply = root.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &answer).expect("a step");
        let (_, verdict) = step_of(&reply);
        assert_eq!(verdict, "deny", "{}", shown(name));
        for (member, first) in [("Confirm", login.as_str()), ("Check", user)] {
            let arguments = (first, user, "sshd");
            let reply =
                root.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, member, &arguments).expect("a verdict");
            assert_eq!(
                reply.body().deserialize::<String>().expect("a word"),
                "deny",
                "{member} {}",
                shown(name)
            );
        }
        // One for the login, one for the check.
        rows += 2;
        assert_eq!(t.daemon.log_of_all().len(), rows, "{}", shown(name));
    }
    assert!(t.daemon.resident_kib() < memory + 16 * 1024, "{memory} -> {} KiB", t.daemon.resident_kib());
    assert_unharmed(&mut t, &code, &before);
}

/// `Begin` with bytes that no library would send, in place of a name of the same length. The name of the error.
fn begin_raw(root: &mut Wire, name: &[u8]) -> String {
    let stand_in = "~".repeat(name.len());
    let serial = root.next_serial();
    let call = Message::method_call(OBJECT_PATH, "Begin")
        .destination(BUS_NAME)
        .interface(LOGIN_INTERFACE)
        .serial(serial);
    let call = call.build(&(stand_in.as_str(), "", "sshd", "", "", "", "passed")).expect("a call");
    let mut bytes = call.data().bytes().to_vec();
    let at = bytes.windows(name.len()).position(|part| part == stand_in.as_bytes()).expect("the stand-in");
    bytes[at..at + name.len()].copy_from_slice(name);
    drop(root.send(&bytes));
    root.reply_to(serial).expect_err("a refusal").name
}

#[test]
fn inp_01_odd_names_on_the_command_line() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let code = alice.fresh_code();
    let before = files(&t);
    let verbs: [&[&str]; 5] = [
        &["status"],
        &["log", "--json"],
        &["enroll", "--json"],
        &["reset", "--yes", "--reason", "x"],
        &["unlock"],
    ];
    for name in odd_names() {
        let name = OsString::from_vec(name);
        for verb in verbs {
            for dashes in [&["--"][..], &[]] {
                let out = Command::new(artifacts::ctl())
                    .args(["--bus", &t.bus.address()])
                    .args(verb)
                    .args(dashes)
                    .arg(&name)
                    .stdin(Stdio::null())
                    .output()
                    .expect("run countersignctl");
                let what = format!("{verb:?} {dashes:?} {}", shown(name.as_bytes()));
                let help = dashes.is_empty() && name == OsStr::new("--help");
                let done = out.status.code() == Some(0);
                // Only a list of the logins of nobody can succeed.
                assert_eq!(done, help || (verb[0] == "log" && out.stderr.is_empty()), "{what}: {out:?}");
                assert!(out.status.code().is_some_and(|code| code <= 6), "{what}: {:?}", out.status);
                assert_clean(&String::from_utf8_lossy(&out.stdout), &what);
                assert_clean(&String::from_utf8_lossy(&out.stderr), &what);
                let most = 8192 + name.len();
                assert!(out.stdout.len() + out.stderr.len() < most, "{what}: {} bytes", out.stderr.len());
            }
        }
    }
    assert!(t.daemon.log_of_all().is_empty(), "no row: nobody logged in");
    assert!(t.daemon.ctl().run(&["status", "alice"]).ok().stdout.contains("totp"));
    assert_unharmed(&mut t, &code, &before);
}

/// What an attacker may write into the fields that a log keeps.
fn payloads() -> Vec<String> {
    let mut payloads: Vec<String> = [
        "quote\"back\\slash",
        "line\n{\"id\":1,\"user\":\"root\",\"state\":\"verified\"}",
        "\r\n<0>fake event\r",
        "\u{1b}[2J\u{1b}]52;c;aGk=\u{7}\u{1b}]0;title\u{7}\u{8}\u{8}",
        "\u{9b}31m\u{85}\u{90}\u{7f}\u{1}",
        "\u{202e}live\u{2066}\u{2028}\u{2029}\u{61c}\u{200f}",
        "a,b;c=d|e\tf'g<h>&amp;[i]{j}",
        "%n%s%x$(id)`id`${HOME}",
        "=cmd|' /C calc'!A0",
        "é ü 漢字 😀 e\u{301}",
    ]
    .map(str::to_owned)
    .to_vec();
    payloads.push("x".repeat(300));
    payloads.push("漢".repeat(4096));
    payloads
}

#[test]
fn inp_03_no_field_of_the_log_reaches_a_terminal_or_another_row() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let mut t = Fixture::start();
    let mut root = Wire::on(&t.bus);
    let payloads = payloads();
    let mut attempts = Vec::new();
    for p in &payloads {
        for user in ["alice", "carol", p] {
            let all = Begin { user, ruser: p, service: p, program: p, rhost: p, tty: p };
            all.call(&mut root).expect("a step");
            attempts.push(p.chars().take(256).collect::<String>());
        }
        // Neither makes a row; both are worth a line in the journal.
        let confirm = (&"0".repeat(32), p.as_str(), p.as_str());
        drop(root.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Confirm", &confirm));
        let reset = ("bob", format!("because {}", p.chars().take(400).collect::<String>()), false);
        root.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &reset).expect("a reason is a reason");
        let whom = (p.as_str(), "", "", "");
        let enroll =
            root.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Enroll", &whom).expect_err("nobody");
        assert_eq!(enroll.name, error::NOT_FOUND);
        assert_clean(&enroll.text, "the daemon's sentence");
    }

    let json = t.daemon.ctl().run(&["log", "--json"]).ok();
    assert_clean(&json.stdout, "log --json");
    assert_eq!(json.stdout.lines().count(), attempts.len(), "one line a login");
    let rows = t.daemon.log_of_all();
    assert_eq!(rows.len(), attempts.len());
    for (row, sent) in rows.iter().zip(&attempts) {
        for field in [&row.ruser, &row.service, &row.program, &row.tty] {
            assert_eq!(field, sent, "JSON means what was sent");
        }
        assert!(
            ["alice", "carol"].contains(&row.user.as_str()) || row.user.starts_with("unknown:"),
            "{row:?}"
        );
        assert_eq!(row.source, "unknown", "no address: {row:?}");
    }
    let table = t.daemon.ctl().run(&["log", "--limit", "1000"]).ok();
    assert_clean(&table.stdout, "log");
    assert_eq!(table.stdout.lines().count(), attempts.len() + 1, "a title and one line a login");
    let said = t.daemon.said();
    assert_events(&said);
    assert!(said.contains("<0>fake event"), "the control: the journal did get them");
    assert!(t.daemon.is_running());

    let mut at_terminal = Command::new(artifacts::ctl());
    at_terminal.args(["--bus", &t.bus.address(), "log", "--limit", "1000"]).env("LC_ALL", "C.UTF-8");
    let mut pty = Pty::spawn(&at_terminal);
    assert!(pty.wait(Duration::from_secs(10)).success());
    // The red of a refusal is ours; nothing else may tell the terminal what to do.
    let shown = pty.transcript().replace("\u{1b}[1;31m", "").replace("\u{1b}[0m", "");
    assert!(!shown.chars().any(|c| c != '\n' && is_hostile(c)), "{shown:?}");
    assert_eq!(pty.transcript().lines().count(), attempts.len() + 1, "none of them wraps");
}
