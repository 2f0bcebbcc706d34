//! Enrolling inside an ssh login with the clients that people use, and what their terminals show.

use countersign_tests::people::BOB;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Fixture, Pty, Secret, Sshd, artifacts, require, ssh};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

fn fixture(qr: &str) -> (Fixture, Sshd) {
    let config = format!(
        "issuer = \"Acme\"\nqr = \"{qr}\"\n\n[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nenroll = \"at-login\"\n"
    );
    let t = Fixture::configured(&config);
    let sshd = Sshd::start(&t.world, &ssh::two_factor_lines(&t.module()));
    (t, sshd)
}

fn tool(name: &str) -> PathBuf {
    artifacts::source_root().join("tests/tools").join(name)
}

/// Types the password and waits for the question for the first code; gives the key that is shown.
fn come_to_the_key(t: &Fixture, terminal: &mut Pty) -> Secret {
    terminal.expect("assword: ");
    terminal.send_line(&BOB.password());
    terminal.expect("First code from the app: ");
    let shown = terminal.transcript();
    let key = shown.rsplit("Key: ").next().and_then(|rest| rest.split('(').next()).expect("the key as text");
    Secret::from_base32(&key.split_whitespace().collect::<String>(), t.daemon.clock().cloned())
}

/// The recovery code of this number, as it was shown in two columns.
fn recovery_code(shown: &str, number: &str) -> String {
    let mut words = shown.split_whitespace().skip_while(|word| !word.starts_with("Right."));
    words.find(|word| *word == number).expect("its number");
    words.next().expect("the code").to_owned()
}

/// bob enrolls with this client and is in.
fn enroll_by(client: &Command, before: &[(&str, &str)]) {
    let (t, _sshd) = fixture("dark");
    let mut terminal = Pty::spawn(client);
    for (question, answer) in before {
        terminal.expect(question);
        terminal.send_line(answer);
    }
    let app = come_to_the_key(&t, &mut terminal);
    terminal.send_line(&app.fresh_code());
    terminal.expect("Type recovery code ");
    terminal.expect(" to show that you kept them: ");
    let shown = terminal.transcript().to_owned();
    let number = shown.rsplit("Type recovery code ").next().and_then(|rest| rest.split(' ').next());
    terminal.send_line(&recovery_code(&shown, number.expect("a number")));
    let ended = terminal.wait(PATIENCE);
    assert!(ended.success(), "{ended}: {}", terminal.transcript());
    let users = t.daemon.ctl().run(&["users"]).ok().stdout;
    assert!(users.contains("bob") && users.contains("totp, recovery (10 left)"), "{users}");
    assert!(t.cs().login("bob", [app.fresh_code()]).passed(), "and comes again");
}

fn client(program: &str, args: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(args).env("LANG", "C.UTF-8").env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
    command
}

macro_rules! require_all {
    ($($more:expr),+) => {
        require!(Root, Tool("sshd"), Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"), $($more),+)
    };
}

#[test]
fn plink_through_sshd_ends_in_an_enrolled_person() {
    require_all!(Tool("plink"));
    let home = Scratch::new("plink");
    let mut plink = client("plink", &["-ssh", "-no-antispoof", "-P", "22", "bob@127.0.0.1", "true"]);
    plink.env("HOME", home.path());
    enroll_by(&plink, &[("Store key in cache?", "n")]);
}

#[test]
fn dbclient_through_sshd_ends_in_an_enrolled_person() {
    require_all!(Tool("dbclient"));
    let home = Scratch::new("dbclient");
    let mut dbclient = client("dbclient", &["-y", "-y", "-p", "22", "bob@127.0.0.1", "true"]);
    dbclient.env("HOME", home.path());
    enroll_by(&dbclient, &[]);
}

#[test]
fn paramiko_through_sshd_ends_in_an_enrolled_person() {
    require_all!(File("/usr/lib/python3/dist-packages/paramiko"));
    let script = tool("paramiko_login.py");
    enroll_by(&client(script.to_str().expect("UTF-8"), &["bob", "22"]), &[]);
}

#[test]
fn a_locale_without_utf8_through_sshd_ends_in_an_enrolled_person() {
    require_all!(Tool("ssh"));
    let mut ssh = ssh_client();
    ssh.env("LANG", "C").env("LC_ALL", "C");
    enroll_by(&ssh, &[]);
}

fn ssh_client() -> Command {
    let options = ["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"];
    let more = ["-o", "LogLevel=ERROR", "-o", "PreferredAuthentications=keyboard-interactive"];
    client("ssh", &[&options[..], &more, &["bob@127.0.0.1", "true"]].concat())
}

/// What zbarimg reads from the terminal of a person who is asked to scan.
fn scanned(theme: &str) -> (String, String) {
    let (t, _sshd) = fixture(theme);
    let mut terminal = Pty::spawn(&ssh_client());
    let app = come_to_the_key(&t, &mut terminal);
    let dir = Scratch::new("screenshot");
    let picture = dir.join("terminal.png");
    draw(terminal.transcript(), theme, &picture);
    if let Some(kept) = std::env::var_os("COUNTERSIGN_SCREENSHOTS") {
        let kept = Path::new(&kept).join(format!("enroll-{theme}.png"));
        fs::copy(&picture, kept).expect("keep the screenshot where it was asked for");
    }
    let read = Command::new("zbarimg").args(["--quiet", "--raw"]).arg(&picture).output();
    let read = read.expect("run zbarimg (zbar-tools)");
    let host = nix::unistd::gethostname().expect("a name").into_string().expect("UTF-8");
    let expected = format!("otpauth://totp/Acme:bob%40{host}?secret={}&issuer=Acme", app.base32);
    (String::from_utf8_lossy(&read.stdout).trim_end().to_owned(), expected)
}

fn draw(session: &str, theme: &str, picture: &Path) {
    let mut drawing = Command::new(tool("screenshot.py"))
        .arg(theme)
        .arg(picture)
        .stdin(Stdio::piped())
        .spawn()
        .expect("run screenshot.py (python3)");
    drawing.stdin.take().expect("piped").write_all(session.as_bytes()).expect("it reads");
    assert!(drawing.wait().expect("it ends").success(), "screenshot.py failed");
}

#[test]
fn a_screenshot_of_sshd_on_a_dark_terminal_scans_to_the_uri() {
    require_all!(
        Tool("zbarimg"),
        File("/usr/lib/python3/dist-packages/pyte"),
        File("/usr/lib/python3/dist-packages/PIL"),
        File("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf")
    );
    let (read, expected) = scanned("dark");
    assert_eq!(read, expected);
}

#[test]
fn a_screenshot_of_sshd_on_a_light_terminal_scans_to_the_uri() {
    require_all!(
        Tool("zbarimg"),
        File("/usr/lib/python3/dist-packages/pyte"),
        File("/usr/lib/python3/dist-packages/PIL"),
        File("/usr/share/fonts/truetype/dejavu/DejaVuSansMono.ttf")
    );
    let (read, expected) = scanned("light");
    assert_eq!(read, expected);
}
