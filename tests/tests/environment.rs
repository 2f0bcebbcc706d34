//! countersignctl under `sudo -E`: whatever the environment says, it is root who types.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use countersign_tests::people::DAVE;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Fixture, Pty, artifacts, require};

/// Programs that a careless tool would start.
const TRAPS: [&str; 40] = [
    "getent",
    "less",
    "more",
    "pager",
    "sensible-pager",
    "vi",
    "nano",
    "sh",
    "sudo",
    "pkttyagent",
    "systemctl",
    "sshd",
    "aa-status",
    "apparmor_parser",
    "authselect",
    "busctl",
    "cat",
    "chronyc",
    "diff",
    "dpkg",
    "fail2ban-client",
    "getenforce",
    "grep",
    "hostname",
    "id",
    "journalctl",
    "loginctl",
    "lsof",
    "ls",
    "openssl",
    "pam-auth-update",
    "pkcheck",
    "ps",
    "restorecon",
    "rpm",
    "ss",
    "systemd-analyze",
    "systemd-creds",
    "systemd-run",
    "timedatectl",
];

/// A folder of programs that say that they were run.
fn traps(folder: &std::path::Path) {
    for name in TRAPS {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\necho {name} >>{}/run\n", folder.display()))
            .expect("our own folder");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).expect("our own file");
    }
}

/// What `doctor` starts gets an environment of ours.
fn no_program_inherits(address: &str, folder: &Path, hostile: &[(&str, String)]) {
    let trace = Scratch::new("exec");
    let file = trace.join("trace");
    let mut strace = Command::new("strace");
    strace.args(["-f", "-v", "-s", "400", "-e", "trace=execve", "-o"]).arg(&file);
    strace.args(["/usr/bin/env", "-i"]).args(hostile.iter().map(|(name, value)| format!("{name}={value}")));
    let out = strace.arg(artifacts::ctl()).args([address, "doctor"]).output().expect("run strace");
    let text = fs::read_to_string(file).expect("a trace");
    let ctl = format!("execve(\"{}\"", artifacts::ctl().display());
    let (_, after) = text.split_once(&ctl).unwrap_or_else(|| panic!("{text} {out:?}"));
    let started: Vec<&str> = after.lines().skip(1).filter(|line| line.contains("execve(")).collect();
    eprintln!("figures: doctor started {} programs", started.len());
    assert!(!started.is_empty(), "the control: {text}");
    let folder = folder.display().to_string();
    for line in started {
        for of_theirs in
            [folder.as_str(), "LESSOPEN=", "PAGER=", "LD_", "BASH_ENV=", "PERL5OPT=", "SUDO_USER="]
        {
            assert!(!line.contains(of_theirs), "{of_theirs} in {line}");
        }
    }
}

#[test]
fn adm_07_nothing_in_the_environment_runs_or_leads_anywhere() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let folder = tempfile::tempdir().expect("a private folder");
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).expect("our own folder");
    traps(folder.path());
    let bus = UnixListener::bind(folder.path().join("bus")).expect("our own folder");
    bus.set_nonblocking(true).expect("a socket");
    let at = |name: &str| folder.path().join(name).display().to_string();
    let hostile = [
        ("PATH", folder.path().display().to_string()),
        ("PAGER", at("less")),
        ("MANPAGER", at("less")),
        ("SYSTEMD_PAGER", at("less")),
        ("EDITOR", at("vi")),
        ("VISUAL", at("vi")),
        ("SHELL", at("sh")),
        ("LESSOPEN", format!("|{} %s", at("sh"))),
        ("LESS", "--dumb".into()),
        ("TERM", "../../../evil".into()),
        ("TERMINFO", folder.path().display().to_string()),
        ("COLUMNS", "3".into()),
        ("LANGUAGE", "../../evil".into()),
        ("TZ", format!(":{}", at("sh"))),
        ("HOME", folder.path().display().to_string()),
        ("TMPDIR", "/nonexistent".into()),
        ("XDG_CONFIG_HOME", folder.path().display().to_string()),
        ("XDG_RUNTIME_DIR", folder.path().display().to_string()),
        ("DBUS_SYSTEM_BUS_ADDRESS", format!("unix:path={}", at("bus"))),
        ("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", at("bus"))),
        ("RUST_LOG", "trace".into()),
        ("RUST_BACKTRACE", "full".into()),
        ("SUDO_USER", "dave".into()),
        ("SUDO_UID", DAVE.uid.to_string()),
        ("LD_LIBRARY_PATH", folder.path().display().to_string()),
        ("XDG_DATA_DIRS", folder.path().display().to_string()),
        ("XDG_SEAT", "seat0".into()),
        ("SSH_AUTH_SOCK", at("bus")),
        ("LOCALDOMAIN", "evil.example".into()),
        ("IFS", "/".into()),
        ("ENV", at("sh")),
        ("BASH_ENV", at("sh")),
        ("PERL5OPT", "-Mevil".into()),
        ("SSL_CERT_FILE", at("sh")),
        ("USER", "dave".into()),
        ("LOGNAME", "dave".into()),
    ];
    let address = format!("--bus={}", t.bus.address());
    let run = |words: &[&str], hostile: &[(&str, String)]| {
        // env(1) sets it, so that the harness' own programs are found.
        let mut ctl = Command::new("/usr/bin/env");
        ctl.args(["-i", "LC_ALL=C.UTF-8"])
            .args(hostile.iter().map(|(name, value)| format!("{name}={value}")));
        ctl.arg(artifacts::ctl()).arg(&address).args(words);
        let mut pty = Pty::spawn(&ctl);
        let end = pty.wait(Duration::from_secs(20));
        (end.code(), pty.transcript().to_owned())
    };
    for words in [
        &["status"][..],
        &["status", "alice"],
        &["users"],
        &["log", "--limit", "2"],
        &["exempt"],
        &["policy", "explain", "alice"],
        &["policy", "apply", "--dry-run"],
        &["import", "google-authenticator", "--all-homes", "--dry-run"],
        &["complete", "--", "unlock", "al"],
        &["unlock", "alice"],
        &["status", "nobody-at-all"],
        &["nonsense"],
        &["--help"],
    ] {
        let clean = run(words, &[]);
        assert_eq!(run(words, &hostile), clean, "{words:?}");
        let ran = fs::read_to_string(folder.path().join("run")).unwrap_or_default();
        assert_eq!(ran, "", "{words:?} ran something");
    }
    // What starts programs, or takes files: what it says has times and names in it, so only how it ends is compared.
    let copy = t.daemon.state().join("copy").display().to_string();
    let key = t.daemon.key_file().display().to_string();
    let _ = t.daemon.ctl().run(&["backup", &copy]).ok();
    for words in [
        &["doctor"][..],
        &["enable", "sshd", "--dry-run"],
        &["enable", "login", "--dry-run"],
        &["enable", "--all", "--dry-run"],
        &["disable", "sshd", "--dry-run"],
        &["confirm"],
        &["restore", &copy, "--dry-run"],
        &["rekey", "--key-file", &key, "--yes"],
        &["email", "test", "alice@example.org"],
        &["email", "preview"],
        &["metrics"],
        &["log", "verify"],
        &["log", "acts"],
    ] {
        let (clean, shown) = run(words, &[]);
        let (under, said) = run(words, &hostile);
        assert_eq!(under, clean, "{words:?}: {shown}\n{said}");
        let ran = fs::read_to_string(folder.path().join("run")).unwrap_or_default();
        assert_eq!(ran, "", "{words:?} ran something");
        let places = ["/evil", "../evil", "\u{1b}["];
        assert!(places.iter().all(|place| !said.contains(place)), "{words:?}: {said}");
    }
    no_program_inherits(&address, folder.path(), &hostile);
    assert!(bus.accept().is_err(), "somebody asked the bus of the environment");
    let left: Vec<_> =
        fs::read_dir(folder.path()).expect("our own folder").flatten().map(|e| e.file_name()).collect();
    assert_eq!(left.len(), TRAPS.len() + 1, "nothing was written: {left:?}");

    // The control: what would be run says so.
    let shown =
        Command::new("/bin/sh").args(["-c", "less"]).env("PATH", folder.path()).output().expect("a shell");
    assert!(shown.status.success() && folder.path().join("run").exists(), "{shown:?}");
}
