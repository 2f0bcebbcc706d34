//! The way back on a host in trouble: files that are none any more, a full disk, an edit in the last moment.

use crate::enable::{AT_LOGIN, files, host, refused};
use crate::require_boot;

#[test]
fn avl_12_one_file_that_cannot_go_back_keeps_nobody_from_the_others_and_is_tried_again() {
    require_boot!();
    let host = host(AT_LOGIN);
    // Small enough to be filled.
    host.ok("cp -a /etc/pam.d /root/ && mount -t tmpfs -o size=400k,mode=755 none /etc/pam.d && cp -a /root/pam.d/. /etc/pam.d");
    let before = files(&host);
    host.ok("countersignctl enable sshd su sudo --rollback-after 6s");
    host.ok("chmod 664 /etc/pam.d/sudo && cp -a /etc/pam.d/su /root/su && ln -sf /root/su /etc/pam.d/su");
    host.ok("dd if=/dev/zero of=/etc/pam.d/full bs=4k 2>/dev/null; ! echo more >>/etc/pam.d/full");
    host.wait_for("journalctl -t countersignctl -o cat | grep -q 'sshd could not be taken back.*full'");
    host.ok(
        "grep -q pam_countersign /etc/pam.d/sshd && test ! -e /etc/ssh/sshd_config.d/00-countersign.conf",
    );
    let status = host.ok("countersignctl status");
    assert!(status.contains("sshd, NOT CONFIRMED"), "not forgotten: {status}");
    host.ok("rm /etc/pam.d/full");
    host.wait_for("! grep -q pam_countersign /etc/pam.d/sshd /etc/pam.d/sudo");
    host.wait_for(
        "journalctl -t countersignctl -o cat | grep -q 'su could not be taken back.*symbolic link'",
    );
    let left = refused(&host, "countersignctl disable --all --yes", 1);
    assert!(left.contains("some of it is still there") && left.contains("symbolic link"), "{left}");
    host.ok("rm /etc/pam.d/su && mv /root/su /etc/pam.d/su");
    host.ok("countersignctl disable --all --yes");
    assert_eq!(files(&host), before, "to the byte and mode");
    host.ok("test -z \"$(ls -A /etc/countersign/enabled.d)\"");
}

#[test]
fn an_edit_in_the_last_moment_is_not_lost() {
    require_boot!();
    let host = host(AT_LOGIN);
    let before = files(&host);
    // Between the look at the file and the change.
    host.put(
        "/usr/sbin/systemd-run",
        b"#!/bin/sh\necho '# mine' >>/etc/pam.d/sshd\nexec /usr/bin/systemd-run \"$@\"\n",
    );
    host.ok("chmod 755 /usr/sbin/systemd-run");
    let edited = refused(&host, "countersignctl enable sshd", 1);
    assert!(edited.contains("/etc/pam.d/sshd was changed by somebody else just now"), "{edited}");
    host.ok("test \"$(tail -n 1 /etc/pam.d/sshd)\" = '# mine' && rm /usr/sbin/systemd-run && sed -i '$d' /etc/pam.d/sshd");
    assert_eq!(files(&host), before, "the drop-in neither");
    host.ok("test -z \"$(ls -A /etc/countersign/enabled.d)\"");
    host.ok("! systemctl is-active --quiet 'countersign-rollback-*.timer'");
}
