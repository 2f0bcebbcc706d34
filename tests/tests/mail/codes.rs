//! Codes by e-mail, from the word typed to the mailbox and back.

use super::host::{BOTH, Codes, ONLY, begin, code_in, codes, config, other, respond, wait_for_codes};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::certificates::Authority;
use countersign_tests::postfix::{PASSWORD, Postfix, USER};
use countersign_tests::smtp::{Script, Smtp};
use countersign_tests::{Daemon, Days, Mailer, PrivateBus, Secret, Turn, Wire, World, require};
use std::time::{Duration, Instant};

#[test]
fn a_code_that_was_asked_for_arrives_and_lets_in_once() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::start(BOTH);
    let _app = t.daemon.enroll("alice");
    let begun = t.begin("alice", "passed");
    assert_eq!((begun.verdict.as_str(), t.letters()), ("ask", 0), "{begun:?}");
    let step = t.respond(&begun.login, "?");
    assert!(step.said.contains("Type email to have a code sent to a***e@example.org"), "{step:?}");
    let step = t.respond(&begun.login, "email");
    assert!(step.said.contains("A code was sent to a***e@example.org. It works for 10 min"), "{step:?}");
    let code = t.code(1);
    assert_eq!(code.len(), 8);
    let letter = t.server.heard().letters[0].clone();
    assert_eq!(letter.to, "RCPT TO:<alice@example.org>");
    let (header, text) = letter.text.split_once("\n\n").expect("a header");
    assert!(!header.contains(&code), "{header}");
    for word in ["alice", "sshd", "192.0.2.7", "not you", "helpdesk"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    let step = t.respond(&begun.login, &code);
    assert_eq!(step.verdict, "allow", "{step:?}");
    // Once: neither in this login nor in another one.
    let again = t.begin("alice", "passed");
    assert_eq!(t.respond(&again.login, &code).verdict, "ask");
    let row = t.daemon.log("alice").into_iter().find(|row| row.state == "verified").expect("a row");
    assert_eq!(row.factor, "email");
    assert!(!t.mailer.said().contains(&code) && !t.daemon.said().contains(&code));
}

#[test]
fn where_it_is_the_only_factor_it_comes_unasked_through_a_real_stack() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("pam_countersign.so"));
    let t = Codes::start(ONLY);
    let stack = countersign_tests::Stack::cs(&t.daemon.module());
    let mut held = stack.visit("bob").rhost("192.0.2.7").hold();
    assert!(held.prompt().contains("code"), "{}", held.prompt());
    let code = t.code(1);
    held.send_answer(other(&code));
    assert!(matches!(held.wait(), Turn::Prompt(_)));
    let outcome = held.answer(&code);
    assert!(outcome.passed(), "{outcome:?}");
    // Only by the stack that vouches for the password: elsewhere nothing is sent and nothing is said.
    let step = t.begin("bob", "unknown");
    assert_eq!((step.verdict.as_str(), step.said.as_str()), ("ask", ""));
    let step = t.respond(&step.login, "email");
    assert!(!step.said.contains("example.org"), "{step:?}");
    assert_eq!(t.letters(), 1);
}

#[test]
fn rpl_15_a_code_is_of_its_login_and_void_after_another_factor_or_a_resend() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let world = World::enter();
    let server = Smtp::start(Script::default());
    let mut days = Days::start_with(&world, &config(server.port(), BOTH, "", ""));
    let mut mailer = Mailer::prepare(&world, &days.bus, Some(&days.daemon.config_file())).from_uid(0);
    mailer.resume(&[], &[]);
    let code = |letters: usize| code_in(&wait_for_codes(&server, letters)[letters - 1].text);
    let app: Secret = days.daemon.enroll("alice");
    let (first, second) = (begin(&days.bus, "alice", "passed"), begin(&days.bus, "alice", "passed"));
    assert_eq!(respond(&days.bus, &first.login, "email").verdict, "ask");
    let a = code(1);
    assert_eq!(respond(&days.bus, &second.login, "email").verdict, "ask");
    let b = code(2);
    assert_ne!(a, b);
    // A's code in B's login.
    assert_eq!(respond(&days.bus, &second.login, &a).verdict, "ask");
    // At once a second one is not to be had.
    let step = respond(&days.bus, &second.login, "resend");
    assert!(step.said.contains("Another one can be asked for in"), "{step:?}");
    assert_eq!(codes(&server).len(), 2);
    days.wait(Duration::from_secs(31));
    assert_eq!(respond(&days.bus, &second.login, "resend").verdict, "ask");
    let c = code(3);
    assert_eq!(respond(&days.bus, &second.login, &b).verdict, "ask", "void since the resend");
    assert_eq!(respond(&days.bus, &second.login, &c).verdict, "allow");
    // The app lets the first login in; its letter is worth nothing after that, there or elsewhere.
    assert_eq!(respond(&days.bus, &first.login, &app.fresh_code()).verdict, "allow");
    let mut wire = Wire::on(&days.bus);
    let gone = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &(&first.login, a.as_bytes()));
    assert!(gone.is_err(), "a verified login takes no more answers");
    let third = begin(&days.bus, "alice", "passed");
    assert_eq!(respond(&days.bus, &third.login, &a).verdict, "ask");
}

#[test]
fn bru_04_asking_again_gives_no_tries_back() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::start(ONLY);
    let (mut wrong, mut last) = (0, String::new());
    // Two wrong answers a login, and a new code in each.
    for _ in 0..4 {
        let begun = t.begin("bob", "passed");
        if begun.verdict != "ask" {
            last = begun.verdict;
            break;
        }
        let sent = t.letters();
        for _ in 0..2 {
            let guess = if sent == 0 { "00000000".to_owned() } else { other(&t.code(sent)) };
            wrong += 1;
            last = t.respond(&begun.login, &guess).verdict;
            if last != "ask" {
                break;
            }
        }
    }
    assert_eq!(wrong, 5, "five wrong answers close the lane, whatever was sent between them");
    let letters = t.letters();
    assert!(letters <= 3, "{letters} letters in five minutes");
    let locked = t.begin("bob", "passed");
    assert!(locked.verdict == "locked" && last == "locked", "{last}: {locked:?}");
    assert_eq!(t.letters(), letters, "and nothing is sent to somebody who is locked");
}

#[test]
fn bru_04_the_newest_code_is_refused_when_the_tries_are_spent() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::start(ONLY);
    let held = t.begin("bob", "passed");
    let right = t.code(1);
    for _ in 0..2 {
        let begun = t.begin("bob", "passed");
        for _ in 0..3 {
            if t.respond(&begun.login, "00000000").verdict != "ask" {
                break;
            }
        }
    }
    assert_eq!(t.respond(&held.login, &right).verdict, "locked");
}

#[test]
fn bru_09_a_thousand_logins_are_three_letters() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::start(ONLY);
    for n in 0..1000 {
        // Half of them with a password that nobody vouches for.
        let step = t.begin("bob", if n % 2 == 0 { "unknown" } else { "passed" });
        assert_eq!(step.verdict, "ask");
    }
    for name in ["nobody-here", "root"] {
        let step = t.begin(name, "passed");
        assert!(step.verdict != "allow", "{step:?}");
    }
    assert_eq!(t.letters(), 3);
    let step = t.begin("bob", "passed");
    assert!(step.said.contains("Too many codes were sent"), "{step:?}");
    assert!(t.daemon.said().contains("too many were sent"), "the cap is logged");
    assert_eq!(t.daemon.log("bob").last().expect("rows").reason, "mail-capped");
}

#[test]
fn bru_09_the_host_has_a_cap_too() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::with(ONLY, "", "[email]\nmost_per_hour = 10\n", Script::default());
    // Everybody, so that their own caps leave more than the host's.
    let text = config(t.server.port(), ONLY, "", "[email]\nmost_per_hour = 10\n");
    t.daemon.configure(&text.replace("groups = [\"mfa-required\"]\n", ""));
    assert_eq!(t.daemon.ctl().run(&["policy", "apply"]).code, Some(0));
    let mut last = String::new();
    for user in ["alice", "bob", "carol", "dave"] {
        for _ in 0..3 {
            last = t.begin(user, "passed").said;
        }
    }
    assert!(last.contains("Too many codes were sent"), "{last}");
    assert_eq!(t.letters(), 10);
}

#[test]
fn enr_10_e_mail_is_a_factor_only_where_policy_lists_it() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::start("\"totp\"");
    let app = t.daemon.enroll("alice");
    let begun = t.begin("alice", "passed");
    for word in ["email", "resend", "EMAIL"] {
        let step = t.respond(&begun.login, word);
        assert_eq!(step.verdict, "ask");
        assert!(!step.said.contains("example.org"), "{step:?}");
    }
    assert_eq!(t.respond(&begun.login, &app.fresh_code()).verdict, "allow");
    assert_eq!(t.begin("bob", "passed").verdict, "deny", "an address is no factor here");
    assert_eq!(t.letters(), 0);
}

#[test]
fn avl_09_a_dead_mail_server_delays_no_other_factor() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::with(BOTH, "", "", Script { silent_at: "greeting", ..Script::default() });
    let app = t.daemon.enroll("alice");
    let begun = t.begin("alice", "passed");
    let asked = Instant::now();
    let step = t.respond(&begun.login, "email");
    assert!(asked.elapsed() < Duration::from_secs(3), "{:?}", asked.elapsed());
    assert!(step.said.contains("on its way to a***e@example.org"), "{step:?}");
    // Meanwhile the app works in the same login, and at once.
    let asked = Instant::now();
    assert_eq!(t.respond(&begun.login, &app.fresh_code()).verdict, "allow");
    assert!(asked.elapsed() < Duration::from_secs(1), "{:?}", asked.elapsed());
}

#[test]
fn a_letter_that_could_not_be_sent_is_told_within_seconds() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let mut t = Codes::start(BOTH);
    let app = t.daemon.enroll("alice");
    t.server.change(|script| script.replies = [("RCPT", "550 nobody".to_owned())].into());
    let begun = t.begin("alice", "passed");
    let step = t.respond(&begun.login, "email");
    assert!(step.said.contains("could not be sent to a***e@example.org"), "{step:?}");
    // The next one need not wait, and comes.
    t.server.change(|script| script.replies.clear());
    let step = t.respond(&begun.login, "resend");
    assert!(step.said.contains("A code was sent"), "{step:?}");
    assert_eq!(t.respond(&begun.login, &t.code(1)).verdict, "allow");
    // Without any mailer at all.
    t.mailer = Mailer::prepare(&t.world, &t.bus, Some(&t.daemon.config_file()));
    let begun = t.begin("alice", "passed");
    let asked = Instant::now();
    let step = t.respond(&begun.login, "email");
    assert!(step.said.contains("could not be sent") && asked.elapsed() < Duration::from_secs(2), "{step:?}");
    assert_eq!(t.respond(&begun.login, &app.fresh_code()).verdict, "allow");
}

#[test]
fn rpl_15_a_code_outlives_a_restart_and_ends_by_boot_time() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let world = World::enter();
    let server = Smtp::start(Script::default());
    let config = config(server.port(), ONLY, "", "[email]\nvalid_for = \"1m\"\n");
    let mut days = Days::start_with(&world, &config);
    let mut mailer = Mailer::prepare(&world, &days.bus, Some(&days.daemon.config_file())).from_uid(0);
    mailer.resume(&[], &[]);
    // In time, by a daemon that was killed in between.
    let begun = begin(&days.bus, "bob", "passed");
    let code = code_in(&server.wait_for(1)[0].text);
    days.wait(Duration::from_secs(50));
    assert_eq!(respond(&days.bus, &begun.login, &code).verdict, "allow");
    // Too late, though nobody turned the wall clock.
    let begun = begin(&days.bus, "bob", "passed");
    let code = code_in(&server.wait_for(2)[1].text);
    days.wait(Duration::from_secs(61));
    let step = respond(&days.bus, &begun.login, &code);
    assert_eq!(step.verdict, "ask");
    assert!(step.said.contains("This code has expired. Type resend for a new one."), "{step:?}");
    let step = respond(&days.bus, &begun.login, "resend");
    assert!(step.said.contains("A code was sent to b***@example.org"), "{step:?}");
    let code = code_in(&server.wait_for(3)[2].text);
    assert_eq!(respond(&days.bus, &begun.login, &code).verdict, "allow");
    // Too late at the last try: nothing is said that this login does not take any more.
    days.wait(Duration::from_secs(300));
    let begun = begin(&days.bus, "bob", "passed");
    let code = code_in(&server.wait_for(4)[3].text);
    for _ in 0..2 {
        assert_eq!(respond(&days.bus, &begun.login, &other(&code)).verdict, "ask");
    }
    days.wait(Duration::from_secs(61));
    let step = respond(&days.bus, &begun.login, &code);
    assert_eq!(step.verdict, "locked", "{step:?}");
    assert!(step.said.contains("no try is left. Log in again for a new one."), "{step:?}");
}

/// A code that no answer of the login could bring back is not sent.
#[test]
fn the_last_answer_of_a_login_sends_nothing() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::start(BOTH);
    let _app = t.daemon.enroll("alice");
    let begun = t.begin("alice", "passed");
    for _ in 0..9 {
        assert_eq!(t.respond(&begun.login, "?").verdict, "ask");
    }
    let step = t.respond(&begun.login, "email");
    assert_eq!((step.verdict.as_str(), t.letters()), ("locked", 0), "{step:?}");
    assert!(step.said.contains("This login takes no more answers. Log in again."), "{step:?}");
}

#[test]
fn dis_07_a_policy_has_its_own_letter_and_a_bad_one_is_refused_with_its_place() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = Codes::start(ONLY);
    std::fs::create_dir_all("/etc/countersign/templates").expect("our own /etc");
    let file = "/etc/countersign/templates/ops.txt";
    let template = |text: &str| std::fs::write(file, text).expect("our own /etc");
    let port = t.server.port();
    t.daemon.configure(&config(port, ONLY, "template = \"ops\"\n", ""));
    let apply = || t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]);
    let out = apply();
    assert!(
        out.code != Some(0) && out.stdout.contains("ops.txt: is not there; write this template"),
        "{out:?}"
    );
    template("Subject: Acme\n\nDear {{ user }},\n{{ kode }}\n");
    let out = apply();
    assert!(out.code != Some(0) && out.stdout.contains(&format!("{file}:4:")), "{out:?}");
    // What ships says who, where and when; one's own must, too.
    template("Subject: Acme login\n\nDear {{ user }} on {{ service }},\n\n{{ code }}\n");
    let out = apply();
    assert!(out.code != Some(0) && out.stdout.contains("does not say host, source or time"), "{out:?}");
    let enough = "Dear {{ user }} on {{ service }},\n\n{{ code }}\n\n{{ host }} {{ source }} {{ time }}\n";
    // Nor is the code in the subject, unless the configuration asks for it.
    template(&format!("Subject: Acme {{{{ code }}}}\n\n{enough}"));
    let out = apply();
    assert!(out.code != Some(0) && out.stdout.contains(&format!("{file}:1:")), "{out:?}");
    assert!(out.stdout.contains("code_in_subject = true"), "{out:?}");
    template(&format!("Subject: Acme login\n\n{enough}"));
    let out = apply();
    assert_eq!(out.code, Some(0), "{out:?}");
    let begun = t.begin("bob", "passed");
    let letter = wait_for_codes(&t.server, 1)[0].text.clone();
    assert!(letter.contains("Subject: Acme login") && letter.contains("Dear bob on sshd,"), "{letter}");
    // It becomes bad later: the shipped letter goes out.
    template("Subject: Acme\n\n{{ kode }}\n");
    assert_eq!(t.respond(&begun.login, &t.code(1)).verdict, "allow");
    let begun = t.begin("bob", "passed");
    assert!(wait_for_codes(&t.server, 2)[1].text.contains("Was this not you?"));
    assert_eq!(t.respond(&begun.login, &t.code(2)).verdict, "allow");
    assert!(t.daemon.said().contains("a template cannot be used"));
    // So does a code that gets into the subject later.
    template(&format!("Subject: Acme {{{{ code }}}}\n\n{enough}"));
    let begun = t.begin("bob", "passed");
    let letter = wait_for_codes(&t.server, 3)[2].text.clone();
    assert!(letter.contains("Subject: Acme: your login code for "), "{letter}");
    assert_eq!(t.respond(&begun.login, &t.code(3)).verdict, "allow");
    t.daemon.configure(&config(port, ONLY, "template = \"ops\"\n", "[email]\ncode_in_subject = true\n"));
    assert_eq!(apply().code, Some(0), "asked for");
}

#[test]
fn dis_07_a_code_by_a_real_server_with_tls_and_login_lets_in() {
    require!(
        Root,
        Staged("countersign-mailer"),
        Staged("countersignd"),
        Staged("pam_countersign.so"),
        Tool("openssl"),
        Tool("postfix"),
        Tool("dovecot")
    );
    let world = World::enter();
    let authority = Authority::new();
    let server = Postfix::start(&authority.vouch_for("127.0.0.1"));
    let bus = PrivateBus::start(world.daemon_uid());
    let config = format!(
        "issuer = \"Acme\"\n\n[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nfactors = [\"email\"]\n\
         mailbox = \"ops\"\naddress = \"{{user}}@example.org\"\n\n[mailbox.ops]\nserver = \"127.0.0.1\"\n\
         tls = \"starttls\"\nfrom = \"noreply@example.org\"\nuser = \"{USER}\"\nca_file = \"{}\"\n",
        authority.file().display()
    );
    let daemon = Daemon::start(&world, &bus, &config);
    let mut mailer = Mailer::prepare(&world, &bus, Some(&daemon.config_file()));
    mailer.secret("ops", PASSWORD);
    mailer.resume(&[], &[]);
    let held = countersign_tests::Stack::cs(&daemon.module()).visit("bob").rhost("192.0.2.7").hold();
    let letter = server.wait_for_one("your login code");
    let (header, text) = letter.split_once("\n\n").expect("a header");
    let code = code_in(text);
    assert!(!header.contains(&code) && header.contains("Subject: Acme: your login code for"), "{header}");
    let outcome = held.answer(&code);
    assert!(outcome.passed(), "{outcome:?}");
    for said in [mailer.said(), daemon.said(), server.said()] {
        assert!(!said.contains(&code), "{said}");
    }
}

#[test]
fn rpl_15_at_a_real_server_a_code_works_once_expires_and_is_void_after_a_resend() {
    require!(
        Root,
        Staged("countersign-mailer"),
        Staged("countersignd"),
        Tool("openssl"),
        Tool("postfix"),
        Tool("dovecot")
    );
    let world = World::enter();
    let authority = Authority::new();
    let server = Postfix::start(&authority.vouch_for("127.0.0.1"));
    let config = format!(
        "issuer = \"Acme\"\n\n[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nfactors = [\"email\"]\n\
         mailbox = \"ops\"\naddress = \"{{user}}@example.org\"\n\n[email]\nvalid_for = \"1m\"\n\n[mailbox.ops]\n\
         server = \"127.0.0.1\"\nfrom = \"noreply@example.org\"\nuser = \"{USER}\"\nca_file = \"{}\"\n",
        authority.file().display()
    );
    let mut days = Days::start_with(&world, &config);
    let mut mailer = Mailer::prepare(&world, &days.bus, Some(&days.daemon.config_file())).from_uid(0);
    mailer.secret("ops", PASSWORD);
    mailer.resume(&[], &[]);
    let mut known: Vec<String> = Vec::new();
    // The code of the letter that is new in the mailbox.
    let mut newest = |server: &Postfix| {
        let letters = server.wait_for(known.len() + 1);
        assert_eq!(letters.len(), known.len() + 1);
        let codes = letters.iter().map(|letter| code_in(letter));
        let code = codes.into_iter().find(|code| !known.contains(code)).expect("a new one");
        known.push(code.clone());
        code
    };
    let begun = begin(&days.bus, "bob", "passed");
    let first = newest(&server);
    days.wait(Duration::from_secs(31));
    assert!(respond(&days.bus, &begun.login, "resend").said.contains("A code was sent"));
    let second = newest(&server);
    assert_eq!(respond(&days.bus, &begun.login, &first).verdict, "ask", "void since the resend");
    assert_eq!(respond(&days.bus, &begun.login, &second).verdict, "allow");
    let again = begin(&days.bus, "bob", "passed");
    let third = newest(&server);
    assert_eq!(respond(&days.bus, &again.login, &second).verdict, "ask", "once");
    days.wait(Duration::from_secs(61));
    let late = respond(&days.bus, &again.login, &third);
    assert!(late.verdict == "ask" && late.said.contains("expired"), "{late:?}");
}

/// A code that no server has taken is never sent later: it would be a live code that nobody asked for.
#[test]
fn rpl_15_a_letter_with_a_code_is_tried_once() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"));
    let t = Codes::with(ONLY, "", "", Script::default());
    t.server.change(|script| script.replies = [("RCPT", "451 not now".to_owned())].into());
    let begun = t.begin("bob", "passed");
    assert!(begun.said.contains("could not be sent"), "{begun:?}");
    t.server.change(|script| script.replies.clear());
    t.daemon.clock().expect("a clock").shift(70);
    std::thread::sleep(Duration::from_secs(3));
    let connections = t.server.heard().connections;
    assert_eq!((connections, t.letters()), (1, 0));
    // What was in it opens nothing: it is not even known what it was. Asked for anew, a code comes.
    assert!(t.respond(&begun.login, "resend").said.contains("A code was sent"));
    assert_eq!(t.respond(&begun.login, &t.code(1)).verdict, "allow");
}
