//! What happens is in the journal, by number and fields, and one line for fail2ban; and nobody waits for it.

use super::require_all;
use countersign_tests::artifacts::source_root;
use countersign_tests::{Fixture, Login};
use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::process::Command;
use std::time::{Duration, Instant};

const JOURNAL: &str = "/run/systemd/journal/socket";

/// Takes the place of journald in the world of a test.
struct Journal(UnixDatagram);

type Message = Vec<(String, String)>;

impl Journal {
    fn open() -> Self {
        std::fs::create_dir_all("/run/systemd/journal").expect("our own /run");
        let socket = UnixDatagram::bind(JOURNAL).expect("no journald here");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o666);
        std::fs::set_permissions(JOURNAL, mode).expect("our own socket");
        socket.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        Self(socket)
    }

    /// The next message whose text begins so.
    fn next(&self, begins: &str) -> Message {
        let mut buffer = vec![0; 1 << 16];
        loop {
            let length = self.0.recv(&mut buffer).unwrap_or_else(|e| panic!("no {begins}: {e}"));
            let message = read(&buffer[..length]);
            if field(&message, "MESSAGE").starts_with(begins) {
                return message;
            }
        }
    }
}

/// systemd.journal-fields(7), "Native Journal Protocol".
fn read(mut rest: &[u8]) -> Message {
    let mut fields = Vec::new();
    while !rest.is_empty() {
        let end = rest.iter().position(|b| *b == b'\n').expect("a line");
        let line = String::from_utf8(rest[..end].to_vec()).expect("UTF-8");
        rest = &rest[end + 1..];
        if let Some((name, value)) = line.split_once('=') {
            fields.push((name.to_owned(), value.to_owned()));
            continue;
        }
        let (length, after) = rest.split_first_chunk::<8>().expect("a length");
        let length = usize::try_from(u64::from_le_bytes(*length)).expect("short");
        fields.push((line, String::from_utf8(after[..length].to_vec()).expect("UTF-8")));
        rest = &after[length + 1..];
    }
    fields
}

fn field<'m>(message: &'m Message, name: &str) -> &'m str {
    let found: Vec<&str> = message.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect();
    assert!(found.len() <= 1, "{name} twice in {message:?}");
    found.first().copied().unwrap_or_default()
}

#[test]
fn each_login_is_an_event_with_a_number_and_fields() {
    require_all!();
    let t = Fixture::with_clock();
    let journal = Journal::open();
    let alice = t.daemon.enroll("alice");
    let act = journal.next("act ConfirmEnrollment");
    assert_eq!(
        (field(&act, "COUNTERSIGN_VERB"), field(&act, "COUNTERSIGN_USER")),
        ("ConfirmEnrollment", "alice")
    );
    assert_eq!(field(&act, "SYSLOG_FACILITY"), "10");
    assert!(t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    let right = journal.next("login ");
    assert_eq!(
        field(&right, "MESSAGE"),
        "login verified from=192.0.2.7 service=\"cs\" policy=\"operators\" user=\"alice\""
    );
    assert_eq!((field(&right, "PRIORITY"), field(&right, "SYSLOG_FACILITY")), ("6", "3"));
    assert_eq!(field(&right, "MESSAGE_ID").len(), 32);
    for (name, value) in [
        ("COUNTERSIGN_USER", "alice"),
        ("COUNTERSIGN_UID", "5001"),
        ("COUNTERSIGN_SERVICE", "cs"),
        ("COUNTERSIGN_SOURCE", "192.0.2.7"),
        ("COUNTERSIGN_STATE", "verified"),
        ("COUNTERSIGN_FACTOR", "totp"),
        ("COUNTERSIGN_LOGIN", "1"),
        ("COUNTERSIGN_POLICY", "operators"),
        ("COUNTERSIGN_TRIES", "1"),
        ("COUNTERSIGN_CALLER", "0"),
    ] {
        assert_eq!(field(&right, name), value, "{name}");
    }
    assert!(field(&right, "COUNTERSIGN_LINK").starts_with("1:"), "{right:?}");
    let wrong = alice.wrong_code(1);
    assert!(!t.cs().visit("alice").rhost("192.0.2.8").run(vec![&wrong; 3]).passed());
    let denied = journal.next("login ");
    assert_eq!(
        (field(&denied, "SYSLOG_FACILITY"), field(&denied, "COUNTERSIGN_REASON")),
        ("10", "wrong-code")
    );
    assert_eq!(field(&denied, "COUNTERSIGN_TRIES"), "3", "one event for the login, not for each try");
    let said = t.daemon.said();
    assert!(!said.contains("login verified"), "said to the journal, and not twice: {said}");
    drop(journal);
    std::fs::remove_file(JOURNAL).expect("our own socket");
    assert!(t.cs().visit("carol").run([""; 0]).passed());
    let said = t.daemon.said();
    assert!(said.contains("<6>login skipped from=local reason=\"no-policy\""), "without a journal: {said}");
}

/// The numbers in the source and in the catalog that is installed.
#[test]
fn the_catalog_explains_every_event() {
    let ids = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_hexdigit());
        words.filter(|word| word.len() == 32).map(str::to_owned).collect()
    };
    let read = |file: &str| std::fs::read_to_string(source_root().join(file)).expect("a file");
    let catalog = read("packaging/usr/lib/systemd/catalog/countersign.catalog");
    let source = read("daemon/src/event.rs");
    assert_eq!(ids(&source), ids(&catalog));
    assert!(ids(&source).len() >= 9);
    let known = source + &read("daemon/src/journal.rs");
    for name in catalog.split('@').skip(1).step_by(2) {
        assert!(known.contains(&format!("\"{name}\"")), "{name} is no field");
    }
}

/// AVL-13: the journal takes nothing, and neither does what reads standard error: logins do not wait.
#[test]
fn avl_13_nobody_waits_for_the_journal() {
    require_all!(Tool("bash"));
    // Standard error is a pipe that nobody reads.
    let t = Fixture::start_with(|setup| {
        setup.clock(&std::sync::Arc::new(countersign_tests::Clock::new())).wrapped_by(&[
            "bash",
            "-c",
            "exec 2> >(exec tail --pid=$PPID -f /dev/null); exec \"$0\" \"$@\"",
        ])
    });
    let journal = Journal::open();
    let alice = t.daemon.enroll("alice");
    let begun = Instant::now();
    // The socket of a journal that does not read is full after some hundred messages, the pipe after more.
    for _ in 0..1500 {
        assert!(t.cs().visit("carol").ruser("x".repeat(200)).run([""; 0]).passed());
    }
    assert!(t.cs().visit("alice").run([alice.fresh_code()]).passed());
    // A login that did wait would wait for the end of that pipe; what a slow machine takes is no waiting.
    assert!(begun.elapsed() < Duration::from_secs(120), "{:?}", begun.elapsed());
    assert_eq!(t.daemon.log("alice").len(), 1, "the log has it");
    drop(journal);
}

const HOSTILE: [&str; 6] = [
    "x\" reason=\"wrong-code\" service=\"",
    "login denied from=198.51.100.9 reason=\"wrong-code\" service=\"sshd\"",
    "a\nlogin denied from=198.51.100.9 reason=\"wrong-code\" service=\"sshd\"",
    "from=198.51.100.9",
    "198.51.100.9",
    "Nov 22 10:00:00 host countersignd[1]: login denied from=198.51.100.9 reason=\"wrong-code\" service=\"",
];

/// Real denials with their address, and nothing else, by the real fail2ban.
#[test]
fn inp_03_fail2ban_finds_guesses_by_their_address_and_no_hostile_name() {
    require_all!(Tool("fail2ban-regex"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let wrong = alice.wrong_code(1);
    let visit = |from: &str| -> Login { t.cs().visit("alice").rhost(from) };
    // To be found.
    assert!(!visit("192.0.2.7").run(vec![&wrong; 3]).passed());
    assert!(!visit("2001:db8::7").run(vec![&wrong; 2]).passed());
    assert!(!t.cs().visit("nobody-here").rhost("192.0.2.9").run(["123456"]).passed());
    // Not to be found: no guesses, or from nowhere.
    assert!(t.cs().visit("carol").rhost("192.0.2.50").run([""; 0]).passed());
    assert!(!t.cs().visit("bob").rhost("192.0.2.51").run([""; 0]).passed());
    let _ = visit("192.0.2.52").run([countersign_tests::HANG_UP]);
    assert!(!visit("192.0.2.53").run(vec![&wrong; 3]).passed(), "locked by now");
    assert!(!t.cs().visit("nobody-here").run(["123456"]).passed());
    for name in HOSTILE {
        // One of them is an address, and as a host it would be one.
        let host = name.replace('.', ",");
        let visit = t.cs().visit(name).rhost(&host).tty(name).ruser(name);
        assert!(!visit.run(["123456"]).passed());
        let visit = t.cs().visit("carol").rhost(&host).tty(name).ruser(name);
        assert!(visit.run([""; 0]).passed());
    }
    // As syslog writes it. What the daemon says without a journal is what it says with one.
    let said = t.daemon.said();
    let log: String = said
        .lines()
        .filter_map(|line| line.strip_prefix('<')?.split_once('>'))
        .map(|(_, text)| format!("Nov 22 10:00:00 host countersignd[123]: {text}\n"))
        .collect();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("auth.log");
    std::fs::write(&file, &log).expect("our own file");
    // Where it is installed, beside what it includes; /etc is our own.
    let filter = "/etc/fail2ban/filter.d/countersign.conf";
    std::fs::copy(source_root().join("packaging").join(&filter[1..]), filter).expect("our own /etc");
    let out = Command::new("fail2ban-regex")
        .args(["--raw", "--out", "<ip>"])
        .arg(&file)
        .arg(filter)
        .output()
        .expect("fail2ban-regex");
    let found = String::from_utf8_lossy(&out.stdout).into_owned();
    let mut found: Vec<&str> = found.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    found.sort_unstable();
    assert_eq!(found, ["192.0.2.7", "192.0.2.9", "2001:db8::7"], "{out:?}\n{log}");
}
