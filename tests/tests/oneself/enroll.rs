//! The first factor and further ones, from one's own shell.

use crate::{
    apply, apps, as_one, codes_left, config, done, manager, notices, on_the_bus, require_all, start,
};
use countersign_protocol::names::error;
use countersign_tests::people::{ALICE, BOB, DAVE};
use countersign_tests::polkit::{Polkit, Says};
use countersign_tests::{Fixture, Wire};

fn enroll(wire: &mut Wire, user: &str, name: &str, proof: &str, invitation: &str) -> Result<(), String> {
    manager(wire, "Enroll", &(user, name, proof, invitation)).map(drop).map_err(|e| e.name)
}

fn refused() -> Result<(), String> {
    Err(error::NOT_AUTHORIZED.to_owned())
}

/// alice's shell without her phone: nothing is added, swapped or removed.
#[test]
fn enr_03_a_hijacked_session_adds_nothing_without_a_factor() {
    require_all!();
    let t = start("at-login");
    let polkit = Polkit::saying(&t.bus, Says::Yes);
    let alice = t.daemon.enroll("alice");
    let shell = as_one(&t, ALICE);
    let wrong = (0..3).map(|n| alice.wrong_code(n) + "\n").collect::<String>();
    for typed in ["", "\n", wrong.as_str()] {
        let out = shell.refused_enroll(&["--name", "theirs"], typed);
        assert_ne!(out.code, Some(0), "{out:?}");
        assert_eq!(out.stdout, "", "no key is shown: {out:?}");
    }
    let mut wire = Wire::as_uid(&t.bus, ALICE.uid);
    for proof in ["", "00112233445566778899aabbccddeeff", "zz"] {
        assert!(enroll(&mut wire, "alice", "theirs", proof, "").is_err(), "{proof}");
    }
    assert_eq!(
        enroll(&mut wire, "alice", "theirs", "", "k7m2q-9xw4t"),
        refused(),
        "an invitation is none here"
    );
    assert_eq!(polkit.asked(), [], "one's own password is no substitute for a factor one has");
    assert_eq!(apps(&t, "alice"), ["app"]);

    // The control: with a code from the phone it works, and she is told.
    let typed = format!("{}\n", alice.fresh_code());
    let second = shell.try_enroll(&["--name", "tablet"], &typed, t.daemon.clock().cloned());
    let second = second.unwrap_or_else(|out| panic!("{out:?}"));
    assert_eq!(apps(&t, "alice"), ["app", "tablet"]);
    assert_eq!(second.recovery, Vec::<String>::new(), "the codes on paper stay");
    assert_eq!(codes_left(&t, "alice"), 10);
    assert_eq!(notices(&t, "alice")[0], "enrolled");
    assert!(t.cs().login("alice", [second.fresh_code()]).passed());
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
    let taken = t.daemon.ctl().refused_enroll(&["alice", "--name", "tablet"], "");
    assert!(taken.complaint().contains("\"tablet\" already"), "{taken:?}");
}

/// A proof is a verified login of this caller, for themselves, for this purpose, once.
#[test]
fn enr_03_a_proof_is_good_for_one_thing_once() {
    require_all!();
    let t = start("at-login");
    let alice = t.daemon.enroll("alice");
    let dave = t.daemon.enroll("dave");
    let mut hers = Wire::as_uid(&t.bus, ALICE.uid);
    let mut his = Wire::as_uid(&t.bus, DAVE.uid);

    let (proof, verdict) = on_the_bus(&mut hers, "alice", "countersignctl", &alice.fresh_code());
    assert_eq!(verdict, "allow");
    assert_eq!(enroll(&mut his, "dave", "x", &proof, ""), refused(), "dave, with hers, for himself");
    assert_eq!(enroll(&mut his, "alice", "x", &proof, ""), refused(), "dave, with hers, for her");
    assert_eq!(enroll(&mut hers, "alice", "x", &proof, ""), Ok(()));
    assert_eq!(enroll(&mut hers, "alice", "y", &proof, ""), refused(), "once");

    let (theirs, verdict) = on_the_bus(&mut his, "dave", "countersignctl", &dave.fresh_code());
    assert_eq!(verdict, "allow");
    assert_eq!(enroll(&mut hers, "alice", "y", &theirs, ""), refused(), "alice, with his");
    // Logins for something else are no proof: a screen that was unlocked, a login through the stack.
    let (login, verdict) = on_the_bus(&mut hers, "alice", "xscreensaver", &alice.fresh_code());
    assert_eq!(verdict, "allow");
    assert_eq!(enroll(&mut hers, "alice", "y", &login, ""), refused());
    let mut root = Wire::on(&t.bus);
    let (login, verdict) = on_the_bus(&mut root, "alice", "countersignctl", &alice.fresh_code());
    assert_eq!(verdict, "allow");
    assert_eq!(enroll(&mut hers, "alice", "y", &login, ""), refused(), "root's login");
    // Not answered, and answered wrongly.
    let (login, verdict) = on_the_bus(&mut hers, "alice", "countersignctl", &alice.wrong_code(1));
    assert_eq!(verdict, "ask");
    assert_eq!(enroll(&mut hers, "alice", "y", &login, ""), refused());
    assert_eq!(apps(&t, "alice"), ["app"]);
}

/// A factor is asked for whatever policy says of the person's logins.
#[test]
fn enr_03_no_policy_waives_the_proof() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    for status in ["off", "report"] {
        apply(&t, &format!("[[policy]]\nname = \"all\"\nstatus = \"{status}\"\n"));
        let shell = as_one(&t, ALICE);
        let out = shell.refused_enroll(&["--name", "theirs"], "");
        assert_eq!(out.stdout, "", "{status}: {out:?}");
        let typed = format!("{}\n", alice.fresh_code());
        let own = shell.try_enroll(&["--name", status], &typed, t.daemon.clock().cloned());
        assert!(own.is_ok(), "{status}: the control");
    }
}

/// Who has only the password of somebody without a factor, by how policy lets people enroll.
#[test]
fn enr_01_a_first_factor_from_a_shell_is_as_policy_says() {
    require_all!();
    let t = start("invited");
    for (enroll, text) in [("invited", "invitation"), ("admin", "administrator beside you")] {
        apply(&t, &config(enroll));
        let polkit = Polkit::saying(&t.bus, Says::Yes);
        let out = as_one(&t, BOB).refused_enroll(&[], "");
        assert!(out.complaint().contains(text), "{enroll}: {out:?}");
        let guess = as_one(&t, BOB).refused_enroll(&["--invitation", "k7m2q-9xw4t"], "");
        assert_eq!(guess.code, Some(4), "{enroll}: {guess:?}");
        assert_eq!(polkit.asked(), [], "{enroll}: a password opens nothing here");
        assert_eq!(apps(&t, "bob"), Vec::<String>::new());
        let root = t.daemon.ctl().try_enroll(&["bob"], "", t.daemon.clock().cloned());
        assert!(root.is_ok(), "{enroll}: the control, with an administrator");
        done(&t, &["reset", "bob", "--reason", "a test", "--yes"]);
    }

    apply(&t, &config("at-login"));
    let without = as_one(&t, BOB).refused_enroll(&[], "");
    assert_eq!(without.code, Some(4), "{without:?}");
    let polkit = Polkit::saying(&t.bus, Says::AfterPassword(false));
    let wrong = as_one(&t, BOB).refused_enroll(&[], "");
    assert_eq!((wrong.code, wrong.stdout.as_str()), (Some(4), ""), "{wrong:?}");
    let asked = polkit.asked();
    assert!(asked.iter().all(|one| one.action == "org.countersign1.enroll-self"), "{asked:?}");
    assert_eq!(asked[0].details["user"], "bob");
    polkit.say(Says::AfterPassword(true));
    let bob = as_one(&t, BOB).try_enroll(&[], "", t.daemon.clock().cloned());
    let bob = bob.unwrap_or_else(|out| panic!("{out:?}"));
    assert_eq!(bob.recovery.len(), 10);
    assert!(t.cs().login("bob", [bob.fresh_code()]).passed());
    assert_eq!(notices(&t, "bob")[0], "enrolled");
}

/// Where it cannot be known which policy a person is under, only an administrator enrolls them.
#[test]
fn enr_01_undetermined_is_not_permitted() {
    require_all!();
    let t = start("at-login");
    let polkit = Polkit::saying(&t.bus, Says::Yes);
    let groups = std::fs::read_to_string("/etc/group").expect("our own /etc");
    let without: String =
        groups.lines().filter(|l| !l.starts_with("mfa-required")).map(|l| format!("{l}\n")).collect();
    std::fs::write("/etc/group", without).expect("our own /etc");
    let out = as_one(&t, BOB).refused_enroll(&[], "");
    assert!(out.code == Some(4) && out.complaint().contains("administrator"), "{out:?}");
    assert_eq!(polkit.asked(), []);
}

/// Opting in: nothing is asked of dave until he has a factor, and from then on it is.
#[test]
fn opting_in_is_up_to_the_person() {
    require_all!();
    let t = Fixture::with_clock();
    let opt_in = "[[policy]]\nname = \"all\"\nrequire = \"enrolled\"\nenroll = \"at-login\"\n";
    apply(&t, opt_in);
    let polkit = Polkit::saying(&t.bus, Says::AfterPassword(true));
    assert!(t.cs().login("dave", [""; 0]).passed(), "nothing is asked");
    let dave = as_one(&t, DAVE).try_enroll(&[], "", t.daemon.clock().cloned());
    let dave = dave.unwrap_or_else(|out| panic!("{out:?}"));
    assert_eq!(polkit.asked().len(), 2);
    assert!(!t.cs().login("dave", [dave.wrong_code(0)]).passed());
    assert!(t.cs().login("dave", [dave.fresh_code()]).passed());
    let own = as_one(&t, DAVE).run(&["status"]).ok();
    assert!(own.stdout.contains("dave (uid 5004)") && own.stdout.contains("totp"), "{own:?}");
    let log = as_one(&t, DAVE).log(&[]);
    assert!(!log.is_empty() && log.iter().all(|row| row.user == "dave"), "{log:?}");
    polkit.say(Says::No);
    assert_eq!(as_one(&t, DAVE).run(&["log", "alice"]).code, Some(4));
}

/// An enrollment ends where it began: nobody else confirms or cancels it, nor after a factor came
/// from elsewhere.
#[test]
fn enr_04_an_enrollment_belongs_to_who_began_it() {
    require_all!();
    let t = start("at-login");
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    let mut his = Wire::as_uid(&t.bus, BOB.uid);
    let reply = manager(&mut his, "Enroll", &("bob", "", "", "")).expect("begun");
    let (id, _, base32, _, _): (String, String, String, String, String) =
        reply.body().deserialize().expect("an enrollment");
    let secret = countersign_tests::Secret::from_base32(&base32, t.daemon.clock().cloned());
    let code = secret.fresh_code();
    for uid in [DAVE.uid, 0] {
        let mut other = Wire::as_uid(&t.bus, uid);
        let confirm = manager(&mut other, "ConfirmEnrollment", &(id.as_str(), code.as_bytes()));
        assert_eq!(confirm.expect_err("bob's").name, error::NOT_FOUND, "{uid}");
        drop(manager(&mut other, "CancelEnrollment", &id.as_str()));
    }
    assert!(!t.cs().login("bob", [secret.fresh_code()]).passed(), "nothing of it works before");
    // Somebody who began it with a stolen password, and bob who is enrolled by root meanwhile.
    let reply = manager(&mut his, "Enroll", &("bob", "", "", "")).expect("begun anew");
    let (late, _, base32, _, _): (String, String, String, String, String) =
        reply.body().deserialize().expect("an enrollment");
    let gone = manager(&mut his, "ConfirmEnrollment", &(id.as_str(), code.as_bytes()));
    assert_eq!(gone.expect_err("replaced").name, error::NOT_FOUND);
    let secret = countersign_tests::Secret::from_base32(&base32, t.daemon.clock().cloned());
    let confirmed = manager(&mut his, "ConfirmEnrollment", &(late.as_str(), secret.fresh_code().as_bytes()));
    assert!(confirmed.is_ok(), "the control: {confirmed:?}");
    assert_eq!(apps(&t, "bob"), ["app"]);
}
