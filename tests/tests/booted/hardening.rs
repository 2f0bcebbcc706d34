//! The sandboxes of the units, by what a program in them can really do; and a key that is no plain file.

use crate::{CODE, host, protected, require_boot, ssh};
use countersign_tests::Booted;
use std::collections::BTreeMap;

/// Runs a program in a unit's sandbox: the unit, with another command. Only the interpreter of the probe
/// may be executed beside what the unit lets.
const PROBE: &str = r"
set -u
cp /lib/systemd/system/UNIT.service /run/systemd/system/probe.service
sed -i 's|^Type=.*|Type=oneshot|; s|^ExecStart=.*|ExecStart=/usr/local/bin/probe|; s|^Restart=.*|Restart=no|; /^ExecReload/d; /^OOMScoreAdjust/d; /^BusName/d' /run/systemd/system/probe.service
printf '[Service]\nExecPaths=/usr/local/bin/probe /usr/bin/perl\n' >/run/probe.conf
install -D /run/probe.conf /run/systemd/system/probe.service.d/probe.conf
systemctl daemon-reload
systemctl start probe.service
journalctl -u probe.service -o cat --no-pager | grep '^probe '
";

/// What the probe could do, by name; the rest of a line says how it was refused.
fn probed(host: &Booted, unit: &str) -> BTreeMap<String, bool> {
    let said = host.ok(&PROBE.replace("UNIT", unit));
    let mut tried = BTreeMap::new();
    for line in said.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let ["probe", what, how, ..] = words.as_slice() {
            assert!(["worked", "refused"].contains(how), "{line}");
            tried.insert((*what).to_owned(), *how == "worked");
        }
    }
    host.ok("rm -r /run/systemd/system/probe.service*; journalctl --rotate --vacuum-time=1s -q");
    tried
}

#[test]
fn prv_14_the_sandboxes_refuse_what_daemon_and_mailer_never_do() {
    require_boot!();
    let host = host();
    host.put("/usr/local/bin/probe", include_bytes!("probe.pl"));
    host.ok("chmod 755 /usr/local/bin/probe && echo secret >/etc/countersign/mailbox.d/probe && chmod 640 /etc/countersign/mailbox.d/probe && chgrp countersign-mail /etc/countersign/mailbox.d/probe");
    // The same program outside of any sandbox: what it tries is possible here.
    let free = host.ok("setpriv --groups 0,4,27 /usr/local/bin/probe");
    assert_eq!(free.matches(" worked ").count(), 32, "{free}");
    let worked = |tried: &BTreeMap<String, bool>| -> Vec<String> {
        tried.iter().filter(|(_, worked)| **worked).map(|(what, _)| what.clone()).collect()
    };
    let daemon = probed(&host, "countersignd");
    assert_eq!(worked(&daemon), ["bus", "read-key", "write-state"], "{daemon:?}");
    let mailer = probed(&host, "countersign-mailer");
    assert_eq!(worked(&mailer), ["bus", "network-tcp", "network-udp6", "read-mailbox"], "{mailer:?}");
    for tried in [&daemon, &mailer] {
        assert_eq!(tried.len(), 32, "{tried:?}");
    }
    // What reloads it needs nothing of the inside.
    host.ok("systemctl reload countersignd && systemctl is-active countersignd");
    judged(&host);
}

/// As the release's own systemd judges the units that are loaded: exposure in tenths, at most.
pub(crate) fn judged(host: &Booted) {
    for (unit, most) in [("countersignd", 10), ("countersign-mailer", 15)] {
        host.ok(&format!(
            "systemd-analyze security {unit}.service --threshold={most} --no-pager >/run/judged"
        ));
        host.ok("tail -n 1 /run/judged");
    }
}

/// The drop-in that we ship as an example, followed to the letter.
#[test]
fn dat_05_a_key_encrypted_for_this_host_is_all_that_the_daemon_needs() {
    require_boot!();
    let (mut host, alice) = protected();
    let steps = include_str!("../../../docs/examples/10-sealed-key.conf");
    let steps: String = steps
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .map(|line| format!("{}\n", line.replace("SOMEWHERE-SAFE", "/root/key")))
        .collect();
    host.ok(&format!("set -e\n{steps}"));
    host.ok("test ! -e /etc/countersign/key && ! grep -q 'countersign-key' /etc/countersign/key.cred");
    host.ok("systemctl restart countersignd && countersignctl status");
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "true");
    assert!(status.success() && shown.contains(CODE), "{shown}");

    host.reboot();
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0], "no"], "true");
    assert!(status.success() && shown.contains(CODE), "after a reboot: {shown}");
    // An upgrade takes a missing plain key for no reason to make another.
    host.ok("apt-get -qq install -y --reinstall --no-install-recommends /root/countersign.deb");
    host.ok("test ! -e /etc/countersign/key && countersignctl status");

    // Encrypted by another host, or damaged: it does not start, and nobody who is asked gets in.
    host.ok("sed -i '2s/^....../AAAAAA/' /etc/countersign/key.cred");
    assert!(!host.run("systemctl restart countersignd").status.success());
    let (status, _) = ssh(&host, "alice", &[&alice.recovery[1]], "true");
    assert!(!status.success());
    // The way back is the copy that was put away.
    host.ok("rm -r /etc/systemd/system/countersignd.service.d /etc/countersign/key.cred && install -m 640 -g countersign /root/key /etc/countersign/key && systemctl daemon-reload && systemctl restart countersignd");
    assert!(ssh(&host, "alice", &[&alice.recovery[2], "no"], "true").0.success());
}

/// Whose TPM2 systemd uses: one made of software, which listens once it is started; by no network, which the
/// unit has not.
const TPM: &[&str] = &["SYSTEMD_TPM2_DEVICE=swtpm:path=/run/tpm"];

/// Starts a TPM2 that keeps its state in this folder.
fn tpm(host: &Booted, state: &str) {
    host.ok(&format!(
        "pkill -x swtpm; mkdir -p {state} && swtpm socket --tpm2 --tpmstate dir={state} --daemon \
         --server type=unixio,path=/run/tpm,disconnect --ctrl type=unixio,path=/run/tpm.ctrl --flags not-need-init,startup-clear"
    ));
}

#[test]
fn dat_05_a_key_that_only_the_tpm2_of_the_machine_opens() {
    require_boot!();
    let host = crate::prepared(Booted::boot_with(countersign_tests::booted::ROOT, TPM));
    let alice = crate::enroll(&host, "alice");
    crate::switch_on(&host);
    tpm(&host, "/root/tpm");
    let steps = include_str!("../../../docs/examples/10-sealed-key.conf");
    let steps: Vec<&str> = steps.lines().filter_map(|line| line.strip_prefix("#   ")).collect();
    // By itself systemd takes no TPM2 in a container, so it is named; this one's registers are empty.
    let steps =
        steps.join("\n").replace("SOMEWHERE-SAFE", "/root/key").replace("--with-key=auto", "--with-key=tpm2");
    host.ok(&format!("set -e; export {}\n{steps}", TPM[0]));
    host.ok("test ! -e /etc/countersign/key && systemctl restart countersignd");
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0], "no"], "true");
    assert!(status.success() && shown.contains(CODE), "{shown}");
    // The disk in another machine.
    tpm(&host, "/root/another");
    assert!(!host.run("systemctl restart countersignd").status.success());
    tpm(&host, "/root/tpm");
    host.ok("systemctl restart countersignd");
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[1], "no"], "true");
    assert!(status.success() && shown.contains(CODE), "{shown}");
}
