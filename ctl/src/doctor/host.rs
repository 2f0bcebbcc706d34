//! The machine: room for the state, the clock, the journal, swap, and what security modules forbade.

use super::finding::Report;
use super::stacks::Service;
use super::system::System;
use crate::text::doctor as text;
use countersign_ctl::stack::Phase;

const STATE: &str = "/var/lib/countersign";
/// Less than this, and the next busy day may fill it: a full disk lets in nobody.
const ROOM: u64 = 64 << 20;
const FILES: u64 = 1000;
/// Lines of a log that are looked at.
const LINES: &str = "4000";
/// Bytes of the audit log that are looked at, the newest.
const AUDITED: u64 = 4 << 20;

pub(super) fn check(system: &System, services: &[Service], report: &mut Report) {
    room(system, report);
    clock(system, report);
    journal(system, report);
    swap(system, report);
    denials(system, report);
    if services.iter().any(Service::asks) {
        empty_passwords(system, services, report);
    }
}

fn room(system: &System, report: &mut Report) {
    let fs = match rustix::fs::statvfs(system.real(STATE)) {
        Ok(fs) => fs,
        // That there is no state is another finding.
        Err(rustix::io::Errno::NOENT) => return,
        Err(error) => return report.add(&text::NOT_LOOKED_AT, text::THE_ROOM, [format!("{STATE}: {error}")]),
    };
    let (bytes, files) = (fs.f_bavail.saturating_mul(fs.f_frsize), fs.f_favail);
    if fs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY) {
        report.add(&text::STATE_READ_ONLY, "", [STATE]);
    }
    // A file system that counts no files says 0 of 0.
    if bytes < ROOM || (fs.f_files > 0 && files < FILES) {
        report.add(&text::SPACE_LOW, "", [text::room(STATE, bytes >> 20, files)]);
    }
}

fn clock(system: &System, report: &mut Report) {
    // The clock of a container is that of its host.
    if system.exists("/run/systemd/container") {
        return;
    }
    let asked = ["timedatectl", "show", "--property=NTPSynchronized", "--value"];
    let why = match system.run(&asked) {
        Some(said) if said.success => match said.out.trim() {
            "yes" => return,
            "no" => {
                let evidence = ["timedatectl: NTPSynchronized=no"];
                return report.add(&text::CLOCK_UNSYNCHRONISED, "", evidence);
            }
            other => format!("timedatectl: NTPSynchronized={other}"),
        },
        Some(said) => said.err.lines().next().unwrap_or(text::NO_TIMEDATECTL).to_owned(),
        None => text::NO_TIMEDATECTL.to_owned(),
    };
    report.add(&text::NOT_LOOKED_AT, text::THE_CLOCK, [why]);
}

fn journal(system: &System, report: &mut Report) {
    const FOLDERS: [&str; 3] =
        ["/usr/lib/systemd/journald.conf.d", "/etc/systemd/journald.conf.d", "/run/systemd/journald.conf.d"];
    let drop_ins = FOLDERS.iter().flat_map(|folder| {
        let names = system.list(folder);
        names.into_iter().map(move |name| format!("{folder}/{name}"))
    });
    let mut storage = ("/etc/systemd/journald.conf".to_owned(), "auto".to_owned());
    for file in std::iter::once(storage.0.clone()).chain(drop_ins) {
        for line in system.read(&file).unwrap_or_default().lines() {
            if let Some(value) = line.trim().strip_prefix("Storage=") {
                storage = (file.clone(), value.trim().to_owned());
            }
        }
    }
    let (file, value) = storage;
    let lost = match value.as_str() {
        "volatile" | "none" => true,
        "auto" => system.exists("/run/systemd/journal") && !system.exists("/var/log/journal"),
        _ => false,
    };
    if lost {
        report.add(&text::JOURNAL_VOLATILE, "", [format!("{file}: Storage={value}")]);
    }
}

fn swap(system: &System, report: &mut Report) {
    let swaps = system.read("/proc/swaps").unwrap_or_default();
    let plain: Vec<&str> = swaps
        .lines()
        .skip(1)
        .filter_map(|line| line.split_whitespace().next())
        .filter(|device| !device.contains("zram") && !device.contains("/dm-"))
        .collect();
    if !plain.is_empty() {
        report.add(&text::SWAP_PLAIN, "", plain);
    }
}

/// The newest refusals of SELinux and AppArmor that name us.
fn denials(system: &System, report: &mut Report) {
    let mut lines = audited(system);
    let kernel = ["journalctl", "-q", "-k", "-b", "--no-pager", "-o", "cat", "-n", LINES];
    lines.extend(system.run(&kernel).map(|said| said.out));
    let ours = lines.lines().rev().filter(|line| line.contains("countersign"));
    let (mut selinux, mut apparmor) = (Vec::new(), Vec::new());
    for line in ours {
        if line.contains("apparmor=\"DENIED\"") {
            apparmor.push(line);
        } else if line.contains("avc:") && line.contains("denied") {
            selinux.push(line);
        }
    }
    for (found, finding) in [(selinux, &text::SELINUX_DENIAL), (apparmor, &text::APPARMOR_DENIAL)] {
        if !found.is_empty() {
            report.add(finding, "", found.into_iter().take(3));
        }
    }
}

/// The end of the audit log, with that of the one before where it was rotated lately.
fn audited(system: &System) -> String {
    const FILE: &str = "/var/log/audit/audit.log";
    let now = system.tail(FILE, AUDITED).unwrap_or_default();
    let missing = AUDITED.saturating_sub(now.len() as u64);
    let before = if missing > 0 { system.tail(&format!("{FILE}.1"), missing) } else { None };
    before.unwrap_or_default() + &now
}

/// People whose password is empty, where pam_unix takes that for a first factor.
fn empty_passwords(system: &System, services: &[Service], report: &mut Report) {
    let shadow = system.read("/etc/shadow").unwrap_or_default();
    let empty: Vec<&str> = shadow
        .lines()
        .filter_map(|line| line.split_once(':'))
        .filter(|(_, rest)| rest.starts_with(':'))
        .map(|(name, _)| name)
        .collect();
    if empty.is_empty() {
        return;
    }
    let taken = services.iter().filter(|service| service.asks()).find_map(|service| {
        let entries = &service.stacks.phase(Phase::Auth).entries;
        entries.iter().find(|entry| {
            entry.module() == Some("pam_unix.so") && entry.args().iter().any(|arg| arg.starts_with("nullok"))
        })
    });
    if let Some(entry) = taken {
        report.add(&text::EMPTY_PASSWORD, "", [format!("{} nullok", entry.place), empty.join(" ")]);
    }
}
