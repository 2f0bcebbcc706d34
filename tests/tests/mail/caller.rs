//! Who may have something sent.

use super::{Post, TO, good};
use countersign_protocol::names::error::{INVALID_ARGUMENT, NOT_AUTHORIZED};
use countersign_protocol::names::{MAILER_BUS_NAME, MAILER_INTERFACE, MAILER_PATH};
use countersign_tests::mailer::{send, test};
use countersign_tests::people::{ALICE, DAVE, MAILER_UID};
use countersign_tests::{Broker, Mailer, PrivateBus, Wire, World, require};
use std::time::{Duration, Instant};

const DENIED: &str = "org.freedesktop.DBus.Error.AccessDenied";

#[test]
fn prv_letters_are_taken_from_the_daemon_alone() {
    require!(Root, Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", "login = \"none\"", good);
    for uid in [0, ALICE.uid, DAVE.uid, MAILER_UID] {
        let mut wire = Wire::as_uid(&post.bus, uid);
        let refused = send(&mut wire, "ops", TO, "x", "x", 1000).expect_err("not the daemon");
        assert_eq!(refused.name, DENIED, "uid {uid}: {refused}");
        let tested = test(&mut wire, "ops", TO, 10_000);
        if uid == 0 {
            assert_eq!(tested.expect("root may test").0, "sent");
        } else {
            assert_eq!(tested.expect_err("nor test").name, DENIED, "uid {uid}");
        }
    }
    assert_eq!(post.code(10_000).outcome, "sent");
    assert_eq!(post.server.wait_for(2).len(), 2);
}

#[test]
fn prv_the_mailer_asks_the_bus_itself_who_calls() {
    require!(Root, Staged("countersign-mailer"), Tool("openssl"));
    let world = World::enter();
    // A bus whose policy was loosened.
    let loose =
        "<policy context=\"mandatory\"><allow send_destination=\"org.countersign1.Mailer\"/></policy>";
    let bus = PrivateBus::start_with(Broker::Reference, world.daemon_uid(), None, loose);
    let mailer = Mailer::start(&world, &bus, "[[policy]]\nname = \"x\"\nstatus = \"off\"\n");
    for uid in [0, DAVE.uid, MAILER_UID] {
        let mut wire = Wire::as_uid(&bus, uid);
        let refused = send(&mut wire, "", TO, "x", "x", 1000).expect_err("not the daemon");
        assert_eq!(refused.name, NOT_AUTHORIZED, "uid {uid}: {refused}");
    }
    let mut dave = Wire::as_uid(&bus, DAVE.uid);
    assert_eq!(test(&mut dave, "", TO, 1000).expect_err("not root").name, NOT_AUTHORIZED);
    let sent = send(&mut mailer.daemon(&bus), "", TO, "x", "x", 1000).expect("the daemon");
    assert_eq!(sent.cause, "no-mailbox");
}

#[test]
fn the_stages_of_a_test_are_told() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", "user = \"acme\"", |a| countersign_tests::smtp::Script {
        mechanisms: "PLAIN",
        logins: vec!["\0acme\0s3cret".into()],
        ..good(a)
    });
    let mut wire = Wire::on(&post.bus);
    let (outcome, stages) = test(&mut wire, "", TO, 10_000).expect("root may");
    assert_eq!(outcome, "sent");
    let told: Vec<_> = stages.iter().map(|s| (s.stage.as_str(), s.outcome.as_str())).collect();
    let all = [
        "settings",
        "secret",
        "resolve",
        "connect",
        "greeting",
        "tls",
        "greeting",
        "login",
        "sender",
        "recipient",
        "message",
    ];
    assert_eq!(told, all.map(|stage| (stage, "ok")));
    post.server.change(|script| script.replies = [("RCPT", "550 no such\u{7} person".to_owned())].into());
    let (outcome, stages) = test(&mut wire, "ops", TO, 10_000).expect("root may");
    let last = stages.last().expect("stages");
    assert_eq!((outcome.as_str(), last.stage.as_str()), ("refused", "recipient"));
    assert!(last.said.contains("no such  person"), "{last:?}");
    let (_, stages) = test(&mut wire, "other", TO, 10_000).expect("root may");
    assert_eq!(stages.last().expect("one").cause, "unknown-mailbox");
}

#[test]
fn arguments_are_bounded() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", "login = \"none\"", good);
    let mut daemon = post.mailer.daemon(&post.bus);
    let long = "x".repeat(20_000);
    for (to, subject, text) in [
        ("", "x", "x"),
        ("alice", "x", "x"),
        ("alice@example.org, bob@example.org", "x", "x"),
        ("<alice@example.org>", "x", "x"),
        ("\"a b\"@example.org", "x", "x"),
        ("alice@[127.0.0.1]", "x", "x"),
        ("-oQ/tmp@example.org\n", "x", "x"),
        (TO, "two\nlines", "x"),
        (TO, &long, "x"),
        (TO, "x", &long),
        (TO, "x", "bell \u{7}"),
    ] {
        let refused = send(&mut daemon, "ops", to, subject, text, 1000).expect_err("refused");
        assert_eq!(refused.name, INVALID_ARGUMENT, "{to:?} {refused}");
    }
    // A name of a mailbox is no path.
    for name in ["../ops", "ops/../ops", "/etc/shadow", "ops\n"] {
        assert_eq!(send(&mut daemon, name, TO, "x", "x", 1000).expect("taken").cause, "unknown-mailbox");
    }
    assert!(post.server.heard().letters.is_empty());
}

#[test]
fn an_idle_mailer_leaves_and_a_busy_one_stays() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let mut post = Post::with("starttls", "login = \"none\"", good);
    drop(post.mailer);
    let world = &post._world;
    let mut mailer = Mailer::prepare(world, &post.bus, None);
    mailer.configure(&super::config(post.server.port(), "starttls", &post.authority, "login = \"none\""));
    post.server.change(|script| script.slow_by = 400);
    mailer.resume(&["--idle", "1"], &[]);
    let mut daemon = mailer.daemon(&post.bus);
    let sent = send(&mut daemon, "ops", TO, "x", "x", 20_000).expect("taken");
    assert_eq!(sent.outcome, "sent", "a letter of 3 s outlives an idle time of 1 s");
    let until = Instant::now() + Duration::from_secs(8);
    let status = loop {
        if let Some(status) = mailer.ended() {
            break status;
        }
        assert!(Instant::now() < until, "still there");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert!(status.success());
    let gone = daemon.call(MAILER_BUS_NAME, MAILER_PATH, MAILER_INTERFACE, "Send", &("", "", "", "", 1_u32));
    assert_eq!(gone.expect_err("nobody").name, "org.freedesktop.DBus.Error.ServiceUnknown");
    post.mailer = mailer;
}
