//! BRU-10: recovery codes.

use super::{BUDGET, alice_now, closed_for, ends, evaluated, locked, require_all};
use countersign_tests::{Code, Fixture};

/// The code with one character changed to its neighbour in the alphabet.
fn one_off(code: &str, at: usize) -> String {
    const ALPHABET: &str = "0123456789abcdefghjkmnpqrstvwxyz";
    let plain: Vec<char> = code.chars().filter(|&c| c != '-').collect();
    let next = |c: char| {
        let here = ALPHABET.find(c).expect("a character of the alphabet");
        ALPHABET.chars().cycle().nth(here + 1).expect("endless")
    };
    plain.iter().enumerate().map(|(i, &c)| if i == at { next(c) } else { c }).collect()
}

#[test]
fn bru_10_near_misses_of_recovery_codes_are_budgeted() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let code = alice.recovery[3].as_str();
    let ends: Vec<Code> = (0..16).map(|at| t.cs().login("alice", [one_off(code, at)]).auth).collect();
    assert!(!ends.contains(&Code::SUCCESS), "{ends:?}");
    let log = t.daemon.log("alice");
    assert_eq!((evaluated(&log), locked(&log)), (BUDGET, 11), "{log:#?}");
    assert_eq!(t.cs().login("alice", [code]).auth, Code::MAXTRIES, "the right recovery code while closed");
    assert!(closed_for(&t.daemon, "recovery").is_some());
    let totp = t.cs().login("alice", [alice.fresh_code()]);
    assert!(totp.passed(), "recovery codes have a lane of their own: {totp:?}");
    assert_eq!(t.cs().login("alice", [code]).auth, Code::MAXTRIES, "which a TOTP success does not open");
    let _ = t.daemon.ctl().run(&["unlock", "alice"]).ok();
    assert!(t.cs().login("alice", [code]).passed(), "refused unseen, so not used up");
}

#[test]
fn bru_10_64_near_misses_at_once_are_five() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let rush = t.cs().visit("alice").rush(64);
    assert_eq!(rush.at_prompt(), 64);
    let result = rush.release(|i| one_off(&alice.recovery[i % 10], i % 16));
    assert_eq!(result.passed(), 0);
    assert_eq!(evaluated(&t.daemon.log("alice")), BUDGET, "{:?}", ends(&result.outcomes));
    assert_eq!(t.cs().login("alice", [alice.recovery[0].as_str()]).auth, Code::MAXTRIES);
}

#[test]
fn bru_10_recovery_codes_are_read_forgivingly_and_once() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let shapes: [fn(&str) -> String; 6] = [
        str::to_owned,
        str::to_uppercase,
        |code| code.replace('-', ""),
        |code| code.replace('-', " "),
        |code| format!(" {} ", code.replace('0', "o").replace('1', "l")),
        |code| code.to_uppercase().replace('0', "O").replace('1', "I"),
    ];
    for (code, shape) in alice.recovery.iter().zip(shapes) {
        let typed = shape(code);
        let first = t.cs().login("alice", [&typed]);
        assert!(first.passed(), "{typed:?}: {first:?}");
        let again = t.cs().login("alice", [code.as_str()]);
        assert!(!again.passed(), "{code} twice: {again:?}");
    }
    assert_eq!(alice_now(&t.daemon)["failures"], 0, "a used code is no guess");
    assert!(t.cs().login("alice", [alice.recovery[9].as_str()]).passed(), "an unused one passes");
}
