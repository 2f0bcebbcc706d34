//! `reset`, `approve` and `request-reset`: what they ask, what they send, and what they say.

mod support;

use countersign_protocol::manager::ResetRequest;
use support::bus::Bus;
use support::daemon::{Daemon, Script};
use support::run::{Typing, ctl, piped};

fn start() -> (Bus, Daemon) {
    let bus = Bus::start();
    let request = |id, missing| ResetRequest {
        id,
        user: "alice".into(),
        uid: 1000,
        requester: "carol".into(),
        reason: "phone\u{1b}[2J lost".into(),
        asked: 1_795_332_612,
        until: 1_795_419_012,
        approved: if missing == 1 { vec!["bob".into()] } else { vec![] },
        missing,
    };
    let script = Script { requests: vec![request(3, 1), request(4, 2)], ..Script::default() };
    let daemon = Daemon::start(&bus.address(), script);
    (bus, daemon)
}

#[test]
fn approve_without_a_number_lists() {
    let (bus, daemon) = start();
    for args in [&["approve"][..], &["approve", "--list"]] {
        let listed = piped(&mut ctl(&bus.address(), args), "");
        assert_eq!(
            listed.out,
            "ID  USER   ASKED BY  REASON             UNTIL                 APPROVED BY  MISSING\n\
             3   alice  carol     phone\\x1b[2J lost  2026-11-23 07:30:12Z  bob          1\n\
             4   alice  carol     phone\\x1b[2J lost  2026-11-23 07:30:12Z               2\n"
        );
        assert_eq!(listed.code, 0);
    }
    let json = piped(&mut ctl(&bus.address(), &["approve", "--json"]), "");
    assert_eq!(
        json.out.lines().next(),
        Some(
            "{\"id\":3,\"user\":\"alice\",\"uid\":1000,\"requester\":\"carol\",\
             \"reason\":\"phone\\u001b[2J lost\",\"asked\":1795332612,\"until\":1795419012,\
             \"approved\":[\"bob\"],\"missing\":1}"
        )
    );
    assert_eq!(daemon.calls(), ["ResetRequests"; 3]);
    daemon.script.lock().expect("not poisoned").requests.clear();
    let none = piped(&mut ctl(&bus.address(), &["approve"]), "");
    assert_eq!((none.code, none.out.as_str()), (0, ""));
    assert!(none.err.contains("countersignctl request-reset"), "{}", none.err);
}

#[test]
fn approve_shows_who_and_why_and_asks() {
    for (answer, code) in [("yes", 0), ("no", 1)] {
        let (bus, daemon) = start();
        let mut typing = Typing::start(ctl(&bus.address(), &["approve", "3"]), 80);
        typing.expect("Type yes to approve: ");
        assert!(
            typing.seen.contains("Request 3: carol asked on 2026-11-22 07:30:12Z to reset alice (uid 1000)."),
            "{}",
            typing.seen
        );
        assert!(typing.seen.contains("Reason: phone\\x1b[2J lost"), "{}", typing.seen);
        typing.send(answer);
        let (ended, seen) = typing.end();
        assert_eq!(ended, code, "{seen}");
        assert!(seen.lines().all(|line| line.chars().count() <= 80), "{seen}");
        let calls = daemon.calls();
        assert_eq!(calls.iter().any(|call| call == "ApproveReset 3"), code == 0, "{calls:?}");
    }
}

#[test]
fn approve_on_a_pipe_needs_yes_and_an_open_request() {
    let (bus, daemon) = start();
    let refused = piped(&mut ctl(&bus.address(), &["approve", "3"]), "yes\n");
    assert_eq!(refused.code, 2);
    assert!(refused.err.contains("Add --yes"), "{}", refused.err);
    assert_eq!(daemon.calls(), Vec::<String>::new());

    let one = piped(&mut ctl(&bus.address(), &["approve", "4", "--yes"]), "");
    assert_eq!((one.code, one.out.as_str()), (0, "Request 4 approved. One more person must approve it.\n"));
    let mut typing = Typing::start(ctl(&bus.address(), &["approve", "9"]), 80);
    typing.expect("no open request 9");
    assert_eq!(typing.end().0, 3);
    assert!(!daemon.calls().contains(&"ApproveReset 9".to_owned()));
}

#[test]
fn a_request_is_refused_with_a_reason() {
    let (bus, daemon) = start();
    let args = ["approve", "3", "--refuse", "--reason", "not her voice", "--yes"];
    let ended = piped(&mut ctl(&bus.address(), &args), "");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.contains("Request 3 refused"), "{ended:?}");
    assert_eq!(daemon.calls(), ["RefuseReset 3 not her voice"]);
    let mut typing = Typing::start(ctl(&bus.address(), &args[..5]), 80);
    typing.expect("Type yes to refuse it: ");
    typing.send("yes");
    assert_eq!(typing.end().0, 0);
}

#[test]
fn reset_alone_says_so_to_the_daemon() {
    let (bus, daemon) = start();
    let args = ["reset", "alice", "--alone", "--reason", "fire", "--yes"];
    assert_eq!(piped(&mut ctl(&bus.address(), &args), "").code, 0);
    assert_eq!(daemon.calls(), ["Reset alice fire true"]);
}

/// The reset is done, the sessions are not: both is said, and it is no success.
#[test]
fn sessions_that_cannot_be_ended_are_said() {
    let (bus, daemon) = start();
    let args = ["reset", "alice", "--reason", "stolen", "--yes", "--end-sessions"];
    let ended = piped(&mut ctl(&bus.address(), &args), "");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains("2 factors of alice removed"), "{ended:?}");
    assert!(ended.err.contains("alice was reset, but sessions of alice go on"), "{ended:?}");
    assert_eq!(daemon.calls(), ["Status alice", "Reset alice stolen false"]);
    let args = ["approve", "3", "--yes", "--end-sessions"];
    let ended = piped(&mut ctl(&bus.address(), &args), "");
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.err.contains("alice was reset, but sessions of alice go on"), "{ended:?}");
}
