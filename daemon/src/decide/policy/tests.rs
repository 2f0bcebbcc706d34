use super::*;

fn config(text: &str) -> Config {
    countersign_config::parse("test.toml", text).expect("test policy parses")
}

fn person(groups: &[(&str, Tri)]) -> Person {
    Person {
        name: "alice".into(),
        resolution: Resolution::Found(1000),
        groups: groups.iter().map(|(g, t)| ((*g).to_string(), *t)).collect(),
    }
}

/// The parts of a decision that these tests are about.
#[derive(Debug, PartialEq, Eq)]
enum Said {
    Required(String, bool),
    Other(Decision),
}

fn decide(config: &Config, person: &Person, service: &str, source: Source) -> Said {
    match super::decide(config, person, service, source) {
        Decision::Required(terms) => Said::Required(terms.policy, terms.certain),
        other => Said::Other(other),
    }
}

fn required(policy: &str, certain: bool) -> Said {
    Said::Required(policy.into(), certain)
}

const NO_POLICY: Said = Said::Other(Decision::NoPolicy);

const OPS: &str = r#"
    [[policy]]
    name = "robots"
    status = "off"
    groups = ["robots"]
    [[policy]]
    name = "operators"
    groups = ["mfa"]
    services = ["sshd"]
"#;

#[test]
fn first_match_decides() {
    let c = config(OPS);
    let both = person(&[("robots", Tri::Yes), ("mfa", Tri::Yes)]);
    assert_eq!(
        decide(&c, &both, "sshd", Source::Local),
        Said::Other(Decision::Off { policy: "robots".into() })
    );
    let op = person(&[("robots", Tri::No), ("mfa", Tri::Yes)]);
    assert_eq!(decide(&c, &op, "sshd", Source::Local), required("operators", true));
    assert_eq!(decide(&c, &op, "cron", Source::Local), NO_POLICY);
    let nobody = person(&[("robots", Tri::No), ("mfa", Tri::No)]);
    assert_eq!(decide(&c, &nobody, "sshd", Source::Local), NO_POLICY);
}

#[test]
fn byp_03_undetermined_is_required() {
    let c = config(OPS);
    let maybe_off = person(&[("robots", Tri::Maybe), ("mfa", Tri::Yes)]);
    assert_eq!(decide(&c, &maybe_off, "sshd", Source::Local), required("operators", false));
    let maybe_in = person(&[("robots", Tri::No), ("mfa", Tri::Maybe)]);
    assert_eq!(decide(&c, &maybe_in, "sshd", Source::Local), required("operators", false));
    let nothing_known = Person::unresolved("ghost", Resolution::NotFound);
    assert_eq!(decide(&c, &nothing_known, "sshd", Source::Local), required("operators", false));
}

#[test]
fn users_and_exceptions() {
    let c = config(
        r#"
        [[policy]]
        name = "p"
        groups = ["mfa"]
        users = ["alice"]
        except = { groups = ["robots"], users = ["deploy"] }
        "#,
    );
    let meets = |name: &str, mfa, robots| {
        let p = Person { name: name.into(), ..person(&[("mfa", mfa), ("robots", robots)]) };
        decide(&c, &p, "sshd", Source::Local)
    };
    assert_eq!(meets("alice", Tri::No, Tri::No), required("p", true), "named");
    assert_eq!(meets("bob", Tri::No, Tri::No), NO_POLICY);
    assert_eq!(meets("bob", Tri::Yes, Tri::Yes), NO_POLICY, "excepted by group");
    assert_eq!(meets("deploy", Tri::Yes, Tri::No), NO_POLICY, "excepted by name");
    assert_eq!(meets("bob", Tri::Yes, Tri::Maybe), required("p", false), "perhaps excepted is not excepted");
}

#[test]
fn networks_and_their_classes() {
    let c = config(
        r#"
        [[policy]]
        name = "p"
        networks = { except = ["10.8.0.0/16", "2001:db8::/32", "local"] }
        "#,
    );
    let from = |source| decide(&c, &person(&[]), "sshd", source);
    let ip = |text: &str| Source::Address(text.parse().expect("an address"));
    for inside in ["10.8.0.0", "10.8.255.255", "2001:db8::1"] {
        assert_eq!(from(ip(inside)), NO_POLICY, "{inside}");
    }
    for outside in ["10.7.255.255", "10.9.0.0", "192.0.2.1", "2001:db9::1"] {
        assert_eq!(from(ip(outside)), required("p", true), "{outside}");
    }
    assert_eq!(from(Source::Local), NO_POLICY);
    assert_eq!(from(Source::Unknown), required("p", false), "an unknown source may be anywhere");
}
