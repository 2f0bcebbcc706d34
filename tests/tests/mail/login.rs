//! Who we are at the mail server: passwords, tokens, and where they come from.

use super::{Post, good};
use countersign_tests::require;
use countersign_tests::smtp::Script;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;

fn token(token: &str) -> String {
    format!("user=acme\u{1}auth=Bearer {token}\u{1}\u{1}")
}

#[test]
fn a_password_is_read_for_each_connection() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("implicit", "user = \"acme\"", |a| Script {
        implicit: true,
        mechanisms: "LOGIN PLAIN XOAUTH2",
        logins: vec!["\0acme\0s3cret".into(), "\0acme\0changed".into()],
        ..good(a)
    });
    assert_eq!(post.code(10_000).outcome, "sent");
    post.mailer.secret("ops", "changed");
    assert_eq!(post.code(10_000).outcome, "sent");
    post.mailer.secret("ops", "wrong");
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.outcome.as_str()), ("login", "later"), "{sent:?}");
    assert!(post.server.heard().in_clear.is_empty());
}

#[test]
fn a_refused_token_is_read_again() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", "user = \"acme\"\nlogin = \"xoauth2\"", |a| Script {
        mechanisms: "XOAUTH2",
        logins: vec![token("fresh")],
        slow_by: 150,
        ..good(a)
    });
    post.mailer.secret("ops", "fresh");
    assert_eq!(post.code(10_000).outcome, "sent");

    post.mailer.secret("ops", "stale");
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.cause.as_str()), ("login", "rejected"), "{sent:?}");
    assert_eq!(post.server.heard().connections, 2, "the same token is not tried twice");

    // Renewed by the outside job while the letter is on its way: the second connection has it.
    std::thread::scope(|scope| {
        let letter = scope.spawn(|| post.code(10_000));
        while post.server.heard().connections < 3 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        post.mailer.secret("ops", "fresh");
        assert_eq!(letter.join().expect("no panic").outcome, "sent");
    });
    assert_eq!(post.server.heard().connections, 4);
}

#[test]
fn a_secret_that_others_can_read_is_not_used() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("implicit", "user = \"acme\"", |a| Script {
        implicit: true,
        mechanisms: "PLAIN",
        logins: vec!["\0acme\0s3cret".into()],
        ..good(a)
    });
    let file = post.mailer.secret_file("ops");
    fs::set_permissions(&file, Permissions::from_mode(0o644)).expect("ours");
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.cause.as_str()), ("secret", "open-secret"), "{sent:?}");
    fs::remove_file(&file).expect("ours");
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.cause.as_str()), ("secret", "no-secret"), "{sent:?}");
    assert_eq!(post.server.heard().connections, 0, "nothing was said to the server");
}

#[test]
fn a_server_on_this_host_needs_neither_tls_nor_login() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("none", "login = \"none\"", |_| Script::default());
    assert_eq!(post.code(10_000).outcome, "sent");
    assert_eq!(post.server.wait_for(1).len(), 1);
}

#[test]
fn a_systemd_credential_comes_before_the_file() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("implicit", "user = \"acme\"", |a| Script {
        implicit: true,
        mechanisms: "PLAIN",
        logins: vec!["\0acme\0from-systemd".into(), "\0acme\0s3cret".into()],
        ..good(a)
    });
    // As systemd hands it over: readable by the service alone.
    let folder = countersign_tests::scratch::Scratch::new("credentials");
    let file = folder.join("countersign.mailbox.ops");
    fs::write(&file, "from-systemd").expect("our own folder");
    fs::set_permissions(&file, Permissions::from_mode(0o444)).expect("ours");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).expect("ours");
    drop(post.mailer);
    let mut mailer = countersign_tests::Mailer::prepare(&post._world, &post.bus, None);
    mailer.configure(&super::config(post.server.port(), "implicit", &post.authority, "user = \"acme\""));
    mailer.secret("ops", "s3cret");
    let dir = folder.path().display().to_string();
    mailer.resume(&[], &[("CREDENTIALS_DIRECTORY", &dir)]);
    let mut daemon = mailer.daemon(&post.bus);
    let mut send = || {
        countersign_tests::mailer::send(&mut daemon, "ops", super::TO, "x", "x", 10_000)
            .expect("taken")
            .outcome
    };
    assert_eq!(send(), "sent");
    post.server.change(|script| script.logins = vec!["\0acme\0from-systemd".into()]);
    assert_eq!(send(), "sent", "it was that one");
    // Without one the file is read.
    fs::remove_file(&file).expect("ours");
    assert_eq!(send(), "later");
    post.server.change(|script| script.logins = vec!["\0acme\0s3cret".into()]);
    assert_eq!(send(), "sent");
}
