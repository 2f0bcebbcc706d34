//! The options of our lines: what the module would refuse, and what belongs into a test.

use countersign_ctl::stack::{Entry, Phase};

use super::finding::Report;
use super::stacks::Service;
use super::system::System;
use crate::text::doctor as text;

/// Options without a value.
const FLAGS: [&str; 6] = ["debug", "quiet", "after_first_factor", "after_key", "no_info", "forward_pass"];
/// Seconds of machine time and for an answer, where a line does not say (pam_countersign(8)).
const USUAL: (u64, u64) = (10, 90);

/// Looks at each of our lines of a service.
pub(super) fn check(service: &Service, report: &mut Report) {
    for phase in [Phase::Auth, Phase::Account] {
        for entry in service.ours(phase) {
            for word in entry.args() {
                let shown = || [format!("{} {word}", entry.place)];
                if !is_known(word) || twice(entry, word) {
                    report.add(&text::STACK_OPTION, &service.name, shown());
                } else if word.starts_with("bus=") || word.starts_with("owner=") {
                    report.add(&text::STACK_PRIVATE_BUS, &service.name, shown());
                }
            }
            let told = entry.args().iter().any(|word| word == "after_first_factor");
            if let (Some((word, _)), true) = (joined(entry), told) {
                let shown = format!("{} {word} after_first_factor", entry.place);
                report.add(&text::STACK_OPTION, &service.name, [shown]);
            }
        }
    }
}

/// Looks whether lines that take password and code from one box cut off as many digits as apps are set up
/// to show.
pub(super) fn digits(system: &System, services: &[Service], report: &mut Report) {
    let lines = services.iter().flat_map(|service| {
        let joined = service.ours(Phase::Auth).filter_map(|entry| Some((entry, joined(entry)?)));
        joined.map(move |(entry, joined)| (service, entry, joined))
    });
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return;
    }
    // A file that cannot be read is a finding of its own.
    let Ok(config) = countersign_config::load(&system.real(super::files::CONFIG), None) else { return };
    for (service, entry, (word, digits)) in lines {
        if digits != config.totp.digits {
            let shown = text::digits(&format!("{} {word}", entry.place), config.totp.digits);
            report.add(&text::STACK_DIGITS, &service.name, [shown]);
        }
    }
}

/// Whether the line takes password and code from one box.
pub(super) fn joins(entry: &Entry) -> bool {
    joined(entry).is_some()
}

/// The word that says that password and code come from one box, and how many digits it cuts off.
fn joined(entry: &Entry) -> Option<(&str, u8)> {
    entry.args().iter().find_map(|word| match word.as_str() {
        "forward_pass" | "forward_pass=6" => Some((word.as_str(), 6)),
        "forward_pass=8" => Some((word.as_str(), 8)),
        _ => None,
    })
}

fn is_known(word: &str) -> bool {
    let seconds = |value: &str, most: u32| value.parse().is_ok_and(|n: u32| (1..=most).contains(&n));
    match word.split_once('=') {
        None => FLAGS.contains(&word),
        Some(("prompt", text)) => is_prompt(text),
        Some(("forward_pass", digits)) => matches!(digits, "6" | "8"),
        Some(("echo", value)) => value == "off",
        Some(("timeout", value)) => seconds(value, 120),
        Some(("prompt_timeout", value)) => seconds(value, 3600),
        Some(("bus", value)) => value.starts_with("unix:"),
        Some(("owner", value)) => value.parse::<u32>().is_ok(),
        Some(_) => false,
    }
}

fn is_prompt(text: &str) -> bool {
    let text = match text.strip_prefix('[') {
        Some(rest) => rest.strip_suffix(']').unwrap_or_default(),
        None => text,
    };
    !text.is_empty() && text.len() <= 256
}

fn twice(entry: &Entry, word: &str) -> bool {
    let name = |word: &str| word.split('=').next().unwrap_or_default().to_owned();
    entry.args().iter().filter(|other| name(other) == name(word)).count() > 1
}

/// The longest that our lines in a service's auth phase may take, in seconds.
pub(super) fn longest(service: &Service) -> u64 {
    let of = |entry: &Entry, name: &str, usual: u64| {
        let value = |word: &String| word.strip_prefix(name)?.strip_prefix('=')?.parse().ok();
        entry.args().iter().find_map(value).unwrap_or(usual)
    };
    let whole = |entry| of(entry, "timeout", USUAL.0) + of(entry, "prompt_timeout", USUAL.1);
    service.ours(Phase::Auth).map(whole).max().unwrap_or(0)
}
