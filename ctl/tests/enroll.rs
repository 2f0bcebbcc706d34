//! `enroll`: for a person, for a program, and when it goes wrong.

mod support;

use nix::sys::signal::Signal;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;
use support::bus::Bus;
use support::daemon::{CODE, Daemon, RECOVERY, SECRET, Script};
use support::run::{Typing, ctl, piped};

fn start() -> (Bus, Daemon) {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), Script::default());
    (bus, daemon)
}

#[test]
fn a_program_gets_two_objects() {
    let (bus, daemon) = start();
    let mut child = ctl(&bus.address(), &["enroll", "alice", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("countersignctl starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    // The first object comes before a code is asked for.
    let first = lines.next().expect("a line").expect("readable");
    assert_eq!(
        first,
        format!(
            "{{\"uri\":\"otpauth://totp/Acme:alice%40host?secret={SECRET}&issuer=Acme\",\
             \"secret\":\"{SECRET}\",\"issuer\":\"Acme\",\"account\":\"alice@host\"}}"
        )
    );
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(format!("{CODE}\n").as_bytes()).expect("writing");
    let second = lines.next().expect("a line").expect("readable");
    let value: serde_json::Value = serde_json::from_str(&second).expect("JSON");
    let codes = value["recovery_codes"].as_array().expect("a list");
    assert_eq!(codes.len(), 10);
    assert_eq!(codes[0], format!("{RECOVERY}00"));
    assert!(lines.next().is_none());
    assert!(child.wait().expect("ends").success());
    assert_eq!(daemon.calls(), ["Enroll alice", "ConfirmEnrollment e1 123456"]);
}

#[test]
fn a_program_with_a_wrong_code_has_one_try() {
    let (bus, daemon) = start();
    let ended = piped(&mut ctl(&bus.address(), &["enroll", "alice", "--json"]), "000000\n123456\n");
    assert_eq!(ended.code, 1);
    assert_eq!(ended.out.lines().count(), 1);
    assert!(ended.err.contains("alice is not enrolled"), "{}", ended.err);
    assert!(!ended.err.contains(SECRET));
    assert_eq!(daemon.calls(), ["Enroll alice", "ConfirmEnrollment e1 000000", "CancelEnrollment e1"]);
}

#[test]
fn an_end_of_input_or_an_empty_line_cancels() {
    for input in ["", "\n"] {
        let (bus, daemon) = start();
        let ended = piped(&mut ctl(&bus.address(), &["enroll", "alice", "--json"]), input);
        assert_eq!(ended.code, 1, "{ended:?}");
        assert_eq!(daemon.calls(), ["Enroll alice", "CancelEnrollment e1"]);
    }
}

#[test]
fn a_closed_standard_output_cancels() {
    let (bus, daemon) = start();
    let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let mut child = ctl(&bus.address(), &["enroll", "alice", "--json"])
        .stdin(Stdio::piped())
        .stdout(full)
        .stderr(Stdio::null())
        .spawn()
        .expect("countersignctl starts");
    drop(child.stdin.take());
    assert_eq!(child.wait().expect("ends").code(), Some(1));
    assert_eq!(daemon.calls(), ["Enroll alice", "CancelEnrollment e1"]);
}

#[test]
fn dis_09_no_key_is_shown_where_it_would_stay() {
    let (bus, daemon) = start();
    let ended = piped(&mut ctl(&bus.address(), &["enroll", "alice"]), "123456\n");
    assert_eq!(ended.code, 2);
    assert_eq!(ended.out, "");
    assert!(ended.err.contains("standard output is no terminal"), "{}", ended.err);
    assert_eq!(daemon.calls(), Vec::<String>::new());
}

#[test]
fn a_person_scans_mistypes_and_gets_recovery_codes() {
    let (bus, daemon) = start();
    let mut typing = Typing::start(ctl(&bus.address(), &["enroll", "alice"]), 80);
    typing.expect("Type the code the app shows: ");
    assert!(typing.seen.contains("█▀▀▀▀▀█") || typing.seen.contains("▄▄▄▄▄"), "{}", typing.seen);
    assert!(typing.seen.contains("JBSW Y3DP EHPK 3PXP JBSW Y3DP EHPK 3PXP"));
    // The code and the question are on the screen together.
    let shown: Vec<&str> = typing.seen.lines().collect();
    let top = shown.iter().position(|line| line.contains("█████")).expect("a QR code");
    assert!(shown.len() - top <= 24, "{}", typing.seen);
    assert!(typing.seen.contains("alice@host") && typing.seen.contains("Acme"));
    typing.send("000000");
    typing.expect("2 tries left");
    typing.expect("Type the code the app shows: ");
    typing.send(" 123456 ");
    typing.expect("recovery codes");
    let (code, seen) = typing.end();
    assert_eq!(code, 0);
    for n in 0..10 {
        assert!(seen.contains(&format!("{:>3}  {RECOVERY}{n:02}", n + 1)), "{seen}");
    }
    assert!(!seen.contains('\u{1b}'), "no colour, no control");
    assert!(seen.lines().all(|line| line.chars().count() <= 80), "{seen}");
    assert_eq!(
        daemon.calls(),
        ["Enroll alice", "ConfirmEnrollment e1 000000", "ConfirmEnrollment e1 123456"]
    );
}

#[test]
fn a_person_has_three_tries() {
    let (bus, daemon) = start();
    let mut typing = Typing::start(ctl(&bus.address(), &["enroll", "alice"]), 80);
    for _ in 0..3 {
        typing.expect("Type the code the app shows: ");
        typing.send("000000");
    }
    let (code, seen) = typing.end();
    assert_eq!(code, 1);
    assert!(seen.contains("alice is not enrolled"), "{seen}");
    assert_eq!(daemon.calls().last().map(String::as_str), Some("CancelEnrollment e1"));
    assert_eq!(daemon.calls().len(), 5);
}

#[test]
fn ctrl_c_and_a_closed_terminal_cancel() {
    for signal in [Signal::SIGINT, Signal::SIGTERM, Signal::SIGHUP] {
        let (bus, daemon) = start();
        let mut typing = Typing::start(ctl(&bus.address(), &["enroll", "alice"]), 80);
        typing.expect("Type the code the app shows: ");
        typing.signal(signal);
        let (code, seen) = typing.end();
        assert_eq!(code, 1);
        assert!(seen.contains("interrupted. Nothing was changed."), "{seen}");
        assert_eq!(daemon.calls(), ["Enroll alice", "CancelEnrollment e1"]);
    }
}

#[test]
fn a_narrow_or_ascii_terminal_gets_the_key_alone() {
    let (bus, _daemon) = start();
    let mut narrow = Typing::start(ctl(&bus.address(), &["enroll", "alice"]), 30);
    narrow.expect("Type the code the app shows: ");
    assert!(narrow.seen.contains("it needs a terminal of"), "{}", narrow.seen);
    assert!(!narrow.seen.contains('█'));

    let mut command = ctl(&bus.address(), &["enroll", "alice"]);
    command.env("LC_ALL", "C");
    let mut ascii = Typing::start(command, 80);
    ascii.expect("Type the code the app shows: ");
    assert!(ascii.seen.contains("this locale is not UTF-8"), "{}", ascii.seen);
    assert!(ascii.seen.is_ascii());
    for typing in [narrow, ascii] {
        typing.signal(Signal::SIGINT);
        assert_eq!(typing.end().0, 1);
    }
}

#[test]
fn an_unknown_person_is_not_found() {
    let (bus, daemon) = start();
    let ended = piped(&mut ctl(&bus.address(), &["enroll", "nobody-here", "--json"]), "");
    assert_eq!((ended.code, ended.out.as_str()), (3, ""));
    assert!(ended.err.contains("\\x1b[2Jnobody-here"), "{}", ended.err);
    assert_eq!(daemon.calls(), ["Enroll nobody-here"]);
}
