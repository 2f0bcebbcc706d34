//! The life of the rpm after its installation: a newer one, the same once more, an older one, and a first day that
//! goes wrong.

use super::{package, run};
use countersign_tests::scratch::Scratch;
use countersign_tests::{booted, require};
use std::path::Path;
use std::process::Command;

/// A Debian that was never booted, and what rpm and its own shell do in it.
struct System(booted::Overlay);

impl System {
    fn new() -> Self {
        let system = Self(booted::Overlay::new());
        run("mount", &["-t", "proc", "proc", &format!("{}/proc", system.root())], &[]);
        system
    }

    fn root(&self) -> String {
        self.0.root().to_str().expect("UTF-8").to_owned()
    }

    /// Whether rpm was content, and all that it and the scripts said.
    fn rpm(&self, args: &[&str]) -> (bool, String) {
        let mut rpm = Command::new("rpm");
        rpm.args(["--root", &self.root()]).args(args);
        if args[0] != "-q" {
            rpm.arg("--nodeps"); // the system's packages are not rpm's
        }
        let out = rpm.output().expect("rpm");
        let said = [out.stdout, out.stderr].concat();
        (out.status.success(), String::from_utf8_lossy(&said).into_owned())
    }

    fn ok(&self, args: &[&str]) -> String {
        let (content, said) = self.rpm(args);
        assert!(content, "rpm {args:?}: {said}");
        said
    }

    fn shell(&self, script: &str) -> String {
        run("chroot", &[&self.root(), "sh", "-c", script], &[])
    }

    /// What people enrolled and what administrators wrote.
    fn kept(&self) -> String {
        self.shell(
            "sha256sum /var/lib/countersign/countersign.db /var/lib/countersign/instance /etc/countersign/key \
             /etc/countersign/countersign.toml /etc/pam.d/login; stat -c '%n %a %U:%G' /etc/countersign/key \
             /var/lib/countersign /var/lib/countersign/*",
        )
    }
}

fn utf8(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn avl_07_a_newer_rpm_the_same_and_an_older_one_leave_people_and_lines_alone() {
    require!(Root, Tool("rpm"), Tool("rpmbuild"), File(booted::ROOT));
    let Some(rpm) = package("target/rpm", "rpm") else {
        return countersign_tests::needs::skip("needs a package in target/rpm: make rpm");
    };
    let folder = Scratch::new("newer-rpm");
    let newer = run("scripts/rpm", &[utf8(folder.path()), "9.0.0"], &[]);
    let (rpm, newer) = (utf8(&rpm), newer.trim());
    let system = System::new();
    system.ok(&["-i", rpm]);
    system.shell(
        "sed -i '/^@include common-auth/a auth required pam_countersign.so' /etc/pam.d/login; \
         echo '# mine' >>/etc/countersign/countersign.toml",
    );
    let before = system.kept();
    let version = || system.ok(&["-q", "--qf", "%{VERSION}", "countersign"]);
    for (args, expected) in [
        (vec!["-U", newer], "9.0.0"),
        (vec!["-U", "--replacepkgs", newer], "9.0.0"),
        (vec!["-U", "--oldpackage", rpm], "0.1.0"),
    ] {
        let said = system.ok(&args);
        assert!(!said.contains("left in place") && !said.contains("took its lines"), "{args:?}: {said}");
        assert_eq!(version(), expected, "{said}");
        assert_eq!(system.kept(), before, "{args:?}: {said}");
    }
    // Removed and installed again, people are found again.
    let said = system.ok(&["-e", "countersign"]);
    assert!(said.contains("lines out of /etc/pam.d/login"), "{said}");
    let state = |kept: &str| {
        kept.lines().filter(|line| line.contains("/var/lib")).map(str::to_owned).collect::<Vec<_>>()
    };
    system.ok(&["-i", newer]);
    assert_eq!(state(&system.kept()), state(&before));
}

#[test]
fn a_first_day_of_the_rpm_that_goes_wrong_is_said_and_can_be_mended() {
    require!(Root, Tool("rpm"), File(booted::ROOT));
    let Some(rpm) = package("target/rpm", "rpm") else {
        return countersign_tests::needs::skip("needs a package in target/rpm: make rpm");
    };
    let system = System::new();
    system.shell("touch /var/lib/countersign");
    let (_, said) = system.rpm(&["-i", utf8(&rpm)]);
    assert!(said.contains("countersignd --init FAILED"), "{said}");
    assert!(said.contains("scriptlet failed"), "rpm says it, too: {said}");
    system.ok(&["-q", "countersign"]);
    system.shell("test ! -e /etc/countersign/key && rm /var/lib/countersign && countersignd --init");
    system.shell("test -e /var/lib/countersign/countersign.db && test -e /etc/countersign/key");
}
