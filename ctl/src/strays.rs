//! Logins that logind has no session for, such as those of an sshd whose stack lacks pam_systemd.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use countersign_protocol::manager::Stray;
use nix::unistd::{Uid, User};

/// Programs that let people in, by the name that the kernel shows, and their PAM service.
const DOORS: [(&str, &str); 4] =
    [("sshd", "sshd"), ("sshd-session", "sshd"), ("dropbear", "dropbear"), ("login", "login")];
/// Steps from a shell up to its door at most.
const GENERATIONS: usize = 10;
/// More than these are not told; a host with so many has none in logind.
const MOST: usize = 200;
/// Ticks a second in what the kernel tells programs, on every machine that systemd runs on.
const TICKS: i64 = 100;

/// One process.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Process {
    name: String,
    parent: u32,
    uid: u32,
    /// The terminal that it leads a session on; `None` for processes that lead none.
    leads: Option<String>,
    /// In a session of logind, or started by a user manager of one.
    known: bool,
    since: i64,
}

/// Everybody who came in through a door of this host and is in no session of logind.
pub(crate) fn find() -> Vec<Stray> {
    let booted = fs::read_to_string("/proc/stat").ok().and_then(|text| booted(&text)).unwrap_or_default();
    let mut processes = HashMap::new();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && let Some(process) = read(&entry.path(), booted)
        {
            processes.insert(pid, process);
        }
    }
    let mut strays = Vec::new();
    for (pid, service) in strays_of(&processes).into_iter().take(MOST) {
        let process = &processes[&pid];
        // A uid without a name is under no policy that names people.
        let Ok(Some(user)) = User::from_uid(Uid::from_raw(process.uid)) else { continue };
        strays.push(Stray {
            user: user.name,
            uid: process.uid,
            service: service.to_owned(),
            tty: process.leads.clone().unwrap_or_default(),
            pid,
            since: process.since,
        });
    }
    strays
}

/// One process for each login: the door's own, where it runs as the person, else what leads a
/// terminal behind a door.
fn strays_of(processes: &HashMap<u32, Process>) -> Vec<(u32, &'static str)> {
    let door = |process: &Process| DOORS.iter().find(|(name, _)| *name == process.name).map(|door| door.1);
    let mut found = Vec::new();
    for (pid, process) in processes {
        if process.known {
            continue;
        }
        if let Some(service) = door(process) {
            // As root it waits for somebody, or watches over somebody.
            if process.uid != 0 {
                found.push((*pid, service));
            }
        } else if process.leads.is_some() {
            let mut above = processes.get(&process.parent);
            let mut entered = None;
            for _ in 0..GENERATIONS {
                let Some(parent) = above else { break };
                if let Some(service) = door(parent) {
                    // One that runs as somebody else than root has been found itself.
                    entered = (parent.uid == 0).then_some(service);
                    break;
                }
                above = processes.get(&parent.parent);
            }
            found.extend(entered.map(|service| (*pid, service)));
        }
    }
    found.sort_unstable();
    found
}

fn read(folder: &Path, booted: i64) -> Option<Process> {
    let stat = fs::read_to_string(folder.join("stat")).ok()?;
    let status = fs::read_to_string(folder.join("status")).ok()?;
    let cgroup = fs::read_to_string(folder.join("cgroup")).ok()?;
    // The name stands in brackets and may hold anything (proc_pid_stat(5)).
    let name = stat.get(stat.find('(')? + 1..stat.rfind(')')?)?.to_owned();
    let fields: Vec<&str> = stat.get(stat.rfind(')')? + 1..)?.split_whitespace().collect();
    let number = |index: usize| fields.get(index).and_then(|field| field.parse::<i64>().ok());
    let pid = stat.split(' ').next()?.parse::<i64>().ok()?;
    // Fields 4, 6, 7 and 22 of the page, counted from the state, which is the third.
    let (parent, session, terminal, started) = (number(1)?, number(3)?, number(4)?, number(19)?);
    let uid = status.lines().find_map(|line| line.strip_prefix("Uid:"))?.split_whitespace().next()?;
    Some(Process {
        name,
        parent: u32::try_from(parent).ok()?,
        uid: uid.parse().ok()?,
        leads: (session == pid && terminal != 0).then(|| terminal_name(terminal)),
        known: cgroup.lines().any(is_of_logind),
        since: booted + started / TICKS,
    })
}

fn booted(stat: &str) -> Option<i64> {
    stat.lines().find_map(|line| line.strip_prefix("btime "))?.trim().parse().ok()
}

fn is_of_logind(cgroup: &str) -> bool {
    cgroup.split('/').any(|part| {
        (part.starts_with("session-") && part.ends_with(".scope"))
            || (part.starts_with("user@") && part.ends_with(".service"))
    })
}

/// Of the device numbers that the kernel gives pseudo-terminals and virtual consoles.
fn terminal_name(device: i64) -> String {
    let major = device >> 8 & 0xfff;
    let minor = device & 0xff | device >> 12 & 0xfff00;
    match major {
        136..=143 => format!("pts/{}", (major - 136) * 256 + minor),
        4 if minor < 64 => format!("tty{minor}"),
        4 => format!("ttyS{}", minor - 64),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(name: &str, parent: u32, uid: u32, leads: Option<&str>) -> Process {
        let leads = leads.map(str::to_owned);
        Process { name: name.into(), parent, uid, leads, known: false, since: 0 }
    }

    #[test]
    fn each_login_behind_a_door_is_found_once() {
        let processes = HashMap::from([
            (1, process("init", 0, 0, None)),
            (10, process("sshd", 1, 0, None)),
            // Privilege separation: root watches, a child runs as the person.
            (20, process("sshd-session", 10, 0, None)),
            (21, process("sshd-session", 20, 1000, None)),
            (22, process("bash", 21, 1000, Some("pts/0"))),
            (30, Process { known: true, ..process("sshd-session", 10, 1001, None) }),
            // Somebody at the console, and somebody who becomes another user there.
            (40, process("login", 1, 0, Some("tty1"))),
            (41, process("bash", 40, 1002, Some("tty1"))),
            (42, process("su", 41, 0, None)),
            // A terminal that no door leads to.
            (50, process("agetty", 1, 0, Some("tty2"))),
            (51, process("tmux", 1, 1000, Some("pts/5"))),
        ]);
        assert_eq!(strays_of(&processes), [(21, "sshd"), (41, "login")]);
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let processes =
            HashMap::from([(1, process("a", 2, 5, Some("pts/1"))), (2, process("b", 1, 5, None))]);
        assert_eq!(strays_of(&processes), []);
    }

    #[test]
    fn this_very_process_can_be_read() {
        let process = read(Path::new("/proc/self"), 0).expect("our own");
        assert_eq!(process.uid, Uid::current().as_raw());
        assert!(process.since > 0);
    }

    #[test]
    fn cgroups_and_terminals_have_their_names() {
        for (cgroup, known) in [
            ("0::/user.slice/user-1000.slice/session-3.scope", true),
            ("0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope", true),
            ("1:name=systemd:/user.slice/user-0.slice/session-c1.scope", true),
            ("0::/system.slice/ssh.service", false),
            ("0::/", false),
        ] {
            assert_eq!(is_of_logind(cgroup), known, "{cgroup}");
        }
        assert_eq!(terminal_name(136 << 8 | 7), "pts/7");
        assert_eq!(terminal_name(4 << 8 | 1), "tty1");
        assert_eq!(terminal_name(4 << 8 | 64), "ttyS0");
        assert_eq!(terminal_name(5 << 8), "");
    }
}
