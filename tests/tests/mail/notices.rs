//! Notices by mail: all of them, to all addresses, through trouble and restarts, and never a flood.

use super::host::{Codes, config, notices, respond, wait_for_notices};
use countersign_tests::smtp::{Script, Smtp, Taken};
use countersign_tests::{Secret, require};
use std::time::{Duration, Instant};

macro_rules! require_all {
    () => {
        require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    };
}

/// Nobody is asked for a code by e-mail here: notices need a mailbox and an address only.
const APP: &str = "\"totp\"";
/// Longer than a letter gathers what it tells.
const GATHERED: Duration = Duration::from_millis(3500);

/// A host on which alice has an app, and has been mailed that.
fn with_alice(tables: &str) -> (Codes, Secret) {
    let t = Codes::with(APP, "", tables, Script::default());
    let alice = t.daemon.enroll("alice");
    let letters = wait_for_notices(&t.server, 1);
    assert_eq!(letters.len(), 1);
    (t, alice)
}

/// Logs alice in by the next recovery code.
fn recover(t: &Codes, alice: &Secret, number: usize) {
    let begun = t.begin("alice", "passed");
    let step = respond(&t.bus, &begun.login, &alice.recovery[number]);
    assert!(["allow", "ask"].contains(&step.verdict.as_str()), "{step:?}");
}

/// Types a recovery code that was used.
fn use_again(t: &Codes, alice: &Secret, number: usize) {
    let begun = t.begin("alice", "passed");
    let step = respond(&t.bus, &begun.login, &alice.recovery[number]);
    assert_ne!(step.verdict, "allow");
    let _ = respond(&t.bus, &begun.login, "");
}

/// Later by the wall clock, and started anew because nobody sleeps that long here.
fn later(t: &mut Codes, seconds: i64) {
    t.daemon.clock().expect("a clock").shift(seconds);
    t.daemon.crash_and_restart();
}

/// Everybody is under the policy, and has an address by it.
fn for_everybody(t: &Codes, tables: &str) -> String {
    config(t.server.port(), APP, "", tables).replace("groups = [\"mfa-required\"]\n", "")
}

fn apply(t: &Codes, text: &str) {
    t.daemon.configure(text);
    let _ = t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).ok();
}

fn connections(server: &Smtp) -> usize {
    server.heard().connections
}

fn wait_for_connections(server: &Smtp, count: usize) {
    let until = Instant::now() + Duration::from_secs(10);
    while connections(server) < count {
        assert!(Instant::now() < until, "{} of {count} connections", connections(server));
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn says(letter: &Taken, words: &[&str]) {
    for word in words {
        assert!(letter.text.contains(word), "{word} in {}", letter.text);
    }
}

#[test]
fn enr_07_what_happens_is_mailed_with_who_where_and_when() {
    require_all!();
    let (t, alice) = with_alice("");
    let first = &notices(&t.server)[0];
    assert_eq!(first.to, "RCPT TO:<alice@example.org>");
    says(
        first,
        &[
            "Subject: Acme: security notice for alice on ",
            "Auto-Submitted: auto-generated",
            "To: alice@example.org",
        ],
    );
    says(
        first,
        &["the authenticator \"app\" was added", "Account:  alice", "Service: countersignctl", "room 12."],
    );
    recover(&t, &alice, 0);
    let letter = wait_for_notices(&t.server, 2).remove(1);
    says(
        &letter,
        &["a recovery code was used for sshd from 192.0.2.7", "Service: sshd", "From:    192.0.2.7"],
    );
    says(&letter, &["change the\npassword, and tell your administrator now"]);
    assert!(!letter.text.contains("was added"), "each once: {}", letter.text);
    std::thread::sleep(GATHERED);
    assert_eq!(notices(&t.server).len(), 2);
    // No letter holds what lets anybody in.
    for letter in notices(&t.server) {
        for code in &alice.recovery {
            assert!(!letter.text.contains(code.as_str()), "{}", letter.text);
        }
    }
    assert!(!t.daemon.said().contains("example.org"), "addresses are in no log");
}

#[test]
fn enr_07_a_letter_that_finds_no_server_is_tried_again_after_a_restart() {
    require_all!();
    let mut t = Codes::with(APP, "", "", Script::default());
    t.server.change(|script| script.replies = [("RCPT", "450 not now".to_owned())].into());
    let alice = t.daemon.enroll("alice");
    wait_for_connections(&t.server, 1);
    // Killed, started again, still waiting: not before its time, and then together with what came since.
    t.daemon.crash_and_restart();
    std::thread::sleep(GATHERED);
    assert_eq!(connections(&t.server), 1);
    later(&mut t, 61);
    wait_for_connections(&t.server, 2);
    recover(&t, &alice, 0);
    t.server.change(|script| script.replies.clear());
    later(&mut t, 61);
    std::thread::sleep(GATHERED);
    assert_eq!(connections(&t.server), 2, "the second delay is longer than the first");
    later(&mut t, 61);
    let letter = wait_for_notices(&t.server, 1).remove(0);
    says(&letter, &["the authenticator \"app\" was added", "a recovery code was used"]);
    // A daemon that is killed before it has noted that the server took a letter sends it again.
    std::thread::sleep(GATHERED);
    later(&mut t, 4 * 3600);
    std::thread::sleep(GATHERED);
    assert_eq!((notices(&t.server).len(), connections(&t.server)), (1, 3), "once");
}

#[test]
fn enr_07_a_refusal_for_good_is_not_repeated_and_a_letter_ends_after_three_days() {
    require_all!();
    let mut t = Codes::with(APP, "", "", Script::default());
    t.server.change(|script| script.replies = [("RCPT", "550 no such person".to_owned())].into());
    let alice = t.daemon.enroll("alice");
    wait_for_connections(&t.server, 1);
    let until = Instant::now() + Duration::from_secs(5);
    while !t.daemon.said().contains("a notice is refused for good") {
        assert!(Instant::now() < until, "{}", t.daemon.said());
        std::thread::sleep(Duration::from_millis(10));
    }
    t.server.change(|script| script.replies = [("RCPT", "450 not now".to_owned())].into());
    later(&mut t, 5 * 3600);
    std::thread::sleep(GATHERED);
    assert_eq!(connections(&t.server), 1, "not tried again");
    recover(&t, &alice, 0);
    wait_for_connections(&t.server, 2);
    t.server.change(|script| script.replies.clear());
    later(&mut t, 3 * 24 * 3600);
    let until = Instant::now() + Duration::from_secs(5);
    while !t.daemon.said().contains("could not be mailed in its time") {
        assert!(Instant::now() < until, "{}", t.daemon.said());
        std::thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(connections(&t.server), 2);
    // What comes after it goes out.
    recover(&t, &alice, 1);
    let letter = wait_for_notices(&t.server, 1).remove(0);
    assert_eq!(letter.text.matches("a recovery code was used").count(), 1, "{}", letter.text);
}

/// Whoever has the password of somebody can make as many notices as they like.
#[test]
fn enr_07_a_flood_of_notices_is_a_few_letters_and_hides_no_change() {
    require_all!();
    let (t, alice) = with_alice("");
    recover(&t, &alice, 0);
    assert_eq!(wait_for_notices(&t.server, 2).len(), 2);
    for _ in 0..20 {
        use_again(&t, &alice, 0);
    }
    let first = wait_for_notices(&t.server, 3).remove(2);
    says(&first, &["a code that was used already was typed again for sshd from 192.0.2.7"]);
    for _ in 0..60 {
        use_again(&t, &alice, 0);
    }
    std::thread::sleep(GATHERED);
    assert_eq!(notices(&t.server).len(), 3, "one letter in ten minutes");
    assert!(t.daemon.said().contains("a notice waits, too many were mailed"), "{}", t.daemon.said());
    assert!(t.daemon.said().matches("too many were mailed").count() < 3, "and that is no flood either");
    // What changes something is told at once, with the noise behind it.
    recover(&t, &alice, 1);
    let letter = wait_for_notices(&t.server, 4).remove(3);
    let (change, noise) = (letter.text.find("a recovery code was used"), letter.text.find("typed again"));
    assert!(change.is_some() && change < noise, "{}", letter.text);
    assert!(letter.text.contains(" times)"), "{}", letter.text);
}

#[test]
fn enr_07_the_host_has_a_cap_for_notices_too() {
    require_all!();
    let t = Codes::with(APP, "", "", Script::default());
    apply(&t, &for_everybody(&t, "[email]\nmost_per_hour = 10\n"));
    for _ in 0..3 {
        for user in ["alice", "bob", "carol", "dave"] {
            let _ = t.daemon.ctl().run(&["invite", user]).ok();
        }
        std::thread::sleep(GATHERED);
    }
    std::thread::sleep(GATHERED);
    assert_eq!(notices(&t.server).len(), 10);
    assert!(t.daemon.said().contains("too many were mailed"), "{}", t.daemon.said());
}

#[test]
fn without_mailbox_or_address_nothing_waits_and_nothing_is_said() {
    require_all!();
    let t = Codes::start(APP);
    let whole = for_everybody(&t, "");
    let without_address = whole.replace("address = \"{user}@example.org\"\n", "");
    let (head, _) = without_address.split_once("\n[mailbox.ops]").expect("a mailbox");
    apply(&t, &head.replace("mailbox = \"ops\"\n", ""));
    let _ = t.daemon.ctl().run(&["invite", "alice"]).ok();
    std::thread::sleep(GATHERED);
    apply(&t, &without_address);
    let _ = t.daemon.ctl().run(&["invite", "bob"]).ok();
    std::thread::sleep(GATHERED);
    // Who gets an address later is told what happens from then on.
    apply(&t, &whole);
    let _ = t.daemon.ctl().run(&["invite", "dave"]).ok();
    let letters = wait_for_notices(&t.server, 1);
    std::thread::sleep(GATHERED);
    assert_eq!(letters.len(), 1);
    assert_eq!(letters[0].to, "RCPT TO:<dave@example.org>");
    assert_eq!(connections(&t.server), 1);
    assert_eq!(t.daemon.said().matches("mail").count(), 0, "{}", t.daemon.said());
}

/// A letter that is on its way holds up neither logins nor the end of the daemon.
#[test]
fn avl_09_notices_for_a_dead_server_delay_nothing() {
    require_all!();
    let t = Codes::with(APP, "", "", Script { silent_at: "greeting", ..Script::default() });
    apply(&t, &for_everybody(&t, ""));
    let alice = t.daemon.enroll("alice");
    for user in ["bob", "carol", "dave"] {
        let _ = t.daemon.ctl().run(&["invite", user]).ok();
    }
    wait_for_connections(&t.server, 4);
    let asked = Instant::now();
    let begun = t.begin("alice", "passed");
    assert_eq!(t.respond(&begun.login, &alice.fresh_code()).verdict, "allow");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
    let mut t = t;
    let ending = Instant::now();
    assert!(t.daemon.stop().success());
    assert!(ending.elapsed() < Duration::from_secs(6), "{:?}", ending.elapsed());
    assert!(t.daemon.said().contains("stopped"), "{}", t.daemon.said());
    // What was on its way is sent again.
    t.server.change(|script| script.silent_at = "");
    later_started(&mut t, 61);
    let letters = wait_for_notices(&t.server, 4);
    let mut to: Vec<_> = letters.iter().map(|letter| letter.to.as_str()).collect();
    to.sort_unstable();
    assert_eq!(to, ["alice", "bob", "carol", "dave"].map(|user| format!("RCPT TO:<{user}@example.org>")));
}

fn later_started(t: &mut Codes, seconds: i64) {
    t.daemon.clock().expect("a clock").shift(seconds);
    t.daemon.resume();
}
