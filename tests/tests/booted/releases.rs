//! The whole life of the package on each release: read target/booted/releases-*.txt from top to bottom.

use crate::enable::{AT_LOGIN, listening};
use crate::{CODE, PASSWORD, PATIENCE, answer, enroll, host_of, policy, ssh, ssh_command, switch_on};
use countersign_tests::enrolling::{Enrollee, FIRST_CODE, READ_BACK};
use countersign_tests::{Booted, require};
use std::time::{Duration, Instant};

const TRIXIE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/boot/trixie");
const NOBLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/boot/noble");

#[test]
fn byp_12_a_whole_life_on_debian_12() {
    crate::require_boot!();
    life(countersign_tests::booted::ROOT);
}

#[test]
fn byp_12_a_whole_life_on_debian_13() {
    require!(Root, Tool("systemd-nspawn"), Tool("nsenter"), File(TRIXIE));
    life(TRIXIE);
}

#[test]
fn byp_12_a_whole_life_on_ubuntu_24_04() {
    require!(Root, Tool("systemd-nspawn"), Tool("nsenter"), File(NOBLE));
    life(NOBLE);
}

/// From the first boot to the removal, as an administrator and two people see it.
fn life(root: &str) {
    let mut host = host_of(root);
    let (first_boot, installing) = (host.boot_time, host.install_time.get());
    host.record.say("installed: nobody is asked for anything");
    host.put("/root/smoke", include_bytes!("../../../packaging/deb/tests/smoke"));
    host.ok("sh /root/smoke");
    let (status, shown) = ssh(&host, "alice", &[], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && !shown.contains(CODE), "{shown}");

    host.record.say("switched on for ssh: alice sets up her phone in her next login, and it is confirmed");
    policy(&host, AT_LOGIN);
    host.ok("countersignctl enable sshd");
    listening(&host);
    let (alice, enrolling) = sets_up_a_phone(&host);

    host.record.say("from now on she is asked");
    let begun = Instant::now();
    let (status, shown) = ssh(&host, "alice", &[&alice.app().fresh_code()], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && shown.contains(CODE), "{shown}");
    let first_login = begun.elapsed();
    host.ok("countersignctl confirm");
    host.record.say("taken back, and switched on for every service by the distribution's tool");
    host.ok("countersignctl disable sshd --yes");
    listening(&host);
    let (status, shown) = ssh(&host, "alice", &[], "true");
    assert!(status.success() && !shown.contains(CODE), "{shown}");
    switch_on(&host);
    let wrong: Vec<String> = (0..3).map(|n| alice.app().wrong_code(n)).collect();
    let wrong: Vec<&str> = wrong.iter().map(String::as_str).collect();
    let (status, shown) = ssh(&host, "alice", &wrong, "echo in-as-$USER");
    assert!(!status.success() && !shown.contains("in-as-alice"), "{shown}");
    let (status, shown) = ssh(&host, "carol", &[], "echo in-as-$USER");
    assert!(status.success() && !shown.contains(CODE), "carol is not staff: {shown}");
    let codes = alice.app().recovery.clone();
    let sudo = ["runuser", "-u", "alice", "--", "sudo", "-k", "id", "-un"];
    let shown = answer(&host, &sudo, &[PASSWORD, &codes[0], "no"]);
    assert!(shown.ends_with("root\n"), "{shown}");
    let su = ["runuser", "-u", "carol", "--", "su", "-", "alice", "-c", "id -un"];
    let shown = answer(&host, &su, &[PASSWORD, &codes[1], "no"]);
    assert!(shown.ends_with("alice\n"), "{shown}");
    host.ok("countersignctl log alice");
    crate::hardening::judged(&host);

    host.record.say("the host is restarted");
    host.reboot();
    let (status, shown) = ssh(&host, "alice", &[&codes[2], "no"], "true");
    assert!(status.success() && shown.contains(CODE), "{shown}");

    host.record.say("the package is removed: everybody gets in by password, and nothing names the module");
    let said = host.ok("apt-get -qq remove -y countersign");
    host.ok("! grep -r pam_countersign /etc/pam.d");
    let (status, shown) = ssh(&host, "alice", &[], "echo in-as-$USER");
    assert!(status.success() && !shown.contains(CODE), "{said}\n{shown}");
    let said = host.ok("apt-get -qq purge -y countersign");
    assert!(said.contains("deleted /var/lib/countersign"), "{said}");
    host.record.say(&format!(
        "times: boot {:.2} s, installation {:.2} s, restart {:.2} s, setting up a phone {:.2} s, first protected login {:.2} s",
        first_boot.as_secs_f64(),
        installing.as_secs_f64(),
        host.boot_time.as_secs_f64(),
        enrolling.as_secs_f64(),
        first_login.as_secs_f64(),
    ));
    host.install();
    enroll(&host, "alice");
}

/// In an ssh login of alice, and how long that took.
fn sets_up_a_phone(host: &Booted) -> (Enrollee, Duration) {
    let begun = Instant::now();
    let mut alice = Enrollee::new(None);
    let mut pty = host.terminal(&ssh_command(host, "alice", &[], "echo in-as-$USER"));
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    pty.expect(FIRST_CODE);
    alice.read(pty.transcript());
    let step = alice.app().step() - 1;
    alice.app().mark_used(step);
    pty.send_line(&alice.app().code_at(step));
    pty.expect(READ_BACK);
    alice.read(pty.transcript());
    pty.send_line(&alice.asked_back());
    assert!(pty.wait(PATIENCE).success() && pty.transcript().contains("in-as-alice"), "{}", pty.transcript());
    (alice, begun.elapsed())
}
