//! Whether a new configuration protects anybody less than the one in force.
//!
//! Exact where it can be: every kind of login that the two texts can tell apart is put to both, by
//! the same walk that decides logins. What takes too long to judge counts as weaker. False alarms
//! are allowed, misses are not. Judged is what holds while the account database answers: while it fails,
//! whoever may be meant is asked, by both texts.

mod loss;

use super::policy::{Person, Resolution, Source, Tri, deciding, walk};
use countersign_config::{Config, Network, Policy};
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
    let mut found = loss::of_tables(old, new);
    if old.policies == new.policies {
        return found;
    }
    found.extend(newly_optional(old, new));
    let mut compare = Compare { old, new, judged: BTreeMap::new(), work: 0 };
    let judged = compare.all();
    found.extend(compare.judged.into_values().flatten());
    if !judged {
        found.push(
            "the two texts differ in too many ways to be compared whole, so the new one counts as weaker"
                .into(),
        );
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
    /// For each pair of deciding policies, and whether each is certain: the sentence, if any.
    judged: BTreeMap<[(&'a str, bool); 2], Option<String>>,
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
        let before = deciding(&walk(self.old, person, service, source));
        let after = deciding(&walk(self.new, person, service, source));
        let id =
            |decided: Option<(&'a Policy, bool)>| decided.map_or(("", true), |(p, sure)| (&*p.name, sure));
        // What is lost hangs on the two policies alone; one kind of login stands for all of them.
        self.judged.entry([id(before), id(after)]).or_insert_with(|| {
            let lost = loss::between(before, after);
            (!lost.is_empty())
                .then(|| format!("{}: {}", describe(person, service, source), lost.join(", and ")))
        });
    }
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
mod mutated;
#[cfg(test)]
mod random;
#[cfg(test)]
mod tests;
