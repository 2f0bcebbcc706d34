//! One `[[policy]]` block.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::value::Datetime;

use super::date;
use super::values::{Empty, acceptable, choice, choices, group_list, length, names, networks, parsed, text};
use crate::address;
use crate::groups::{self, Named};
use crate::place::Spot;
use crate::problem::Report;
use crate::raw::{At, Key, RawExcept, RawNetworks, RawPolicy, Words};
use crate::words::Kind;
use crate::{
    Apply, Deadline, Enroll, Except, Factor, GroupRef, MAX_REMEMBER, Network, Networks, Policy, Require,
    Status,
};

const STATUS: &[(&str, Status)] =
    &[("enforce", Status::Enforce), ("report", Status::Report), ("off", Status::Off)];
const REQUIRE: &[(&str, Require)] = &[("everyone", Require::Everyone), ("enrolled", Require::Enrolled)];

const FACTORS: &[(&str, Factor)] = &[("totp", Factor::Totp), ("email", Factor::Email)];
const ENROLL: &[(&str, Enroll)] =
    &[("at-login", Enroll::AtLogin), ("invited", Enroll::Invited), ("admin", Enroll::Admin)];
const APPLY: &[(&str, Apply)] = &[("next-login", Apply::NextLogin), ("immediately", Apply::Immediately)];
/// Less is over before people have read of it; more is no grace but an exemption.
const GRACE: RangeInclusive<Duration> = Duration::from_secs(60 * 60)..=Duration::from_secs(90 * 24 * 60 * 60);

const MATCHES_NOBODY: &str = "the policy could match nobody";
const EXCEPTS_NOTHING: Empty = Empty { does: "it excepts nothing", absent: "no exception" };

/// A checked block, and where in the files it says what.
pub(super) struct Block {
    pub(super) policy: Policy,
    /// The line that opens it.
    pub(super) header: Spot,
    pub(super) factors: Option<Spot>,
    /// `enroll_by` or `grace`.
    pub(super) deadline: Option<Spot>,
    /// Those that must exist.
    pub(super) groups: Vec<Named>,
    pub(super) mailbox: Option<Spot>,
    pub(super) address: Option<Spot>,
}

/// `None` when something is wrong with it. `names` holds those of the policies before it.
pub(super) fn policy(
    raw: RawPolicy,
    names_before: &mut HashMap<String, Spot>,
    problems: &mut Report<'_>,
) -> Option<Block> {
    let (header, mailbox_at, address_at) = (raw.header, raw.mailbox.spot(), raw.address.spot());
    let named = groups::named(&raw);
    let factors_at = raw.factors.spot();
    let deadline_at = raw.enroll_by.spot().or(raw.grace.spot());
    let users_at = raw.users.spot();
    let except_at = raw.except.spot();
    let everyone = Empty { does: MATCHES_NOBODY, absent: "everyone" };
    let nobody_more = Empty { does: "it names nobody", absent: "nobody but the groups, or everyone" };
    let all_services = Empty { does: MATCHES_NOBODY, absent: "all services" };
    let totp = Empty { does: "there would be nothing to show", absent: "\"totp\"" };

    let name = name(raw.name, header, names_before, problems);
    let status = choice(raw.status, "policy.status", STATUS, Status::Enforce, problems);
    let require = choice(raw.require, "policy.require", REQUIRE, Require::Everyone, problems);
    let groups = group_list(raw.groups, "policy.groups", everyone, problems);
    let users = names(raw.users, "policy.users", Kind::User, nobody_more, problems);
    let except = except(raw.except, problems);
    let services = names(raw.services, "policy.services", Kind::Service, all_services, problems);
    let networks = read_networks(raw.networks, status == Some(Status::Enforce), problems);
    let label = text(raw.label, "policy.label", Kind::Issuer, problems);
    let remember = remember(raw.remember, problems);
    let factors = choices(raw.factors, "policy.factors", FACTORS, totp, problems);
    let enroll = choice(raw.enroll, "policy.enroll", ENROLL, Enroll::Invited, problems);
    let deadline = deadline(raw.enroll_by, raw.grace, problems);
    let mailbox = text(raw.mailbox, "policy.mailbox", Kind::FileName, problems);
    let address = parsed(raw.address, "policy.address", address::pattern, problems);
    let template = text(raw.template, "policy.template", Kind::FileName, problems);
    let apply = choice(raw.apply, "policy.apply", APPLY, Apply::NextLogin, problems);

    let mut sound = true;
    if let (Some(Status::Off), Some(None), Some(Some(_)), Some(spot)) = (status, &groups, &users, users_at) {
        problems.at(
            spot,
            "policy.users",
            "exempts people one by one and without an end",
            "take them out of the group that is asked, or exempt a group: groups = [\"...\"]",
        );
        sound = false;
    }
    if let (Some(groups), Some(users), Some(except), Some(spot)) = (&groups, &users, &except, except_at)
        && excepts_all(groups.as_deref(), users.as_deref(), except)
    {
        let wrong = "names all that groups and users name, so the policy could match nobody";
        problems.at(spot, "policy.except", wrong, "leave somebody in, or delete the policy");
        sound = false;
    }
    let policy = Policy {
        name: name?,
        status: status?,
        require: require?,
        groups: groups?,
        users: users?,
        except: except?,
        services: services?,
        networks: networks?,
        label: label?,
        remember: remember?,
        factors: factors?.unwrap_or_else(|| vec![Factor::Totp]),
        enroll: enroll?,
        deadline: deadline?,
        mailbox: mailbox?,
        address: address?,
        template: template?,
        apply: apply?,
    };
    sound.then_some(Block {
        policy,
        header,
        factors: factors_at,
        deadline: deadline_at,
        groups: named,
        mailbox: mailbox_at,
        address: address_at,
    })
}

fn name(
    raw: Key<String>,
    header: Spot,
    names_before: &mut HashMap<String, Spot>,
    problems: &mut Report<'_>,
) -> Option<String> {
    let at = match raw {
        Key::Wrong => return None,
        Key::Absent => {
            problems.at(
                header,
                "policy.name",
                "is missing",
                "write name = \"...\", which stands in the log when this policy decides",
            );
            return None;
        }
        Key::Is(at) => at,
    };
    if !acceptable(&at.value, at.spot, "policy.name", Kind::PolicyName, problems) {
        return None;
    }
    if let Some(first) = names_before.get(&at.value) {
        let wrong = format!("is the name of the policy at {} too", problems.seen_from(at.spot, *first));
        problems.at(at.spot, "policy.name", wrong, "give each policy a name of its own");
        return None;
    }
    names_before.insert(at.value.clone(), header);
    Some(at.value)
}

fn except(raw: Key<RawExcept>, problems: &mut Report<'_>) -> Option<Except> {
    let At { value: raw, spot } = match raw {
        Key::Absent => return Some(Except::default()),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    if raw.is_empty {
        let right = "write groups = [\"...\"] or users = [\"...\"] in it, or leave except out";
        problems.at(spot, "policy.except", "is empty, so it excepts nothing", right);
        return None;
    }
    let groups = group_list(raw.groups, "policy.except.groups", EXCEPTS_NOTHING, problems);
    let users = names(raw.users, "policy.except.users", Kind::User, EXCEPTS_NOTHING, problems);
    Some(Except { groups: groups?.unwrap_or_default(), users: users?.unwrap_or_default() })
}

/// Whether nobody is left of those that a policy names.
fn excepts_all(groups: Option<&[GroupRef]>, users: Option<&[String]>, except: &Except) -> bool {
    let group_excepted = |group: &GroupRef| except.groups.iter().any(|one| one.name == group.name);
    (groups.is_some() || users.is_some())
        && groups.unwrap_or_default().iter().all(group_excepted)
        && users.unwrap_or_default().iter().all(|user| except.users.contains(user))
}

/// An empty `only` beside an `except` is everywhere else, but only where that asks more people: in a
/// policy that asks nobody, the list may have lost its last entry by mistake.
fn read_networks(raw: Key<RawNetworks>, enforces: bool, problems: &mut Report<'_>) -> Option<Networks> {
    let At { value: raw, spot } = match raw {
        Key::Absent => return Some(Networks::default()),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    if raw.is_empty {
        let right =
            "write only = [\"...\"] or except = [\"...\"] in it, or leave networks out to mean everywhere";
        problems.at(spot, "policy.networks", "is empty", right);
        return None;
    }
    let everywhere = Empty { does: MATCHES_NOBODY, absent: "everywhere" };
    let is_empty = |list: &Key<Words>| matches!(list, Key::Is(at) if at.value.is_empty());
    let everywhere_else =
        enforces && is_empty(&raw.only) && raw.except.spot().is_some() && !is_empty(&raw.except);
    let only = networks(
        if everywhere_else { Key::Absent } else { raw.only },
        "policy.networks.only",
        everywhere,
        problems,
    );
    let except = networks(raw.except, "policy.networks.except", EXCEPTS_NOTHING, problems);
    let (only, except) = (only?, except?.unwrap_or_default());
    let excepted: Vec<&Network> = except.iter().collect();
    if only.as_deref().unwrap_or(&Network::ALL).iter().all(|network| network.is_within(&excepted)) {
        let all = if only.is_some() { "all that only holds" } else { "every place" };
        let wrong = format!("excepts {all}, so the policy could match nobody");
        problems.at(spot, "policy.networks", wrong, "leave a place in, or delete the policy");
        return None;
    }
    Some(Networks { only, except })
}

/// Until when somebody without a factor may pass; the inner `None` is "not at all".
fn deadline(by: Key<Datetime>, grace: Key<String>, problems: &mut Report<'_>) -> Option<Option<Deadline>> {
    if let (Some(_), Some(spot)) = (by.spot(), grace.spot()) {
        let wrong = "stands beside enroll_by, and each says until when \"later\" is possible";
        problems.at(spot, "policy.grace", wrong, "keep one of them");
    }
    let by = match by {
        Key::Absent => Some(None),
        Key::Wrong => None,
        Key::Is(at) => match date::end(&at.value) {
            Ok(end) => Some(Some(Deadline::By(end))),
            Err((wrong, right)) => {
                problems.at(at.spot, "policy.enroll_by", wrong, right);
                None
            }
        },
    };
    let grace = match grace {
        Key::Absent => Some(None),
        given => length(given, "policy.grace", &GRACE, Duration::ZERO, problems)
            .map(|it| Some(Deadline::Grace(it))),
    };
    Some(by?.or(grace?))
}

fn remember(raw: Key<String>, problems: &mut Report<'_>) -> Option<Duration> {
    length(raw, "policy.remember", &(Duration::ZERO..=MAX_REMEMBER), Duration::ZERO, problems)
}
