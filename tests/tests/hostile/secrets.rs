//! DIS-02: after everything that can happen to secrets has happened, where are they?

use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::people::{ALICE, DAVE};
use countersign_tests::scratch::Scratch;
use countersign_tests::wire::DRIVER;
use countersign_tests::{First, Fixture, Secret, Stack, Wire, require};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

/// Secrets by what they are, each in every spelling that could turn up.
#[derive(Default)]
struct Secrets(BTreeMap<String, Vec<u8>>);

impl Secrets {
    fn add(&mut self, what: &str, bytes: &[u8]) {
        self.0.insert(what.to_owned(), bytes.to_vec());
    }

    fn add_app(&mut self, app: &Secret) {
        let hex: String = app.key().iter().map(|byte| format!("{byte:02x}")).collect();
        let base32 = &app.base32;
        let groups: Vec<&str> =
            base32.as_bytes().chunks(4).filter_map(|g| std::str::from_utf8(g).ok()).collect();
        for (spelling, text) in [
            ("hex", hex.clone()),
            ("HEX", hex.to_uppercase()),
            ("base32", base32.clone()),
            ("lower base32", base32.to_lowercase()),
            ("grouped base32", groups.join(" ")),
            // The first half will do, should a line have been cut.
            ("half of base32", base32[..base32.len() / 2].to_owned()),
        ] {
            self.add(&format!("{base32} in {spelling}"), text.as_bytes());
        }
        self.add(&format!("{base32} raw"), app.key());
        for code in &app.recovery {
            self.add_recovery(code);
        }
    }

    fn add_recovery(&mut self, code: &str) {
        self.add(&format!("recovery code {code}"), code.as_bytes());
        self.add(&format!("recovery code {code} without dashes"), code.replace('-', "").as_bytes());
    }

    /// Where any of them is in there.
    fn found_in(&self, bytes: &[u8]) -> Vec<&str> {
        let in_it = |secret: &[u8]| bytes.windows(secret.len()).any(|part| part == secret);
        self.0.iter().filter(|(_, secret)| in_it(secret)).map(|(what, _)| what.as_str()).collect()
    }
}

/// Lives through a login of every kind; notes each code and password that was typed.
fn live(t: &mut Fixture, secrets: &mut Secrets) {
    let module = t.module().option("debug");
    let stack = Stack::cs_after(First::Unix, &module);
    let unknown = Stack::cs0(First::Unix, &module);
    let alice = t.daemon.enroll("alice");
    secrets.add_app(&alice);
    secrets.add("her password", ALICE.password().as_bytes());
    let login = |stack: &Stack, answers: &[String]| {
        let visit = stack.visit("alice").password(ALICE.password()).rhost("192.0.2.7").tty("ssh");
        visit.run(answers.iter().map(String::as_str)).passed()
    };
    let code = alice.fresh_code();
    assert!(login(&stack, std::slice::from_ref(&code)));
    assert!(!login(&stack, &[code.clone(), "?".to_owned(), alice.wrong_code(1)]), "used, help, wrong");
    assert!(!login(&unknown, &[alice.wrong_code(2)]));
    assert!(!login(&stack, &[ALICE.password()]), "the password for a code");
    assert!(!login(&stack, &["not a code, but a secret".to_owned()]));
    let recovery = alice.recovery[0].clone();
    assert!(login(&stack, std::slice::from_ref(&recovery)));
    assert!(!login(&stack, &[recovery, alice.wrong_code(3)]), "used up");
    let between = alice.fresh_code();
    let held = stack.visit("alice").password(ALICE.password()).hold();
    t.daemon.crash_and_restart();
    assert!(held.answer(&between).passed(), "over a crash");
    let joined = Stack::cs1(&module.clone().option("forward_pass"));
    let last = alice.fresh_code();
    drop(joined.visit("alice").run([format!("{}{last}", ALICE.password())]));
    let wrong: Vec<String> = (10..20).map(|n| alice.wrong_code(n)).collect();
    for three in wrong.chunks(3) {
        assert!(!login(&stack, three), "until it is locked");
    }
    for (n, code) in
        [code, between, last].into_iter().chain((1..4).map(|n| alice.wrong_code(n))).chain(wrong).enumerate()
    {
        secrets.add(&format!("code {n}, {code}"), code.as_bytes());
    }
    secrets.add("what she typed", b"not a code, but a secret");
}

/// Enrollments that come to nothing, or are taken away.
fn enroll(t: &Fixture, secrets: &mut Secrets) {
    let mut root = Wire::on(&t.bus);
    let begun = root.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Enroll", &("bob", "", "", ""));
    let begun = begun.expect("an enrollment");
    let (id, _, secret, _, _): (String, String, String, String, String) =
        begun.body().deserialize().expect("an enrollment");
    secrets.add("the id of an enrollment", id.as_bytes());
    secrets.add_app(&Secret::from_base32(&secret, None));
    for code in ["000000", "31337-is-no-code"] {
        let confirm = (id.as_str(), code.as_bytes());
        drop(root.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ConfirmEnrollment", &confirm));
    }
    drop(root.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "CancelEnrollment", &id));
    let _ = t.daemon.ctl().run(&["reset", "alice", "--reason", "lost her phone", "--yes"]).ok();
    secrets.add_app(&t.daemon.enroll("alice"));
}

/// What leaves the host as a file: a backup, one with the key, and people for another host.
fn copies(t: &Fixture, places: &mut Vec<(String, Vec<u8>)>) {
    let folder = Scratch::new("copies");
    let path = |name: &str| folder.join(name).display().to_string();
    fs::write(path("passphrase"), "four tall horses wait\n").expect("our own file");
    fs::set_permissions(path("passphrase"), fs::Permissions::from_mode(0o600)).expect("our own file");
    let (passphrase, key) = (path("passphrase"), t.daemon.key_file().display().to_string());
    let by = ["--passphrase-file", passphrase.as_str()];
    let with_key = [&["--with-key", "--key-file", key.as_str()][..], &by].concat();
    let to_move = [&["--reason", "a move"][..], &by].concat();
    for (verb, more) in [("backup", &[][..]), ("backup", &with_key), ("export", &to_move)] {
        let file = path(&format!("{verb}-{}", more.len()));
        let out = t.daemon.ctl().run(&[&[verb, file.as_str()], more].concat()).ok();
        places.push((
            format!("countersignctl {verb} {more:?}"),
            format!("{}{}", out.stdout, out.stderr).into_bytes(),
        ));
        places.push((file.clone(), fs::read(&file).expect("what it wrote")));
    }
}

#[test]
fn dis_02_no_secret_is_left_where_anybody_could_read_it() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let mut listener = Wire::as_uid(&t.bus, DAVE.uid);
    let monitoring = "org.freedesktop.DBus.Monitoring";
    let monitor = listener.call(
        DRIVER,
        "/org/freedesktop/DBus",
        monitoring,
        "BecomeMonitor",
        &(Vec::<String>::new(), 0u32),
    );
    assert!(monitor.is_err(), "dave became a monitor of the bus");
    for rule in ["eavesdrop=true", "sender='org.countersign1'", "type='method_return'", "type='signal'"] {
        drop(listener.call(DRIVER, "/org/freedesktop/DBus", DRIVER, "AddMatch", &rule));
    }

    let mut secrets = Secrets::default();
    live(&mut t, &mut secrets);
    enroll(&t, &mut secrets);
    let key = fs::read_to_string(t.daemon.key_file()).expect("the sealing key");
    let key = key.lines().find_map(|line| line.strip_prefix("key ")).expect("a key");
    secrets.add("the sealing key", key.as_bytes());
    let raw: Vec<u8> =
        (0..key.len() / 2).map(|n| u8::from_str_radix(&key[2 * n..2 * n + 2], 16).expect("hex")).collect();
    secrets.add("the sealing key, raw", &raw);
    assert!(secrets.0.len() > 70, "{} secrets and spellings to look for", secrets.0.len());
    assert!(
        !secrets.found_in(&fs::read(t.daemon.key_file()).expect("the key file")).is_empty(),
        "the control"
    );

    let mut places: Vec<(String, Vec<u8>)> = Vec::new();
    copies(&t, &mut places);
    for entry in fs::read_dir(t.daemon.state()).expect("the state").flatten() {
        places.push((entry.path().display().to_string(), fs::read(entry.path()).expect("a file")));
    }
    assert!(places.len() >= 3, "database, its log and the instance file");
    let syslog = t.world.syslog();
    assert!(
        syslog.iter().any(|line| line.contains("begins: rhost=")),
        "the module's debug lines: {syslog:#?}"
    );
    places.push(("syslog".to_owned(), syslog.join("\n").into_bytes()));
    places.push(("the daemon's stderr".to_owned(), t.daemon.said().into_bytes()));
    places.push(("the bus's stderr".to_owned(), t.bus.said().into_bytes()));
    for verb in [&["log", "--json"][..], &["log"], &["status"], &["status", "alice"], &["users", "--json"]] {
        let out = t.daemon.ctl().run(verb).ok();
        places
            .push((format!("countersignctl {verb:?}"), format!("{}{}", out.stdout, out.stderr).into_bytes()));
    }
    for file in ["cmdline", "environ"] {
        places.push((file.to_owned(), fs::read(format!("/proc/{}/{file}", t.daemon.pid())).expect("procfs")));
    }
    listener.stream().set_read_timeout(Some(Duration::from_millis(100))).expect("a timeout");
    let mut heard = Vec::new();
    while let Ok(message) = listener.receive() {
        heard.extend_from_slice(message.data().bytes());
    }
    places.push(("what dave heard on the bus".to_owned(), heard));
    for (place, bytes) in &places {
        let found = secrets.found_in(bytes);
        assert!(found.is_empty(), "{place} holds {found:?}");
    }
}
