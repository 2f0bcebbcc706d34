//! How a refused login ends: the PAM code, the last words to the person, and the row of the log.

use super::{HOME, SOURCE_BUDGET, require_all};
use countersign_tests::people::ALICE;
use countersign_tests::ssh::{self, CODE_PROMPT, dialogue};
use countersign_tests::{Code, Fixture, Outcome, Secret, Sshd, Stack};
use std::process::Command;

const HELP: &str = "Lost your phone? Ask the helpdesk, room 12.";

/// State and reason of the last login of alice.
fn row(t: &Fixture) -> (String, String) {
    let row = t.daemon.log("alice").pop().expect("a row");
    (row.state, row.reason)
}

/// Refused because tries are used up, with these words, and whom to call.
fn used_up(t: &Fixture, outcome: &Outcome, words: &str, reason: &str) {
    let said = outcome.messages();
    let last = said.len().checked_sub(2).map(|at| (said[at], said[at + 1]));
    let (why, help) = last.unwrap_or_else(|| panic!("{reason}: two messages: {outcome:#?}"));
    assert_eq!((outcome.auth, help), (Code::MAXTRIES, HELP), "{reason}: {outcome:#?}");
    assert!(why.contains(words), "{reason}: {outcome:#?}");
    assert_eq!(row(t), ("denied".to_owned(), reason.to_owned()));
    let _ = t.daemon.ctl().run(&["unlock", "alice"]).ok();
}

fn three_times(code: &str) -> [&str; 3] {
    [code; 3]
}

/// Whatever used them up: no answer of this login is looked at any more, and the person hears why.
#[test]
fn bru_01_used_up_tries_are_maxtries_with_the_reason_and_whom_to_call() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    let wrong = |n: usize| -> [String; 3] { [0, 1, 2].map(|more| alice.wrong_code(n + more)) };
    let login = |answers: &[String]| cs.login("alice", answers.iter().map(String::as_str));

    let ended = login(&wrong(0));
    assert_eq!(ended.code_prompts(), 3, "{ended:#?}");
    used_up(&t, &ended, "That code is not right, and no try is left. Log in again.", "wrong-code");

    let used = alice.fresh_code();
    assert!(cs.login("alice", [&used]).passed());
    let ended = cs.login("alice", three_times(&used));
    used_up(&t, &ended, "already used. Log in again with the next one (", "code-reused");

    let recovery = alice.recovery[0].as_str();
    assert!(cs.login("alice", [recovery]).passed());
    let ended = cs.login("alice", three_times(recovery));
    used_up(&t, &ended, "already used. Log in again with another one.", "code-reused");

    // A phone that is three steps ahead.
    let ahead = [alice.wrong_code(3), alice.wrong_code(4), alice.code_in(3)];
    let ended = login(&ahead);
    assert!(ended.messages().concat().contains("looks about 90 s ahead"), "{ended:#?}");
    used_up(&t, &ended, "No try is left: log in again.", "clock-off");

    let ended = cs.login("alice", ["?"; 12]);
    assert_eq!(ended.code_prompts(), 10, "{ended:#?}");
    used_up(&t, &ended, "This login takes no more answers. Log in again.", "too-many-answers");
}

/// `denied` in the log is an answer that was judged; `locked` is one that a lock kept from being judged.
#[test]
fn bru_01_the_answer_that_closes_the_lane_is_maxtries_and_denied_and_the_next_one_locked() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    drop(cs.login("alice", [0, 1, 2].map(|n| alice.wrong_code(n))));
    let closes = cs.login("alice", [3, 4, 5].map(|n| alice.wrong_code(n)));
    assert_eq!((closes.auth, closes.code_prompts()), (Code::MAXTRIES, 2), "{closes:#?}");
    assert_eq!(closes.messages()[1..], ["Too many tries, again in 30 s.", HELP], "{closes:#?}");
    assert_eq!(row(&t), ("denied".to_owned(), "wrong-code".to_owned()));
    let refused = cs.login("alice", [alice.fresh_code()]);
    assert_eq!(refused.auth, Code::MAXTRIES, "the right code: {refused:#?}");
    assert_eq!(row(&t), ("locked".to_owned(), "locked".to_owned()));
    let said = refused.messages();
    assert!(said[0].ends_with("A recovery code still works.") && said.ends_with(&[HELP]), "{refused:#?}");
}

/// DIS-08: where the password may have been wrong nobody hears any of this, at an open source or a closed one.
/// sshd asks no more after `PAM_MAXTRIES`, and for a name that nobody has it never comes to that.
#[test]
fn dis_08_where_the_first_factor_is_unknown_used_up_tries_look_like_any_wrong_code() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let open = Stack::cs1(&t.module());
    let from_home = |user: &str, answer: &str| open.visit(user).rhost(HOME).run([answer]);
    let first = from_home("alice", &alice.wrong_code(0));
    assert_eq!((first.auth, first.messages().len()), (Code::AUTH_ERR, 0), "{first:#?}");
    for n in 1..SOURCE_BUDGET {
        drop(from_home("alice", &alice.wrong_code(n as usize)));
    }
    for (user, answer) in [
        ("alice", alice.fresh_code()),
        ("alice", alice.recovery[0].clone()),
        ("nobody-here", "123456".into()),
    ] {
        let closed = from_home(user, &answer);
        assert_eq!((closed.auth, &closed.shown), (first.auth, &first.shown), "{user}: {closed:#?}");
    }
    assert_eq!(row(&t).0, "locked", "the log knows");
}

/// What the person at an ssh client sees of it: the reason, whom to call, and no other question.
#[test]
fn sshd_shows_the_last_words_and_asks_no_more() {
    require_all!(Tool("sshd"), Tool("ssh"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let sshd = Sshd::start(&t.world, &ssh::two_factor_lines(&t.module()));
    let wrong: Vec<String> = (0..3).map(|n| alice.wrong_code(n)).collect();
    let password = ALICE.password();
    let talk: Vec<(&str, &str)> = std::iter::once(("Password:", password.as_str()))
        .chain(wrong.iter().map(|code| (CODE_PROMPT, code.as_str())))
        .collect();
    let ended = dialogue(&patient_client(), &talk);
    assert_eq!((ended.code, ended.answered), (Some(255), 4), "{ended:?}\n{}", sshd.log());
    for words in ["That code is not right, and no try is left. Log in again.", HELP, "Permission denied"] {
        assert!(ended.transcript.contains(words), "{words}: {ended:?}\n{}", sshd.log());
    }
    assert_eq!(ended.transcript.matches("Password:").count(), 1, "sshd does not begin anew: {ended:?}");
    let again = sshd.login("alice", &[("Password:", &password), (CODE_PROMPT, &alice.fresh_code())]);
    assert!(again.passed(), "{again:?}\n{}", sshd.log());
}

/// As people have it: three prompts, and what the server says is shown.
fn patient_client() -> Command {
    let mut client = Command::new("ssh");
    client.args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"]);
    client.args(["-o", "PreferredAuthentications=keyboard-interactive", "alice@127.0.0.1", "true"]);
    client.env("LANG", "C.UTF-8").env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
    client
}

/// The control of the test above: a wrong code that is not the last one of its login leaves sshd asking.
#[test]
fn sshd_asks_on_after_an_empty_handed_login() {
    require_all!(Tool("sshd"), Tool("ssh"));
    let t = Fixture::with_clock();
    let _alice: Secret = t.daemon.enroll("alice");
    let sshd = Sshd::start(&t.world, &ssh::two_factor_lines(&t.module()));
    let talk = [("Password:", "not her password"), ("Password:", "nor this"), ("Password:", "nor that")];
    let ended = dialogue(&patient_client(), &talk);
    assert_eq!(ended.answered, 3, "{ended:?}\n{}", sshd.log());
}
