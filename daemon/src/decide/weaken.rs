//! Whether a new configuration protects anybody less than the one in force.
//!
//! Exact where it can be: every kind of login that the two texts can tell apart is put to both, by
//! the same walk that decides logins. What takes too long to judge counts as weaker. False alarms
//! are allowed, misses are not.

use super::policy::{Person, Resolution, Source, Tri, deciding, strictness, walk};
use countersign_config::{Config, Network, Policy, Status, Throttle};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

/// Policies that are looked at most, all kinds of logins together, before the answer is "cannot be
/// judged": a few seconds, off the login's thread.
const WORK: usize = 50_000_000;
/// Services and users that no policy names are all alike; these stand for them.
const OTHER_SERVICE: &str = "\u{0}other";
const OTHER_USER: &str = "\u{0}other";

/// Everybody and everything that loses protection, in sentences; empty when nothing does.
#[must_use]
pub fn weakened(old: &Config, new: &Config) -> Vec<String> {
    let mut found = numbers(old, new);
    if old.policies == new.policies {
        return found;
    }
    found.extend(newly_optional(old, new));
    let mut compare = Compare { old, new, found: BTreeMap::new(), work: 0 };
    let judged = compare.all();
    found.extend(compare.found.into_values());
    if !judged {
        found.push(
            "the two texts differ in too many ways to be compared whole, so the new one counts as weaker"
                .into(),
        );
    }
    found
}

fn numbers(old: &Config, new: &Config) -> Vec<String> {
    let mut found = Vec::new();
    if new.totp.skew > old.totp.skew {
        found.push(format!(
            "totp.skew grows from {} to {}: codes are accepted for longer",
            old.totp.skew, new.totp.skew
        ));
    }
    if new.totp.digits < old.totp.digits {
        found.push(format!(
            "totp.digits falls from {} to {}: new codes are easier to guess",
            old.totp.digits, new.totp.digits
        ));
    }
    if old.throttle == Throttle::Pci && new.throttle != Throttle::Pci {
        found.push("throttle.profile is no longer pci: more wrong codes are allowed".into());
    }
    found
}

/// A group that must exist and now may be missing: its loss would no longer count as "required".
fn newly_optional(old: &Config, new: &Config) -> Vec<String> {
    let must = |config: &Config| -> BTreeSet<String> {
        groups(config)
            .filter(|(_, may_be_missing)| !may_be_missing)
            .map(|(name, _)| name.to_owned())
            .collect()
    };
    let optional: BTreeSet<String> =
        groups(new).filter(|(_, may_be_missing)| *may_be_missing).map(|(name, _)| name.to_owned()).collect();
    must(old)
        .intersection(&optional)
        .map(|group| {
            format!("group {group} may now be missing: without it, nobody would be asked by that rule")
        })
        .collect()
}

fn groups(config: &Config) -> impl Iterator<Item = (&str, bool)> {
    config
        .policies
        .iter()
        .flat_map(|p| p.groups.iter().flatten().chain(&p.except.groups))
        .map(|g| (g.name.as_str(), g.may_be_missing))
}

fn networks(config: &Config) -> impl Iterator<Item = &Network> {
    config.policies.iter().flat_map(|p| p.networks.only.iter().flatten().chain(&p.networks.except))
}

/// One address for each stretch of addresses that no network of the texts divides.
fn sources(old: &Config, new: &Config) -> Vec<Source> {
    let mut starts: BTreeSet<IpAddr> = BTreeSet::from([IpAddr::from([0, 0, 0, 0]), IpAddr::from([0_u16; 8])]);
    for network in networks(old).chain(networks(new)) {
        let Network::Cidr { address, prefix } = network else { continue };
        starts.insert(*address);
        starts.extend(after(*address, *prefix));
    }
    let mut sources = vec![Source::Local, Source::Unknown];
    sources.extend(starts.into_iter().map(Source::Address));
    sources
}

/// The first address behind a network, if there is one.
fn after(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let size = 1_u64 << 32_u32.saturating_sub(prefix.into());
            let next = u64::from(v4.to_bits()).checked_add(size)?;
            Some(IpAddr::V4(u32::try_from(next).ok()?.into()))
        }
        IpAddr::V6(v6) => {
            let size = 1_u128.checked_shl(128_u32.saturating_sub(prefix.into()))?;
            Some(IpAddr::V6(v6.to_bits().checked_add(size)?.into()))
        }
    }
}

fn names<'a>(
    old: &'a Config,
    new: &'a Config,
    of: impl Fn(&'a Policy) -> Vec<&'a String>,
    other: &'a str,
) -> BTreeSet<&'a str> {
    old.policies.iter().chain(&new.policies).flat_map(of).map(String::as_str).chain([other]).collect()
}

struct Compare<'a> {
    old: &'a Config,
    new: &'a Config,
    /// One sentence for each pair of deciding policies.
    found: BTreeMap<(String, String), String>,
    work: usize,
}

impl<'a> Compare<'a> {
    /// Compares every kind of login; false when there are too many.
    fn all(&mut self) -> bool {
        let services = names(self.old, self.new, |p| p.services.iter().flatten().collect(), OTHER_SERVICE);
        let users = names(
            self.old,
            self.new,
            |p| p.users.iter().flatten().chain(&p.except.users).collect(),
            OTHER_USER,
        );
        for source in sources(self.old, self.new) {
            for service in &services {
                for user in &users {
                    let person = Person {
                        name: (*user).into(),
                        resolution: Resolution::NotFound,
                        groups: BTreeMap::new(),
                    };
                    if !self.split(&person, service, source) {
                        return false;
                    }
                }
            }
        }
        true
    }

    /// Compares this kind of login, split by one more group for as long as either text depends on it.
    fn split(&mut self, person: &Person, service: &str, source: Source) -> bool {
        self.work += self.old.policies.len() + self.new.policies.len();
        if self.work > WORK {
            return false;
        }
        let undecided = [self.old, self.new]
            .into_iter()
            .find_map(|config| self.next_group(config, person, service, source));
        let Some(group) = undecided else {
            self.compare(person, service, source);
            return true;
        };
        for member in [Tri::Yes, Tri::No] {
            let mut person = person.clone();
            person.groups.insert(group.clone(), member);
            if !self.split(&person, service, source) {
                return false;
            }
        }
        true
    }

    /// A group that the outcome still hangs on.
    fn next_group(&self, config: &Config, person: &Person, service: &str, source: Source) -> Option<String> {
        walk(config, person, service, source)
            .iter()
            .filter(|met| met.applies == Tri::Maybe)
            .flat_map(|met| met.policy.groups.iter().flatten().chain(&met.policy.except.groups))
            .find(|group| !person.groups.contains_key(&group.name))
            .map(|group| group.name.clone())
    }

    fn compare(&mut self, person: &Person, service: &str, source: Source) {
        let before = deciding(&walk(self.old, person, service, source)).map(|(policy, _)| policy);
        let after = deciding(&walk(self.new, person, service, source)).map(|(policy, _)| policy);
        let Some(loss) = loss(before, after) else { return };
        let name = |p: Option<&Policy>| p.map(|p| p.name.clone()).unwrap_or_default();
        self.found
            .entry((name(before), name(after)))
            .or_insert_with(|| format!("{}: {loss}", describe(person, service, source)));
    }
}

/// What is lost between two deciding policies, in words.
fn loss(before: Option<&Policy>, after: Option<&Policy>) -> Option<String> {
    // Report and off ask nobody.
    let asks = |policy: Option<&Policy>| policy.map_or(0, |p| strictness(p).saturating_sub(1));
    let (was, is) = (asks(before), asks(after));
    let old = before.map(|p| p.name.as_str()).unwrap_or_default();
    let by = after.map_or("no policy applies".to_owned(), |p| {
        let does = match p.status {
            Status::Enforce => "decides",
            Status::Report => "only reports",
            Status::Off => "is off",
        };
        format!("policy \"{}\" {does}", p.name)
    });
    if is < was {
        let whom = if is == 0 { "nobody" } else { "only people who have a factor" };
        return Some(format!("policy \"{old}\" asked them, and {whom} would be asked any more ({by})"));
    }
    let remember = |policy: Option<&Policy>| policy.map(|p| p.remember).unwrap_or_default();
    (is > 0 && is == was && remember(after) > remember(before)).then(|| {
        format!(
            "a source would be remembered for {} s instead of {} s ({by})",
            remember(after).as_secs(),
            remember(before).as_secs()
        )
    })
}

fn describe(person: &Person, service: &str, source: Source) -> String {
    let member = |wanted: Tri| -> Vec<&str> {
        person.groups.iter().filter(|(_, m)| **m == wanted).map(|(g, _)| g.as_str()).collect()
    };
    let mut who = match (person.name.as_str(), member(Tri::Yes)) {
        (OTHER_USER, groups) if groups.is_empty() => "everybody else".to_owned(),
        (OTHER_USER, groups) => format!("members of {}", groups.join(" and ")),
        (user, _) => user.to_owned(),
    };
    let outside = member(Tri::No);
    if !outside.is_empty() && person.name == OTHER_USER {
        who = format!("{who} who are not in {}", outside.join(" or "));
    }
    let service = if service == OTHER_SERVICE { "other services" } else { service };
    let from = match source {
        Source::Local => "on this machine".to_owned(),
        Source::Unknown => "from an unknown source".to_owned(),
        Source::Address(ip) if ip.is_unspecified() => "from other addresses".to_owned(),
        Source::Address(ip) => format!("from {ip}"),
    };
    format!("{who}, {service}, {from}")
}

#[cfg(test)]
mod tests {
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
}
