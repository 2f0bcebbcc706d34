//! Who may talk on the bus, and whom polkit lets administer: the files against those that we ship.

use super::finding::Report;
use super::system::System;
use crate::text::doctor as text;

const BUS_POLICY: &str = "/usr/share/dbus-1/system.d/org.countersign1.conf";
const SHIPPED_BUS_POLICY: &str =
    include_str!("../../../packaging/usr/share/dbus-1/system.d/org.countersign1.conf");
/// Read by the bus after ours, so what they say of our name wins.
const BUS_FOLDERS: [&str; 2] = ["/usr/share/dbus-1/system.d", "/etc/dbus-1/system.d"];
const ACTIVATION: &str = "/usr/share/dbus-1/system-services/org.countersign1.service";
const ACTIONS: &str = "/usr/share/polkit-1/actions/org.countersign1.policy";
const SHIPPED_ACTIONS: &str =
    include_str!("../../../packaging/usr/share/polkit-1/actions/org.countersign1.policy");
const OWNER: &str = "org.freedesktop.policykit.owner";
const POLKIT: [&str; 2] = [
    "/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service",
    "/usr/lib/systemd/system/polkit.service",
];
const RULES: [&str; 3] =
    ["/etc/polkit-1/rules.d", "/usr/local/share/polkit-1/rules.d", "/usr/share/polkit-1/rules.d"];

pub(super) fn check(system: &System, report: &mut Report) {
    bus(system, report);
    polkit(system, report);
}

fn bus(system: &System, report: &mut Report) {
    match system.read(BUS_POLICY) {
        None => report.add(&text::BUS_POLICY_MISSING, "", [BUS_POLICY]),
        Some(policy) if plain(&policy) != plain(SHIPPED_BUS_POLICY) => {
            report.add(&text::BUS_POLICY_CHANGED, "", [differs(BUS_POLICY, &policy, SHIPPED_BUS_POLICY)]);
        }
        Some(_) => {}
    }
    for folder in BUS_FOLDERS {
        for name in system.list(folder) {
            let path = format!("{folder}/{name}");
            let ours = path == BUS_POLICY || name == "org.countersign1.Mailer.conf";
            let policy = system.read(&path).unwrap_or_default();
            let line = policy.lines().position(|line| line.contains("org.countersign1"));
            if let Some(line) = line.filter(|_| !ours) {
                report.add(&text::BUS_POLICY_CHANGED, "", [format!("{path}:{}", line + 1)]);
            }
        }
    }
    if !system.exists(ACTIVATION) {
        report.add(&text::ACTIVATION_MISSING, "", [ACTIVATION]);
    }
}

fn polkit(system: &System, report: &mut Report) {
    if !POLKIT.iter().any(|path| system.exists(path)) {
        report.add(&text::POLKIT_ABSENT, "", POLKIT);
    }
    match system.read(ACTIONS) {
        None => report.add(&text::POLKIT_ACTIONS_MISSING, "", [ACTIONS]),
        Some(actions) => {
            if count(&actions, OWNER) < count(SHIPPED_ACTIONS, OWNER) {
                report.add(&text::POLKIT_OWNER, "", [ACTIONS]);
            }
            let shipped = defaults(SHIPPED_ACTIONS);
            let changed = defaults(&actions).into_iter().filter(|line| !shipped.contains(line));
            let changed: Vec<String> =
                changed.map(|(action, default)| format!("{action}: {default}")).collect();
            if !changed.is_empty() {
                report.add(&text::POLKIT_DEFAULTS, "", changed);
            }
        }
    }
    for folder in RULES {
        for name in system.list(folder) {
            let path = format!("{folder}/{name}");
            let rules = system.read(&path).unwrap_or_default();
            let grants = rules.contains("org.countersign1") && rules.contains("polkit.Result.YES");
            if grants {
                report.add(&text::POLKIT_RULES, "", [path]);
            }
        }
    }
}

/// Each action with each of its defaults.
fn defaults(actions: &str) -> Vec<(String, String)> {
    let mut action = String::new();
    let mut found = Vec::new();
    for tag in actions.split('<') {
        if let Some(rest) = tag.strip_prefix("action id=\"") {
            action = rest.split('"').next().unwrap_or_default().to_owned();
        } else if let Some((name, value)) = tag.split_once('>').filter(|(name, _)| name.starts_with("allow_"))
        {
            found.push((action.clone(), format!("{name} {}", value.trim())));
        }
    }
    found
}

fn count(text: &str, what: &str) -> usize {
    text.matches(&format!("\"{what}\"")).count()
}

/// A file without what means nothing.
fn plain(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// The first line that is not as shipped.
fn differs(path: &str, text: &str, shipped: &str) -> String {
    let same = |(a, b): &(&str, &str)| a.trim() == b.trim();
    let line = text.lines().zip(shipped.lines()).take_while(same).count();
    format!("{path}:{} {}", line + 1, text.lines().nth(line).unwrap_or_default().trim())
}
