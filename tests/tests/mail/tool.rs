//! `countersignctl email test`.

use super::{Post, TO, good};
use countersign_tests::people::DAVE;
use countersign_tests::smtp::Script;
use countersign_tests::{Ctl, PrivateBus, World, require};

#[test]
fn email_test_shows_each_stage_and_what_to_do() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignctl"), Tool("openssl"));
    let post = Post::with("starttls", "user = \"acme\"", |a| Script {
        mechanisms: "PLAIN",
        logins: vec!["\0acme\0s3cret".into()],
        ..good(a)
    });
    let ctl = Ctl::on(&post.bus.address());
    let out = ctl.run(&["email", "test", TO]).ok();
    for word in ["settings   ok      ops", "connect    ok      127.0.0.1:", "login      ok", "message    ok"]
    {
        assert!(out.stdout.contains(word), "{word:?} in {}", out.stdout);
    }
    assert!(out.stdout.contains("The server has taken the letter"), "{}", out.stdout);
    assert_eq!(post.server.wait_for(1)[0].to, "RCPT TO:<alice@example.org>");

    post.mailer.secret("ops", "wrong");
    let out = ctl.run(&["email", "test", "--mailbox", "ops", TO]);
    assert_eq!(out.code, Some(6), "{out:?}");
    assert!(out.stdout.contains("login      FAILED  535"), "{}", out.stdout);
    assert!(out.stdout.contains("Is user right, and the secret still valid?"), "{}", out.stdout);

    post.server.change(|script| script.certificate = Some(post.authority.expired("127.0.0.1")));
    let out = ctl.run(&["email", "test", "--json", TO]);
    assert_eq!(out.code, Some(6), "{out:?}");
    let object = &out.json()[0];
    assert_eq!(object["outcome"], "later");
    let stages = object["stages"].as_array().expect("stages");
    let last = stages.last().expect("one");
    assert_eq!((&last["stage"], &last["cause"]), (&"tls".into(), &"expired".into()), "{object}");

    let out = ctl.run(&["email", "test", "--mailbox", "nobody", TO]);
    assert!(out.code == Some(6) && out.stdout.contains("[mailbox.NAME]"), "{out:?}");
    let out = ctl.clone().as_uid(DAVE.uid).run(&["email", "test", TO]);
    assert_eq!(out.code, Some(4), "{out:?}");
    let out = ctl.run(&["email", "test", "alice@example.org\nBcc: dave@example.org"]);
    assert_eq!(out.code, Some(2), "{out:?}");
    assert_eq!(post.server.heard().letters.len(), 1);
}

#[test]
fn email_test_says_that_the_mailer_is_missing() {
    require!(Staged("countersignctl"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    let out = Ctl::on(&bus.address()).run(&["email", "test", TO]);
    assert_eq!(out.code, Some(5), "{out:?}");
    assert!(out.complaint().contains("countersign-mailer is not installed"), "{}", out.stderr);
}
