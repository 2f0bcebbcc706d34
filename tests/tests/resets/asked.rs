//! Resets by two people or more: asked for by a colleague, approved by others.

use super::{Somebody, is_enrolled, kinds, not_authorized, require_all, with_approvals};
use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::people::{ALICE, BOB, CAROL, DAVE};
use countersign_tests::polkit::Says;
use countersign_tests::{Fixture, Polkit, Wire};

/// The whole way: carol asks, dave approves, alice is reset and told.
#[test]
fn adm_03_a_colleague_asks_and_another_approves() {
    require_all!();
    let t = with_approvals(1);
    let _alice = t.daemon.enroll("alice");
    let secret = t.daemon.enroll("carol");
    let polkit = Polkit::saying(&t.bus, Says::Yes);
    let [mut carol, mut dave, mut alice] = [CAROL, DAVE, ALICE].map(|who| Somebody::new(&t.bus, who));
    let proof = carol.proof("carol", &secret);
    let id = carol.ask("alice", &proof).expect("a request");
    assert_eq!(polkit.asked(), [], "asking takes a factor of one's own, not a right");
    assert!(is_enrolled(&t.daemon, "alice"));

    let ctl = t.daemon.ctl();
    let shown = ctl.run(&["approve"]).ok().stdout;
    assert!(shown.contains("alice") && shown.contains("carol") && shown.contains("phone lost"), "{shown}");
    let listed = ctl.run(&["approve", "--json"]).ok().json().remove(0);
    assert_eq!((listed["id"].as_u64(), listed["missing"].as_u64()), (Some(id.into()), Some(1)), "{listed}");
    assert_eq!(listed["until"].as_i64(), listed["asked"].as_i64().map(|asked| asked + 24 * 3600));

    assert_eq!(carol.approve(id), not_authorized(), "not by who asked");
    assert_eq!(alice.approve(id), not_authorized(), "not by whom it is about");
    let root = ctl.run(&["approve", &id.to_string(), "--yes"]);
    assert_eq!(root.code, Some(4), "not by root: {root:?}");
    polkit.say(Says::No);
    assert_eq!(dave.approve(id), not_authorized(), "not without the right");
    assert!(is_enrolled(&t.daemon, "alice"));
    polkit.say(Says::Yes);
    drop(polkit.asked());
    let typed = t.daemon.ctl().as_uid(DAVE.uid).run(&["approve", &id.to_string(), "--yes"]).ok();
    assert!(typed.stdout.contains("approved and done"), "{typed:?}");
    let asked = polkit.asked();
    assert_eq!(asked[0].action, "org.countersign1.approve-reset");
    assert_eq!((asked[0].details["user"].as_str(), asked[0].details["uid"].as_str()), ("alice", "5001"));
    assert!(!is_enrolled(&t.daemon, "alice"));
    assert_eq!(dave.approve(id), Err(error::NOT_FOUND.to_owned()), "once");
    assert_eq!(kinds(&t.daemon, "alice"), ["reset", "reset-approved", "reset-requested", "enrolled"]);

    let anew = t.daemon.enroll("alice");
    let login = t.cs().login("alice", [anew.fresh_code()]);
    let told = login.messages().join(" ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(told.contains("removed by carol, approved by dave: phone lost."), "{told}");
    let said = t.daemon.said();
    for line in [
        "a reset was asked for user=\"alice\" uid=\"5001\" by=\"carol\" by-uid=\"5003\"",
        "a reset was approved user=\"alice\" uid=\"5001\" by=\"dave\" by-uid=\"5004\"",
        "<4>factors were reset user=\"alice\" uid=\"5001\" by=\"dave\" by-uid=\"5004\"",
    ] {
        assert_eq!(said.matches(line).count(), 1, "{line}: {said}");
    }
}

/// Two approvals are two people, and both are not the requester.
#[test]
fn adm_03_two_approvals_are_two_people() {
    require_all!();
    let t = with_approvals(2);
    let _alice = t.daemon.enroll("alice");
    let secret = t.daemon.enroll("carol");
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    let [mut carol, mut dave, mut bob] = [CAROL, DAVE, BOB].map(|who| Somebody::new(&t.bus, who));
    let proof = carol.proof("carol", &secret);
    let id = carol.ask("alice", &proof).expect("a request");
    assert_eq!(dave.approve(id), Ok(1));
    assert_eq!(dave.approve(id), not_authorized(), "the same person twice");
    assert!(is_enrolled(&t.daemon, "alice"));
    let listed = t.daemon.ctl().run(&["approve", "--json"]).ok().json().remove(0);
    assert_eq!((listed["missing"].as_u64(), listed["approved"][0].as_str()), (Some(1), Some("dave")));
    assert_eq!(bob.approve(id), Ok(0));
    assert!(!is_enrolled(&t.daemon, "alice"));
}

/// Asking takes a factor: one's own, shown for this, once; and never for oneself.
#[test]
fn adm_03_asking_takes_a_code_of_ones_own_and_is_for_others() {
    require_all!();
    let t = Fixture::with_clock();
    let alices = t.daemon.enroll("alice");
    let secret = t.daemon.enroll("carol");
    let [mut carol, mut alice] = [CAROL, ALICE].map(|who| Somebody::new(&t.bus, who));
    for none in ["", "00112233445566778899aabbccddeeff", "../x"] {
        assert_eq!(carol.ask("alice", none), not_authorized(), "{none:?}");
    }
    let proof = carol.proof("carol", &secret);
    assert_eq!(alice.ask("dave", &proof), not_authorized(), "somebody else's proof");
    let own = alice.proof("alice", &alices);
    assert_eq!(alice.ask("alice", &own), not_authorized(), "for oneself");
    let mut root = Somebody(Wire::on(&t.bus));
    assert_eq!(root.ask("alice", &proof), not_authorized(), "by root");
    assert_eq!(carol.ask("nobody-here", &proof), Err(error::NOT_FOUND.to_owned()));
    assert!(carol.ask("alice", &proof).is_ok(), "the control");
    assert_eq!(carol.ask("bob", &proof), not_authorized(), "a proof is used up");
    let second = carol.proof("carol", &secret);
    assert_eq!(carol.ask("alice", &second), Err(error::INVALID_ARGUMENT.to_owned()), "one open request");
    assert!(carol.ask("bob", &second).is_ok(), "what was refused used no proof up");
    assert!(is_enrolled(&t.daemon, "alice"));
}

/// Requests are bounded, lapse after a day, and are refused by whoever may, and by whom they are about.
#[test]
fn adm_03_requests_are_bounded_refused_and_lapse() {
    require_all!();
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let secret = t.daemon.enroll("carol");
    let polkit = Polkit::saying(&t.bus, Says::No);
    let [mut carol, mut dave] = [CAROL, DAVE].map(|who| Somebody::new(&t.bus, who));
    let mut ask = |whom: &str| {
        let proof = carol.proof("carol", &secret);
        carol.ask(whom, &proof)
    };
    let id = ask("alice").expect("a request");
    for whom in ["bob", "dave", "root", "daemon"] {
        assert!(ask(whom).is_ok(), "{whom}");
    }
    assert_eq!(ask("nobody"), Err(error::INVALID_ARGUMENT.to_owned()), "five of one person");

    let arguments = |id: u32| (id, "it was not me");
    let refuse = |wire: &mut Wire, id: u32| {
        wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "RefuseReset", &arguments(id))
            .map(drop)
            .map_err(|e| e.name)
    };
    assert!(refuse(&mut dave.0, id).is_err(), "dave has no right");
    assert_eq!(refuse(&mut Wire::as_uid(&t.bus, ALICE.uid), id), Ok(()), "it is about her");
    polkit.say(Says::Yes);
    assert_eq!(dave.approve(id), Err(error::NOT_FOUND.to_owned()), "refused is refused");
    assert_eq!(kinds(&t.daemon, "alice"), ["reset-refused", "reset-requested", "enrolled"]);

    let again = ask("alice").expect("a new one");
    // Each code took a step of the clock, so the others are older by a step or more.
    t.clock().shift(24 * 3600 - 20);
    let open = t.daemon.ctl().run(&["approve", "--json"]).ok().json();
    assert_eq!((open.len(), open[0]["id"].as_u64()), (1, Some(again.into())), "{open:?}");
    t.clock().shift(120);
    assert_eq!(dave.approve(again), Err(error::NOT_FOUND.to_owned()), "a day old");
    assert_eq!(t.daemon.ctl().run(&["approve", "--json"]).ok().json().len(), 0);
    t.clock().shift(-2 * 24 * 3600);
    assert_eq!(
        dave.approve(again),
        Err(error::NOT_FOUND.to_owned()),
        "and stays so when the clock goes back"
    );
    assert!(is_enrolled(&t.daemon, "alice"));
}

/// What they asked for is void with the factor that stood behind it.
#[test]
fn adm_11_a_reset_voids_what_the_person_asked_for() {
    require_all!();
    let t = Fixture::with_clock();
    let secret = t.daemon.enroll("carol");
    let _alice = t.daemon.enroll("alice");
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    let [mut carol, mut dave] = [CAROL, DAVE].map(|who| Somebody::new(&t.bus, who));
    let proof = carol.proof("carol", &secret);
    let id = carol.ask("alice", &proof).expect("a request");
    let late = carol.proof("carol", &secret);
    assert_eq!(dave.reset("carol", false), Ok(2));
    assert_eq!(dave.approve(id), Err(error::NOT_FOUND.to_owned()));
    assert_eq!(carol.ask("bob", &late), not_authorized(), "a proof begun before");
    assert!(is_enrolled(&t.daemon, "alice"));
}

/// The same as people type it.
#[test]
fn adm_03_the_verb_asks_for_a_code_first() {
    require_all!();
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let secret = t.daemon.enroll("carol");
    let args = ["request-reset", "alice", "--reason", "phone lost"];
    let carol = t.daemon.ctl().as_uid(CAROL.uid);
    let wrong = format!("{0}\n{0}\n{0}\n", secret.wrong_code(1));
    let refused = carol.run_with(&args, &wrong);
    assert_eq!(refused.code, Some(4), "{refused:?}");
    let asked = carol.run_with(&args, &format!("{}\n", secret.fresh_code())).ok();
    assert!(asked.stdout.contains("Request 1: reset alice."), "{asked:?}");
    assert!(asked.stdout.contains("countersignctl approve 1"), "what next: {asked:?}");
    let nothing_to_show = t.daemon.ctl().as_uid(DAVE.uid).run(&args);
    assert_eq!(nothing_to_show.code, Some(4), "{nothing_to_show:?}");
    let root = t.daemon.ctl().run(&args);
    assert_eq!(root.code, Some(4), "{root:?}");
    assert!(root.complaint().contains("--alone"), "what root can do: {root:?}");
}
