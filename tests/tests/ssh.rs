//! The whole path through a real sshd and the real client at a terminal.

use countersign_tests::people::{ALICE, CAROL};
use countersign_tests::ssh::CODE_PROMPT;
use countersign_tests::{Fixture, Sshd, require, ssh};

#[test]
fn a_real_ssh_login_asks_for_password_and_code() {
    require!(
        Root,
        Tool("sshd"),
        Tool("ssh"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let sshd = Sshd::start(&t.world, &ssh::two_factor_lines(&t.module()));
    let password = ALICE.password();

    let code = alice.fresh_code();
    let right = sshd.login("alice", &[("Password:", &password), (CODE_PROMPT, &code)]);
    assert!(right.passed(), "{right:#?}\n{}", sshd.log());

    // One login allows three tries, and the client asks as often as the server does.
    let replay = sshd.login(
        "alice",
        &[("Password:", &password), (CODE_PROMPT, &code), (CODE_PROMPT, &code), (CODE_PROMPT, &code)],
    );
    assert!(!replay.passed() && replay.answered == 4, "{replay:#?}");

    let guess = alice.wrong_code(1);
    let wrong = sshd.login(
        "alice",
        &[("Password:", &password), (CODE_PROMPT, &guess), (CODE_PROMPT, &guess), (CODE_PROMPT, &guess)],
    );
    assert!(!wrong.passed() && wrong.answered == 4, "{wrong:#?}");

    let wrong_password = sshd.login("alice", &[("Password:", "wrong"), (CODE_PROMPT, &guess)]);
    assert_eq!((wrong_password.passed(), wrong_password.answered), (false, 1), "{wrong_password:#?}");

    let carol = sshd.login("carol", &[("Password:", &CAROL.password())]);
    assert!(carol.passed(), "carol is not asked for a code: {carol:#?}");

    let fresh = sshd.login("alice", &[("Password:", &password), (CODE_PROMPT, &alice.fresh_code())]);
    assert!(fresh.passed(), "a fresh code passes: {fresh:#?}");

    let log = t.daemon.log("alice");
    let states: Vec<_> = log
        .iter()
        .filter(|row| row.service == "sshd")
        .map(|row| (row.state.as_str(), row.confirmed))
        .collect();
    assert_eq!(
        states,
        [("verified", true), ("denied", false), ("denied", false), ("verified", true)],
        "{log:#?}"
    );
    assert!(log.iter().filter(|row| row.service == "sshd").all(|row| row.source == "127.0.0.1"), "{log:#?}");
}

/// RPL-02 over ssh: sixteen clients stand at the code prompt and type the same code.
#[test]
fn rpl_02_16_ssh_clients_at_once_let_one_in() {
    require!(
        Root,
        Tool("sshd"),
        Tool("ssh"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let sshd = Sshd::start(&t.world, &ssh::two_factor_lines(&t.module()));
    let password = ALICE.password();
    let held = sshd.hold_many(16, "alice", &[("Password:", &password)], CODE_PROMPT);
    let results = ssh::release_ssh(held, CODE_PROMPT, &alice.fresh_code());
    assert_eq!(results.iter().filter(|r| r.passed()).count(), 1, "{results:#?}");
    assert!(sshd.login("alice", &[("Password:", &password), (CODE_PROMPT, &alice.fresh_code())]).passed());
}
