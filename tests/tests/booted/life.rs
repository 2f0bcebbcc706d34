//! The life of the package: installing asks nobody, an upgrade is not noticed, removal leaves a way in.

use crate::{CODE, PASSWORD, PATIENCE, enroll, host, protected, require_boot, ssh, ssh_command, switch_on};

#[test]
fn installing_asks_nobody_and_starts_the_daemon() {
    require_boot!();
    let host = host();
    host.ok("systemctl is-active countersignd && systemctl is-enabled countersignd");
    host.ok("countersignctl status");
    let asking = host.run("grep -rl pam_countersign /etc/pam.d").stdout;
    assert!(asking.is_empty(), "no stack has our line: {}", String::from_utf8_lossy(&asking));
    let (status, shown) = ssh(&host, "alice", &[], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && !shown.contains(CODE), "{shown}");
    let modes = host.ok("stat -c '%U:%G %a' /etc/countersign/key /var/lib/countersign");
    assert_eq!(modes.lines().collect::<Vec<_>>(), ["root:countersign 640", "countersign:countersign 700"]);
    eprintln!("booted in {:?}", host.boot_time);
}

#[test]
fn an_upgrade_in_the_middle_of_a_login_is_not_noticed() {
    require_boot!();
    let (host, alice) = protected();
    let mut pty = host.terminal(&ssh_command(&host, "alice", &[], "echo in-as-$USER"));
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    let before = host.ok("systemctl show -p MainPID --value countersignd");
    host.ok("apt-get -qq install -y --reinstall --no-install-recommends /root/countersign.deb");
    assert_ne!(before, host.ok("systemctl show -p MainPID --value countersignd"), "it was restarted");
    pty.send_line(&alice.fresh_code());
    let status = pty.wait(PATIENCE);
    assert!(status.success() && pty.transcript().contains("in-as-alice"), "{}", pty.transcript());
}

#[test]
fn avl_08_removal_takes_the_lines_out_before_the_module_and_people_are_found_again() {
    require_boot!();
    let (host, alice) = protected();
    // Lines that an administrator wrote by hand, too.
    host.ok("sed -i '/^@include common-auth/a auth required pam_countersign.so after_first_factor' /etc/pam.d/login");
    // What `enable` writes for sshd goes, too; what somebody else wrote stays.
    let drop_in = "/etc/ssh/sshd_config.d/00-countersign.conf";
    host.put(drop_in, b"# Written by countersignctl enable; countersignctl disable sshd takes it away.\n");
    let said = host.ok("apt-get -qq remove -y countersign");
    assert!(said.contains("lines out of /etc/pam.d/login"), "{said}");
    host.ok(&format!("test ! -e {drop_in} && test -e /etc/ssh/sshd_config.d/50-countersign.conf"));
    let left = host.run("grep -rl pam_countersign /etc/pam.d").stdout;
    assert!(left.is_empty(), "{}", String::from_utf8_lossy(&left));
    let (status, shown) = ssh(&host, "alice", &[], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && !shown.contains(CODE), "{shown}");

    host.install();
    switch_on(&host);
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "echo in-as-$USER");
    assert!(status.success() && shown.contains(CODE), "the factor is known again: {shown}");

    host.put("/etc/countersign/mailbox.d/ops", b"secret\n");
    let said = host.ok("apt-get -qq purge -y countersign");
    assert!(
        said.contains("left in place, with files that are not the package's: /etc/countersign/mailbox.d"),
        "{said}"
    );
    host.ok("cd /etc/countersign && test \"$(find . -type f)\" = ./mailbox.d/ops");
    for gone in ["/var/lib/countersign", "/etc/countersign/key"] {
        assert!(said.contains(&format!("deleted {gone}")), "{said}");
        host.ok(&format!("test ! -e {gone}"));
    }
    host.install();
    assert!(host.ok("countersignctl status").contains("enrolled       0"), "a new beginning");
    enroll(&host, "alice");
}
