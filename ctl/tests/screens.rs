//! What a person sees: the tables at 80 and 160 columns, and whole conversations, each as one golden file, and
//! drawn in docs/screens. `COUNTERSIGN_GENERATE=1` writes them anew.

mod support;

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use countersign_protocol::manager::{Act, Lock, Override, ResetRequest};
use support::bus::Bus;
use support::daemon::{Daemon, Script, login, person};
use support::drawing::svg;
use support::run::{Typing, ctl, piped};

fn script() -> Script {
    let mut bob = person("bob", 1001);
    bob.locks.push(Lock { lane: "other".into(), seconds: 95 });
    bob.failures = 7;
    let exemption = Override {
        user: "carol".into(),
        uid: 1002,
        what: "exempt".into(),
        until: 1_795_419_012,
        left: 86_400,
        reason: "phone in repair, ticket 512".into(),
        by: "root".into(),
        by_uid: 0,
        made: 1_795_332_612,
    };
    let lock = Override {
        user: "bob".into(),
        uid: 1001,
        what: "lock".into(),
        until: 0,
        left: 0,
        reason: "laptop stolen, ticket 513".into(),
        ..exemption.clone()
    };
    let act = |id: i64, verb: &str, user: &str, before: &str, after: &str, reason: &str| Act {
        id,
        at: 1_795_332_600 + id * 300,
        verb: verb.into(),
        actor: 0,
        actor_name: "root".into(),
        loginuid: 1003,
        user: user.into(),
        uid: if user.is_empty() { -1 } else { 1001 },
        before: before.into(),
        after: after.into(),
        reason: reason.into(),
    };
    let acts = vec![
        act(1, "ApplyPolicy", "", "policy 1f3a9c", "policy 77b0de", "operators from outside, change 88"),
        act(
            2,
            "Unlock",
            "bob",
            "7 wrong answers in a row",
            "0 wrong answers",
            "called from the known number",
        ),
        act(3, "Lock", "bob", "", "locked", "laptop stolen, ticket 513"),
    ];
    let mut carol = person("carol.with-a-long-name", 1002);
    carol.overrides.push(exemption.clone());
    let mut logins: Vec<_> =
        (1..=4).map(|id| login(id, ["alice", "bob", "carol", "alice"][id as usize - 1])).collect();
    logins[1].state = "denied".into();
    logins[1].reason = "wrong-code".into();
    logins[1].source = "2001:db8:1234:5678:9abc:def0:1234:5678".into();
    logins[2].state = "locked".into();
    logins[3].state = "would-ask".into();
    logins[3].policy = "a policy with a long name".into();
    let request = ResetRequest {
        id: 3,
        user: "alice".into(),
        uid: 1000,
        requester: "bob".into(),
        reason: "phone lost on the train, called from the known number".into(),
        asked: 1_795_332_612,
        until: 1_795_419_012,
        approved: vec!["carol".into()],
        missing: 1,
    };
    Script {
        people: vec![person("alice", 1000), bob, carol],
        logins,
        requests: vec![request],
        overrides: vec![exemption, lock],
        acts,
        ..Script::default()
    }
}

/// Compares with ctl/tests/golden/NAME, or writes it.
fn golden(name: &str, text: &str) {
    compare(&format!("ctl/tests/golden/{name}"), text);
}

/// Compares a terminal's picture with docs/screens/NAME-COLUMNS.svg, or writes it.
fn screen(name: &str, words: &str, shown: &str, columns: u16) {
    let shown = format!("$ {words}\n{shown}");
    compare(&format!("docs/screens/{name}-{columns}.svg"), &svg(words, &shown, columns));
}

fn compare(name: &str, text: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    if std::env::var_os("COUNTERSIGN_GENERATE").is_some() {
        fs::create_dir_all(file.parent().expect("a folder")).expect("a folder");
        fs::write(&file, text).expect("the golden file");
    }
    let committed = fs::read_to_string(&file).unwrap_or_default();
    for (number, (new, old)) in text.lines().zip(committed.lines()).enumerate() {
        assert_eq!(new, old, "line {} of {name}", number + 1);
    }
    assert_eq!(text.lines().count(), committed.lines().count(), "{name} is stale");
}

#[test]
fn tables_at_eighty_and_a_hundred_and_sixty_columns() {
    let bus = Bus::start();
    let _daemon = Daemon::start(&bus.address(), script());
    let mut text = String::from("Tables as a terminal shows them, by ctl/tests/screens.rs.\n");
    for words in [
        &["users"][..],
        &["log"],
        &["log", "acts"],
        &["status", "alice"],
        &["approve"],
        &["exempt"],
        &["lock"],
        &["policy", "explain", "alice"],
    ] {
        let typed = format!("countersignctl {}", words.join(" "));
        for columns in [80, 160] {
            let (code, seen) = Typing::start(ctl(&bus.address(), words), columns).end();
            assert_eq!(code, 0, "{seen}");
            for line in seen.lines() {
                assert!(line.chars().count() <= usize::from(columns), "{columns}: {line}");
            }
            write!(text, "\n==== {typed} at {columns} columns\n{seen}").expect("memory");
            let mut coloured = ctl(&bus.address(), words);
            coloured.env("TERM", "xterm");
            let (_, seen) = Typing::start(coloured, columns).end();
            screen(words.join("-").trim_end_matches("-alice"), &typed, &seen, columns);
        }
    }
    golden("tables.txt", &text);
}

#[test]
fn the_screen_of_somebody_who_is_enrolled() {
    let bus = Bus::start();
    let _daemon = Daemon::start(&bus.address(), script());
    let words = ["enroll", "alice"];
    let mut typing = Typing::start(ctl(&bus.address(), &words), 80);
    typing.expect("Type the code the app shows: ");
    typing.send("123456");
    let (code, seen) = typing.end();
    assert_eq!(code, 0, "{seen}");
    screen("enroll", "countersignctl enroll alice", &seen, 80);
}

/// A line that is typed when its question stands.
type Typed = (&'static str, &'static str);

#[test]
fn conversations_about_what_people_have() {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), script());
    let mut text = String::from("Conversations as a terminal shows them, by ctl/tests/screens.rs.\n");
    let scenes: [(&[&str], &[Typed]); 12] = [
        (&["rename", "app", "work phone", "alice"], &[]),
        (&["remove", "app", "alice", "--reason", "phone sold"], &[("go on: ", "yes")]),
        (&["remove", "app", "alice", "--reason", "phone sold"], &[("go on: ", "no")]),
        (&["resync", "alice"], &[("now: ", "111111"), ("that: ", "222222")]),
        (&["recovery-codes", "alice"], &[]),
        (&["recovery-codes", "alice", "--new"], &[]),
        (&["recovery-codes", "alice", "--view", "--reason", "at the desk"], &[]),
        (&["invite", "alice"], &[]),
        (&["reset", "alice", "--reason", "phone lost"], &[("go on: ", "yes")]),
        (&["lock", "alice", "--reason", "laptop stolen"], &[("go on: ", "yes")]),
        (&["unlock", "alice", "--reason", "it was found"], &[]),
        (&["lock"], &[]),
    ];
    for (words, typed) in scenes {
        let mut typing = Typing::start(ctl(&bus.address(), words), 80);
        for (question, answer) in typed {
            typing.expect(question);
            typing.send(answer);
        }
        let (code, seen) = typing.end();
        write!(text, "\n$ countersignctl {}\n{seen}[exit {code}]\n", words.join(" ")).expect("memory");
    }
    golden("conversations.txt", &text);
    let calls = daemon.calls();
    for expected in [
        "RenameFactor alice app work phone ",
        "RemoveFactor alice app  phone sold",
        "Resync alice app 111111 222222",
        "NewRecoveryCodes alice ",
        "ViewRecoveryCodes alice at the desk",
    ] {
        assert_eq!(calls.iter().filter(|call| *call == expected).count(), 1, "{expected}: {calls:?}");
    }
}

#[test]
fn conversations_about_backups_and_the_key() {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), script());
    let folder = std::env::temp_dir().join(format!("countersignctl-files-{}", std::process::id()));
    fs::create_dir_all(&folder).expect("a folder");
    let place = folder.display().to_string();
    let (backup, key) = (format!("{place}/backup"), format!("{place}/key"));
    fs::write(&key, format!("countersign-key 1\ninstance {}\nkey {}\n", "ab".repeat(16), "cd".repeat(32)))
        .expect("a key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).expect("chmod");
    let mut text =
        String::from("Conversations about files as a terminal shows them, by ctl/tests/screens.rs.\n");
    let scenes: [(&[&str], &[Typed]); 5] = [
        (&["backup", &backup], &[]),
        (&["restore", &backup, "--dry-run"], &[]),
        (&["restore", &backup, "--reason", "disk died"], &[("go on: ", "no")]),
        (&["restore", &backup, "--reason", "disk died"], &[("go on: ", "yes")]),
        (&["rekey", "--key-file", &key], &[("go on: ", "yes")]),
    ];
    for (words, typed) in scenes {
        let mut typing = Typing::start(ctl(&bus.address(), words), 80);
        for (question, answer) in typed {
            typing.expect(question);
            typing.send(answer);
        }
        let (code, seen) = typing.end();
        write!(text, "\n$ countersignctl {}\n{seen}[exit {code}]\n", words.join(" ")).expect("memory");
    }
    let changed = fs::read_to_string(&key).expect("the key file");
    drop(fs::remove_dir_all(&folder));
    assert!(!changed.contains("previous") && !changed.contains(&"cd".repeat(32)), "a new key, and no other");
    golden("files.txt", &text.replace(&place, "/root"));
    let calls = daemon.calls();
    assert_eq!(
        calls.iter().filter(|call| *call == "Restore 0 keys false false disk died").count(),
        1,
        "{calls:?}"
    );
    assert_eq!(calls.iter().filter(|call| *call == "Rekey").count(), 2, "looked at, then done: {calls:?}");
}

#[test]
fn colours_only_on_a_terminal_that_has_them_and_never_unwanted() {
    let bus = Bus::start();
    let _daemon = Daemon::start(&bus.address(), script());
    let shown = |variables: &[(&str, &str)]| {
        let mut command = ctl(&bus.address(), &["log"]);
        command.envs(variables.iter().copied());
        Typing::start(command, 80).end().1
    };
    let coloured = shown(&[("TERM", "xterm")]);
    assert!(coloured.contains("\u{1b}[1;31mdenied\u{1b}[0m"), "{coloured}");
    let plain = shown(&[("TERM", "xterm"), ("NO_COLOR", "1")]);
    assert!(!plain.contains('\u{1b}'), "{plain}");
    // The same words without them, in the same places.
    let mut bare = coloured.clone();
    for code in ["\u{1b}[1;31m", "\u{1b}[33m", "\u{1b}[0m"] {
        bare = bare.replace(code, "");
    }
    assert_eq!(bare, plain);
    assert!(!shown(&[("TERM", "dumb")]).contains('\u{1b}'));
    assert!(!shown(&[]).contains('\u{1b}'));
    assert!(shown(&[("TERM", "xterm"), ("NO_COLOR", "")]).contains('\u{1b}'), "an empty one says nothing");
    let mut piped_command = ctl(&bus.address(), &["log"]);
    piped_command.env("TERM", "xterm");
    assert!(!piped(&mut piped_command, "").out.contains('\u{1b}'), "a pipe");
}
