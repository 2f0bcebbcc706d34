//! The first factor of somebody who must have one, with `enroll = "at-login"`.

use super::{AT_LOGIN, assert_fresh_code_passes, config, ended, factors, last, require_all};
use countersign_protocol::names::LOGIN_INTERFACE;
use countersign_tests::enrolling::{FIRST_CODE, READ_BACK, key_in};
use countersign_tests::{Caller, Code, Enrollee, Fixture, HANG_UP, Reply, Stack};

#[test]
fn a_newcomer_scans_types_and_is_in() {
    require_all!();
    let t = Fixture::configured(&config(AT_LOGIN));
    let mut bob = Enrollee::new(t.daemon.clock());
    let first = bob.enroll(&t.cs().visit("bob"));
    assert!(first.passed(), "{first:#?}");
    assert_eq!(first.code_prompts(), 2, "the first code, and one recovery code: {first:#?}");
    assert_eq!(last(&t, "bob"), ended("enrolled", "", "totp", true));
    assert_eq!(factors(&t, "bob"), ["totp", "recovery"]);
    assert_eq!(bob.app().recovery.len(), 10);
    assert_fresh_code_passes(&t, "bob", bob.app());
    let recovery = t.cs().login("bob", [bob.app().recovery[0].as_str(), "no"]);
    assert!(recovery.passed(), "{recovery:#?}");
}

/// ENR-01: whoever has the password alone enrolls where the policy says so, and nowhere else.
fn stolen_password(setting: &str, enrolls: bool) {
    let t = Fixture::configured(&config(setting));
    // Where the password may have been wrong there is one prompt for everybody, and no key.
    let mut unknown = Enrollee::new(t.daemon.clock());
    let neutral = unknown.enroll(&Stack::cs1(&t.module()).visit("bob"));
    assert_eq!((neutral.passed(), neutral.prompts()), (false, vec!["Verification code: "]), "{neutral:#?}");
    assert!(unknown.app.is_none());
    let mut thief = Enrollee::new(t.daemon.clock());
    let outcome = thief.enroll(&t.cs().visit("bob"));
    assert_eq!((outcome.passed(), thief.app.is_some()), (enrolls, enrolls), "{outcome:#?}");
    assert_eq!(factors(&t, "bob").is_empty(), !enrolls);
    if enrolls {
        let told = t.cs().login("bob", [thief.app().fresh_code()]);
        assert!(told.messages().iter().any(|m| m.contains("was added")), "always notified: {told:#?}");
    } else {
        assert_eq!((outcome.auth, outcome.prompts().len()), (Code::PERM_DENIED, 0), "{outcome:#?}");
        assert_eq!(last(&t, "bob"), ended("denied", "not-enrolled", "", false));
    }
}

#[test]
fn enr_01_a_password_alone_enrolls_at_login() {
    require_all!();
    stolen_password(AT_LOGIN, true);
}

#[test]
fn enr_01_a_password_alone_does_not_enroll_where_an_invitation_is_needed() {
    require_all!();
    stolen_password("", false);
}

#[test]
fn enr_01_a_password_alone_does_not_enroll_where_an_administrator_does() {
    require_all!();
    stolen_password(r#"enroll = "admin""#, false);
}

/// ENR-01: a stack that goes on to say no keeps nothing of what its login enrolled.
#[test]
fn enr_01_nothing_sticks_when_a_later_module_says_no() {
    require_all!();
    let t = Fixture::configured(&config(AT_LOGIN));
    let module = t.module();
    let fails_late = Stack::of(
        "cs",
        &[
            "auth requisite pam_permit.so".to_owned(),
            module.line("auth", "required", &["after_first_factor"]),
            "auth required pam_deny.so".to_owned(),
            "account required pam_permit.so".to_owned(),
            module.line("account", "required", &[]),
        ],
    );
    let mut thief = Enrollee::new(t.daemon.clock());
    let outcome = thief.enroll(&fails_late.visit("bob"));
    assert_eq!((outcome.auth, outcome.code_prompts()), (Code::AUTH_ERR, 2), "{outcome:#?}");
    assert_eq!(last(&t, "bob"), ended("verified", "enrollment-pending", "totp", false));
    assert_eq!(factors(&t, "bob"), Vec::<String>::new());
    let with_it = t.cs().login("bob", [thief.app().fresh_code()]);
    assert!(!with_it.passed(), "the thief's key is nobody's: {with_it:#?}");
    // A stack that runs us after a wrong password does not say that the first factor passed.
    let mut wrong_password = Enrollee::new(t.daemon.clock());
    let outcome = wrong_password.enroll(&Stack::cs0(countersign_tests::First::Deny, &module).visit("bob"));
    assert!(!outcome.passed() && wrong_password.app.is_none(), "{outcome:#?}");
    let mut bob = Enrollee::new(t.daemon.clock());
    assert!(bob.enroll(&t.cs().visit("bob")).passed());
    assert_fresh_code_passes(&t, "bob", bob.app());
}

/// ENR-04: before the account phase the factor is nobody's, and a key belongs to one login.
#[test]
fn enr_04_a_key_counts_for_its_own_login_only_and_after_it() {
    require_all!();
    let t = Fixture::configured(&config(AT_LOGIN));
    let mut one = Enrollee::new(t.daemon.clock());
    let mut two = Enrollee::new(t.daemon.clock());
    // While the first login stands at its prompt, another one goes all the way.
    let mut inner = None;
    let outer = one.log_in(&t.cs().visit("bob"), |one, prompt| {
        one.read(prompt);
        if prompt.ends_with(FIRST_CODE) && inner.is_none() {
            let theirs = one.app().code_in(0);
            let crossed = two.log_in(&t.cs().visit("bob"), |_, prompt| {
                prompt.ends_with(FIRST_CODE).then(|| Reply::from(&theirs))
            });
            assert!(!crossed.passed(), "a code of the other login's key: {crossed:#?}");
            assert_ne!(one.app().base32, two.app().base32, "every login shows a fresh key");
            inner = Some(two.enroll(&t.cs().visit("bob")));
        }
        None
    });
    assert!(inner.is_some_and(|inner| inner.passed()));
    assert!(!outer.passed(), "somebody enrolled meanwhile: {outer:#?}");
    assert!(outer.messages().join("").contains("This enrollment is over"), "{outer:#?}");
    assert_eq!(factors(&t, "bob"), ["totp", "recovery"]);
    assert!(!t.cs().login("bob", [one.app().code_in(0)]).passed(), "the first one's key is nobody's");
    let used = two.app().code_in(-1);
    let replay = t.cs().login("bob", [&used]);
    assert!(!replay.passed(), "the first code is used up: {replay:#?}");
    assert!(replay.messages().iter().any(|m| m.contains("already used")), "{replay:#?}");
    assert_fresh_code_passes(&t, "bob", two.app());
}

/// ENR-04: two logins that are both let in by us end in one factor: the first account phase counts.
#[test]
fn enr_04_the_second_of_two_confirmations_is_refused() {
    require_all!();
    countersign_tests::require!(Tool("dbus-send"));
    let t = Fixture::configured(&config(AT_LOGIN));
    let bus = Caller::on(&t.bus);
    let call = |member: &str, args: &[String]| {
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        bus.call(LOGIN_INTERFACE, member, &args).unwrap_or_else(|e| panic!("{member}: {e}"))
    };
    let text = |word: &str| format!("string:{word}");
    let respond = |bob: &mut Enrollee, login: &str, answer: &str| {
        let bytes: Vec<String> = answer.bytes().map(|byte| byte.to_string()).collect();
        let said = call("Respond", &[text(login), format!("array:byte:{}", bytes.join(","))]);
        bob.read(&said);
        said
    };
    let mut logins = Vec::new();
    for _ in 0..2 {
        let said = call("Begin", &["bob", "", "bus-test", "test", "", "", "passed"].map(text));
        let login = said.split_whitespace().next().expect("a login").to_owned();
        let mut bob = Enrollee::new(t.daemon.clock());
        bob.read(&said);
        let code = bob.app().code_in(-1);
        respond(&mut bob, &login, &code);
        let code = bob.asked_back();
        let said = respond(&mut bob, &login, &code);
        assert_eq!(said.split_whitespace().nth(1), Some("allow"), "{said}");
        logins.push((login, bob));
    }
    assert_eq!(factors(&t, "bob"), Vec::<String>::new(), "allowed is not yet kept");
    let confirm = |login: &str| call("Confirm", &[text(login), text("bob"), text("bus-test")]);
    let verdicts: Vec<String> = logins.iter().map(|(login, _)| confirm(login).trim().to_owned()).collect();
    assert_eq!(verdicts, ["allow", "deny"]);
    assert_eq!(last(&t, "bob"), ended("denied", "enrolled-meanwhile", "totp", false));
    assert_eq!(factors(&t, "bob"), ["totp", "recovery"]);
    assert!(!t.cs().login("bob", [logins[1].1.app().code_in(0)]).passed());
    assert_fresh_code_passes(&t, "bob", logins[0].1.app());
}

/// ENR-04: hanging up at any prompt leaves nothing, and the next login shows another key.
#[test]
fn enr_04_hanging_up_at_any_prompt_leaves_nothing() {
    require_all!();
    let t = Fixture::configured(&config(AT_LOGIN));
    let mut keys = Vec::new();
    for prompt in [FIRST_CODE, READ_BACK] {
        let mut bob = Enrollee::new(t.daemon.clock());
        let outcome = bob.log_in(&t.cs().visit("bob"), |bob, shown| {
            bob.read(shown);
            shown.ends_with(prompt).then_some(HANG_UP)
        });
        assert_eq!(outcome.auth, Code::CONV_ERR, "{outcome:#?}");
        assert_eq!(last(&t, "bob"), ended("abandoned", "hung-up", "", false), "{prompt}");
        keys.push(bob.app().base32.clone());
        let with_it = t.cs().login("bob", [bob.app().fresh_code()]);
        assert!(!with_it.passed(), "{prompt}: {with_it:#?}");
        keys.extend(with_it.messages().iter().filter_map(|m| key_in(m)));
    }
    let all = keys.len();
    keys.sort();
    keys.dedup();
    assert_eq!((keys.len(), all), (4, 4), "each login shows a fresh key");
    assert_eq!(factors(&t, "bob"), Vec::<String>::new());
}

/// ENR-04: wrong first codes are three in a login, and they are charged.
#[test]
fn enr_04_wrong_first_codes_are_bounded() {
    require_all!();
    let t = Fixture::configured(&config(AT_LOGIN));
    let mut ends = Vec::new();
    for n in 0..3 {
        let mut bob = Enrollee::new(t.daemon.clock());
        let outcome = bob.log_in(&t.cs().visit("bob"), |bob, prompt| {
            bob.read(prompt);
            Some(Reply::from(bob.app().wrong_code(1)))
        });
        let said = outcome.messages();
        assert_eq!(said.last(), Some(&"Lost your phone? Ask the helpdesk, room 12."), "{outcome:#?}");
        assert!(said.concat().contains(["no try is left", "Too many tries"][n.min(1)]), "{outcome:#?}");
        ends.push((outcome.auth, outcome.code_prompts()));
    }
    // Five failures close the lane: the second login ends at its second answer, the third at once.
    let expected = [(Code::MAXTRIES, 3), (Code::MAXTRIES, 2), (Code::MAXTRIES, 0)];
    assert_eq!(ends, expected);
    let _ = t.daemon.ctl().run(&["unlock", "bob"]).ok();
    let mut bob = Enrollee::new(t.daemon.clock());
    assert!(bob.enroll(&t.cs().visit("bob")).passed());
    assert_fresh_code_passes(&t, "bob", bob.app());
}

/// RPL-16: somebody else's first code, and somebody else's recovery code read back.
#[test]
fn rpl_16_what_another_login_showed_is_no_answer() {
    require_all!();
    let t = Fixture::configured(&config(AT_LOGIN));
    let mut alice = Enrollee::new(t.daemon.clock());
    let mut bob = Enrollee::new(t.daemon.clock());
    let outcome = alice.log_in(&t.cs().visit("alice"), |alice, prompt| {
        alice.read(prompt);
        if prompt.ends_with(READ_BACK) && bob.app.is_none() {
            let code = alice.asked_back();
            let crossed = bob.log_in(&t.cs().visit("bob"), |bob, prompt| {
                bob.read(prompt);
                prompt.ends_with(READ_BACK).then(|| Reply::from(&code))
            });
            assert!(!crossed.passed(), "alice's recovery code for bob: {crossed:#?}");
        }
        None
    });
    assert!(outcome.passed(), "{outcome:#?}");
    assert_eq!(factors(&t, "bob"), Vec::<String>::new());
    let theirs = t.cs().login("bob", [alice.app().fresh_code()]);
    assert!(!theirs.passed(), "{theirs:#?}");
    assert_fresh_code_passes(&t, "alice", alice.app());
}

/// Codes that were shown in a login can be viewed like any others, where the configuration says so.
#[test]
fn viewable_codes_are_viewable_after_an_enrollment_in_a_login() {
    require_all!();
    let t = Fixture::configured(&format!("{}\n[recovery]\nviewable = true\n", config(AT_LOGIN)));
    let mut bob = Enrollee::new(t.daemon.clock());
    assert!(bob.enroll(&t.cs().visit("bob")).passed());
    let seen = t.daemon.ctl().run(&["recovery-codes", "bob", "--view", "--reason", "x", "--json"]).ok();
    for code in &bob.app().recovery {
        assert!(seen.stdout.contains(code.as_str()), "{code} is not in {seen:?}");
    }
    assert_fresh_code_passes(&t, "bob", bob.app());
}
