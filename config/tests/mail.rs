//! `[email]`, `[mailbox.NAME]` and the keys of a policy that are about mail.

use std::path::PathBuf;
use std::time::Duration;

use countersign_config::{
    Address, AddressSource, Config, Email, Factor, MailLogin, Mailbox, Problems, Tls, parse, parse_all,
};

const OPS: &str = "[mailbox.ops]\nserver = \"mail.example.org\"\nfrom = \"noreply@example.org\"\n";

/// A mailbox with more lines, the first of which is line 4.
fn mailbox(lines: &str) -> Result<Config, Problems> {
    parse("f.toml", &format!("{OPS}{lines}\n[[policy]]\nname = \"p\"\n"))
}

/// The one message.
fn message(result: Result<Config, Problems>) -> String {
    let problems = result.expect_err("a mistake");
    assert_eq!(problems.iter().count(), 1, "{problems}");
    problems.to_string()
}

fn refused(lines: &str) -> String {
    message(mailbox(lines))
}

fn address(name: Option<&str>, address: &str) -> Address {
    Address { name: name.map(str::to_owned), address: address.to_owned() }
}

#[test]
fn every_key_of_a_mailbox() {
    let config = parse(
        "f.toml",
        "[mailbox.ops]\nserver = \"mail.example.org:2525\"\ntls = \"starttls\"\n\
         from = \"Acme <noreply@example.org>\"\nreply_to = \"help@example.org\"\nhelo = \"host.example.org\"\n\
         login = \"xoauth2\"\nuser = \"acme\"\nca_file = \"/etc/ssl/acme.pem\"\n\
         [mailbox.local]\nserver = \"[::1]\"\ntls = \"none\"\nlogin = \"none\"\nfrom = \"root@localhost\"\n\
         [[policy]]\nname = \"p\"\n",
    )
    .expect("valid");
    assert_eq!(
        config.mailboxes,
        [
            Mailbox {
                name: "local".into(),
                host: "::1".into(),
                port: 25,
                tls: Tls::None,
                from: address(None, "root@localhost"),
                reply_to: None,
                helo: None,
                login: MailLogin::None,
                ca_file: None,
            },
            Mailbox {
                name: "ops".into(),
                host: "mail.example.org".into(),
                port: 2525,
                tls: Tls::StartTls,
                from: address(Some("Acme"), "noreply@example.org"),
                reply_to: Some(address(None, "help@example.org")),
                helo: Some("host.example.org".into()),
                login: MailLogin::XOAuth2 { user: "acme".into() },
                ca_file: Some(PathBuf::from("/etc/ssl/acme.pem")),
            },
        ]
    );
}

#[test]
fn defaults_of_a_mailbox_are_the_strict_ones() {
    let config = mailbox("").expect("valid");
    let ops = &config.mailboxes[0];
    assert_eq!((ops.tls, ops.port), (Tls::Implicit, 465));
    assert_eq!(ops.login, MailLogin::Password { user: "noreply@example.org".into() });
    assert_eq!((&ops.reply_to, &ops.helo, &ops.ca_file), (&None, &None, &None));
    assert_eq!(mailbox("tls = \"starttls\"").expect("valid").mailboxes[0].port, 587);
    assert_eq!(parse("f", "[[policy]]\nname = \"p\"\n").expect("valid").mailboxes, []);
}

#[test]
fn servers() {
    let read = |text: &str| {
        let text = format!(
            "[mailbox.ops]\nserver = \"{text}\"\nfrom = \"noreply@example.org\"\n[[policy]]\nname = \"p\"\n"
        );
        parse("f.toml", &text)
    };
    for (text, host, port) in [
        ("mail", "mail", 465),
        ("mail.example.org:1", "mail.example.org", 1),
        ("192.0.2.7", "192.0.2.7", 465),
        ("192.0.2.7:65535", "192.0.2.7", 65535),
        ("[2001:db8::1]", "2001:db8::1", 465),
        ("[2001:db8::1]:25", "2001:db8::1", 25),
    ] {
        let config = read(text).expect(text);
        assert_eq!((config.mailboxes[0].host.as_str(), config.mailboxes[0].port), (host, port), "{text}");
    }
    let form = "is not the name or the address of a server; \
                write \"mail.example.org\" or \"mail.example.org:587\"";
    let port = "has a port that is none; write 1 to 65535 behind the colon";
    for (text, expected) in [
        ("", form),
        (":25", form),
        ("mail example", form),
        ("mail_host", form),
        ("smtps://user:hunter2@mail.example.org", port),
        ("user:hunter2@mail.example.org", port),
        ("[mail]:25", form),
        ("[::1", form),
        ("[::1]25", form),
        ("mail:", port),
        ("mail:0", port),
        ("mail:65536", port),
        ("mail:+25", port),
        (
            "2001:db8::1",
            "is an IPv6 address, whose colons read like a port; \
             write \"[2001:db8::1]\", or \"[2001:db8::1]:587\"",
        ),
    ] {
        let shown = message(read(text));
        assert_eq!(shown, format!("f.toml:2:10: mailbox.ops.server: {expected}"));
        assert!(!shown.contains("hunter2"));
    }
}

#[test]
fn nothing_goes_over_a_network_in_clear() {
    let read = |server: &str, lines: &str| {
        parse(
            "f.toml",
            &format!(
                "[mailbox.m]\nserver = \"{server}\"\nfrom = \"a@example.org\"\ntls = \"none\"\n{lines}\n\
                 [[policy]]\nname = \"p\"\n"
            ),
        )
    };
    for server in ["localhost", "LOCALHOST:2525", "127.0.0.1", "127.9.9.9:25", "[::1]:25"] {
        assert!(read(server, "login = \"none\"").is_ok(), "{server}");
    }
    for server in [
        "mail",
        "localhost.example.org",
        "192.0.2.7",
        "[2001:db8::1]",
        "0.0.0.0",
        "[::]",
        "[::ffff:127.0.0.1]",
    ] {
        assert_eq!(
            message(read(server, "login = \"none\"")),
            "f.toml:4:7: mailbox.m.tls: would send codes in clear over a network; \
             write \"starttls\" or \"implicit\"; \"none\" is for a server on this host"
        );
    }
    let clear = "mailbox.m.login: would be sent without TLS; write login = \"none\", or another tls";
    assert_eq!(message(read("localhost", "")), format!("f.toml:4:7: {clear}"));
    assert_eq!(message(read("localhost", "login = \"xoauth2\"")), format!("f.toml:5:9: {clear}"));
    assert_eq!(
        message(read("localhost", "login = \"none\"\nca_file = \"/ca\"")),
        "f.toml:6:11: mailbox.m.ca_file: is never looked at with tls = \"none\"; leave it out"
    );
}

#[test]
fn secrets_do_not_belong_into_the_file() {
    let right = "is a secret, and everyone on this host may read this file; take it out (and change it), \
                 and write the secret alone into /etc/countersign/mailbox.d/NAME (root:countersign-mail, \
                 mode 0640) or hand it over as the systemd credential countersign.mailbox.NAME";
    for key in ["password", "Password", "token", "client-secret", "secret", "pass", "access_token", "key"] {
        let shown = refused(&format!("{key} = \"hunter2\""));
        assert_eq!(shown, format!("f.toml:4:1: mailbox.ops.{key}: {right}"));
    }
    let p = "[[policy]]\nname = \"p\"\n";
    for (text, place) in [
        (format!("password = \"hunter2\"\n{p}"), "1:1: password"),
        (format!("[email]\npassword = \"hunter2\"\n{p}"), "2:1: email.password"),
        (format!("[mailbox]\npassword = \"hunter2\"\n{p}"), "2:1: mailbox.password"),
        (format!("{p}token = \"hunter2\"\n"), "3:1: policy.token"),
    ] {
        assert_eq!(message(parse("f.toml", &text)), format!("f.toml:{place}: {right}"));
    }
}

#[test]
fn mistakes_in_a_mailbox() {
    for (lines, expected) in [
        ("sever = \"x\"", "4:1: mailbox.ops.sever: unknown key; did you mean server?"),
        ("tls = \"ssl\"", "4:7: mailbox.ops.tls: cannot be \"ssl\"; write implicit, starttls or none"),
        (
            "login = \"oauth\"",
            "4:9: mailbox.ops.login: cannot be \"oauth\"; \
             did you mean \"xoauth2\"? Allowed are password, xoauth2 or none",
        ),
        (
            "reply_to = \"nobody\"",
            "4:12: mailbox.ops.reply_to: \"nobody\" is no mail address; \
             write \"user@example.org\" or \"Name <user@example.org>\"",
        ),
        (
            "reply_to = \"a@x.org\\r\\nBcc: b@x.org\"",
            "4:12: mailbox.ops.reply_to: \"a@x.org\\u{d}\\u{a}Bcc: b@x.org\" is no mail address; \
             write \"user@example.org\" or \"Name <user@example.org>\"",
        ),
        (
            "helo = \"a b\"",
            "4:8: mailbox.ops.helo: is no host name; \
             write a name such as \"host.example.org\", or leave it out",
        ),
        ("ca_file = \"ca.pem\"", "4:11: mailbox.ops.ca_file: is no absolute path; write it from the / on"),
        ("user = \"\"", "4:8: mailbox.ops.user: is no user name; write 1 to 255 visible characters"),
        (
            "login = \"none\"\nuser = \"acme\"",
            "5:8: mailbox.ops.user: is never used with login = \"none\"; leave it out, or log in",
        ),
        ("[mailbox.x]\nfrom = \"a@x.org\"", "4:10: mailbox.x.server: is missing; write server = \"...\""),
        ("[mailbox.x]\nserver = \"x\"", "4:10: mailbox.x.from: is missing; write from = \"...\""),
        (
            "[mailbox.\"../x\"]\nserver = \"x\"\nfrom = \"a@x.org\"",
            "4:10: mailbox.../x: is not a name of this kind; \
             use a-z, 0-9, - and _, and begin with a letter or a digit",
        ),
        (
            "[mailbox]\nserver = \"x\"",
            "5:1: mailbox.server: must be a table, not a string; \
             write a line [mailbox.NAME], and its keys below it",
        ),
    ] {
        assert_eq!(refused(lines), format!("f.toml:{expected}"));
    }
    let p = "[[policy]]\nname = \"p\"\n";
    for text in [format!("mailbox = \"ops\"\n{p}"), format!("[[mailbox]]\nserver = \"x\"\n{p}")] {
        assert!(message(parse("f.toml", &text)).contains(": mailbox: must be a table of tables, not a "));
    }
}

#[test]
fn mailboxes_of_several_files() {
    let p = "[[policy]]\nname = \"p\"\n";
    let other = OPS.replace("ops", "helpdesk");
    let main = format!("{OPS}{p}");
    let config = parse_all(&[("c.toml", &main), ("conf.d/1.toml", &other)]).expect("valid");
    let names: Vec<&str> = config.mailboxes.iter().map(|one| one.name.as_str()).collect();
    assert_eq!(names, ["ops", "helpdesk"]);
    assert_eq!(
        message(parse_all(&[("c.toml", &*main), ("conf.d/1.toml", OPS)])),
        "conf.d/1.toml:1:10: mailbox.ops: is set at c.toml:1 too; keep it in one of the files"
    );
}

#[test]
fn a_policy_that_lists_email_has_a_mailbox() {
    let two = format!("{OPS}{}", OPS.replace("ops", "desk"));
    let read =
        |boxes: &str, lines: &str| parse("f.toml", &format!("[[policy]]\nname = \"p\"\n{lines}\n{boxes}"));
    let lists = "factors = [\"totp\", \"email\"]";
    let chosen = |boxes: &str, lines: &str| read(boxes, lines).expect(lines).policies[0].mailbox.clone();
    assert_eq!(chosen(OPS, lists).as_deref(), Some("ops"));
    assert_eq!(chosen(&two, &format!("{lists}\nmailbox = \"desk\"")).as_deref(), Some("desk"));
    assert_eq!(chosen(OPS, "mailbox = \"ops\"").as_deref(), Some("ops"));
    assert_eq!(chosen(OPS, "factors = [\"totp\"]"), None);
    assert_eq!(
        message(read("", lists)),
        "f.toml:3:11: policy.factors: lists \"email\", and there is no mailbox that could send a code; \
         write a line [mailbox.NAME], and its keys below it"
    );
    assert_eq!(
        message(read(&two, lists)),
        "f.toml:3:11: policy.factors: lists \"email\", and it is not said which mailbox sends the codes; \
         write mailbox = \"...\" with desk or ops"
    );
    assert_eq!(
        message(read(&two, "mailbox = \"opps\"")),
        "f.toml:3:11: policy.mailbox: \"opps\" is none of the mailboxes; did you mean \"ops\"?"
    );
    assert_eq!(
        message(read("", "mailbox = \"ops\"")),
        "f.toml:3:11: policy.mailbox: \"ops\" is none of the mailboxes; \
         write a line [mailbox.ops], and its keys below it"
    );
}

#[test]
fn the_email_table() {
    let read = |lines: &str| parse("f.toml", &format!("[email]\n{lines}\n[[policy]]\nname = \"p\"\n"));
    let seconds = Duration::from_secs;
    let default = Email {
        length: 8,
        valid_for: seconds(600),
        resend_after: seconds(30),
        addresses: vec![AddressSource::Set, AddressSource::Pattern],
        most_per_hour: 1000,
        code_in_subject: false,
    };
    assert_eq!(read("").expect("valid").email, default);
    assert_eq!(parse("f", "[[policy]]\nname = \"p\"\n").expect("valid").email, default);
    let full = "length = 6\nvalid_for = \"1m\"\nresend_after = \"10s\"\n\
                addresses = [\"record\", \"set\"]\nmost_per_hour = 100000\n\
                code_in_subject = true";
    assert_eq!(
        read(full).expect("valid").email,
        Email {
            length: 6,
            valid_for: seconds(60),
            resend_after: seconds(10),
            addresses: vec![AddressSource::Record, AddressSource::Set],
            most_per_hour: 100_000,
            code_in_subject: true,
        }
    );
    for (line, expected) in [
        ("length = 5", "2:10: email.length: cannot be 5; write 6 to 10"),
        ("length = 11", "2:10: email.length: cannot be 11; write 6 to 10"),
        ("valid_for = \"59s\"", "2:13: email.valid_for: \"59s\" is too short; write at least \"1m\""),
        ("valid_for = \"11m\"", "2:13: email.valid_for: \"11m\" is too long; write at most \"10m\""),
        ("resend_after = \"9s\"", "2:16: email.resend_after: \"9s\" is too short; write at least \"10s\""),
        ("resend_after = \"301s\"", "2:16: email.resend_after: \"301s\" is too long; write at most \"5m\""),
        (
            "resend_after = \"2m\"\nvalid_for = \"2m\"",
            "2:16: email.resend_after: is no shorter than valid_for, \
             so a code would be over before the next one; write less than valid_for",
        ),
        (
            "addresses = []",
            "2:13: email.addresses: is empty, so nobody could be sent a code; \
             leave addresses out to mean \"set\" and \"pattern\"",
        ),
        ("addresses = [\"ldap\"]", "2:14: email.addresses: cannot be \"ldap\"; write set, pattern or record"),
        ("most_per_hour = 9", "2:17: email.most_per_hour: cannot be 9; write 10 to 100000"),
        ("most_per_hour = 100001", "2:17: email.most_per_hour: cannot be 100001; write 10 to 100000"),
        ("server = \"x\"", "2:1: email.server: unknown key; it belongs below a line [mailbox.NAME]"),
    ] {
        assert_eq!(message(read(line)), format!("f.toml:{expected}"));
    }
}

#[test]
fn addresses_by_pattern() {
    let read =
        |lines: &str, top: &str| parse("f.toml", &format!("[[policy]]\nname = \"p\"\n{lines}\n{OPS}{top}"));
    let config = read("address = \"{user}@example.org\"", "").expect("valid");
    let pattern = config.policies[0].address.as_ref().expect("a pattern");
    assert_eq!(pattern.address("alice").as_deref(), Some("alice@example.org"));
    let advice = "write something like \"{user}@example.org\"";
    for (text, wrong) in [
        ("a@example.org", "has no {user}, so that all codes would go to one address"),
        ("{user}{user}@example.org", "has {user} more than once"),
        ("a@{user}", "has {user} behind the @, so that a name would choose who gets the codes"),
        ("{user}", "is no mail address with {user} in it"),
        ("{user} <x@example.org>", "is no mail address with {user} in it"),
    ] {
        assert_eq!(
            message(read(&format!("address = \"{text}\""), "")),
            format!("f.toml:3:11: policy.address: \"{text}\" {wrong}; {advice}")
        );
    }
    assert_eq!(
        message(read("address = \"{user}@example.org\"", "[email]\naddresses = [\"set\"]\n")),
        "f.toml:3:11: policy.address: is never used: email.addresses does not list \"pattern\"; \
         list it there, or leave address out"
    );
    assert_eq!(
        message(read("factors = [\"email\"]", "[email]\naddresses = [\"pattern\"]\n")),
        "f.toml:3:11: policy.factors: lists \"email\", and nobody could have an address: email.addresses \
         lists only \"pattern\"; write address = \"{user}@example.org\", or list \"set\" there"
    );
}

#[test]
fn templates_are_names() {
    let read = |line: &str| parse("f.toml", &format!("[[policy]]\nname = \"p\"\n{line}\n"));
    let config = read("template = \"ops-2\"").expect("valid");
    assert_eq!(config.policies[0].template.as_deref(), Some("ops-2"));
    assert_eq!(read("").expect("valid").policies[0].template, None);
    for text in ["", "../ops", "ops.txt", "Ops", "-ops", "a b", "/etc/passwd"] {
        assert!(
            message(read(&format!("template = \"{text}\""))).starts_with("f.toml:3:12: policy.template: ")
        );
    }
    assert!(read("factors = [\"totp\"]").is_ok_and(|config| config.policies[0].factors == [Factor::Totp]));
}

/// Whatever of the configuration stands in a header is one line.
#[test]
fn inp_03_no_key_of_a_letter_holds_a_line_end() {
    let policy = "[[policy]]\nname = \"p\"\n";
    for end in ["\\n", "\\r\\n", "\\r", "\\u0085", "\\u2028", "\\u0000"] {
        let evil = format!("x{end}Bcc: b@example.org{end}");
        for (table, line) in [
            ("", format!("issuer = \"{evil}\"")),
            ("", format!("help = \"{evil}\"")),
            (OPS, format!("reply_to = \"{evil}\"")),
            (OPS, format!("reply_to = \"{evil} <a@example.org>\"")),
            (OPS, format!("helo = \"{evil}\"")),
            (OPS, format!("user = \"{evil}\"")),
            ("[mailbox.x]\nserver = \"a\"\n", format!("from = \"a@example.org{end}\"")),
            ("[mailbox.x]\nserver = \"a\"\n", format!("from = \"{evil} <a@example.org>\"")),
        ] {
            let text = format!("{table}{line}\n{policy}");
            assert!(parse("f.toml", &text).is_err(), "{text}");
        }
        let text = format!("{OPS}{policy}label = \"{evil}\"\n");
        assert!(parse("f.toml", &text).is_err(), "{text}");
        let text = format!("{OPS}{policy}address = \"{{user}}{end}@example.org\"\n");
        assert!(parse("f.toml", &text).is_err(), "{text}");
        let text = format!("{OPS}{policy}template = \"x{end}\"\n");
        assert!(parse("f.toml", &text).is_err(), "{text}");
    }
    let text = format!("issuer = \"Acme\"\nhelp = \"x\"\n{OPS}reply_to = \"a@example.org\"\n{policy}");
    assert!(parse("f.toml", &text).is_ok(), "the control");
}
