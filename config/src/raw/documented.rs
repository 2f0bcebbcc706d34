//! The default file has every key that the reader knows, in the place where it belongs.

use super::mail::{EMAIL_KEYS, MAILBOX_KEYS};
use super::*;

const FILE: &str = include_str!("../../countersign.toml");

/// What stands at the beginning of lines of a part of the file, without the `#` and up to the ` =`.
fn keys(part: &str, mark: &str) -> Vec<String> {
    let lines = part.lines().filter_map(|line| line.strip_prefix(mark));
    let keys = lines.filter_map(|line| line.split_once(" = ").map(|(key, _)| key));
    let is_key = |key: &&str| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    keys.filter(is_key).map(str::to_owned).collect()
}

/// The part of the file between a heading and the next one.
fn part(heading: &str) -> &'static str {
    let (_, rest) = FILE.split_once(&format!("\n#{heading}")).unwrap_or_else(|| panic!("no {heading}"));
    rest.split("\n#[").next().and_then(|part| part.split("\n# [[").next()).expect("a part")
}

#[test]
fn every_key_is_documented_where_it_belongs() {
    let tables = [
        ("[totp]", TOTP_KEYS),
        ("[recovery]", RECOVERY_KEYS),
        ("[email]", EMAIL_KEYS),
        ("[mailbox.ops]", MAILBOX_KEYS),
        ("[throttle]", THROTTLE_KEYS),
        ("[reset]", RESET_KEYS),
        ("[reload]", RELOAD_KEYS),
        ("[log]", LOG_KEYS),
    ];
    for (heading, known) in tables {
        assert_eq!(keys(part(heading), "#"), known, "{heading}");
    }
    assert_eq!(keys(part(" [[policy]]"), "# "), POLICY_KEYS);
    for key in NETWORKS_KEYS.iter().chain(EXCEPT_KEYS) {
        assert!(part(" [[policy]]").contains(&format!("{key} = [")), "{key}");
    }
    let above = FILE.split_once("\n#[").expect("tables").0;
    let names = |key: &&str| tables.iter().any(|(heading, _)| heading[1..].starts_with(key));
    let plain: Vec<&str> = TOP_KEYS.iter().copied().filter(|key| !names(key) && *key != "policy").collect();
    assert_eq!(keys(above, "#"), plain);
    assert_eq!(TOP_KEYS.len(), plain.len() + tables.len() + 1, "a table is not documented");
}
