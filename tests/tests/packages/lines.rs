//! The script that takes our lines out of PAM's files, on files of every shape.

use countersign_tests::artifacts::source_root;
use countersign_tests::require;
use countersign_tests::scratch::Scratch;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::process::Command;

const SCRIPT: &str = "packaging/usr/lib/countersign/take-lines-out";

/// The file after the script went over its folder.
fn after(before: &str) -> String {
    let dir = Scratch::new("lines");
    let file = dir.join("service");
    std::fs::write(&file, before).expect("our own folder");
    run(&dir);
    std::fs::read_to_string(&file).expect("still there")
}

fn run(dir: &Scratch) -> String {
    let out = Command::new(source_root().join(SCRIPT)).arg(dir.path()).output().expect("a shell script");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

#[test]
fn lines_of_every_spelling_go_and_others_stay() {
    let kept = "# auth required pam_countersign.so is what we had\n\
                auth\trequired pam_unix.so\n\
                @include common-account\n\n\
                session optional pam_motd.so motd=/run/motd\n";
    assert_eq!(after(kept), kept);
    for ours in [
        "auth required pam_countersign.so\n",
        "-auth\trequired\tpam_countersign.so after_first_factor\n",
        "auth [success=ok default=die] /usr/lib/security/pam_countersign.so prompt=[a b] # why\n",
        "auth required \\\n  pam_countersign.so \\\n  debug\n",
        "account    required pam_countersign.so\n",
        "AUTH required pam_countersign.so\n",
    ] {
        assert_eq!(after(&format!("{kept}{ours}{kept}")), format!("{kept}{kept}"), "{ours}");
    }
    assert_eq!(after("auth required pam_countersign.so"), "", "a last line without an end");
}

/// A jump counts lines. If one before its goal goes, it would land one line too far: beyond a
/// pam_deny.so, for example.
#[test]
fn avl_08_a_jump_over_our_line_lands_where_it_did() {
    let neutral = "auth [default=ignore] pam_permit.so\n";
    let jumped = "auth [success=1 default=ignore] pam_succeed_if.so user ingroup robots\n\
                  auth required pam_countersign.so\n\
                  auth requisite pam_unix.so\n";
    assert_eq!(after(jumped), jumped.replace("auth required pam_countersign.so\n", neutral));
    // Of another kind, or ended before: nothing to keep a place for.
    let ended = "account [success=4 default=ignore] pam_unix.so\n\
                 auth [success=1 default=ignore] pam_unix.so\n\
                 auth requisite pam_deny.so\n\
                 auth required pam_permit.so\n\
                 auth required pam_countersign.so\n";
    assert_eq!(after(ended), ended.replace("auth required pam_countersign.so\n", ""));
    // How many lines an include has, nobody knows here.
    for include in ["@include common-auth\n", "auth include system-auth\n"] {
        let unknown = format!(
            "auth [success=2 default=ignore] pam_x.so\n{include}auth required pam_countersign.so\nauth required pam_y.so\n"
        );
        assert_eq!(after(&unknown), unknown.replace("auth required pam_countersign.so\n", neutral));
    }
}

/// What `enable` makes of stacks in which a line stood in its way, and what they were.
const REPLACED: [(&str, &str); 3] = [
    (
        "#countersign-was# @include common-auth\nauth       required     pam_countersign.so after_key\n\
         account    required     pam_countersign.so\n@include common-account\n",
        "@include common-auth\n@include common-account\n",
    ),
    (
        "#countersign-was# auth include \\\n#countersign-was#   system-auth\n\
         auth       substack     system-auth # instead of the line above, for pam_countersign\n\
         auth       required     pam_countersign.so\nauth include postlogin\n",
        "auth include \\\n  system-auth\nauth include postlogin\n",
    ),
    // The jump passes over as many lines as before.
    (
        "auth [success=2 default=ignore] pam_a.so\n#countersign-was# auth requisite pam_unix.so\n\
         auth       required     pam_countersign.so after_key\nauth required pam_b.so\n\
         auth required pam_c.so\n",
        "auth [success=2 default=ignore] pam_a.so\nauth requisite pam_unix.so\nauth required pam_b.so\n\
         auth required pam_c.so\n",
    ),
];

/// Without its password line sshd would let in who comes with any password, or with none.
#[test]
fn avl_08_a_line_that_stood_in_the_way_is_back_when_ours_goes() {
    for (made, before) in REPLACED {
        assert_eq!(after(made), before);
        // Somebody has deleted ours by hand, and not seen the comment.
        let half: String =
            made.split_inclusive('\n').filter(|line| !line.contains("pam_countersign")).collect();
        assert_eq!(after(&half), before);
    }
}

/// The same by the one line that the guide has for when every program of ours is gone.
#[test]
fn avl_08_so_it_is_after_the_last_resort_of_the_guide() {
    let guide = std::fs::read_to_string(source_root().join("docs/ADMIN-GUIDE.md")).expect("readable");
    let lines: Vec<&str> = guide.lines().filter(|line| line.starts_with("    sed -i ")).collect();
    assert_eq!(lines.len(), 1, "{lines:?}");
    for (made, before) in REPLACED {
        let dir = Scratch::new("lines");
        let file = dir.join("service");
        std::fs::write(&file, made).expect("our own folder");
        let script = lines[0].replace("/etc/pam.d", &dir.path().display().to_string());
        assert!(Command::new("sh").args(["-c", &script]).status().expect("sed").success());
        assert_eq!(std::fs::read_to_string(&file).expect("still there"), before);
    }
}

/// Comments neither continue a line nor end one that is continued (pam.conf(5)).
#[test]
fn comments_neither_hide_a_line_of_ours_nor_take_one_along() {
    let comment = "# see \\\n";
    let ours = "auth required pam_countersign.so\n";
    assert_eq!(
        after(&format!("{comment}{ours}auth required pam_unix.so\n")),
        format!("{comment}auth required pam_unix.so\n")
    );
    let ours = "auth required \\\n# why\n\n  pam_countersign.so\n";
    assert_eq!(after(&format!("{ours}auth required pam_unix.so\n")), "auth required pam_unix.so\n");
}

#[test]
fn links_owners_and_modes_stay_as_they_are() {
    require!(Root);
    let dir = Scratch::new("lines");
    std::fs::create_dir(dir.join("elsewhere")).expect("our own folder");
    let target = dir.join("elsewhere/real");
    std::fs::write(&target, "auth required pam_countersign.so\nauth required pam_unix.so\n").expect("ours");
    std::fs::set_permissions(&target, std::fs::Permissions::from_mode(0o640)).expect("ours");
    std::os::unix::fs::chown(&target, Some(0), Some(42)).expect("root");
    symlink(&target, dir.join("system-auth")).expect("our own folder");
    std::fs::write(dir.join("sshd.dpkg-old"), "auth required pam_countersign.so\n").expect("ours");
    let said = run(&dir);
    assert!(said.ends_with("/system-auth\n") && said.lines().count() == 1, "{said}");
    assert!(dir.join("system-auth").is_symlink());
    assert_eq!(std::fs::read_to_string(&target).expect("there"), "auth required pam_unix.so\n");
    let meta = target.metadata().expect("there");
    assert_eq!((meta.mode() & 0o7777, meta.gid()), (0o640, 42));
    let names = std::fs::read_dir(dir.path()).expect("ours").count();
    assert_eq!(names, 3, "no temporary file is left");
}
