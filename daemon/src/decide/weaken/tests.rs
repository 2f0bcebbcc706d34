//! Every way to loosen a policy is named, and none is missed over random pairs of policies.

use super::*;

fn config(text: &str) -> Config {
    countersign_config::parse("test.toml", text).expect("test policy parses")
}

fn lost(old: &str, new: &str) -> Vec<String> {
    weakened(&config(old), &config(new))
}

const OPS: &str = "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n";

#[test]
fn the_same_and_the_stricter_are_not_weaker() {
    assert!(lost(OPS, OPS).is_empty());
    for stricter in [
        "[[policy]]\nname = \"all\"\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\", \"wheel\"]\n",
        "[[policy]]\nname = \"first\"\ngroups = [\"wheel\"]\n[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n[[policy]]\nname = \"rest\"\nstatus = \"off\"\n",
    ] {
        assert!(lost(OPS, stricter).is_empty(), "{stricter}");
    }
}

#[test]
fn adm_04_every_way_to_loosen_is_named() {
    for weaker in [
        "[[policy]]\nname = \"ops\"\nstatus = \"off\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\nstatus = \"report\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\nrequire = \"enrolled\"\ngroups = [\"mfa\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"other\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa?\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nservices = [\"sshd\"]\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nexcept = { users = [\"bob\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nexcept = { groups = [\"robots\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nnetworks = { except = [\"10.0.0.0/8\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nnetworks = { only = [\"0.0.0.0/0\", \"::/0\"] }\n",
        "[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\nremember = \"12h\"\n",
        "[[policy]]\nname = \"robots\"\nstatus = \"off\"\ngroups = [\"robots\"]\n[[policy]]\nname = \"ops\"\ngroups = [\"mfa\"]\n",
    ] {
        assert!(!lost(OPS, weaker).is_empty(), "{weaker}");
    }
}

#[test]
fn a_moved_rule_is_judged_by_what_it_does() {
    let robots = "[[policy]]\nname = \"robots\"\nstatus = \"off\"\ngroups = [\"robots\"]\n";
    let strict_first = format!("{OPS}{robots}");
    let off_first = format!("{robots}{OPS}");
    assert!(lost(&off_first, &strict_first).is_empty());
    let found = lost(&strict_first, &off_first);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("members of mfa and robots"), "{found:?}");
}

#[test]
fn what_cannot_be_judged_counts_as_weaker() {
    let many = |status: &str| {
        (0..25)
            .map(|i| format!("[[policy]]\nname = \"p{i}\"\n{status}groups = [\"g{i}\"]\n"))
            .collect::<String>()
    };
    let found = lost(&many(""), &many("require = \"everyone\"\n"));
    assert!(found.is_empty() || found.iter().any(|f| f.contains("too many")), "{found:?}");
}

/// A little generator, so that a failure can be repeated: xorshift64.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.roll(from.len() as u64)).expect("fits")]
    }
}

const GROUPS: [&str; 3] = ["a", "b", "c"];
const USERS: [&str; 3] = ["ann", "bob", "zoe"];
const SERVICES: [&str; 3] = ["sshd", "sudo", "login"];
const SOURCES: [&str; 5] = ["10.1.2.3", "10.200.0.1", "192.0.2.1", "2001:db8::1", "::1"];

fn random_policies(dice: &mut Dice) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for i in 0..=dice.roll(4) {
        let _ = writeln!(text, "[[policy]]\nname = \"p{i}\"");
        let _ = writeln!(text, "status = \"{}\"", dice.pick(&["enforce", "enforce", "report", "off"]));
        let _ = writeln!(text, "require = \"{}\"", dice.pick(&["everyone", "enrolled"]));
        if dice.roll(3) > 0 {
            let _ = writeln!(text, "groups = [\"{}\"]", dice.pick(&GROUPS));
        }
        if dice.roll(3) == 0 {
            let _ = writeln!(text, "services = [\"{}\"]", dice.pick(&SERVICES[..2]));
        }
        if dice.roll(4) == 0 {
            let _ = writeln!(text, "except = {{ users = [\"{}\"] }}", dice.pick(&USERS[..2]));
        }
        if dice.roll(4) == 0 {
            let class = dice.pick(&["10.0.0.0/8", "10.1.0.0/16", "2001:db8::/32", "local", "unknown"]);
            let _ = writeln!(text, "networks = {{ {} = [\"{class}\"] }}", dice.pick(&["only", "except"]));
        }
    }
    text
}

fn random_config(dice: &mut Dice) -> Config {
    // Shadowed policies are refused, and rightly; roll again.
    loop {
        if let Ok(config) = countersign_config::parse("random.toml", &random_policies(dice)) {
            return config;
        }
    }
}

fn asked(config: &Config, person: &Person, service: &str, source: Source) -> u8 {
    deciding(&walk(config, person, service, source)).map_or(0, |(p, _)| strictness(p).saturating_sub(1))
}

fn random_login(dice: &mut Dice) -> (Person, &'static str, Source) {
    let tri = |dice: &mut Dice| if dice.roll(2) == 0 { Tri::No } else { Tri::Yes };
    let groups = GROUPS.iter().map(|g| ((*g).to_owned(), tri(dice))).collect();
    let person = Person { name: dice.pick(&USERS).into(), resolution: Resolution::Found(1), groups };
    let source = match dice.roll(4) {
        0 => Source::Local,
        1 => Source::Unknown,
        _ => Source::Address(dice.pick(&SOURCES).parse().expect("an address")),
    };
    (person, dice.pick(&SERVICES), source)
}

#[test]
fn adm_04_weakening_is_never_missed() {
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let mut losses = 0;
    for round in 0..2000 {
        let (old, new) = (random_config(&mut dice), random_config(&mut dice));
        let quiet = weakened(&old, &new).is_empty();
        for _ in 0..50 {
            let (person, service, source) = random_login(&mut dice);
            if asked(&new, &person, service, source) < asked(&old, &person, service, source) {
                losses += 1;
                assert!(!quiet, "round {round}: {person:?} {service} {source:?}\n{old:#?}\n{new:#?}");
            }
        }
    }
    assert!(losses > 1000, "the dice made {losses} losses, too few to prove anything");
}

#[test]
fn a_rule_added_above_changes_nothing_for_those_it_does_not_match() {
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let above = "[[policy]]\nname = \"above\"\nstatus = \"off\"\ngroups = [\"strangers\"]\n";
    for _ in 0..2000 {
        let text = random_policies(&mut dice);
        let (Ok(old), Ok(new)) = (
            countersign_config::parse("old.toml", &text),
            countersign_config::parse("new.toml", &format!("{above}{text}")),
        ) else {
            continue;
        };
        let (mut person, service, source) = random_login(&mut dice);
        person.groups.insert("strangers".into(), Tri::No);
        assert_eq!(asked(&old, &person, service, source), asked(&new, &person, service, source));
    }
}
