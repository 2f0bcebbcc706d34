//! Servers that do what no server should: nothing in clear, and everything within its time.

use super::{Post, good};
use countersign_tests::certificates::Authority;
use countersign_tests::require;
use countersign_tests::smtp::Script;
use std::time::{Duration, Instant};

const NO_LOGIN: &str = "login = \"none\"";

/// The server has heard no letter, and in clear nothing but greetings.
fn nothing_in_clear(post: &Post, what: &str) {
    let heard = post.server.heard();
    let harmless = |line: &String| line.starts_with("EHLO ") || line == "STARTTLS" || line == "QUIT";
    // What is no text is the client's part of a handshake.
    let text: Vec<_> = heard.in_clear.iter().filter(|l| l.is_ascii()).collect();
    assert!(text.iter().all(|line| harmless(line)), "{what}: {text:#?}");
    assert!(heard.letters.is_empty(), "{what}: {:#?}", heard.letters);
    assert!(!format!("{heard:?}").contains("31415926"), "{what}");
}

#[test]
fn inp_10_control_a_good_server_gets_the_letter() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", NO_LOGIN, good);
    assert_eq!(post.code(10_000).outcome, "sent");
    assert_eq!(post.server.wait_for(1)[0].to, "RCPT TO:<alice@example.org>");
    let heard = post.server.heard();
    assert!(heard.in_clear.iter().all(|l| l.starts_with("EHLO ") || l == "STARTTLS"), "{heard:#?}");
}

#[test]
fn inp_10_without_starttls_nothing_is_sent() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", NO_LOGIN, |a| Script { starttls: false, ..good(a) });
    let sent = post.code(10_000);
    assert_eq!((sent.outcome.as_str(), sent.cause.as_str()), ("later", "no-starttls"), "{sent:?}");
    nothing_in_clear(&post, "no STARTTLS");
}

#[test]
fn inp_10_certificates_that_do_not_vouch_for_the_server() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", NO_LOGIN, good);
    let stranger = Authority::new();
    for implicit in [false, true] {
        let tls = if implicit { "implicit" } else { "starttls" };
        let a = &post.authority;
        post.mailer.configure(&super::config(post.server.port(), tls, a, NO_LOGIN));
        post.server.change(|script| script.implicit = implicit);
        for (cause, certificate) in [
            ("self-signed", Some(a.self_signed("127.0.0.1"))),
            ("unknown-issuer", Some(stranger.vouch_for("127.0.0.1"))),
            ("expired", Some(a.expired("127.0.0.1"))),
            ("wrong-name", Some(a.vouch_for("mx.example.com"))),
            ("hung-up", None),
        ] {
            post.server.change(|script| script.certificate = certificate);
            let sent = post.code(10_000);
            // A server with nothing to show may answer by an alert or by leaving.
            let fits = sent.cause == cause || (cause == "hung-up" && sent.cause == "tls");
            assert!(fits && sent.stage == "tls" && sent.outcome == "later", "{tls} {cause}: {sent:?}");
            nothing_in_clear(&post, cause);
        }
        post.server.change(|script| script.certificate = Some(post.authority.vouch_for("127.0.0.1")));
        assert_eq!(post.code(10_000).outcome, "sent", "{tls}: the right certificate after all");
        let mut heard = post.server.heard();
        heard.letters.clear();
        heard.encrypted.clear();
    }
}

#[test]
fn inp_10_what_is_slipped_in_behind_starttls_breaks_it() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let slipped_in = "250-mx\r\n250 AUTH PLAIN\r\n";
    let post = Post::with("starttls", NO_LOGIN, |a| Script { slipped_in, ..good(a) });
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.cause.as_str()), ("tls", "out-of-turn"), "{sent:?}");
    nothing_in_clear(&post, "slipped in");
    post.server.change(|script| {
        script.slipped_in = "";
        script.garbage_for_tls = true;
    });
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.outcome.as_str()), ("tls", "later"), "{sent:?}");
    nothing_in_clear(&post, "garbage for a handshake");
}

#[test]
fn inp_10_silence_drips_and_endless_lines_end_in_time() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", NO_LOGIN, good);
    let before = post.mailer.peak_kib();
    for (what, silent, drip, endless) in [
        ("silent from the start", "greeting", "", ""),
        ("silent before TLS", "EHLO", "", ""),
        ("silent at the sender", "MAIL", "", ""),
        ("silent at DATA", "DATA", "", ""),
        ("a byte a second", "", "EHLO", ""),
        ("an endless greeting", "", "", "greeting"),
        ("an endless line in clear", "", "", "EHLO"),
        ("an endless line under TLS", "", "", "RCPT"),
    ] {
        post.server.change(|script| {
            (script.silent_at, script.drip_at, script.endless_at) = (silent, drip, endless);
        });
        let begun = Instant::now();
        let sent = post.code(700);
        assert_eq!(sent.outcome, "later", "{what}: {sent:?}");
        let causes = if endless.is_empty() { ["timeout"; 2] } else { ["says-too-much", "garbled"] };
        assert!(causes.contains(&sent.cause.as_str()), "{what}: {sent:?}");
        assert!(begun.elapsed() < Duration::from_secs(3), "{what}: {:?}", begun.elapsed());
        assert!(post.server.heard().letters.is_empty(), "{what}");
    }
    let grown = post.mailer.peak_kib().saturating_sub(before);
    assert!(grown < 8 * 1024, "the mailer grew by {grown} KiB");
}

#[test]
fn inp_10_a_server_that_hangs_with_the_letter_is_not_asked_twice() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", NO_LOGIN, |a| Script { silent_at: ".", ..good(a) });
    let sent = post.code(700);
    assert_eq!((sent.outcome.as_str(), sent.stage.as_str()), ("unknown", "message"), "{sent:?}");
    assert_eq!(post.server.heard().connections, 1);
}

#[test]
fn inp_10_refusals_say_whether_to_come_again() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", NO_LOGIN, good);
    for (verb, reply, stage, outcome) in [
        ("greeting", "421 too busy", "greeting", "later"),
        ("greeting", "554 no mail here", "greeting", "later"),
        ("EHLO", "550 not you", "greeting", "later"),
        ("MAIL", "451 greylisted", "sender", "later"),
        ("MAIL", "550 not from you", "sender", "refused"),
        ("RCPT", "450 mailbox busy", "recipient", "later"),
        ("RCPT", "550-no such person\r\n550 really", "recipient", "refused"),
        ("DATA", "452 no room", "message", "later"),
        (".", "552 too big", "message", "refused"),
        (".", "451 try again", "message", "later"),
        ("RCPT", "hello?", "recipient", "later"),
    ] {
        post.server.change(|script| script.replies = [(verb, reply.to_owned())].into());
        let sent = post.code(10_000);
        assert_eq!(
            (sent.stage.as_str(), sent.outcome.as_str()),
            (stage, outcome),
            "{verb} {reply}: {sent:?}"
        );
        assert!(post.server.heard().letters.is_empty(), "{verb} {reply}");
    }
}

#[test]
fn what_a_server_repeats_of_a_letter_reaches_no_log() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", "user = \"acme\"", |a| Script {
        mechanisms: "PLAIN",
        logins: vec!["\0acme\0s3cret".into()],
        replies: [(".", "554 spam: The code is 31415926".to_owned())].into(),
        ..good(a)
    });
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.said.as_str()), ("message", "554"), "{sent:?}");
    post.mailer.secret("ops", "wr0ng\n");
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.said.as_str()), ("login", "535"), "{sent:?}");
    let said = post.mailer.said();
    assert!(said.contains("cause=\"rejected\""), "{said}");
    for secret in ["31415926", "wr0ng", "s3cret"] {
        assert!(!said.contains(secret), "{secret} in {said}");
    }
    assert!(!said.contains("AGFjbWU"), "base64 of the login in {said}");
}

#[test]
fn a_server_that_is_not_there_is_said_to_be_away() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", NO_LOGIN, good);
    let text = super::config(1, "starttls", &post.authority, NO_LOGIN);
    post.mailer.configure(&text);
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.cause.as_str()), ("connect", "no-connection"), "{sent:?}");
    post.mailer.configure(&text.replace("127.0.0.1", "mail.invalid"));
    let sent = post.code(10_000);
    assert_eq!((sent.stage.as_str(), sent.cause.as_str()), ("resolve", "unknown-host"), "{sent:?}");
    // A broken file keeps the accounts that were read before it.
    post.mailer.configure("no configuration");
    assert_eq!(post.code(10_000).cause, "unknown-host");
}
