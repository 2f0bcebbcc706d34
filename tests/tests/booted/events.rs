//! The events of logins in a real journal, from inside the unit's sandbox.

use crate::{PASSWORD, protected, require_boot, ssh};
use countersign_tests::{Booted, Secret};

const VERIFIED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a01";
const DENIED: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a02";
const ACT: &str = "7d0a3f4e5b8c4c0f9b1a2e6d8c3f5a11";

/// What each line of `journalctl -o json` says.
fn events(host: &Booted, matches: &str) -> Vec<serde_json::Value> {
    let lines = host.ok(&format!("journalctl -q -o json _SYSTEMD_UNIT=countersignd.service {matches}"));
    lines.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// DIS-02: in what anybody wrote there, and in every field of ours.
fn no_secret_is_in_it(host: &Booted, alice: &Secret, typed: &[&str]) {
    let mut said = host.ok("journalctl -q -o cat --no-pager");
    for event in events(host, "") {
        let fields = event.as_object().expect("an object").iter();
        let ours = fields.filter(|(name, _)| name.starts_with("COUNTERSIGN_") || *name == "MESSAGE");
        said.extend(ours.map(|(_, value)| format!("{value}\n")));
    }
    assert!(said.contains("login denied"), "the control: {said}");
    let secrets = alice.recovery.iter().map(String::as_str).chain(typed.iter().copied());
    for secret in secrets.chain([alice.base32.as_str(), PASSWORD]) {
        assert!(!said.contains(secret), "{secret} is in the journal: {said}");
    }
}

#[test]
fn adm_09_logins_and_acts_are_in_the_journal_by_number_and_field() {
    require_boot!();
    let (host, alice) = protected();
    let code = alice.fresh_code();
    assert!(ssh(&host, "alice", &[&code], "true").0.success());
    let wrong = alice.wrong_code(1);
    let _ = ssh(&host, "alice", &[&wrong, &wrong, &wrong], "true");
    host.wait_for(&format!("journalctl -q MESSAGE_ID={DENIED} | grep -q denied"));
    let verified = events(&host, &format!("MESSAGE_ID={VERIFIED} COUNTERSIGN_USER=alice"));
    assert_eq!(verified.len(), 1, "{verified:#?}");
    let field = |name: &str| verified[0][name].as_str().unwrap_or_default();
    assert_eq!((field("COUNTERSIGN_SERVICE"), field("COUNTERSIGN_FACTOR")), ("sshd", "totp"));
    assert_eq!(field("SYSLOG_IDENTIFIER"), "countersignd");
    let denied = events(&host, &format!("MESSAGE_ID={DENIED} SYSLOG_FACILITY=10"));
    assert_eq!(denied.len(), 1, "{denied:#?}");
    let line = denied[0]["MESSAGE"].as_str().unwrap_or_default();
    assert!(line.starts_with("login denied from=") && line.contains("reason=\"wrong-code\""), "{line}");
    assert!(!events(&host, &format!("MESSAGE_ID={ACT} COUNTERSIGN_VERB=ConfirmEnrollment")).is_empty());
    let explained = host.ok(&format!("journalctl -q -x MESSAGE_ID={DENIED}"));
    assert!(explained.contains("countersignctl invite alice"), "the catalog was read: {explained}");
    no_secret_is_in_it(&host, &alice, &[&code, &wrong]);
    host.ok("test -e /etc/fail2ban/filter.d/countersign.conf");
    // What somebody does to the journal is not done to the log.
    host.ok("systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket systemd-journald || true");
    assert!(ssh(&host, "alice", &[&alice.fresh_code()], "true").0.success(), "AVL-13: without a journal");
    let rows = host.ok("countersignctl log alice --json --state verified");
    assert_eq!(rows.lines().count(), 2, "{rows}");
    host.ok("countersignctl log verify");
}
