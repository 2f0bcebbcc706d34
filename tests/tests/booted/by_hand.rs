//! AVL-08, the third way: `make install` as the README has it for other distributions, and `make uninstall`.

use crate::enable::{AT_LOGIN, listening};
use crate::{CODE, PASSWORD, enroll, policy, require_boot, ssh};
use countersign_tests::Booted;
use countersign_tests::artifacts::source_root;
use std::process::Command;

const README: &str = include_str!("../../../README.md");
/// What `packaging/install` reads.
const SOURCES: [&str; 6] = ["Makefile", "packaging", "config", "docs", "README.md", "target/stage"];

/// The README's commands after "Elsewhere:", as root types them in the sources.
fn steps() -> String {
    let text = README.split_once("\nElsewhere:\n\n").expect("how to install elsewhere").1;
    let lines = text.lines().map_while(|line| line.strip_prefix("    "));
    let steps: Vec<&str> = lines.filter(|line| *line != "make build").collect();
    assert!(steps.iter().any(|line| line.contains("make install")), "{steps:?}");
    steps.join("\n").replace("sudo ", "")
}

#[test]
fn avl_08_make_uninstall_takes_the_lines_out_first_and_everybody_gets_in() {
    require_boot!(Tool("tar"), Staged("THIRD-PARTY"));
    let host = Booted::boot();
    for user in ["alice", "carol"] {
        host.ok(&format!("useradd -m -s /bin/bash {user} && echo '{user}:{PASSWORD}' | chpasswd"));
    }
    host.ok("usermod -a -G staff,sudo alice");
    let packed =
        Command::new("tar").arg("-c").args(SOURCES).current_dir(source_root()).output().expect("tar");
    host.put("/root/sources.tar", &packed.stdout);
    host.ok("mkdir /root/sources && tar -C /root/sources -xf /root/sources.tar");
    host.ok(&format!("set -e; cd /root/sources\n{}", steps()));
    host.ok("test -e /usr/lib/x86_64-linux-gnu/security/pam_countersign.so; sh /root/sources/packaging/deb/tests/smoke");

    policy(&host, AT_LOGIN);
    let alice = enroll(&host, "alice");
    host.ok("countersignctl enable sshd");
    listening(&host);
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "true");
    assert!(status.success() && shown.contains(CODE), "{shown}");
    host.ok("countersignctl confirm && countersignctl enable --all --rollback-after 1h");

    host.record.say("and away again");
    let module = host.ok("ls /usr/lib/*/security/pam_countersign.so");
    // Whether the module was still there when the lines went, by what the script itself sees.
    host.ok(&format!(
        "cd /root/sources && sed -i '2i test -e {} && echo module still there' packaging/usr/lib/countersign/take-lines-out",
        module.trim()
    ));
    let said = host.ok("cd /root/sources && make uninstall");
    assert!(said.contains("module still there\n"), "{said}");
    host.ok("! grep -r pam_countersign /etc/pam.d && test ! -e /etc/ssh/sshd_config.d/00-countersign.conf");
    host.ok(&format!("test ! -e {}", module.trim()));
    listening(&host);
    let (status, shown) = ssh(&host, "alice", &[], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice") && !shown.contains(CODE), "{shown}");
    host.ok(
        "! systemctl is-active countersignd && test -z \"$(find /etc/systemd/system -name 'countersign*')\"",
    );
    host.ok("! pgrep -x countersignd && test -e /var/lib/countersign/countersign.db && test -e /etc/countersign/key");

    host.record.say("and once more: people are found again");
    host.ok("cd /root/sources && make -s install && systemctl daemon-reload && systemctl reload dbus && systemctl enable --now countersignd");
    host.ok("countersignctl status alice --json | grep -q totp");
}
