//! Logins at odd moments: before the daemon is up, with a log that is full, at a service that nobody thought of,
//! with a password that has to be changed.

use crate::enable::{AT_LOGIN, listening, try_at};
use crate::{CODE, PASSWORD, PATIENCE, policy, protected, require_boot, ssh, ssh_command};
use countersign_tests::{Booted, Secret};
use std::time::Instant;

/// Fills what the journal listens at; it must not read meanwhile.
const FILL: &str = r#"
use Socket; use Fcntl;
for my $path ("/run/systemd/journal/dev-log", "/run/systemd/journal/socket") {
    my ($sent, @kept) = (0);
    while (1) {
        socket(my $s, PF_UNIX, SOCK_DGRAM, 0) or die $!;
        fcntl($s, F_SETFL, O_NONBLOCK);
        my $before = $sent;
        $sent++ while send($s, "<85>noise", 0, pack_sockaddr_un($path));
        push @kept, $s;
        last if $sent == $before;
    }
    print "$path: full after $sent lines: $!\n";
}
"#;
const NEW_PASSWORD: &str = "wombat-41 Trumpet";

/// A daemon that takes so many seconds to start.
fn slow(host: &Booted, seconds: u32) {
    host.put(
        "/etc/systemd/system/countersignd.service.d/slow.conf",
        format!("[Service]\nExecStartPre=+/bin/sleep {seconds}\n").as_bytes(),
    );
    host.ok("systemctl daemon-reload && systemctl stop countersignd");
}

#[test]
fn avl_02_avl_13_byp_20_logins_at_odd_moments() {
    require_boot!();
    let (host, alice) = protected();
    before_the_daemon_is_up(&host, &alice);
    with_a_full_log(&host, &alice);
    at_a_service_that_nobody_thought_of(&host, &alice);
    with_an_expired_password(&host, &alice);
}

/// AVL-02: as early in a boot.
fn before_the_daemon_is_up(host: &Booted, alice: &Secret) {
    host.record.say("a login before countersignd is up waits for it a little");
    slow(host, 2);
    let (status, shown) = ssh(host, "alice", &[&alice.fresh_code()], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && shown.contains(CODE), "{shown}");
    slow(host, 25);
    let begun = Instant::now();
    let (status, shown) = ssh(host, "alice", &[&alice.recovery[9]], "echo in-as-$USER");
    assert!(!status.success() && !shown.contains("in-as-alice"), "{shown}");
    assert!(begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    host.ok("rm -r /etc/systemd/system/countersignd.service.d && systemctl daemon-reload && systemctl restart countersignd");
}

/// AVL-13: sshd itself waits for its log, by syslog(3); neither module nor daemon does.
fn with_a_full_log(host: &Booted, alice: &Secret) {
    host.put("/root/fill.pl", FILL.as_bytes());
    let mut pty = host.terminal(&ssh_command(host, "alice", &[], "echo in-as-$USER"));
    for (prompt, answer) in [("assword: ", PASSWORD), (CODE, alice.recovery[0].as_str())] {
        pty.expect(prompt);
        pty.send_line(answer);
    }
    pty.expect(countersign_tests::enrolling::OFFER);
    host.ok("systemctl kill --signal=STOP systemd-journald && perl /root/fill.pl");
    let begun = Instant::now();
    pty.send_line("no");
    host.wait_for("countersignctl log alice --json | head -n 1 | grep -q '\"state\":\"verified\"'");
    assert!(
        begun.elapsed().as_secs() < 5,
        "the module and the daemon waited for a log: {:?}",
        begun.elapsed()
    );
    host.ok("timeout 5 countersignctl status alice");
    host.ok("systemctl kill --signal=CONT systemd-journald");
    pty.expect("in-as-alice");
}

/// BYP-20: no policy names it and no file in /etc/pam.d, so that `other` is its stack.
fn at_a_service_that_nobody_thought_of(host: &Booted, alice: &Secret) {
    host.ok("mv /etc/pam.d/chsh /root/chsh");
    let chsh = ["runuser", "-u", "alice", "--", "chsh", "-s", "/bin/sh"];
    let (changed, shown) = try_at(host, &chsh, &[PASSWORD, &alice.wrong_code(1)]);
    assert!(!changed && shown.contains(CODE), "{shown}");
    host.ok("getent passwd alice | grep -q :/bin/bash");
    let (changed, shown) = try_at(host, &chsh, &[PASSWORD, &alice.recovery[1], "no"]);
    assert!(changed && shown.contains(CODE), "{shown}");
    host.ok("getent passwd alice | grep -q :/bin/sh && usermod -s /bin/bash alice && mv /root/chsh /etc/pam.d/chsh");
    let log = host.ok("countersignctl log alice --json --service chsh");
    assert!(log.contains("\"state\":\"verified\""), "{log}");
}

/// An account phase that wants another password is no way past the code, and the code is none past that.
fn with_an_expired_password(host: &Booted, alice: &Secret) {
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && install -d -o alice -m 700 ~alice/.ssh && install -o alice -m 600 /root/.ssh/id_ed25519.pub ~alice/.ssh/authorized_keys");
    for (stacks, code) in [("pam-auth-update", &alice.recovery[2]), ("enable", &alice.recovery[3])] {
        host.record.say(&format!("alice must change her password, lines by {stacks}"));
        if stacks == "enable" {
            host.ok(
                "rm -f /etc/ssh/sshd_config.d/50-countersign.conf && pam-auth-update --disable countersign",
            );
            policy(host, AT_LOGIN);
            host.ok("countersignctl enable sshd --rollback-after 1h");
        }
        listening(host);
        host.ok(&format!("echo 'alice:{PASSWORD}' | chpasswd && chage -d 0 alice"));
        let mut pty = host.terminal(&ssh_command(host, "alice", &[], "echo in-as-$USER"));
        for (prompt, answer) in [
            ("assword: ", PASSWORD),
            (CODE, code.as_str()),
            (countersign_tests::enrolling::OFFER, "no"),
            ("urrent password: ", PASSWORD),
            ("ew password: ", NEW_PASSWORD),
            ("ew password: ", NEW_PASSWORD),
        ] {
            pty.expect(prompt);
            pty.send_line(answer);
        }
        assert!(
            pty.wait(PATIENCE).success() && pty.transcript().contains("in-as-alice"),
            "{}",
            pty.transcript()
        );
        let newest = host.ok("countersignctl log alice --json | head -n 1");
        assert!(newest.contains("\"confirmed\":true"), "{newest}");

        // A key alone is refused by the account phase, whatever else it wants.
        host.ok("chage -d 0 alice && mkdir -p /root/aside && mv /etc/ssh/sshd_config.d/*countersign*.conf /root/aside/ && systemctl reload ssh");
        listening(host);
        let key = ["ssh", "-tt", "-o", "StrictHostKeyChecking=no", "alice@127.0.0.1", "echo in-as-$USER"];
        let (entered, shown) = try_at(host, &key, &[]);
        assert!(!entered && !shown.contains("in-as-alice") && !shown.contains("urrent password"), "{shown}");
        host.ok("mv /root/aside/*.conf /etc/ssh/sshd_config.d/ && systemctl reload ssh");
    }
}
