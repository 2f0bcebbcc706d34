//! What is installed is what packaging/FILES lists, by `make install`, the deb and the rpm alike; and
//! whoever takes it away takes the PAM lines first.

#[path = "packages/lines.rs"]
mod lines;
#[path = "packages/pages.rs"]
mod pages;
#[path = "packages/rpm.rs"]
mod rpm;
#[path = "packages/snippets.rs"]
mod snippets;

use countersign_tests::artifacts::source_root;
use countersign_tests::scratch::Scratch;
use countersign_tests::{booted, require};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

const ZSH_OF_DEBIAN: &str = "/usr/share/zsh/vendor-completions";

/// Runs a program in the checkout; gives what it wrote to stdout.
fn run(program: &str, args: &[&str], environment: &[(&str, &str)]) -> String {
    let mut command = Command::new(program);
    command.args(args).current_dir(source_root()).envs(environment.iter().copied());
    let out = command.output().unwrap_or_else(|e| panic!("{program}: {e}"));
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(out.status.success(), "{program} {args:?}: {}\n{said}", out.status);
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// Kind and absolute target of each file that is listed.
fn listed(environment: &[(&str, &str)]) -> Vec<(String, String)> {
    let list = run("packaging/install", &["list"], environment);
    let words = |line: &str| {
        let mut words = line.split(' ').map(str::to_owned);
        words.next().zip(words.next())
    };
    list.lines().filter_map(words).collect()
}

/// Paths below a folder, with a leading `/`; folders only where they are empty.
fn tree(root: &Path) -> BTreeSet<String> {
    fn walk(root: &Path, dir: &Path, found: &mut BTreeSet<String>) {
        let entries: Vec<PathBuf> =
            std::fs::read_dir(dir).expect("a folder").flatten().map(|entry| entry.path()).collect();
        if entries.is_empty() && dir != root {
            found.insert(format!("/{}", dir.strip_prefix(root).expect("below it").display()));
        }
        for path in entries {
            if path.is_dir() && !path.is_symlink() {
                walk(root, &path, found);
            } else {
                found.insert(format!("/{}", path.strip_prefix(root).expect("below it").display()));
            }
        }
    }
    let mut found = BTreeSet::new();
    walk(root, root, &mut found);
    found
}

/// What only one of the two has is the answer.
fn same(packed: &BTreeSet<String>, listed: &BTreeSet<String>, make: &str) {
    let odd: Vec<_> = packed.symmetric_difference(listed).collect();
    assert!(
        odd.is_empty(),
        "packed or listed alone (is the package older than the list? make {make}): {odd:?}"
    );
}

/// The newest package of a kind, where one was built.
fn package(folder: &str, extension: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(source_root().join(folder)).ok()?;
    entries.flatten().map(|entry| entry.path()).find(|path| path.extension().is_some_and(|e| e == extension))
}

#[test]
fn the_packaging_tree_and_the_list_name_the_same_files() {
    let list = run("packaging/install", &["list"], &[]);
    let sources: BTreeSet<&str> = list.lines().filter_map(|line| line.split(' ').nth(2)).collect();
    for path in tree(&source_root().join("packaging/usr")) {
        let path = format!("packaging/usr{path}");
        assert!(sources.contains(path.as_str()), "packaging/FILES does not list {path}");
    }
}

#[test]
fn make_install_puts_what_is_listed_and_uninstall_takes_it_away() {
    require!(Tool("make"), Staged("countersignctl"), Staged("THIRD-PARTY"));
    let root = Scratch::new("install");
    let destdir = root.path().to_str().expect("UTF-8").to_owned();
    // Another prefix than ours, as another distribution might want it.
    let environment = [
        ("DESTDIR", destdir.as_str()),
        ("PREFIX", "/opt/cs"),
        ("SYSCONFDIR", "/opt/cs/etc"),
        ("PAMDIR", "/lib64/security"),
        ("ZSHDIR", "/opt/cs/zsh"),
    ];
    let variables: Vec<String> = environment.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let make = |goal: &str| {
        let mut words = vec!["-s", goal];
        words.extend(variables.iter().map(String::as_str));
        run("make", &words, &[])
    };
    make("install");
    let listed = listed(&environment);
    let expected: BTreeSet<String> = listed.iter().map(|(_, path)| path.clone()).collect();
    assert_eq!(tree(root.path()), expected);
    let unit = std::fs::read_to_string(root.join("opt/cs/lib/systemd/system/countersignd.service"));
    assert!(unit.expect("a unit").contains("ExecStart=/opt/cs/sbin/countersignd\n"));

    // A configuration that is there is somebody's.
    let configuration = root.join("opt/cs/etc/countersign/countersign.toml");
    std::fs::write(&configuration, "# mine\n").expect("writable");
    make("install");
    assert_eq!(std::fs::read_to_string(&configuration).expect("there"), "# mine\n");

    make("uninstall");
    let kept: BTreeSet<String> = listed
        .iter()
        .filter(|(kind, _)| kind == "config" || kind == "directory")
        .map(|(_, path)| path.clone())
        .collect();
    let left: BTreeSet<String> =
        tree(root.path()).into_iter().filter(|path| path.contains("countersign")).collect();
    assert_eq!(left, kept, "what is somebody's, and nothing else");
}

#[test]
fn the_deb_holds_what_is_listed_and_what_a_package_adds() {
    require!(Tool("dpkg-deb"));
    let Some(deb) = package("target/deb", "deb") else {
        return countersign_tests::needs::skip("needs a package in target/deb: make deb");
    };
    let root = Scratch::new("deb");
    let (deb, into) = (deb.to_str().expect("UTF-8"), root.path().to_str().expect("UTF-8"));
    run("dpkg-deb", &["-x", deb, into], &[]);
    // Debian's tools move units to where the release has them, compress documents, and add theirs.
    let plain = |path: &str| {
        let path = path.strip_suffix(".gz").unwrap_or(path);
        path.strip_prefix("/lib/").map_or_else(|| path.to_owned(), |rest| format!("/usr/lib/{rest}"))
    };
    let found: BTreeSet<String> = tree(root.path()).iter().map(|path| plain(path)).collect();
    let mut expected: BTreeSet<String> =
        listed(&[("ZSHDIR", ZSH_OF_DEBIAN)]).iter().map(|(_, path)| plain(path)).collect();
    for added in ["changelog", "copyright"] {
        expected.insert(format!("/usr/share/doc/countersign/{added}"));
    }
    same(&found, &expected, "deb");
}

/// Installed by rpm itself into the root of a system that was never booted, with its scripts; then removed.
#[test]
fn avl_08_the_rpm_installs_what_is_listed_and_removal_takes_the_lines_out_before_the_module() {
    require!(Root, Tool("rpm"), File(booted::ROOT));
    let Some(rpm) = package("target/rpm", "rpm") else {
        return countersign_tests::needs::skip("needs a package in target/rpm: make rpm");
    };
    let system = booted::Overlay::new();
    let root = system.root();
    let (root_path, rpm) = (root.to_str().expect("UTF-8"), rpm.to_str().expect("UTF-8"));
    let rpm_in = |args: &[&str]| {
        let mut words = vec!["--root", root_path];
        words.extend(args);
        run("rpm", &words, &[])
    };
    run("mount", &["-t", "proc", "proc", &format!("{root_path}/proc")], &[]);
    rpm_in(&["-i", "--nodeps", rpm]);
    let libdir = run("rpm", &["--eval", "%{_libdir}"], &[]);
    let pam_dir = format!("{}/security", libdir.trim());
    let packed: BTreeSet<String> = rpm_in(&["-ql", "countersign"])
        .lines()
        .filter(|path| !path.starts_with("/usr/share/licenses/"))
        .map(|path| path.strip_suffix(".gz").unwrap_or(path).to_owned())
        .filter(|path| !root.join(&path[1..]).is_dir() || path.contains("/etc/countersign/"))
        .collect();
    let expected: BTreeSet<String> = listed(&[("PAMDIR", &pam_dir)])
        .into_iter()
        .filter(|(kind, _)| kind != "debian")
        .map(|(_, path)| path)
        .collect();
    same(&packed, &expected, "rpm");
    assert!(packed.contains(&format!("{pam_dir}/pam_countersign.so")));
    let verified = Command::new("rpm").args(["--root", root_path, "--nodeps", "-V", "countersign"]).output();
    assert_eq!(
        String::from_utf8_lossy(&verified.expect("rpm").stdout),
        "",
        "nothing differs from the package"
    );

    // The scripts have made the accounts and the state, and asked nobody for anything.
    let in_root = |script: &str| run("chroot", &[root_path, "sh", "-c", script], &[]);
    let modes = in_root("stat -c '%U:%G %a' /etc/countersign/key /var/lib/countersign");
    assert_eq!(modes.lines().collect::<Vec<_>>(), ["root:countersign 640", "countersign:countersign 700"]);
    assert_eq!(in_root("grep -rl pam_countersign /etc/pam.d || true"), "");

    in_root("sed -i '/^@include common-auth/a auth required pam_countersign.so' /etc/pam.d/login");
    // A removal that cannot take them out ends there, with the module in place.
    in_root(
        "mv /usr/lib/countersign/take-lines-out /root/ && ln -s /bin/false /usr/lib/countersign/take-lines-out",
    );
    let refused = Command::new("rpm").args(["--root", root_path, "-e", "countersign"]).output().expect("rpm");
    assert!(!refused.status.success(), "{refused:?}");
    in_root(&format!(
        "test -e {pam_dir}/pam_countersign.so && mv /root/take-lines-out /usr/lib/countersign/"
    ));
    // Whether the module was still there when the lines went, by what the program itself sees.
    in_root(&format!(
        "sed -i '2i test -e {pam_dir}/pam_countersign.so && echo module still there' /usr/lib/countersign/take-lines-out"
    ));
    let said = rpm_in(&["-e", "countersign"]);
    assert!(said.contains("module still there\n"), "{said}");
    assert!(said.contains("lines out of /etc/pam.d/login"), "{said}");
    assert!(said.contains("left in place: /var/lib/countersign"), "{said}");
    assert_eq!(in_root("grep -rl pam_countersign /etc/pam.d || true"), "");
    in_root(&format!(
        "test ! -e {pam_dir}/pam_countersign.so && test -e /var/lib/countersign/countersign.db"
    ));
}
