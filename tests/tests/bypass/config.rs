//! BYP-05: a broken configuration is no configuration, and never an empty one.

use super::{assert_no_answer, require_all};
use countersign_tests::daemon::StartAttempt;
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{CAROL, DAEMON_UID};
use countersign_tests::{Fixture, Stack};
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::Path;
use std::process::Command;

/// A broken file: how it comes about, and what the refusal must say beside its path.
struct Broken {
    what: &'static str,
    make: fn(&Path),
    /// Right behind the path: a line and column, or the first words of the reason.
    says: &'static str,
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) {
    fs::write(path, bytes).expect("our own file");
}

fn with_line(line: &str) -> String {
    CONFIG.replace("[[policy]]", &format!("{line}\n[[policy]]"))
}

fn with_mode(path: &Path, mode: u32) {
    write(path, CONFIG);
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("our own file");
}

/// The help line is the second of the fixture, an added line the fourth.
const BROKEN: [Broken; 19] = [
    Broken { what: "cut in a string", make: |p| write(p, &CONFIG[..40]), says: ":2:" },
    Broken { what: "cut in a list", make: |p| write(p, &CONFIG[..CONFIG.len() - 3]), says: ":8:" },
    Broken { what: "empty", make: |p| write(p, ""), says: ": " },
    Broken { what: "only comments", make: |p| write(p, "# later\n"), says: ": " },
    Broken { what: "missing", make: |_| (), says: ": does not exist" },
    Broken {
        what: "a directory",
        make: |p| fs::create_dir(p).expect("our own directory"),
        says: ": is a directory",
    },
    Broken { what: "a FIFO", make: fifo, says: ": is a FIFO" },
    Broken { what: "mode 666", make: |p| with_mode(p, 0o666), says: ": is writable by its group and others" },
    Broken { what: "mode 664", make: |p| with_mode(p, 0o664), says: ": is writable by its group" },
    Broken { what: "unreadable", make: |p| with_mode(p, 0), says: ": may not be read" },
    Broken { what: "carol's", make: owned_by_carol, says: ": belongs to uid 5003" },
    Broken { what: "a link", make: link, says: ": is a symbolic link" },
    Broken { what: "an unknown key", make: |p| write(p, with_line("isuer = \"x\"")), says: ":4:1: isuer" },
    Broken { what: "an unknown table", make: |p| write(p, with_line("[polcy]")), says: ":4:2: polcy" },
    Broken {
        what: "a wrong type",
        make: |p| write(p, CONFIG.replace("\"enforce\"", "true")),
        says: ":6:10: policy.status",
    },
    Broken { what: "a key twice", make: |p| write(p, with_line("issuer = \"x\"")), says: ":4:" },
    Broken {
        what: "2 MB",
        make: |p| write(p, CONFIG.to_owned() + &"# more\n".repeat(300_000)),
        says: ": is larger",
    },
    Broken {
        what: "not UTF-8",
        make: |p| write(p, [CONFIG.as_bytes(), b"# \xff\n"].concat()),
        says: ":9:3: is not valid UTF-8",
    },
    Broken {
        what: "with a BOM",
        make: |p| write(p, "\u{feff}".to_owned() + CONFIG),
        says: ":1:1: begins with a byte order mark",
    },
];

fn fifo(path: &Path) {
    let made = Command::new("mkfifo").args(["-m", "0644"]).arg(path).status();
    assert!(made.is_ok_and(|status| status.success()), "mkfifo (coreutils)");
}

fn owned_by_carol(path: &Path) {
    write(path, CONFIG);
    chown(path, Some(CAROL.uid), None).expect("our own file");
}

fn link(path: &Path) {
    let target = path.with_extension("target");
    write(&target, CONFIG);
    symlink(target, path).expect("our own directory");
}

/// A host that never had a good policy: there is nothing to fall back to.
fn forget_last_good(t: &Fixture) {
    let kept = t.daemon.state().join("policy");
    fs::remove_file(&kept).or_else(|e| if kept.exists() { Err(e) } else { Ok(()) }).expect("our own file");
}

fn clear(path: &Path) {
    let gone = if path.is_dir() { fs::remove_dir(path) } else { fs::remove_file(path) };
    assert!(gone.is_ok() || !path.exists(), "{gone:?}");
}

#[test]
fn byp_05_a_broken_configuration_keeps_the_daemon_from_starting() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let path = t.daemon.config_file();
    for Broken { what, make, says } in BROKEN {
        clear(&path);
        make(&path);
        forget_last_good(&t);
        let said_before = t.daemon.said().len();
        let attempt = t.daemon.try_start();
        let said = t.daemon.said().split_off(said_before);
        assert!(
            matches!(attempt, StartAttempt::Ended(status) if !status.success()),
            "{what}: {attempt:?} {said}"
        );
        let expected = format!("{}{says}", path.display());
        assert!(said.contains(&expected), "{what}: {expected:?} is not in {said}");
    }
    let stack = Stack::cs(&t.module().option("timeout=2"));
    assert_no_answer(&stack.login("alice", [alice.fresh_code()]), "no daemon by a broken configuration");
    clear(&path);
    t.daemon.configure(CONFIG);
    t.daemon.resume();
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "repaired");
}

/// Nobody told the daemon to read its configuration again: what becomes of the file changes nobody's policy.
#[test]
fn byp_05_a_file_that_breaks_later_changes_nothing() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let path = t.daemon.config_file();
    for Broken { what, make, .. } in BROKEN {
        clear(&path);
        make(&path);
        let wrong = t.cs().login("alice", [alice.wrong_code(0)]);
        assert!(!wrong.passed() && wrong.code_prompts() > 0, "{what}: {wrong:?}");
        assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "{what}");
    }
}

#[test]
fn byp_05_a_folder_that_others_may_write_is_refused() {
    require_all!();
    let mut t = Fixture::start();
    t.daemon.stop();
    let path = t.daemon.config_file();
    let folder = path.parent().expect("a folder");
    let mode = |mode| fs::set_permissions(folder, Permissions::from_mode(mode)).expect("ours");
    let attempts: [(&str, &dyn Fn()); 2] = [
        ("is writable by others", &|| mode(0o757)),
        ("belongs to uid 5003", &|| {
            mode(0o755);
            chown(folder, Some(CAROL.uid), None).expect("ours");
        }),
    ];
    for (says, spoil) in attempts {
        spoil();
        forget_last_good(&t);
        let attempt = t.daemon.try_start();
        assert!(matches!(attempt, StartAttempt::Ended(status) if !status.success()), "{says}: {attempt:?}");
        assert!(t.daemon.said().contains(says), "{says}: {}", t.daemon.said());
    }
    chown(folder, Some(DAEMON_UID), None).expect("ours");
    t.daemon.resume();
}
