//! Mistakes in numbers, lengths of time and the tables that hold them; and in several files at once.

use countersign_config::{Problems, parse, parse_all};

const P: &str = "[[policy]]\nname = \"p\"\n";

fn shown<T: std::fmt::Debug>(result: Result<T, Problems>) -> String {
    result.expect_err("a mistake").to_string()
}

/// The message for a table with one line, which is line 2.
fn message(table: &str, line: &str) -> String {
    shown(parse("f.toml", &format!("[{table}]\n{line}\n{P}")))
}

#[test]
fn numbers() {
    for (table, line, expected) in [
        ("totp", "digits = 7", "10: totp.digits: cannot be 7; write 6 or 8"),
        ("totp", "digits = 262", "10: totp.digits: cannot be 262; write 6 or 8"),
        ("totp", "period = 0", "10: totp.period: cannot be 0; write 30 or 60"),
        ("totp", "skew = -1", "8: totp.skew: cannot be -1; write 0 to 2"),
        ("totp", "skew = 3", "8: totp.skew: cannot be 3; write 0 to 2"),
        ("totp", "skew = 99999999999999999999", "8: totp.skew: is out of all bounds; write a small number"),
        (
            "totp",
            "skew = \"1\"",
            "8: totp.skew: must be a whole number, not a string; write it without quotes: skew = 1",
        ),
        (
            "totp",
            "digits = 6.0",
            "10: totp.digits: must be a whole number, not a float; write it without quotes: digits = 1",
        ),
        ("recovery", "codes = 4", "9: recovery.codes: cannot be 4; write 5 to 20"),
        ("recovery", "codes = 21", "9: recovery.codes: cannot be 21; write 5 to 20"),
        (
            "throttle",
            "profile = \"pcl\"",
            "11: throttle.profile: cannot be \"pcl\"; did you mean \"pci\"? Allowed are default or pci",
        ),
    ] {
        assert_eq!(message(table, line), format!("f.toml:2:{expected}"));
    }
    for (table, line, expected) in [
        ("reset", "approvals = 3", "13: reset.approvals: cannot be 3; write 0 to 2"),
        ("reset", "approvals = -1", "13: reset.approvals: cannot be -1; write 0 to 2"),
        (
            "reload",
            "watch = \"yes\"",
            "9: reload.watch: must be true or false, not a string; write it without quotes: watch = true",
        ),
        (
            "recovery",
            "viewable = 1",
            "12: recovery.viewable: must be true or false, not an integer; \
             write it without quotes: viewable = true",
        ),
        (
            "recovery",
            "regenerate_after = \"31d\"",
            "20: recovery.regenerate_after: \"31d\" is too long; write at most \"30d\"",
        ),
        ("reset", "watch = true", "1: reset.watch: unknown key; it belongs below a line [reload]"),
        ("reset", "qr = \"off\"", "1: reset.qr: unknown key; it belongs above the first line in brackets"),
    ] {
        assert_eq!(message(table, line), format!("f.toml:2:{expected}"));
    }
    assert_eq!(
        shown(parse("f.toml", &format!("qr = \"on\"\n{P}")))
            .replace("did you mean \"off\"? Allowed are", "write"),
        "f.toml:1:6: qr: cannot be \"on\"; write dark, light or off"
    );
    for (line, expected) in [
        (
            "totp = 6",
            "1:8: totp: must be a table, not an integer; write a line [totp], and its keys below it",
        ),
        (
            "log = \"400d\"",
            "1:7: log: must be a table, not a string; write a line [log], and its keys below it",
        ),
        ("[[totp]]", "1:1: totp: must be a table, not a list; write a line [totp], and its keys below it"),
    ] {
        assert_eq!(shown(parse("f.toml", &format!("{line}\n{P}"))), format!("f.toml:{expected}"));
    }
}

#[test]
fn lengths_of_time() {
    let form = "is not a length of time; write a whole number and one of s, m, h or d, such as \"12h\"";
    for (text, expected) in [
        ("29d", "is too short; write at least \"30d\"".to_owned()),
        ("0", "is too short; write at least \"30d\"".to_owned()),
        ("3651d", "is too long; write at most \"3650d\"".to_owned()),
        ("99999999999999999999d", "is too long; write at most \"3650d\"".to_owned()),
        ("400", "has no unit; write \"400s\", \"400m\", \"400h\" or \"400d\"".to_owned()),
        ("1y", form.to_owned()),
        ("", form.to_owned()),
        ("1 d", form.to_owned()),
        ("\\u001b", form.to_owned()),
    ] {
        let text_shown = text.replace("\\u001b", "\\u{1b}");
        assert_eq!(
            message("log", &format!("keep = \"{text}\"")),
            format!("f.toml:2:8: log.keep: \"{text_shown}\" {expected}")
        );
    }
    assert_eq!(
        shown(parse("f.toml", &format!("{P}remember = \"31d\"\n"))),
        "f.toml:3:12: policy.remember: \"31d\" is too long; write at most \"30d\""
    );
    assert_eq!(
        shown(parse("f.toml", &format!("{P}remember = 0\n"))),
        "f.toml:3:12: policy.remember: must be a string, not an integer; \
         write it in quotes: remember = \"...\""
    );
}

#[test]
fn what_two_files_set() {
    let main = format!("issuer = \"A\"\n[totp]\nskew = 2\n{P}");
    let drop_in = "issuer = \"A\"\n\n[totp]\ndigits = 8\n";
    assert_eq!(
        shown(parse_all(&[("etc/c.toml", &*main), ("etc/conf.d/1.toml", drop_in)])),
        "etc/conf.d/1.toml:1:1: issuer: is set at etc/c.toml:1 too; keep it in one of the files\n\
         etc/conf.d/1.toml:3:2: totp: is set at etc/c.toml:2 too; keep it in one of the files"
    );
}

#[test]
fn problems_show_their_file() {
    let late = "\n[[policy]]\nname = \"p\"\ngroups = [\"g\"]\n";
    assert_eq!(
        shown(parse_all(&[("c.toml", P), ("conf.d/1.toml", late)])),
        "conf.d/1.toml:3:8: policy.name: is the name of the policy at c.toml:1 too; \
         give each policy a name of its own"
    );
    assert_eq!(
        shown(parse_all(&[("c.toml", P), ("conf.d/1.toml", &late.replace("\"p\"", "\"q\""))])),
        "conf.d/1.toml:2:1: policy: \"q\" is never reached: \"p\" at c.toml:1 matches all of it first; \
         move it up, narrow the earlier ones, or delete it"
    );
    // All at once, in the order of the files, whatever kind they are.
    let files: [(&str, &[u8]); 4] =
        [("c.toml", b"isuer = 1\n"), ("1.toml", b"\xff"), ("2.toml", b"a = \n"), ("3.toml", b"\xef\xbb\xbf")];
    let all = shown(parse_all(&files));
    let starts: Vec<&str> = all.lines().filter_map(|line| line.split(": ").next()).collect();
    assert_eq!(starts, ["1.toml:1:1", "2.toml:1:5", "3.toml:1:1"], "{all}");
    let files: [(&str, &[u8]); 2] = [("c.toml", b"isuer = 1\n"), ("1.toml", b"\xff")];
    let all = shown(parse_all(&files));
    assert_eq!(
        all,
        "c.toml:1:1: isuer: unknown key; did you mean issuer?\n\
         1.toml:1:1: is not valid UTF-8; save it as UTF-8"
    );
    // No policy anywhere is said of the main file.
    assert!(
        shown(parse_all(&[("c.toml", ""), ("1.toml", "help = \"x\"\n")]))
            .starts_with("c.toml: has no [[policy]]")
    );
    let none: [(&str, &str); 0] = [];
    assert!(parse_all(&none).is_err());
}
