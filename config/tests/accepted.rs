//! What a valid file means.

use std::time::Duration;

use countersign_config::{
    AddressSource, Apply, Deadline, Enroll, Except, Factor, GroupRef, Log, Network, Networks, Policy, Qr,
    Recovery, Reload, Require, Reset, Status, Throttle, Totp, parse, parse_all,
};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn group(name: &str, may_be_missing: bool) -> GroupRef {
    GroupRef { name: name.into(), may_be_missing }
}

fn network(address: &str, prefix: u8) -> Network {
    Network::Cidr { address: address.parse().expect("an address"), prefix }
}

#[test]
fn the_shipped_file_asks_nobody() {
    let text = include_str!("../countersign.toml");
    let config = parse("countersign.toml", text).expect("the shipped file is valid");
    assert_eq!(config.issuer, "Countersign");
    assert_eq!(config.help, None);
    assert_eq!(config.policies.len(), 1);
    assert_eq!(config.policies[0].status, Status::Off);
    assert_eq!(config.policies[0].groups, None);
    assert_eq!(config.policies[0].services, None);
    assert!(text.lines().all(|line| line.len() <= 100));
}

/// Every key that the shipped file describes in a comment is real, and shown with its default
/// where it has one: take the `#` away and parse.
#[test]
fn the_shipped_files_examples_are_valid() {
    let text = include_str!("../countersign.toml");
    let policy = [
        "[[policy]]",
        "name",
        "status",
        "require",
        "groups",
        "users",
        "except",
        "services",
        "networks",
        "factors",
        "label",
        "enroll",
        "enroll_by",
        "remember",
        "apply",
        "mailbox",
        "address",
        "template",
    ];
    let others = [
        "issuer",
        "help",
        "qr",
        "[totp]",
        "digits",
        "period",
        "skew",
        "[recovery]",
        "codes",
        "regenerate_after",
        "viewable",
        "[email]",
        "length",
        "valid_for",
        "resend_after",
        "addresses",
        "most_per_hour",
        "[mailbox.ops]",
        "server",
        "tls",
        "from",
        "reply_to",
        "helo",
        "login",
        "user",
        "ca_file",
        "[throttle]",
        "profile",
        "[reset]",
        "approvals",
        "[reload]",
        "watch",
        "[log]",
        "keep",
        "most",
    ];
    let (mut example, mut seen) = (String::new(), Vec::new());
    for line in text.lines() {
        let (line, known) = match (line.strip_prefix("# "), line.strip_prefix('#')) {
            (Some(line), _) => (line, &policy[..]),
            (None, Some(line)) => (line, &others[..]),
            (None, None) => continue,
        };
        let key = line.split(" = ").next().unwrap_or_default();
        if known.contains(&key) && (line.contains(" = ") || line.starts_with('[')) {
            seen.push(key);
            example.push_str(line);
            example.push('\n');
        }
    }
    assert_eq!(seen, [&others[..], &policy].concat());
    let config = parse("example", &example).expect("the examples are valid");
    let default = parse("default", "[[policy]]\nname = \"p\"\n").expect("valid");
    assert_eq!(config.issuer, default.issuer);
    assert_eq!(config.totp, default.totp);
    assert_eq!(config.recovery, default.recovery);
    assert_eq!(config.throttle, default.throttle);
    assert_eq!(config.email, default.email);
    assert_eq!(config.log, default.log);
    assert_eq!(config.reset, default.reset);
    assert_eq!(config.reload, default.reload);
    assert_eq!(config.qr, default.qr);
    assert_eq!(config.policies[0].factors, default.policies[0].factors);
    assert_eq!(config.policies[0].enroll, default.policies[0].enroll);
    assert_eq!(config.policies[0].apply, default.policies[0].apply);
    assert_eq!(config.policies[0].status, default.policies[0].status);
    assert_eq!(config.policies[0].require, default.policies[0].require);
    assert_eq!(config.policies[0].remember, default.policies[0].remember);
}

#[test]
fn every_key() {
    let config = parse("full.toml", include_str!("full.toml")).expect("valid");
    assert_eq!(config.issuer, "Acme");
    assert_eq!(config.help.as_deref(), Some("Lost your phone? Ask the helpdesk, room 12."));
    assert_eq!(
        config.policies[0],
        Policy {
            name: "operators".into(),
            status: Status::Enforce,
            require: Require::Everyone,
            groups: Some(vec![group("wheel", true), group("sudo", false)]),
            users: Some(vec!["ann".into(), "ACME\\bob".into()]),
            except: Except { groups: vec![group("robots", true)], users: vec!["deploy".into()] },
            services: Some(vec!["sshd".into(), "login".into(), "polkit-1".into()]),
            networks: Networks {
                only: Some(vec![
                    network("10.0.0.0", 8),
                    network("2001:db8::", 32),
                    network("192.0.2.7", 32),
                    Network::Local,
                    Network::Unknown,
                ]),
                except: vec![network("10.8.0.0", 16), network("2001:db8::1", 128)],
            },
            label: Some("Acme operators".into()),
            remember: DAY / 2,
            factors: vec![Factor::Totp],
            enroll: Enroll::AtLogin,
            deadline: Some(Deadline::By(1_801_440_000)),
            mailbox: Some("ops".into()),
            address: config.policies[0].address.clone(),
            template: Some("ops".into()),
            apply: Apply::Immediately,
        }
    );
    let pattern = config.policies[0].address.as_ref().map(countersign_config::AddressPattern::as_str);
    assert_eq!(pattern, Some("{user}@example.org"));
    assert_eq!(config.email.addresses, [AddressSource::Set, AddressSource::Record, AddressSource::Pattern]);
    assert_eq!(config.mailboxes.len(), 2);
    assert_eq!(config.policies[1].status, Status::Report);
    assert_eq!(config.policies[1].require, Require::Enrolled);
    assert_eq!(config.policies[1].except, Except { groups: vec![], users: vec!["deploy".into()] });
    assert_eq!(config.policies[1].enroll, Enroll::Admin);
    assert_eq!(config.policies[1].deadline, None);
    assert_eq!(config.policies[1].apply, Apply::NextLogin);
    assert_eq!(config.policies[2].status, Status::Off);
    assert_eq!(config.totp, Totp { digits: 8, period: 60, skew: 0 });
    assert_eq!(config.recovery, Recovery { codes: 12, regenerate_after: DAY, viewable: true });
    assert_eq!(config.qr, Qr::Light);
    assert_eq!(config.reset, Reset { approvals: 2 });
    assert_eq!(config.reload, Reload { watch: true });
    assert_eq!(config.throttle, Throttle::Pci);
    assert_eq!(config.log, Log { keep: 90 * DAY, most: 50_000 });
    assert_eq!(config.sources, ["full.toml"]);
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

/// The example of the design, as written, and the mailbox that it names.
#[test]
fn the_design_loads() {
    let text = include_str!("design.toml");
    let missing = parse("design.toml", text).expect_err("it names a mailbox");
    assert_eq!(missing.iter().count(), 1, "{missing}");
    assert_eq!(missing.iter().next().and_then(countersign_config::Problem::key), Some("policy.mailbox"));
    let text = format!("{text}[mailbox.ops]\nserver = \"mail.example.org\"\nfrom = \"ops@example.org\"\n");
    let config = parse("design.toml", &text).expect("valid");
    let policy = &config.policies[0];
    assert_eq!(policy.networks, Networks { only: None, except: vec![network("10.8.0.0", 16)] });
    assert_eq!(policy.groups, Some(vec![group("wheel", true), group("sudo", false)]));
    assert_eq!(policy.factors, [Factor::Totp, Factor::Email]);
    assert_eq!(policy.enroll, Enroll::AtLogin);
    assert_eq!(policy.deadline, Some(Deadline::By(1_801_440_000)));
    assert_eq!(policy.remember, Duration::ZERO);
    assert_eq!(policy.mailbox.as_deref(), Some("ops"));
    assert_eq!(config.policies.len(), 2);
}

#[test]
fn defaults_are_the_strict_ones() {
    let config = parse("f", "[[policy]]\nname = \"p\"\n").expect("valid");
    assert_eq!(config.issuer, "Countersign");
    assert_eq!(config.policies[0].status, Status::Enforce);
    assert_eq!(config.policies[0].require, Require::Everyone);
    assert_eq!(config.policies[0].except, Except::default());
    assert_eq!(config.policies[0].networks, Networks { only: None, except: vec![] });
    assert_eq!(config.policies[0].remember, Duration::ZERO);
    assert_eq!(config.policies[0].factors, [Factor::Totp]);
    assert_eq!(config.policies[0].enroll, Enroll::Invited);
    assert_eq!(config.policies[0].deadline, None);
    assert_eq!(config.policies[0].mailbox, None);
    assert_eq!(config.policies[0].apply, Apply::NextLogin);
    assert_eq!(config.totp, Totp { digits: 6, period: 30, skew: 1 });
    assert_eq!(
        config.recovery,
        Recovery { codes: 10, regenerate_after: Duration::from_secs(7200), viewable: false }
    );
    assert_eq!(config.reset, Reset { approvals: 0 });
    assert_eq!(config.reload, Reload { watch: false });
    assert_eq!(config.qr, Qr::Dark);
    assert_eq!(config.throttle, Throttle::Default);
    assert_eq!(config.log, Log { keep: 400 * DAY, most: 1_000_000 });
}

#[test]
fn a_table_may_set_some_of_its_keys() {
    let config = parse("f", "[totp]\nskew = 2\n[log]\n[[policy]]\nname = \"p\"\n").expect("valid");
    assert_eq!(config.totp, Totp { digits: 6, period: 30, skew: 2 });
    assert_eq!(config.log, Log::default());
}

/// What a list leaves out is said, with the line after which it ends.
#[test]
fn a_list_without_a_policy_for_everyone_warns() {
    let mut narrow = vec![
        "groups = [\"wheel\"]",
        "users = [\"ann\"]",
        "services = [\"sshd\"]",
        "networks = { except = [\"local\"] }",
        "except = { groups = [\"robots\"] }",
    ];
    narrow.extend(["remember = \"1h\"", "status = \"report\"", ""]);
    for (index, line) in narrow.into_iter().enumerate() {
        let config = parse("f.toml", &format!("\n[[policy]]\nname = \"p\"\n{line}\n")).expect("valid");
        if index >= 5 {
            assert_eq!(config.warnings.len(), 0, "{line}");
            continue;
        }
        assert_eq!(
            config.warnings,
            ["f.toml:2: no policy matches every login, and a login that matches none is not asked for a \
              second factor; write a last [[policy]] with only name = \"everyone else\" and \
              status = \"enforce\" (asks them) or status = \"off\" (says that this is meant)"],
            "{line}"
        );
    }
}

#[test]
fn drop_ins_come_after_the_main_file() {
    let main = "[[policy]]\nname = \"a\"\ngroups = [\"a\"]\n";
    let first = "[log]\nkeep = \"30d\"\n[[policy]]\nname = \"b\"\ngroups = [\"b\"]\n";
    let last = "help = \"x\"\n[[policy]]\nname = \"c\"\n";
    let config = parse_all(&[
        ("c.toml", main),
        ("conf.d/1.toml", first),
        ("conf.d/2.toml", ""),
        ("conf.d/3.toml", last),
    ])
    .expect("valid");
    let names: Vec<&str> = config.policies.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["a", "b", "c"]);
    assert_eq!(config.log.keep, 30 * DAY);
    assert_eq!(config.help.as_deref(), Some("x"));
    assert_eq!(config.sources, ["c.toml", "conf.d/1.toml", "conf.d/2.toml", "conf.d/3.toml"]);
    // The policies of a drop-in are enough.
    assert!(parse_all(&[("c.toml", "issuer = \"A\"\n"), ("conf.d/1.toml", last)]).is_ok());
    let warned = parse_all(&[("c.toml", main), ("conf.d/1.toml", first)]).expect("valid").warnings;
    assert!(warned[0].starts_with("conf.d/1.toml:3: no policy matches every login"), "{warned:?}");
}

/// Names, bytes and where one file ends count; the folder does not.
#[test]
fn the_hash_covers_all_files() {
    let p = "[[policy]]\nname = \"p\"\n";
    let hash = |files: &[(&str, &str)]| parse_all(files).expect("valid").hash;
    let base = hash(&[("/etc/c.toml", p), ("/etc/conf.d/1.toml", "#\n")]);
    assert_eq!(base, hash(&[("/tmp/c.toml", p), ("/tmp/conf.d/1.toml", "#\n")]));
    let others = [
        hash(&[("/etc/c.toml", p)]),
        hash(&[("/etc/c.toml", p), ("/etc/conf.d/2.toml", "#\n")]),
        hash(&[("/etc/c.toml", p), ("/etc/conf.d/1.toml", "# \n")]),
        hash(&[("/etc/c.toml", p), ("/etc/conf.d/1.toml", "")]),
        hash(&[("/etc/c.toml", p), ("/etc/conf.d/1.toml", "#\n"), ("/etc/conf.d/2.toml", "")]),
        hash(&[("/etc/c.toml", "#\n"), ("/etc/conf.d/1.toml", p)]),
    ];
    for (index, one) in others.iter().enumerate() {
        assert_ne!(&base, one, "{index}");
        assert!(!others[..index].contains(one), "{index}");
    }
}

#[test]
fn carriage_returns_and_a_missing_last_newline_are_fine() {
    let text = include_str!("full.toml");
    let windows = text.replace('\n', "\r\n");
    let unix = parse("f", text).expect("valid");
    let crlf = parse("f", windows.trim_end()).expect("valid");
    assert_eq!(unix.policies, crlf.policies);
}

#[test]
fn the_hash_is_of_the_bytes() {
    let a = parse("f", "[[policy]]\nname = \"p\"\n").expect("valid");
    let b = parse("other name", "[[policy]]\nname = \"p\"\n").expect("valid");
    let c = parse("f", "[[policy]]\nname = \"p\" \n").expect("valid");
    assert_eq!(a.hash, b.hash);
    assert_ne!(a.hash, c.hash);
    // printf '[[policy]]\nname = "p"\n' | sha256sum
    assert_eq!(a.hash, "7891ef45984e1fa65fe80790b5ef32fbe47644d0656965c7ab079ccf57689dfc");
}
