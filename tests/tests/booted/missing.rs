//! BYP-11: a module that cannot be loaded lets nobody in.

use crate::{PASSWORD, PATIENCE, answer, protected, require_boot};
use countersign_tests::Booted;

const MODULE: &str = "/lib/x86_64-linux-gnu/security/pam_countersign.so";

/// `su` by somebody else, who knows the password: whether it gave a shell, and what it showed.
fn enters(host: &Booted) -> (bool, String) {
    let su = host.command(&["runuser", "-u", "carol", "--", "su", "alice", "-c", "echo in-as-$USER"]);
    let mut pty = host.terminal(&su);
    if pty.expect_or_end("assword: ", PATIENCE) {
        pty.send_line(PASSWORD);
    }
    let status = pty.wait(PATIENCE);
    let shown = pty.transcript().to_owned();
    (status.success() || shown.contains("in-as-alice"), shown)
}

#[test]
fn byp_11_a_module_that_cannot_be_loaded_lets_nobody_in() {
    require_boot!();
    let (host, alice) = protected();
    host.ok(&format!("cp {MODULE} /root/module.so"));
    host.ok(crate::NO_DELAY);
    let damages = [
        ("missing", "rm MODULE"),
        ("empty", "truncate -s 0 MODULE"),
        ("cut in half", "truncate -s $(($(stat -c %s MODULE) / 2)) MODULE"),
        ("for another processor", r"printf '\267' | dd of=MODULE bs=1 seek=18 conv=notrunc status=none"),
        ("a text", "echo 'auth required pam_permit.so' >MODULE"),
        ("a folder", "rm MODULE && mkdir MODULE"),
        ("a module without our entry points", "cp /lib/x86_64-linux-gnu/libm.so.6 MODULE"),
    ];
    // With the line for the auth phase alone, so that no other refuses in its place; and as a line that is
    // not even logged where it cannot be loaded.
    host.ok("sed -i '/pam_countersign/d' /etc/pam.d/common-account");
    for line in ["auth\trequired", "-auth\trequired"] {
        host.ok(&format!(
            "sed -i 's/^-*auth\\s.*\\(pam_countersign.so\\)/{line} \\1/' /etc/pam.d/common-auth"
        ));
        host.ok(&format!("grep -c '^{line} pam_countersign.so' /etc/pam.d/common-auth"));
        for (what, how) in damages {
            host.record.say(&format!("the module is {what}"));
            host.ok(&how.replace("MODULE", MODULE));
            let (entered, shown) = enters(&host);
            assert!(!entered, "{line}, the module is {what}: {shown}");
            host.ok(&format!("rm -rf {MODULE} && cp /root/module.so {MODULE}"));
        }
    }
    // root may read what nobody may: a mode keeps no module away, and the code is asked for.
    host.ok(&format!("chmod 000 {MODULE}"));
    let su = ["runuser", "-u", "carol", "--", "su", "alice", "-c", "echo in-as-$USER"];
    let shown = answer(&host, &su, &[PASSWORD, &alice.fresh_code()]);
    assert!(shown.contains("in-as-alice"), "{shown}");
}
