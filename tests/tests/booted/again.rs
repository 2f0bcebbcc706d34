//! `enable` over what is there already: a change that waits, one of which a part is gone, and `--all`.

use crate::enable::{AT_LOGIN, files, host, listening, refused, try_at};
use crate::{PASSWORD, enroll, require_boot, ssh};

const DROP_IN: &str = "/etc/ssh/sshd_config.d/00-countersign.conf";
const NOTHING_WAITS: &str = "test -z \"$(ls -A /etc/countersign/enabled.d)\"";

#[test]
fn a_change_that_waits_keeps_its_way_back_and_one_that_is_confirmed_is_not_lost_with_the_next() {
    require_boot!();
    let host = host(AT_LOGIN);
    let before = files(&host);
    host.ok("countersignctl enable sshd --rollback-after 8s");
    host.ok(&format!("rm {DROP_IN}"));
    let waits = refused(&host, "countersignctl enable sshd", 1);
    assert!(waits.contains("sshd still waits to be confirmed (taken back in"), "{waits}");
    assert!(waits.contains("countersignctl disable sshd"), "{waits}");
    host.wait_for(NOTHING_WAITS);
    assert_eq!(files(&host), before, "the lines are not forgotten over the drop-in");

    let alice = enroll(&host, "alice");
    host.ok("countersignctl enable sshd");
    listening(&host);
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "true");
    assert!(status.success(), "{shown}");
    host.ok("countersignctl confirm");
    let confirmed = files(&host);
    host.ok(&format!("rm {DROP_IN}"));
    let without = files(&host);
    let again = host.ok("countersignctl enable sshd --rollback-after 6s");
    assert!(
        again.contains("sshd asks already (by sshd)") && again.contains(&format!("+++ {DROP_IN}")),
        "{again}"
    );
    assert_eq!(files(&host), confirmed);
    let older = refused(&host, "countersignctl confirm", 1);
    assert!(older.contains("no login with a code since the change"), "alice's was before: {older}");
    host.wait_for(&format!("test ! -e {DROP_IN} && test \"$(ls -A /etc/countersign/enabled.d)\" = sshd"));
    assert_eq!(files(&host), without, "what was confirmed before stays");
    host.ok("countersignctl enable sshd");
    host.ok("countersignctl disable sshd --yes");
    assert_eq!(files(&host), before);
    host.ok(NOTHING_WAITS);
}

#[test]
fn byp_12_sshd_gets_its_own_part_after_every_service_and_a_tool_that_declines_is_no_success() {
    require_boot!();
    let host = host(AT_LOGIN);
    host.ok(&format!("echo 'root:{PASSWORD}' | chpasswd"));
    // An administrator who has no factor yet, and sets one up in the first login.
    host.ok("usermod -a -G staff,sudo carol");
    let alice = enroll(&host, "alice");
    let before = files(&host);
    host.ok("countersignctl enable --all");
    let sudo = ["runuser", "-u", "alice", "--", "sudo", "-k", "id", "-un"];
    let (entered, shown) = try_at(&host, &sudo, &[PASSWORD, &alice.fresh_code()]);
    assert!(entered, "{shown}");
    host.ok("countersignctl confirm");
    let second = host.ok("countersignctl enable sshd");
    assert!(second.contains("sshd asks already (by common-auth)"), "{second}");
    assert!(second.contains("+AuthenticationMethods publickey,keyboard-interactive:pam"), "{second}");
    assert!(!second.contains("locked out"), "carol can begin: {second}");
    host.ok("countersignctl disable --all --yes");
    assert_eq!(files(&host), before);

    // Somebody has edited the tool's file: it says so, does nothing, and calls that a success.
    host.ok(
        "sed -i 's/^auth.*pam_unix.so/auth required pam_faillock.so preauth\\n&/' /etc/pam.d/common-auth",
    );
    let edited = files(&host);
    for dry in ["", " --dry-run"] {
        let declined = refused(&host, &format!("countersignctl enable --all{dry}"), 1);
        assert!(declined.contains("did not put our lines into common-auth"), "{declined}");
        assert!(declined.contains("ocal modifications"), "the tool's own words: {declined}");
        assert!(declined.contains("countersignctl enable sshd sudo su"), "{declined}");
    }
    assert_eq!(files(&host), edited);
    host.ok("countersignctl enable sshd --dry-run");
}
