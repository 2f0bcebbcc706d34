//! `reset`, `unlock` and `forget`, and every way of not being served.

mod support;

use support::bus::Bus;
use support::daemon::{Daemon, Script};
use support::run::{Typing, ctl, piped, seen};

fn start() -> (Bus, Daemon) {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), Script::default());
    (bus, daemon)
}

#[test]
fn reset_without_a_terminal_needs_yes() {
    let (bus, daemon) = start();
    let args = ["reset", "alice", "--reason", "phone lost"];
    let ended = piped(&mut ctl(&bus.address(), &args), "yes\n");
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("Add --yes"), "{}", ended.err);
    assert_eq!(daemon.calls(), Vec::<String>::new());

    let ended = piped(&mut ctl(&bus.address(), &[&args[..], &["--yes"]].concat()), "");
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains("2 factors of alice removed"), "{}", ended.out);
    assert_eq!(daemon.calls(), ["Reset alice phone lost false"]);
}

#[test]
fn reset_asks_a_person() {
    for (answer, code) in [("yes", 0), ("y", 1), ("", 1), ("no", 1)] {
        let (bus, daemon) = start();
        let args = ["reset", "alice", "--reason", "phone lost"];
        let mut typing = Typing::start(ctl(&bus.address(), &args), 80);
        typing.expect("Type yes to go on: ");
        assert!(typing.seen.contains("alice (uid 1000) has: totp, recovery (10 left)."));
        typing.send(answer);
        let (ended, seen) = typing.end();
        assert_eq!(ended, code, "{seen}");
        assert_eq!(daemon.calls().iter().any(|call| call.starts_with("Reset")), code == 0);
    }
}

#[test]
fn unlock_says_what_it_did() {
    let (bus, daemon) = start();
    let ended = piped(&mut ctl(&bus.address(), &["unlock", "alice"]), "");
    assert_eq!((ended.code, ended.out.as_str()), (0, "1 lock lifted. alice can try again now.\n"));
    assert_eq!(daemon.calls(), ["Unlock alice "]);
}

#[test]
fn forget_says_what_it_did() {
    let (bus, daemon) = start();
    let ended = piped(&mut ctl(&bus.address(), &["forget", "alice"]), "");
    assert_eq!(ended.out, "2 remembered places forgotten. alice is asked again everywhere.\n");
    assert_eq!(ended.code, 0);
    assert_eq!(piped(&mut ctl(&bus.address(), &["forget", "nobody-here"]), "").code, 3);
    assert_eq!(daemon.calls(), ["Forget alice", "Forget nobody-here"]);
}

#[test]
fn exit_codes_of_the_daemons_errors() {
    let (bus, _daemon) = start();
    for (user, code, said) in [
        ("nobody-here", 3, "not found"),
        ("forbidden", 4, "not allowed"),
        ("broken", 5, "journalctl -u countersignd"),
    ] {
        let ended = piped(&mut ctl(&bus.address(), &["unlock", user]), "");
        assert_eq!(ended.code, code);
        assert!(ended.err.contains(said), "{}", ended.err);
        assert_eq!(ended.out, "");
    }
}

#[test]
fn a_daemon_that_does_not_run() {
    let bus = Bus::start();
    let ended = piped(&mut ctl(&bus.address(), &["users"]), "");
    assert_eq!(ended.code, 5);
    assert!(ended.err.contains("systemctl status countersignd"), "{}", ended.err);
}

#[test]
fn a_bus_that_forbids_it() {
    let bus = Bus::with_policy(
        "<allow send_destination=\"*\"/><allow own=\"*\"/>\
         <deny send_interface=\"org.countersign1.Manager\"/>",
    );
    let _daemon = Daemon::start(&bus.address(), Script::default());
    let ended = piped(&mut ctl(&bus.address(), &["users"]), "");
    assert_eq!(ended.code, 4, "{ended:?}");
}

#[test]
fn a_bus_that_is_not_there_or_no_bus_at_all() {
    let ended = piped(&mut ctl("unix:path=/nonexistent/socket", &["users"]), "");
    assert_eq!(ended.code, 5);
    assert!(ended.err.contains("/nonexistent/socket"), "{}", ended.err);
    let ended = piped(&mut ctl("nonsense\u{1b}[2J", &["users"]), "");
    assert_eq!(ended.code, 2, "{}", ended.err);
    assert!(!ended.err.contains('\u{1b}'));
}

/// BYP-08: whoever sets the environment does not choose the bus.
#[test]
fn byp_08_the_environment_does_not_choose_the_bus() {
    let (bus, daemon) = start();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_countersignctl"));
    command.arg("users").env_clear();
    for name in ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_ADDRESS"] {
        command.env(name, bus.address());
    }
    let ended = piped(&mut command, "");
    assert_ne!(ended.code, 0);
    assert_eq!(daemon.calls(), Vec::<String>::new());
}

#[test]
fn wrong_usage_and_help() {
    let (bus, _daemon) = start();
    for args in [
        &["enrol", "alice"][..],
        &["reset", "alice"],
        &["log", "--limit", "0"],
        &["enroll", "a\u{1b}[2J", "x"],
        &["policy", "explain", "alice", "--from", "host.example\u{1b}[2J"],
        &["import"],
        &["import", "google-authenticator", "--user", "alice", "--all-homes"],
        &["import", "otpauth"],
    ] {
        let ended = piped(&mut ctl(&bus.address(), args), "");
        assert_eq!((ended.code, ended.out.as_str()), (2, ""), "{args:?}");
        assert!(!ended.err.is_empty() && !ended.err.contains('\u{1b}'), "{:?}", ended.err);
    }
    for args in [
        &["--help"][..],
        &["--version"],
        &["log", "--help"],
        &["enroll", "--help"],
        &["reset", "--help"],
        &["exempt", "--help"],
        &["require", "--help"],
        &["accept-clock", "--help"],
        &["policy", "--help"],
        &["policy", "check", "--help"],
        &["policy", "explain", "--help"],
        &["policy", "apply", "--help"],
        &["import", "--help"],
        &["import", "google-authenticator", "--help"],
        &["import", "oath", "--help"],
        &["import", "otpauth", "--help"],
    ] {
        let ended = piped(&mut ctl(&bus.address(), args), "");
        assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{args:?}");
        assert!(ended.out.lines().all(|line| line.chars().count() <= 80), "{}", ended.out);
    }
}

/// A log and `grep` get each line whole; at a terminal it is broken, and never inside of a command.
#[test]
fn lines_are_broken_for_people_and_for_nobody_else() {
    let bus = Bus::start();
    let _daemon = Daemon::start(&bus.address(), Script::default());
    let words = ["exempt", "alice", "--until", "soon"];
    let piped = piped(&mut ctl(&bus.address(), &words), "");
    let (first, whole) = (piped.err.lines().next().unwrap_or_default(), piped.err.lines().count());
    assert!(first.chars().count() > 80 && first.ends_with("or +14d or +12h"), "{piped:?}");
    let (code, out, shown) = seen(ctl(&bus.address(), &words), None);
    assert_eq!((code, out.as_str(), piped.code), (2, "", 2));
    assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    assert_eq!(shown.lines().count(), whole + 1, "{shown}");
    assert!(shown.replace('\n', " ").contains(first), "{shown}");
}
