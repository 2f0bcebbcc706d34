//! Becoming somebody else for one command: sudo and what it remembers, and pkexec.

use crate::{CODE, PASSWORD, PATIENCE, answer, protected, require_boot};
use countersign_tests::Booted;
use std::time::{Duration, Instant};

#[test]
fn byp_21_sudo_asks_anew_after_k_and_never_waits_with_n() {
    require_boot!();
    let (host, alice) = protected();
    // One session, as sudo remembers by terminal.
    let shell = host.command(&["runuser", "-u", "alice", "--", "env", "PS1=$ ", "sh"]);
    let mut pty = host.terminal(&shell);
    let begun = Instant::now();
    pty.send_line("sudo -n id; echo ended=$?");
    pty.expect("a password is required");
    pty.expect("ended=1\n");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    pty.send_line("sudo id; echo ended=$?");
    pty.expect("assword");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    pty.send_line(&alice.fresh_code());
    pty.expect("uid=0(root)");
    pty.expect("ended=0\n");
    // Within its fifteen minutes sudo does not ask PAM at all: that is sudo's setting, timestamp_timeout.
    pty.send_line("sudo -n id; echo ended=$?");
    pty.expect("uid=0(root)");
    pty.expect("ended=0\n");
    pty.send_line("sudo -k; sudo -n id; echo ended=$?");
    pty.expect("a password is required");
    pty.expect("ended=1\n");
    pty.send_line("sudo id; echo ended=$?");
    pty.expect("assword");
    pty.send_line(PASSWORD);
    pty.expect(CODE);
    drop(pty);

    // Whose factor? With `targetpw`, that of whose password sudo asks for.
    host.ok("printf 'Defaults targetpw\ncarol ALL=(ALL) ALL\n' >/etc/sudoers.d/target && chmod 440 /etc/sudoers.d/target && visudo -c -q");
    let sudo = ["runuser", "-u", "carol", "--", "sudo", "-k", "-u", "alice", "id", "-un"];
    let shown = answer(&host, &sudo, &[PASSWORD, &alice.recovery[0], "no"]);
    assert!(shown.contains(CODE) && shown.ends_with("alice\n"), "{shown}");
    let sudo = ["runuser", "-u", "alice", "--", "sudo", "-k", "-u", "carol", "id", "-un"];
    let shown = answer(&host, &sudo, &[PASSWORD]);
    assert!(!shown.contains(CODE) && shown.ends_with("carol\n"), "carol is not staff: {shown}");
}

#[test]
fn byp_25_pkexec_asks_for_a_code_and_ends() {
    require_boot!();
    let (host, alice) = protected();
    let shown = pkexec(&host, &[PASSWORD, &alice.fresh_code()]);
    assert!(shown.ends_with("root\nended=0\n"), "{shown}");
    // Wrong codes end it, and it asks for no password again.
    let wrong: Vec<String> = (0..3).map(|n| alice.wrong_code(n)).collect();
    let begun = Instant::now();
    let shown = pkexec(&host, &[PASSWORD, &wrong[0], &wrong[1], &wrong[2]]);
    assert!(shown.contains("Not authorized") && !shown.contains("root\n"), "{shown}");
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}

/// `pkexec id -un` by alice in one terminal, and in another the agent that she answers. (pkexec's own
/// agent is refused by polkitd 122 outside of a session of logind: "No session for cookie".) Gives what
/// the first one showed.
pub(crate) fn pkexec(host: &Booted, answers: &[&str]) -> String {
    let script = "echo $$ >/tmp/shell.pid; until test -e /tmp/agent.ready; do sleep 0.1; done; \
         pkexec --disable-internal-agent id -un; echo ended=$?";
    host.ok("rm -f /tmp/shell.pid /tmp/agent.ready");
    let mut shell = host.terminal(&host.command(&["runuser", "-u", "alice", "--", "sh", "-c", script]));
    host.wait_for("test -s /tmp/shell.pid");
    let agent = "(sleep 0.5; touch /tmp/agent.ready) & exec pkttyagent --process $(cat /tmp/shell.pid)";
    let mut agent = host.terminal(&host.command(&["runuser", "-u", "alice", "--", "sh", "-c", agent]));
    for answer in answers {
        agent.expect(crate::prompt_of(answer));
        // What is typed before the agent has hidden the next answer, it throws away.
        std::thread::sleep(Duration::from_millis(400));
        agent.send_line(answer);
    }
    shell.wait(PATIENCE);
    shell.transcript().to_owned()
}
