//! Hosts made of a folder and a script: what a test machine cannot be made to have.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use countersign_protocol::fact;
use countersign_protocol::manager::Fact;

use super::finding::{Found, Report};
use super::look;
use super::system::{Said, System};
use crate::progress::Progress;

/// A folder that looks like a host, gone with the test.
struct Host(PathBuf);

impl Host {
    /// A host on which sshd asks for codes by the book.
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let dir = std::env::temp_dir().join(format!("countersign-doctor-{}-{number}", std::process::id()));
        let host = Self(dir);
        let ours = "pam_countersign.so";
        let stack = format!(
            "auth requisite pam_unix.so\nauth required {ours} after_first_factor\n\
             account required pam_unix.so\naccount required {ours}\n"
        );
        host.put("etc/pam.d/sshd", &stack);
        host.put("etc/pam.d/other", "auth required pam_deny.so\n");
        host.put("proc/swaps", "Filename Type Size Used Priority\n");
        host
    }

    fn put(&self, path: &str, text: &str) -> &Self {
        let path = self.0.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("our own folder");
        fs::write(path, text).expect("our own folder");
        self
    }

    /// The ids of what is found, with programs that say this.
    fn look(&self, programs: &'static [(&str, &str)], facts: &[(&str, &str, &str)]) -> Vec<Found> {
        let said = move |words: &[&str]| -> Option<Said> {
            let line = words.join(" ");
            let (_, out) = programs.iter().find(|(begin, _)| line.starts_with(begin))?;
            Some(Said { success: true, out: (*out).to_owned(), err: String::new() })
        };
        let system = System::scripted(Path::new(&self.0), said);
        let fact = |(kind, subject, value): &(&str, &str, &str)| Fact {
            kind: (*kind).to_owned(),
            subject: (*subject).to_owned(),
            value: (*value).to_owned(),
        };
        let facts: Vec<Fact> = facts.iter().map(fact).collect();
        let mut report = Report::default();
        look(&system, Some(&facts), &mut report, &Progress::of(""));
        report.sorted()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn ids(found: &[Found]) -> BTreeSet<&'static str> {
    found.iter().map(|found| found.finding.id).collect()
}

/// What is new beside what a bare folder lacks.
fn new(found: &[Found]) -> Vec<&'static str> {
    let bare = Host::new();
    let bare = bare.look(&[], &[(fact::ENFORCED, "all", "")]);
    ids(found).difference(&ids(&bare)).copied().collect()
}

const ALL: (&str, &str, &str) = (fact::ENFORCED, "all", "");

#[test]
fn adm_12_clocks_and_denials_and_swap() {
    let host = Host::new();
    let unsynchronised: &[_] = &[("timedatectl", "no\n")];
    assert_eq!(new(&host.look(unsynchronised, &[ALL])), ["clock-unsynchronised"]);
    assert_eq!(new(&host.look(&[("timedatectl", "yes\n")], &[ALL])), [""; 0]);
    let denied = "audit: type=1400 apparmor=\"DENIED\" operation=\"open\" profile=\"countersignd\"\n";
    let apparmor: &'static [_] = Vec::leak(vec![("journalctl", &*denied.to_owned().leak())]);
    assert_eq!(new(&host.look(apparmor, &[ALL])), ["apparmor-denial"]);
    // A container has its host's clock.
    host.put("run/systemd/container", "lxc\n");
    assert_eq!(new(&host.look(unsynchronised, &[ALL])), [""; 0]);
    let avc =
        "type=AVC msg=audit(1:2): avc:  denied  { read } for comm=\"countersignd\"\ntype=AVC denied other\n";
    host.put("var/log/audit/audit.log", avc);
    host.put("proc/swaps", "Filename Type\n/dev/sda2 partition\n/dev/zram0 partition\n/dev/dm-1 partition\n");
    let found = host.look(&[], &[ALL]);
    assert_eq!(new(&found), ["selinux-denial", "swap-plain"]);
    let swap = found.iter().find(|found| found.finding.id == "swap-plain").expect("found");
    assert_eq!(swap.evidence, ["/dev/sda2"]);
}

/// The newest denials count, however long the log is, and those of the log before where it is short.
#[test]
fn adm_12_the_end_of_the_audit_log_is_looked_at() {
    const AUDIT: &str = "var/log/audit/audit.log";
    let denied = "type=AVC msg=audit(1:2): avc:  denied  { read } for comm=\"countersignd\"\n";
    let other = "type=SYSCALL msg=audit(1:2): x\n".repeat(5 << 15);
    assert!(other.len() > 4 << 20);
    let host = Host::new();
    host.put(AUDIT, &(other.clone() + denied));
    assert_eq!(new(&host.look(&[], &[ALL])), ["selinux-denial"]);
    host.put(AUDIT, &(denied.to_owned() + &other));
    assert_eq!(new(&host.look(&[], &[ALL])), [""; 0], "long ago");
    host.put(AUDIT, "rotated\n").put("var/log/audit/audit.log.1", &(other.clone() + denied));
    assert_eq!(new(&host.look(&[], &[ALL])), ["selinux-denial"]);
    host.put(AUDIT, &other);
    assert_eq!(new(&host.look(&[], &[ALL])), [""; 0], "long ago");
}

/// What cannot be known is said to be unknown, and is not passed over as if it were fine.
#[test]
fn adm_12_what_was_not_looked_at_is_said() {
    let not_looked_at = |found: Vec<Found>| -> Vec<(String, Vec<String>)> {
        let of = found.into_iter().filter(|found| found.finding.id == "not-looked-at");
        of.map(|found| (found.subject, found.evidence)).collect()
    };
    let one = |subject: &str, why: &str| (subject.to_owned(), vec![why.to_owned()]);
    let host = Host::new();
    let yes: &[_] = &[("timedatectl", "yes\n")];
    assert_eq!(not_looked_at(host.look(yes, &[ALL])), []);
    let clock = "whether the clock is synchronised";
    let absent = one(clock, "timedatectl is not there, or does not answer");
    assert_eq!(not_looked_at(host.look(&[], &[ALL])), [absent]);
    let odd = one(clock, "timedatectl: NTPSynchronized=maybe");
    assert_eq!(not_looked_at(host.look(&[("timedatectl", "maybe\n")], &[ALL])), [odd]);
    host.put("var/lib", "no folder");
    let found = not_looked_at(host.look(yes, &[ALL, (fact::NOT_LOOKED_AT, "the groups", "no answer")]));
    let room = "/var/lib/countersign: Not a directory (os error 20)";
    assert_eq!(found, [one("the groups", "no answer"), one("the room for the state", room)]);
}

#[test]
fn adm_12_what_the_daemon_says_is_judged() {
    let host = Host::new();
    for (fact, id) in [
        ((fact::VERSION, "", "0.0.1"), Some("versions")),
        ((fact::VERSION, "", env!("CARGO_PKG_VERSION")), None),
        ((fact::NOT_IN_FORCE, "", "f.toml:1: x"), Some("not-in-force")),
        ((fact::ENFORCED, "ops", "sshd,sudo"), Some("policy-no-service")),
        ((fact::ENFORCED, "ops", "sshd,other"), Some("policy-service")),
        ((fact::ENFORCED, "ops", "sshd"), None),
        ((fact::MAIL_ONLY, "ops", ""), Some("mail-only")),
        ((fact::CONFIG_WARNING, "", "f.toml:3: odd"), Some("config-warning")),
        ((fact::NO_GROUP, "", "f.toml:3: gone"), Some("group-unresolved")),
        ((fact::LOCKED, "alice", ""), Some("locked")),
        ((fact::SKEW, "4", "-30"), Some("clock-skew")),
        ((fact::CLOCK_BEHIND, "", "90000"), Some("clock-behind")),
        ((fact::BACKUP, "", "0"), Some("backup-old")),
        ((fact::DAMAGE, "", "row 3 missing"), Some("database-damaged")),
        ((fact::LOG_BROKEN, "", "login 3 changed: the row is not what was written"), Some("log-broken")),
        (("of-a-newer-daemon", "", ""), None),
    ] {
        let found = host.look(&[], &[ALL, fact]);
        assert_eq!(new(&found), Vec::from_iter(id), "{fact:?}");
    }
    assert_eq!(new(&host.look(&[], &[])), ["nothing-enforced"]);
}

#[test]
fn adm_12_what_is_cut_off_must_be_the_code() {
    let host = Host::new();
    let stack = |word: &str| {
        host.put(
            "etc/pam.d/sshd",
            &format!(
                "auth required pam_countersign.so prompt=[Password and code: ] {word}\n\
                 auth required pam_unix.so use_first_pass\n\
                 account required pam_unix.so\naccount required pam_countersign.so\n"
            ),
        );
        host.look(&[], &[ALL])
    };
    let policy = "[[policy]]\nname = \"all\"\n";
    host.put("etc/countersign/countersign.toml", &format!("{policy}[totp]\ndigits = 8\n"));
    let found = stack("forward_pass");
    assert_eq!(new(&found), ["stack-digits"]);
    let found = found.iter().find(|found| found.finding.id == "stack-digits").expect("found");
    assert!(found.evidence[0].ends_with("sshd:1 forward_pass, and [totp] digits = 8"), "{found:?}");
    assert_eq!(new(&stack("forward_pass=8")), [""; 0]);
    assert_eq!(new(&stack("forward_pass=7")), ["stack-option"]);
    host.put("etc/countersign/countersign.toml", policy);
    assert_eq!(new(&stack("forward_pass=8")), ["stack-digits"]);
    assert_eq!(new(&stack("forward_pass")), [""; 0]);
}

/// Names and values from outside reach no terminal as they are.
#[test]
fn what_shows_it_is_data() {
    let host = Host::new();
    let found =
        host.look(&[], &[(fact::NOT_IN_FORCE, "", "\u{1b}]0;x\u{7}"), (fact::LOCKED, "a\u{202e}b", "")]);
    let shown =
        super::show::lines(&found, crate::terminal::Screen { width: Some(80), utf8: true }).join("\n");
    assert!(!shown.contains(['\u{1b}', '\u{7}', '\u{202e}']), "{shown}");
}
