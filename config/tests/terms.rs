//! What holds for people who are asked: factors, how they enroll, until when they may put it off.

use std::time::Duration;

use countersign_config::{Apply, Config, Deadline, Enroll, Factor, Problems, parse};

/// A policy with more lines, the first of which is line 3.
fn read(lines: &str) -> Result<Config, Problems> {
    parse("f.toml", &format!("[[policy]]\nname = \"p\"\n{lines}\n"))
}

fn accepted(lines: &str) -> Config {
    read(lines).unwrap_or_else(|problems| panic!("{lines}: {problems}"))
}

/// The one message.
fn message(lines: &str) -> String {
    let problems = read(lines).expect_err(lines);
    assert_eq!(problems.iter().count(), 1, "{problems}");
    problems.to_string()
}

#[test]
fn factors_keep_their_order() {
    for (line, expected) in [
        ("factors = [\"totp\"]", &[Factor::Totp][..]),
        ("factors = [\"totp\", \"email\"]", &[Factor::Totp, Factor::Email]),
        ("factors = [\"email\", \"totp\"]", &[Factor::Email, Factor::Totp]),
        ("factors = [\"email\"]", &[Factor::Email]),
    ] {
        let mailbox = "[mailbox.m]\nserver = \"m\"\nfrom = \"a@example.org\"";
        assert_eq!(accepted(&format!("{line}\n{mailbox}")).policies[0].factors, expected);
    }
}

#[test]
fn byp_07_factors_that_nobody_could_show() {
    for (line, expected) in [
        (
            "factors = []",
            "3:11: policy.factors: is empty, so there would be nothing to show; \
             leave factors out to mean \"totp\"",
        ),
        ("factors = [\"totp\", \"totp\"]", "3:20: policy.factors: names \"totp\" twice; keep one of them"),
        (
            "factors = [\"mail\"]",
            "3:12: policy.factors: cannot be \"mail\"; did you mean \"email\"? Allowed are totp or email",
        ),
        ("factors = [\"sms\"]", "3:12: policy.factors: cannot be \"sms\"; write totp or email"),
        ("factors = [\"recovery\"]", "3:12: policy.factors: cannot be \"recovery\"; write totp or email"),
        (
            "factors = \"totp\"",
            "3:11: policy.factors: must be a list of strings, not a string; \
             write factors = [\"...\", \"...\"]",
        ),
    ] {
        assert_eq!(message(line), format!("f.toml:{expected}"));
    }
}

#[test]
fn words_of_a_choice() {
    for (line, expected) in [
        (
            "enroll = \"at_login\"",
            "3:10: policy.enroll: cannot be \"at_login\"; \
             did you mean \"at-login\"? Allowed are at-login, invited or admin",
        ),
        ("apply = \"now\"", "3:9: policy.apply: cannot be \"now\"; write next-login or immediately"),
        (
            "enroll = true",
            "3:10: policy.enroll: must be a string, not a boolean; write it in quotes: enroll = \"...\"",
        ),
    ] {
        assert_eq!(message(line), format!("f.toml:{expected}"));
    }
    let config = accepted("enroll = \"at-login\"\napply = \"immediately\"");
    assert_eq!(config.policies[0].enroll, Enroll::AtLogin);
    assert_eq!(config.policies[0].apply, Apply::Immediately);
}

#[test]
fn a_deadline_is_a_day_a_moment_or_a_grace() {
    for (line, expected) in [
        ("enroll_by = 2027-01-31", Deadline::By(1_801_440_000)),
        ("enroll_by = 2027-01-31T12:30:15+05:30", Deadline::By(1_801_378_815)),
        ("grace = \"14d\"", Deadline::Grace(Duration::from_secs(14 * 86_400))),
        ("grace = \"1h\"", Deadline::Grace(Duration::from_secs(3600))),
        ("grace = \"90d\"", Deadline::Grace(Duration::from_secs(90 * 86_400))),
    ] {
        assert_eq!(accepted(line).policies[0].deadline, Some(expected), "{line}");
    }
}

#[test]
fn deadlines_that_are_none() {
    for (lines, expected) in [
        (
            "enroll_by = 2027-01-31T12:00:00",
            "3:13: policy.enroll_by: is a time without its distance to UTC, so it would mean something \
             else on each host; write 2027-01-31T12:00:00Z or 2027-01-31T12:00:00+01:00, \
             or 2027-01-31 for the end of that day",
        ),
        (
            "enroll_by = 12:00:00",
            "3:13: policy.enroll_by: is a time without a day; write a day, such as 2027-01-31",
        ),
        (
            "enroll_by = \"2027-01-31\"",
            "3:13: policy.enroll_by: must be a date, not a string; \
             write it without quotes: enroll_by = 2027-01-31",
        ),
        (
            "enroll_by = 20270131",
            "3:13: policy.enroll_by: must be a date, not an integer; \
             write it without quotes: enroll_by = 2027-01-31",
        ),
        ("grace = \"59m\"", "3:9: policy.grace: \"59m\" is too short; write at least \"1h\""),
        ("grace = \"0\"", "3:9: policy.grace: \"0\" is too short; write at least \"1h\""),
        ("grace = \"91d\"", "3:9: policy.grace: \"91d\" is too long; write at most \"90d\""),
        (
            "grace = 14",
            "3:9: policy.grace: must be a string, not an integer; write it in quotes: grace = \"...\"",
        ),
        (
            "grace = \"14d\"\nenroll_by = 2027-01-31",
            "3:9: policy.grace: stands beside enroll_by, and each says until when \"later\" is possible; \
             keep one of them",
        ),
    ] {
        assert_eq!(message(lines), format!("f.toml:{expected}"));
    }
    for line in ["enroll_by = 2027-02-29", "enroll_by = 2027-13-01", "enroll_by = 2027-1-31"] {
        assert!(message(line).starts_with("f.toml:3:"), "{line}");
    }
}

#[test]
fn a_deadline_that_is_over_or_far_away_is_told_by_the_clock() {
    const END: i64 = 1_801_440_000;
    let config = accepted("enroll_by = 2027-01-31");
    assert_eq!(config.warnings_at(END - 1), [""; 0]);
    assert_eq!(
        config.warnings_at(END),
        ["f.toml:3: the deadline of policy \"p\" is over: people without a factor are refused or enrolled, \
          and nobody can type \"later\" any more"]
    );
    let year = 366 * 86_400;
    assert_eq!(config.warnings_at(END - year), [""; 0]);
    assert_eq!(
        config.warnings_at(END - year - 1),
        ["f.toml:3: the deadline of policy \"p\" is more than a year away: until then people without a \
          factor pass by typing \"later\""]
    );
    assert_eq!(accepted("grace = \"90d\"").warnings_at(END), [""; 0]);
}

#[test]
fn what_has_no_effect_is_told() {
    assert_eq!(
        accepted("require = \"enrolled\"\ngrace = \"14d\"").warnings,
        ["f.toml:4: policy \"p\" has a deadline that changes nothing: with require = \"enrolled\" nobody \
          without a factor is refused, before it or after"]
    );
    assert!(accepted("grace = \"14d\"").warnings.is_empty());
}
