//! BYP-15: hosts that answer every prompt with the password, or with junk.

use super::{failures_of_alice, require_all};
use countersign_tests::people::ALICE;
use countersign_tests::{Code, Fixture};

/// Where something that was typed could have been left behind.
fn traces(t: &Fixture) -> String {
    let files = std::fs::read_dir(t.daemon.state()).expect("the state directory").flatten();
    let mut bytes: Vec<u8> =
        files.flat_map(|f| std::fs::read(f.path()).expect("a file of the state")).collect();
    bytes.extend(t.daemon.said().bytes());
    bytes.extend(t.bus.said().bytes());
    bytes.extend(t.world.syslog().concat().bytes());
    bytes.extend(t.daemon.ctl().run(&["log", "--json"]).ok().stdout.bytes());
    String::from_utf8_lossy(&bytes).into_owned()
}

#[test]
fn byp_15_what_is_no_code_does_not_leave_the_module() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let login = t.cs_with_password().visit("alice").password(ALICE.password());
    let long = "9".repeat(300);
    let answers = [
        ALICE.password().into_bytes(),
        // What sshd answers for users that do not exist.
        b"\x08\n\r\x7fINCORRECT".to_vec(),
        b"123\x1b[2J456".to_vec(),
        b"123456\n".to_vec(),
        b"123\t456".to_vec(),
        "123456\u{85}".as_bytes().to_vec(),
        long.clone().into_bytes(),
    ];
    for answer in &answers {
        for _ in 0..2 {
            let outcome = login.run([answer.as_slice()]);
            let shown = String::from_utf8_lossy(answer);
            assert_eq!((outcome.auth, outcome.code_prompts()), (Code::AUTH_ERR, 1), "{shown:?}: {outcome:?}");
        }
    }
    assert_eq!(failures_of_alice(&t.daemon), 0, "none of it is a guess");
    let log = t.daemon.log("alice");
    let abandoned = log.iter().filter(|row| row.state == "abandoned" && row.tries == 0).count();
    assert_eq!(abandoned, 2 * answers.len(), "{log:#?}");
    let traces = traces(&t);
    for secret in [ALICE.password().as_str(), "INCORRECT", "123\x1b", &long[..64]] {
        assert!(!traces.contains(secret), "{secret:?} was left behind");
    }
    assert!(traces.contains("wonder") || traces.contains("alice"), "the search would find a name");
    let right = login.run([alice.fresh_code()]);
    assert!(right.passed(), "{right:?}");
}

/// A password mistyped at the code prompt does reach the daemon, as a wrong code: it is charged and kept nowhere.
#[test]
fn byp_15_a_mistyped_password_is_charged_and_forgotten() {
    require_all!();
    let t = Fixture::with_clock();
    let _ = t.daemon.enroll("alice");
    let login = t.cs_with_password().visit("alice").password(ALICE.password());
    let outcome = login.run(["Alice-passwort-1", "correct horse battery staple", "abcd-efgh-jkmn-pqrs"]);
    assert_eq!((outcome.auth, outcome.code_prompts()), (Code::MAXTRIES, 3), "{outcome:?}");
    assert_eq!(failures_of_alice(&t.daemon), 3);
    let traces = traces(&t);
    for typed in ["Alice-passwort", "horse battery", "abcd-efgh", "abcdefgh"] {
        assert!(!traces.contains(typed), "{typed:?} was left behind");
    }
}
