//! From what was written to what it means.

pub(crate) mod date;
mod mail;
mod policy;
mod tables;
mod values;

use std::collections::HashMap;

use crate::config::Dated;
use crate::groups::Named;
use crate::place::{Place, Spot};
use crate::problem::Report;
use crate::raw::{Key, RawConfig, RawPolicy};
use crate::shadow::{Cover, Earlier};
use crate::words::Kind;
use crate::{Config, DEFAULT_ISSUER, Deadline, Except, Factor, MAX_POLICIES, Networks, Policy, Qr, Require};
use policy::Block;
use values::{choice, text};

const QR: &[(&str, Qr)] = &[("dark", Qr::Dark), ("light", Qr::Light), ("off", Qr::Off)];

/// Checks all files together; `None` when something is wrong, which has then been reported.
pub(crate) fn check(
    raw: RawConfig,
    sources: Vec<String>,
    hash: String,
    problems: &mut Report<'_>,
) -> Option<Config> {
    let issuer = text(raw.issuer, "issuer", Kind::Issuer, problems);
    let help = text(raw.help, "help", Kind::Sentence, problems);
    let qr = choice(raw.qr, "qr", QR, Qr::default(), problems);
    let totp = tables::totp(raw.totp, problems);
    let recovery = tables::recovery(raw.recovery, problems);
    let email = mail::email(raw.email, problems);
    let mailboxes = mail::mailboxes(raw.mailboxes, problems);
    let throttle = tables::throttle(raw.throttle, problems);
    let reset = tables::reset(raw.reset, problems);
    let reload = tables::reload(raw.reload);
    let log = tables::log(raw.log, problems);
    let mut policies = policies(raw.policies, problems)?;
    mail::assign(&mut policies, email.as_ref()?, mailboxes.as_deref()?, problems)?;
    let warnings = warnings(&policies, problems);
    let dates = dates(&policies, problems);
    let groups = groups(&mut policies, problems);
    Some(Config {
        issuer: issuer?.unwrap_or_else(|| DEFAULT_ISSUER.to_owned()),
        help: help?,
        policies: policies.into_iter().map(|block| block.policy).collect(),
        totp: totp?,
        recovery: recovery?,
        email: email?,
        mailboxes: mailboxes?,
        throttle: throttle?,
        log: log?,
        reset: reset?,
        reload: reload?,
        qr: qr?,
        sources,
        hash,
        warnings,
        dates,
        groups,
    })
}

fn policies(raw: Key<Vec<RawPolicy>>, problems: &mut Report<'_>) -> Option<Vec<Block>> {
    let blocks = match raw {
        Key::Wrong => return None,
        Key::Is(blocks) if !blocks.value.is_empty() => blocks.value,
        Key::Absent | Key::Is(_) => {
            problems.whole(
                0,
                "has no [[policy]], so it says nothing about anybody",
                "write at least one; to ask nobody for now, give it status = \"off\"",
            );
            return None;
        }
    };
    if blocks.len() > MAX_POLICIES {
        let wrong = format!("is one of {} policies", blocks.len());
        problems.at(blocks[MAX_POLICIES].header, "policy", wrong, format!("use at most {MAX_POLICIES}"));
        return None;
    }
    let expected = blocks.len();
    let mut names = HashMap::new();
    let mut checked = Vec::new();
    for block in blocks {
        // Later blocks are checked even when this one is wrong: all problems at once.
        checked.extend(policy::policy(block, &mut names, problems));
    }
    // Shadowing is judged on whole lists only: a missing block could be the one that matters.
    if checked.len() < expected {
        return None;
    }
    report_shadowed(&checked, problems);
    Some(checked)
}

fn report_shadowed(policies: &[Block], problems: &mut Report<'_>) {
    let mut earlier = Earlier::default();
    for Block { header, policy, .. } in policies {
        let cover = earlier.cover(policy);
        earlier.push(policy);
        let wrong = match cover {
            Cover::None => continue,
            Cover::By(at) => {
                let Block { header: first, policy: by, .. } = &policies[at];
                let place = problems.seen_from(*header, *first);
                format!("is never reached: \"{}\" at {place} matches all of it first", by.name)
            }
            Cover::Together => "is never reached: the policies above it match all of it first".to_owned(),
        };
        problems.at(
            *header,
            "policy",
            format!("\"{}\" {wrong}", policy.name),
            "move it up, narrow the earlier ones, or delete it",
        );
    }
}

/// What is allowed but probably not meant.
fn warnings(blocks: &[Block], problems: &Report<'_>) -> Vec<String> {
    let mut warnings = Vec::new();
    for block in blocks {
        let policy = &block.policy;
        let mut warn = |spot: Option<Spot>, text: &str| {
            let place = problems.file_and_line(spot.unwrap_or(block.header));
            warnings.push(format!("{place}: policy \"{}\" {text}", policy.name));
        };
        if policy.factors == [Factor::Email] {
            warn(
                block.factors,
                "has \"email\" as its only factor: whoever reads somebody's mail needs only the password; \
                 NIST SP 800-63B does not count mail as a second factor at all",
            );
        }
        if policy.deadline.is_some() && policy.require == Require::Enrolled {
            warn(
                block.deadline,
                "has a deadline that changes nothing: with require = \"enrolled\" nobody without a \
                 factor is refused, before it or after",
            );
        }
    }
    if let Some(last) = blocks.last().map(|block| block.header)
        && !blocks.iter().any(|block| matches_all(&block.policy))
    {
        warnings.push(format!(
            "{}: no policy matches every login, and a login that matches none is not asked for a \
             second factor; write a last [[policy]] with only name = \"everyone else\" and \
             status = \"enforce\" (asks them) or status = \"off\" (says that this is meant)",
            problems.file_and_line(last)
        ));
    }
    warnings
}

/// The dates that policies name, which only a clock can judge.
fn dates(blocks: &[Block], problems: &Report<'_>) -> Vec<Dated> {
    let dated = |block: &Block| match (block.policy.deadline, block.deadline) {
        (Some(Deadline::By(end)), Some(spot)) => {
            Some(Dated { place: problems.file_and_line(spot), policy: block.policy.name.clone(), end })
        }
        _ => None,
    };
    blocks.iter().filter_map(dated).collect()
}

/// The groups that must exist, in the order of the files, with their places.
fn groups(blocks: &mut [Block], problems: &Report<'_>) -> Vec<(Named, Place)> {
    let mut named: Vec<Named> = blocks.iter_mut().flat_map(|block| block.groups.drain(..)).collect();
    named.sort_unstable_by_key(|one| one.spot);
    let places = problems.places(named.iter().map(|one| one.spot));
    named.into_iter().zip(places).collect()
}

/// Whether no login can fall through a policy.
fn matches_all(policy: &Policy) -> bool {
    policy.groups.is_none()
        && policy.users.is_none()
        && policy.services.is_none()
        && policy.except == Except::default()
        && policy.networks == Networks::default()
}
