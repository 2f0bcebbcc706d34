//! BYP-13 and BYP-20: PAM functions called in an order that nobody intended.

use super::require_all;
use countersign_protocol::names::LOGIN_INTERFACE;
use countersign_tests::fake_bus::{Does, FakeBus};
use countersign_tests::pam::{Item, Transaction};
use countersign_tests::people::{ALICE, DAEMON_UID};
use countersign_tests::{Caller, Code, Fixture, Module, Phase, Reply, Shown, Stack, require};

/// The module on a bus that hears every call and answers none.
fn listening() -> (FakeBus, Module) {
    let fake = FakeBus::scripted(|_| Does::Nothing);
    let module = Module::shipped().on(&fake.address(), DAEMON_UID).option("timeout=2");
    (fake, module)
}

fn nobody(_: &Shown) -> Reply {
    Reply::Null
}

/// Cron, at, `su` by root: an account phase that no authentication of ours preceded is none of our business, and
/// must not hang on a bus.
#[test]
fn byp_20_an_account_phase_alone_is_ignored_without_touching_the_bus() {
    require!(Staged("pam_countersign.so"));
    let (fake, module) = listening();
    let account = module.line("account", "required", &[]);
    let alone =
        |lines: &[&str]| Stack::of("cron", lines).visit("alice").phases(&[Phase::Account]).run([""; 0]);
    let permitted = alone(&[&account, "account required pam_permit.so"]);
    assert_eq!(permitted.account, Some(Code::SUCCESS), "{permitted:?}");
    let refused = alone(&[&account, "account required pam_deny.so"]);
    assert_eq!(refused.account, Some(Code::AUTH_ERR), "ours says nothing: {refused:?}");
    let only_ours = alone(&[&account]);
    assert_eq!(only_ours.account, Some(Code::PERM_DENIED), "a stack of ours alone denies: {only_ours:?}");
    assert!(fake.calls().is_empty(), "{:?}", fake.calls());
}

#[test]
fn byp_13_no_other_entry_point_says_yes() {
    require!(Staged("pam_countersign.so"));
    let (fake, module) = listening();
    let account = module.line("account", "sufficient", &[]);
    let stack = Stack::of("odd", &[&account, "account required pam_deny.so"]);
    let outcome = stack.visit("alice").phases(&[Phase::Account]).run([""; 0]);
    assert_eq!(outcome.account, Some(Code::AUTH_ERR), "`sufficient` ends nothing: {outcome:?}");

    for kind in ["session", "password"] {
        let ours = module.line(kind, "sufficient", &[]);
        let deny = format!("{kind} required pam_deny.so");
        for (what, lines) in [("before a deny", vec![ours.as_str(), &deny]), ("alone", vec![ours.as_str()])] {
            let stack = Stack::of("odd", &lines);
            let mut talk = nobody;
            let mut pam =
                Transaction::start(stack.dir(), "odd", Some(b"alice"), &mut talk).expect("pam_start");
            let code = if kind == "session" { pam.open_session() } else { pam.change_password() };
            assert_ne!(code, Code::SUCCESS, "{kind} {what}");
        }
    }
    let ours = module.line("auth", "required", &[]);
    let stack = Stack::of("odd", &[ours.as_str(), "auth required pam_deny.so"]);
    let setcred = stack.visit("alice").phases(&[Phase::Setcred]).run([""; 0]);
    assert_ne!(setcred.setcred, Some(Code::SUCCESS), "the stack's own refusal stands: {setcred:?}");
    assert!(fake.calls().is_empty(), "{:?}", fake.calls());
}

/// A host that goes on after a refusal gets nowhere by it.
#[test]
fn byp_13_after_a_refusal_every_phase_refuses() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let stack = t.cs();
    let wrong = alice.wrong_code(0);
    let mut talk = |shown: &Shown| if shown.style.asks() { Reply::from(&wrong) } else { Reply::Null };
    let mut pam = Transaction::start(stack.dir(), "cs", Some(b"alice"), &mut talk).expect("pam_start");
    assert_eq!(pam.authenticate(), Code::MAXTRIES);
    let setcred = pam.setcred();
    assert_ne!(setcred, Code::SUCCESS, "the stack remembers what auth said");
    let shown = pam.shown().len();
    assert_eq!(pam.account(), Code::PERM_DENIED);
    assert_eq!(pam.shown().len(), shown + 1, "one sentence: {:?}", pam.shown());
    drop(pam);
    assert!(t.daemon.log("alice").iter().all(|row| !row.confirmed));

    let passing = t.cs().visit("alice").phases(&[Phase::Auth, Phase::Account, Phase::Setcred]);
    let outcome = passing.run([alice.fresh_code()]);
    assert_eq!((outcome.passed(), outcome.setcred), (true, Some(Code::SUCCESS)), "{outcome:?}");
}

/// A second try in one transaction that ends without an answer does not live on the first one's success.
#[test]
fn byp_13_an_old_success_does_not_outlive_the_next_try() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let stack = t.cs();
    let mut answers = vec![Reply::from(alice.wrong_code(0)); 3];
    answers.push(Reply::from(alice.fresh_code()));
    let mut talk = move |shown: &Shown| {
        if shown.style.asks() { answers.pop().expect("four prompts") } else { Reply::Null }
    };
    let mut pam = Transaction::start(stack.dir(), "cs", Some(b"alice"), &mut talk).expect("pam_start");
    assert_eq!(pam.authenticate(), Code::SUCCESS);
    assert_eq!(pam.authenticate(), Code::MAXTRIES);
    assert_eq!(pam.account(), Code::PERM_DENIED);
}

#[test]
fn byp_13_what_was_verified_is_confirmed_for_no_other_user_or_service() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let stack = t.cs();
    std::fs::copy(stack.file(), stack.dir().join("other-service")).expect("our own directory");
    let changes: [(Item, &[u8]); 2] = [(Item::User, b"bob"), (Item::Service, b"other-service")];
    for (item, value) in changes {
        let code = alice.fresh_code();
        let mut talk = |shown: &Shown| if shown.style.asks() { Reply::from(&code) } else { Reply::Null };
        let mut pam = Transaction::start(stack.dir(), "cs", Some(b"alice"), &mut talk).expect("pam_start");
        assert_eq!(pam.authenticate(), Code::SUCCESS);
        assert_eq!(pam.set_item(item, value), Code::SUCCESS);
        assert_eq!(pam.account(), Code::PERM_DENIED, "{item:?} changed after auth");
    }
    assert!(t.daemon.log("alice").iter().all(|row| !row.confirmed));
    assert!(stack.login("alice", [alice.fresh_code()]).passed());
}

/// The daemon compares too: a module that was talked into it would not be believed.
#[test]
fn byp_13_confirm_names_login_user_and_service() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let root = Caller::on(&t.bus);
    let confirm = |caller: &Caller, login: &str, user: &str, service: &str| {
        let args = [login, user, service].map(|word| format!("string:{word}"));
        caller.call(LOGIN_INTERFACE, "Confirm", &args.each_ref().map(String::as_str))
    };
    let verdict = |login: &str, user: &str, service: &str| {
        confirm(&root, login, user, service).expect("a verdict").trim().to_owned()
    };
    let begun = root.begin("alice", "passed").expect("a step").login;
    assert_eq!(verdict(&begun, "alice", "bus-test"), "deny", "not verified yet");
    let allowed = root.respond(&begun, &alice.fresh_code()).expect("a step");
    assert_eq!((allowed.login.as_str(), allowed.verdict.as_str()), (begun.as_str(), "allow"));
    assert_eq!(verdict(&begun, "bob", "bus-test"), "deny");
    assert_eq!(verdict(&begun, "alice", "sshd"), "deny");
    assert_eq!(verdict(&"0".repeat(32), "alice", "bus-test"), "deny");
    let herself = Caller::on(&t.bus).as_uid(ALICE.uid);
    let refused = confirm(&herself, &begun, "alice", "bus-test").expect_err("only root confirms");
    assert_eq!(refused.name, "org.countersign1.Error.NotAuthorized");
    assert_eq!(verdict(&begun, "alice", "bus-test"), "allow");
    assert_eq!(verdict(&begun, "alice", "bus-test"), "deny", "once");
    // What is verified is over: another answer to it is no login.
    assert!(root.respond(&begun, &alice.fresh_code()).is_err());
}
