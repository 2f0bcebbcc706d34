//! On a booted Debian, from the package, as a person would: systemd, logind, a real sshd, sudo, login.

mod again;
mod automation;
mod by_hand;
mod doctor;
mod drill;
mod elevation;
mod enable;
mod events;
mod hardening;
mod life;
mod lockout;
mod logins;
mod missing;
mod odd;
mod records;
mod releases;
mod roles;
mod rollback;
mod scripts;
mod services;
mod sessions;
mod taken;
mod unattended;
mod undone;
mod versions;
mod ways;

use countersign_tests::booted::{PLAIN_SSH, ROOT};
use countersign_tests::enrolling::OFFER;
use countersign_tests::{Booted, Secret};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

const PASSWORD: &str = "correct horse";
const CODE: &str = "Verification code: ";
const POLICY: &str = r#"
[[policy]]
name = "staff"
groups = ["staff"]

[[policy]]
name = "everyone else"
status = "off"
"#;
/// pam_unix and su wait after each refusal; where many are tried, they need not.
const NO_DELAY: &str =
    "sed -i 's/pam_unix.so/& nodelay/' /etc/pam.d/common-auth && echo FAIL_DELAY 0 >>/etc/login.defs";
/// What the administrator's guide says for sshd.
const SSHD: &str = "KbdInteractiveAuthentication yes\nPasswordAuthentication no\nUsePAM yes\n\
     AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam\n";

/// Skips loudly where no container can be booted.
#[macro_export]
macro_rules! require_boot {
    ($($more:expr),*) => {
        countersign_tests::require!(
            Root,
            Tool("systemd-nspawn"),
            Tool("nsenter"),
            File(countersign_tests::booted::ROOT)
            $(, $more)*
        );
    };
}

/// A host where the package is installed and nothing else was done; alice is staff, carol is not.
fn host() -> Booted {
    host_of(ROOT)
}

/// The same of another release.
fn host_of(root: &str) -> Booted {
    assert!(std::path::Path::new(root).exists());
    prepared(Booted::boot_of(root))
}

/// The package, people, and sshd as the guide says.
fn prepared(host: Booted) -> Booted {
    host.install();
    for user in ["alice", "carol"] {
        host.ok(&format!("useradd -m -s /bin/bash {user} && echo '{user}:{PASSWORD}' | chpasswd"));
    }
    host.ok("usermod -a -G staff,sudo alice");
    host.put("/etc/ssh/sshd_config.d/50-countersign.conf", SSHD.as_bytes());
    host.ok("systemctl restart ssh");
    host
}

/// The same, switched on for every service by the distribution's tool, and alice enrolled.
fn protected() -> (Booted, Secret) {
    let host = host();
    let alice = enroll(&host, "alice");
    switch_on(&host);
    (host, alice)
}

/// Puts a policy into force.
fn policy(host: &Booted, text: &str) {
    host.put("/etc/countersign/countersign.toml", text.as_bytes());
    host.ok("countersignctl policy check && countersignctl policy apply --accept-weaker --yes");
}

fn switch_on(host: &Booted) {
    policy(host, POLICY);
    host.ok("pam-auth-update --enable countersign");
}

/// Through `countersignctl enroll --json`, as a script would.
fn enroll(host: &Booted, user: &str) -> Secret {
    let mut ctl = host
        .command(&["countersignctl", "enroll", user, "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("nsenter (util-linux)");
    let mut lines = BufReader::new(ctl.stdout.take().expect("piped")).lines();
    let mut object = || -> serde_json::Value {
        let line = lines.next().expect("a line").expect("readable");
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"))
    };
    let begun = object();
    let mut secret = Secret::from_base32(begun["secret"].as_str().expect("a secret"), None);
    // The code of the step before, so that those of now and of the next step are left.
    let step = secret.step() - 1;
    secret.mark_used(step);
    writeln!(ctl.stdin.take().expect("piped"), "{}", secret.code_at(step)).expect("a reader");
    let codes = object();
    let codes = codes["recovery_codes"].as_array().expect("codes").iter();
    secret.recovery = codes.map(|code| code.as_str().expect("text").to_owned()).collect();
    assert!(ctl.wait().expect("our own child").success());
    secret
}

/// An ssh login at a terminal: the password, then these answers. Gives how it ended
/// and what the terminal showed.
fn ssh(host: &Booted, user: &str, answers: &[&str], command: &str) -> (ExitStatus, String) {
    let mut pty = host.terminal(&ssh_command(host, user, &[], command));
    if pty.expect_or_end("assword: ", PATIENCE) {
        pty.send_line(PASSWORD);
        for answer in answers {
            if !pty.expect_or_end(prompt_of(answer), PATIENCE) {
                break;
            }
            pty.send_line(answer);
        }
    }
    let status = pty.wait(PATIENCE);
    (status, pty.transcript().to_owned())
}

/// Where somebody types this: "no" is for the offer of a new phone, after a recovery code.
fn prompt_of(answer: &str) -> &'static str {
    match answer {
        PASSWORD | "assword wrong" => "assword",
        "no" => OFFER,
        _ => CODE,
    }
}

/// Runs a program at a terminal and answers its prompts; gives what it showed.
fn answer(host: &Booted, words: &[&str], answers: &[&str]) -> String {
    let mut pty = host.terminal(&host.command(words));
    for answer in answers {
        pty.expect(prompt_of(answer));
        pty.send_line(answer);
    }
    let status = pty.wait(PATIENCE);
    assert!(status.success(), "{words:?}: {}", pty.transcript());
    pty.transcript().to_owned()
}

const PATIENCE: Duration = Duration::from_secs(30);

fn ssh_command(host: &Booted, user: &str, options: &[&str], command: &str) -> std::process::Command {
    let to = format!("{user}@127.0.0.1");
    let mut words = vec!["ssh"];
    words.extend(PLAIN_SSH.split_whitespace());
    words.extend(options);
    words.extend([to.as_str(), command]);
    host.command(&words)
}
