//! Other versions of the package and of the database.
//!
//! There is one migration so far and it makes the database, so that there is no step between two versions
//! that a kill could interrupt yet; `dat_08` is where the fixtures of released versions will go.

use crate::{CODE, protected, require_boot, ssh};
use countersign_tests::Booted;
use countersign_tests::scratch::Scratch;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::Command;

/// The package under another version number.
fn repacked(version: &str) -> Vec<u8> {
    repacked_with(version, &[])
}

/// The same, with these scripts of the maintainer beside the others.
pub(crate) fn repacked_with(version: &str, scripts: &[(&str, &str)]) -> Vec<u8> {
    let dir = Scratch::new("repack");
    let deb: PathBuf = countersign_tests::booted::package();
    let run = |program: &str, args: &[&std::ffi::OsStr]| {
        let out = Command::new(program).args(args).output().expect("dpkg-deb (dpkg)");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    let (tree, other) = (dir.join("tree"), dir.join("other.deb"));
    run("dpkg-deb", &["-R".as_ref(), deb.as_os_str(), tree.as_os_str()]);
    let control = tree.join("DEBIAN/control");
    let text = std::fs::read_to_string(&control).expect("a control file");
    let lines = text.lines().map(|line| match line.strip_prefix("Version: ") {
        Some(_) => format!("Version: {version}\n"),
        None => format!("{line}\n"),
    });
    std::fs::write(&control, lines.collect::<String>()).expect("our own folder");
    for (name, script) in scripts {
        let path = tree.join("DEBIAN").join(name);
        std::fs::write(&path, script).expect("our own folder");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("our own file");
    }
    run(
        "dpkg-deb",
        &[
            "-Znone".as_ref(),
            "--root-owner-group".as_ref(),
            "-b".as_ref(),
            tree.as_os_str(),
            other.as_os_str(),
        ],
    );
    std::fs::read(other).expect("a package")
}

fn install(host: &Booted, version: &str) {
    host.put("/root/other.deb", &repacked(version));
    host.ok("apt-get -qq install -y --allow-downgrades --no-install-recommends /root/other.deb");
    let now = host.ok("dpkg-query -W -f '${Version}' countersign");
    assert_eq!(now, version);
}

#[test]
fn avl_07_to_a_newer_package_and_back_nobody_is_forgotten() {
    require_boot!(Tool("dpkg-deb"));
    let (host, alice) = protected();
    install(&host, "9.0.0");
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "true");
    assert!(status.success() && shown.contains(CODE), "newer: {shown}");
    install(&host, "0.0.9");
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0], "no"], "true");
    assert!(status.success() && shown.contains(CODE), "older: {shown}");
    host.ok("grep -q pam_countersign /etc/pam.d/common-auth");
}

/// `from` for `to` in a file of the host, of the same length.
fn patched(host: &Booted, file: &str, from: &str, to: &str) {
    let changed =
        format!("perl -0777 -pi -e 's/\\Q{from}\\E/{to}/g or exit 1' {file} && ! grep -qaF {from} {file}");
    host.ok(&changed);
}

/// The version is in the names on the bus, so module and daemon of two versions do not meet: whoever is asked is
/// refused, and the log says what to look at.
#[test]
fn avl_07_a_module_and_a_daemon_of_two_versions_let_nobody_in_and_say_so() {
    require_boot!();
    let (host, alice) = protected();
    let module = "/lib/x86_64-linux-gnu/security/pam_countersign.so";
    let daemon = "/usr/sbin/countersignd";
    host.ok(&format!("cp -a {module} /root/module.so && cp -a {daemon} /root/countersignd"));
    let refused = |what: &str, line: &str| {
        host.record.say(what);
        let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0]], "echo in-as-$USER");
        assert!(!status.success() && !shown.contains("in-as-alice"), "{what}: {shown}");
        host.wait_for(&format!("journalctl -q -t sshd -o cat | grep -q '{line}'"));
        host.ok("journalctl -q --rotate --vacuum-time=1s");
    };
    patched(&host, module, "org.countersign1.Login", "org.countersign2.Login");
    refused("a module that speaks another interface", "AccessDenied.*are pam_countersign.so, countersignd");
    host.ok(&format!("cp -a /root/module.so {module} && systemctl stop countersignd"));
    patched(&host, daemon, "org.countersign1", "org.countersign2");
    refused("a daemon of another version", "pam_countersign(sshd:auth): refused: ");
    host.ok(&format!("cp -a /root/countersignd {daemon} && systemctl restart countersignd"));
    let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0], "no"], "true");
    assert!(status.success() && shown.contains(CODE), "of one version again: {shown}");
}

/// What a downgrade over a migration finds.
#[test]
fn dat_08_a_database_of_another_version_is_refused_with_a_clear_word() {
    require_boot!();
    let (host, alice) = protected();
    host.ok("systemctl stop countersignd");
    for (what, version) in [("newer", 99), ("older", 0)] {
        // The schema version is four bytes in the header of every SQLite database (its file format, 1.3).
        host.ok(&format!(
            "cp -a /var/lib/countersign/countersign.db /root/db && printf '\\000\\000\\000\\{version:03o}' | dd of=/var/lib/countersign/countersign.db bs=1 seek=60 conv=notrunc status=none"
        ));
        assert!(!host.run("systemctl restart countersignd").status.success(), "{what}");
        let said = host.ok("journalctl -u countersignd -o cat -n 20 --no-pager");
        let sentence = format!("has schema version {version}, this countersignd knows ");
        assert!(
            said.contains(&sentence) && said.contains("install the countersign version that wrote it"),
            "{said}"
        );
        if version == 99 {
            let (status, shown) = ssh(&host, "alice", &[&alice.recovery[0]], "true");
            assert!(!status.success(), "{what}: {shown}");
        }
        host.ok("systemctl stop countersignd && cp -a /root/db /var/lib/countersign/countersign.db");
    }
    host.ok("systemctl start countersignd");
    assert!(ssh(&host, "alice", &[&alice.recovery[0], "no"], "true").0.success(), "the right one");
}
