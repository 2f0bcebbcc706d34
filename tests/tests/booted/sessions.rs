//! Ending open sessions through a real logind.

use crate::{PASSWORD, PATIENCE, POLICY, enroll, host, require_boot, ssh_command};

#[test]
fn a_policy_that_holds_at_once_ends_sessions_but_not_the_callers() {
    require_boot!();
    let host = host();
    let alice = enroll(&host, "alice");
    host.put("/etc/ssh/sshd_config.d/40-root.conf", b"Match User root\n  AuthenticationMethods publickey\n");
    host.ok("systemctl restart ssh");
    let open = |user: &str| {
        let mut pty = host.terminal(&ssh_command(&host, user, &[], "echo in; exec sleep 600"));
        pty.expect("assword: ");
        pty.send_line(PASSWORD);
        pty.expect("in");
        host.wait_for(&format!("loginctl list-sessions --no-legend | grep -q {user}"));
        pty
    };
    let (mut of_alice, _of_carol) = (open("alice"), open("carol"));
    // root, too, is asked from now on, and root it is who applies the policy, over ssh.
    let policy =
        POLICY.replace("groups = [\"staff\"]", "groups = [\"staff\", \"root\"]\napply = \"immediately\"");
    host.put("/etc/countersign/countersign.toml", policy.as_bytes());
    let dry = host.ok("countersignctl policy apply --dry-run");
    assert!(
        dry.contains("would be ended:  session ") && dry.contains(" of alice (sshd, from 127.0.0.1"),
        "{dry}"
    );
    assert!(!dry.contains("carol"), "{dry}");
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys");
    let applied = host.ok(
        "ssh -o BatchMode=yes -o StrictHostKeyChecking=no root@127.0.0.1 countersignctl policy apply --yes",
    );
    assert!(applied.contains("left open, you type in it:  session "), "{applied}");
    assert!(applied.contains("\nended:  session ") && applied.contains(" of alice (sshd"), "{applied}");
    let ended = of_alice.wait(PATIENCE);
    assert!(!ended.success(), "her connection broke");
    host.wait_for("! loginctl list-sessions --no-legend | grep -q alice");
    host.ok("loginctl list-sessions --no-legend | grep -q carol");

    // Who shows a code stays.
    host.ok("pam-auth-update --enable countersign");
    let mut passed = host.terminal(&ssh_command(&host, "alice", &[], "echo in; exec sleep 600"));
    passed.expect("assword: ");
    passed.send_line(PASSWORD);
    passed.expect(crate::CODE);
    passed.send_line(&alice.fresh_code());
    passed.expect("in");
    host.wait_for("loginctl list-sessions --no-legend | grep -q alice");
    let now = host.ok("countersignctl policy apply --now --yes");
    assert!(!now.contains("alice"), "{now}");
    host.ok("loginctl list-sessions --no-legend | grep -q alice");
}

/// The sandbox of the unit lets the daemon watch its files.
#[test]
fn a_watched_file_is_noticed_inside_the_sandbox() {
    require_boot!();
    let host = host();
    host.put("/etc/countersign/countersign.toml", format!("[reload]\nwatch = true\n{POLICY}").as_bytes());
    host.ok("countersignctl policy apply");
    host.wait_for("journalctl -u countersignd | grep -q 'policy files are watched'");
    let stricter = POLICY.replace("\"staff\"]", "\"staff\", \"root\"]");
    host.put("/etc/countersign/countersign.toml", format!("[reload]\nwatch = true\n{stricter}").as_bytes());
    host.wait_for("countersignctl policy explain root --json | grep -q '\"decision\":\"required\"'");
}
