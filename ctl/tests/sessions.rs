//! Open sessions that a policy means to end: shown, asked about, ended one by one.

mod support;

use countersign_protocol::manager::{Applied, Session};
use support::bus::Bus;
use support::daemon::{Daemon, Script, applied};
use support::logind::{self, Logind};
use support::run::{Ended, Typing, ctl, piped};

fn session(id: &str, user: &str, certain: bool) -> Session {
    Session {
        id: id.into(),
        user: user.into(),
        uid: 1000,
        service: "sshd".into(),
        from: "192.0.2.7".into(),
        tty: "pts/0".into(),
        leader: 4711,
        since: 1_795_332_612,
        policy: "operators".into(),
        certain,
    }
}

/// One that is due, the caller's own, one that is not certain, one that logind does not know.
fn all_kinds() -> Applied {
    let sessions = vec![
        session("4", "alice", true),
        session("5", "bob", true),
        session("6", "carol", false),
        Session { from: String::new(), ..session("", "dave\u{1b}", true) },
    ];
    Applied { sessions, warnings: vec![], ..applied(true, &[]) }
}

struct Scene {
    logind: Logind,
    daemon: Daemon,
    bus: Bus,
}

fn scene(applies: impl IntoIterator<Item = Applied>, refused: Option<&'static str>) -> Scene {
    let bus = Bus::start();
    let script = Script { applies: applies.into_iter().map(Ok).collect(), ..Script::default() };
    let daemon = Daemon::start(&bus.address(), script);
    let one = |id, user| logind::Session { id, user, uid: 1000, class: "user", ..Default::default() };
    let sessions = vec![one("4", "alice"), one("5", "bob"), one("6", "carol")];
    let logind = Logind::start(&bus.address(), logind::Script { sessions, own: Some("5"), refused });
    Scene { logind, daemon, bus }
}

fn run(bus: &Bus, args: &[&str]) -> Ended {
    piped(&mut ctl(&bus.address(), &[&["policy", "apply"], args].concat()), "yes\n")
}

#[test]
fn a_dry_run_names_each_session_and_ends_none() {
    let t = scene([all_kinds()], None);
    let ended = run(&t.bus, &["--dry-run"]);
    assert_eq!(
        ended.out,
        "The policy file would be applied. Nothing was changed (dry run).\n\
         4 open sessions have not passed the policy that asks now.\n\
         would be ended:  session 4 of alice (sshd, from 192.0.2.7, pts/0)\n\
         left open, you type in it:  session 5 of bob (sshd, from 192.0.2.7, pts/0)\n\
         left open, it is not certain that the policy asks:  session 6 of carol (sshd, from 192.0.2.7, pts/0)\n\
         left open, systemd-logind does not know it:  process 4711 of dave\\x1b (sshd, pts/0)\n"
    );
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(t.logind.ended(), Vec::<String>::new());
    assert_eq!(t.daemon.calls(), ["ApplyPolicy false true"]);
}

#[test]
fn with_yes_all_but_the_callers_own_are_ended() {
    let t = scene([all_kinds()], None);
    let ended = run(&t.bus, &["--now", "--yes"]);
    assert!(ended.out.contains("\nended:  session 4 of alice (sshd, from 192.0.2.7, pts/0)\n"), "{ended:?}");
    assert!(ended.out.contains("\nleft open, you type in it:  session 5 of bob"), "{ended:?}");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(t.logind.ended(), ["4"]);
    assert_eq!(t.daemon.calls(), ["ApplyPolicy false false now"]);
}

/// A pipe is no consent: the policy holds, the sessions stay, and the exit code says so.
#[test]
fn without_a_terminal_and_without_yes_nothing_is_ended() {
    let t = scene([all_kinds(), all_kinds()], None);
    let ended = run(&t.bus, &[]);
    assert!(ended.out.starts_with("Policy applied (hash 0123456789ab).\n"), "{ended:?}");
    assert!(ended.out.contains("\nleft open:  session 4 of alice"), "{ended:?}");
    assert!(ended.err.contains("countersignctl policy apply --now --yes"), "{ended:?}");
    assert_eq!(ended.code, 1);
    let json = run(&t.bus, &["--json"]);
    assert!(json.out.contains("\"end\":\"left-open\"") && json.code == 1, "{json:?}");
    assert_eq!(t.logind.ended(), Vec::<String>::new());
}

#[test]
fn a_person_is_asked_and_yes_is_yes() {
    for (answer, ends) in [("yes", true), ("y", false), ("", false)] {
        let t = scene([all_kinds()], None);
        let mut typing = Typing::start(ctl(&t.bus.address(), &["policy", "apply"]), 80);
        typing.expect("To be ended, with everything that runs in them:");
        typing.expect("session 4 of alice (sshd, from 192.0.2.7, pts/0)");
        typing.expect("Type yes to end them: ");
        assert_eq!(t.logind.ended(), Vec::<String>::new());
        typing.send(answer);
        let (code, seen) = typing.end();
        assert_eq!((code, t.logind.ended().len()), if ends { (0, 1) } else { (1, 0) }, "{seen}");
        assert!(ends || seen.contains("The policy holds") || seen.contains("the policy holds"), "{seen}");
    }
}

#[test]
fn what_logind_refuses_is_said_and_the_rest_goes_on() {
    let both =
        Applied { sessions: vec![session("4", "alice", true), session("6", "carol", true)], ..all_kinds() };
    let t = scene([both], Some("4"));
    let ended = run(&t.bus, &["--yes"]);
    let refused = "NOT ended, logind refused (Interactive authentication required.\\x1b):  session 4";
    assert!(ended.out.contains(refused), "{ended:?}");
    assert_eq!((ended.code, t.logind.ended()), (1, vec!["6".to_owned()]), "{ended:?}");
}

#[test]
fn sessions_as_json() {
    let t = scene([all_kinds()], None);
    let ended = run(&t.bus, &["--yes", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&ended.out).expect("one object");
    let ends: Vec<_> = value["sessions"].as_array().expect("a list").iter().map(|s| &s["end"]).collect();
    assert_eq!(ends, ["ended", "own", "uncertain", "unknown-to-logind"]);
    assert!(
        ended.out.contains(
            "{\"id\":\"4\",\"user\":\"alice\",\"uid\":1000,\"service\":\"sshd\",\"from\":\"192.0.2.7\",\
             \"tty\":\"pts/0\",\"leader\":4711,\"since\":1795332612,\"policy\":\"operators\",\
             \"end\":\"ended\"}"
        ),
        "{}",
        ended.out
    );
    assert_eq!((value["sessions"][3]["id"].is_null(), ended.code), (true, 0));
}

/// Where nobody says which session is the caller's own, none is ended.
#[test]
fn without_logind_nothing_is_ended_and_the_policy_holds() {
    let bus = Bus::start();
    let silent =
        Applied { sessions_trouble: "it does not run".into(), warnings: vec![], ..applied(true, &[]) };
    let script = Script { applies: [Ok(all_kinds()), Ok(silent)].into(), ..Script::default() };
    let _daemon = Daemon::start(&bus.address(), script);
    let ended = run(&bus, &["--yes"]);
    assert!(ended.out.contains("left open:  session 4"), "{ended:?}");
    assert!(ended.err.contains("systemd-logind cannot be asked"), "{ended:?}");
    assert_eq!(ended.code, 1);
    let ended = run(&bus, &["--yes"]);
    assert!(
        ended.out.ends_with("warning: open sessions are not known, and none is ended: it does not run\n")
    );
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "{ended:?}");
}
