//! What was written: known keys with their types checked and their places kept, no meaning yet.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue, Error};

use crate::problem::Report;
use crate::suggest::{listed, nearest};

/// The keys that stand above the first table.
const TOP_KEYS: &[&str] = &["issuer", "help", "policy"];
/// The keys of one `[[policy]]`.
const POLICY_KEYS: &[&str] = &["name", "status", "require", "groups", "services", "label"];

/// A value and the bytes of the text where it stands.
#[derive(Debug)]
pub(crate) struct At<T> {
    pub(crate) value: T,
    pub(crate) span: Range<usize>,
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

/// A list of strings as written.
pub(crate) type Words = Vec<At<String>>;

/// The whole file as written.
#[derive(Debug)]
pub(crate) struct RawConfig {
    pub(crate) issuer: Key<String>,
    pub(crate) help: Key<String>,
    pub(crate) policies: Key<Vec<RawPolicy>>,
}

/// One `[[policy]]` as written.
#[derive(Debug)]
pub(crate) struct RawPolicy {
    /// The line that opens it.
    pub(crate) header: Range<usize>,
    pub(crate) name: Key<String>,
    pub(crate) status: Key<String>,
    pub(crate) require: Key<String>,
    pub(crate) groups: Key<Words>,
    pub(crate) services: Key<Words>,
    pub(crate) label: Key<String>,
}

/// Reads the text; `None` when it is not TOML, which has then been reported.
pub(crate) fn read(text: &str, problems: &mut Report<'_>) -> Option<RawConfig> {
    let (document, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in &errors {
            report_syntax(text, error, problems);
        }
        return None;
    }
    let mut top = Table::open(document.get_ref(), "", TOP_KEYS, problems);
    let issuer = top.string("issuer");
    let help = top.string("help");
    let policies = read_policies(&mut top);
    Some(RawConfig { issuer, help, policies })
}

fn read_policies(top: &mut Table<'_, '_, '_>) -> Key<Vec<RawPolicy>> {
    let Some((key_span, value)) = top.take("policy") else {
        return Key::Absent;
    };
    let right = "write each policy below a line [[policy]], with two brackets";
    let DeValue::Array(blocks) = value.get_ref() else {
        top.problems.at(key_span, "policy", "is not a list of tables", right);
        return Key::Wrong;
    };
    let mut policies = Vec::new();
    let mut wrong = false;
    for block in blocks.iter() {
        let DeValue::Table(table) = block.get_ref() else {
            top.problems.at(block.span(), "policy", type_is("a table", block.get_ref()), right);
            wrong = true;
            continue;
        };
        let mut keys = Table::open(table, "policy.", POLICY_KEYS, top.problems);
        policies.push(RawPolicy {
            header: block.span(),
            name: keys.string("name"),
            status: keys.string("status"),
            require: keys.string("require"),
            groups: keys.words("groups"),
            services: keys.words("services"),
            label: keys.string("label"),
        });
    }
    if wrong { Key::Wrong } else { Key::Is(At { value: policies, span: key_span }) }
}

/// One table while its keys are taken out; unknown keys have been reported when it opens.
struct Table<'t, 'r, 'p> {
    entries: &'t DeTable<'t>,
    prefix: &'static str,
    problems: &'r mut Report<'p>,
}

impl<'t, 'r, 'p> Table<'t, 'r, 'p> {
    fn open(
        entries: &'t DeTable<'t>,
        prefix: &'static str,
        known: &[&str],
        problems: &'r mut Report<'p>,
    ) -> Self {
        for (key, value) in entries {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let wrong = if is_table(value.get_ref()) { "unknown table" } else { "unknown key" };
                let right = unknown_right(name, prefix, known);
                problems.at(key.span(), format!("{prefix}{name}"), wrong, right);
            }
        }
        Self { entries, prefix, problems }
    }

    /// The place of a key and its value.
    fn take(&self, name: &str) -> Option<(Range<usize>, &'t Spanned<DeValue<'t>>)> {
        self.entries.iter().find(|(key, _)| **key.get_ref() == *name).map(|(k, v)| (k.span(), v))
    }

    fn string(&mut self, name: &str) -> Key<String> {
        let Some((_, value)) = self.take(name) else {
            return Key::Absent;
        };
        if let DeValue::String(text) = value.get_ref() {
            return Key::Is(At { value: text.to_string(), span: value.span() });
        }
        self.problems.at(
            value.span(),
            format!("{}{name}", self.prefix),
            type_is("a string", value.get_ref()),
            format!("write it in quotes: {name} = \"...\""),
        );
        Key::Wrong
    }

    fn words(&mut self, name: &str) -> Key<Words> {
        let Some((_, value)) = self.take(name) else {
            return Key::Absent;
        };
        let key = format!("{}{name}", self.prefix);
        let right = format!("write {name} = [\"...\", \"...\"]");
        let DeValue::Array(items) = value.get_ref() else {
            let wrong = type_is("a list of strings", value.get_ref());
            self.problems.at(value.span(), key, wrong, right);
            return Key::Wrong;
        };
        let mut words = Words::new();
        for item in items.iter() {
            if let DeValue::String(text) = item.get_ref() {
                words.push(At { value: text.to_string(), span: item.span() });
            } else {
                let wrong = format!("holds {}, not a string", with_article(item.get_ref()));
                self.problems.at(item.span(), &*key, wrong, &*right);
            }
        }
        if words.len() < items.len() {
            return Key::Wrong;
        }
        Key::Is(At { value: words, span: value.span() })
    }
}

fn unknown_right(name: &str, prefix: &str, known: &[&str]) -> String {
    let in_policy = !prefix.is_empty();
    if !in_policy && POLICY_KEYS.contains(&name) {
        return "it belongs below a [[policy]] line".to_owned();
    }
    if in_policy && TOP_KEYS.contains(&name) {
        return "it belongs above the first [[policy]] line".to_owned();
    }
    match nearest(name, known) {
        Some("policy") if !in_policy => "did you mean [[policy]]?".to_owned(),
        Some(near) => format!("did you mean {near}?"),
        None => format!("known here are {}", listed(known).replace(" or ", " and ")),
    }
}

fn is_table(value: &DeValue<'_>) -> bool {
    match value {
        DeValue::Table(_) => true,
        DeValue::Array(items) => items.iter().any(|item| item.get_ref().is_table()),
        _ => false,
    }
}

fn type_is(expected: &str, found: &DeValue<'_>) -> String {
    format!("must be {expected}, not {}", with_article(found))
}

fn with_article(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "an integer",
        DeValue::Float(_) => "a float",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// The parser's message is "what, expected what else"; ours is "what; what would be right".
fn report_syntax(text: &str, error: &Error, problems: &mut Report<'_>) {
    let message = error.message();
    if message == "duplicate key" {
        let key = error.span().and_then(|span| text.get(span)).unwrap_or("?").to_owned();
        let span = error.span().unwrap_or_default();
        problems.at(span, key, "is written twice", "keep one of them");
        return;
    }
    let (wrong, right) = match message.split_once(", expected ") {
        Some((wrong, "nothing")) => (wrong, "take it away".to_owned()),
        Some((wrong, expected)) => (wrong, format!("expected {expected}")),
        None => (message, "correct the line (see https://toml.io)".to_owned()),
    };
    problems.at_syntax(error.span(), wrong, right);
}
