//! `exempt`, `require` and `accept-clock`.

mod support;

use countersign_protocol::manager::Override;
use support::bus::Bus;
use support::daemon::{Daemon, Script};
use support::run::{Ended, Typing, ctl, piped};

fn start(script: Script) -> (Bus, Daemon) {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), script);
    (bus, daemon)
}

fn run(bus: &Bus, args: &[&str]) -> Ended {
    piped(&mut ctl(&bus.address(), args), "yes\n")
}

fn one(user: &str, what: &str, until: i64) -> Override {
    Override {
        user: user.into(),
        uid: 1000,
        what: what.into(),
        until,
        left: 500_000,
        reason: "phone \u{1b}[2Jlost".into(),
        by: "root".into(),
        by_uid: 0,
        made: 1_795_332_612,
    }
}

fn listed() -> Script {
    Script {
        overrides: vec![one("alice", "exempt", 1_801_440_000), one("bob", "require", 0)],
        ..Script::default()
    }
}

/// ADM-06: no end, no reason and no consent end before the daemon hears of it.
#[test]
fn adm_06_an_exemption_needs_an_end_a_reason_and_consent() {
    let (bus, daemon) = start(Script::default());
    for (args, says) in [
        (&["exempt", "alice", "--reason", "x", "--yes"][..], "needs an end"),
        (&["exempt", "alice", "--until", "2027-01-31", "--yes"], "needs a reason"),
        (&["exempt", "alice", "--until", "2027-01-31", "--reason", "x"], "--yes"),
        (&["exempt", "alice", "--until", "never", "--reason", "x", "--yes"], "2027-01-31"),
        (&["exempt", "alice", "--until", "2027-01-31T10:00:00", "--reason", "x", "--yes"], "UTC"),
    ] {
        let ended = run(&bus, args);
        assert_eq!(ended.code, 2, "{args:?}: {ended:?}");
        assert!(ended.err.contains(says), "{args:?}: {}", ended.err);
    }
    assert_eq!(daemon.calls(), Vec::<String>::new());
}

#[test]
fn exempt_and_back() {
    let (bus, daemon) = start(Script::default());
    let args = ["exempt", "alice", "--until", "2027-01-31", "--reason", "phone lost", "--yes"];
    let ended = run(&bus, &args);
    assert_eq!(
        ended.out,
        "alice is exempt until the end of 2027-01-31 (UTC).\n\
         To end that earlier:  countersignctl exempt alice --end\n"
    );
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(run(&bus, &["exempt", "alice", "--end"]).out, "alice is no longer exempt.\n");
    let gone = ["exempt", "nobody-here", "--until", "+14d", "--reason", "x", "--yes"];
    assert_eq!(run(&bus, &gone).code, 3);
    let calls = daemon.calls();
    assert_eq!(calls[..2], ["Exempt alice 1801440000 phone lost", "EndOverride alice exempt "]);
}

#[test]
fn exempt_asks_a_person() {
    for (answer, code) in [("yes", 0), ("y", 1), ("", 1)] {
        let (bus, daemon) = start(Script::default());
        let args = ["exempt", "alice", "--until", "2027-01-31T12:00:00Z", "--reason", "phone lost"];
        let mut typing = Typing::start(ctl(&bus.address(), &args), 80);
        typing.expect("Type yes to go on: ");
        assert!(typing.seen.contains("until 2027-01-31 12:00:00Z."), "{}", typing.seen);
        typing.send(answer);
        let (ended, seen) = typing.end();
        assert_eq!(ended, code, "{seen}");
        assert_eq!(daemon.calls().iter().any(|call| call.starts_with("Exempt")), code == 0);
    }
}

#[test]
fn require_and_back() {
    let (bus, daemon) = start(Script::default());
    assert_eq!(run(&bus, &["require", "alice"]).out, "A second factor is required of alice, at once.\n");
    let ended = run(&bus, &["require", "alice", "--by", "2027-01-31", "--reason", "audit"]);
    assert!(ended.out.contains("Until the end of 2027-01-31 (UTC),"), "{}", ended.out);
    let weakens = ["require", "alice", "--end"];
    assert_eq!(run(&bus, &weakens).code, 2);
    assert_eq!(run(&bus, &[&weakens[..], &["--reason", "left"]].concat()).code, 2);
    let ended = run(&bus, &[&weakens[..], &["--reason", "left", "--yes"]].concat());
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(
        daemon.calls(),
        [
            "Require alice 0 ",
            "Status alice",
            "Require alice 1801440000 audit",
            "Status alice",
            "EndOverride alice require left"
        ]
    );
}

#[test]
fn both_are_listed() {
    let (bus, _daemon) = start(listed());
    let ended = run(&bus, &["exempt"]);
    assert_eq!(
        ended.out,
        "USER   UID   UNTIL                        LEFT  BY    SINCE                 REASON\n\
         alice  1000  the end of 2027-01-31 (UTC)  6 d   root  2026-11-22 07:30:12Z  phone \\x1b[2Jlost\n"
    );
    assert_eq!(
        run(&bus, &["exempt", "--json"]).out,
        "{\"user\":\"alice\",\"uid\":1000,\"what\":\"exempt\",\"until\":1801440000,\"left\":500000,\
         \"reason\":\"phone \\u001b[2Jlost\",\"by\":\"root\",\"by_uid\":0,\"made\":1795332612}\n"
    );
    let required = run(&bus, &["require"]).out;
    assert!(
        required.contains("bob") && required.contains("at once") && !required.contains("alice"),
        "{required}"
    );
    assert!(run(&bus, &["require", "--json"]).out.contains("\"until\":null,\"left\":null"));
    let (bus, _daemon) = start(Script::default());
    assert_eq!(run(&bus, &["exempt"]).err, "Nobody is exempt.\n");
}

#[test]
fn a_clock_that_once_stood_later_is_said_and_accepted() {
    let (bus, daemon) = start(Script { clock_behind: 400 * 86_400, ..Script::default() });
    let status = run(&bus, &["status"]).out;
    assert!(status.contains("WARNING: the clock of this host once stood 400 d later"), "{status}");
    assert!(status.contains("countersignctl accept-clock"), "{status}");
    assert!(run(&bus, &["status", "--json"]).out.contains("\"clock_behind\":34560000"));
    assert_eq!(run(&bus, &["accept-clock"]).code, 2);
    let ended = run(&bus, &["accept-clock", "--yes"]);
    assert!(ended.out.contains("went back by 400 d"), "{ended:?}");
    assert!(daemon.calls().contains(&"AcceptClock".to_owned()));
    let (bus, _daemon) = start(Script { clock_behind: 3600, ..Script::default() });
    assert!(!run(&bus, &["status"]).out.contains("WARNING"));
}

#[test]
fn explain_as_if_at_another_time() {
    let (bus, daemon) = start(Script::default());
    let ended = run(&bus, &["policy", "explain", "alice", "--at", "2027-01-31"]);
    assert!(ended.out.contains("As if at 2027-01-31 00:00:00Z.\n"), "{}", ended.out);
    let ended = run(&bus, &["policy", "explain", "alice", "--at", "2027-01-31T12:00:00Z", "--json"]);
    assert!(ended.out.contains("\"at\":1801396800,"), "{}", ended.out);
    assert_eq!(
        daemon.calls(),
        ["ExplainPolicy alice sshd  at 1801353600", "ExplainPolicy alice sshd  at 1801396800"]
    );
}
