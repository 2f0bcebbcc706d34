//! BYP-23: a daemon that has the right uid and lies. Only an exact `allow`, for this login, to this answer, lets in.
//!
//! Each lie is told twice: over a real bus, and over a scripted one that says what a real bus would not pass on.

use super::liar::{
    Daemon, LOGIN, Lie, Messages, Prompt, allows, asks, assert_honesty_lets_in, assert_refused, bytes, fails,
    login, one, returns, says, serial, serve, stack,
};
use countersign_tests::fake_bus::{self, Called, DAEMON_UNIQUE_NAME, Does, FakeBus};
use countersign_tests::people::DAEMON_UID;
use countersign_tests::{Code, PrivateBus, World, require};
use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};
use std::io::IoSlice;
use std::net::Shutdown;
use std::num::NonZeroU32;
use std::os::fd::AsRawFd as _;
use std::time::Duration;
use zbus::{Message, Variant};

const OTHER: &str = "ffffffffffffffffffffffffffffffff";
/// All the memory that a host may have while it is lied to at length.
const LITTLE_MEMORY: [&str; 2] = ["prlimit", "--as=50331648"];

/// Shapes that are no step, with `allow` and the right login in them. (One structure of the four arguments is not
/// among them: it is the same bytes, and to zbus the same signature.)
const SHAPES: &[(&str, Lie)] = &[
    ("an empty body", |to| one(to, &())),
    ("the word alone", |to| one(to, &"allow")),
    ("two strings", |to| one(to, &(LOGIN, "allow"))),
    ("no prompts", |to| one(to, &(LOGIN, "allow", Messages::new()))),
    ("an extra argument", |to| one(to, &(LOGIN, "allow", Messages::new(), Prompt::new(), 1u32))),
    ("arrays exchanged", |to| one(to, &(LOGIN, "allow", Prompt::new(), Messages::new()))),
    ("a variant for the word", |to| {
        one(to, &(LOGIN, Variant::from("allow"), Messages::new(), Prompt::new()))
    }),
    ("bytes for the word", |to| one(to, &(LOGIN, b"allow".to_vec(), Messages::new(), Prompt::new()))),
    ("a number for the login", |to| one(to, &(0u64, "allow", Messages::new(), Prompt::new()))),
    ("allow and a prompt", |to| one(to, &(LOGIN, "allow", Messages::new(), vec![(true, "code: ")]))),
    ("a prompt's style for a message", |to| one(to, &(LOGIN, "allow", vec![(1u32, "")], Prompt::new()))),
    ("seventeen messages", |to| one(to, &(LOGIN, "allow", vec![(4u32, "x"); 17], Prompt::new()))),
    ("20 KB of message", |to| one(to, &(LOGIN, "allow", vec![(4u32, "x".repeat(20_000))], Prompt::new()))),
    ("300 KB of message", |to| one(to, &(LOGIN, "allow", vec![(4u32, "x".repeat(300_000))], Prompt::new()))),
    ("a call instead of a reply", |to| {
        let call =
            Message::method_call("/", "Respond").sender(DAEMON_UNIQUE_NAME).reply_serial(Some(serial(to)));
        let call = call.destination(to.sender().expect("a caller").to_owned());
        vec![call.build(&(LOGIN, "allow", Messages::new(), Prompt::new())).expect("a call")]
    }),
    ("a signal instead of a reply", |to| {
        let signal = Message::signal("/", "org.countersign1.Login", "Respond");
        let signal = signal.sender(DAEMON_UNIQUE_NAME).reply_serial(Some(serial(to)));
        let signal = signal.destination(to.sender().expect("a caller").to_owned());
        vec![signal.build(&(LOGIN, "allow", Messages::new(), Prompt::new())).expect("a signal")]
    }),
    ("a reply to another call", |to| {
        let other = NonZeroU32::new(serial(to).get() + 100).expect("a serial");
        let reply = Message::method_return(to).sender(DAEMON_UNIQUE_NAME).reply_serial(Some(other));
        vec![reply.build(&(LOGIN, "allow", Messages::new(), Prompt::new())).expect("a reply")]
    }),
];

/// Words and logins in a step of the right shape.
const WORDS: &[(&str, Lie)] = &[
    ("no word", |to| says(to, LOGIN, "")),
    ("ALLOW", |to| says(to, LOGIN, "ALLOW")),
    ("allow and a blank", |to| says(to, LOGIN, "allow ")),
    ("allow and a newline", |to| says(to, LOGIN, "allow\n")),
    ("allowed", |to| says(to, LOGIN, "allowed")),
    ("verified", |to| says(to, LOGIN, "verified")),
    ("not_required", |to| says(to, LOGIN, "not_required")),
    ("ask without a prompt", |to| says(to, LOGIN, "ask")),
    ("ask with two", |to| one(to, &(LOGIN, "ask", Messages::new(), vec![(true, "code: "); 2]))),
    ("allow for no login", |to| says(to, "", "allow")),
    ("allow for another login", |to| says(to, OTHER, "allow")),
    ("allow for the login in capitals", |to| says(to, &LOGIN.to_uppercase(), "allow")),
    ("allow for the login and more", |to| says(to, &format!("{LOGIN}0"), "allow")),
    ("ask for another login", |to| one(to, &(OTHER, "ask", Messages::new(), vec![(true, "code: ")]))),
];

/// The first reply counts, and only the first.
const DUPLICATES: &[(&str, Lie)] = &[
    ("deny, then allow", |to| [says(to, LOGIN, "deny"), allows(to)].concat()),
    ("nonsense, then allow", |to| [one(to, &()), allows(to)].concat()),
    ("an error, then allow", |to| vec![fails(to, "org.countersign1.Error.Expired"), returns(to, &())]),
    ("allow for another login, then allow", |to| [says(to, OTHER, "allow"), allows(to)].concat()),
];

/// Tells each lie on both buses, at once: some end at the deadline only.
fn tell(lies: &[(&'static str, Daemon)], prompts: usize) {
    let world = World::enter();
    assert_honesty_lets_in(&PrivateBus::start(world.daemon_uid()));
    std::thread::scope(|scope| {
        for (what, daemon) in lies {
            scope.spawn(move || {
                let fake = daemon.scripted();
                assert_refused(&login(&fake.address()), prompts, what);
                assert_eq!(fake.heard("Respond"), prompts > 0, "{what}");
            });
            scope.spawn(move || {
                let bus = PrivateBus::start(DAEMON_UID);
                let _daemon = daemon.real(&bus);
                assert_refused(&login(&bus.address()), prompts, &format!("{what}, on a real bus"));
            });
        }
    });
}

#[test]
fn byp_23_lies_in_reply_to_the_answer() {
    require!(Root, Staged("pam_countersign.so"));
    let all = [SHAPES, WORDS, DUPLICATES].concat();
    let lies: Vec<_> =
        all.into_iter().map(|(what, lie)| (what, Daemon { begin: asks, respond: lie })).collect();
    tell(&lies, 1);
}

/// `allow` before any answer is as good as none, whatever it looks like.
#[test]
fn byp_23_lies_in_reply_to_begin() {
    require!(Root, Staged("pam_countersign.so"));
    let early: &[(&str, Lie)] = &[
        ("allow", allows),
        ("allow, then ask", |to| [allows(to), asks(to)].concat()),
        ("not-required for nobody", |to| says(to, "", "not-required")),
        ("not-required for what is no login", |to| says(to, "../../../etc", "not-required")),
        ("not-required and a prompt", |to| {
            one(to, &(LOGIN, "not-required", Messages::new(), vec![(true, "code: ")]))
        }),
    ];
    let all = [SHAPES, early].concat();
    let lies: Vec<_> =
        all.into_iter().map(|(what, lie)| (what, Daemon { begin: lie, respond: allows })).collect();
    tell(&lies, 0);
}

/// The verdict is on the wire before the person has typed: on a scripted bus behind the reply to `Begin`, on a
/// real one as replies to calls that have not been made.
#[test]
fn byp_23_allow_before_the_answer_counts_for_nothing() {
    require!(Root, Staged("pam_countersign.so"));
    let early: Lie = |to| {
        let next = |ahead| NonZeroU32::new(serial(to).get() + ahead);
        let body = (LOGIN, "allow", Messages::new(), Prompt::new());
        let ahead =
            (1..20).map(|n| Message::method_return(to).sender(DAEMON_UNIQUE_NAME).reply_serial(next(n)));
        asks(to).into_iter().chain(ahead.map(|reply| reply.build(&body).expect("a reply"))).collect()
    };
    tell(&[("allow ahead of time", Daemon { begin: early, respond: |_| vec![] })], 1);
}

#[test]
fn byp_23_every_error_name_on_both_calls() {
    require!(Root, Staged("pam_countersign.so"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    assert_honesty_lets_in(&bus);
    let ours = ["NotAuthorized", "NotFound", "Expired", "Busy", "Unavailable", "InvalidArgument", "Allow"]
        .map(|name| format!("org.countersign1.Error.{name}"));
    let of_the_bus = [
        "Failed",
        "NoMemory",
        "ServiceUnknown",
        "NameHasNoOwner",
        "NoReply",
        "IOError",
        "BadAddress",
        "NotSupported",
        "LimitsExceeded",
        "AccessDenied",
        "AuthFailed",
        "NoServer",
        "Timeout",
        "NoNetwork",
        "AddressInUse",
        "Disconnected",
        "InvalidArgs",
        "FileNotFound",
        "UnknownMethod",
        "UnknownObject",
        "TimedOut",
        "MatchRuleNotFound",
        "Spawn.ExecFailed",
        "UnixProcessIdUnknown",
        "InvalidSignature",
        "ObjectPathInUse",
    ]
    .map(|name| format!("org.freedesktop.DBus.Error.{name}"));
    std::thread::scope(|scope| {
        for name in ours.into_iter().chain(of_the_bus) {
            // Busy and the bus's own passing errors are waited out, hence all at once.
            scope.spawn(move || {
                for liar in ["Begin", "Respond"] {
                    let bus = PrivateBus::start(DAEMON_UID);
                    let name = name.clone();
                    let shown = format!("{name} on {liar}");
                    let _daemon = serve(&bus, move |wire, call| {
                        let header = call.header();
                        let member = header.member().map(ToString::to_string).unwrap_or_default();
                        let said = if member == liar { vec![fails(&header, &name)] } else { asks(&header) };
                        let _ = wire.send(&bytes(&said));
                    });
                    assert_refused(&login(&bus.address()), usize::from(liar == "Respond"), &shown);
                }
            });
        }
    });
}

/// The reply `allow`, cut after each of its bytes. Only the whole of it lets in.
#[test]
fn byp_23_an_allow_cut_at_every_byte() {
    require!(Staged("pam_countersign.so"));
    let cut_at = |cut: usize| {
        FakeBus::with_daemon(DAEMON_UID, move |call: &Called| {
            let step = |verdict| (LOGIN, verdict, Messages::new(), Prompt::new());
            match call.member.as_str() {
                "Begin" => {
                    let ask = (LOGIN, "ask", Messages::new(), vec![(true, "code: ")]);
                    Does::Bytes(fake_bus::reply(call, &ask))
                }
                "Respond" => {
                    let mut bytes = fake_bus::reply(call, &step("allow"));
                    bytes.truncate(cut);
                    Does::Close(bytes)
                }
                _ => Does::Nothing,
            }
        })
    };
    let mut cut = 0;
    while login(&cut_at(cut).address()).auth != Code::SUCCESS {
        cut += 1;
        assert!(cut < 1000, "not even the whole reply lets in");
    }
    let any = Called {
        serial: 1,
        member: String::new(),
        interface: String::new(),
        destination: String::new(),
        body: vec![],
    };
    let whole = fake_bus::reply(&any, &(LOGIN, "allow", Messages::new(), Prompt::new())).len();
    assert_eq!(cut, whole, "bytes of the reply that let in");
}

#[test]
fn byp_23_32_megabytes_are_refused_within_little_memory() {
    require!(Root, Tool("prlimit"), Staged("pam_countersign.so"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    assert_honesty_lets_in(&bus);
    let huge: Lie = |to| one(to, &(LOGIN, "allow", vec![(4u32, "x".repeat(31 << 20))], Prompt::new()));
    for (begin, respond, prompts) in [(huge, allows as Lie, 0), (asks as Lie, huge, 1)] {
        let daemon = Daemon { begin, respond };
        let fake = daemon.scripted();
        let login = stack(&fake.address()).visit("alice").wrapped_by(&LITTLE_MEMORY);
        assert_refused(&login.run(["123456"]), prompts, "32 MB");
        let _daemon = daemon.real(&bus);
        let login = stack(&bus.address()).visit("alice").wrapped_by(&LITTLE_MEMORY);
        assert_refused(&login.run(["123456"]), prompts, "32 MB on a real bus");
    }
}

/// Signals and strange replies without end, each of them harmless: the deadline holds, and nothing piles up.
#[test]
fn prv_09_noise_without_end_ends_at_the_deadline() {
    require!(Root, Tool("prlimit"), Staged("pam_countersign.so"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    for (liar, prompts) in [("Begin", 0), ("Respond", 1)] {
        let _daemon = serve(&bus, move |wire, call| {
            let header = call.header();
            if header.member().is_some_and(|member| member.as_str() != liar) {
                let _ = wire.send(&bytes(&asks(&header)));
                return;
            }
            let noise = Message::signal("/", "org.countersign1.Login", "Noise");
            let noise = noise.destination(header.sender().expect("a caller").to_owned());
            let noise = bytes(&vec![noise.build(&"x".repeat(8192)).expect("a signal"); 16]);
            let until = std::time::Instant::now() + Duration::from_secs(4);
            while std::time::Instant::now() < until && wire.send(&noise).is_ok() {
                std::thread::sleep(Duration::from_millis(1));
            }
        });
        let login = stack(&bus.address()).visit("alice").wrapped_by(&LITTLE_MEMORY);
        assert_refused(&login.run(["123456"]), prompts, &format!("noise on {liar}"));
    }
}

/// An honest `allow` but for a descriptor that comes with it: the module takes none, and says so to nobody.
#[test]
fn byp_23_a_descriptor_comes_with_the_verdict() {
    require!(Root, Staged("pam_countersign.so"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    let _daemon = serve(&bus, |wire, call| {
        let header = call.header();
        if header.member().is_some_and(|member| member.as_str() != "Respond") {
            let _ = wire.send(&bytes(&asks(&header)));
            return;
        }
        let file = std::fs::File::open("/etc/passwd").expect("a file");
        let body = (LOGIN, "allow", Messages::new(), Prompt::new(), zbus::Fd::from(&file));
        let reply = bytes(&one(&header, &body));
        let rights = [file.as_raw_fd()];
        let rights = [ControlMessage::ScmRights(&rights)];
        let at = wire.stream().as_raw_fd();
        sendmsg::<()>(at, &[IoSlice::new(&reply)], &rights, MsgFlags::empty(), None).expect("the bus reads");
    });
    let open = || std::fs::read_dir("/proc/self/fd").expect("procfs").count();
    let before = open();
    assert_refused(&login(&bus.address()), 1, "a descriptor");
    assert_eq!(open(), before, "descriptors of the host");
}

/// A daemon that leaves instead of answering: nobody gets in, and the answer was sent once.
#[test]
fn byp_23_the_daemon_leaves_instead_of_answering() {
    require!(Root, Staged("pam_countersign.so"));
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    for (liar, prompts) in [("Begin", 0), ("Respond", 1)] {
        let _daemon = serve(&bus, move |wire, call| {
            let header = call.header();
            if header.member().is_some_and(|member| member.as_str() == liar) {
                drop(wire.stream().shutdown(Shutdown::Both));
            } else {
                let _ = wire.send(&bytes(&asks(&header)));
            }
        });
        assert_refused(&login(&bus.address()), prompts, &format!("gone at {liar}"));
    }
}

/// The account phase has a verdict of its own, and only two words of it let anybody in.
#[test]
fn byp_23_lies_in_reply_to_confirm() {
    require!(Staged("pam_countersign.so"));
    let words = [
        ("allow", true),
        ("not-required", true),
        ("deny", false),
        ("locked", false),
        ("ask", false),
        ("", false),
        ("ALLOW", false),
        ("verified", false),
    ];
    for (word, lets_in) in words {
        let daemon = FakeBus::with_daemon(DAEMON_UID, move |call| {
            let step = |verdict: &str, prompt: Prompt| {
                fake_bus::reply(call, &(LOGIN, verdict, Messages::new(), prompt))
            };
            Does::Bytes(match call.member.as_str() {
                "Begin" => step("ask", vec![(true, "code: ")]),
                "Respond" => step("allow", vec![]),
                _ => fake_bus::reply(call, &word),
            })
        });
        let outcome = login(&daemon.address());
        // Only uid 0 confirms; for others the account phase has no say.
        let expected = lets_in || !nix::unistd::geteuid().is_root();
        assert_eq!(outcome.account == Some(Code::IGNORE), expected, "{word:?}: {outcome:?}");
        assert_eq!(outcome.auth, Code::SUCCESS, "{word:?}");
    }
}
