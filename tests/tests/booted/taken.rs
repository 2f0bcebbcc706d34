//! What logins need is taken away while the system runs: the bus, the journal, the disk, the state.

use crate::{CODE, PASSWORD, PATIENCE, protected, require_boot, ssh, ssh_command};
use countersign_tests::{Booted, Pty};
use std::time::Instant;

/// An ssh login of alice that waits at the prompt for a code.
fn at_the_prompt(host: &Booted) -> Pty {
    let mut pty = host.terminal(&ssh_command(host, "alice", &[], "echo in-as-$USER"));
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    pty
}

#[test]
fn avl_02_a_bus_that_is_restarted_in_the_middle_of_a_login() {
    require_boot!();
    let (mut host, alice) = protected();
    for (bus, code) in [("dbus", alice.fresh_code()), ("dbus-broker", alice.recovery[0].clone())] {
        if bus == "dbus-broker" {
            host.ok("systemctl enable --force dbus-broker.service");
            host.reboot();
            host.ok("systemctl is-active dbus-broker && countersignctl status");
        }
        let mut pty = at_the_prompt(&host);
        host.ok(&format!("systemctl restart {bus}"));
        let begun = Instant::now();
        pty.send_line(&code);
        if code.contains('-') && pty.expect_or_end(countersign_tests::enrolling::OFFER, PATIENCE) {
            pty.send_line("no");
        }
        let status = pty.wait(PATIENCE);
        // The login's state is in the database, and the new daemon is proven anew.
        assert!(status.success() && pty.transcript().contains("in-as-alice"), "{bus}: {}", pty.transcript());
        assert!(begun.elapsed().as_secs() < 15, "{bus}: {:?}", begun.elapsed());
    }
    // Stopped for good: refused in time, and found again.
    let mut pty = at_the_prompt(&host);
    host.ok("systemctl stop dbus.socket dbus-broker");
    let begun = Instant::now();
    pty.send_line(&alice.recovery[1]);
    assert!(!pty.wait(PATIENCE).success() && begun.elapsed().as_secs() < 15, "{:?}", begun.elapsed());
    assert!(!pty.transcript().contains("in-as-alice"), "{}", pty.transcript());
    host.ok("systemctl start dbus.socket dbus-broker");
    host.wait_for("countersignctl status");
    assert!(ssh(&host, "alice", &[&alice.recovery[2], "no"], "true").0.success());
}

/// No bus, no daemon, a root shell at the console: the documented way back.
#[test]
fn avl_02_in_rescue_mode_root_takes_the_lines_out() {
    require_boot!();
    let (host, alice) = protected();
    // Where a person would sit: sulogin has no console here.
    host.put(
        "/etc/systemd/system/rescue.service.d/shell.conf",
        b"[Service]\nType=exec\nStandardInput=null\nExecStartPre=\nExecStart=\nExecStart=/bin/sleep infinity\n",
    );
    host.ok("systemctl daemon-reload && systemctl isolate rescue.target");
    host.wait_for("systemctl is-active rescue.target && ! systemctl is-active ssh countersignd");
    let begun = Instant::now();
    host.ok("pam-auth-update --disable countersign");
    host.ok("! grep -r pam_countersign /etc/pam.d");
    host.ok("systemctl isolate --no-block default.target");
    host.wait_for("systemctl is-active ssh");
    host.record.say(&format!("a way in again after {:?}", begun.elapsed()));
    assert!(begun.elapsed().as_secs() < 60);
    let (status, shown) = ssh(&host, "alice", &[], "true");
    assert!(status.success() && !shown.contains(CODE), "{shown}");
    host.ok("pam-auth-update --enable countersign");
    assert!(ssh(&host, "alice", &[&alice.fresh_code()], "true").0.success());
}

#[test]
fn avl_13_without_a_journal_logins_go_on_and_are_in_the_database() {
    require_boot!();
    let (host, alice) = protected();
    // Frozen: whoever waits for it waits for ever.
    host.ok("systemctl kill --signal=STOP systemd-journald");
    let begun = Instant::now();
    let (status, shown) = ssh(&host, "alice", &[&alice.wrong_code(1), &alice.fresh_code()], "true");
    assert!(status.success() && begun.elapsed().as_secs() < 20, "{:?}: {shown}", begun.elapsed());
    host.ok("systemctl kill --signal=CONT systemd-journald");
    // Gone, with its sockets.
    host.ok("systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald-audit.socket systemd-journald.service; ! systemctl is-active systemd-journald");
    let begun = Instant::now();
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0], "no"], "true");
    assert!(status.success() && begun.elapsed().as_secs() < 20, "{:?}: {shown}", begun.elapsed());
    let log = host.ok("countersignctl log alice --json");
    assert_eq!(log.matches("\"state\":\"verified\"").count(), 2, "{log}");
    host.ok("systemctl start systemd-journald.socket systemd-journald-dev-log.socket systemd-journald");
    host.ok("systemctl is-active countersignd && systemctl restart countersignd && countersignctl status");
}

#[test]
fn a_full_disk_denies_whoever_is_asked_and_room_lets_them_in() {
    require_boot!();
    let (host, alice) = protected();
    host.ok("systemctl stop countersignd && cp -a /var/lib/countersign /root/state && mount -t tmpfs -o size=4M,mode=700,uid=countersign,gid=countersign tmpfs /var/lib/countersign && cp -a /root/state/. /var/lib/countersign/ && systemctl start countersignd");
    assert!(ssh(&host, "alice", &[&alice.fresh_code()], "true").0.success(), "while there is room");
    drop(host.run("cat /dev/zero >/var/lib/countersign/full; df /var/lib/countersign"));
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0]], "echo in-as-$USER");
    assert!(!status.success() && !shown.contains("in-as-alice"), "{shown}");
    let (status, shown) = ssh(&host, "carol", &[], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-carol"), "who is not asked needs no room: {shown}");
    host.ok("rm /var/lib/countersign/full");
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0], "no"], "true");
    assert!(status.success(), "the code was not used up: {shown}");
}

#[test]
fn a_state_directory_that_is_gone_denies_whoever_is_asked_until_it_is_back() {
    require_boot!();
    let (host, alice) = protected();
    host.ok("mv /var/lib/countersign /var/lib/away");
    assert!(!ssh(&host, "alice", &[&alice.recovery[0]], "true").0.success(), "gone while it runs");
    // systemd makes an empty folder in its place: nobody enrolled is not what that means.
    assert!(!host.run("systemctl restart countersignd").status.success(), "it does not start");
    let said = host.ok("journalctl -u countersignd -o cat -n 20 --no-pager");
    assert!(said.contains("/var/lib/countersign/instance"), "{said}");
    assert!(!ssh(&host, "alice", &[&alice.recovery[0]], "true").0.success(), "gone at the start");
    host.ok("systemctl stop countersignd && rmdir /var/lib/countersign && mv /var/lib/away /var/lib/countersign && systemctl start countersignd");
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0], "no"], "true");
    assert!(status.success(), "everybody is known again: {shown}");
}
