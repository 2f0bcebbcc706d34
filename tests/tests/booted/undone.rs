//! The way back on a host in trouble: files that are none any more, a full disk, an edit in the last moment.

use crate::enable::{AT_LOGIN, files, host, listening, refused, try_ssh};
use crate::{PASSWORD, enroll, require_boot};

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
fn hosts_unlike_others_an_edit_in_the_last_moment_another_prefix_and_an_sshd_without_drop_ins() {
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

    // As `make install PREFIX=/usr/local` lays them.
    host.ok("install -D /usr/bin/countersignctl /usr/local/bin/countersignctl && \
         install -D -t /usr/local/libexec/countersign /usr/libexec/countersign/countersign-pam-probe && \
         rm /usr/libexec/countersign/countersign-pam-probe");
    let missing = refused(&host, "countersignctl enable sshd --dry-run", 1);
    assert!(missing.contains("countersign-pam-probe is missing"), "{missing}");
    host.ok("/usr/local/bin/countersignctl enable sshd --dry-run");
    host.ok("chmod g+w /usr/local/libexec/countersign");
    let others = refused(&host, "/usr/local/bin/countersignctl enable sshd --dry-run", 1);
    assert!(others.contains("countersign-pam-probe is missing"), "others could have put it there: {others}");
    host.ok("chmod g-w /usr/local/libexec/countersign");

    // No drop-ins are read: the lines of PAM are there, and a key alone is refused by the account line.
    host.ok("sed -i 's/^Include/#&/; s/^KbdInteractive.*/KbdInteractiveAuthentication yes/' /etc/ssh/sshd_config && systemctl reload ssh");
    let before = files(&host);
    let alice = enroll(&host, "alice");
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && install -d -o alice -m 700 ~alice/.ssh && install -o alice -m 600 /root/.ssh/id_ed25519.pub ~alice/.ssh/authorized_keys");
    let batch = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no alice@127.0.0.1 true";
    listening(&host);
    host.ok(batch);
    let noted = host.ok("/usr/local/bin/countersignctl enable sshd");
    assert!(
        noted.contains("note: sshd gets no drop-in, since /etc/ssh/sshd_config does not include"),
        "{noted}"
    );
    assert!(noted.contains("Whoever needs a code and comes with a key is"), "{noted}");
    let key = refused(&host, batch, 255);
    assert!(key.contains("PubkeyAuthentication") || key.contains("key"), "why, and what to do: {key}");
    host.ok("mv /root/.ssh/id_ed25519 /root/");
    let (entered, shown) = try_ssh(&host, "alice", &[PASSWORD, &alice.fresh_code()]);
    assert!(entered && shown.contains("in-as-alice"), "{shown}");
    host.ok("countersignctl confirm");
    host.ok("countersignctl disable sshd --yes");
    assert_eq!(files(&host), before);
}
