//! `countersignctl enable`, `confirm` and `disable`, as an administrator types them.

use crate::{CODE, PASSWORD, PATIENCE, enroll, policy, prompt_of, require_boot, ssh, ssh_command};
use countersign_tests::enrolling::{Enrollee, FIRST_CODE, READ_BACK};
use countersign_tests::{Booted, Secret};
use std::process::Output;
use std::time::Duration;

/// Everybody of staff is asked, and sets up an authenticator in the login.
pub(crate) const AT_LOGIN: &str =
    "[[policy]]\nname = \"staff\"\ngroups = [\"staff\"]\nenroll = \"at-login\"\n";
/// Bytes, mode and owner of everything that `enable` may touch.
const FILES: &str = "find /etc/pam.d /etc/ssh /var/lib/pam -type f -exec stat -c '%n %a %U:%G' {} + \
                     -exec sha256sum {} + | sort";

/// The package installed and nothing else done; alice is staff and may sudo, carol is neither.
pub(crate) fn host(policy_text: &str) -> Booted {
    let host = Booted::with_package();
    for user in ["alice", "carol"] {
        host.ok(&format!("useradd -m -s /bin/bash {user} && echo '{user}:{PASSWORD}' | chpasswd"));
    }
    host.ok("usermod -a -G staff,sudo alice");
    policy(&host, policy_text);
    host
}

pub(crate) fn files(host: &Booted) -> String {
    host.ok(FILES)
}

pub(crate) fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Fails with this exit code; what it said.
pub(crate) fn refused(host: &Booted, script: &str, code: i32) -> String {
    let output = host.run(script);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(code), "{script}: {said}");
    said
}

/// Runs a program at a terminal and answers its prompts; whether it succeeded, and what it showed.
pub(crate) fn try_at(host: &Booted, words: &[&str], answers: &[&str]) -> (bool, String) {
    let mut pty = host.terminal(&host.command(words));
    for answer in answers {
        if !pty.expect_or_end(prompt_of(answer), PATIENCE) {
            break;
        }
        // What is left of a prompt is no further one.
        if !prompt_of(answer).ends_with(": ") {
            pty.expect(": ");
        }
        pty.send_line(answer);
    }
    // Whoever is asked again has nothing more to say.
    if pty.expect_or_end(": ", PATIENCE) {
        pty.send(&[3, 4]);
    }
    (pty.wait(PATIENCE).success(), pty.transcript().to_owned())
}

/// An ssh login at a terminal with these answers; who is asked for more hangs up.
pub(crate) fn try_ssh(host: &Booted, user: &str, answers: &[&str]) -> (bool, String) {
    let to = format!("{user}@127.0.0.1");
    let words = ["ssh", "-o", "StrictHostKeyChecking=no", "-o", "LogLevel=ERROR", &to, "echo in-as-$USER"];
    try_at(host, &words, answers)
}

/// Waits for sshd, which closes its port for a moment when it reads its files again.
pub(crate) fn listening(host: &Booted) {
    host.wait_for("sleep 0.3; ss -Hltn 'sport = :22' | grep -q .");
}

/// Sets up an authenticator in an ssh login.
fn enroll_over_ssh(host: &Booted, user: &str) -> Secret {
    let mut pty = host.terminal(&ssh_command(host, user, &[], "echo in-as-$USER"));
    let mut person = Enrollee::default();
    pty.expect("assword: ");
    pty.send_line(PASSWORD);
    for prompt in [FIRST_CODE, READ_BACK] {
        pty.expect(prompt);
        let shown = pty.transcript().to_owned();
        person.read(&shown);
        let answer = if prompt == FIRST_CODE {
            let app = person.app();
            let step = app.step() - 1;
            app.mark_used(step);
            app.code_at(step)
        } else {
            person.asked_back()
        };
        pty.send_line(&answer);
    }
    assert!(pty.wait(PATIENCE).success(), "{}", pty.transcript());
    assert!(pty.transcript().contains(&format!("in-as-{user}")), "{}", pty.transcript());
    person.app.expect("a key was shown")
}

#[test]
fn enabling_ssh_enrolling_at_login_and_confirming_keeps_it_until_it_is_disabled_to_the_byte() {
    require_boot!();
    let host = host(AT_LOGIN);
    let before = files(&host);
    let dry = host.ok("countersignctl enable sshd --dry-run");
    eprintln!("{dry}");
    for expected in [
        "--- /etc/pam.d/sshd",
        "+auth       required     pam_countersign.so after_first_factor",
        "+account    required     pam_countersign.so",
        "+AuthenticationMethods publickey,keyboard-interactive:pam keyboard-interactive:pam",
        "Tried without changing anything: sshd. Nobody gets in without a code",
        "nothing was changed",
    ] {
        assert!(dry.contains(expected), "{expected:?} in {dry}");
    }
    assert_eq!(files(&host), before, "a dry run");

    let done = host.ok("countersignctl enable sshd");
    eprintln!("{done}");
    assert!(done.contains("taken back in 5 min unless confirmed") && done.contains("countersignctl confirm"));
    host.ok("systemctl is-active 'countersign-rollback-*.timer'");
    listening(&host);
    let again = host.ok("countersignctl enable sshd");
    assert!(again.contains("sshd asks already") && again.contains("Nothing to change"), "{again}");
    let status = host.ok("countersignctl status");
    assert!(status.contains("enabled        sshd, NOT CONFIRMED: taken back in"), "{status}");
    // What does not count: nothing at all, and somebody who is not asked.
    let early = refused(&host, "countersignctl confirm", 1);
    assert!(early.contains("Nobody has tried") && early.contains("is taken back in"), "{early}");
    assert!(ssh(&host, "carol", &[], "true").0.success(), "carol is asked for nothing");
    let early = refused(&host, "countersignctl confirm", 1);
    assert!(early.contains("carol was let in without being asked"), "{early}");

    let alice = enroll_over_ssh(&host, "alice");
    let kept = host.ok("countersignctl confirm");
    assert!(kept.contains("Confirmed by login") && kept.contains("sshd asks"), "{kept}");
    assert!(host.ok("countersignctl confirm").contains("Nothing waits"));
    assert!(!host.run("systemctl is-active 'countersign-rollback-*.timer'").status.success(), "disarmed");
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "echo in-as-$USER");
    assert!(status.success() && shown.contains(CODE) && shown.contains("in-as-alice"), "{shown}");

    // A key alone is no way in; with password and code it is.
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && install -d -o alice -m 700 ~alice/.ssh && install -o alice -m 600 /root/.ssh/id_ed25519.pub ~alice/.ssh/authorized_keys");
    let batch = "ssh -o BatchMode=yes -o StrictHostKeyChecking=no alice@127.0.0.1 true";
    assert!(!host.run(batch).status.success(), "the key alone");
    let (status, shown) = ssh(&host, "alice", &[&alice.fresh_code()], "echo in-as-$USER");
    assert!(status.success() && shown.contains("in-as-alice"), "{shown}");

    let done = host.ok("countersignctl disable sshd --yes --reason 'ticket 7'");
    assert!(done.contains("/etc/pam.d/sshd is as it was before"), "{done}");
    assert_eq!(files(&host), before, "to the byte, mode and owner");
    listening(&host);
    assert!(host.ok("ls -A /etc/countersign/enabled.d").is_empty());
    assert!(host.run(batch).status.success(), "as it was before");
    host.ok("journalctl -t countersignctl -o cat | grep -q 'disable sshd: ticket 7'");
    assert!(host.ok("countersignctl disable --all --yes").contains("No service has a line of ours"));
}

#[test]
fn sudo_su_and_login_ask_and_are_confirmed_by_a_login_of_theirs() {
    require_boot!();
    let host = host(AT_LOGIN);
    host.ok(&format!("echo 'root:{PASSWORD}' | chpasswd"));
    let alice = enroll(&host, "alice");
    let before = files(&host);
    let done = host.ok("countersignctl enable sudo su login --json");
    let done: serde_json::Value = serde_json::from_str(&done).expect("one object");
    assert_eq!((done["changed"].as_bool(), done["rollback_after"].as_u64()), (Some(true), Some(300)));
    let also = &done["services"].as_array().expect("services")[1]["also"];
    assert_eq!(also, &serde_json::json!(["su-l"]), "it includes su");
    assert!(
        done["services"].as_array().expect("services").iter().all(|one| one["after_first_factor"] == true)
    );

    let sudo = ["runuser", "-u", "alice", "--", "sudo", "-k", "id", "-un"];
    let su = ["runuser", "-u", "carol", "--", "su", "-", "alice", "-c", "id -un"];
    // BYP-12: both must be right.
    let (recovery, wrong) = (&alice.recovery, alice.wrong_code(1));
    assert!(!try_at(&host, &sudo, &[PASSWORD, &wrong]).0, "right password, wrong code");
    let (entered, shown) = try_at(&host, &sudo, &["assword wrong"]);
    assert!(!entered && !shown.contains(CODE), "wrong password: {shown}");
    let (entered, shown) = try_at(&host, &sudo, &[PASSWORD, &recovery[0], "no"]);
    assert!(entered && shown.contains("root"), "{shown}");
    let (entered, shown) = try_at(&host, &su, &[PASSWORD, &recovery[1], "no"]);
    assert!(entered && shown.contains("alice"), "su - by its own include: {shown}");
    let missing = refused(&host, "countersignctl confirm", 1);
    assert!(missing.contains("login is not confirmed") && !missing.contains("su is not"), "{missing}");
    assert_eq!(host.ok("su - alice -c 'id -un'"), "alice\n", "root is asked for nothing");

    let console = ["systemd-run", "--quiet", "--pty", "--wait", "-p", "TTYVHangup=no", "/bin/login", "-p"];
    let mut pty = host.terminal(&host.command(&console));
    for (prompt, answer) in [("login: ", "alice"), ("assword: ", PASSWORD), (CODE, &alice.fresh_code())] {
        pty.expect(prompt);
        pty.send_line(answer);
    }
    pty.expect(":~$ ");
    host.ok("countersignctl confirm");
    // What others wrote since stays.
    host.ok("sed -i '1i # mine' /etc/pam.d/sudo");
    let planned = host.ok("countersignctl disable --all --dry-run");
    assert!(!planned.contains("/etc/pam.d/"), "each service once, by its name: {planned}");
    let done = host.ok("countersignctl disable --all --yes");
    assert!(done.contains("took our lines out of /etc/pam.d/sudo, and left what others wrote"), "{done}");
    host.ok("sed -i 1d /etc/pam.d/sudo");
    assert_eq!(files(&host), before);
}

#[test]
fn byp_21_a_sudo_timestamp_spares_the_code_and_k_asks_again() {
    require_boot!();
    let host = host(AT_LOGIN);
    let alice = enroll(&host, "alice");
    host.ok("countersignctl enable sudo");
    // One terminal, and one timestamp.
    let mut pty = host.terminal(&host.command(&["runuser", "-u", "alice", "--", "bash", "--norc"]));
    pty.send_line("sudo -n id -un; sudo echo first");
    pty.expect("a password is required");
    pty.expect("assword for alice: ");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    pty.send_line(&alice.fresh_code());
    pty.expect("first");
    pty.expect("$ ");
    pty.send_line("sudo -n echo sec'ond'; sudo -k; sudo -n echo thi'rd'; sudo echo four'th'");
    pty.expect("second");
    pty.expect("a password is required");
    pty.expect("assword for alice: ");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    pty.send_line(&alice.recovery[0]);
    pty.expect(prompt_of("no"));
    pty.send_line("no");
    pty.expect("fourth");
    assert!(!pty.transcript().contains("third"), "{}", pty.transcript());
}

#[test]
fn byp_14_a_key_and_a_code_without_a_password_by_after_key() {
    require_boot!();
    let host = host(AT_LOGIN);
    let alice = enroll(&host, "alice");
    let before = files(&host);
    let lost = refused(&host, "countersignctl enable sshd --after-key", 1);
    assert!(lost.contains("Somebody needs a key, and a factor"), "nobody has a key: {lost}");
    host.ok("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519 && install -d -o alice -m 700 ~alice/.ssh && install -o alice -m 600 /root/.ssh/id_ed25519.pub ~alice/.ssh/authorized_keys");
    let done = host.ok("countersignctl enable sshd --after-key");
    assert!(done.contains("+#countersign-was# @include common-auth"), "{done}");
    assert!(done.contains("+AuthenticationMethods publickey,keyboard-interactive:pam\n"), "{done}");
    listening(&host);
    let words = ["ssh", "-o", "StrictHostKeyChecking=no", "alice@127.0.0.1", "echo in-as-$USER"];
    let (entered, shown) = try_at(&host, &words, &[&alice.fresh_code()]);
    assert!(entered && shown.contains("in-as-alice") && !shown.contains("assword"), "{shown}");
    host.ok("countersignctl confirm");
    let (entered, shown) = try_at(&host, &words, &[&alice.wrong_code(1)]);
    assert!(!entered && !shown.contains("in-as"), "{shown}");
    let without_key = [
        "ssh",
        "-o",
        "StrictHostKeyChecking=no",
        "-i",
        "/dev/null",
        "-o",
        "IdentitiesOnly=yes",
        "alice@127.0.0.1",
        "true",
    ];
    assert!(!try_at(&host, &without_key, &[PASSWORD]).0, "no key, no way in");
    let other = refused(&host, "countersignctl enable sshd", 1);
    assert!(other.contains("Take it out first:  countersignctl disable sshd"), "{other}");
    host.ok("countersignctl disable sshd --yes && rm -r /root/.ssh ~alice/.ssh");
    assert_eq!(files(&host), before);
}

#[test]
fn it_refuses_to_lock_out_and_says_why() {
    require_boot!();
    // Nobody has a factor, and the default is that an administrator invites.
    let host = host("[[policy]]\nname = \"all\"\n");
    let before = files(&host);
    let enable = "countersignctl enable sshd";
    let nobody = refused(&host, enable, 1);
    assert!(nobody.contains("PROBLEM: nobody could log in to sshd"), "{nobody}");
    assert!(nobody.contains("countersignctl enroll NAME") && nobody.contains("--force"), "{nobody}");
    let no_yes = refused(&host, &format!("{enable} --force"), 2);
    assert!(no_yes.contains("--yes"), "{no_yes}");
    let unknown = refused(&host, "countersignctl enable sssh", 3);
    assert!(unknown.contains("no PAM service sssh") && unknown.contains("sshd"), "{unknown}");
    refused(&host, "runuser -u carol countersignctl enable sshd", 4);

    enroll(&host, "alice");
    // The rescue shell is the way in when the console asks; root has no password there.
    let console = refused(&host, "countersignctl enable login", 1);
    assert!(console.contains("root has no password for the rescue shell"), "{console}");
    host.ok(&format!("echo 'root:{PASSWORD}' | chpasswd"));
    host.ok("countersignctl enable login --dry-run");

    // A policy that asks nobody there, and one that is broken.
    policy(&host, "[[policy]]\nname = \"all\"\nservices = [\"sudo\"]\n");
    let nobody = refused(&host, enable, 1);
    assert!(nobody.contains("policy asks nobody at sshd"), "{nobody}");
    host.put("/etc/countersign/countersign.toml", b"[[policy]]\nname = \"all\"\nservices = [\"sshd\"]\n");
    host.ok("countersignctl policy apply --accept-weaker --yes");
    host.put("/etc/countersign/countersign.toml", b"[[policy]\n");
    host.ok("systemctl reload countersignd");
    let broken = refused(&host, enable, 1);
    assert!(broken.contains("the policy file is broken"), "{broken}");
    policy(&host, "[[policy]]\nname = \"all\"\n");

    // Lines of others that let people in, or keep everybody out.
    host.ok("cp -a /etc/pam.d/sudo /root/sudo && sed -i '1a auth sufficient pam_unix.so' /etc/pam.d/sudo");
    let around = refused(&host, "countersignctl enable sudo", 1);
    assert!(around.contains("without a code, at sudo:2 (pam_unix.so)"), "{around}");
    host.ok("cp -a /root/sudo /etc/pam.d/sudo");
    host.ok("sed -i '1i AuthenticationMethods publickey' /etc/ssh/sshd_config");
    let first = refused(&host, enable, 1);
    assert!(first.contains("/etc/ssh/sshd_config:1") && first.contains("Take that line out"), "{first}");
    host.ok("sed -i 1d /etc/ssh/sshd_config");
    host.ok("printf 'Match User alice\\n  KbdInteractiveAuthentication no\\n' >>/etc/ssh/sshd_config");
    let matched = refused(&host, enable, 1);
    assert!(matched.contains("forbids keyboard-interactive for Match User alice"), "{matched}");
    host.ok("sed -i -e '$d' /etc/ssh/sshd_config && sed -i -e '$d' /etc/ssh/sshd_config");

    // Files that are not root's alone to change.
    host.ok("mv /etc/pam.d/su /root/su && ln -s /root/su /etc/pam.d/su");
    let link = refused(&host, "countersignctl enable su", 1);
    assert!(link.contains("symbolic link") && link.contains("/root/su"), "{link}");
    host.ok("rm /etc/pam.d/su && mv /root/su /etc/pam.d/su");
    host.ok("chmod 664 /etc/pam.d/su");
    assert!(refused(&host, "countersignctl enable su", 1).contains("chmod go-w"));
    host.ok("chmod 644 /etc/pam.d/su");
    let read_only = refused(
        &host,
        "unshare -m sh -c 'mount --bind /etc/pam.d /etc/pam.d && mount -o remount,bind,ro /etc/pam.d && countersignctl enable su sudo'",
        1,
    );
    assert!(read_only.contains("read-only") && read_only.contains("all is as it was"), "{read_only}");
    assert_eq!(files(&host), before, "nothing half done");
    assert!(host.ok("ls -A /etc/countersign/enabled.d").is_empty());

    // No daemon, and a bus that lets nobody speak to it.
    host.ok("systemctl mask --now countersignd");
    let gone = refused(&host, enable, 5);
    assert!(gone.contains("systemctl status countersignd"), "{gone}");
    host.ok("systemctl unmask countersignd && systemctl start countersignd");
    host.ok("printf '<busconfig><policy context=\"mandatory\"><deny send_destination=\"org.countersign1\" send_interface=\"org.countersign1.Login\"/></policy></busconfig>' >/etc/dbus-1/system.d/zz.conf && systemctl reload dbus");
    let bus = refused(&host, enable, 1);
    assert!(bus.contains("our module in sshd gets no answer from countersignd"), "{bus}");
    assert_eq!(files(&host), before);
    // By force all the same: it says what, and there is still a way back.
    let forced = host.ok("countersignctl enable sshd --force --yes --rollback-after 5s");
    assert!(forced.contains("PROBLEM: tried: our module"), "{forced}");
    host.wait_for("! grep -q pam_countersign /etc/pam.d/sshd");
    host.wait_for("test -z \"$(ls -A /etc/countersign/enabled.d)\"");
    assert_eq!(files(&host), before);
}

#[test]
fn byp_25_pkexec_asks_for_the_code_by_the_shipped_stack() {
    require_boot!();
    let host = host(AT_LOGIN);
    let alice = enroll(&host, "alice");
    host.ok("countersignctl enable polkit-1 && test -f /etc/pam.d/polkit-1");
    // The agent in pkexec itself loses the session on a terminal (polkit#17); an agent beside it does not.
    let pkexec = "pkttyagent --process $$ --notify-fd 5 5>/run/lock/agent & until test -e /run/lock/agent; do sleep 0.1; done; \
                  sleep 1; pkexec --disable-internal-agent id -un";
    let answered = |code: &str| {
        let mut pty = host.terminal(&host.command(&["runuser", "-u", "alice", "--", "sh", "-c", pkexec]));
        for (prompt, answer) in [("assword: ", PASSWORD), (CODE, code)] {
            pty.expect(prompt);
            // The agent prompts first, and then drops what was typed before it turned the echo off.
            std::thread::sleep(Duration::from_millis(500));
            pty.send_line(answer);
        }
        // Who is asked again has nothing more to say.
        if pty.expect_or_end(CODE, PATIENCE) {
            pty.send(&[3]);
        }
        (pty.wait(PATIENCE).success(), pty.transcript().to_owned())
    };
    let (entered, shown) = answered(&alice.wrong_code(1));
    assert!(!entered && !shown.contains("root\n"), "{shown}");
    let (entered, shown) = answered(&alice.fresh_code());
    assert!(entered && shown.contains("root\n"), "{shown}");
    host.ok("countersignctl confirm && countersignctl disable polkit-1 --yes");
    host.ok("test ! -e /etc/pam.d/polkit-1");
}
