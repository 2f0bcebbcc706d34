//! `log` with what it is asked, `log --follow`, `log acts`, `log verify`, `metrics`.

mod support;

use countersign_protocol::manager::{Act, Broken};
use support::bus::Bus;
use support::daemon::{Daemon, Script, login};
use support::run::{Ended, ctl, piped};

fn start(script: Script) -> (Bus, Daemon) {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), script);
    (bus, daemon)
}

fn run(bus: &Bus, args: &[&str]) -> Ended {
    piped(&mut ctl(&bus.address(), args), "")
}

fn act(id: i64) -> Act {
    Act {
        id,
        at: 1_795_332_612,
        verb: "Reset".into(),
        actor: 1000,
        actor_name: "alice".into(),
        loginuid: -1,
        user: "bob\u{1b}[2J".into(),
        uid: 1001,
        before: "authenticator \"app\"".into(),
        after: "nothing".into(),
        reason: "phone lost".into(),
    }
}

#[test]
fn what_is_asked_goes_to_the_daemon() {
    let (bus, daemon) = start(Script { logins: vec![login(1, "alice")], ..Script::default() });
    let asked = [
        "log",
        "alice",
        "--since",
        "2026-11-22T00:00:00Z",
        "--until",
        "2026-11-22",
        "--state",
        "denied,locked",
        "--service",
        "SSHD",
        "--from",
        "10.0.0.0/8",
        "--policy",
        "operators",
        "--json",
    ];
    assert_eq!(run(&bus, &asked).code, 0);
    assert_eq!(
        daemon.calls(),
        ["Log alice 0 200 1795305600 1795392000 denied,locked sshd 10.0.0.0/8 operators"]
    );
    assert_eq!(run(&bus, &["log", "--all", "--json"]).code, 0);
    assert_eq!(daemon.calls().last().map(String::as_str), Some("Log  0 200"));
}

/// Refused before the daemon is asked, with what would be right.
#[test]
fn odd_questions_are_wrong_usage() {
    let (bus, daemon) = start(Script::default());
    for (args, says) in [
        (&["log", "--state", "asleep"][..], "the states are asked,"),
        (&["log", "--since", "last week"], "a day such as 2026-11-22"),
        (&["log", "--until", "+2h"], "no logins yet"),
        (&["log", "--from", "example.org"], "host names are never looked up"),
        (&["log", "acts", "--since", "x"], "a day such as"),
        (&["log", "accept", "--reason", "x"], "--yes"),
    ] {
        let ended = run(&bus, args);
        assert_eq!(ended.code, 2, "{args:?}: {}", ended.err);
        // However its lines are broken.
        let said = ended.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(said.contains(says), "{args:?}: {}", ended.err);
    }
    assert_eq!(daemon.calls(), [""; 0]);
}

/// New rows as they finish, each once, over a daemon that is away for a while.
#[test]
fn follow_prints_each_login_once_and_waits_for_a_daemon_that_is_away() {
    let finishing = [login(41, "alice"), login(2, "alice"), login(42, "bob")].into();
    let logins = vec![login(1, "alice"), login(2, "alice")];
    let (bus, daemon) = start(Script { logins, finishing, ..Script::default() });
    let mut child = ctl(&bus.address(), &["log", "--follow", "--json"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .expect("countersignctl");
    daemon.script.lock().expect("a script").away = 0;
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(child.stdout.take().expect("piped")));
    let mut id = || -> i64 {
        let line = lines.next().expect("a line").expect("text");
        serde_json::from_str::<serde_json::Value>(&line).expect("JSON")["id"].as_i64().expect("a number")
    };
    assert_eq!([id(), id()], [1, 2], "what was before, oldest first");
    assert_eq!(id(), 41);
    {
        let mut script = daemon.script.lock().expect("a script");
        script.away = 2;
        script.finishing.push_back(login(43, "carol"));
    }
    assert_eq!([id(), id()], [42, 43], "2 was shown already");
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(i32::try_from(child.id()).expect("a pid")),
        nix::sys::signal::Signal::SIGINT,
    )
    .expect("our own child");
    let ended = child.wait_with_output().expect("it ends");
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "without noise");
}

#[test]
fn acts_are_listed_and_safe() {
    let (bus, daemon) = start(Script { acts: (1..=3).map(act).collect(), ..Script::default() });
    let table = run(&bus, &["log", "acts", "bob", "--verb", "Reset,Enroll"]);
    assert_eq!((table.code, table.out.lines().count()), (0, 4), "{}", table.out);
    assert!(table.out.starts_with("TIME") && table.out.contains("bob\\x1b[2J"), "{}", table.out);
    assert_eq!(daemon.calls(), ["Acts bob 0 0 [\"Reset\", \"Enroll\"] 0 100"]);
    let json = run(&bus, &["log", "acts", "--json", "--limit", "1"]).out;
    assert_eq!(
        json,
        "{\"id\":3,\"at\":1795332612,\"verb\":\"Reset\",\"actor\":\"alice\",\"actor_uid\":1000,\"loginuid\":null,\
         \"user\":\"bob\\u001b[2J\",\"uid\":1001,\"before\":\"authenticator \\\"app\\\"\",\"after\":\"nothing\",\
         \"reason\":\"phone lost\"}\n"
    );
}

#[test]
fn verify_says_what_is_broken_and_ends_with_six() {
    let (bus, daemon) = start(Script::default());
    let whole = run(&bus, &["log", "verify"]);
    assert_eq!(whole.code, 0);
    assert!(whole.out.contains("The log is whole: 34 rows"), "{}", whole.out);
    assert_eq!(daemon.calls(), ["VerifyLog 0 0 ", "VerifyLog 1 0 ", "VerifyLog 2 0 "]);
    let one = Broken { what: "changed".into(), row: "login".into(), id: 7, why: "x\u{1b}[2J".into() };
    let (bus, _daemon) = start(Script { broken: vec![one; 150], ..Script::default() });
    let broken = run(&bus, &["log", "verify", "--noted", "1:00"]);
    assert_eq!(broken.code, 6);
    assert!(broken.out.starts_with("login 7  changed  x\\x1b[2J\n"), "{}", broken.out);
    assert_eq!(broken.out.lines().count(), 101, "the first hundred");
    assert!(broken.err.contains("log accept --reason"), "{}", broken.err);
    let json = run(&bus, &["log", "verify", "--json"]);
    let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!((json.code, &value["whole"], &value["broken"][0]["id"]), (6, &false.into(), &7.into()));
}

#[test]
fn verify_says_whether_the_noted_link_was_compared() {
    for (noted, code, said) in [
        ("matched", 0, "The link that was noted is there"),
        ("gone", 6, "The link that was noted was NOT compared: it is older than this log"),
    ] {
        let (bus, _daemon) = start(Script { noted, ..Script::default() });
        let args = ["log", "verify", "--noted", "1:000102030405060708090a0b0c0d0e0f"];
        let text = run(&bus, &args);
        assert_eq!(text.code, code, "{}", text.err);
        assert!(text.out.contains(said), "{}", text.out);
        let json = run(&bus, &[&args[..], &["--json"]].concat());
        let value: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
        assert_eq!((json.code, &value["noted"], &value["whole"]), (code, &noted.into(), &true.into()));
    }
    let (bus, _daemon) = start(Script::default());
    let json = run(&bus, &["log", "verify", "--json"]);
    assert!(json.out.contains("\"noted\":null,\"restored\":[]"), "{}", json.out);
}

#[test]
fn verify_says_what_was_put_in_place() {
    let placed = Act { verb: "RestoreOffline".into(), after: "a backup\u{1b}[2J of May".into(), ..act(4) };
    let (bus, _daemon) = start(Script { placed: vec![placed], ..Script::default() });
    let text = run(&bus, &["log", "verify"]);
    assert_eq!(text.code, 0, "{}", text.err);
    assert!(
        text.out.contains("Act 4: at ") && text.out.contains(" alice put a database in place"),
        "{}",
        text.out
    );
    assert!(text.out.contains("a backup\\x1b[2J of May.\n"), "{}", text.out);
    let json = run(&bus, &["log", "verify", "--json"]).out;
    let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&value["restored"][0]["act"], &value["restored"][0]["actor"]), (&4.into(), &"alice".into()));
}

#[test]
fn metrics_are_text_or_json() {
    let (bus, _daemon) = start(Script::default());
    let text = run(&bus, &["metrics"]);
    assert_eq!(text.code, 0);
    assert!(text.out.ends_with("countersign_logins_total{state=\"denied\"} 4\n# EOF\n"), "{}", text.out);
    let json = run(&bus, &["metrics", "--json"]).out;
    assert_eq!(
        json,
        "{\"name\":\"countersign_logins_total\",\"labels\":{\"state\":\"denied\"},\"value\":4.0}\n"
    );
}
