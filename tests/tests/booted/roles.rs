//! polkit as the distribution ships it, on a booted Debian: our actions, the example rules, and a session that
//! pretends to sit at the console.

use crate::{PASSWORD, PATIENCE, host, require_boot, ssh_command};
use countersign_tests::Booted;
use std::collections::BTreeMap;

/// What polkit says of an action, field by field.
fn actions(host: &Booted) -> BTreeMap<String, BTreeMap<String, String>> {
    let said = host
        .ok("for a in $(pkaction | grep '^org.countersign1\\.'); do pkaction --verbose --action-id $a; done");
    let mut actions: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut action = String::new();
    for line in said.lines() {
        if let Some(name) = line.strip_suffix(':').filter(|name| name.starts_with("org.countersign1.")) {
            name.clone_into(&mut action);
        } else if let Some((field, value)) = line.split_once(':') {
            let fields = actions.entry(action.clone()).or_default();
            fields.insert(field.trim().to_owned(), value.trim().to_owned());
        }
    }
    actions
}

#[test]
fn adm_08_the_installed_polkit_asks_an_administrator_each_time() {
    require_boot!();
    let host = host();
    let actions = actions(&host);
    assert_eq!(actions.len(), 9, "{actions:#?}");
    for (name, fields) in &actions {
        let expected = if name.ends_with(".enroll-self") { "auth_self" } else { "auth_admin" };
        for implicit in ["implicit any", "implicit inactive", "implicit active"] {
            assert_eq!(fields[implicit], expected, "{name}: {fields:#?}");
        }
        assert!(fields.values().all(|value| !value.contains("_keep")), "{name}: {fields:#?}");
        let owner = fields.values().any(|value| value.contains("unix-user:countersign"));
        assert!(owner, "{name} has no owner: {fields:#?}");
    }
    helpdesk(&host);
}

/// The example as the package brings it, copied as it says: what carol may, by the exit codes of what she types.
fn helpdesk(host: &Booted) {
    host.ok("groupadd helpdesk && usermod -a -G helpdesk carol && useradd -m bob");
    host.ok("cp /usr/share/doc/countersign/examples/50-countersign-helpdesk.rules /etc/polkit-1/rules.d/");
    host.ok("systemctl restart polkit");
    let carol = |words: &str| -> Option<i32> {
        host.run(&format!("setsid -w runuser -u carol -- countersignctl {words} </dev/null")).status.code()
    };
    for (words, code) in [
        ("reset bob --reason lost --yes", 0),
        ("unlock bob --reason 'called in'", 0),
        // alice is in the group sudo.
        ("reset alice --reason lost --yes", 4),
        ("unlock alice --reason 'called in'", 4),
        ("reset carol --reason lost --yes", 4),
        ("unlock carol --reason 'called in'", 4),
        ("reset root --reason lost --yes", 4),
        ("status bob", 4),
        ("users", 4),
        ("log bob", 4),
        ("log acts", 4),
        ("exempt bob --until 2099-01-01 --reason x --yes", 4),
        ("require bob --reason x", 4),
        ("invite bob", 4),
        ("approve", 4),
        ("recovery-codes bob --reason x", 4),
        ("policy apply --dry-run", 4),
        ("policy explain bob", 4),
    ] {
        let ended = carol(words);
        // Dates and flags apart, the daemon's no comes first.
        assert!(ended == Some(code) || (code == 4 && ended == Some(2)), "{words}: {ended:?}, not {code}");
    }
    let bob = host.run("setsid -w runuser -u bob -- countersignctl unlock carol --reason x </dev/null");
    assert_eq!(bob.status.code(), Some(4), "bob is not of the helpdesk");
}

/// alice, who is in the group sudo, by ssh, with what SUSE's pam_env let her set: a seat.
#[test]
fn prv_06_a_session_of_ssh_that_claims_a_seat_is_asked_all_the_same() {
    require_boot!();
    let host = host();
    host.ok("sed -i '1i auth required pam_env.so user_readenv=1' /etc/pam.d/sshd && sed -i '0,/^session/s//session required pam_env.so user_readenv=1\\n&/' /etc/pam.d/sshd");
    host.put("/home/alice/.pam_environment", b"XDG_SEAT=seat0\n");
    host.ok("chown alice: /home/alice/.pam_environment");
    let look = "loginctl show-session \"$XDG_SESSION_ID\" -p Active -p Seat -p Remote; \
        pkcheck --action-id org.freedesktop.login1.reboot --process $$; echo reboot=$?; \
        for a in reset-user unlock-user configure exempt-user manage-users view-log; do \
        pkcheck --action-id org.countersign1.$a --process $$ >/dev/null 2>&1; echo $a=$?; done; \
        countersignctl reset carol --reason mine --yes </dev/null; echo ctl=$?";
    let mut pty = host.terminal(&ssh_command(&host, "alice", &["-T"], look));
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    let _ = pty.wait(PATIENCE);
    let shown = pty.transcript();
    // The control: it works as that vulnerability did, for an action that active sessions may.
    assert!(shown.contains("Seat=seat0") && shown.contains("Active=yes"), "{shown}");
    assert!(shown.contains("reboot=0"), "{shown}");
    for action in ["reset-user", "unlock-user", "configure", "exempt-user", "manage-users", "view-log"] {
        assert!(!shown.contains(&format!("{action}=0")) && shown.contains(&format!("{action}=")), "{shown}");
    }
    assert!(shown.contains("ctl=4"), "{shown}");
}
