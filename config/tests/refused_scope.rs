//! Mistakes in what a policy is about: people, exceptions, places.

use countersign_config::parse;

/// The one message for a policy with one more line, which is line 3.
fn message(line: &str) -> String {
    match parse("f.toml", &format!("[[policy]]\nname = \"p\"\n{line}\n")) {
        Ok(config) => panic!("accepted: {line} as {config:?}"),
        Err(problems) => {
            assert_eq!(problems.iter().count(), 1, "{problems}");
            problems.to_string()
        }
    }
}

fn accepted(line: &str) {
    if let Err(problems) = parse("f.toml", &format!("[[policy]]\nname = \"p\"\n{line}\n")) {
        panic!("{line}: {problems}");
    }
}

#[test]
fn users() {
    for (line, expected) in [
        (
            "users = []",
            "3:9: policy.users: is empty, so it names nobody; \
             leave users out to mean nobody but the groups, or everyone",
        ),
        ("users = [\"ann\", \"ann\"]", "3:17: policy.users: names \"ann\" twice; keep one of them"),
        (
            "users = [\"ann,bob\"]",
            "3:10: policy.users: is not a user name; write one user, as `getent passwd` shows it",
        ),
        (
            "users = [\"ann?\"]",
            "3:10: policy.users: has a `?`, which only groups can have; leave the question mark out",
        ),
        (
            "users = \"ann\"",
            "3:9: policy.users: must be a list of strings, not a string; write users = [\"...\", \"...\"]",
        ),
    ] {
        assert_eq!(message(line), format!("f.toml:{expected}"));
    }
}

/// ADM-06: an exemption of one person needs an end, which this file cannot give it.
#[test]
fn an_exemption_of_people_without_an_end() {
    let expected = "policy.users: exempts people one by one and without an end; \
                    take them out of the group that is asked, or exempt a group: groups = [\"...\"]";
    assert_eq!(message("status = \"off\"\nusers = [\"ann\"]"), format!("f.toml:4:9: {expected}"));
    assert_eq!(
        message("users = [\"ann\"]\nservices = [\"sshd\"]\nstatus = \"off\""),
        format!("f.toml:3:9: {expected}")
    );
    accepted("status = \"off\"\nusers = [\"ann\"]\ngroups = [\"robots\"]");
    accepted("status = \"report\"\nusers = [\"ann\"]");
    accepted("users = [\"ann\"]");
}

#[test]
fn exceptions() {
    for (line, expected) in [
        (
            "except = {}",
            "3:10: policy.except: is empty, so it excepts nothing; \
             write groups = [\"...\"] or users = [\"...\"] in it, or leave except out",
        ),
        (
            "except = [\"robots\"]",
            "3:10: policy.except: must be a table, not a list; write except = { groups = [\"...\"] }",
        ),
        (
            "except = { groups = [] }",
            "3:21: policy.except.groups: is empty, so it excepts nothing; \
             leave groups out to mean no exception",
        ),
        (
            "except = { users = [\"a/b\"] }",
            "3:21: policy.except.users: is not a user name; write one user, as `getent passwd` shows it",
        ),
        ("except = { group = [\"robots\"] }", "3:12: policy.except.group: unknown key; did you mean groups?"),
        (
            "groups = [\"robots\"]\nexcept = { groups = [\"robots?\", \"guests\"] }",
            "4:10: policy.except: names all that groups and users name, so the policy could match nobody; \
             leave somebody in, or delete the policy",
        ),
        (
            "groups = [\"a\"]\nusers = [\"ann\"]\nexcept = { groups = [\"a\"], users = [\"ann\"] }",
            "5:10: policy.except: names all that groups and users name, so the policy could match nobody; \
             leave somebody in, or delete the policy",
        ),
    ] {
        assert_eq!(message(line), format!("f.toml:{expected}"));
    }
    // Members of a group may be in another one too, and users in any.
    accepted("users = [\"ann\"]\nexcept = { groups = [\"robots\"] }");
    accepted("groups = [\"a\"]\nexcept = { users = [\"a\"] }");
    accepted("groups = [\"a\", \"b\"]\nexcept = { groups = [\"b\"] }");
    accepted("except = { groups = [\"a\"] }");
}

#[test]
fn networks_that_are_none() {
    let advice = "write addresses such as \"10.8.0.0/16\" or \"2001:db8::/32\", \"local\" or \"unknown\"; \
                  host names are never looked up";
    let none = "is neither a network nor a class";
    for (entry, expected) in [
        ("10.8.0.0/33", "\"33\" is no prefix length for 10.8.0.0; write 0 to 32 after the slash".to_owned()),
        ("10.8.0.0/", "\"\" is no prefix length for 10.8.0.0; write 0 to 32 after the slash".to_owned()),
        ("10.8.0.0/+8", "\"+8\" is no prefix length for 10.8.0.0; write 0 to 32 after the slash".to_owned()),
        (
            "10.8.0.0/016",
            "\"016\" is no prefix length for 10.8.0.0; write 0 to 32 after the slash".to_owned(),
        ),
        ("::/129", "\"129\" is no prefix length for ::; write 0 to 128 after the slash".to_owned()),
        (
            "10.0.0.0/255.0.0.0",
            "\"255.0.0.0\" is no prefix length for 10.0.0.0; write \"10.0.0.0/8\"".to_owned(),
        ),
        (
            "10.0.0.0/0.255.0.0",
            "\"0.255.0.0\" is no prefix length for 10.0.0.0; write 0 to 32 after the slash".to_owned(),
        ),
        (
            "10.8.3.7/16",
            "\"10.8.3.7/16\" has bits set behind the first 16; \
             write \"10.8.0.0/16\", or \"10.8.3.7\" for the one address"
                .to_owned(),
        ),
        (
            "2001:db8::1/32",
            "\"2001:db8::1/32\" has bits set behind the first 32; \
             write \"2001:db8::/32\", or \"2001:db8::1\" for the one address"
                .to_owned(),
        ),
        (
            "::ffff:10.8.0.0/112",
            "\"::ffff:10.8.0.0/112\" is an IPv4 address in IPv6 form, which logins are never matched with; \
             write \"10.8.0.0/16\""
                .to_owned(),
        ),
        (
            "::ffff:c000:207",
            "\"::ffff:c000:207\" is an IPv4 address in IPv6 form, which logins are never matched with; \
             write \"192.0.2.7\""
                .to_owned(),
        ),
        ("Local", format!("\"Local\" {none}; did you mean \"local\"?")),
        ("unknwon", format!("\"unknwon\" {none}; did you mean \"unknown\"?")),
        ("fe80::1%eth0", format!("\"fe80::1%eth0\" {none}; leave the zone after % out")),
        ("vpn.example.org", format!("\"vpn.example.org\" {none}; {advice}")),
        ("10.8", format!("\"10.8\" {none}; {advice}")),
        ("010.8.0.0", format!("\"010.8.0.0\" {none}; {advice}")),
        ("", format!("\"\" {none}; {advice}")),
    ] {
        assert_eq!(
            message(&format!("networks = {{ only = [\"{entry}\"] }}")),
            format!("f.toml:3:22: policy.networks.only: {expected}")
        );
    }
    let hostile = message("networks = { only = [\"\\u001b[2J\\u202e\"] }");
    assert!(!hostile.contains(['\u{1b}', '\u{202e}']), "{hostile:?}");
}

#[test]
fn byp_07_networks_that_match_nothing() {
    let nobody = "so the policy could match nobody; leave a place in, or delete the policy";
    for (networks, expected) in [
        (
            "{}",
            "3:12: policy.networks: is empty; write only = [\"...\"] or except = [\"...\"] in it, \
             or leave networks out to mean everywhere"
                .to_owned(),
        ),
        (
            "{ only = [] }",
            "3:21: policy.networks.only: is empty, so the policy could match nobody; \
             leave only out to mean everywhere"
                .to_owned(),
        ),
        (
            "{ only = [], except = [] }",
            "3:21: policy.networks.only: is empty, so the policy could match nobody; \
             leave only out to mean everywhere\n\
             f.toml:3:34: policy.networks.except: is empty, so it excepts nothing; \
             leave except out to mean no exception"
                .to_owned(),
        ),
        (
            "{ except = [] }",
            "3:23: policy.networks.except: is empty, so it excepts nothing; \
             leave except out to mean no exception"
                .to_owned(),
        ),
        (
            "{ only = [\"10.0.0.1\", \"10.0.0.1/32\"] }",
            "3:34: policy.networks.only: names \"10.0.0.1\" twice; keep one of them".to_owned(),
        ),
        (
            "{ only = [\"10.8.0.0/16\", \"local\"], except = [\"local\", \"10.0.0.0/8\"] }",
            format!("3:12: policy.networks: excepts all that only holds, {nobody}"),
        ),
        (
            "{ only = [\"10.0.0.0/8\"], except = [\"10.0.0.0/9\", \"10.128.0.0/9\"] }",
            format!("3:12: policy.networks: excepts all that only holds, {nobody}"),
        ),
        (
            "{ except = [\"0.0.0.0/0\", \"::/0\", \"local\", \"unknown\"] }",
            format!("3:12: policy.networks: excepts every place, {nobody}"),
        ),
    ] {
        let problems = parse("f.toml", &format!("[[policy]]\nname = \"p\"\nnetworks = {networks}\n"));
        assert_eq!(problems.expect_err(networks).to_string(), format!("f.toml:{expected}"));
    }
    // An exemption that lost the last of its places is no exemption of all of them.
    for status in ["off", "report"] {
        let lines = format!("status = \"{status}\"\nnetworks = {{ only = [], except = [\"local\"] }}");
        assert_eq!(
            message(&lines),
            "f.toml:4:21: policy.networks.only: is empty, so the policy could match nobody; \
             leave only out to mean everywhere"
        );
    }
    accepted("networks = { only = [], except = [\"local\"] }");
    accepted("networks = { only = [\"10.0.0.0/8\"], except = [\"10.0.0.0/9\"] }");
    accepted("networks = { except = [\"0.0.0.0/0\", \"::/0\", \"local\"] }");
    let many: Vec<String> = (0..101).map(|n| format!("\"10.0.0.{n}\"")).collect();
    assert_eq!(
        message(&format!("networks.only = [{}]", many.join(","))),
        "f.toml:3:17: policy.networks.only: has 101 names; use at most 100"
    );
}
