//! The incumbents in our scenario. What they let through shows that the harness can catch it.

use countersign_tests::{Code, controls, require};

const ROUNDS: usize = 5;

/// RPL-02, control: `DISALLOW_REUSE` reads the file, checks, and writes it back; between the two others pass.
#[test]
fn rpl_02_control_google_authenticator_lets_several_through() {
    require!(Root, PamModule("pam_google_authenticator.so"));
    let mut passed = Vec::new();
    for _ in 0..ROUNDS {
        let control = controls::google_authenticator(false);
        let rush = control.stack.visit("alice").in_own_process().rush(64);
        assert_eq!(rush.at_prompt(), 64);
        let code = control.alice.code_in(0);
        let result = rush.release(|_| code.as_str());
        eprintln!(
            "google-authenticator: {} of 64 let in with one code, answers let go in {:?}",
            result.passed(),
            result.released_in
        );
        passed.push(result.passed());
    }
    assert!(
        passed.iter().any(|&n| n > 1),
        "the control never failed: is the harness simultaneous? {passed:?}"
    );
}

/// RPL-01, control: one after the other, google-authenticator does refuse the second use.
#[test]
fn rpl_01_control_google_authenticator_refuses_a_sequential_replay() {
    require!(Root, PamModule("pam_google_authenticator.so"));
    let control = controls::google_authenticator(false);
    let code = control.alice.code_in(0);
    let login = control.stack.visit("alice");
    assert_eq!(login.run([&code]).auth, Code::SUCCESS);
    assert_ne!(login.run([&code]).auth, Code::SUCCESS);
    assert_eq!(login.run([control.alice.code_in(1)]).auth, Code::SUCCESS, "a fresh code must still pass");
}

/// BRU-02, control: the rate limit of 3 in 30 s, and 32 guesses at once.
#[test]
fn bru_02_control_google_authenticator_evaluates_32_at_once() {
    require!(Root, PamModule("pam_google_authenticator.so"));
    let mut evaluated = Vec::new();
    for _ in 0..ROUNDS {
        let control = controls::google_authenticator(true);
        let rush = control.stack.visit("alice").in_own_process().rush(32);
        // Every guess is right, so a guess that was evaluated shows as a success (or as a reuse, not counted here).
        let code = control.alice.code_in(0);
        evaluated.push(rush.release(|_| code.as_str()).passed());
    }
    eprintln!("google-authenticator: evaluated right codes of 32 with RATE_LIMIT 3 30: {evaluated:?}");
    assert!(evaluated.iter().any(|&n| n > 3), "{evaluated:?}");
}

/// BRU-01, control: 200 wrong codes in a row, then the right one passes.
#[test]
fn bru_01_control_oath_has_no_limit() {
    require!(Root, PamModule("pam_oath.so"));
    let control = controls::oath(1);
    let login = control.stack.visit("alice");
    for n in 0..200 {
        assert_eq!(login.run([control.alice.wrong_code(n)]).auth, Code::AUTH_ERR);
    }
    assert_eq!(login.run([control.alice.code_in(0)]).auth, Code::SUCCESS, "no limit: the right code passes");
}
