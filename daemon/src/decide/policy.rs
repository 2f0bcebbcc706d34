//! Who has to show a second factor, where. First matching policy decides; what cannot be known
//! counts as required.
//!
//! [`walk`] is the one reading of the policies; [`decide`] and `policy explain` both look at it, so
//! they cannot disagree. What was decided of single persons comes before it: [`super::overrides`].

use countersign_config::{
    AddressPattern, Config, Deadline, Enroll, Factor, GroupRef, Network, Policy, Require, Status,
};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// The answer to "does this apply".
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tri {
    /// Certainly.
    Yes,
    /// Certainly not: every lookup behind the answer was healthy.
    No,
    /// Cannot be known now.
    Maybe,
}

impl Tri {
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::No, _) | (_, Self::No) => Self::No,
            (Self::Yes, Self::Yes) => Self::Yes,
            _ => Self::Maybe,
        }
    }

    fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Yes, _) | (_, Self::Yes) => Self::Yes,
            (Self::No, Self::No) => Self::No,
            _ => Self::Maybe,
        }
    }

    fn not(self) -> Self {
        match self {
            Self::Yes => Self::No,
            Self::No => Self::Yes,
            Self::Maybe => Self::Maybe,
        }
    }
}

impl From<bool> for Tri {
    fn from(certain: bool) -> Self {
        if certain { Self::Yes } else { Self::No }
    }
}

/// What the account database says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The name resolves to this uid.
    Found(u32),
    /// "Not found", which proves nothing: a missing backend says the same.
    NotFound,
    /// The lookup failed or took too long.
    Failed,
}

/// The facts about a person that policies look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The login name. A name is what somebody typed, so it is known even where nothing else is.
    pub name: String,
    /// Whether and as whom the name resolves.
    pub resolution: Resolution,
    /// Membership of each group that any policy names. A missing key reads as [`Tri::Maybe`].
    pub groups: BTreeMap<String, Tri>,
}

impl Person {
    /// Someone of whom nothing is known but the name.
    #[must_use]
    pub fn unresolved(name: &str, resolution: Resolution) -> Self {
        Self { name: name.to_owned(), resolution, groups: BTreeMap::new() }
    }

    fn member(&self, group: &str) -> Tri {
        self.groups.get(group).copied().unwrap_or(Tri::Maybe)
    }

    fn member_of_any(&self, groups: &[GroupRef]) -> Tri {
        groups.iter().fold(Tri::No, |any, group| any.or(self.member(&group.name)))
    }
}

/// Where a login comes from, as policies see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This machine: no remote host was named.
    Local,
    /// A remote address, IPv4-mapped ones as IPv4.
    Address(IpAddr),
    /// Something remote that is no address: it may be anywhere.
    Unknown,
}

/// One policy as it met one login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Met<'a> {
    /// The policy.
    pub policy: &'a Policy,
    /// Whether it applies.
    pub applies: Tri,
    /// The first condition that kept it from applying certainly; empty when it applies.
    pub because: &'static str,
}

/// What holds for somebody of whom a second factor is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terms {
    /// The policy's name.
    pub policy: String,
    /// False when something could not be determined. Then nothing is waived.
    pub certain: bool,
    /// How long a confirmed source is not asked again; zero is never.
    pub remember: Duration,
    /// The factors that count, the first being asked first. Recovery codes always count.
    pub factors: Vec<Factor>,
    /// How people come to their first factor.
    pub enroll: Enroll,
    /// Until when people without a factor may pass by `later`.
    pub deadline: Option<Deadline>,
    /// Whether the policy names groups or users. One that does not is no permission for system
    /// accounts to enroll in a login.
    pub names_people: bool,
    /// How codes by e-mail are sent; `None` where they are no factor. None is sent where something could
    /// not be determined, but whoever has an address still has a factor.
    pub mail: Option<Mail>,
}

/// How a policy sends codes by e-mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The account that sends them.
    pub mailbox: String,
    /// How an address is made of a name.
    pub pattern: Option<AddressPattern>,
    /// The letter; `None` is the usual one.
    pub template: Option<String>,
}

impl Terms {
    fn own(policy: String) -> Self {
        Self {
            policy,
            certain: true,
            remember: Duration::ZERO,
            factors: vec![Factor::Totp],
            enroll: Enroll::Admin,
            deadline: None,
            names_people: false,
            mail: None,
        }
    }

    /// What a policy that decided grants.
    #[must_use]
    pub(super) fn of(policy: &Policy, certain: bool) -> Self {
        let waived = |granted: Duration| if certain { granted } else { Duration::ZERO };
        Self {
            policy: policy.name.clone(),
            certain,
            remember: waived(policy.remember),
            factors: policy.factors.clone(),
            enroll: if certain { policy.enroll } else { Enroll::Admin },
            deadline: policy.deadline.filter(|_| certain),
            names_people: policy.groups.is_some() || policy.users.is_some(),
            mail: mail(policy),
        }
    }
}

/// The weaker factor is one only where a policy lists it.
fn mail(policy: &Policy) -> Option<Mail> {
    let mailbox = policy.mailbox.clone().filter(|_| policy.factors.contains(&Factor::Email))?;
    Some(Mail { mailbox, pattern: policy.address.clone(), template: policy.template.clone() })
}

/// What policy says of one login.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A second factor is asked of everybody under this policy.
    Required(Terms),
    /// A second factor is asked of people who have one.
    RequiredIfEnrolled(Terms),
    /// Nobody is asked; the log says who would have been.
    ReportOnly {
        /// The policy's name.
        policy: String,
    },
    /// The policy that matched is switched off.
    Off {
        /// The policy's name.
        policy: String,
    },
    /// No policy applies.
    NoPolicy,
    /// An administrator exempted this very person, whatever policy says.
    Exempt {
        /// The first second that is no longer exempt, by [`Moment::date`](crate::clock::Moment).
        until: i64,
        /// The policy that would decide, or nothing.
        policy: String,
    },
}

impl Decision {
    /// The same for a login that people make on the bus to show a factor of theirs before they change
    /// what they have: asked of whoever has one, whatever policy says, and never waived. A code by e-mail
    /// is one where any policy of theirs lists it.
    pub fn for_own_service(self, config: &Config, person: &Person) -> Self {
        let policy = self.policy().to_owned();
        let asked = match self {
            Self::Required(terms) | Self::RequiredIfEnrolled(terms) => Some((terms.certain, terms.factors)),
            _ => None,
        };
        let (mut certain, mut factors) = asked.unwrap_or((true, vec![Factor::Totp]));
        let mail = mail_somewhere(config, person).map(|(mail, sure)| {
            certain &= sure;
            mail
        });
        if mail.is_some() && !factors.contains(&Factor::Email) {
            factors.push(Factor::Email);
        }
        Self::RequiredIfEnrolled(Terms { certain, factors, mail, ..Terms::own(policy) })
    }

    /// Whether a second factor is, or may be, asked.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::Required(_) | Self::RequiredIfEnrolled(_))
    }

    /// The policy that decided, or nothing.
    #[must_use]
    pub fn policy(&self) -> &str {
        match self {
            Self::Required(terms) | Self::RequiredIfEnrolled(terms) => &terms.policy,
            Self::ReportOnly { policy } | Self::Off { policy } | Self::Exempt { policy, .. } => policy,
            Self::NoPolicy => "",
        }
    }
}

/// The policies in order, up to and including the first that certainly applies.
#[must_use]
pub fn walk<'a>(config: &'a Config, person: &Person, service: &str, source: Source) -> Vec<Met<'a>> {
    let mut met = Vec::new();
    for policy in &config.policies {
        let (applies, because) = applies(policy, person, service, source);
        met.push(Met { policy, applies, because });
        if applies == Tri::Yes {
            break;
        }
    }
    met
}

/// What the walk comes to: the first policy that certainly applies, or a stricter one before it
/// that may. A rule that may apply can only make the outcome stricter, never milder.
#[must_use]
pub fn deciding<'a>(met: &[Met<'a>]) -> Option<(&'a Policy, bool)> {
    let certain = !met.iter().any(|m| m.applies == Tri::Maybe);
    met.iter()
        .filter(|m| m.applies != Tri::No)
        .map(|m| m.policy)
        .reduce(|a, b| if strictness(b) > strictness(a) { b } else { a })
        .map(|policy| (policy, certain))
}

/// Decides for this person, service and source.
pub fn decide(config: &Config, person: &Person, service: &str, source: Source) -> Decision {
    let Some((policy, certain)) = deciding(&walk(config, person, service, source)) else {
        return Decision::NoPolicy;
    };
    let name = || policy.name.clone();
    match (policy.status, policy.require) {
        (Status::Enforce, Require::Everyone) => Decision::Required(Terms::of(policy, certain)),
        (Status::Enforce, Require::Enrolled) => Decision::RequiredIfEnrolled(Terms::of(policy, certain)),
        (Status::Report, _) => Decision::ReportOnly { policy: name() },
        (Status::Off, _) => Decision::Off { policy: name() },
    }
}

/// How this person comes to a first factor from a shell of theirs: by their first policy that is not
/// off. Where that cannot be known, only with an administrator; without a policy, by invitation.
#[must_use]
pub fn enroll(config: &Config, person: &Person) -> Enroll {
    config
        .policies
        .iter()
        .filter(|p| p.status != Status::Off)
        .map(|p| (p, matches_person(p, person)))
        .find(|(_, matches)| *matches != Tri::No)
        .map_or(Enroll::Invited, |(p, matches)| if matches == Tri::Yes { p.enroll } else { Enroll::Admin })
}

/// How an address is made of this person's name: by the first policy that may be theirs and says so.
#[must_use]
pub fn address_pattern<'a>(config: &'a Config, person: &Person) -> Option<&'a AddressPattern> {
    config
        .policies
        .iter()
        .filter(|p| p.status != Status::Off && matches_person(p, person) != Tri::No)
        .find_map(|p| p.address.as_ref())
}

/// Whether some policy, for some service or place, asks a second factor of everybody like this person,
/// or may.
#[must_use]
pub fn is_required_somewhere(config: &Config, person: &Person) -> bool {
    config.policies.iter().any(|p| strictness(p) == 3 && matches_person(p, person) != Tri::No)
}

/// The label shown in the authenticator app for this person: their first policy's, else the issuer.
#[must_use]
pub fn label(config: &Config, person: &Person) -> String {
    config
        .policies
        .iter()
        .find(|p| p.status != Status::Off && matches_person(p, person) != Tri::No)
        .and_then(|p| p.label.clone())
        .unwrap_or_else(|| config.issuer.clone())
}

/// The account that mails this person notices: that of their first policy that names one, else the first
/// there is.
#[must_use]
pub fn mailbox<'a>(config: &'a Config, person: &Person) -> Option<&'a str> {
    let theirs =
        config.policies.iter().filter(|p| p.status != Status::Off && matches_person(p, person) != Tri::No);
    let named = theirs.filter_map(|p| p.mailbox.as_deref()).next();
    named.or_else(|| config.mailboxes.first().map(|mailbox| mailbox.name.as_str()))
}

/// How codes are mailed to this person by the first policy that may be theirs and lists e-mail, for
/// whatever service, and whether it certainly is theirs.
#[must_use]
pub fn mail_somewhere(config: &Config, person: &Person) -> Option<(Mail, bool)> {
    config
        .policies
        .iter()
        .filter(|p| p.status != Status::Off)
        .map(|p| (p, matches_person(p, person)))
        .find(|(p, matches)| *matches != Tri::No && p.factors.contains(&Factor::Email))
        .and_then(|(p, matches)| Some((mail(p)?, matches == Tri::Yes)))
}

/// How much a policy asks: nobody, those enrolled, everybody. Report and off protect nobody.
#[must_use]
pub fn strictness(policy: &Policy) -> u8 {
    match (policy.status, policy.require) {
        (Status::Enforce, Require::Everyone) => 3,
        (Status::Enforce, Require::Enrolled) => 2,
        (Status::Report, _) => 1,
        (Status::Off, _) => 0,
    }
}

fn applies(policy: &Policy, person: &Person, service: &str, source: Source) -> (Tri, &'static str) {
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

pub(super) fn matches_person(policy: &Policy, person: &Person) -> Tri {
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

#[cfg(test)]
mod tests {
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
        assert_eq!(
            meets("bob", Tri::Yes, Tri::Maybe),
            required("p", false),
            "perhaps excepted is not excepted"
        );
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
}
