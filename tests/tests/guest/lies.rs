//! PRV-09: a taken daemon against the root process that asks it. What it costs that process, and what it touches.

use super::{Host, LOGIN, OWNER, lines, silent, step};
use countersign_tests::fake_bus::{self, Called, Does, FakeBus};
use countersign_tests::scratch::Scratch;
use countersign_tests::{Code, Module, Stack, require};
use std::collections::BTreeSet;
use std::fs;
use std::time::{Duration, Instant};

/// What a lie may cost the host, in KiB.
const MOST: i64 = 4096;
/// What every prompt and message is full of.
const ESCAPES: &str = "\u{1b}[2J\u{1b}]52;c;ZXZpbA==\u{7}\u{9b}31m\r\n\u{8}\u{202e}\u{2028}/etc/shadow\0%n%s../../../root/.ssh/x";

type Lie = fn(&Called) -> Does;

fn huge(call: &Called) -> Does {
    Does::Bytes(fake_bus::reply(
        call,
        &(LOGIN, "allow", vec![(4u32, "x".repeat(31 << 20))], Vec::<(bool, &str)>::new()),
    ))
}

/// As many and as long as a step may have, all of it escapes.
fn escapes(call: &Called) -> Does {
    let text = ESCAPES.replace('\0', "");
    let messages = vec![(4u32, text.repeat(20)); 16];
    Does::Bytes(fake_bus::reply(call, &(LOGIN, "ask", messages, vec![(true, text.as_str())])))
}

fn dribble(call: &Called) -> Does {
    Does::Drip(fake_bus::reply(call, &step("allow")), 1, Duration::from_millis(100))
}

/// Messages without end, each of them whole, harmless and of no interest.
fn noise(call: &Called) -> Does {
    // It answers another call than the one that was made.
    let other = Called { serial: call.serial + 100, ..call.clone() };
    let reply = fake_bus::reply(
        &other,
        &(LOGIN, "allow", vec![(4u32, "x".repeat(8192))], Vec::<(bool, &str)>::new()),
    );
    Does::Drip(reply.repeat(4096), 64 << 10, Duration::from_millis(1))
}

/// A length in the header that would be four gigabytes.
fn boundless(call: &Called) -> Does {
    let mut bytes = fake_bus::reply(call, &step("allow"));
    bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    Does::Bytes(bytes)
}

const LIES: [(&str, Lie); 5] = [
    ("32 MB", huge),
    ("escapes", escapes),
    ("a dribble", dribble),
    ("noise", noise),
    ("4 GB announced", boundless),
];

/// A daemon that is honest but for one of its two answers.
fn liar(lies_at: &'static str, lie: Lie) -> FakeBus {
    FakeBus::with_daemon(OWNER, move |call| match call.member.as_str() {
        member if member == lies_at => lie(call),
        "Begin" => Does::Bytes(fake_bus::reply(call, &step("ask"))),
        "Respond" => Does::Bytes(fake_bus::reply(call, &step("allow"))),
        _ => Does::Bytes(fake_bus::reply(call, &"allow")),
    })
}

fn stack(bus: &FakeBus) -> Stack {
    Stack::cs1(&Module::shipped().on(&bus.address(), OWNER).option("after_first_factor").option("timeout=1"))
}

/// Every file that a trace opened, made, moved or took away.
fn touched(trace: &str) -> BTreeSet<String> {
    let named = |line: &str| line.split('"').nth(1).map(str::to_owned);
    let calls =
        ["openat(", "open(", "creat(", "unlink", "rename", "mkdir", "link", "symlink", "truncate(", "chmod"];
    let of_files =
        |line: &&str| calls.iter().any(|call| line.split_whitespace().any(|word| word.starts_with(call)));
    trace.lines().filter(of_files).filter_map(named).collect()
}

#[test]
fn prv_09_a_taken_daemon_costs_its_host_four_megabytes_at_most_and_touches_no_file() {
    require!(Root, Ptrace, Staged("pam_countersign.so"), Tool("cc"));
    let program = Host::compile();
    let (honest, files, said) = run(&program, &liar("", |_| Does::Nothing));
    assert!(said.contains("login 0 0\n"), "the control: {said}");
    assert!(files.iter().any(|path| path.contains("pam")), "the control: {files:?}");
    std::thread::scope(|scope| {
        for (what, lie) in LIES {
            for lies_at in ["Begin", "Respond"] {
                let (program, files) = (&program, &files);
                scope.spawn(move || {
                    let began = Instant::now();
                    let (cost, touched, said) = run(program, &liar(lies_at, lie));
                    let shown = format!("{what} at {lies_at}");
                    assert_harmless(&shown, &said);
                    assert!(cost - honest <= MOST, "{shown}: {cost} KiB, {honest} with an honest daemon");
                    assert!(touched.is_subset(files), "{shown}: {:?}", touched.difference(files));
                    // Two runs, and in each another login in a fork; each ends at its deadline of a second.
                    assert!(began.elapsed() < Duration::from_secs(25), "{shown}: {:?}", began.elapsed());
                    eprintln!("figures: {shown}: {cost} KiB (honest {honest})");
                });
            }
        }
    });
}

/// One login, and one more under strace: what it cost in KiB, what it touched, and what the host reports.
fn run(program: &Host, bus: &FakeBus) -> (i64, BTreeSet<String>, String) {
    let host = Host { dir: Scratch::new("host"), program: program.program.clone() };
    let stack = stack(bus);
    let (out, said) = host.run(&[], &[], &stack, 1);
    silent(&out);
    let peak = |when: &str| -> i64 { lines(&said, &format!("peak {when}"))[0].parse().expect("a number") };
    let trace = host.dir.join("files");
    let words = ["strace", "-f", "-e", "trace=%file", "-o", trace.to_str().expect("a path")];
    let (out, _) = host.run(&words, &[], &stack, 1);
    silent(&out);
    let own = [stack.dir().display().to_string(), host.dir.path().display().to_string()];
    let trace = fs::read_to_string(trace).expect("a trace");
    let touched = touched(&trace).into_iter().filter(|path| own.iter().all(|own| !path.starts_with(own)));
    (peak("after") - peak("before"), touched.collect(), said)
}

/// Nobody is let in by it, and no descriptor is left.
fn assert_harmless(shown: &str, said: &str) {
    let ended: Vec<&str> = said.lines().filter(|line| line.starts_with("login ")).collect();
    let success = format!("login {} ", Code::SUCCESS.0);
    // Ugly words are shown without their escapes; the answer to what they ask for is an honest one.
    let may = shown == "escapes at Begin";
    let let_in = ended.iter().any(|line| line.starts_with(&success));
    assert!(!ended.is_empty() && let_in == may, "{shown}: {ended:?}");
    let descriptors = |when: &str| -> Vec<String> {
        lines(said, when)
            .iter()
            .filter(|line| line.starts_with("descriptors"))
            .map(|l| (*l).to_owned())
            .collect()
    };
    assert_eq!(descriptors("before"), descriptors("after"), "{shown}");
}

/// What a person is shown of it is text.
#[test]
fn prv_09_escapes_reach_nobody() {
    require!(Staged("pam_countersign.so"));
    let bus = liar("Begin", escapes);
    let outcome = stack(&bus).login("alice", ["123456"]);
    assert!(outcome.shown.len() > 1, "the control: something was shown: {outcome:?}");
    for shown in &outcome.shown {
        let odd = |c: &char| {
            (c.is_control() && *c != '\n') || matches!(c, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
        };
        let found: Vec<char> = shown.text.chars().filter(odd).collect();
        assert!(found.is_empty(), "{found:?} in {:?}", shown.text);
    }
}
