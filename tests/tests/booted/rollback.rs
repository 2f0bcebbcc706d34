//! What nobody confirms is taken back: by the timer whatever became of us, and after a restart.

use crate::enable::{AT_LOGIN, files, host, listening, refused, said, try_at, try_ssh};
use crate::{CODE, enroll, require_boot, ssh};
use countersign_tests::Booted;

/// Nothing of `enable` is left, and people log in as before.
fn assert_taken_back(host: &Booted, before: &str) {
    host.wait_for("test -z \"$(ls -A /etc/countersign/enabled.d)\"");
    assert_eq!(files(host), before, "to the byte, mode and owner");
    listening(host);
    let (status, shown) = ssh(host, "alice", &[], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && !shown.contains(CODE), "{shown}");
}

#[test]
fn nobody_confirms_and_the_timer_takes_it_back() {
    require_boot!();
    let host = host(AT_LOGIN);
    // Odd modes and owners come back, too.
    host.ok("chmod 600 /etc/pam.d/sshd && chgrp daemon /etc/pam.d/sshd");
    let before = files(&host);
    host.ok("countersignctl enable sshd --rollback-after 12s");
    assert_eq!(host.ok("stat -c '%a %G' /etc/pam.d/sshd"), "600 daemon\n", "while it holds");
    listening(&host);
    let (entered, shown) = try_ssh(&host, "alice", &[crate::PASSWORD]);
    assert!(!entered && shown.contains("authenticator app"), "she is asked: {shown}");
    assert_taken_back(&host, &before);
    host.ok("journalctl -t countersignctl -o cat | grep -q 'sshd was not confirmed in time'");
    let late = host.ok("countersignctl confirm");
    assert!(late.contains("Nothing waits"), "{late}");
    assert!(!host.run("systemctl --failed --no-legend | grep countersign").status.success());
}

#[test]
fn the_timer_outlives_our_own_death_and_the_daemon() {
    require_boot!();
    let host = host(AT_LOGIN);
    let before = files(&host);
    // Killed in the moment in which the file changes.
    let killed = "countersignctl enable sshd --rollback-after 12s >/dev/null 2>&1 & pid=$!; \
                  until grep -q pam_countersign /etc/pam.d/sshd; do :; done; kill -KILL $pid; wait $pid; echo ended $?";
    assert!(host.ok(killed).contains("ended 137"));
    host.ok(
        "systemctl mask --now countersignd && mv /usr/sbin/countersignd /root/ && rm -r /var/lib/countersign",
    );
    assert!(!try_ssh(&host, "alice", &[crate::PASSWORD]).0, "nobody of staff gets in now");
    assert_taken_back(&host, &before);
}

#[test]
fn a_restart_takes_back_what_nobody_confirmed_and_leaves_what_somebody_did() {
    require_boot!();
    let mut host = host(AT_LOGIN);
    let before = files(&host);
    let alice = enroll(&host, "alice");
    host.ok("countersignctl enable sshd");
    listening(&host);
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "true");
    assert!(status.success(), "{shown}");
    host.ok("countersignctl confirm");
    let with_sshd = files(&host);
    host.ok("countersignctl enable sudo su");
    assert_ne!(files(&host), with_sshd);
    host.reboot();
    assert_eq!(files(&host), with_sshd, "sudo and su are taken back, sshd is kept");
    host.ok("journalctl -b -u countersign-rollback | grep -q '/etc/pam.d/sudo is as it was before'");
    let late = refused(&host, "countersignctl confirm sudo", 3);
    assert!(late.contains("sudo was not changed by enable"), "{late}");
    // A power cut is a restart.
    host.ok("countersignctl enable sudo");
    host.power_cut();
    assert_eq!(files(&host), with_sshd);
    host.ok("countersignctl disable --all --yes");
    assert_eq!(files(&host), before);
}

#[test]
fn byp_12_every_service_at_once_by_the_distributions_tool_and_after_it_made_its_files_anew() {
    require_boot!();
    let host = host(AT_LOGIN);
    host.ok(&format!("echo 'root:{}' | chpasswd", crate::PASSWORD));
    let alice = enroll(&host, "alice");
    let before = files(&host);
    let dry = host.ok("countersignctl enable --all --dry-run");
    assert!(dry.contains("+++ /etc/pam.d/common-auth"), "{dry}");
    assert_eq!(files(&host), before, "a dry run");
    host.ok("pam-auth-update --package");
    assert_eq!(files(&host), before, "nor does the tool remember it");
    host.ok("countersignctl enable --all --rollback-after 6s");
    host.wait_for("! grep -q pam_countersign /etc/pam.d/common-auth");
    assert_taken_back(&host, &before);

    host.ok("countersignctl enable --all");
    assert!(host.ok("countersignctl enable --all").contains("Nothing to change"));
    // --all leaves sshd's own files alone.
    host.ok("echo 'KbdInteractiveAuthentication yes' >/etc/ssh/sshd_config.d/10-kbd.conf");
    host.ok("systemctl reload ssh");
    listening(&host);
    let (entered, shown) = try_ssh(&host, "alice", &[crate::PASSWORD, &alice.fresh_code()]);
    assert!(entered && shown.contains(CODE), "{shown}");
    host.ok("countersignctl confirm");
    let sudo = ["runuser", "-u", "alice", "--", "sudo", "-k", "id", "-un"];
    for code in &alice.recovery[..2] {
        let (entered, shown) = try_ssh(&host, "alice", &[crate::PASSWORD, &alice.wrong_code(1)]);
        assert!(!entered && shown.contains("not right"), "right password, wrong code: {shown}");
        let (entered, shown) = try_at(&host, &sudo, &["assword wrong"]);
        assert!(!entered && !shown.contains(CODE), "wrong password: {shown}");
        let (entered, shown) = try_at(&host, &sudo, &[crate::PASSWORD, code, "no"]);
        assert!(entered && shown.contains("root"), "right and right: {shown}");
        // Another package comes, and the tool writes its files anew.
        host.put(
            "/usr/share/pam-configs/zz-env",
            b"Name: Env\nDefault: yes\nPriority: 10\nAuth-Type: Additional\nAuth:\n\toptional pam_env.so\n",
        );
        host.ok("pam-auth-update --package && grep -q pam_env /etc/pam.d/common-auth");
    }
    let done = host.run("countersignctl disable --all --yes");
    assert!(done.status.success(), "{}", said(&done));
    host.ok("! grep -rq pam_countersign /etc/pam.d");
    host.ok("grep -q pam_env /etc/pam.d/common-auth");
}

#[test]
fn avl_08_removing_the_package_gives_back_what_enable_changed() {
    require_boot!();
    let host = host(AT_LOGIN);
    let before = files(&host);
    enroll(&host, "alice");
    host.ok("countersignctl enable sshd sudo su");
    let removed = host.ok("apt-get -qq remove -y countersign");
    assert!(removed.contains("/etc/pam.d/sudo is as it was before"), "{removed}");
    let strip = |files: &str| -> String {
        // What the tool knows of profiles is not ours.
        files.lines().filter(|line| !line.contains("/var/lib/pam/")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(strip(&files(&host)), strip(&before));
    assert!(ssh(&host, "alice", &[], "true").0.success());
}
