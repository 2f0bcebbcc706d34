//! How it reaches the person: a real sshd, a real client at a terminal.

use super::{kept, require_all};
use countersign_tests::people::ALICE;
use countersign_tests::ssh::{CODE_PROMPT, two_factor_lines};
use countersign_tests::{Fixture, Pty, Sshd};
use std::time::Duration;

/// sshd keeps what is said after the last prompt and shows it in a session with a terminal.
#[test]
fn enr_07_sshd_shows_it_in_an_interactive_session() {
    require_all!(Tool("sshd"), Tool("ssh"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let sshd = Sshd::start(&t.world, &two_factor_lines(&t.module()));
    let session = |code: &str| {
        // No remote command: a shell at a terminal.
        let client = sshd.client("alice", &["PreferredAuthentications=keyboard-interactive"], "");
        let mut pty = Pty::spawn(&client);
        pty.expect("Password:");
        pty.send_line(&ALICE.password());
        pty.expect(CODE_PROMPT);
        pty.send_line(code);
        // The shell is there when it answers.
        pty.send_line("echo in-$((20+3)); exit 0");
        pty.expect("in-23");
        let status = pty.wait(Duration::from_secs(20));
        assert_eq!(status.code(), Some(0), "{}", pty.transcript());
        pty.transcript().to_owned()
    };
    let first = session(&alice.fresh_code());
    let told = first.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("Since your last login:"), "{first}");
    assert!(told.contains("the authenticator \"app\" was added."), "{first}");
    assert!(first.find("Since your") > first.find(CODE_PROMPT), "after the code: {first}");
    assert!(!session(&alice.fresh_code()).contains("Since your"), "told once");
    assert!(kept(&t.daemon, "alice").iter().all(|(.., told)| *told));
}
