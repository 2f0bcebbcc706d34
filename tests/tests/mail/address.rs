//! Mail addresses that people and administrators set, each confirmed by a code.

use crate::host::{Codes, begin, code_in, codes, other, respond, wait_for_codes};
use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH, OWN_SERVICE};
use countersign_tests::caller::CallError;
use countersign_tests::certificates::Authority;
use countersign_tests::people::{ALICE, BOB, CAROL, DAVE, Person};
use countersign_tests::polkit::Says;
use countersign_tests::postfix::{PASSWORD, Postfix, USER};
use countersign_tests::smtp::{Script, Smtp};
use countersign_tests::wire::step_of;
use countersign_tests::{Ctl, Daemon, Days, Mailer, Polkit, PrivateBus, Secret, Wire, World, require};
use std::time::Duration;
use zbus::export::serde::Serialize;
use zbus::{DynamicType, Message};

/// alice and bob are asked, and may have codes by e-mail; addresses come from nowhere but what was set.
fn config(server: &str, factors: &str, more: &str) -> String {
    format!(
        "issuer = \"Acme\"\nhelp = \"Ask the helpdesk, room 12.\"\n\n[[policy]]\nname = \"operators\"\n\
         groups = [\"mfa-required\"]\nfactors = [{factors}]\nmailbox = \"ops\"\nenroll = \"at-login\"\n{more}\n\
         [mailbox.ops]\n{server}\nfrom = \"Acme <noreply@example.org>\"\n"
    )
}

const BOTH: &str = "\"totp\", \"email\"";
const ONLY: &str = "\"email\"";

pub(crate) fn start(factors: &str, more: &str) -> Codes {
    let t = Codes::with(factors, "", "", Script::default());
    let server = format!("server = \"127.0.0.1:{}\"\ntls = \"none\"\nlogin = \"none\"", t.server.port());
    t.daemon.configure(&config(&server, factors, more));
    assert_eq!(t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).code, Some(0));
    t
}

fn shell(t: &Codes, who: Person) -> Ctl {
    t.daemon.ctl().as_uid(who.uid)
}

fn typed(app: &Secret) -> String {
    format!("{}\n", app.fresh_code())
}

/// Root does something that must work.
fn done(daemon: &Daemon, args: &[&str]) {
    let out = daemon.ctl().run(args);
    assert_eq!(out.code, Some(0), "{args:?}: {out:?}");
}

/// What `email show` says: addresses and where they are from.
fn addresses(ctl: &Ctl, user: &str) -> Vec<(String, String)> {
    let lines = ctl.run(&["email", "show", user, "--json"]).ok().json();
    let word = |one: &serde_json::Value, key: &str| one[key].as_str().expect("a word").to_owned();
    lines.iter().map(|one| (word(one, "address"), word(one, "source"))).collect()
}

fn notices(t: &Codes, user: &str) -> Vec<String> {
    let person = t.daemon.ctl().run(&["status", user, "--json"]).ok().json().remove(0);
    let all = person["notices"].as_array().expect("notices").clone();
    all.iter().map(|one| one["kind"].as_str().expect("a kind").to_owned()).collect()
}

fn manager<B: Serialize + DynamicType>(
    wire: &mut Wire,
    member: &str,
    body: &B,
) -> Result<Message, CallError> {
    wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, member, body)
}

/// Asks for an address on the bus; gives the name and text of the refusal.
fn ask(wire: &mut Wire, user: &str, address: &str, proof: &str) -> Result<(), String> {
    let body = (user, address, proof, "", "a test");
    manager(wire, "SetAddress", &body).map(drop).map_err(|e| format!("{e:?}"))
}

fn set_by_root(t: &Codes, user: &str, address: &str, letters: usize) {
    done(&t.daemon, &["email", "set", address, user, "--reason", "a test"]);
    let out = t.daemon.ctl().run_with(&["email", "confirm", user], &t.code(letters));
    assert_eq!(out.code, Some(0), "{out:?}");
}

fn to(t: &Codes, letter: usize) -> String {
    codes(&t.server)[letter].to.clone()
}

#[test]
fn an_address_is_confirmed_by_a_real_letter_and_logs_in_by_the_next() {
    require!(
        Root,
        Staged("countersign-mailer"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so"),
        Tool("openssl"),
        Tool("postfix"),
        Tool("dovecot")
    );
    let world = World::enter();
    let authority = Authority::new();
    let server = Postfix::start(&authority.vouch_for("127.0.0.1"));
    let bus = PrivateBus::start(world.daemon_uid());
    let how = format!(
        "server = \"127.0.0.1\"\ntls = \"starttls\"\nuser = \"{USER}\"\nca_file = \"{}\"",
        authority.file().display()
    );
    let daemon = Daemon::start(&world, &bus, &config(&how, BOTH, ""));
    let mut mailer = Mailer::prepare(&world, &bus, Some(&daemon.config_file()));
    mailer.secret("ops", PASSWORD);
    mailer.resume(&[], &[]);
    let app = daemon.enroll("alice");
    let alice = daemon.ctl().as_uid(ALICE.uid);
    let out = alice.run_with(&["email", "set", "private@example.org"], &typed(&app)).ok();
    assert!(out.stdout.contains("A code was sent to p***e@example.org"), "{out:?}");
    let letter = server.wait_for_one("confirm your mail address");
    let (header, text) = letter.split_once("\n\n").expect("a header");
    let code = code_in(text);
    assert!(!header.contains(&code) && header.contains("confirm your mail address for"), "{header}");
    for word in ["alice", "room 12", "10 minutes"] {
        assert!(text.contains(word), "{word} in {text}");
    }
    // It does not count yet.
    let step = begin(&bus, "alice", "passed");
    assert!(!respond(&bus, &step.login, "email").said.contains("p***e"));
    let out = alice.run_with(&["email", "confirm"], &code).ok();
    assert!(out.stdout.contains("p***e@example.org"), "{out:?}");
    let mut held = countersign_tests::Stack::cs(&daemon.module()).visit("alice").rhost("192.0.2.7").hold();
    held.send_answer("email");
    assert!(matches!(held.wait(), countersign_tests::Turn::Prompt(_)));
    let login = server.wait_for_one("your login code");
    let outcome = held.answer(code_in(&login));
    assert!(outcome.passed(), "{outcome:?}");
    for said in [mailer.said(), daemon.said(), server.said()] {
        assert!(!said.contains(&code), "{said}");
    }
}

#[test]
fn enr_07_the_old_address_holds_until_the_new_one_is_confirmed_and_is_told_then() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let mut t = start(BOTH, "");
    let app = t.daemon.enroll("alice");
    set_by_root(&t, "alice", "old@example.org", 1);
    assert_eq!(notices(&t, "alice")[..2], ["address-set", "address-asked"]);
    let held = t.begin("alice", "passed");
    assert_eq!(t.respond(&held.login, "email").verdict, "ask");
    let held_code = t.code(2);
    let out = shell(&t, ALICE).run_with(&["email", "set", "new@example.org"], &typed(&app)).ok();
    assert!(out.complaint().contains("Verification code"), "{out:?}");
    let (new, alice) = (t.code(3), shell(&t, ALICE));
    assert_eq!([to(&t, 1), to(&t, 2)], ["RCPT TO:<old@example.org>", "RCPT TO:<new@example.org>"]);
    let before = [("old@example.org", "set"), ("new@example.org", "waits")];
    assert_eq!(addresses(&alice, "alice"), before.map(|(a, b)| (a.to_owned(), b.to_owned())));
    drop(alice.run_with(&["email", "confirm"], &new).ok());
    assert_eq!(addresses(&alice, "alice"), [("new@example.org".to_owned(), "set".to_owned())]);
    // What was on its way to the old one opens nothing any more.
    assert_eq!(t.respond(&held.login, &held_code).verdict, "ask");
    assert_eq!(notices(&t, "alice")[0], "address-set");
    drop(alice.run_with(&["email", "remove", "--yes"], &typed(&app)).ok());
    assert_eq!(addresses(&alice, "alice"), []);
    // For the queue of notices: whom it tells beyond those that count now.
    t.daemon.stop();
    let db = rusqlite::Connection::open(t.daemon.database()).expect("a database");
    let told: Vec<(String, Option<String>)> = db
        .prepare("SELECT kind, extra_address FROM notice WHERE kind LIKE 'address-%' ORDER BY id")
        .and_then(|mut q| q.query_map([], |r| Ok((r.get(0)?, r.get(1)?)))?.collect())
        .expect("notices");
    let expected = [
        ("address-asked", None),
        ("address-set", None),
        ("address-set", Some("old@example.org")),
        ("address-removed", Some("new@example.org")),
    ];
    assert_eq!(told, expected.map(|(a, b)| (a.to_owned(), b.map(str::to_owned))));
}

#[test]
fn enr_03_a_hijacked_session_moves_no_address() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(BOTH, "");
    let app = t.daemon.enroll("alice");
    let polkit = Polkit::saying(&t.bus, Says::Yes);
    let alice = shell(&t, ALICE);
    let wrong = (0..3).map(|n| app.wrong_code(n) + "\n").collect::<String>();
    for lines in ["", wrong.as_str()] {
        for args in [&["email", "set", "dave@example.org"][..], &["email", "remove", "--yes"]] {
            let out = alice.run_with(args, lines);
            assert!(matches!(out.code, Some(1 | 4)) && out.stdout.is_empty(), "{args:?}: {out:?}");
            done(&t.daemon, &["unlock", "alice"]);
        }
    }
    let mut wire = Wire::as_uid(&t.bus, ALICE.uid);
    for proof in ["", "00112233445566778899aabbccddeeff"] {
        assert!(ask(&mut wire, "alice", "dave@example.org", proof).is_err(), "{proof}");
        assert!(manager(&mut wire, "RemoveAddress", &("alice", proof, "")).is_err(), "{proof}");
    }
    polkit.say(Says::No);
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    assert!(ask(&mut dave, "alice", "dave@example.org", "").is_err(), "nor does somebody else");
    assert!(manager(&mut dave, "ConfirmAddress", &("alice", b"12345678".to_vec())).is_err());
    assert_eq!((t.letters(), addresses(&alice, "alice")), (0, vec![]));
}

#[test]
fn enr_03_whoever_has_mail_only_shows_a_code_of_it_first() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(ONLY, "");
    set_by_root(&t, "alice", "alice@example.org", 1);
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    let mut wire = Wire::as_uid(&t.bus, ALICE.uid);
    let enroll = |wire: &mut Wire, proof: &str| manager(wire, "Enroll", &("alice", "", proof, "")).is_ok();
    assert!(!enroll(&mut wire, ""), "the own password is not enough");
    assert!(ask(&mut wire, "alice", "dave@example.org", "").is_err());
    assert_eq!(t.letters(), 1);
    // A login of her own, in which a code comes unasked.
    let proof = |wire: &mut Wire, letters: usize, right: bool| {
        let body = ("alice", "", OWN_SERVICE, OWN_SERVICE, "", "", "unknown");
        let login = "org.countersign1.Login";
        let reply = wire.call(BUS_NAME, OBJECT_PATH, login, "Begin", &body).expect("a step");
        let (id, verdict) = step_of(&reply);
        assert_eq!(verdict, "ask");
        let code = if right { t.code(letters) } else { other(&t.code(letters)) };
        let answer = (id.as_str(), code.as_bytes());
        step_of(&wire.call(BUS_NAME, OBJECT_PATH, login, "Respond", &answer).expect("a step"))
    };
    let (id, verdict) = proof(&mut wire, 2, false);
    assert_eq!(verdict, "ask", "a mistyped code is no new letter");
    assert!(ask(&mut wire, "alice", "dave@example.org", &id).is_err());
    let answer = (id.as_str(), t.code(2).into_bytes());
    let reply = wire.call(BUS_NAME, OBJECT_PATH, "org.countersign1.Login", "Respond", &answer);
    assert_eq!(step_of(&reply.expect("a step")).1, "allow");
    assert_eq!(t.letters(), 2);
    let (id, verdict) = proof(&mut wire, 3, true);
    assert_eq!(verdict, "allow");
    assert!(enroll(&mut wire, &id), "with a code of hers");
    assert!(!enroll(&mut wire, &id), "once");
    // Whoever has an app does not change it by mail.
    let app = t.daemon.enroll("bob");
    set_by_root(&t, "bob", "bob@example.org", 4);
    let out = shell(&t, BOB).run_with(&["rename", "app", "mine"], "email\n");
    assert!(out.code != Some(0) && !out.complaint().contains("example.org"), "{out:?}");
    assert_eq!(shell(&t, BOB).run_with(&["rename", "app", "mine"], &typed(&app)).code, Some(0));
    assert_eq!(t.letters(), 4);
}

#[test]
fn bru_04_wrong_codes_for_an_address_end_whatever_is_sent_between() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(BOTH, "");
    let _app = t.daemon.enroll("alice");
    done(&t.daemon, &["email", "set", "boss@example.org", "alice", "--reason", "x"]);
    let code = t.code(1);
    let mut wire = Wire::as_uid(&t.bus, ALICE.uid);
    let confirm = |wire: &mut Wire, user: &str, code: &str| {
        let body = (user, code.as_bytes().to_vec());
        manager(wire, "ConfirmAddress", &body).map(drop).map_err(|e| format!("{e:?}"))
    };
    for n in 0..5 {
        let said = confirm(&mut wire, "alice", &other(&code)).expect_err("wrong");
        assert!(said.contains("not right"), "{n}: {said}");
    }
    let said = confirm(&mut wire, "alice", &code).expect_err("void");
    assert!(said.contains("no address of alice waits"), "{said}");
    // Another letter brings no tries back: the right code is not looked at.
    done(&t.daemon, &["email", "set", "boss@example.org", "alice", "--reason", "x"]);
    let code = t.code(2);
    let said = confirm(&mut wire, "alice", &code).expect_err("locked");
    assert!(said.contains("too many tries"), "{said}");
    assert!(notices(&t, "alice").contains(&"locked".to_owned()));
    done(&t.daemon, &["unlock", "alice"]);
    confirm(&mut wire, "alice", &code).expect("the control");
    assert!(confirm(&mut wire, "alice", &code).is_err(), "once");
}

#[test]
fn enr_02_the_code_of_an_address_is_of_one_person_and_one_address() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(BOTH, "");
    done(&t.daemon, &["email", "set", "one@example.org", "alice", "--reason", "x"]);
    let first = t.code(1);
    done(&t.daemon, &["email", "set", "two@example.org", "bob", "--reason", "x"]);
    let second = t.code(2);
    let confirm = |who: Person, user: &str, code: &str| {
        let body = (user, code.as_bytes().to_vec());
        manager(&mut Wire::as_uid(&t.bus, who.uid), "ConfirmAddress", &body).is_ok()
    };
    assert!(!confirm(ALICE, "alice", &second), "bob's code");
    assert!(!confirm(BOB, "alice", &first), "alice's, typed by bob");
    assert!(confirm(BOB, "bob", &second), "the control");
    assert_eq!(addresses(&t.daemon.ctl(), "alice")[0].1, "waits");
    // A code in the hands of another uid of the same name, or of the same uid by another name, is nothing.
    assert!(!confirm(CAROL, "carol", &first));
    assert!(confirm(ALICE, "alice", &first), "the control");
    // And what is set is nobody else's.
    let masked = shell(&t, DAVE).run(&["email", "show", "alice", "--json"]);
    assert_eq!(masked.code, Some(4), "{masked:?}");
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    let theirs = addresses(&shell(&t, DAVE), "alice");
    assert_eq!(theirs, [("o***@example.org".to_owned(), "set".to_owned())], "masked for the helpdesk");
    assert_eq!(addresses(&shell(&t, ALICE), "alice")[0].0, "one@example.org");
}

#[test]
fn rpl_15_the_code_of_an_address_ends_by_boot_time() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let world = World::enter();
    let server = Smtp::start(Script::default());
    let how = format!("server = \"127.0.0.1:{}\"\ntls = \"none\"\nlogin = \"none\"", server.port());
    let config = config(&how, ONLY, "") + "[email]\nvalid_for = \"1m\"\n";
    let mut days = Days::start_with(&world, &config);
    let mut mailer = Mailer::prepare(&world, &days.bus, Some(&days.daemon.config_file())).from_uid(0);
    mailer.resume(&[], &[]);
    let code = |letters: usize| code_in(&wait_for_codes(&server, letters)[letters - 1].text);
    let set = |days: &Days| done(&days.daemon, &["email", "set", "a@example.org", "alice", "--reason", "x"]);
    let confirm = |days: &Days, code: &str| days.daemon.ctl().run_with(&["email", "confirm", "alice"], code);
    set(&days);
    days.wait(Duration::from_secs(62));
    // The clock on the wall is no help.
    let clock = days.daemon.clock().expect("a clock of its own").clone();
    clock.shift(-3600);
    let late = confirm(&days, &code(1));
    assert!(late.code == Some(1) && late.complaint().contains("expired"), "{late:?}");
    clock.shift(7200);
    set(&days);
    days.wait(Duration::from_secs(30));
    assert_eq!(confirm(&days, &code(2)).code, Some(0), "a restart and a wall clock later");
}

#[test]
fn inp_03_no_address_writes_a_header() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(BOTH, "");
    let long = format!("{}@example.org", "x".repeat(65));
    let mut wire = Wire::on(&t.bus);
    for address in [
        "",
        "alice",
        "@example.org",
        "a@b\r\nBcc: dave@example.org",
        "a@b\nDATA",
        "a@b>\r\nRCPT TO:<dave@example.org",
        "a@b> NOTIFY=NEVER",
        "Alice <a@example.org>",
        "a@example.org,dave@example.org",
        "a@example.org dave@example.org",
        "\"a b\"@example.org",
        "a@[127.0.0.1]",
        "a|sh@example.org",
        "{{ code }}@example.org",
        "\u{fc}@example.org",
        "a@example.org\u{1b}[2J",
        "a@\u{202e}gro.elpmaxe",
        &long,
    ] {
        let said = ask(&mut wire, "alice", address, "").expect_err(address);
        assert!(said.contains("InvalidArgument") || said.contains("no mail address"), "{address:?}: {said}");
    }
    assert_eq!((t.letters(), addresses(&t.daemon.ctl(), "alice")), (0, vec![]));
    ask(&mut wire, "alice", "a.b+c-d_e@example.org", "").expect("the control");
    assert_eq!((t.code(1).len(), to(&t, 0)), (8, "RCPT TO:<a.b+c-d_e@example.org>".to_owned()));
}

#[test]
fn bru_09_letters_for_addresses_count_with_those_of_logins() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(ONLY, "address = \"{user}@example.org\"");
    let mut wire = Wire::on(&t.bus);
    ask(&mut wire, "alice", "one@example.org", "").expect("the first");
    let again = ask(&mut wire, "alice", "two@example.org", "").expect_err("at once");
    assert!(again.contains("a code was sent just now"), "{again}");
    for _ in 0..2 {
        assert!(t.begin("alice", "passed").said.contains("A code was sent to a***e@example.org"));
    }
    assert!(t.begin("alice", "passed").said.contains("Too many codes were sent"));
    assert_eq!(wait_for_codes(&t.server, 3).len(), 3);
    // The address that waits is gone with its code, and still no letter goes out.
    for _ in 0..5 {
        drop(manager(&mut wire, "ConfirmAddress", &("alice", b"00000000".to_vec())));
    }
    let capped = ask(&mut wire, "alice", "two@example.org", "").expect_err("capped");
    assert!(capped.contains("too many codes were sent"), "{capped}");
    assert_eq!(t.letters(), 3);
}

#[test]
fn a_first_address_takes_the_right_to_a_first_factor() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(ONLY, "");
    let polkit = Polkit::saying(&t.bus, Says::No);
    let refused = shell(&t, ALICE).run(&["email", "set", "alice@example.org"]);
    assert_eq!((refused.code, t.letters()), (Some(4), 0), "{refused:?}");
    polkit.say(Says::Yes);
    drop(shell(&t, ALICE).run(&["email", "set", "alice@example.org"]).ok());
    assert!(polkit.asked().iter().all(|one| one.action == "org.countersign1.enroll-self"));
    // A factor that comes in the meantime was not shown by whoever asked.
    let _app = t.daemon.enroll("alice");
    let late = shell(&t, ALICE).run_with(&["email", "confirm"], &t.code(1));
    assert!(late.code == Some(1) && late.complaint().contains("in the meantime"), "{late:?}");

    let text = config("server = \"127.0.0.1\"", ONLY, "").replace("at-login", "invited");
    let port = t.server.port();
    let server = format!("server = \"127.0.0.1:{port}\"\ntls = \"none\"\nlogin = \"none\"");
    t.daemon.configure(&text.replace("server = \"127.0.0.1\"", &server));
    done(&t.daemon, &["policy", "apply", "--accept-weaker", "--yes"]);
    assert_eq!(shell(&t, BOB).run(&["email", "set", "bob@example.org"]).code, Some(1));
    let invited = t.daemon.ctl().run(&["invite", "bob", "--json"]).ok().json().remove(0);
    let code = format!("{}\n", invited["code"].as_str().expect("a code"));
    drop(shell(&t, BOB).run_with(&["email", "set", "bob@example.org"], &code).ok());
    drop(shell(&t, BOB).run_with(&["email", "confirm"], &t.code(2)).ok());
    assert!(t.begin("bob", "passed").said.contains("A code was sent to b***@example.org"));
    // The last factor stays while policy asks for one; a reset takes it.
    let mail_only = manager(&mut Wire::as_uid(&t.bus, BOB.uid), "RemoveAddress", &("bob", "", ""));
    assert!(mail_only.is_err(), "without a code");
    let out = t.daemon.ctl().run(&["users", "--json"]).ok();
    assert!(out.stdout.contains("\"bob\""), "{out:?}");
    done(&t.daemon, &["reset", "bob", "--reason", "a test", "--yes"]);
    assert_eq!(addresses(&t.daemon.ctl(), "bob"), []);
    assert_eq!(t.begin("bob", "passed").verdict, "deny", "nothing is left");
}

#[test]
fn a_letter_that_fails_changes_nothing() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(BOTH, "");
    t.server.change(|script| script.replies = [("RCPT", "550 nobody".to_owned())].into());
    let out = t.daemon.ctl().run(&["email", "set", "a@example.org", "alice", "--reason", "x"]);
    assert!(out.code == Some(5) && out.complaint().contains("nothing was changed"), "{out:?}");
    assert_eq!(addresses(&t.daemon.ctl(), "alice"), []);
    assert_eq!(t.daemon.ctl().run(&["email", "set", "a@example.org", "alice"]).code, Some(2), "no reason");
    assert_eq!(t.daemon.ctl().run(&["email", "remove", "alice", "--yes", "--reason", "x"]).code, Some(3));
}

#[test]
fn impact_counts_an_address_as_the_factor_that_it_is() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(ONLY, "");
    set_by_root(&t, "bob", "bob@example.org", 1);
    let text = std::fs::read_to_string(t.daemon.config_file()).expect("a file");
    let draft = t.daemon.config_file().with_file_name("draft.toml");
    std::fs::write(&draft, text.replace(ONLY, "\"totp\"")).expect("our own folder");
    let out = t.daemon.ctl().run(&["policy", "impact", draft.to_str().expect("UTF-8"), "--json"]);
    let said = &out.json()[0];
    let changes = said["changes"].as_array().expect("changes");
    let bob = changes.iter().find(|one| one["user"] == "bob").unwrap_or_else(|| panic!("{said}"));
    assert_eq!([&bob["before"], &bob["after"]], ["asked", "enrolls"], "{said}");
}

/// ADM-01: each of the three leaves one act, which has the address masked.
#[test]
fn adm_01_setting_confirming_and_removing_an_address_leave_one_act_each() {
    require!(Root, Staged("countersign-mailer"), Staged("countersignd"), Staged("countersignctl"));
    let t = start(BOTH, "");
    let _app = t.daemon.enroll("alice");
    let before = t.daemon.ctl().run(&["log", "acts", "--json"]).ok().json().len();
    set_by_root(&t, "alice", "private@example.org", 1);
    done(&t.daemon, &["email", "remove", "alice", "--reason", "left", "--yes"]);
    let acts = t.daemon.ctl().run(&["log", "acts", "alice", "--json"]).ok().json();
    let all = t.daemon.ctl().run(&["log", "acts", "--json"]).ok().json();
    assert_eq!(all.len(), before + 3, "{all:#?}");
    let verbs: Vec<&str> = acts.iter().take(3).filter_map(|act| act["verb"].as_str()).collect();
    assert_eq!(verbs, ["RemoveAddress", "ConfirmAddress", "SetAddress"]);
    let after = |n: usize| acts[n]["after"].as_str().expect("text").to_owned();
    assert!(after(2).contains("address p***@example.org waits for its code"), "{}", after(2));
    assert!(after(1).contains("address p***@example.org") && !after(1).contains("waits"), "{}", after(1));
    assert!(!after(0).contains("address"), "{}", after(0));
    assert_eq!((acts[2]["reason"].as_str(), acts[0]["reason"].as_str()), (Some("a test"), Some("left")));
    assert!(!t.daemon.said().contains("private@example.org"), "{}", t.daemon.said());
}
