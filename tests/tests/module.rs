//! The shipped module by itself: no daemon, and buses that lie.

use countersign_tests::fake_bus::{self, Called, Does, FakeBus};
use countersign_tests::{Code, Module, Outcome, PrivateBus, Stack, artifacts, require};
use std::collections::BTreeSet;
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::time::{Duration, Instant};

const OWNER: u32 = 4242;
/// The module's machine time for one login where no `timeout=` says otherwise, and a second for the test.
const DEADLINE: Duration = Duration::from_secs(11);
const LOGIN: &str = "00112233445566778899aabbccddeeff";

/// The four out-arguments of a step.
type Step<'a> = (&'a str, &'a str, Vec<(u32, &'a str)>, Vec<(bool, &'a str)>);

const NO_MESSAGES: Vec<(u32, &str)> = Vec::new();
const NO_PROMPT: Vec<(bool, &str)> = Vec::new();

/// The bytes that answer a call.
type MakeReply = fn(&Called) -> Vec<u8>;

fn step(verdict: &str) -> Step<'_> {
    (LOGIN, verdict, vec![], vec![])
}

fn ask() -> Step<'static> {
    (LOGIN, "ask", vec![], vec![(true, "Verification code: ")])
}

/// Tells the module's own code, with a deadline short enough for a test.
fn stack_on(fake: &FakeBus) -> Stack {
    Stack::probe(&Module::shipped().on(&fake.address(), OWNER).option("timeout=2"), &["after_first_factor"])
}

fn login(fake: &FakeBus) -> Outcome {
    stack_on(fake).login("alice", ["123456"])
}

/// An honest daemon but for its reply to Begin.
fn begin_says(mut reply: impl FnMut(&Called) -> Does + Send + 'static) -> FakeBus {
    FakeBus::with_daemon(OWNER, move |call| match call.member.as_str() {
        "Begin" => reply(call),
        "Confirm" => Does::Bytes(fake_bus::reply(call, &"not-required")),
        _ => Does::Nothing,
    })
}

/// An honest daemon but for its reply to Respond.
fn respond_says(mut reply: impl FnMut(&Called) -> Does + Send + 'static) -> FakeBus {
    FakeBus::with_daemon(OWNER, move |call| match call.member.as_str() {
        "Begin" => Does::Bytes(fake_bus::reply(call, &ask())),
        "Respond" => reply(call),
        _ => Does::Nothing,
    })
}

#[test]
fn inp_13_exports_are_the_pam_entry_points() {
    require!(Staged("pam_countersign.so"), Tool("nm"));
    let out =
        Command::new("nm").args(["-D", "--defined-only"]).arg(artifacts::module()).output().expect("run nm");
    let symbols: BTreeSet<String> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .collect();
    let expected: BTreeSet<String> =
        ["authenticate", "setcred", "acct_mgmt", "open_session", "close_session", "chauthtok"]
            .iter()
            .map(|name| format!("pam_sm_{name}"))
            .collect();
    assert_eq!(symbols, expected);
}

#[test]
fn the_module_links_what_its_committed_list_says() {
    let list = artifacts::source_root().join("pam-module/DEPENDENCIES");
    let out = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(artifacts::source_root())
        .args([
            "tree",
            "--locked",
            "--offline",
            "-p",
            "pam-countersign",
            "-e",
            "normal,no-proc-macro",
            "--prefix",
            "none",
            "--format",
            "{p}",
        ])
        .output()
        .expect("run cargo tree");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    // Macros run at build time and are not in the module.
    let linked: BTreeSet<String> = String::from_utf8_lossy(&out.stdout)
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(|&name| name != "pam-countersign")
        .map(str::to_owned)
        .collect();
    let text = std::fs::read_to_string(&list).unwrap_or_default();
    let committed: BTreeSet<String> = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect();
    let linked_text: Vec<&str> = linked.iter().map(String::as_str).collect();
    assert_eq!(committed, linked, "{} must list:\n{}", list.display(), linked_text.join("\n"));
    for absent in ["tokio", "rusqlite", "toml", "lettre", "countersign-config"] {
        assert!(!linked.contains(absent), "the module must not link {absent}");
    }
}

#[test]
fn byp_01_no_bus_denies_within_the_deadline() {
    require!(Staged("pam_countersign.so"));
    let stack = Stack::cs(&Module::shipped().on("unix:path=/nonexistent/bus", OWNER));
    let outcome = stack.login("alice", ["123456"]);
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{outcome:?}");
    assert_eq!(outcome.code_prompts(), 0);
    assert!(outcome.took < DEADLINE, "{:?}", outcome.took);
}

#[test]
fn byp_01_no_daemon_on_the_bus_denies_within_the_deadline() {
    require!(Staged("pam_countersign.so"));
    let owner = nix::unistd::geteuid().as_raw();
    let bus = PrivateBus::start(owner);
    let outcome = Stack::cs(&Module::shipped().on(&bus.address(), owner)).login("alice", ["123456"]);
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{outcome:?}");
    assert_eq!(outcome.code_prompts(), 0);
    assert!(outcome.took < DEADLINE, "{:?}", outcome.took);
}

#[test]
fn byp_02_silent_and_frozen_buses_deny_at_the_deadline() {
    require!(Staged("pam_countersign.so"));
    let frozen = PrivateBus::start(nix::unistd::geteuid().as_raw());
    frozen.freeze();
    // Nobody ever accepts: the connection is the kernel's.
    let dir = tempfile::tempdir().expect("a directory");
    let silent = UnixListener::bind(dir.path().join("bus")).expect("a socket");
    let mute = FakeBus::scripted(|_| Does::Nothing);
    let drip = FakeBus::scripted(|_| Does::Drip(vec![b'l'; 4096], 1, Duration::from_millis(50)));
    let addresses = [
        frozen.address(),
        format!("unix:path={}", dir.path().join("bus").display()),
        mute.address(),
        drip.address(),
    ];
    for address in addresses {
        let module = Module::shipped().on(&address, OWNER).option("timeout=2");
        let began = Instant::now();
        let outcome = Stack::cs(&module).login("alice", ["123456"]);
        assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{address}: {outcome:?}");
        assert!(began.elapsed() < Duration::from_secs(3), "{address}: {:?}", began.elapsed());
    }
    frozen.thaw();
    drop(silent);
}

#[test]
fn byp_02_a_socket_with_a_full_backlog_denies_at_the_deadline() {
    require!(Staged("pam_countersign.so"));
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("bus");
    let listener = UnixListener::bind(&path).expect("a socket");
    // Nobody accepts; std listens with a backlog, and connects that do not block fill it.
    let _held = fill_backlog(&path);
    let module = Module::shipped().on(&format!("unix:path={}", path.display()), OWNER).option("timeout=2");
    let outcome = Stack::cs(&module).login("alice", ["123456"]);
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{outcome:?}");
    assert!(outcome.took < Duration::from_secs(3), "{:?}", outcome.took);
    drop(listener);
}

/// Connections until the kernel takes no more.
fn fill_backlog(path: &std::path::Path) -> Vec<std::os::fd::OwnedFd> {
    use nix::sys::socket::{AddressFamily, SockFlag, SockType, UnixAddr, connect, socket};
    use std::os::fd::AsRawFd as _;
    let address = UnixAddr::new(path).expect("a short path");
    let mut held = Vec::new();
    loop {
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let client = socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
        if connect(client.as_raw_fd(), &address).is_err() {
            return held;
        }
        held.push(client);
    }
}

/// Without this control a fake that nobody understands would pass every test below.
#[test]
fn byp_23_control_an_honest_daemon_lets_in() {
    require!(Staged("pam_countersign.so"));
    let fake = FakeBus::with_daemon(OWNER, |call| match call.member.as_str() {
        "Begin" => Does::Bytes(fake_bus::reply(call, &ask())),
        "Respond" => Does::Bytes(fake_bus::reply(call, &step("allow"))),
        "Confirm" => Does::Bytes(fake_bus::reply(call, &"allow")),
        _ => Does::Nothing,
    });
    let outcome = login(&fake);
    assert_eq!(
        (outcome.auth, outcome.account),
        (Code::SUCCESS, Some(Code::IGNORE)),
        "{outcome:?} {:?}",
        fake.calls()
    );
    let not_required = begin_says(|call| Does::Bytes(fake_bus::reply(call, &step("not-required"))));
    assert_eq!(login(&not_required).auth, Code::IGNORE);
    for (verdict, code) in [("deny", Code::PERM_DENIED), ("locked", Code::MAXTRIES)] {
        let fake = begin_says(move |call| Does::Bytes(fake_bus::reply(call, &step(verdict))));
        assert_eq!(login(&fake).auth, code);
    }
    for (verdict, code) in [("deny", Code::AUTH_ERR), ("locked", Code::MAXTRIES)] {
        let fake = respond_says(move |call| Does::Bytes(fake_bus::reply(call, &step(verdict))));
        assert_eq!(login(&fake).auth, code);
    }
}

#[test]
fn byp_09_the_wrong_owner_gets_no_answer() {
    require!(Staged("pam_countersign.so"));
    for owner in [0, OWNER + 1, u32::MAX] {
        let fake = FakeBus::with_daemon(owner, |call| Does::Bytes(fake_bus::reply(call, &ask())));
        let outcome = login(&fake);
        assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "owner {owner}: {outcome:?}");
        assert_eq!(outcome.code_prompts(), 0, "owner {owner}: the person was asked for a code");
        assert!(!fake.heard("Respond"));
    }
}

#[test]
fn byp_23_hostile_replies_to_begin_are_no_answer() {
    require!(Staged("pam_countersign.so"));
    let verdicts =
        ["allow", "", "ALLOW", "allow\u{0}x", "verified", "yes", "maybe", " not-required", "not_required"];
    for verdict in verdicts.into_iter().filter(|v| !v.contains('\0')) {
        let fake = begin_says(move |call| Does::Bytes(fake_bus::reply(call, &step(verdict))));
        expect_no_answer(&fake, &format!("verdict {verdict:?}"));
    }
    let prompts: [(&str, Vec<(bool, &str)>); 2] =
        [("no prompt", vec![]), ("two prompts", vec![(true, "code: "), (true, "code: ")])];
    for (what, prompts) in prompts {
        let fake = begin_says(move |call| {
            Does::Bytes(fake_bus::reply(call, &(LOGIN, "ask", NO_MESSAGES, prompts.clone())))
        });
        expect_no_answer(&fake, what);
    }
    let shapes: [(&str, MakeReply); 5] = [
        ("empty body", |call| fake_bus::reply(call, &())),
        ("one string", |call| fake_bus::reply(call, &"not-required")),
        ("two strings", |call| fake_bus::reply(call, &(LOGIN, "not-required"))),
        ("an extra argument", |call| {
            fake_bus::reply(call, &(LOGIN, "not-required", NO_MESSAGES, NO_PROMPT, 1u32))
        }),
        ("from somebody else", |call| fake_bus::reply_from(":1.99", call, &step("not-required"))),
    ];
    for (what, bytes) in shapes {
        expect_no_answer(&begin_says(move |call| Does::Bytes(bytes(call))), what);
    }
    let other_serial = begin_says(|call| {
        let other = Called { serial: call.serial + 1000, ..call.clone() };
        Does::Bytes(fake_bus::reply(&other, &step("not-required")))
    });
    expect_no_answer(&other_serial, "a reply to another call");
}

#[test]
fn byp_23_every_error_name_is_no_answer() {
    require!(Staged("pam_countersign.so"));
    let ours = ["NotAuthorized", "NotFound", "Expired", "Busy", "Unavailable", "InvalidArgument"];
    let names = ours.iter().map(|n| format!("org.countersign1.Error.{n}")).chain(
        ["Failed", "NoReply", "ServiceUnknown", "AccessDenied", "NameHasNoOwner", "LimitsExceeded"]
            .iter()
            .map(|n| format!("org.freedesktop.DBus.Error.{n}")),
    );
    for name in names {
        let begin = name.clone();
        expect_no_answer(&begin_says(move |call| Does::Bytes(fake_bus::error(call, &begin, "no"))), &name);
        let respond = name.clone();
        let fake = respond_says(move |call| Does::Bytes(fake_bus::error(call, &respond, "allow")));
        let outcome = login(&fake);
        assert_refused(&outcome, &format!("{name} on Respond"));
    }
}

#[test]
fn byp_23_hostile_replies_to_respond_let_nobody_in() {
    require!(Staged("pam_countersign.so"));
    let other = "ffffffffffffffffffffffffffffffff";
    let cases: [(&str, Step<'static>); 5] = [
        ("allow for another login", (other, "allow", vec![], vec![])),
        ("allow for no login", ("", "allow", vec![], vec![])),
        ("verified", (LOGIN, "verified", vec![], vec![])),
        ("ask of another login", (other, "ask", vec![], vec![(true, "code: ")])),
        ("ask without a prompt", (LOGIN, "ask", vec![], vec![])),
    ];
    for (what, step) in cases {
        let fake = respond_says(move |call| Does::Bytes(fake_bus::reply(call, &step)));
        let outcome = login(&fake);
        assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{what}: {outcome:?}");
    }
    let stranger = respond_says(|call| Does::Bytes(fake_bus::reply_from(":1.99", call, &step("allow"))));
    assert_eq!(login(&stranger).auth, Code::AUTHINFO_UNAVAIL, "allow from somebody else");
}

#[test]
fn byp_23_a_verdict_sent_before_the_answer_counts_for_nothing() {
    require!(Staged("pam_countersign.so"));
    let fake = FakeBus::with_daemon(OWNER, |call| match call.member.as_str() {
        "Begin" => {
            let mut bytes = fake_bus::reply(call, &ask());
            // The next calls' serials are easy to guess.
            for ahead in 1..20 {
                let next = Called { serial: call.serial + ahead, ..call.clone() };
                bytes.extend(fake_bus::reply(&next, &step("allow")));
            }
            Does::Bytes(bytes)
        }
        _ => Does::Nothing,
    });
    assert_eq!(login(&fake).auth, Code::AUTHINFO_UNAVAIL);
}

#[test]
fn byp_23_a_reply_cut_at_every_byte_is_no_answer() {
    require!(Staged("pam_countersign.so"));
    // The bytes are the same in every run but for the serial, which has a fixed size.
    let any = Called {
        serial: 1,
        member: String::new(),
        interface: String::new(),
        destination: String::new(),
        body: Vec::new(),
    };
    let length = fake_bus::reply(&any, &step("not-required")).len();
    assert!(length > 60, "{length} bytes");
    // At once, because the module gives a daemon that breaks off some time to come back.
    std::thread::scope(|scope| {
        for cut in 0..length {
            scope.spawn(move || {
                let fake = begin_says(move |call| {
                    let bytes = fake_bus::reply(call, &step("not-required"));
                    Does::Close(bytes[..cut].to_vec())
                });
                expect_no_answer(&fake, &format!("cut after {cut} of {length} bytes"));
            });
        }
    });
}

#[test]
fn byp_23_a_huge_reply_is_refused_within_little_memory() {
    require!(Staged("pam_countersign.so"), Tool("prlimit"));
    for announced in [1u32 << 20, 32 << 20, 127 << 20, u32::MAX] {
        let fake = begin_says(move |call| {
            let mut bytes = fake_bus::reply(call, &step("not-required"));
            bytes[4..8].copy_from_slice(&announced.to_le_bytes());
            bytes.extend(std::iter::repeat_n(0u8, 4 << 20));
            Does::Bytes(bytes)
        });
        // An allocation of the announced size would abort a process that may have 48 MiB in all.
        let login = stack_on(&fake).visit("alice").wrapped_by(&["prlimit", "--as=50331648"]);
        let outcome = login.run(["123456"]);
        assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{announced} bytes announced: {outcome:?}");
        assert!(outcome.took < Duration::from_secs(3));
    }
}

fn expect_no_answer(fake: &FakeBus, what: &str) {
    let outcome = login(fake);
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{what}: {outcome:?}");
    assert_eq!(outcome.code_prompts(), 0, "{what}: the person was asked for a code");
    assert!(fake.heard("Begin"), "{what}: the module never came as far as Begin: {:?}", fake.calls());
    assert!(outcome.took < Duration::from_secs(3), "{what}: {:?}", outcome.took);
}

fn assert_refused(outcome: &Outcome, what: &str) {
    let refusals = [Code::AUTHINFO_UNAVAIL, Code::AUTH_ERR, Code::PERM_DENIED, Code::MAXTRIES];
    assert!(refusals.contains(&outcome.auth), "{what}: {outcome:?}");
}
