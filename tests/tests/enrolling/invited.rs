//! `enroll = "invited"`: an administrator's one-time code comes before the key.

use super::{assert_fresh_code_passes, config, ended, factors, last, require_all};
use countersign_tests::enrolling::INVITATION;
use countersign_tests::{Code, Enrollee, Fixture, Outcome, Reply};

const HELP: &str = "Lost your phone? Ask the helpdesk, room 12.";

pub(super) fn invite(t: &Fixture, user: &str) -> String {
    let out = t.daemon.ctl().run(&["invite", user, "--json"]).ok().json().remove(0);
    out["code"].as_str().expect("a code").to_owned()
}

fn with(t: &Fixture, person: &mut Enrollee, user: &str, code: &str) -> Outcome {
    person.log_in(&t.cs().visit(user), |_, prompt| prompt.ends_with(INVITATION).then(|| Reply::from(code)))
}

/// ENR-02: for one person, once, three tries a login and five in all.
#[test]
fn enr_02_an_invitation_opens_the_login_it_was_made_for() {
    require_all!();
    let t = Fixture::configured(&config(""));
    let code = invite(&t, "bob");
    let mut alice = Enrollee::new(t.daemon.clock());
    let none = with(&t, &mut alice, "alice", &code);
    assert_eq!((none.auth, none.prompts().len()), (Code::PERM_DENIED, 0), "she is not invited: {none:#?}");
    let hers = invite(&t, "alice");
    let mut bob = Enrollee::new(t.daemon.clock());
    let crossed = with(&t, &mut bob, "bob", &hers);
    assert_eq!((crossed.auth, crossed.code_prompts()), (Code::MAXTRIES, 3), "{crossed:#?}");
    let said = crossed.messages();
    let told = ["That invitation code is not right, and no try is left. Log in again.", HELP];
    assert!(said.ends_with(&told), "{crossed:#?}");
    assert!(bob.app.is_none(), "no key before the right invitation");
    assert_eq!(last(&t, "bob"), ended("denied", "wrong-invitation", "", false));
    let right = with(&t, &mut bob, "bob", &code.to_uppercase().replace('-', " "));
    assert!(right.passed(), "{right:#?}");
    assert_eq!(factors(&t, "bob"), ["totp", "recovery"]);
    let wrong: Vec<Code> = (0..2).map(|_| with(&t, &mut alice, "alice", "00000-00000").auth).collect();
    assert_eq!(wrong, [Code::MAXTRIES; 2]);
    let _ = t.daemon.ctl().run(&["unlock", "alice"]).ok();
    let void = with(&t, &mut alice, "alice", &hers);
    assert_eq!(void.auth, Code::PERM_DENIED, "five wrong ones void it: {void:#?}");
    assert_eq!(factors(&t, "alice"), Vec::<String>::new());
    assert_fresh_code_passes(&t, "bob", bob.app());
}
