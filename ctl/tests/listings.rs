//! `log`, `users` and `status`: paging, tables, JSON, and hostile rows.

mod support;

use countersign_protocol::manager::Login;
use support::bus::Bus;
use support::daemon::{Daemon, Script, login, person};
use support::run::{Ended, Typing, ctl, piped};

fn start(script: Script) -> (Bus, Daemon) {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), script);
    (bus, daemon)
}

fn logins(count: i64) -> Script {
    Script { logins: (1..=count).map(|id| login(id, "alice")).collect(), ..Script::default() }
}

fn run(bus: &Bus, args: &[&str]) -> Ended {
    piped(&mut ctl(&bus.address(), args), "")
}

fn ids(json: &str) -> Vec<i64> {
    json.lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"))
        .map(|value| value["id"].as_i64().expect("a number"))
        .collect()
}

#[test]
fn log_json_lists_everything_newest_first() {
    let (bus, daemon) = start(logins(450));
    let ended = run(&bus, &["log", "--json"]);
    assert_eq!(ended.code, 0);
    assert_eq!(ids(&ended.out), (1..=450).rev().collect::<Vec<_>>());
    assert_eq!(daemon.calls(), ["Log  0 200", "Log  251 200", "Log  51 200"]);
}

#[test]
fn log_has_a_limit_and_a_person() {
    let (bus, daemon) = start(logins(450));
    assert_eq!(ids(&run(&bus, &["log", "alice", "--limit", "201", "--json"]).out).len(), 201);
    assert_eq!(daemon.calls(), ["Log alice 0 200", "Log alice 251 1"]);
    let ended = run(&bus, &["log", "bob"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""));
    assert_eq!(ended.err, "No logins.\n");
}

#[test]
fn log_as_a_table_shows_a_hundred_and_says_so() {
    let (bus, _daemon) = start(logins(450));
    let ended = run(&bus, &["log"]);
    assert_eq!(ended.out.lines().count(), 101);
    let header = ended.out.lines().next().expect("a header");
    for title in ["STARTED", "USER", "POLICY", "RUSER", "PROGRAM", "TTY", "UID", "ID"] {
        assert!(header.contains(title), "{header}");
    }
    assert!(ended.out.lines().nth(1).expect("a row").starts_with("2026-11-22 07:37:42Z  alice"));
    assert!(ended.err.contains("The newest 100"), "{}", ended.err);
}

#[test]
fn tables_fit_the_terminal() {
    let mut script = logins(5);
    script.logins.push(Login {
        source: "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff".into(),
        user: "unknown:0123456789abcdef0123456789abcdef".into(),
        uid: -1,
        ..login(6, "")
    });
    script.people = vec![person("alice", 1000), person(&"long".repeat(30), 1001)];
    let (bus, _daemon) = start(script);
    for columns in [20, 40, 80, 132, 250] {
        for verb in ["log", "users"] {
            let (code, seen) = Typing::start(ctl(&bus.address(), &[verb]), columns).end();
            assert_eq!(code, 0);
            for line in seen.lines() {
                assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
            }
        }
    }
}

/// INP-03: as many records as logins, and nothing that a terminal obeys.
#[test]
fn inp_03_hostile_rows() {
    let nasty = "x\u{1b}]52;c;eA==\u{7}\n\u{9b}2J\u{202e}\u{2028}\"},{\u{7f}";
    let mut script = logins(1);
    script.logins.push(Login {
        user: nasty.into(),
        ruser: nasty.into(),
        service: nasty.into(),
        program: nasty.into(),
        tty: nasty.into(),
        source: nasty.into(),
        state: nasty.into(),
        ..login(2, "")
    });
    script.people = vec![person(nasty, 5)];
    let (bus, _daemon) = start(script);
    let obeyed = |text: &str| {
        text.replace('\n', "").contains(|c: char| {
            c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        })
    };
    for args in [&["log"][..], &["log", "--json"], &["users"], &["users", "--json"]] {
        let ended = run(&bus, args);
        assert!(!obeyed(&ended.out), "{args:?}: {:?}", ended.out);
        let rows = if args[0] == "log" { 2 } else { 1 };
        let header = usize::from(args.len() == 1);
        assert_eq!(ended.out.lines().count(), rows + header, "{args:?}: {}", ended.out);
    }
    let json = run(&bus, &["log", "--json"]).out;
    let value: serde_json::Value = serde_json::from_str(json.lines().next().expect("a line")).expect("JSON");
    assert_eq!(value["user"], nasty);
    let (_, seen) = Typing::start(ctl(&bus.address(), &["log"]), 200).end();
    assert!(!obeyed(&seen), "{seen:?}");
}

#[test]
fn users_are_paged_by_uid() {
    let people = (0..450).map(|n| person(&format!("u{n}"), 1000 + n)).collect();
    let (bus, daemon) = start(Script { people, ..Script::default() });
    let ended = run(&bus, &["users", "--json"]);
    assert_eq!(ended.code, 0);
    assert_eq!(ended.out.lines().count(), 450);
    assert_eq!(
        daemon.calls(),
        ["Users true 0 200", "Users false 1199 200", "Users false 1399 200", "Users false 1449 200"]
    );
    let first: serde_json::Value =
        serde_json::from_str(ended.out.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["user"], "u0");
    assert_eq!(first["factors"][1]["left"], 10);
    assert!(run(&bus, &["users"]).out.contains("totp, recovery (10 left)"));
}

#[test]
fn nobody_is_said_not_shown_as_an_empty_table() {
    let (bus, _daemon) = start(Script::default());
    let ended = run(&bus, &["users"]);
    assert_eq!((ended.code, ended.out.as_str()), (0, ""));
    assert!(ended.err.contains("Nobody is enrolled"), "{}", ended.err);
    assert_eq!(run(&bus, &["users", "--json"]).out, "");
}

#[test]
fn pages_that_repeat_do_not_loop_for_ever() {
    let mut script = logins(300);
    script.people = vec![person("alice", 1000)];
    script.repeat_pages = true;
    let (bus, daemon) = start(script);
    for verb in ["log", "users"] {
        let ended = run(&bus, &[verb, "--json"]);
        assert_eq!(ended.code, 5);
        assert!(ended.err.replace('\n', " ").contains("a page out of order"), "{}", ended.err);
    }
    assert_eq!(daemon.calls().len(), 4);
}

#[test]
fn status_of_the_host_and_of_a_person() {
    let (bus, _daemon) = start(Script::default());
    let host = run(&bus, &["status"]);
    assert_eq!(host.code, 0);
    for word in ["0.1.0", "loaded", "ab12", "2"] {
        assert!(host.out.contains(word), "{}", host.out);
    }
    let person = run(&bus, &["status", "alice"]);
    for word in ["alice (uid 1000)", "totp", "recovery", "2026-11-22 07:30:12Z", "never", "10"] {
        assert!(person.out.contains(word), "{word}: {}", person.out);
    }
    assert!(person.out.contains("\nsshd     192.0.2.7  2026-11-22 07:31:40Z\n"), "{}", person.out);
    assert!(person.out.contains("countersignctl forget alice"), "{}", person.out);
    assert_eq!(run(&bus, &["status", "nobody-here"]).code, 3);
}

#[test]
fn status_as_json() {
    let (bus, _daemon) = start(Script::default());
    assert_eq!(
        run(&bus, &["status", "--json"]).out,
        "{\"version\":\"0.1.0\",\"config\":\"loaded\",\"policy_hash\":\"ab12\",\"enrolled\":2,\"clock_behind\":0,\"trouble\":[]}\n"
    );
    assert_eq!(
        run(&bus, &["status", "alice", "--json"]).out,
        "{\"user\":\"alice\",\"uid\":1000,\"factors\":[\
         {\"kind\":\"totp\",\"name\":\"app\",\"created\":1795332612,\"last_used\":null,\"left\":null},\
         {\"kind\":\"recovery\",\"name\":\"\",\"created\":1795332612,\"last_used\":null,\"left\":10}],\
         \"locks\":[],\"failures\":0,\"last_verified\":1795332700,\"confirmed\":[\
         {\"service\":\"sshd\",\"source\":\"192.0.2.7\",\"at\":1795332700}],\
         \"notices\":[{\"at\":1795332701,\"kind\":\"enrolled\",\"detail\":\"app\",\"told\":null}],\"overrides\":[],\"addresses\":[]}\n"
    );
}

#[test]
fn status_says_that_the_file_is_not_in_force() {
    let config = "1 policy in force\nthe policy file is NOT in force:\nf.toml:1:1: \u{1b}[2J\nf.toml:2:1: y";
    let (bus, _daemon) = start(Script { config: config.into(), ..Script::default() });
    let host = run(&bus, &["status"]);
    assert_eq!(
        host.out,
        "countersignd   0.1.0\n\
         configuration  1 policy in force\n\
         policy hash    ab12\n\
         enrolled       2\n\
         \n\
         WARNING: the policy file is NOT in force:\n    f.toml:1:1: \\x1b[2J\n    f.toml:2:1: y\n\
         What would be applied, and why not:  countersignctl policy apply --dry-run\n"
    );
    assert_eq!(host.code, 0);
    let json = run(&bus, &["status", "--json"]).out;
    let trouble = "\"config\":\"1 policy in force\",\"policy_hash\":\"ab12\",\"enrolled\":2,\
                   \"clock_behind\":0,\"trouble\":[\"f.toml:1:1: \\u001b[2J\",\"f.toml:2:1: y\"]}\n";
    assert!(json.ends_with(trouble), "{json}");
}

#[test]
fn a_full_disk_is_noticed_and_a_closed_pipe_is_silent() {
    let (bus, _daemon) = start(logins(3000));
    let full = std::fs::File::options().write(true).open("/dev/full").expect("/dev/full");
    let output = ctl(&bus.address(), &["log", "--json"]).stdout(full).output().expect("ends");
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("The list is not complete"));

    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let output = ctl(&bus.address(), &["log", "--json"]).stdout(writer).output().expect("ends");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}
