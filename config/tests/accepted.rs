//! What a valid file means.

use countersign_config::{GroupRef, Policy, Require, Status, parse};

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

/// Every key that the shipped file describes in a comment is real: take the `# ` away and parse.
#[test]
fn the_shipped_files_examples_are_valid() {
    let text = include_str!("../countersign.toml");
    let keys = ["[[policy]]", "name =", "status =", "require =", "groups =", "services =", "label ="];
    let mut example = String::from("help = \"x\"\n");
    let mut seen = 0;
    for line in text.lines() {
        if let Some(line) = line.strip_prefix("# ")
            && keys.iter().any(|key| line.starts_with(key))
        {
            example.push_str(line);
            example.push('\n');
            seen += 1;
        }
    }
    assert_eq!(seen, keys.len());
    let config = parse("example", &example).expect("the examples are valid");
    assert_eq!(config.policies[0].status, Status::Enforce);
    assert_eq!(config.policies[0].require, Require::Everyone);
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
            groups: Some(vec![
                GroupRef { name: "wheel".into(), may_be_missing: true },
                GroupRef { name: "sudo".into(), may_be_missing: false },
            ]),
            services: Some(vec!["sshd".into(), "login".into(), "polkit-1".into()]),
            label: Some("Acme operators".into()),
        }
    );
    assert_eq!(config.policies[1].status, Status::Report);
    assert_eq!(config.policies[1].require, Require::Enrolled);
    assert_eq!(config.policies[2].status, Status::Off);
}

#[test]
fn defaults_are_the_strict_ones() {
    let config = parse("f", "[[policy]]\nname = \"p\"\n").expect("valid");
    assert_eq!(config.issuer, "Countersign");
    assert_eq!(config.policies[0].status, Status::Enforce);
    assert_eq!(config.policies[0].require, Require::Everyone);
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
