//! The conditions of one policy, each yes, no or maybe.

use super::{Person, Source, Tri};
use countersign_config::{Network, Policy};
use std::net::IpAddr;

/// Whether a policy is about this login, and the first condition that keeps it from being so certainly.
pub(super) fn applies(
    policy: &Policy,
    person: &Person,
    service: &str,
    source: Source,
) -> (Tri, &'static str) {
    // Most rules are not about this service: of those nothing else is asked.
    if matches_service(policy, service) == Tri::No {
        return (Tri::No, "service");
    }
    let network = matches_network(policy, source);
    if network == Tri::No {
        return (Tri::No, "network");
    }
    let applies = network.and(matches_person(policy, person));
    match applies {
        Tri::Yes => (Tri::Yes, ""),
        Tri::Maybe if network == Tri::Maybe => (Tri::Maybe, "network"),
        Tri::Maybe | Tri::No => (applies, "person"),
    }
}

fn matches_service(policy: &Policy, service: &str) -> Tri {
    policy.services.as_ref().is_none_or(|services| services.iter().any(|s| s == service)).into()
}

/// Whether a policy is about this person, for whatever service and from wherever.
pub(in crate::decide) fn matches_person(policy: &Policy, person: &Person) -> Tri {
    let named = |users: &[String]| Tri::from(users.contains(&person.name));
    let chosen = match (&policy.groups, &policy.users) {
        (None, None) => Tri::Yes,
        (groups, users) => {
            let in_groups = groups.as_deref().map_or(Tri::No, |groups| person.member_of_any(groups));
            in_groups.or(users.as_deref().map_or(Tri::No, named))
        }
    };
    let excepted = person.member_of_any(&policy.except.groups).or(named(&policy.except.users));
    chosen.and(excepted.not())
}

fn matches_network(policy: &Policy, source: Source) -> Tri {
    let any = |networks: &[Network]| {
        networks.iter().fold(Tri::No, |any, network| any.or(contains(network, source)))
    };
    let within = policy.networks.only.as_deref().map_or(Tri::Yes, any);
    within.and(any(&policy.networks.except).not())
}

fn contains(network: &Network, source: Source) -> Tri {
    match (network, source) {
        (Network::Local, Source::Local) | (Network::Unknown, Source::Unknown) => Tri::Yes,
        (Network::Cidr { address, prefix }, Source::Address(ip)) => in_network(*address, *prefix, ip).into(),
        // Something remote without an address may be inside of any network.
        (Network::Cidr { .. }, Source::Unknown) => Tri::Maybe,
        _ => Tri::No,
    }
}

fn in_network(network: IpAddr, prefix: u8, ip: IpAddr) -> bool {
    let (a, b, width) = match (network, ip) {
        (IpAddr::V4(a), IpAddr::V4(b)) => (u128::from(a.to_bits()), u128::from(b.to_bits()), 32_u32),
        (IpAddr::V6(a), IpAddr::V6(b)) => (a.to_bits(), b.to_bits(), 128),
        _ => return false,
    };
    let host_bits = width.saturating_sub(u32::from(prefix));
    (a ^ b).checked_shr(host_bits).unwrap_or(0) == 0
}
