//! What a letter looks like, and that nobody adds a header to it.

use super::host::{Codes, ONLY, codes, wait_for_codes, wait_for_notices};
use super::{Post, TO, good};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::mailer::send;
use countersign_tests::{Wire, require};
use nix::sched::{CloneFlags, unshare};

const REPLY: &str = "login = \"none\"\nreply_to = \"helpdesk@example.org\"";

/// The header of a letter, unfolded, one entry each.
fn header(text: &str) -> Vec<String> {
    let (header, _) = text.split_once("\n\n").expect("an empty line");
    header.replace("\n ", " ").replace("\n\t", " ").lines().map(str::to_owned).collect()
}

#[test]
fn a_letter_has_what_a_letter_needs() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", REPLY, good);
    let mut daemon = post.mailer.daemon(&post.bus);
    let text = "Caf\u{e9}: the code is 31415926\n.\nA line that begins with a dot stands above.\n";
    let sent = send(&mut daemon, "ops", TO, "Anmeldung f\u{fc}r alice", text, 10_000).expect("taken");
    assert_eq!(sent.outcome, "sent");
    let letter = &post.server.wait_for(1)[0];
    assert_eq!(letter.from, "MAIL FROM:<noreply@example.org>");
    assert_eq!(letter.to, "RCPT TO:<alice@example.org>");
    let lines = header(&letter.text);
    let names: Vec<&str> = lines.iter().map(|line| line.split(':').next().expect("a name")).collect();
    let mut sorted = names.clone();
    sorted.sort_unstable();
    assert_eq!(
        sorted,
        [
            "Auto-Submitted",
            "Content-Transfer-Encoding",
            "Content-Type",
            "Date",
            "From",
            "MIME-Version",
            "Message-ID",
            "Reply-To",
            "Subject",
            "To"
        ]
    );
    let find = |name: &str| lines.iter().find(|line| line.starts_with(name)).expect(name).clone();
    assert!(find("Message-ID: <").ends_with("@example.org>"));
    assert_eq!(find("Auto-Submitted"), "Auto-Submitted: auto-generated");
    assert_eq!(find("Reply-To"), "Reply-To: helpdesk@example.org");
    assert!(letter.text.is_ascii(), "fit for every server on the way");
    assert!(letter.text.contains("31415926"));
}

#[test]
fn inp_03_nothing_that_comes_from_outside_makes_a_header() {
    require!(Staged("countersign-mailer"), Tool("openssl"));
    let post = Post::with("starttls", REPLY, good);
    let mut daemon = post.mailer.daemon(&post.bus);
    let ends = ["\n", "\r\n", "\r", "\u{2028}", "\u{85}", "\u{b}"];
    let mut taken = 0;
    for end in ends {
        let evil = format!("x{end}Bcc: dave@example.org{end}{end}a body{end}.{end}QUIT");
        assert!(send(&mut daemon, "ops", TO, &evil, "text", 10_000).is_err(), "subject {end:?}");
        for to in [format!("a{evil}@example.org"), format!("a@example.org{evil}"), format!("{TO}{end}")] {
            assert!(send(&mut daemon, "ops", &to, "subject", "text", 10_000).is_err(), "{to:?}");
        }
        // In the text a line is a line, and nothing else is anything.
        match send(&mut daemon, "ops", TO, "subject", &evil, 10_000) {
            Ok(sent) => {
                assert_eq!((end, sent.outcome.as_str()), ("\n", "sent"));
                taken += 1;
            }
            Err(_) => assert_ne!(end, "\n"),
        }
    }
    // What looks like a header or like the protocol but is one line of a subject stays a subject.
    for subject in
        ["Bcc: dave@example.org", "=?utf-8?q?x=0D=0ABcc:_dave=40example.org?=", ". QUIT", "\u{202f}x"]
    {
        assert_eq!(send(&mut daemon, "ops", TO, subject, "text", 10_000).expect("taken").outcome, "sent");
        taken += 1;
    }
    let letters = post.server.wait_for(taken);
    assert_eq!(letters.len(), taken, "one letter for each that was taken");
    for letter in &letters {
        assert_eq!(header(&letter.text).len(), 10, "{}", letter.text);
        assert!(!header(&letter.text).iter().any(|line| line.starts_with("Bcc")), "{}", letter.text);
        assert_eq!(letter.to, "RCPT TO:<alice@example.org>");
    }
}

/// The host's name, the service, the source and a reason are what strangers or administrators say.
#[test]
fn inp_03_no_name_on_the_way_to_a_letter_makes_a_header() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    const EVIL: &str = "x\r\nBcc: dave@example.org\r\n\r\n{{ code }}\r\n.\r\n";
    unshare(CloneFlags::CLONE_NEWUTS).expect("root may");
    let t = Codes::start(ONLY);
    for name in ["h\r\nBcc: dave@example.org\r\n\r\n", "a b", "\u{202e}", ""] {
        nix::unistd::sethostname(name).expect("our own name");
        let sent = codes(&t.server).len();
        let mut wire = Wire::on(&t.bus);
        let request = ("bob", EVIL, EVIL, EVIL, format!("192.0.2.7{EVIL}"), EVIL, "passed");
        let begun = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &request);
        if begun.is_err() {
            // Refused whole; then with what is taken.
            assert_eq!(t.begin("bob", "passed").verdict, "ask");
        }
        if sent < 3 {
            assert_eq!(wait_for_codes(&t.server, sent + 1).len(), sent + 1);
        }
    }
    let remove = ("alice", "app", "", format!("lost {EVIL}"));
    let mut wire = Wire::on(&t.bus);
    let app = t.daemon.enroll("alice");
    drop(wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "RemoveFactor", &remove));
    drop(app);
    let notices = wait_for_notices(&t.server, 1);
    for letter in codes(&t.server).iter().chain(&notices) {
        let lines = header(&letter.text);
        assert_eq!(lines.len(), 9, "{}", letter.text);
        assert!(!lines.iter().any(|line| line.starts_with("Bcc")), "{}", letter.text);
        let to = if letter.text.contains("security notice") { "alice" } else { "bob" };
        assert_eq!(letter.to, format!("RCPT TO:<{to}@example.org>"));
        assert!(!letter.text.contains("\nBcc"), "{}", letter.text);
    }
    let heard = t.server.heard();
    let spoken = heard.in_clear.iter().filter(|line| line.starts_with("EHLO"));
    assert!(spoken.clone().all(|line| line == "EHLO localhost" || line.is_ascii()), "{heard:?}");
}
