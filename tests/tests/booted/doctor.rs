//! `countersignctl doctor` on a whole host: nothing to say of a clean one, and every misconfiguration found.
//!
//! Each row breaks one thing, looks, and mends it again; at the end the host is as it was.

use crate::{POLICY, SSHD, host, protected, require_boot};
use countersign_tests::Booted;
use serde_json::Value;
use std::collections::BTreeSet;

/// What is found, what breaks the host, what mends it.
type Seed = (&'static str, &'static str, &'static str);

/// `/etc/pam.d` as it was.
const PAM: &str = "rm -rf /etc/pam.d && cp -a /root/pam.d /etc/pam.d";
const SSH: &str = "cp /root/50.conf /etc/ssh/sshd_config.d/50-countersign.conf";

const STACKS: [Seed; 19] = [
    (
        "stack-in-spite",
        "sed -i 's/required\\(.*pam_countersign\\)/sufficient\\1/' /etc/pam.d/common-auth",
        PAM,
    ),
    ("stack-in-spite", "sed -i 's/required\\(.*pam_countersign\\)/optional\\1/' /etc/pam.d/common-auth", PAM),
    (
        "stack-in-spite",
        "sed -i 's/required\\(.*pam_countersign\\)/[success=ok default=ignore]\\1/' /etc/pam.d/common-auth",
        PAM,
    ),
    (
        "stack-in-spite",
        "sed -i 's/required\\(.*pam_countersign\\)/[success=ok ignore=ignore authinfo_unavail=ignore default=die]\\1/' /etc/pam.d/common-auth",
        PAM,
    ),
    (
        "stack-in-spite",
        "sed -i 's/required\\(.*pam_countersign\\)/[success=ok ignore=ignore module_unknown=ignore default=die]\\1/' /etc/pam.d/common-auth",
        PAM,
    ),
    ("stack-skipped", "sed -i '1i auth sufficient pam_unix.so' /etc/pam.d/sudo", PAM),
    (
        "stack-skipped",
        "sed -i '1i auth [success=9 default=ignore] pam_succeed_if.so user ingroup staff\\nauth required pam_permit.so' /etc/pam.d/su; for i in 1 2 3 4 5 6; do echo 'auth required pam_permit.so' >>/etc/pam.d/su; done",
        PAM,
    ),
    (
        "stack-not-after-factor",
        "sed -i 's/requisite\\(.*pam_deny\\)/required\\1/' /etc/pam.d/common-auth",
        PAM,
    ),
    ("stack-factor-unsaid", "sed -i 's/after_first_factor//' /etc/pam.d/common-auth", PAM),
    ("stack-broken", "echo '@include gone' >>/etc/pam.d/su", PAM),
    ("stack-broken", "echo 'auth requird pam_unix.so' >>/etc/pam.d/su", PAM),
    ("stack-dead", "echo 'auth requisite pam_deny.so' >>/etc/pam.d/su", PAM),
    ("stack-option", "sed -i 's/after_first_factor/after_first_factor nullok/' /etc/pam.d/common-auth", PAM),
    ("stack-private-bus", "sed -i 's/after_first_factor/& owner=1000/' /etc/pam.d/common-auth", PAM),
    ("stack-no-account", "sed -i '/pam_countersign/d' /etc/pam.d/common-account", PAM),
    (
        "stack-account-expired",
        "sed -i '/pam_countersign/d' /etc/pam.d/common-account && echo 'account required pam_countersign.so' >>/etc/pam.d/common-account",
        PAM,
    ),
    (
        "stack-account-skipped",
        "sed -i '1i account sufficient pam_localuser.so' /etc/pam.d/common-account",
        PAM,
    ),
    (
        "pair-missing",
        "printf 'auth required pam_unix.so\\naccount required pam_unix.so\\n' >/etc/pam.d/sudo-i",
        PAM,
    ),
    ("stack-account-only", "sed -i 's/@include common-auth/auth required pam_unix.so/' /etc/pam.d/su", PAM),
];

const SSHD_SEEDS: [Seed; 11] = [
    ("sshd-no-pam", "sed -i 's/UsePAM yes/UsePAM no/' /etc/ssh/sshd_config.d/50-countersign.conf", SSH),
    (
        "sshd-key-refused",
        "sed -i '/^AuthenticationMethods/d' /etc/ssh/sshd_config.d/50-countersign.conf",
        SSH,
    ),
    (
        "sshd-key-refused (User carol)",
        "printf 'Match User carol\\n  AuthenticationMethods publickey\\n' >>/etc/ssh/sshd_config.d/50-countersign.conf",
        SSH,
    ),
    (
        "sshd-key-refused (Group staff Address 10.0.0.0/8)",
        "printf 'Match Group staff Address 10.0.0.0/8\\n  AuthenticationMethods publickey\\n' >>/etc/ssh/sshd_config.d/50-countersign.conf",
        SSH,
    ),
    (
        "sshd-no-prompt",
        "printf 'UsePAM yes\\nKbdInteractiveAuthentication no\\n' >/etc/ssh/sshd_config.d/50-countersign.conf",
        SSH,
    ),
    (
        "sshd-password-method",
        "printf 'UsePAM yes\\nKbdInteractiveAuthentication yes\\n' >/etc/ssh/sshd_config.d/50-countersign.conf",
        SSH,
    ),
    (
        "sshd-key-alone",
        "sed -i '/^AuthenticationMethods/d' /etc/ssh/sshd_config.d/50-countersign.conf && sed -i '/pam_countersign/d' /etc/pam.d/common-account",
        "cp /root/50.conf /etc/ssh/sshd_config.d/50-countersign.conf && rm -rf /etc/pam.d && cp -a /root/pam.d /etc/pam.d",
    ),
    (
        "sshd-gssapi-refused",
        "sed -i '/^AuthenticationMethods/d; 1i GSSAPIAuthentication yes' /etc/ssh/sshd_config.d/50-countersign.conf",
        SSH,
    ),
    (
        "sshd-hostbased-refused",
        "sed -i '/^AuthenticationMethods/d; 1i HostbasedAuthentication yes' /etc/ssh/sshd_config.d/50-countersign.conf",
        SSH,
    ),
    ("sshd-grace", "echo 'LoginGraceTime 30' >>/etc/ssh/sshd_config.d/50-countersign.conf", SSH),
    ("sshd-broken", "echo 'Nonsense yes' >>/etc/ssh/sshd_config.d/50-countersign.conf", SSH),
];

const FILES: [Seed; 17] = [
    ("key-mode", "chmod 644 /etc/countersign/key", "chmod 640 /etc/countersign/key"),
    ("key-mode", "chgrp users /etc/countersign/key", "chgrp countersign /etc/countersign/key"),
    ("key-missing", "mv /etc/countersign/key /root/key", "mv /root/key /etc/countersign/key"),
    ("state-mode", "chmod 755 /var/lib/countersign", "chmod 700 /var/lib/countersign"),
    (
        "state-mode",
        "chmod 644 /var/lib/countersign/countersign.db",
        "chmod 600 /var/lib/countersign/countersign.db",
    ),
    ("module-missing", "mv $MODULE /root/module", "mv /root/module $MODULE"),
    (
        "module-machine",
        "cp -a $MODULE /root/module && printf '\\267\\000' | dd of=$MODULE bs=1 seek=18 conv=notrunc",
        "cat /root/module >$MODULE && rm /root/module",
    ),
    (
        "module-machine",
        "cp -a $MODULE /root/module && : >$MODULE",
        "cat /root/module >$MODULE && rm /root/module",
    ),
    ("module-mode", "chmod 666 $MODULE", "chmod 644 $MODULE"),
    ("program-mode", "chown alice /usr/sbin/countersignd", "chown root /usr/sbin/countersignd"),
    (
        "config-broken",
        "chmod 666 /etc/countersign/countersign.toml",
        "chmod 644 /etc/countersign/countersign.toml",
    ),
    (
        "config-broken",
        "echo 'nonsense = 1' >/etc/countersign/conf.d/x.toml",
        "rm /etc/countersign/conf.d/x.toml",
    ),
    (
        "mailbox-secret-mode",
        "echo x >/etc/countersign/mailbox.d/ops && chmod 644 /etc/countersign/mailbox.d/ops",
        "rm /etc/countersign/mailbox.d/ops",
    ),
    (
        "account",
        "echo 'countersign:x:4242:4242::/:/bin/false' >>/etc/passwd",
        "sed -i '/^countersign:x:4242/d' /etc/passwd",
    ),
    (
        "mail-account",
        "cp -a /etc/passwd /root/passwd && sed -i '/^countersign-mail:/d' /etc/passwd",
        "cp -a /root/passwd /etc/passwd",
    ),
    (
        "empty-password",
        "cp -a /etc/shadow /root/shadow && passwd -q -d carol",
        "cp -a /root/shadow /etc/shadow",
    ),
    (
        "space-low",
        "mkdir -p /mnt/small && mount -t tmpfs -o size=8m tmpfs /mnt/small && cp -a /var/lib/countersign /mnt/small/ && mount --bind /mnt/small/countersign /var/lib/countersign",
        "umount /var/lib/countersign /mnt/small",
    ),
];

const GUARDS: [Seed; 12] = [
    (
        "unit-loosened",
        "mkdir -p /etc/systemd/system/countersignd.service.d && printf '[Service]\\nProtectSystem=no\\n' >/etc/systemd/system/countersignd.service.d/x.conf",
        "rm -r /etc/systemd/system/countersignd.service.d",
    ),
    (
        "unit-replaced",
        "cp /lib/systemd/system/countersign-mailer.service /etc/systemd/system/",
        "rm /etc/systemd/system/countersign-mailer.service",
    ),
    ("unit-masked", "systemctl -q mask countersign-mailer", "systemctl -q unmask countersign-mailer"),
    (
        "daemon-away",
        "systemctl -q mask --now countersignd",
        "systemctl -q unmask countersignd && systemctl start countersignd",
    ),
    (
        "bus-policy-changed",
        "mkdir -p /etc/dbus-1/system.d && echo '<busconfig><policy user=\"carol\"><allow own=\"org.countersign1\"/></policy></busconfig>' >/etc/dbus-1/system.d/x.conf",
        "rm /etc/dbus-1/system.d/x.conf",
    ),
    (
        "bus-policy-changed",
        "cp -a $BUS /root/bus && sed -i 's/<deny own/<allow own/' $BUS",
        "cp -a /root/bus $BUS",
    ),
    ("bus-policy-missing", "mv $BUS /root/bus", "mv /root/bus $BUS"),
    ("activation-missing", "mv $ACTIVATION /root/activation", "mv /root/activation $ACTIVATION"),
    (
        "polkit-defaults",
        "cp -a $ACTIONS /root/actions && sed -i 's/<allow_active>auth_admin</<allow_active>yes</' $ACTIONS",
        "cp -a /root/actions $ACTIONS",
    ),
    (
        "polkit-owner",
        "cp -a $ACTIONS /root/actions && sed -i '0,/policykit.owner/{/policykit.owner/d}' $ACTIONS && sed -i '/<annotate.*policykit.owner/{x;s/^/x/;/^x$/{x;d};x}' $ACTIONS",
        "cp -a /root/actions $ACTIONS",
    ),
    ("polkit-actions-missing", "mv $ACTIONS /root/actions", "mv /root/actions $ACTIONS"),
    (
        "polkit-rules",
        "printf 'polkit.addRule(function(a, s) { if (a.id == \"org.countersign1.reset-user\") return polkit.Result.YES; });' >/etc/polkit-1/rules.d/x.rules",
        "rm /etc/polkit-1/rules.d/x.rules",
    ),
];

const POLICIES: [Seed; 8] = [
    ("group-unresolved", "sed -i.old '/^staff:/d' /etc/group", "mv /etc/group.old /etc/group"),
    (
        "not-in-force",
        "sed -i 's/name = \"staff\"/&\\nstatus = \"off\"/' $CONFIG && systemctl reload countersignd",
        "cp -a /root/countersign.toml $CONFIG && systemctl reload countersignd",
    ),
    (
        "policy-service",
        "sed -i 's/name = \"staff\"/&\\nservices = [\"sshd\", \"passwd\"]/' $CONFIG && countersignctl policy apply --accept-weaker --yes",
        "cp -a /root/countersign.toml $CONFIG && countersignctl policy apply --yes",
    ),
    (
        "mail-only",
        "printf '[mailbox.ops]\\nserver = \"127.0.0.1:9\"\\ntls = \"none\"\\nfrom = \"a@example.org\"\\nlogin = \"none\"\\n' >/etc/countersign/conf.d/m.toml && sed -i 's/name = \"staff\"/&\\nfactors = [\"email\"]\\nmailbox = \"ops\"/' $CONFIG && countersignctl policy apply --accept-weaker --yes",
        "rm /etc/countersign/conf.d/m.toml && cp -a /root/countersign.toml $CONFIG && countersignctl policy apply --accept-weaker --yes",
    ),
    (
        "mail-unreachable (ops)",
        "printf '[mailbox.ops]\\nserver = \"127.0.0.1:9\"\\ntls = \"none\"\\nfrom = \"a@example.org\"\\nlogin = \"none\"\\n' >/etc/countersign/conf.d/m.toml && sed -i 's/name = \"staff\"/&\\nfactors = [\"email\"]\\nmailbox = \"ops\"/' $CONFIG && countersignctl policy apply --accept-weaker --yes",
        "rm /etc/countersign/conf.d/m.toml && cp -a /root/countersign.toml $CONFIG && countersignctl policy apply --accept-weaker --yes",
    ),
    (
        "exemption-lapses",
        "countersignctl exempt carol --until +2d --reason 'a test' --yes",
        "countersignctl exempt carol --end --reason 'a test' --yes",
    ),
    (
        "services-without",
        "pam-auth-update --disable countersign && echo 'auth required pam_countersign.so' >>/etc/pam.d/cron",
        "sed -i '/pam_countersign/d' /etc/pam.d/cron && pam-auth-update --enable countersign",
    ),
    (
        "journal-volatile",
        "mkdir -p /etc/systemd/journald.conf.d && printf '[Journal]\\nStorage=volatile\\n' >/etc/systemd/journald.conf.d/x.conf",
        "rm /etc/systemd/journald.conf.d/x.conf",
    ),
];

/// The names of paths that differ between hosts.
const NAMES: &str = "MODULE=$(dirname /usr/lib/*/security/pam_unix.so)/pam_countersign.so \
     BUS=/usr/share/dbus-1/system.d/org.countersign1.conf \
     ACTIVATION=/usr/share/dbus-1/system-services/org.countersign1.service \
     ACTIONS=/usr/share/polkit-1/actions/org.countersign1.policy \
     CONFIG=/etc/countersign/countersign.toml; ";

/// What the doctor says: the exit code, and each finding as `id` or `id (subject)`, with its severity.
fn doctor(host: &Booted, options: &str) -> (Option<i32>, BTreeSet<(String, String)>) {
    let output = host.run(&format!("countersignctl doctor --json {options}"));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let report: Value = serde_json::from_str(&text)
        .unwrap_or_else(|e| panic!("{e}: {text}{}", String::from_utf8_lossy(&output.stderr)));
    let word = |finding: &Value, key: &str| finding[key].as_str().expect("a word").to_owned();
    let findings = report["findings"].as_array().expect("a list").iter();
    let found = findings.map(|finding| {
        let (id, subject) = (word(finding, "id"), word(finding, "subject"));
        let name = if subject.is_empty() { id } else { format!("{id} ({subject})") };
        (name, word(finding, "severity"))
    });
    (output.status.code(), found.collect())
}

/// Breaks and mends one thing after the other.
fn sow(host: &Booted, seeds: &[Seed]) {
    let options = "--mail";
    host.ok("cp -a /etc/pam.d /root/pam.d; cp -a /etc/ssh/sshd_config.d/50-countersign.conf /root/50.conf; \
             cp -a /etc/countersign/countersign.toml /root/; mkdir -p /etc/countersign/conf.d");
    let before = doctor(host, options);
    let mut missed = Vec::new();
    for (id, sow, weed) in seeds {
        host.ok(&format!("{NAMES}{sow}"));
        let (code, found) = doctor(host, options);
        let new: Vec<&(String, String)> = found.difference(&before.1).collect();
        let seen = |(name, _): &&&(String, String)| name == id || name.starts_with(&format!("{id} ("));
        match new.iter().find(seen) {
            None => missed.push(format!("{id}: {sow}\n  found {new:?}")),
            Some((_, severity)) if severity == "problem" => assert_eq!(code, Some(6), "{id}"),
            Some(_) => {}
        }
        host.ok(&format!("{NAMES}{weed}"));
    }
    assert_eq!(doctor(host, options), before, "as it was");
    assert_eq!(missed, [""; 0], "{} of {}", missed.len(), seeds.len());
}

fn grave(found: &BTreeSet<(String, String)>) -> Vec<&(String, String)> {
    found.iter().filter(|(_, severity)| severity != "hint").collect()
}

#[test]
fn adm_12_nothing_is_wrong_with_a_clean_install() {
    require_boot!();
    let host = Booted::with_package();
    let (code, found) = doctor(&host, "");
    assert_eq!((code, grave(&found)), (Some(0), vec![]), "{found:?}");
    let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
    assert!(!names.iter().any(|name| name.starts_with("not-looked-at")), "{names:?}");
    assert!(names.contains(&"not-enabled") && names.contains(&"nothing-enforced"), "{names:?}");
    let shown = host.ok("countersignctl doctor");
    assert!(shown.contains("HINT  not-enabled\n") && shown.contains("0 problems, 0 warnings"), "{shown}");
    let refused = host.run("setpriv --reuid 65534 --clear-groups countersignctl doctor");
    assert_eq!(refused.status.code(), Some(4));
}

#[test]
fn adm_12_nothing_is_wrong_with_a_host_that_is_protected_by_the_book() {
    require_boot!();
    let (host, _) = protected();
    let (code, found) = doctor(&host, "--mail");
    assert_eq!((code, grave(&found)), (Some(0), vec![]), "{found:?}");
}

#[test]
fn adm_12_misconfigured_stacks_are_found() {
    require_boot!();
    sow(&protected().0, &STACKS);
}

#[test]
fn adm_12_byp_14_misconfigured_ways_into_sshd_are_found() {
    require_boot!();
    sow(&protected().0, &SSHD_SEEDS);
}

#[test]
fn adm_12_misconfigured_files_are_found() {
    require_boot!();
    sow(&protected().0, &FILES);
}

#[test]
fn adm_12_misconfigured_guards_are_found() {
    require_boot!();
    sow(&protected().0, &GUARDS);
}

#[test]
fn adm_12_misconfigured_policies_are_found() {
    require_boot!();
    sow(&protected().0, &POLICIES);
}

/// Debian's own sshd_config, with our line in its stack: a key is the one way that asks for no code.
#[test]
fn byp_14_the_doctor_lists_exactly_the_ways_into_sshd_that_need_no_code() {
    require_boot!();
    let host = host();
    crate::switch_on(&host);
    let ways = |config: &str| -> Vec<String> {
        host.put("/etc/ssh/sshd_config.d/50-countersign.conf", config.as_bytes());
        let (_, found) = doctor(&host, "");
        let names = found.into_iter().map(|(name, _)| name);
        let ways = names.filter(|name| name.contains("-alone") || name.contains("-refused"));
        ways.map(|name| name.replace("sshd-", "")).collect()
    };
    assert_eq!(ways(""), ["key-refused"]);
    assert_eq!(ways(SSHD), [""; 0]);
    assert_eq!(ways("GSSAPIAuthentication yes\n"), ["gssapi-refused", "key-refused"]);
    assert_eq!(ways("HostbasedAuthentication yes\nPubkeyAuthentication no\n"), ["hostbased-refused"]);
    assert_eq!(ways("PubkeyAuthentication no\n"), [""; 0]);
    assert_eq!(ways("AuthenticationMethods publickey\n"), ["key-refused"]);
    assert_eq!(ways("AuthenticationMethods publickey,password\n"), [""; 0]);
    let for_alice = "Match User alice\n  AuthenticationMethods publickey\n";
    assert_eq!(ways(for_alice), ["key-refused"]);
    assert_eq!(ways(&format!("{SSHD}{for_alice}")), ["key-refused (User alice)"]);
    // Without the net below, a key lets in whoever has one, and so do the others.
    host.ok("sed -i '/pam_countersign/d' /etc/pam.d/common-account");
    assert_eq!(ways("GSSAPIAuthentication yes\n"), ["gssapi-alone", "key-alone"]);
    assert_eq!(ways(SSHD), [""; 0]);
    assert!(POLICY.contains("staff"));
}
