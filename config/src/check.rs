//! From what was written to what it means.

use std::collections::HashMap;
use std::ops::Range;

use crate::problem::Report;
use crate::raw::{At, Key, RawConfig, RawPolicy, Words};
use crate::shadow;
use crate::suggest::{listed, nearest};
use crate::words::{Kind, objection, printable};
use crate::{Config, DEFAULT_ISSUER, GroupRef, MAX_NAMES, MAX_POLICIES, Policy, Require, Status};

const STATUS: &[(&str, Status)] =
    &[("enforce", Status::Enforce), ("report", Status::Report), ("off", Status::Off)];
const REQUIRE: &[(&str, Require)] = &[("everyone", Require::Everyone), ("enrolled", Require::Enrolled)];

/// Checks the whole file; `None` when something is wrong, which has then been reported.
pub(crate) fn check(raw: RawConfig, hash: &str, problems: &mut Report<'_>) -> Option<Config> {
    let issuer = text(raw.issuer, "issuer", Kind::Issuer, problems);
    let help = text(raw.help, "help", Kind::Sentence, problems);
    let policies = policies(raw.policies, problems)?;
    Some(Config {
        issuer: issuer?.unwrap_or_else(|| DEFAULT_ISSUER.to_owned()),
        help: help?,
        policies,
        hash: hash.to_owned(),
    })
}

fn policies(raw: Key<Vec<RawPolicy>>, problems: &mut Report<'_>) -> Option<Vec<Policy>> {
    let blocks = match raw {
        Key::Wrong => return None,
        Key::Is(blocks) if !blocks.value.is_empty() => blocks,
        Key::Absent | Key::Is(_) => {
            problems.whole(
                "has no [[policy]], so it says nothing about anybody",
                "write at least one; to ask nobody for now, give it status = \"off\"",
            );
            return None;
        }
    };
    if blocks.value.len() > MAX_POLICIES {
        problems.at(
            blocks.value[MAX_POLICIES].header.clone(),
            "policy",
            format!("is one of {} policies", blocks.value.len()),
            format!("use at most {MAX_POLICIES}"),
        );
        return None;
    }
    let expected = blocks.value.len();
    let mut names = HashMap::new();
    let mut checked = Vec::new();
    for block in blocks.value {
        let header = block.header.clone();
        // Later blocks are checked even when this one is wrong: all problems at once.
        if let Some(policy) = policy(block, &mut names, problems) {
            checked.push((header, policy));
        }
    }
    // Shadowing is judged on whole lists only: a missing block could be the one that matters.
    if checked.len() < expected {
        return None;
    }
    report_shadowed(&checked, problems);
    Some(checked.into_iter().map(|(_, policy)| policy).collect())
}

fn policy(raw: RawPolicy, names: &mut HashMap<String, usize>, problems: &mut Report<'_>) -> Option<Policy> {
    let name = name(raw.name, &raw.header, names, problems);
    let status = choice(raw.status, "policy.status", STATUS, Status::Enforce, problems);
    let require = choice(raw.require, "policy.require", REQUIRE, Require::Everyone, problems);
    let groups = list(raw.groups, "policy.groups", Kind::Group, problems);
    let services = list(raw.services, "policy.services", Kind::Service, problems);
    let label = text(raw.label, "policy.label", Kind::Issuer, problems);
    Some(Policy {
        name: name?,
        status: status?,
        require: require?,
        groups: groups?.map(|groups| groups.into_iter().map(group).collect()),
        services: services?.map(|services| services.into_iter().map(|word| word.name).collect()),
        label: label?,
    })
}

fn name(
    raw: Key<String>,
    header: &Range<usize>,
    names: &mut HashMap<String, usize>,
    problems: &mut Report<'_>,
) -> Option<String> {
    let at = match raw {
        Key::Wrong => return None,
        Key::Absent => {
            problems.at(
                header.clone(),
                "policy.name",
                "is missing",
                "write name = \"...\", which stands in the log when this policy decides",
            );
            return None;
        }
        Key::Is(at) => at,
    };
    if !acceptable(&at.value, &at.span, "policy.name", Kind::PolicyName, problems) {
        return None;
    }
    if let Some(first) = names.get(&at.value) {
        let wrong = format!("is the name of the policy at line {first} too");
        problems.at(at.span, "policy.name", wrong, "give each policy a name of its own");
        return None;
    }
    names.insert(at.value.clone(), problems.line(header));
    Some(at.value)
}

/// An optional text. The outer `None` is "wrong", the inner one "not there".
fn text(raw: Key<String>, key: &str, kind: Kind, problems: &mut Report<'_>) -> Option<Option<String>> {
    match raw {
        Key::Absent => Some(None),
        Key::Wrong => None,
        Key::Is(at) => acceptable(&at.value, &at.span, key, kind, problems).then_some(Some(at.value)),
    }
}

fn acceptable(value: &str, span: &Range<usize>, key: &str, kind: Kind, problems: &mut Report<'_>) -> bool {
    match objection(value, kind) {
        None => true,
        Some((wrong, right)) => {
            problems.at(span.clone(), key, wrong, right);
            false
        }
    }
}

fn choice<T: Copy>(
    raw: Key<String>,
    key: &str,
    allowed: &[(&'static str, T)],
    default: T,
    problems: &mut Report<'_>,
) -> Option<T> {
    let at = match raw {
        Key::Absent => return Some(default),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    if let Some((_, meant)) = allowed.iter().find(|(word, _)| *word == at.value) {
        return Some(*meant);
    }
    let words: Vec<&str> = allowed.iter().map(|(word, _)| *word).collect();
    let mut right = format!("write {}", listed(&words));
    if let Some(near) = nearest(&at.value, &words) {
        right = format!("did you mean \"{near}\"? Allowed are {}", listed(&words));
    }
    problems.at(at.span, key, format!("cannot be \"{}\"", printable(&at.value)), right);
    None
}

/// One entry of a list, with the `?` of a group taken off.
struct Word {
    name: String,
    may_be_missing: bool,
}

fn group(word: Word) -> GroupRef {
    GroupRef { name: word.name, may_be_missing: word.may_be_missing }
}

/// An optional list of names. The outer `None` is "wrong", the inner one "not there".
fn list(raw: Key<Words>, key: &str, kind: Kind, problems: &mut Report<'_>) -> Option<Option<Vec<Word>>> {
    let at = match raw {
        Key::Absent => return Some(None),
        Key::Wrong => return None,
        Key::Is(at) => at,
    };
    let short = key.rsplit('.').next().unwrap_or(key);
    if at.value.is_empty() {
        let whom = if kind == Kind::Group { "everyone" } else { "all services" };
        problems.at(
            at.span,
            key,
            "is empty, so the policy could match nobody",
            format!("leave {short} out to mean {whom}"),
        );
        return None;
    }
    if at.value.len() > MAX_NAMES {
        let wrong = format!("has {} names", at.value.len());
        problems.at(at.span, key, wrong, format!("use at most {MAX_NAMES}"));
        return None;
    }
    let expected = at.value.len();
    let mut words: Vec<Word> = Vec::with_capacity(expected);
    for At { value, span } in at.value {
        let (name, may_be_missing) = match value.strip_suffix('?') {
            Some(name) if kind == Kind::Group => (name, true),
            _ => (value.as_str(), false),
        };
        if !acceptable(name, &span, key, kind, problems) {
            continue;
        }
        if words.iter().any(|word| word.name == name) {
            let wrong = format!("names \"{}\" twice", printable(name));
            problems.at(span, key, wrong, "keep one of them");
            continue;
        }
        words.push(Word { name: name.to_owned(), may_be_missing });
    }
    (words.len() == expected).then_some(Some(words))
}

fn report_shadowed(policies: &[(Range<usize>, Policy)], problems: &mut Report<'_>) {
    for (index, (header, policy)) in policies.iter().enumerate() {
        let earlier: Vec<&Policy> = policies[..index].iter().map(|(_, policy)| policy).collect();
        let wrong = match shadow::cover(&earlier, policy) {
            shadow::Cover::None => continue,
            shadow::Cover::By(at) => {
                let (header, by) = &policies[at];
                let line = problems.line(header);
                format!("is never reached: \"{}\" at line {line} matches all of it first", by.name)
            }
            shadow::Cover::Together => {
                "is never reached: the policies above it match all of it first".to_owned()
            }
        };
        problems.at(
            header.clone(),
            "policy",
            format!("\"{}\" {wrong}", policy.name),
            "move it up, narrow the earlier ones, or delete it",
        );
    }
}
