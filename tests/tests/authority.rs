//! polkit: what it is asked, and what its absence, silence and refusal mean.

use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::people::{ALICE, DAVE};
use countersign_tests::polkit::{Polkit, Says};
use countersign_tests::{Fixture, Wire, artifacts, require};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

fn reset(wire: &mut Wire, user: &str) -> Result<(), String> {
    let reply = wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &(user, "a test", false));
    reply.map(drop).map_err(|e| e.name)
}

fn is_enrolled(t: &Fixture, user: &str) -> bool {
    t.daemon.ctl().run(&["status", user]).ok().stdout.contains("totp")
}

/// Absent, frozen, and refusing to talk to us: each is no, in time, and logins do not notice.
#[test]
fn prv_04_without_polkit_nobody_but_root_administers_and_everybody_logs_in() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    assert_eq!(reset(&mut dave, "alice"), Err(error::NOT_AUTHORIZED.to_owned()), "absent");

    let polkit = Polkit::saying(&t.bus, Says::Refuses);
    assert_eq!(reset(&mut dave, "alice"), Err(error::NOT_AUTHORIZED.to_owned()), "not the action's owner");

    polkit.say(Says::Nothing);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let refused = scope.spawn(|| reset(&mut dave, "alice"));
        polkit.wait();
        for _ in 0..3 {
            let login = t.cs().login("alice", [alice.fresh_code()]);
            assert!(login.passed() && login.took < Duration::from_secs(1), "{login:?}");
        }
        assert!(!refused.is_finished(), "the logins passed while polkit was silent");
        assert_eq!(refused.join().expect("no panic"), Err(error::NOT_AUTHORIZED.to_owned()), "frozen");
    });
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());
    polkit.say(Says::No);
    let said = t.daemon.ctl().as_uid(DAVE.uid).run(&["reset", "alice", "--reason", "x", "--yes"]);
    assert_eq!(said.code, Some(4), "{said:?}");
    assert!(said.complaint().contains("polkit") && said.complaint().contains("sudo"), "what to do: {said:?}");
    assert!(is_enrolled(&t, "alice"));
    drop(polkit);
    assert_eq!(t.daemon.ctl().run(&["reset", "alice", "--reason", "x", "--yes"]).code, Some(0));
}

/// A password that is asked for and not given is no; one that is given is yes. Rules see whom it is about.
#[test]
fn prv_04_a_challenge_is_put_to_the_person() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let polkit = Polkit::saying(&t.bus, Says::AfterPassword(false));
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    assert_eq!(reset(&mut dave, "alice"), Err(error::NOT_AUTHORIZED.to_owned()));
    let asked = polkit.asked();
    assert_eq!(asked.iter().map(|one| one.interactive).collect::<Vec<_>>(), [false, true]);
    assert!(is_enrolled(&t, "alice"));

    polkit.say(Says::AfterPassword(true));
    assert_eq!(reset(&mut dave, "alice"), Ok(()));
    let asked = polkit.asked();
    let detail = |name: &str| asked[1].details[name].as_str();
    assert_eq!(
        (detail("user"), detail("uid"), detail("is-admin")),
        ("alice", ALICE.uid.to_string().as_str(), "false")
    );
    assert_eq!(asked[1].caller, dave.name());
    assert!(!is_enrolled(&t, "alice"));
    assert_eq!(reset(&mut dave, "root"), Ok(()), "nothing to remove");
    assert_eq!(polkit.asked()[0].details["is-admin"], "true");
}

/// Who hung up while polkit thought does not get what they asked for.
#[test]
fn prv_02_nobody_acts_for_a_caller_who_is_gone() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let polkit = Polkit::scripted(&t.bus, |_| {
        // Long enough to hang up in.
        std::thread::sleep(Duration::from_millis(200));
        Says::Yes
    });
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    let serial = dave.next_serial();
    let call = zbus::Message::method_call(OBJECT_PATH, "Reset").destination(BUS_NAME).serial(serial);
    let call = call.interface(MANAGER_INTERFACE).build(&("alice", "gone", false)).expect("a call");
    dave.send(call.data().bytes()).expect("the bus reads");
    polkit.wait();
    drop(dave);
    std::thread::sleep(Duration::from_millis(500));
    assert!(is_enrolled(&t, "alice"));
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    assert_eq!(reset(&mut dave, "alice"), Ok(()), "the control: one who waits gets it");
    assert!(!is_enrolled(&t, "alice"));
}

/// The actions as shipped: an administrator's password for each, one's own for the first factor,
/// nothing kept, and an owner, without whom polkit would answer nothing to a daemon that is not root.
#[test]
fn adm_08_the_polkit_actions_are_safe_as_shipped() {
    let root = artifacts::source_root();
    let file = root.join("packaging/usr/share/polkit-1/actions/org.countersign1.policy");
    let text = std::fs::read_to_string(file).expect("the actions");
    let mut actions = BTreeSet::new();
    for action in text.split("<action id=\"org.countersign1.").skip(1) {
        let (name, rest) = action.split_once('"').expect("an end");
        let body = rest.split("</action>").next().expect("an end");
        let expected = if name == "enroll-self" { "auth_self" } else { "auth_admin" };
        for default in ["allow_any", "allow_inactive", "allow_active"] {
            assert!(body.contains(&format!("<{default}>{expected}</{default}>")), "{name}: {default}");
        }
        let owner = "<annotate key=\"org.freedesktop.policykit.owner\">unix-user:countersign</annotate>";
        assert!(body.contains(owner), "{name}");
        assert!(!body.contains("_keep"), "{name}");
        assert!(actions.insert(name.to_owned()), "{name} twice");
    }
    let gate = std::fs::read_to_string(root.join("daemon/src/bus/gate.rs")).expect("the daemon's table");
    for asked in gate
        .split("Who::")
        .filter(|row| ["SelfOr(\"", "Action(\"", "Other(\""].iter().any(|who| row.starts_with(who)))
    {
        let action = asked.split('"').nth(1).expect("a name");
        assert!(actions.contains(action), "the table asks for {action}, which no file describes");
    }
}
