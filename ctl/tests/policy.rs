//! `policy`: explaining and applying through the daemon.

mod support;

use countersign_protocol::manager::Applied;
use support::bus::Bus;
use support::daemon::{Daemon, Script, applied};
use support::run::{Ended, Typing, ctl, piped};

const LESS: &str = "members of ops, sshd, from 192.0.2.7: nobody would be asked any more";

fn start(applies: impl IntoIterator<Item = Result<Applied, String>>) -> (Bus, Daemon) {
    let bus = Bus::start();
    let script = Script { applies: applies.into_iter().collect(), ..Script::default() };
    let daemon = Daemon::start(&bus.address(), script);
    (bus, daemon)
}

fn run(bus: &Bus, args: &[&str]) -> Ended {
    piped(&mut ctl(&bus.address(), &[&["policy"], args].concat()), "")
}

#[test]
fn explain_shows_the_walk_the_decision_and_the_prompts() {
    let (bus, daemon) = start([]);
    let ended = run(&bus, &["explain", "alice"]);
    assert_eq!(
        ended.out,
        "A login of alice to sshd from this machine (remote: add --from ADDRESS).\n\
         \n\
         POLICY     STATUS   RESULT  BECAUSE\n\
         robots     off      miss    not this person\n\
         operators  enforce  hit\n\
         \n\
         alice must show a second factor: policy \"operators\" decides.\n\
         After the first factor alice sees:\n    Verification code:\n"
    );
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(run(&bus, &["explain", "nobody-here", "--from", "unknown"]).code, 3);
    let there = run(&bus, &["explain", "alice", "--service", "LOGIN", "--from", "2001:DB8::7"]);
    assert!(there.out.starts_with("A login of alice to login from 2001:db8::7.\n\n"), "{}", there.out);
    assert_eq!(
        daemon.calls(),
        [
            "ExplainPolicy alice sshd ",
            "ExplainPolicy nobody-here sshd unknown",
            "ExplainPolicy alice login 2001:db8::7"
        ]
    );
}

#[test]
fn explain_as_json() {
    let (bus, _daemon) = start([]);
    assert_eq!(
        run(&bus, &["explain", "alice", "--json"]).out,
        "{\"user\":\"alice\",\"service\":\"sshd\",\"from\":\"local\",\"decision\":\"required\",\
         \"policy\":\"operators\",\"certain\":true,\"walk\":[\
         {\"policy\":\"robots\",\"status\":\"off\",\"result\":\"miss\",\"because\":\"person\"},\
         {\"policy\":\"operators\",\"status\":\"enforce\",\"result\":\"hit\",\"because\":\"\"}],\
         \"prompts\":[\"Verification code: \"],\"meets\":\"code\",\"at\":null,\"overridden\":null}\n"
    );
}

#[test]
fn apply_says_the_hash_and_the_warnings() {
    let (bus, daemon) = start([Ok(applied(true, &[]))]);
    let ended = run(&bus, &["apply"]);
    assert_eq!(ended.out, "warning: f.toml:3: odd\nPolicy applied (hash 0123456789ab).\n");
    assert_eq!((ended.code, ended.err.as_str()), (0, ""));
    assert_eq!(daemon.calls(), ["ApplyPolicy false false"]);
}

#[test]
fn a_file_that_is_in_force_already_is_said_to_be() {
    let same = Applied { changed: false, warnings: vec![], ..applied(true, &[]) };
    let (bus, _daemon) = start([Ok(same.clone()), Ok(same.clone()), Ok(same)]);
    let said = "Policy unchanged: the file is what is in force already (hash 0123456789ab).\n";
    assert_eq!(run(&bus, &["apply"]).out, said);
    let dry = run(&bus, &["apply", "--dry-run"]).out;
    assert_eq!(dry, "The policy file is what is in force already. Nothing was changed (dry run).\n");
    assert!(
        run(&bus, &["apply", "--json"])
            .out
            .ends_with(",\"changed\":false,\"sessions\":[],\"sessions_trouble\":null}\n")
    );
}

#[test]
fn a_weaker_file_is_refused_with_what_to_type() {
    let (bus, daemon) = start([Ok(applied(false, &[LESS, "a\u{1b}[2J"])), Ok(applied(false, &[LESS]))]);
    let ended = run(&bus, &["apply"]);
    assert_eq!(
        ended.err,
        format!(
            "countersignctl: the policy file was not applied, because it protects less\n\
             than the policy in force:\n    {LESS}\n    a\\x1b[2J\n\
             The running policy stays. If that is meant, type:\n\
             countersignctl policy apply --accept-weaker\n"
        )
    );
    assert_eq!((ended.code, ended.out.as_str()), (1, "warning: f.toml:3: odd\n"));
    let dry = run(&bus, &["apply", "--dry-run"]);
    assert_eq!(dry.code, 1);
    assert!(dry.err.contains("would not be applied") && dry.err.contains(LESS), "{}", dry.err);
    assert_eq!(daemon.calls(), ["ApplyPolicy false false", "ApplyPolicy false true"]);
}

#[test]
fn a_dry_run_changes_and_asks_nothing() {
    let (bus, daemon) = start([Ok(applied(true, &[])), Ok(applied(true, &[LESS]))]);
    let said = "The policy file would be applied. Nothing was changed (dry run).\n";
    let ended = run(&bus, &["apply", "--dry-run"]);
    assert_eq!((ended.code, ended.out), (0, format!("warning: f.toml:3: odd\n{said}")));
    let ended = run(&bus, &["apply", "--dry-run", "--accept-weaker"]);
    let less = format!("It protects less than the policy in force:\n    {LESS}\n");
    assert_eq!((ended.code, ended.out), (0, format!("warning: f.toml:3: odd\n{less}{said}")));
    assert_eq!(daemon.calls(), ["ApplyPolicy false true", "ApplyPolicy true true"]);
}

#[test]
fn accepting_without_a_terminal_needs_yes() {
    let (bus, daemon) = start([Ok(applied(true, &[LESS]))]);
    let ended = piped(&mut ctl(&bus.address(), &["policy", "apply", "--accept-weaker"]), "yes\n");
    assert_eq!((ended.code, ended.out.as_str()), (2, ""));
    assert!(ended.err.contains("Add --yes"), "{}", ended.err);
    assert_eq!(daemon.calls(), Vec::<String>::new());
    let ended = run(&bus, &["apply", "--accept-weaker", "--yes", "--reason", "ticket 9"]);
    assert_eq!(ended.code, 0);
    assert!(ended.out.contains(&format!("policy before it:\n    {LESS}\nPolicy applied")), "{}", ended.out);
    assert_eq!(daemon.calls(), ["ApplyPolicy true false because ticket 9"]);
}

#[test]
fn accepting_asks_a_person() {
    for (answer, code) in [("yes", 0), ("y", 1), ("", 1), ("no", 1)] {
        let (bus, daemon) = start([Ok(applied(false, &[LESS])), Ok(applied(true, &[LESS, "more"]))]);
        let mut typing = Typing::start(ctl(&bus.address(), &["policy", "apply", "--accept-weaker"]), 80);
        typing.expect(LESS);
        typing.expect("Type yes to apply it: ");
        assert_eq!(daemon.calls(), ["ApplyPolicy false true"]);
        typing.send(answer);
        if code == 0 {
            typing.expect("Why, for the log: ");
            typing.send("ticket 9");
        }
        let (ended, seen) = typing.end();
        assert_eq!(ended, code, "{seen}");
        if code == 0 {
            assert_eq!(daemon.calls()[1..], ["ApplyPolicy true false because ticket 9"]);
            assert!(seen.contains("The file changed since you were asked."), "{seen}");
            assert_eq!(seen.matches(LESS).count(), 1, "{seen}");
            assert!(seen.ends_with("    more\nPolicy applied (hash 0123456789ab).\n"), "{seen}");
        } else {
            assert_eq!(daemon.calls().len(), 1);
            assert!(seen.replace('\n', " ").contains("The running policy stays."), "{seen}");
        }
    }
}

/// What nobody was shown is not accepted, even where the option is given.
#[test]
fn a_file_that_gets_weaker_after_the_look_is_refused() {
    let (bus, daemon) = start([Ok(applied(true, &[])), Ok(applied(false, &[LESS]))]);
    let typing = Typing::start(ctl(&bus.address(), &["policy", "apply", "--accept-weaker"]), 80);
    let (code, seen) = typing.end();
    assert_eq!(code, 1, "{seen}");
    assert!(!seen.contains("Type yes") && seen.contains("was not applied"), "{seen}");
    assert_eq!(daemon.calls(), ["ApplyPolicy false true", "ApplyPolicy false false"]);
}

#[test]
fn a_broken_file_leaves_the_running_policy() {
    let problems = "f.toml:1:2: policy.group: unknown key; did you mean groups?\nf.toml:4:1: \u{1b}[2J";
    let (bus, _daemon) = start([Err(problems.to_owned()), Err(problems.to_owned())]);
    let ended = run(&bus, &["apply"]);
    assert_eq!(
        ended.out,
        "f.toml:1:2: policy.group: unknown key; did you mean groups?\nf.toml:4:1: \\x1b[2J\n"
    );
    assert_eq!(
        ended.err,
        "countersignctl: not applied because of these problems; the running policy stays.\n\
         Correct the file, then:  countersignctl policy check\n"
    );
    assert_eq!(ended.code, 6);
    let ended = run(&bus, &["apply", "--json"]);
    assert_eq!(
        ended.out,
        "{\"applied\":false,\"dry_run\":false,\"problems\":[\
         \"f.toml:1:2: policy.group: unknown key; did you mean groups?\",\
         \"f.toml:4:1: \\u001b[2J\"],\"weaker\":[],\"warnings\":[],\"hash\":null,\"changed\":false,\"sessions\":[],\"sessions_trouble\":null}\n"
    );
    assert_eq!((ended.code, ended.err.as_str()), (6, ""));
}

#[test]
fn apply_as_json() {
    let (bus, _daemon) = start([Ok(applied(false, &["less"])), Ok(applied(true, &[]))]);
    let ended = run(&bus, &["apply", "--json"]);
    assert_eq!(
        ended.out,
        format!(
            "{{\"applied\":false,\"dry_run\":false,\"problems\":[],\"weaker\":[\"less\"],\
             \"warnings\":[\"f.toml:3: odd\"],\"hash\":\"{}\",\"changed\":true,\"sessions\":[],\"sessions_trouble\":null}}\n",
            "0123456789abcdef".repeat(4)
        )
    );
    assert_eq!((ended.code, ended.err.as_str()), (1, ""));
    let ended = run(&bus, &["apply", "--json", "--dry-run"]);
    assert!(ended.out.starts_with("{\"applied\":true,\"dry_run\":true,"), "{}", ended.out);
    assert_eq!(ended.code, 0);
}
