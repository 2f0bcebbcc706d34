//! `countersignctl lock`: whoever is locked gets in nowhere, whatever they show, until `unlock`.

use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::caller::CallError;
use countersign_tests::login::Phase;
use countersign_tests::people::{ALICE, CAROL, DAVE, Person};
use countersign_tests::polkit::Says;
use countersign_tests::wire::step_of;
use countersign_tests::{Code, Ctl, Fixture, Polkit, Secret, Stack, Wire, require};
use zbus::export::serde::Serialize;
use zbus::{DynamicType, Message};

macro_rules! require_all {
    () => {
        require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"))
    };
}

const REMEMBERS: &str = "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nremember = \"2h\"\n\
     enroll = \"at-login\"\n";
const REASON: &str = "seen in a leak, ticket 7";

fn done(ctl: &Ctl, args: &[&str]) -> String {
    ctl.run(args).ok().stdout
}

fn lock(t: &Fixture, user: &str) {
    let said = done(&t.daemon.ctl(), &["lock", user, "--reason", REASON, "--yes"]);
    assert!(said.contains(&format!("countersignctl unlock {user} --reason TEXT")), "{said}");
}

fn unlock(t: &Fixture, user: &str) {
    done(&t.daemon.ctl(), &["unlock", user, "--reason", "checked"]);
}

/// The newest row of somebody: state, reason.
fn last(t: &Fixture, user: &str) -> (String, String) {
    let row = t.daemon.log(user).pop().expect("a row");
    (row.state, row.reason)
}

fn login_call<B: Serialize + DynamicType>(
    wire: &mut Wire,
    member: &str,
    body: &B,
) -> Result<Message, CallError> {
    wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, member, body)
}

fn barred() -> (String, String) {
    ("locked".to_owned(), "locked-by-admin".to_owned())
}

/// Everything that lets alice in, and what comes of each.
fn nothing_opens(t: &Fixture, alice: &Secret, when: &str) {
    let cs = t.cs();
    for answer in [alice.fresh_code(), alice.recovery[0].clone(), "email".to_owned(), alice.wrong_code(1)] {
        let login = cs.visit("alice").run([answer.clone()]);
        assert_eq!(login.auth, Code::MAXTRIES, "{when}, {answer}: {login:?}");
        assert_eq!(login.code_prompts(), 0, "there is nothing to type: {login:?}");
        assert_eq!(last(t, "alice"), barred(), "{when}, {answer}");
    }
    let account = cs.visit("alice").pam_env("SSH_AUTH_INFO_0", "").phases(&[Phase::Account]).run([""; 0]);
    assert!(!account.passed(), "a key alone, {when}: {account:?}");
    assert_eq!(last(t, "alice"), barred(), "a key alone, {when}");
}

#[test]
fn whoever_is_locked_gets_in_by_nothing_until_unlocked() {
    require_all!();
    let mut t = Fixture::configured(REMEMBERS);
    let alice = t.daemon.enroll("alice");
    // The account phase is ours, too: it is what remembers.
    let sshd = Stack::of(
        "sshd",
        &[
            "auth required pam_permit.so".to_owned(),
            t.module().line("auth", "required", &["after_first_factor"]),
            "account required pam_permit.so".to_owned(),
            t.module().line("account", "required", &[]),
        ],
    );
    let from_home = |alice: &Secret| {
        let login = sshd.visit("alice").rhost("192.0.2.1").run([alice.fresh_code()]);
        (login.passed(), login.code_prompts())
    };
    assert_eq!(from_home(&alice), (true, 1));
    assert_eq!(from_home(&alice), (true, 0), "remembered: the control");
    lock(&t, "alice");
    let home = sshd.visit("alice").rhost("192.0.2.1").run([alice.fresh_code()]);
    assert_eq!(home.auth, Code::MAXTRIES, "{home:?}");
    let told = home.messages().join("\n");
    assert!(told.contains("An administrator has locked this account."), "{told}");
    assert!(!told.contains("ticket"), "why is not for whoever has the password: {told}");
    nothing_opens(&t, &alice, "locked");
    t.daemon.crash_and_restart();
    nothing_opens(&t, &alice, "after a restart");
    // No success of somebody else's and no reset lifts it.
    done(&t.daemon.ctl(), &["reset", "alice", "--reason", "lost", "--yes"]);
    let alice = t.daemon.enroll("alice");
    nothing_opens(&t, &alice, "after a reset");
    let none = t.daemon.ctl().run(&["unlock", "alice"]);
    assert_eq!(none.code, Some(1), "{none:?}");
    assert!(none.complaint().contains("needs a reason"), "{none:?}");
    nothing_opens(&t, &alice, "after an unlock without a reason");
    unlock(&t, "alice");
    let asked = sshd.visit("alice").rhost("192.0.2.1").run([alice.fresh_code()]);
    assert!(asked.passed() && asked.code_prompts() == 1, "remembered no more: {asked:?}");
    let notices = asked.messages().join("\n").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(notices.contains("your logins were locked by root: seen in a leak, ticket 7"), "{notices}");
    assert!(notices.contains("your logins were unlocked by root: checked"), "{notices}");
}

/// Also of whom policy asks nothing, and whoever has nothing.
#[test]
fn a_lock_is_for_one_person_whatever_policy_says() {
    require_all!();
    let t = Fixture::with_clock();
    let bob = t.daemon.enroll("bob");
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE, "the control");
    lock(&t, "carol");
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::MAXTRIES);
    assert_eq!(last(&t, "carol"), barred());
    done(&t.daemon.ctl(), &["exempt", "carol", "--until", "+2d", "--reason", "x", "--yes"]);
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::MAXTRIES, "an exemption is no key");
    assert!(t.cs().login("bob", [bob.fresh_code()]).passed(), "nobody else");

    let listed = t.daemon.ctl().run(&["lock", "--json"]).ok().json();
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((&listed[0]["user"], &listed[0]["reason"]), (&"carol".into(), &REASON.into()));
    let status = t.daemon.ctl().run(&["status", "carol", "--json"]).ok().json().remove(0);
    assert_eq!(status["locks"][0]["lane"], "administrator", "{status}");
    let shown = done(&t.daemon.ctl(), &["status", "carol"]);
    assert!(shown.contains(&format!("locked until unlocked, by root: {REASON}")), "{shown}");
    let explained = done(&t.daemon.ctl(), &["policy", "explain", "carol"]);
    assert!(explained.contains("No answer lets carol in."), "{explained}");
    let metrics = done(&t.daemon.ctl(), &["metrics"]);
    assert!(metrics.contains("countersign_overrides{kind=\"lock\"} 1"), "{metrics}");
    let acts = t.daemon.ctl().run(&["log", "acts", "--verb", "Lock", "--json"]).ok().json();
    assert_eq!((acts.len(), &acts[0]["reason"]), (1, &REASON.into()), "{acts:?}");
    assert!(acts[0]["after"].as_str().is_some_and(|after| after.contains("locked by an administrator")));
    unlock(&t, "carol");
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE);
}

/// Where nobody knows that the password was right, nobody learns of a lock either; and the source pays for
/// right codes as for wrong ones.
#[test]
fn a_lock_is_told_to_nobody_whose_password_is_not_known_to_be_right() {
    require_all!();
    let t = Fixture::with_clock();
    let (alice, bob) = (t.daemon.enroll("alice"), t.daemon.enroll("bob"));
    lock(&t, "alice");
    let unknown = Stack::cs1(&t.module());
    let typed = |user: &str, code: String| {
        let login = unknown.visit(user).rhost("192.0.2.9").run([code]);
        (login.auth, login.code_prompts(), login.messages().join("\n"))
    };
    assert_eq!(typed("alice", alice.fresh_code()), typed("bob", bob.wrong_code(1)));
    assert_eq!(last(&t, "alice"), barred());
    for n in 0..8 {
        let _ = typed("alice", alice.wrong_code(n));
    }
    assert_eq!(typed("bob", bob.fresh_code()).0, Code::AUTH_ERR, "ten from there were enough");
}

/// What was under way ends with the lock: an answer that is still owed, and a login that waits for its account
/// phase.
#[test]
fn a_lock_ends_logins_under_way() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let held = t.cs().visit("alice").hold();
    assert!(held.prompt().contains("code"), "{}", held.prompt());
    lock(&t, "alice");
    let answered = held.answer(alice.fresh_code());
    assert_eq!(answered.auth, Code::MAXTRIES, "{answered:?}");
    assert_eq!(last(&t, "alice"), barred());
    unlock(&t, "alice");
    // The lock falls between the right code and the account phase.
    let mut wire = Wire::on(&t.bus);
    let begin = ("alice", "", "cs", "test", "", "", "passed");
    let (login, _) = step_of(&login_call(&mut wire, "Begin", &begin).expect("a step"));
    let code = alice.fresh_code();
    let answer = (login.as_str(), code.as_bytes());
    let (_, verdict) = step_of(&login_call(&mut wire, "Respond", &answer).expect("a step"));
    assert_eq!(verdict, "allow", "the control");
    lock(&t, "alice");
    let confirmed = login_call(&mut wire, "Confirm", &(login.as_str(), "alice", "cs")).expect("a verdict");
    assert_eq!(confirmed.body().deserialize::<String>().expect("a verdict"), "locked");
    assert_eq!(last(&t, "alice"), barred());
}

/// Whoever is locked and has a session open, or somebody who sits in it, changes nothing from there.
#[test]
fn a_lock_holds_for_self_service_too() {
    require_all!();
    let t = Fixture::configured(REMEMBERS);
    let alice = t.daemon.enroll("alice");
    let polkit = Polkit::saying(&t.bus, Says::Yes);
    let own = |user: Person| t.daemon.ctl().as_uid(user.uid);
    lock(&t, "alice");
    lock(&t, "carol");
    let code = format!("{}\n", alice.fresh_code());
    let remove = own(ALICE).run_with(&["remove", "app", "--yes"], &code);
    assert_eq!(remove.code, Some(4), "her code is no proof: {remove:?}");
    assert!(remove.complaint().contains("An administrator has locked this account."), "{remove:?}");
    let enroll = own(CAROL).run_with(&["enroll", "--json"], "000000\n");
    assert_eq!(enroll.code, Some(4), "no first factor either: {enroll:?}");
    assert_eq!(own(CAROL).run(&["unlock", "carol", "--reason", "it is me"]).code, Some(4), "not by herself");
    assert_eq!(own(CAROL).run(&["unlock", "alice", "--reason", "a friend"]).code, Some(4), "nor others");
    assert_eq!(own(ALICE).run(&["status"]).code, Some(0), "reading harms nobody");
    // Whoever may only forgive guessing does not lift what an administrator decided.
    drop(polkit);
    let polkit =
        Polkit::scripted(
            &t.bus,
            |asked| {
                if asked.action.ends_with(".unlock-user") { Says::Yes } else { Says::No }
            },
        );
    let helpdesk = own(DAVE).run(&["unlock", "alice", "--reason", "she called"]);
    assert_eq!(helpdesk.code, Some(4), "{helpdesk:?}");
    assert!(helpdesk.complaint().contains("an administrator has locked"), "{helpdesk:?}");
    assert_eq!(own(DAVE).run(&["lock", "bob", "--reason", "x", "--yes"]).code, Some(4));
    polkit.say(Says::Yes);
    assert_eq!(own(DAVE).run(&["unlock", "alice", "--reason", "she called"]).code, Some(0));
}

/// A backup of while somebody was locked brings the lock back.
#[test]
fn a_lock_is_in_a_backup() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    lock(&t, "alice");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("backup").display().to_string();
    done(&t.daemon.ctl(), &["backup", &file]);
    unlock(&t, "alice");
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
    done(&t.daemon.ctl(), &["restore", &file, "--yes", "--reason", "a test"]);
    nothing_opens(&t, &alice, "after a restore");
}
