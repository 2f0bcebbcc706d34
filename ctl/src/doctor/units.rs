//! The units: masked, replaced, or with a sandbox that somebody took apart.

use super::finding::Report;
use super::system::System;
use crate::text::doctor as text;

const UNITS: [(&str, &str); 2] = [
    ("countersignd.service", include_str!("../../../packaging/usr/lib/systemd/system/countersignd.service")),
    (
        "countersign-mailer.service",
        include_str!("../../../packaging/usr/lib/systemd/system/countersign-mailer.service"),
    ),
];
/// Where an administrator changes units, the strongest first.
const FOLDERS: [&str; 3] = ["/etc/systemd/system", "/run/systemd/system", "/usr/local/lib/systemd/system"];
/// What a drop-in may add that opens a way out of the sandbox although the unit does not name it.
const OPENINGS: [&str; 12] = [
    "DynamicUser",
    "SupplementaryGroups",
    "ReadWritePaths",
    "BindPaths",
    "BindReadOnlyPaths",
    "RootDirectory",
    "PermissionsStartOnly",
    "ExecStartPre",
    "ExecStartPost",
    "IPAddressAllow",
    "DeviceAllow",
    "PAMName",
];

pub(super) fn check(system: &System, report: &mut Report) {
    for (unit, shipped) in UNITS {
        for folder in FOLDERS {
            let path = format!("{folder}/{unit}");
            if system.link(&path).is_some_and(|to| to == std::path::Path::new("/dev/null")) {
                report.add(&text::UNIT_MASKED, unit, [path.as_str()]);
            } else if system.exists(&path) {
                report.add(&text::UNIT_REPLACED, unit, [path.as_str()]);
            }
            let drop_ins = format!("{path}.d");
            for name in system.list(&drop_ins).iter().filter(|name| name.ends_with(".conf")) {
                let file = format!("{drop_ins}/{name}");
                let drop_in = system.read(&file).unwrap_or_default();
                let loosened = loosened(&drop_in, shipped);
                if !loosened.is_empty() {
                    let shown = loosened.into_iter().map(|(line, text)| format!("{file}:{line} {text}"));
                    report.add(&text::UNIT_LOOSENED, unit, shown.collect::<Vec<_>>());
                }
            }
        }
    }
}

/// Lines of a drop-in that change what the shipped unit says of its sandbox, or open it beside.
fn loosened<'d>(drop_in: &'d str, shipped: &str) -> Vec<(usize, &'d str)> {
    let settings: Vec<(&str, &str)> = service(shipped).map(|(_, key, value)| (key, value)).collect();
    // Not part of the sandbox: an administrator may set these as they like.
    const FREE: [&str; 8] = [
        "Type",
        "ExecReload",
        "Restart",
        "RestartSec",
        "TimeoutStartSec",
        "TimeoutStopSec",
        "OOMScoreAdjust",
        "BusName",
    ];
    service(drop_in)
        .filter(|(_, key, value)| {
            let named = settings.iter().any(|(known, _)| known == key) && !FREE.contains(key);
            let same = settings.contains(&(*key, *value));
            let preload = *key == "Environment" && value.contains("LD_");
            (named && !same) || OPENINGS.contains(key) || preload
        })
        .map(|(number, key, _)| {
            let line = drop_in.lines().nth(number - 1).unwrap_or(key);
            (number, line.trim())
        })
        .collect()
}

/// The settings of the section [Service], with their lines.
fn service(text: &str) -> impl Iterator<Item = (usize, &str, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        let line = line.trim();
        if line.starts_with('[') {
            inside = line == "[Service]";
        }
        let (key, value) = line.split_once('=').filter(|_| inside && !line.starts_with(['#', ';']))?;
        Some((index + 1, key.trim(), value.trim()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_loosens_is_told_from_what_does_not() {
        let shipped = UNITS[0].1;
        let lines =
            |drop_in: &str| -> Vec<usize> { loosened(drop_in, shipped).iter().map(|l| l.0).collect() };
        assert_eq!(lines("[Service]\nProtectSystem=full\nProtectHome=yes\nRestartSec=9\n"), [2]);
        assert_eq!(lines("[Service]\nLoadCredential=countersign.key:/root/k\nEnvironment=TZ=UTC\n"), [0; 0]);
        assert_eq!(lines("[Service]\nEnvironment=LD_PRELOAD=/x.so\nBindPaths=/etc\nUser=root\n"), [2, 3, 4]);
        assert_eq!(lines("[Unit]\nUser=root\n# User=x\n"), [0; 0]);
    }
}
