//! `[email]` and `[mailbox.NAME]` as written.

use std::collections::HashMap;

use toml::de::DeValue;

use super::table::{self, Entry, Table, type_is};
use super::{At, Key, Words};
use crate::place::Spot;
use crate::problem::Report;

/// The keys of `[email]`.
pub(super) const EMAIL_KEYS: &[&str] =
    &["length", "valid_for", "resend_after", "addresses", "most_per_hour", "code_in_subject"];
/// The keys of one `[mailbox.NAME]`.
pub(super) const MAILBOX_KEYS: &[&str] =
    &["server", "tls", "from", "reply_to", "helo", "login", "user", "ca_file"];
/// What people call a secret that they would like to write into the file.
const SECRET_KEYS: &[&str] = &[
    "password",
    "passwd",
    "pass",
    "secret",
    "client_secret",
    "token",
    "access_token",
    "refresh_token",
    "api_key",
    "apikey",
    "key",
    "credential",
    "credentials",
];

/// `[email]` as written.
#[derive(Debug)]
pub(crate) struct RawEmail {
    pub(crate) length: Key<i64>,
    pub(crate) valid_for: Key<String>,
    pub(crate) resend_after: Key<String>,
    pub(crate) addresses: Key<Words>,
    pub(crate) most_per_hour: Key<i64>,
    pub(crate) code_in_subject: Key<bool>,
}

/// One `[mailbox.NAME]` as written.
#[derive(Debug)]
pub(crate) struct RawMailbox {
    pub(crate) name: At<String>,
    pub(crate) server: Key<String>,
    pub(crate) tls: Key<String>,
    pub(crate) from: Key<String>,
    pub(crate) reply_to: Key<String>,
    pub(crate) helo: Key<String>,
    pub(crate) login: Key<String>,
    pub(crate) user: Key<String>,
    pub(crate) ca_file: Key<String>,
}

pub(super) fn email(keys: &mut Table<'_, '_, '_>) -> RawEmail {
    RawEmail {
        length: keys.integer("length"),
        valid_for: keys.string("valid_for"),
        resend_after: keys.string("resend_after"),
        addresses: keys.words("addresses"),
        most_per_hour: keys.integer("most_per_hour"),
        code_in_subject: keys.boolean("code_in_subject"),
    }
}

/// The mailboxes of all files; `None` when one is no table.
pub(super) fn mailboxes(entries: Vec<Entry<'_>>, problems: &mut Report<'_>) -> Option<Vec<RawMailbox>> {
    let right = "write a line [mailbox.NAME], and its keys below it";
    let mut mailboxes: Vec<RawMailbox> = Vec::new();
    let mut first: HashMap<&str, Spot> = HashMap::new();
    let mut sound = true;
    for entry in entries {
        let DeValue::Table(named) = entry.value.get_ref() else {
            problems.at(entry.key, "mailbox", type_is("a table of tables", entry.value.get_ref()), right);
            sound = false;
            continue;
        };
        for entry in table::entries(entry.key.file, named) {
            let key = format!("mailbox.{}", entry.name);
            let DeValue::Table(keys) = entry.value.get_ref() else {
                let (wrong, right) = secret(entry.name)
                    .unwrap_or_else(|| (type_is("a table", entry.value.get_ref()), right.to_owned()));
                problems.at(entry.key, key, wrong, right);
                sound = false;
                continue;
            };
            if let Some(first) = first.insert(entry.name, entry.key) {
                let wrong = format!("is set at {} too", problems.seen_from(entry.key, first));
                problems.at(entry.key, key, wrong, "keep it in one of the files");
                sound = false;
                continue;
            }
            let keys = table::entries(entry.key.file, keys).collect();
            mailboxes.push(mailbox(entry.name, entry.key, keys, problems));
        }
    }
    sound.then_some(mailboxes)
}

fn mailbox(name: &str, spot: Spot, keys: Vec<Entry<'_>>, problems: &mut Report<'_>) -> RawMailbox {
    let prefix = format!("mailbox.{name}.");
    let mut keys = Table::open(keys, &prefix, MAILBOX_KEYS, problems);
    RawMailbox {
        name: At { value: name.to_owned(), spot },
        server: keys.string("server"),
        tls: keys.string("tls"),
        from: keys.string("from"),
        reply_to: keys.string("reply_to"),
        helo: keys.string("helo"),
        login: keys.string("login"),
        user: keys.string("user"),
        ca_file: keys.string("ca_file"),
    }
}

/// What is wrong with a key that is named like a secret, and where that belongs.
pub(super) fn secret(key: &str) -> Option<(String, String)> {
    let plain = key.to_ascii_lowercase().replace('-', "_");
    SECRET_KEYS.contains(&plain.as_str()).then(|| {
        (
            "is a secret, and everyone on this host may read this file".to_owned(),
            "take it out (and change it), and write the secret alone into \
             /etc/countersign/mailbox.d/NAME (root:countersign-mail, mode 0640) or hand it over as the \
             systemd credential countersign.mailbox.NAME"
                .to_owned(),
        )
    })
}
