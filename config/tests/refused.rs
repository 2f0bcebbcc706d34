//! Every kind of mistake, with its line, its column, its key and the advice that comes with it.

use countersign_config::{Problems, parse};

fn problems(text: &str) -> Problems {
    match parse("f.toml", text) {
        Ok(config) => panic!("accepted: {text:?} as {config:?}"),
        Err(problems) => problems,
    }
}

/// The one message for a text with one mistake.
fn message(text: &str) -> String {
    let problems = problems(text);
    assert_eq!(problems.iter().count(), 1, "{problems}");
    problems.to_string()
}

/// A valid policy with one more line, which is line 3.
fn policy(line: &str) -> String {
    format!("[[policy]]\nname = \"p\"\n{line}\n")
}

const P: &str = "[[policy]]\nname = \"p\"\n";

#[test]
fn unknown_keys_are_named_with_the_nearest_known_one() {
    assert_eq!(
        message(&policy("gruops = [\"wheel\"]")),
        "f.toml:3:1: policy.gruops: unknown key; did you mean groups?"
    );
    assert_eq!(
        message(&format!("isuer = \"A\"\n{P}")),
        "f.toml:1:1: isuer: unknown key; did you mean issuer?"
    );
    assert_eq!(
        message(&policy("  webhook = \"ops\"")),
        "f.toml:3:3: policy.webhook: unknown key; \
         known here are name, status, require, groups, users, except, services, networks, factors, \
         label, enroll, enroll_by, grace, remember, apply, mailbox, address and template"
    );
}

/// Keys that other versions have are refused like any other: nothing is skipped.
#[test]
fn keys_of_other_versions() {
    for line in ["webhook = \"https://example.org\"", "push = true"] {
        let message = message(&policy(line));
        let key = line.split(' ').next().expect("a key");
        assert!(
            message.starts_with(&format!("f.toml:3:1: policy.{key}: unknown key; known here are name, ")),
            "{message}"
        );
    }
}

#[test]
fn unknown_tables_are_refused() {
    for (text, place) in [("[store]", "1:2: store"), ("[webhook.ops]", "1:2: webhook")] {
        assert_eq!(
            message(&format!("{text}\nx = 6\n{P}")),
            format!(
                "f.toml:{place}: unknown table; \
                 known here are issuer, help, qr, policy, totp, recovery, email, mailbox, throttle, reset, \
                 reload and log"
            )
        );
    }
    assert_eq!(
        message(&format!("{P}[[polices]]\nname = \"x\"\n")),
        "f.toml:3:3: polices: unknown table; did you mean [[policy]]?"
    );
    assert_eq!(
        message(&policy("[policy.excepts]\ngroups = [\"robots\"]")),
        "f.toml:3:9: policy.excepts: unknown table; did you mean except?"
    );
    assert_eq!(
        message(&policy("except.people = [\"deploy\"]")),
        "f.toml:3:8: policy.except.people: unknown key; known here are groups and users"
    );
}

#[test]
fn a_key_on_the_wrong_level_is_told_where_it_belongs() {
    assert_eq!(
        message(&format!("groups = [\"wheel\"]\n{P}")),
        "f.toml:1:1: groups: unknown key; it belongs below a [[policy]] line"
    );
    assert_eq!(
        message(&policy("issuer = \"Acme\"")),
        "f.toml:3:1: policy.issuer: unknown key; it belongs above the first [[policy]] line"
    );
    for (line, expected) in [
        ("[policy.totp]", "3:9: policy.totp: unknown table; write [totp], with nothing before it"),
        ("[[policy.policy]]", "3:10: policy.policy: unknown table; write [[policy]], with nothing before it"),
        ("digits = 6", "3:1: policy.digits: unknown key; it belongs below a line [totp]"),
        (
            "only = [\"local\"]",
            "3:1: policy.only: unknown key; it belongs into networks = { ... } of a policy",
        ),
        ("[totp]\nhelp = \"x\"", "4:1: totp.help: unknown key; it belongs above the first line in brackets"),
        ("[totp]\nkeep = \"90d\"", "4:1: totp.keep: unknown key; it belongs below a line [log]"),
        ("[log]\nstatus = \"off\"", "4:1: log.status: unknown key; it belongs below a [[policy]] line"),
        ("[recovery]\ncode = 7", "4:1: recovery.code: unknown key; did you mean codes?"),
    ] {
        assert_eq!(message(&policy(line)), format!("f.toml:{expected}"));
    }
}

#[test]
fn wrong_types() {
    assert_eq!(
        message(&format!("issuer = 5\n{P}")),
        "f.toml:1:10: issuer: must be a string, not an integer; \
         write it in quotes: issuer = \"...\""
    );
    assert_eq!(
        message(&policy("status = false")),
        "f.toml:3:10: policy.status: must be a string, not a boolean; \
         write it in quotes: status = \"...\""
    );
    assert_eq!(
        message(&policy("groups = \"wheel\"")),
        "f.toml:3:10: policy.groups: must be a list of strings, not a string; \
         write groups = [\"...\", \"...\"]"
    );
    assert_eq!(
        message(&policy("services = [\"sshd\", 22]")),
        "f.toml:3:21: policy.services: holds an integer, not a string; \
         write services = [\"...\", \"...\"]"
    );
    assert_eq!(
        message("[policy]\nname = \"p\"\n"),
        "f.toml:1:2: policy: is not a list of tables; \
         write each policy below a line [[policy]], with two brackets"
    );
    assert_eq!(
        message("policy = [\"p\"]\n"),
        "f.toml:1:11: policy: must be a table, not a string; \
         write each policy below a line [[policy]], with two brackets"
    );
}

#[test]
fn policy_names_are_there_and_differ() {
    assert_eq!(
        message("\n[[policy]]\nstatus = \"off\"\n"),
        "f.toml:2:1: policy.name: is missing; \
         write name = \"...\", which stands in the log when this policy decides"
    );
    assert_eq!(
        message("[[policy]]\nname = \"p\"\ngroups = [\"a\"]\n[[policy]]\nname = \"p\"\ngroups = [\"b\"]\n"),
        "f.toml:5:8: policy.name: is the name of the policy at line 1 too; \
         give each policy a name of its own"
    );
}

#[test]
fn status_and_require_list_what_is_allowed() {
    assert_eq!(
        message(&policy("status = \"enforced\"")),
        "f.toml:3:10: policy.status: cannot be \"enforced\"; \
         did you mean \"enforce\"? Allowed are enforce, report or off"
    );
    assert_eq!(
        message(&policy("status = \"on\"")).replace("did you mean \"off\"? Allowed are", "write"),
        "f.toml:3:10: policy.status: cannot be \"on\"; write enforce, report or off"
    );
    assert_eq!(
        message(&policy("require = \"nobody\"")),
        "f.toml:3:11: policy.require: cannot be \"nobody\"; write everyone or enrolled"
    );
    assert_eq!(
        message(&policy("status = \"Enforce\"")),
        "f.toml:3:10: policy.status: cannot be \"Enforce\"; \
         did you mean \"enforce\"? Allowed are enforce, report or off"
    );
}

/// BYP-07: an empty rule set is a mistake, never "everyone" and never "nobody".
#[test]
fn byp_07_empty_lists() {
    assert_eq!(
        message(&policy("groups = []")),
        "f.toml:3:10: policy.groups: is empty, so the policy could match nobody; \
         leave groups out to mean everyone"
    );
    assert_eq!(
        message(&policy("services = []")),
        "f.toml:3:12: policy.services: is empty, so the policy could match nobody; \
         leave services out to mean all services"
    );
    for text in ["", "\n", "# only a comment\n", "issuer = \"A\"\n", "policy = []\n"] {
        assert_eq!(
            message(text),
            "f.toml: has no [[policy]], so it says nothing about anybody; \
             write at least one; to ask nobody for now, give it status = \"off\""
        );
    }
}

#[test]
fn texts_are_bounded_and_printable() {
    assert_eq!(
        message(&format!("issuer = \"\"\n{P}")),
        "f.toml:1:10: issuer: is empty; write something, or leave the key out"
    );
    assert_eq!(
        message(&format!("issuer = \"Acme: Ops\"\n{P}")),
        "f.toml:1:10: issuer: contains a colon, which separates issuer and account in the \
         authenticator app; leave the colon out"
    );
    assert_eq!(
        message(&format!("help = \"{}\"\n{P}", "x".repeat(401))),
        "f.toml:1:8: help: has 401 characters; use at most 400"
    );
    assert_eq!(
        message(&format!("help = \"a\\u001b[2J\"\n{P}")),
        "f.toml:1:8: help: contains the unprintable character U+001B; \
         write it in one line of visible characters"
    );
    assert_eq!(
        message(&policy("label = \"x\\u202ey\"")),
        "f.toml:3:9: policy.label: contains the unprintable character U+202E; \
         write it in one line of visible characters"
    );
    assert_eq!(
        message("[[policy]]\nname = \" p\"\n"),
        "f.toml:2:8: policy.name: begins or ends with a space; take the space away"
    );
}

#[test]
fn names_in_lists() {
    assert_eq!(
        message(&policy("groups = [\"wheel\", \"wheel?\"]")),
        "f.toml:3:20: policy.groups: names \"wheel\" twice; keep one of them"
    );
    assert_eq!(
        message(&policy("groups = [\"?\"]")),
        "f.toml:3:11: policy.groups: is empty; write something, or leave the key out"
    );
    assert_eq!(
        message(&policy("services = [\"SSHD\"]")),
        "f.toml:3:13: policy.services: would never match: PAM service names are lower case; \
         write \"sshd\""
    );
    assert_eq!(
        message(&policy("services = [\"sshd\", \"sshd\"]")),
        "f.toml:3:21: policy.services: names \"sshd\" twice; keep one of them"
    );
    assert_eq!(
        message(&policy("services = [\"sshd?\"]")),
        "f.toml:3:13: policy.services: has a `?`, which only groups can have; \
         leave the question mark out"
    );
    let many: Vec<String> = (0..101).map(|n| format!("\"g{n}\"")).collect();
    assert_eq!(
        message(&policy(&format!("groups = [{}]", many.join(",")))),
        "f.toml:3:10: policy.groups: has 101 names; use at most 100"
    );
}

#[test]
fn shadowed_policies() {
    assert_eq!(
        message(&format!("{P}[[policy]]\nname = \"late\"\ngroups = [\"wheel\"]\n")),
        "f.toml:3:1: policy: \"late\" is never reached: \"p\" at line 1 matches all of it first; \
         move it up, narrow the earlier ones, or delete it"
    );
    let two = "[[policy]]\nname = \"a\"\nservices = [\"sshd\"]\n\
               [[policy]]\nname = \"b\"\nservices = [\"login\"]\n";
    let text = format!("{two}[[policy]]\nname = \"c\"\nservices = [\"login\", \"sshd\"]\n");
    assert!(message(&text).contains("f.toml:7:1: policy: \"c\" is never reached: the policies above"));
    assert!(parse("f", &format!("{two}[[policy]]\nname = \"c\"\n")).is_ok());
}

#[test]
fn too_many_policies() {
    let text: String =
        (0..1001).map(|n| format!("[[policy]]\nname = \"p{n}\"\nservices = [\"s{n}\"]\n")).collect();
    assert_eq!(message(&text), "f.toml:3001:1: policy: is one of 1001 policies; use at most 1000");
}

#[test]
fn syntax_errors_have_a_place() {
    assert_eq!(
        message("issuer = \"A\"\nissuer = \"B\"\n"),
        "f.toml:2:1: issuer: is written twice; keep one of them"
    );
    for (text, start) in [
        ("issuer = \"Acme\n[[policy]]\nname = \"p\"\n", "f.toml:1:"),
        ("[[policy]\nname = \"p\"\n", "f.toml:1:"),
        ("[[policy]]\nname = \n", "f.toml:2:"),
        ("[[policy]]\nname \"p\"\n", "f.toml:2:"),
        ("[[policy]]\nname = \"p\"\ngroups = [\"a\" \"b\"]\n", "f.toml:3:15:"),
        ("[[policy]]\nname = 'p'\n[policy]\n", "f.toml:3:"),
        ("a = \0\n", "f.toml:1:5:"),
    ] {
        let problems = problems(text);
        let first = problems.to_string().lines().next().unwrap_or_default().to_owned();
        assert!(first.starts_with(start), "{text:?}: {first}");
        assert!(first.contains("; "), "no advice: {first}");
    }
}

#[test]
fn all_problems_at_once_in_the_order_of_the_file() {
    let text = "isuer = \"A\"\r\n[[policy]]\r\nstatus = \"on\"\r\ngroups = []\r\n\
                [[policy]]\r\nname = 7\r\nlabel = \"a:b\"\r\n";
    let problems = problems(text);
    let places: Vec<_> =
        problems.iter().map(|p| (p.line().unwrap_or(0), p.key().unwrap_or("").to_owned())).collect();
    let expected = [
        (1, "isuer"),
        (2, "policy.name"),
        (3, "policy.status"),
        (4, "policy.groups"),
        (6, "policy.name"),
        (7, "policy.label"),
    ];
    assert_eq!(places, expected.map(|(line, key)| (line, key.to_owned())));
    assert_eq!(problems.to_string().lines().count(), 6);
}

/// A megabyte of mistakes is read in a moment, too.
#[test]
fn many_problems_take_no_time() {
    let count = 10_000;
    let text: String = (0..count).map(|n| format!("{n}='{}'\n", "x".repeat(80))).collect();
    let begun = std::time::Instant::now();
    let problems = problems(&format!("{text}{P}"));
    assert_eq!(problems.iter().count(), count);
    assert_eq!(problems.iter().last().and_then(countersign_config::Problem::line), Some(count));
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

#[test]
fn columns_count_characters_not_bytes() {
    assert_eq!(
        message("policy = [{ name = \"ä€😀\", gruops = [] }]\n"),
        "f.toml:1:27: policy.gruops: unknown key; did you mean groups?"
    );
}

#[test]
fn no_escape_of_the_file_reaches_the_message() {
    let text = "\"\\u001b[2J\\n\" = 1\n[[policy]]\nname = \"p\"\nstatus = \"\\u001b]52\"\n";
    let shown = problems(text).to_string();
    assert!(!shown.contains('\u{1b}'), "{shown:?}");
    assert_eq!(shown.lines().count(), 2);
}

#[test]
fn encodings() {
    let bom = message(&format!("\u{feff}{P}"));
    assert!(bom.starts_with("f.toml:1:1: begins with a byte order mark (BOM); "), "{bom}");
    let big = format!("{P}#{}\n", "x".repeat(1024 * 1024));
    assert!(message(&big).contains("is larger than 1048576 bytes"));
}

/// INP-05: deep nesting is an error, not a stack overflow.
#[test]
fn inp_05_deep_nesting() {
    let deep = format!("issuer = {}{}\n{P}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(parse("f.toml", &deep).is_err());
    let dotted = format!("{}a = 1\n{P}", "a.".repeat(100_000));
    assert!(parse("f.toml", &dotted).is_err());
    let headers = format!("[{}a]\n", "a.".repeat(100_000));
    assert!(parse("f.toml", &headers).is_err());
}

/// INP-05: no prefix and no single changed byte of a valid file makes the reader panic.
#[test]
fn inp_05_mutations_do_not_panic() {
    let text = include_str!("full.toml");
    for end in 0..text.len() {
        if let Some(prefix) = text.get(..end) {
            drop(parse("f.toml", prefix));
        }
    }
    for at in 0..text.len() {
        for byte in [b'"', b'[', b'\n', b'=', b'#', b'\\', 0, b'9'] {
            let mut bytes = text.as_bytes().to_vec();
            bytes[at] = byte;
            if let Ok(text) = String::from_utf8(bytes) {
                drop(parse("f.toml", &text));
            }
        }
    }
}
