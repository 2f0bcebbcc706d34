//! Accounts, files and their guards: the key, the state, the programs, the module.

use super::finding::{Finding, Report};
use super::system::{Guard, System};
use crate::text::doctor as text;
use countersign_protocol::names::{DAEMON_USER, MAILER_USER};

const KEY: &str = "/etc/countersign/key";
const STATE: &str = "/var/lib/countersign";
pub(super) const CONFIG: &str = "/etc/countersign/countersign.toml";
const SECRETS: &str = "/etc/countersign/mailbox.d";
/// The credential by which systemd hands the key to the daemon.
const CREDENTIAL: &str = "/run/credentials/countersignd.service/countersign.key";
const MODULE: &str = "pam_countersign.so";
/// Folders that modules are loaded from.
const SECURITY: [&str; 8] = [
    "/usr/lib/x86_64-linux-gnu/security",
    "/usr/lib/aarch64-linux-gnu/security",
    "/lib/x86_64-linux-gnu/security",
    "/lib/aarch64-linux-gnu/security",
    "/usr/lib64/security",
    "/lib64/security",
    "/usr/lib/security",
    "/lib/security",
];
/// What runs as root, or decides for it.
const PROGRAMS: [&str; 3] =
    ["/usr/sbin/countersignd", "/usr/sbin/countersign-mailer", "/usr/bin/countersignctl"];
/// Where an ELF file says for which machine it is: class and byte order, then type and machine.
const MACHINE: [std::ops::Range<usize>; 2] = [4..6, 18..20];

/// Who a file should belong to, and the most that its mode may allow.
struct Rule {
    uid: u32,
    gid: u32,
    mode: u32,
}

pub(super) fn check(system: &System, report: &mut Report) {
    let daemon = account(system, report);
    let mailer = system.accounts(MAILER_USER).first().copied();
    if mailer.is_none() {
        report.add(&text::MAIL_ACCOUNT, "", ["/etc/passwd"]);
    }
    module(system, report);
    for program in PROGRAMS {
        guard(system, report, program, &text::PROGRAM_MODE, &Rule { uid: 0, gid: 0, mode: 0o755 });
    }
    configuration(system, report);
    if let Some((uid, gid)) = daemon {
        state(system, report, uid, gid);
    }
    if let Some((_, gid)) = mailer {
        for name in system.list(SECRETS) {
            let rule = Rule { uid: 0, gid, mode: 0o640 };
            guard(system, report, &format!("{SECRETS}/{name}"), &text::SECRET_MODE, &rule);
        }
    }
}

/// The daemon's account, which the module and the bus know it by.
fn account(system: &System, report: &mut Report) -> Option<(u32, u32)> {
    let found = system.accounts(DAEMON_USER);
    match found.as_slice() {
        [(uid, gid)] if *uid != 0 => return Some((*uid, *gid)),
        [] => report.add(&text::ACCOUNT, "", [text::NOT_IN_PASSWD]),
        [(0, _)] => report.add(&text::ACCOUNT, "", ["/etc/passwd: countersign has uid 0"]),
        many => report.add(&text::ACCOUNT, "", [text::times_in_passwd(many.len())]),
    }
    None
}

fn state(system: &System, report: &mut Report, uid: u32, gid: u32) {
    if system.exists(KEY) {
        guard(system, report, KEY, &text::KEY_MODE, &Rule { uid: 0, gid, mode: 0o640 });
    } else if !system.exists(CREDENTIAL) {
        report.add(&text::KEY_MISSING, "", [KEY, CREDENTIAL]);
    }
    guard(system, report, STATE, &text::STATE_MODE, &Rule { uid, gid, mode: 0o700 });
    for name in ["countersign.db", "instance"] {
        let path = format!("{STATE}/{name}");
        if system.exists(&path) {
            guard(system, report, &path, &text::STATE_MODE, &Rule { uid, gid, mode: 0o600 });
        } else {
            report.add(&text::STATE_MISSING, "", [path]);
        }
    }
}

fn configuration(system: &System, report: &mut Report) {
    if let Err(problems) = countersign_config::load(&system.real(CONFIG), None) {
        let lines: Vec<String> = problems.to_string().lines().take(5).map(str::to_owned).collect();
        report.add(&text::CONFIG_BROKEN, "", lines);
    }
}

/// The module, in the folder from which this host loads the others.
fn module(system: &System, report: &mut Report) {
    let folders = SECURITY.iter().filter(|folder| system.exists(&format!("{folder}/pam_unix.so")));
    // One folder by two names is one folder.
    let mut seen = Vec::new();
    for folder in folders {
        let real = system.real(folder).canonicalize().ok();
        if seen.contains(&real) {
            continue;
        }
        seen.push(real);
        let (path, other) = (format!("{folder}/{MODULE}"), format!("{folder}/pam_unix.so"));
        if !system.exists(&path) {
            report.add(&text::MODULE_MISSING, "", [path]);
            continue;
        }
        let machine = |path: &str| {
            let head = system.head(path, 20).unwrap_or_default();
            MACHINE.map(|part| head.get(part).map(<[u8]>::to_vec))
        };
        if machine(&path) != machine(&other) || machine(&path).contains(&None) {
            report.add(&text::MODULE_MACHINE, "", [path.clone()]);
        }
        guard(system, report, &path, &text::MODULE_MODE, &Rule { uid: 0, gid: 0, mode: 0o755 });
    }
}

fn guard(system: &System, report: &mut Report, path: &str, finding: &'static Finding, rule: &Rule) {
    let Ok(Guard { uid, gid, mode }) = system.guard(path) else { return };
    // A group that could do nothing more than others does not matter.
    let group_matters = mode & 0o070 & !((mode & 0o007) << 3) != 0;
    let wrong_group = gid != rule.gid && gid != 0 && group_matters;
    if uid != rule.uid || wrong_group || mode & 0o777 & !rule.mode != 0 {
        report.add(finding, "", [text::guard(path, mode, uid, gid, rule.mode)]);
    }
}
