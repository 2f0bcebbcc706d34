//! `import` against a scripted daemon: what it sends, what it prints, what it never prints.

mod support;

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::PathBuf;

use support::bus::Bus;
use support::daemon::{Daemon, Script};
use support::run::{Ended, ctl, piped};

/// 160 bits, in base32 and in hex.
const SECRET: &str = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP";
const HEX: &str = "230899a40b41499abcebe2a32e64454d37a87fa7";

fn start() -> (Bus, Daemon) {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), Script::default());
    (bus, daemon)
}

/// A folder of this test's own.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("countersignctl-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&path));
        fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, content).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("our own file");
        path.to_str().expect("UTF-8").to_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

fn run(bus: &Bus, args: &[&str], input: &str) -> Ended {
    let ended = piped(&mut ctl(&bus.address(), &[&["import"], args].concat()), input);
    for secret in [SECRET, HEX] {
        assert!(!ended.out.contains(secret) && !ended.err.contains(secret), "{ended:?}");
    }
    ended
}

fn users_file() -> String {
    format!(
        "HOTP/T30/6 alice - {HEX}\nHOTP bob - {HEX}\nHOTP/T60/8 enrolled 1234 {}\nHOTP/T30 nobody-here - ff{HEX}\n\
         HOTP/T30 weak - 0102030405060708\n",
        HEX.replace('a', "b")
    )
}

#[test]
fn a_table_with_what_came_of_each() {
    let (bus, daemon) = start();
    let folder = Folder::new("table");
    let file = folder.file("users.oath", &users_file());
    let failures = folder.0.join("failures");
    let ended = run(&bus, &["oath", &file, "--failures", failures.to_str().expect("UTF-8")], "");
    assert_eq!(ended.code, 1, "some were refused: {ended:?}");
    let rows: Vec<Vec<&str>> =
        ended.out.lines().take(6).map(|line| line.split_whitespace().take(3).collect()).collect();
    let at = |line: usize| format!("{file}:{line}");
    assert_eq!(rows[0], ["USER", "FROM", "RESULT"]);
    assert_eq!(rows[1], ["alice", &at(1), "imported"]);
    assert_eq!(rows[2], ["bob", &at(2), "refused"]);
    assert_eq!(rows[3], ["enrolled", &at(3), "present"]);
    assert_eq!(rows[4], ["nobody-here", &at(4), "refused"]);
    assert_eq!(rows[5], ["weak", &at(5), "refused"]);
    assert!(ended.out.contains("1 authenticator imported, 1 already there, 3 refused."), "{}", ended.out);
    assert!(ended.out.contains("delete them"), "{}", ended.out);
    assert_eq!(
        daemon.calls(),
        [
            "ImportFactor alice pam_oath 20 6 30 -1 0 0 true false",
            "ImportFactor enrolled pam_oath 20 8 60 -1 0 0 true false",
            "ImportFactor nobody-here pam_oath 21 6 30 -1 0 0 true false",
            "ImportFactor weak pam_oath 8 6 30 -1 0 0 true false",
        ]
    );

    let kept = fs::read_to_string(&failures).expect("the file with failures");
    let names: Vec<&str> = kept.lines().filter_map(|line| line.split('\t').next()).collect();
    assert_eq!(names, ["bob", "nobody-here", "weak"]);
    assert!(!kept.contains(HEX) && !kept.contains('\u{1b}'), "{kept}");
    assert_eq!(fs::metadata(&failures).expect("it is there").permissions().mode() & 0o777, 0o600);
}

/// PRV-11: the file for failures is always a new one.
#[test]
fn prv_11_the_file_for_failures_must_not_exist() {
    let (bus, daemon) = start();
    let folder = Folder::new("failures");
    let file = folder.file("users.oath", &users_file());
    let there = folder.file("there", "precious");
    let dangling = folder.0.join("link");
    symlink(folder.0.join("elsewhere"), &dangling).expect("a link");
    for planted in [there.as_str(), dangling.to_str().expect("UTF-8")] {
        let ended = run(&bus, &["oath", &file, "--failures", planted], "");
        assert_eq!(ended.code, 1);
        assert!(ended.err.contains("must not exist yet"), "{}", ended.err);
    }
    assert_eq!(fs::read_to_string(there).expect("it is there"), "precious");
    assert!(!folder.0.join("elsewhere").exists());
    assert_eq!(daemon.calls(), Vec::<String>::new(), "nothing was imported");
}

#[test]
fn json_and_a_dry_run() {
    let (bus, daemon) = start();
    let input =
        format!("# two\notpauth://totp/Acme:alice%40h?secret={SECRET}\n\notpauth://totp/?secret={SECRET}\n");
    let ended = run(&bus, &["otpauth", "-", "--dry-run", "--json"], &input);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert_eq!(
        ended.out,
        "{\"user\":\"alice\",\"from\":\"stdin:2\",\"result\":\"would-import\",\"why\":\"no recovery codes came with it\"}\n\
         {\"user\":\"\",\"from\":\"stdin:4\",\"result\":\"refused\",\"why\":\"it does not say whose it is; add --user\"}\n"
    );
    assert_eq!(daemon.calls(), ["ImportFactor alice Acme 20 6 30 -1 0 0 true true"]);
}

/// RPL-16 in a dry run, where the daemon has nothing to compare with.
#[test]
fn rpl_16_one_secret_for_two_people_in_one_run() {
    let (bus, daemon) = start();
    let uri = |user: &str| format!("otpauth://totp/{user}?secret={SECRET}\n");
    let input = uri("alice") + &uri("bob") + &uri("alice");
    let ended = run(&bus, &["otpauth", "-", "--dry-run"], &input);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains("alice has the same secret"), "{}", ended.out);
    assert_eq!(daemon.calls().len(), 2, "{:?}", daemon.calls());
}

#[test]
fn dis_09_a_uri_on_the_command_line_is_warned_about() {
    let (bus, daemon) = start();
    let uri = format!("otpauth://totp/x?secret={SECRET}");
    let ended = run(&bus, &["otpauth", &uri, "--user", "alice"], "");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.err.contains("warning") && ended.err.contains("import otpauth -"), "{}", ended.err);
    assert_eq!(daemon.calls(), ["ImportFactor alice app 20 6 30 -1 0 0 true false"]);
    let ended = run(&bus, &["otpauth", "otpauth-migration://offline?data=CjEK", "--user", "alice"], "");
    assert_eq!(ended.code, 1);
    assert!(ended.out.contains("export of the Google Authenticator app"), "{}", ended.out);
}

/// PRV-11: what others could have planted or read is not taken.
#[test]
fn prv_11_files_that_are_not_ours_alone() {
    let (bus, daemon) = start();
    let folder = Folder::new("planted");
    let good = folder.file("good", &format!("otpauth://totp/alice?secret={SECRET}\n"));
    let planted = |name: &str| folder.0.join(name).to_str().expect("UTF-8").to_owned();
    symlink(&good, planted("link")).expect("a link");
    nix::unistd::mkfifo(planted("fifo").as_str(), nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    let open = folder.file("open", "x");
    fs::set_permissions(&open, fs::Permissions::from_mode(0o644)).expect("our own file");
    let large = folder.file("large", &"#".repeat(5 << 20));
    for (path, why) in [
        (planted("link"), "symbolic link"),
        (planted("fifo"), "regular file"),
        (planted("none"), "no such file"),
        (planted("."), "regular file"),
        (open, "others on this host"),
        (large, "larger"),
        ("/dev/null".to_owned(), "regular file"),
    ] {
        let ended = run(&bus, &["otpauth", &path], "");
        assert_eq!(ended.code, 1, "{path}");
        assert!(ended.err.replace('\n', " ").contains(why), "{path}: {}", ended.err);
    }
    fs::hard_link(&good, planted("second")).expect("a hard link");
    assert!(run(&bus, &["otpauth", &good], "").err.contains("second name"));
    fs::remove_file(planted("second")).expect("our own file");
    assert_eq!(daemon.calls(), Vec::<String>::new());
    assert_eq!(run(&bus, &["otpauth", &good], "").code, 0, "the control");
}

#[test]
fn a_daemon_that_cannot_work_ends_it() {
    let (bus, daemon) = start();
    let uri = |user: &str, n: u8| format!("otpauth://totp/{user}?secret={n}{}\n", &SECRET[1..]);
    let input = uri("alice", 2) + &uri("broken", 3) + &uri("carol", 4);
    let ended = run(&bus, &["otpauth", "-"], &input);
    assert_eq!(ended.code, 5, "{ended:?}");
    assert!(ended.out.contains("alice"), "what was done is shown: {}", ended.out);
    assert_eq!(daemon.calls().len(), 2, "{:?}", daemon.calls());
}
