//! What was written: known keys with their types checked and their places kept, no meaning yet.

mod mail;
mod table;

use std::collections::HashMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};
use toml::value::Datetime;

use crate::place::Spot;
use crate::problem::Report;
pub(crate) use mail::{RawEmail, RawMailbox};
use table::{Entry, Table, type_is};

/// The keys and tables of the top level.
const TOP_KEYS: &[&str] = &[
    "issuer", "help", "qr", "policy", "totp", "recovery", "email", "mailbox", "throttle", "reset", "reload",
    "log",
];
/// The keys of one `[[policy]]`.
const POLICY_KEYS: &[&str] = &[
    "name",
    "status",
    "require",
    "groups",
    "users",
    "except",
    "services",
    "networks",
    "factors",
    "label",
    "enroll",
    "enroll_by",
    "grace",
    "remember",
    "apply",
    "mailbox",
    "address",
    "template",
];
/// The keys of a policy's `except`.
const EXCEPT_KEYS: &[&str] = &["groups", "users"];
/// The keys of a policy's `networks`.
const NETWORKS_KEYS: &[&str] = &["only", "except"];
/// The keys of `[totp]`.
const TOTP_KEYS: &[&str] = &["digits", "period", "skew"];
/// The keys of `[recovery]`.
const RECOVERY_KEYS: &[&str] = &["codes", "regenerate_after", "viewable"];
/// The keys of `[throttle]`.
const THROTTLE_KEYS: &[&str] = &["profile"];
/// The keys of `[reset]`.
const RESET_KEYS: &[&str] = &["approvals"];
/// The keys of `[reload]`.
const RELOAD_KEYS: &[&str] = &["watch"];
/// The keys of `[log]`.
const LOG_KEYS: &[&str] = &["keep", "most"];

/// A value and the place where it stands.
#[derive(Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) spot: Spot,
}

/// What was found under a key.
#[derive(Debug)]
pub(crate) enum Key<T> {
    /// The key is not there.
    Absent,
    /// It is there with a value of a wrong type, and that has been reported.
    Wrong,
    /// It is there.
    Is(At<T>),
}

impl<T> Key<T> {
    /// Where the value stands, if there is a usable one.
    pub(crate) fn spot(&self) -> Option<Spot> {
        match self {
            Self::Is(at) => Some(at.spot),
            Self::Absent | Self::Wrong => None,
        }
    }
}

/// A list of strings as written.
pub(crate) type Words = Vec<At<String>>;

/// All files as written.
#[derive(Debug)]
pub(crate) struct RawConfig {
    pub(crate) issuer: Key<String>,
    pub(crate) help: Key<String>,
    pub(crate) qr: Key<String>,
    /// Of all files, in their order.
    pub(crate) policies: Key<Vec<RawPolicy>>,
    pub(crate) totp: Key<RawTotp>,
    pub(crate) recovery: Key<RawRecovery>,
    pub(crate) email: Key<RawEmail>,
    pub(crate) mailboxes: Vec<RawMailbox>,
    pub(crate) throttle: Key<RawThrottle>,
    pub(crate) reset: Key<RawReset>,
    pub(crate) reload: Key<RawReload>,
    pub(crate) log: Key<RawLog>,
}

/// One `[[policy]]` as written.
#[derive(Debug)]
pub(crate) struct RawPolicy {
    /// The line that opens it.
    pub(crate) header: Spot,
    pub(crate) name: Key<String>,
    pub(crate) status: Key<String>,
    pub(crate) require: Key<String>,
    pub(crate) groups: Key<Words>,
    pub(crate) users: Key<Words>,
    pub(crate) except: Key<RawExcept>,
    pub(crate) services: Key<Words>,
    pub(crate) networks: Key<RawNetworks>,
    pub(crate) factors: Key<Words>,
    pub(crate) label: Key<String>,
    pub(crate) enroll: Key<String>,
    pub(crate) enroll_by: Key<Datetime>,
    pub(crate) grace: Key<String>,
    pub(crate) remember: Key<String>,
    pub(crate) apply: Key<String>,
    pub(crate) mailbox: Key<String>,
    pub(crate) address: Key<String>,
    pub(crate) template: Key<String>,
}

/// A policy's `except` as written.
#[derive(Debug)]
pub(crate) struct RawExcept {
    /// Nothing was written in it, not even an unknown key.
    pub(crate) is_empty: bool,
    pub(crate) groups: Key<Words>,
    pub(crate) users: Key<Words>,
}

/// A policy's `networks` as written.
#[derive(Debug)]
pub(crate) struct RawNetworks {
    /// Nothing was written in it, not even an unknown key.
    pub(crate) is_empty: bool,
    pub(crate) only: Key<Words>,
    pub(crate) except: Key<Words>,
}

/// `[totp]` as written.
#[derive(Debug)]
pub(crate) struct RawTotp {
    pub(crate) digits: Key<i64>,
    pub(crate) period: Key<i64>,
    pub(crate) skew: Key<i64>,
}

/// `[recovery]` as written.
#[derive(Debug)]
pub(crate) struct RawRecovery {
    pub(crate) codes: Key<i64>,
    pub(crate) regenerate_after: Key<String>,
    pub(crate) viewable: Key<bool>,
}

/// `[throttle]` as written.
#[derive(Debug)]
pub(crate) struct RawThrottle {
    pub(crate) profile: Key<String>,
}

/// `[reset]` as written.
#[derive(Debug)]
pub(crate) struct RawReset {
    pub(crate) approvals: Key<i64>,
}

/// `[reload]` as written.
#[derive(Debug)]
pub(crate) struct RawReload {
    pub(crate) watch: Key<bool>,
}

/// `[log]` as written.
#[derive(Debug)]
pub(crate) struct RawLog {
    pub(crate) keep: Key<String>,
    pub(crate) most: Key<i64>,
}

/// Reads the texts as one configuration; `None` when one is not TOML, which has been reported.
pub(crate) fn read(texts: &[&str], problems: &mut Report<'_>) -> Option<RawConfig> {
    let mut documents = Vec::with_capacity(texts.len());
    let mut all_are_toml = true;
    for (file, text) in texts.iter().enumerate() {
        let (document, errors) = DeTable::parse_recoverable(text);
        for error in &errors {
            report_syntax(file, text, error, problems);
        }
        all_are_toml &= errors.is_empty();
        documents.push(document);
    }
    if !all_are_toml {
        return None;
    }
    let entries: Vec<Entry<'_>> = documents
        .iter()
        .enumerate()
        .flat_map(|(file, document)| table::entries(file, document.get_ref()))
        .collect();
    let (blocks, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(|entry| entry.name == "policy");
    let (mailboxes, others) = others.into_iter().partition(|entry| entry.name == "mailbox");
    let others = set_once(others, problems);
    let mailboxes = mail::mailboxes(mailboxes, problems);
    let mut top = Table::open(others, "", TOP_KEYS, problems);
    Some(RawConfig {
        issuer: top.string("issuer"),
        help: top.string("help"),
        qr: top.string("qr"),
        totp: top.table("totp", "totp.", TOTP_KEYS, |keys| RawTotp {
            digits: keys.integer("digits"),
            period: keys.integer("period"),
            skew: keys.integer("skew"),
        }),
        recovery: top.table("recovery", "recovery.", RECOVERY_KEYS, |keys| RawRecovery {
            codes: keys.integer("codes"),
            regenerate_after: keys.string("regenerate_after"),
            viewable: keys.boolean("viewable"),
        }),
        email: top.table("email", "email.", mail::EMAIL_KEYS, mail::email),
        mailboxes: mailboxes?,
        throttle: top.table("throttle", "throttle.", THROTTLE_KEYS, |keys| RawThrottle {
            profile: keys.string("profile"),
        }),
        reset: top
            .table("reset", "reset.", RESET_KEYS, |keys| RawReset { approvals: keys.integer("approvals") }),
        reload: top
            .table("reload", "reload.", RELOAD_KEYS, |keys| RawReload { watch: keys.boolean("watch") }),
        log: top.table("log", "log.", LOG_KEYS, |keys| RawLog {
            keep: keys.string("keep"),
            most: keys.integer("most"),
        }),
        policies: read_policies(blocks, problems),
    })
}

/// Each key once: what a second file sets again is reported and left out.
fn set_once<'t>(entries: Vec<Entry<'t>>, problems: &mut Report<'_>) -> Vec<Entry<'t>> {
    let mut first = HashMap::new();
    let mut kept = Vec::new();
    for entry in entries {
        if let Some(first) = first.get(entry.name) {
            let wrong = format!("is set at {} too", problems.seen_from(entry.key, *first));
            problems.at(entry.key, entry.name, wrong, "keep it in one of the files");
        } else {
            first.insert(entry.name, entry.key);
            kept.push(entry);
        }
    }
    kept
}

/// The blocks of all files as one list.
fn read_policies(entries: Vec<Entry<'_>>, problems: &mut Report<'_>) -> Key<Vec<RawPolicy>> {
    let Some(first) = entries.first().map(|entry| entry.key) else {
        return Key::Absent;
    };
    let right = "write each policy below a line [[policy]], with two brackets";
    let mut policies = Vec::new();
    let mut wrong = false;
    for entry in entries {
        let DeValue::Array(blocks) = entry.value.get_ref() else {
            problems.at(entry.key, "policy", "is not a list of tables", right);
            wrong = true;
            continue;
        };
        for block in blocks.iter() {
            if let DeValue::Table(keys) = block.get_ref() {
                policies.push(read_policy(entry.spot(block), keys, problems));
            } else {
                problems.at(entry.spot(block), "policy", type_is("a table", block.get_ref()), right);
                wrong = true;
            }
        }
    }
    if wrong { Key::Wrong } else { Key::Is(At { value: policies, spot: first }) }
}

fn read_policy(header: Spot, keys: &DeTable<'_>, problems: &mut Report<'_>) -> RawPolicy {
    let entries = table::entries(header.file, keys).collect();
    let mut keys = Table::open(entries, "policy.", POLICY_KEYS, problems);
    RawPolicy {
        header,
        name: keys.string("name"),
        status: keys.string("status"),
        require: keys.string("require"),
        groups: keys.words("groups"),
        users: keys.words("users"),
        except: keys.table("except", "policy.except.", EXCEPT_KEYS, |keys| RawExcept {
            is_empty: keys.is_empty(),
            groups: keys.words("groups"),
            users: keys.words("users"),
        }),
        services: keys.words("services"),
        networks: keys.table("networks", "policy.networks.", NETWORKS_KEYS, |keys| RawNetworks {
            is_empty: keys.is_empty(),
            only: keys.words("only"),
            except: keys.words("except"),
        }),
        factors: keys.words("factors"),
        label: keys.string("label"),
        enroll: keys.string("enroll"),
        enroll_by: keys.date("enroll_by"),
        grace: keys.string("grace"),
        remember: keys.string("remember"),
        apply: keys.string("apply"),
        mailbox: keys.string("mailbox"),
        address: keys.string("address"),
        template: keys.string("template"),
    }
}

/// The parser's message is "what, expected what else"; ours is "what; what would be right".
fn report_syntax(file: usize, text: &str, error: &Error, problems: &mut Report<'_>) {
    let message = error.message();
    let offset = error.span().map_or(0, |span| span.start);
    let spot = Spot { file, offset };
    if message == "duplicate key" {
        let key = error.span().and_then(|span| text.get(span)).unwrap_or("?").to_owned();
        problems.at(spot, key, "is written twice", "keep one of them");
        return;
    }
    let (wrong, right) = match message.split_once(", expected ") {
        Some((wrong, "nothing")) => (wrong, "take it away".to_owned()),
        Some((wrong, expected)) => (wrong, format!("expected {expected}")),
        None => (message, "correct the line (see https://toml.io)".to_owned()),
    };
    problems.at_syntax(spot, wrong, right);
}

/// The place of anything in a file.
fn spot<T>(file: usize, spanned: &Spanned<T>) -> Spot {
    Spot { file, offset: spanned.span().start }
}

#[cfg(test)]
mod documented;
