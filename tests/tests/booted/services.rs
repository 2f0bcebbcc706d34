//! BYP-12: password and code, right and wrong, at every service of a booted Debian that asks through the common
//! password, and again after the distribution's tool has written its files anew.
//!
//! Not tried: sssd, systemd-homed, gdm, screen lockers, cockpit, and booted Fedora or Arch.

use crate::elevation::pkexec;
use crate::enable::try_at;
use crate::{CODE, NO_DELAY, PASSWORD, PATIENCE, protected, require_boot};
use countersign_tests::Booted;

const WRONG: &str = "assword wrong";
/// Each becomes alice, or root by alice's password; and what it shows when it did.
const SERVICES: [(&str, &[&str], &str); 6] = [
    ("su", &["runuser", "-u", "carol", "--", "su", "alice", "-c", "echo in-as-$USER"], "in-as-alice"),
    ("su -", &["runuser", "-u", "carol", "--", "su", "-", "alice", "-c", "echo in-as-$USER"], "in-as-alice"),
    ("sudo", &["runuser", "-u", "alice", "--", "sudo", "-k", "id", "-un"], "root\n"),
    ("sudo -i", &["runuser", "-u", "alice", "--", "sudo", "-k", "-i", "id", "-un"], "root\n"),
    ("login", &[], ""),
    ("polkit-1", &[], "root\n"),
];

/// What came of these answers: whether they let in, and what was shown.
fn tried(host: &Booted, (name, words, proof): (&str, &[&str], &str), answers: &[&str]) -> (bool, String) {
    host.record.say(&format!("{name}: {answers:?}"));
    match name {
        "login" => console(host, answers),
        "polkit-1" => {
            let entered = pkexec(host, answers).contains(proof);
            // In the agent's terminal, where each prompt was waited for.
            (entered, if answers.len() > 1 { CODE.to_owned() } else { String::new() })
        }
        _ => {
            let (ended_well, shown) = try_at(host, words, answers);
            assert_eq!(ended_well, shown.contains(proof), "{name}: {shown}");
            (ended_well, shown)
        }
    }
}

fn console(host: &Booted, answers: &[&str]) -> (bool, String) {
    let login = ["systemd-run", "--quiet", "--pty", "--wait", "-p", "TTYVHangup=no", "/bin/login", "-p"];
    let mut pty = host.terminal(&host.command(&login));
    pty.expect("login: ");
    pty.send_line("alice");
    for answer in answers {
        if !pty.expect_or_end(crate::prompt_of(answer), PATIENCE) {
            break;
        }
        pty.send_line(answer);
    }
    // The shell's prompt, the next try, or the end.
    let entered = pty.expect_any(&[":~$ ", CODE, "incorrect"], PATIENCE) == Some(0);
    (entered, pty.transcript().to_owned())
}

fn all_three(host: &Booted, wrong_code: &str, mut code: impl FnMut() -> String) {
    for service in SERVICES {
        let (entered, shown) = tried(host, service, &[WRONG]);
        assert!(!entered && !shown.contains(CODE), "{}, wrong password: {shown}", service.0);
        // polkit's agent cannot hang up: all tries of one login.
        let tries = if service.0 == "polkit-1" { 4 } else { 2 };
        let answers = [PASSWORD, wrong_code, wrong_code, wrong_code];
        let (entered, shown) = tried(host, service, &answers[..tries]);
        assert!(!entered && shown.contains(CODE), "{}, wrong code: {shown}", service.0);
        let right = code();
        let answers = [PASSWORD, right.as_str(), "no"];
        let answers = if right.contains('-') { &answers[..] } else { &answers[..2] };
        let (entered, shown) = tried(host, service, answers);
        assert!(entered && shown.contains(CODE), "{}, right and right: {shown}", service.0);
        host.ok("countersignctl unlock alice");
    }
}

#[test]
fn byp_12_neither_password_nor_code_alone_at_any_service_before_and_after_regeneration() {
    require_boot!();
    let (host, alice) = protected();
    host.ok(NO_DELAY);
    let wrong = alice.wrong_code(1);
    let mut codes = alice.recovery.clone();
    let mut code = || codes.pop().unwrap_or_else(|| alice.fresh_code());
    all_three(&host, &wrong, &mut code);
    host.put(
        "/usr/share/pam-configs/zz-env",
        b"Name: Env\nDefault: yes\nPriority: 10\nAuth-Type: Additional\nAuth:\n\toptional pam_env.so\n",
    );
    host.ok("pam-auth-update --package && grep -q pam_env /etc/pam.d/common-auth");
    all_three(&host, &wrong, &mut code);
}
