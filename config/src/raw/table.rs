//! One table while its keys are taken out.

use toml::Spanned;
use toml::de::{DeTable, DeValue};
use toml::value::Datetime;

use super::mail::{EMAIL_KEYS, MAILBOX_KEYS, secret};
use super::{
    At, EXCEPT_KEYS, Key, LOG_KEYS, NETWORKS_KEYS, POLICY_KEYS, RECOVERY_KEYS, RELOAD_KEYS, RESET_KEYS,
    THROTTLE_KEYS, TOP_KEYS, TOTP_KEYS, Words, spot,
};
use crate::place::Spot;
use crate::problem::Report;
use crate::suggest::{listed, nearest};

/// Where a key belongs that stands in a wrong place. The first that knows it is meant.
const HOMES: &[(&[&str], &str)] = &[
    (POLICY_KEYS, "it belongs below a [[policy]] line"),
    (TOTP_KEYS, "it belongs below a line [totp]"),
    (RECOVERY_KEYS, "it belongs below a line [recovery]"),
    (THROTTLE_KEYS, "it belongs below a line [throttle]"),
    (EMAIL_KEYS, "it belongs below a line [email]"),
    (MAILBOX_KEYS, "it belongs below a line [mailbox.NAME]"),
    (RESET_KEYS, "it belongs below a line [reset]"),
    (RELOAD_KEYS, "it belongs below a line [reload]"),
    (LOG_KEYS, "it belongs below a line [log]"),
    (NETWORKS_KEYS, "it belongs into networks = { ... } of a policy"),
    (EXCEPT_KEYS, "it belongs into except = { ... } of a policy"),
];

/// One key with its value.
pub(super) struct Entry<'t> {
    pub(super) name: &'t str,
    pub(super) key: Spot,
    pub(super) value: &'t Spanned<DeValue<'t>>,
}

impl Entry<'_> {
    /// The place of something in the file of this entry.
    pub(super) fn spot<T>(&self, spanned: &Spanned<T>) -> Spot {
        spot(self.key.file, spanned)
    }
}

/// The keys of a table of a file.
pub(super) fn entries<'t>(file: usize, table: &'t DeTable<'t>) -> impl Iterator<Item = Entry<'t>> {
    table.iter().map(move |(key, value)| Entry { name: key.get_ref(), key: spot(file, key), value })
}

/// A table whose unknown keys have been reported when it was opened.
pub(super) struct Table<'t, 'r, 'p> {
    entries: Vec<Entry<'t>>,
    prefix: String,
    problems: &'r mut Report<'p>,
}

impl<'t, 'r, 'p> Table<'t, 'r, 'p> {
    pub(super) fn open(
        entries: Vec<Entry<'t>>,
        prefix: &str,
        known: &[&str],
        problems: &'r mut Report<'p>,
    ) -> Self {
        for entry in entries.iter().filter(|entry| !known.contains(&entry.name)) {
            let (wrong, right) = secret(entry.name).unwrap_or_else(|| {
                let wrong = if is_table(entry.value.get_ref()) { "unknown table" } else { "unknown key" };
                (wrong.to_owned(), unknown_right(entry.name, prefix, known))
            });
            problems.at(entry.key, format!("{prefix}{}", entry.name), wrong, right);
        }
        Self { entries, prefix: prefix.to_owned(), problems }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The value of a key and its place.
    fn take(&self, name: &str) -> Option<(&'t Spanned<DeValue<'t>>, Spot)> {
        let entry = self.entries.iter().find(|entry| entry.name == name)?;
        Some((entry.value, entry.spot(entry.value)))
    }

    /// Reports a value of a wrong type.
    fn wrong<T>(&mut self, name: &str, spot: Spot, wrong: String, right: String) -> Key<T> {
        self.problems.at(spot, format!("{}{name}", self.prefix), wrong, right);
        Key::Wrong
    }

    pub(super) fn string(&mut self, name: &str) -> Key<String> {
        let Some((value, spot)) = self.take(name) else {
            return Key::Absent;
        };
        if let DeValue::String(text) = value.get_ref() {
            return Key::Is(At { value: text.to_string(), spot });
        }
        let wrong = type_is("a string", value.get_ref());
        self.wrong(name, spot, wrong, format!("write it in quotes: {name} = \"...\""))
    }

    pub(super) fn integer(&mut self, name: &str) -> Key<i64> {
        let Some((value, spot)) = self.take(name) else {
            return Key::Absent;
        };
        let DeValue::Integer(number) = value.get_ref() else {
            let wrong = type_is("a whole number", value.get_ref());
            return self.wrong(name, spot, wrong, format!("write it without quotes: {name} = 1"));
        };
        match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(value) => Key::Is(At { value, spot }),
            Err(_) => self.wrong(name, spot, "is out of all bounds".into(), "write a small number".into()),
        }
    }

    pub(super) fn boolean(&mut self, name: &str) -> Key<bool> {
        let Some((value, spot)) = self.take(name) else {
            return Key::Absent;
        };
        if let DeValue::Boolean(value) = value.get_ref() {
            return Key::Is(At { value: *value, spot });
        }
        let wrong = type_is("true or false", value.get_ref());
        self.wrong(name, spot, wrong, format!("write it without quotes: {name} = true"))
    }

    pub(super) fn date(&mut self, name: &str) -> Key<Datetime> {
        let Some((value, spot)) = self.take(name) else {
            return Key::Absent;
        };
        if let DeValue::Datetime(value) = value.get_ref() {
            return Key::Is(At { value: *value, spot });
        }
        let wrong = type_is("a date", value.get_ref());
        self.wrong(name, spot, wrong, format!("write it without quotes: {name} = 2027-01-31"))
    }

    pub(super) fn words(&mut self, name: &str) -> Key<Words> {
        let Some((value, spot)) = self.take(name) else {
            return Key::Absent;
        };
        let right = format!("write {name} = [\"...\", \"...\"]");
        let DeValue::Array(items) = value.get_ref() else {
            let wrong = type_is("a list of strings", value.get_ref());
            return self.wrong(name, spot, wrong, right);
        };
        let mut words = Words::new();
        for item in items.iter() {
            let spot = super::spot(spot.file, item);
            if let DeValue::String(text) = item.get_ref() {
                words.push(At { value: text.to_string(), spot });
            } else {
                let wrong = format!("holds {}, not a string", with_article(item.get_ref()));
                self.wrong::<Words>(name, spot, wrong, right.clone());
            }
        }
        if words.len() < items.len() {
            return Key::Wrong;
        }
        Key::Is(At { value: words, spot })
    }

    /// A table inside this one; `read` takes its keys out.
    pub(super) fn table<T>(
        &mut self,
        name: &str,
        prefix: &str,
        known: &[&str],
        read: impl FnOnce(&mut Table<'t, '_, 'p>) -> T,
    ) -> Key<T> {
        let Some((value, spot)) = self.take(name) else {
            return Key::Absent;
        };
        let example = known.first().unwrap_or(&"key");
        let DeValue::Table(inner) = value.get_ref() else {
            let right = if self.prefix.is_empty() {
                format!("write a line [{name}], and its keys below it")
            } else {
                format!("write {name} = {{ {example} = [\"...\"] }}")
            };
            let wrong = type_is("a table", value.get_ref());
            return self.wrong(name, spot, wrong, right);
        };
        let entries = entries(spot.file, inner).collect();
        let mut table = Table::open(entries, prefix, known, self.problems);
        Key::Is(At { value: read(&mut table), spot })
    }
}

fn unknown_right(name: &str, prefix: &str, known: &[&str]) -> String {
    if !prefix.is_empty() && TOP_KEYS.contains(&name) {
        let in_policy = prefix.starts_with("policy.");
        return match name {
            "issuer" | "help" | "qr" if in_policy => "it belongs above the first [[policy]] line".to_owned(),
            "issuer" | "help" | "qr" => "it belongs above the first line in brackets".to_owned(),
            "policy" => "write [[policy]], with nothing before it".to_owned(),
            "mailbox" => "write [mailbox.NAME], with nothing before it".to_owned(),
            _ => format!("write [{name}], with nothing before it"),
        };
    }
    // "user" below [[policy]] is rather "users" than the key of a mailbox.
    let ending = |key: &&&str| key.trim_end_matches('s') == name.trim_end_matches('s');
    if let Some(near) = known.iter().find(ending) {
        return format!("did you mean {near}?");
    }
    if let Some((_, home)) = HOMES.iter().find(|(keys, _)| keys.contains(&name)) {
        return (*home).to_owned();
    }
    match nearest(name, known) {
        Some("policy") if prefix.is_empty() => "did you mean [[policy]]?".to_owned(),
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

/// "must be a string, not a date".
pub(super) fn type_is(expected: &str, found: &DeValue<'_>) -> String {
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
