//! The deb's scripts in the orders that nobody plans: what fails halfway leaves logins that ask, or says that they
//! do not.

use crate::versions::repacked_with;
use crate::{CODE, enroll, host, protected, require_boot, ssh, switch_on};
use countersign_tests::Booted;

fn asks(host: &Booted, code: &str) {
    let answers: &[&str] = if code.contains('-') { &[code, "no"] } else { &[code] };
    let (status, shown) = ssh(host, "alice", answers, "true");
    assert!(status.success() && shown.contains(CODE), "{code}: {shown}");
}

fn both(output: &std::process::Output) -> String {
    crate::enable::said(output)
}

#[test]
fn avl_08_scripts_that_fail_halfway_leave_logins_that_ask_or_say_that_they_do_not() {
    require_boot!(Tool("dpkg-deb"));
    let (host, alice) = protected();

    host.record.say("abort-upgrade: the new package refuses to be unpacked");
    host.put("/root/refuses.deb", &repacked_with("9.0.0", &[("preinst", "#!/bin/sh\nexit 1\n")]));
    let failed = host.run("dpkg -i /root/refuses.deb");
    assert!(!failed.status.success());
    host.ok(
        "dpkg -s countersign | grep -q '^Status: install ok installed' && systemctl is-active countersignd",
    );
    asks(&host, &alice.recovery[0]);

    host.record.say("failed-upgrade: the old package's prerm fails, the new one's is tried");
    host.ok("sed -i '2i [ \"$1\" != upgrade ] || exit 1' /var/lib/dpkg/info/countersign.prerm");
    host.put("/root/newer.deb", &repacked_with("9.0.1", &[]));
    let said = both(&host.run("dpkg -i /root/newer.deb"));
    assert!(said.contains("trying script from the new package instead"), "{said}");
    host.ok("dpkg -s countersign | grep -q '^Version: 9.0.1' && systemctl is-active countersignd");
    asks(&host, &alice.recovery[1]);

    host.record.say("abort-remove: prerm has taken the lines out, and fails then");
    host.ok("cp /var/lib/dpkg/info/countersign.prerm /root/prerm && sed -i 's/^exit 0/exit 1/' /var/lib/dpkg/info/countersign.prerm");
    let failed = host.run("dpkg -r countersign");
    let said = both(&failed);
    assert!(!failed.status.success() && said.contains("NO LOGIN ASKS FOR A CODE"), "{said}");
    assert!(said.contains("countersignctl enable"), "{said}");
    host.ok("! grep -r pam_countersign /etc/pam.d && systemctl is-active countersignd");
    assert!(ssh(&host, "alice", &[], "true").0.success(), "nobody is locked out");
    host.ok("cp /root/prerm /var/lib/dpkg/info/countersign.prerm");
    switch_on(&host);
    asks(&host, &alice.recovery[2]);

    host.record.say("removed, and purged later; with an encrypted key and a drop-in that names it");
    host.put(
        "/etc/systemd/system/countersignd.service.d/10-sealed-key.conf",
        include_bytes!("../../../docs/examples/10-sealed-key.conf"),
    );
    host.ok("touch /etc/countersign/key.cred && dpkg -r countersign");
    host.ok("test -e /var/lib/countersign/countersign.db && ! systemctl is-active countersignd");
    let said = both(&host.run("dpkg --purge countersign"));
    for line in [
        "deleted /etc/countersign/countersign.toml",
        "deleted /etc/fail2ban/filter.d/countersign.conf",
        "deleted /var/lib/countersign",
        "deleted /etc/countersign/key",
        "deleted /etc/countersign/key.cred",
        "left in place: /etc/systemd/system/countersignd.service.d",
        "names /etc/countersign/key.cred, which is deleted",
        "left in place: the system user countersign\n",
        "left in place: the system user countersign-mail",
    ] {
        assert!(said.contains(line), "{line:?} in {said}");
    }
    host.ok("test ! -e /etc/countersign && test ! -e /var/lib/countersign");
}

#[test]
fn dat_05_an_encrypted_key_alone_keeps_the_package_from_making_another() {
    require_boot!();
    let host = host();
    enroll(&host, "alice");
    host.ok("apt-get -qq remove -y countersign && rm -r /var/lib/countersign && mv /etc/countersign/key /etc/countersign/key.cred");
    // Started without its state the daemon refuses; nothing was made anew.
    host.ok("apt-get -qq install -y --no-install-recommends /root/countersign.deb || true");
    host.ok("test ! -e /etc/countersign/key && test ! -e /var/lib/countersign/countersign.db");
}
