//! Who could still log in: `enable` looks at everybody who administers the host, by key, password and sudo.

use crate::enable::{files, host, refused, try_at};
use crate::{PASSWORD, enroll, policy, require_boot};

const ROOT_BY_KEY: &str = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no root@127.0.0.1 true";
const OUT: &str = "nobody who administers this host could log in to";

#[test]
fn an_administrator_who_could_log_in_before_must_be_able_to_afterwards() {
    require_boot!();
    let host = host("[[policy]]\nname = \"all\"\n");
    host.ok("gpasswd -d alice sudo");
    enroll(&host, "alice");
    let before = files(&host);
    // The usual machine of a cloud: root by a key, and no password.
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && cp /root/.ssh/id_ed25519.pub /root/.ssh/authorized_keys && passwd -ql root");
    host.ok(ROOT_BY_KEY);
    let root = refused(&host, "countersignctl enable sshd", 1);
    assert!(root.contains(&format!("{OUT} sshd any more")) && root.contains("\n         root."), "{root}");
    // carol may sudo and has no factor; alice has one, and may not.
    host.ok("usermod -a -G sudo carol");
    let sudo = refused(&host, "countersignctl enable sudo", 1);
    assert!(sudo.contains(&format!("{OUT} sudo any more")) && sudo.contains("\n         carol."), "{sudo}");
    assert_eq!(files(&host), before);
    enroll(&host, "carol");
    host.ok("countersignctl enable sudo --dry-run");
    let noted = host.ok("countersignctl enable sshd --dry-run");
    assert!(noted.contains("without a factor, so locked out there: root"), "{noted}");

    // Whom policy leaves alone is asked for a password by sshd all the same, and root types none.
    host.ok("gpasswd -d carol sudo");
    policy(&host, "[[policy]]\nname = \"all\"\nexcept = { users = [\"root\"] }\n");
    let key = refused(&host, "countersignctl enable sshd --dry-run", 6);
    assert!(key.contains(&format!("{OUT} sshd")) && key.contains("root needs PermitRootLogin yes"), "{key}");
    host.ok(&format!("echo 'root:{PASSWORD}' | chpasswd && countersignctl enable sshd --force --yes"));
    crate::enable::listening(&host);
    let words = [
        "ssh",
        "-o",
        "StrictHostKeyChecking=no",
        "-o",
        "NumberOfPasswordPrompts=1",
        "root@127.0.0.1",
        "true",
    ];
    assert!(!try_at(&host, &words, &[PASSWORD]).0, "a key and the right password: it is so");
    host.ok("countersignctl disable --all --yes");
    crate::enable::listening(&host);
    // A Match block of root's own is seen.
    host.ok("printf 'Match User root\\n  AuthenticationMethods publickey\\n' >>/etc/ssh/sshd_config");
    host.ok("countersignctl enable sshd");
    crate::enable::listening(&host);
    host.ok(ROOT_BY_KEY);
    host.ok("countersignctl disable --all --yes");
}
