//! Trees of `/etc/pam.d` as distributions ship them, in the lines that matter.

use super::*;
use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

struct Tree(Host);

impl Tree {
    fn of(name: &str, files: &[(&str, &str)]) -> Self {
        // Tests may share a process, and a name.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let root = std::env::temp_dir().join(format!("ctl-enable-{name}-{}-{number}", std::process::id()));
        drop(fs::remove_dir_all(&root));
        for folder in ["run", "etc/pam.d", "usr/lib/pam.d"] {
            fs::create_dir_all(root.join(folder)).expect("ours");
        }
        for (file, content) in files {
            let folder = if file.starts_with('/') { "" } else { "etc/pam.d/" };
            fs::write(root.join(folder).join(file.trim_start_matches('/')), content).expect("ours");
        }
        Self(Host::below(root))
    }

    /// The plan of one service, and the file that it would make.
    fn plan(&self, service: &str, after_key: bool) -> (Box<Plan>, String) {
        let trial = Trial::new(&self.0).expect("a copy");
        match plan(&self.0, &trial, service, after_key) {
            Ok(Planned::Change(plan)) => {
                let after = plan.change.after.as_ref().expect("a file").bytes.clone();
                (plan, String::from_utf8(after).expect("text"))
            }
            Ok(Planned::Already { place, .. }) => panic!("{service} asks already by {place}"),
            Err(why) => panic!("{service}: {why:?}"),
        }
    }

    fn refusal(&self, service: &str) -> Hopeless {
        let trial = Trial::new(&self.0).expect("a copy");
        plan(&self.0, &trial, service, false).err().expect("refused")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(self.0.root()));
    }
}

const OURS: &str = "auth       required     pam_countersign.so";
const DEBIAN_AUTH: &str = "auth [success=1 default=ignore] pam_unix.so nullok\nauth requisite pam_deny.so\n\
                           auth required pam_permit.so\n";
const DEBIAN_ACCOUNT: &str = "account [success=1 new_authtok_reqd=done default=ignore] pam_unix.so\n\
                              account requisite pam_deny.so\naccount required pam_permit.so\n";
const DEBIAN_SSHD: &str = "# ssh\n@include common-auth\naccount    required     pam_nologin.so\n\
                           @include common-account\n@include common-session\n";

fn debian() -> Tree {
    Tree::of(
        "debian",
        &[
            ("common-auth", DEBIAN_AUTH),
            ("common-account", DEBIAN_ACCOUNT),
            ("common-session", "session required pam_unix.so\n"),
            ("sshd", DEBIAN_SSHD),
            ("su", "auth sufficient pam_rootok.so\n@include common-auth\n@include common-account\n"),
            ("su-l", "auth include su\naccount include su\nsession include su\n"),
            ("sudo", "session required pam_limits.so\n@include common-auth\n@include common-account\n"),
            ("other", "@include common-auth\n@include common-account\n"),
            ("cron", "session required pam_limits.so\n"),
            ("runuser", "auth sufficient pam_rootok.so\naccount required pam_permit.so\n"),
            ("/usr/lib/pam.d/polkit-1", "@include common-auth\n@include common-account\n"),
        ],
    )
}

#[test]
fn byp_12_debian_asks_behind_the_common_password_in_every_way() {
    let debian = debian();
    let (plan, made) = debian.plan("sshd", false);
    assert!(plan.after_first_factor && plan.problems.is_empty(), "{:?}", plan.problems);
    // The account line comes first: an expired password would end the phase before it.
    assert_eq!(
        made,
        format!(
            "# ssh\n@include common-auth\n{OURS} after_first_factor\naccount    required     pam_nologin.so\n\
             account    required     pam_countersign.so\n@include common-account\n@include common-session\n"
        )
    );
    assert_eq!(plan.change.before.as_ref().expect("there").bytes, DEBIAN_SSHD.as_bytes());

    let (plan, made) = debian.plan("su", false);
    assert!(plan.after_first_factor && plan.problems.is_empty(), "{:?}", plan.problems);
    assert_eq!(plan.also, ["su-l"], "it includes su");
    assert!(made.starts_with(&format!("auth sufficient pam_rootok.so\n@include common-auth\n{OURS}")));
}

#[test]
fn a_shipped_file_gets_one_of_the_administrators_over_it() {
    let (plan, made) = debian().plan("polkit-1", false);
    assert_eq!(plan.change.path, PathBuf::from("/etc/pam.d/polkit-1"));
    assert_eq!(plan.change.before, None, "so it goes when we go");
    assert!(made.starts_with("@include common-auth\n") && plan.problems.is_empty());
}

#[test]
fn one_after_the_other_each_asks_once() {
    let debian = debian();
    let trial = Trial::new(&debian.0).expect("a copy");
    assert!(matches!(plan(&debian.0, &trial, "su", false), Ok(Planned::Change(_))));
    assert!(
        matches!(plan(&debian.0, &trial, "su-l", false), Ok(Planned::Already { place, after_first_factor: true }) if place == "su")
    );
    // The other way round su-l would ask twice.
    let trial = Trial::new(&debian.0).expect("a copy");
    assert!(matches!(plan(&debian.0, &trial, "su-l", false), Ok(Planned::Change(_))));
    let Ok(Planned::Change(su)) = plan(&debian.0, &trial, "su", false) else { panic!("planned") };
    assert_eq!(su.problems.len(), 1, "{:?}", su.problems);
    assert!(su.problems[0].contains("su-l would ask twice"), "{:?}", su.problems);
}

#[test]
fn the_recipe_of_a_key_and_a_code_takes_the_password_out_and_gives_it_back() {
    let (plan, made) = debian().plan("sshd", true);
    assert!(!plan.after_first_factor && plan.problems.is_empty(), "{:?}", plan.problems);
    assert!(
        made.starts_with(&format!("# ssh\n#countersign-was# @include common-auth\n{OURS} after_key\n")),
        "{made}"
    );
    let back = super::super::lines::without_ours(made.as_bytes());
    assert_eq!(back.as_deref(), Some(DEBIAN_SSHD.as_bytes()));
}

#[test]
fn what_cannot_be_planned_says_why() {
    let debian = debian();
    assert!(matches!(debian.refusal("nosuch"), Hopeless::Unknown(why) if why.contains("cron other")));
    assert!(matches!(debian.refusal("common-auth"), Hopeless::Refused(why) if why.contains("--all")));
    assert!(matches!(debian.refusal("cron"), Hopeless::Refused(why) if why.contains("@include common-auth")));
    assert!(matches!(debian.refusal("runuser"), Hopeless::Refused(why) if why.contains("no password")));
    let half = Tree::of("half", &[("sshd", "auth required pam_unix.so\nauth required pam_countersign.so\n")]);
    assert!(matches!(half.refusal("sshd"), Hopeless::Refused(why) if why.contains("disable sshd")));
}

/// Fedora and RHEL 9 with authselect: the password is `sufficient`, in a file of its own.
fn fedora() -> Tree {
    let auth = "auth required pam_env.so\nauth required pam_faildelay.so delay=2000000\n\
                auth sufficient pam_unix.so nullok\nauth required pam_deny.so\n\
                account required pam_unix.so\naccount sufficient pam_localuser.so\n\
                account sufficient pam_usertype.so issystem\naccount required pam_permit.so\n";
    Tree::of(
        "fedora",
        &[
            ("system-auth", auth),
            ("password-auth", auth),
            ("postlogin", "auth optional pam_umask.so silent\nsession optional pam_umask.so silent\n"),
            (
                "sshd",
                "auth substack password-auth\nauth include postlogin\naccount required pam_sepermit.so\n\
                 account required pam_nologin.so\naccount include password-auth\n",
            ),
            ("sudo", "auth include system-auth\naccount include system-auth\nsession include system-auth\n"),
            ("sudo-i", "auth include sudo\naccount include sudo\nsession include sudo\n"),
            (
                "su",
                "auth required pam_env.so\nauth sufficient pam_rootok.so\nauth substack system-auth\n\
                 auth include postlogin\naccount sufficient pam_succeed_if.so uid = 0 use_uid quiet\n\
                 account include system-auth\n",
            ),
            (
                "gdm-password",
                "auth [success=done ignore=ignore default=bad] pam_selinux_permit.so\n\
                 auth substack password-auth\nauth optional pam_gnome_keyring.so\nauth include postlogin\n\
                 account required pam_nologin.so\naccount include password-auth\n",
            ),
        ],
    )
}

#[test]
fn byp_12_fedora_and_rhel_end_in_a_substack_and_the_first_factor_is_not_certain() {
    let fedora = fedora();
    let (plan, made) = fedora.plan("sshd", false);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    assert!(!plan.after_first_factor, "pam_deny is only required: we run after a wrong password");
    assert!(
        made.starts_with(&format!("auth substack password-auth\n{OURS}\nauth include postlogin\n")),
        "{made}"
    );
    // `sufficient pam_localuser` would end the phase before a line behind it.
    assert!(
        made.ends_with(
            "account required pam_nologin.so\naccount    required     pam_countersign.so\n\
             account include password-auth\n"
        ),
        "{made}"
    );
}

#[test]
fn byp_12_an_include_that_a_right_password_ends_becomes_a_substack() {
    let fedora = fedora();
    let (plan, made) = fedora.plan("sudo", false);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    assert_eq!(plan.also, ["sudo-i"]);
    assert!(
        made.starts_with(&format!(
            "#countersign-was# auth include system-auth\nauth       substack     system-auth \
             # instead of the line above, for pam_countersign\n{OURS}\n"
        )),
        "{made}"
    );
    let back = super::super::lines::without_ours(made.as_bytes()).expect("ours");
    let back = String::from_utf8(back).expect("text");
    assert!(back.starts_with("auth include system-auth\naccount include"), "{back}");
}

#[test]
fn byp_12_the_account_line_comes_before_what_ends_the_phase() {
    let fedora = fedora();
    let (plan, made) = fedora.plan("su", false);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    let ours = made.find("account    required     pam_countersign.so").expect("there");
    assert!(ours < made.find("account sufficient pam_succeed_if.so").expect("there"), "{made}");

    let (plan, _) = fedora.plan("gdm-password", false);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    assert!(plan.notes.iter().any(|note| note.contains("pam_selinux_permit.so")), "{:?}", plan.notes);
}

#[test]
fn byp_12_arch_and_suse() {
    let system = "auth required pam_faillock.so preauth\nauth [success=2 default=ignore] pam_systemd_home.so\n\
                  auth [success=1 default=bad] pam_unix.so try_first_pass nullok\n\
                  auth [default=die] pam_faillock.so authfail\nauth optional pam_permit.so\n\
                  auth required pam_env.so\nauth required pam_faillock.so authsucc\n\
                  account [success=1 default=ignore] pam_systemd_home.so\naccount required pam_unix.so\n\
                  account optional pam_permit.so\naccount required pam_time.so\n";
    let arch = Tree::of(
        "arch",
        &[
            ("system-auth", system),
            (
                "system-login",
                "auth required pam_shells.so\nauth requisite pam_nologin.so\nauth include system-auth\n\
                 account required pam_access.so\naccount required pam_nologin.so\naccount include system-auth\n",
            ),
            ("system-remote-login", "auth include system-login\naccount include system-login\n"),
            ("sshd", "auth include system-remote-login\naccount include system-remote-login\n"),
        ],
    );
    let (plan, made) = arch.plan("sshd", false);
    assert!(plan.problems.is_empty() && plan.after_first_factor, "{:?}", plan.problems);
    assert!(
        made.starts_with(&format!("auth include system-remote-login\n{OURS} after_first_factor\n")),
        "{made}"
    );

    let suse = Tree::of(
        "suse",
        &[
            ("common-auth", "auth required pam_env.so\nauth required pam_unix.so try_first_pass\n"),
            ("common-account", "account required pam_unix.so try_first_pass\n"),
            (
                "/usr/lib/pam.d/sshd",
                "auth requisite pam_nologin.so\nauth include common-auth\naccount include common-account\n",
            ),
        ],
    );
    let (plan, made) = suse.plan("sshd", false);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    assert!(!plan.after_first_factor, "a wrong password goes on");
    assert!(plan.change.before.is_none());
    assert!(made.contains(&format!("auth include common-auth\n{OURS}\n")), "{made}");
}

#[test]
fn a_password_that_jumps_in_the_services_own_file() {
    let account = "account required pam_unix.so\n";
    let own = Tree::of("own", &[("sshd", &format!("{DEBIAN_AUTH}{account}"))]);
    let (plan, made) = own.plan("sshd", false);
    assert!(plan.problems.is_empty() && plan.after_first_factor, "{:?}", plan.problems);
    assert!(
        made.starts_with(&DEBIAN_AUTH.replace(
            "auth required pam_permit.so",
            &format!("{OURS} after_first_factor\nauth required pam_permit.so")
        )),
        "{made}"
    );
}

#[test]
fn a_way_around_is_a_problem() {
    let tree = Tree::of(
        "around",
        &[(
            "sshd",
            "auth sufficient pam_ssh_agent_auth.so\nauth required pam_unix.so\naccount required pam_unix.so\n",
        )],
    );
    let (plan, _) = tree.plan("sshd", false);
    assert!(
        plan.problems.iter().any(|one| one.contains("sshd:1 (pam_ssh_agent_auth.so)")),
        "{:?}",
        plan.problems
    );
    let tree = Tree::of(
        "after",
        &[(
            "sshd",
            "auth requisite pam_unix.so\nauth sufficient pam_permit.so\naccount required pam_unix.so\n",
        )],
    );
    let (plan, _) = tree.plan("sshd", false);
    assert!(plan.problems.is_empty(), "a required refusal stays: {:?}", plan.problems);
}

#[test]
fn lines_that_go_on_and_a_last_line_without_an_end() {
    let fedora = fedora();
    let sudo = fedora.0.real("/etc/pam.d/sudo");
    let own = "auth include \\\n# why\n  system-auth\naccount include system-auth";
    fs::write(&sudo, own).expect("ours");
    let (plan, made) = fedora.plan("sudo", false);
    assert!(plan.problems.is_empty(), "{:?}", plan.problems);
    assert!(
        made.starts_with(
            "#countersign-was# auth include \\\n#countersign-was# # why\n#countersign-was#   system-auth\n\
             auth       substack     system-auth # instead of the line above, for pam_countersign\n"
        ) && made.ends_with("account include system-auth"),
        "{made}"
    );
    assert_eq!(super::super::lines::without_ours(made.as_bytes()).as_deref(), Some(own.as_bytes()));
}

/// libpam takes the carriage return for a part of the last word, so such a file lets nobody in before and after.
#[test]
fn lines_that_end_as_on_windows_are_no_stack() {
    let debian = debian();
    fs::write(debian.0.real("/etc/pam.d/sshd"), DEBIAN_SSHD.replace('\n', "\r\n")).expect("ours");
    let trial = Trial::new(&debian.0).expect("a copy");
    match plan(&debian.0, &trial, "sshd", false) {
        Err(Hopeless::Refused(_)) => {}
        Ok(Planned::Change(plan)) => assert!(!plan.problems.is_empty()),
        other => panic!("{:?}", other.err()),
    }
}
