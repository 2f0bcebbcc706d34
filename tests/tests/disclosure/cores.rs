//! DIS-03 and DIS-04: no core of ours, nothing of ours on a swap, and what a host's memory keeps of an answer.

use super::require_all;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Fixture, Mailer, artifacts};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::FileExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Whatever limit a service manager or a shell sets: both lower it themselves before they read a secret.
const UNLIMITED: [&str; 2] = ["prlimit", "--core=unlimited"];

fn assert_no_core_by_limit(pid: u32) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).expect("it runs");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
}

#[test]
fn dis_03_neither_daemon_nor_mailer_leaves_a_core() {
    require_all!(Tool("prlimit"));
    // The control: here a program does leave one.
    let place = Scratch::new("core");
    let script = "ulimit -c unlimited; kill -SEGV $$";
    let status = Command::new("sh").args(["-c", script]).current_dir(place.path()).status().expect("run sh");
    assert_eq!(status.signal(), Some(11), "{status:?}");
    let leaves_cores = status.core_dumped();
    eprintln!("a program that is not ours leaves a core here: {leaves_cores}");

    let mut t = Fixture::start_with(|setup| setup.wrapped_by(&UNLIMITED));
    for signal in [Signal::SIGSEGV, Signal::SIGABRT] {
        assert_no_core_by_limit(t.daemon.pid());
        // Rust looks at the first SIGSEGV, finds no stack overflow, and leaves the next one to the kernel.
        while t.daemon.is_running() {
            t.daemon.signal(signal);
            std::thread::sleep(Duration::from_millis(20));
        }
        let status = t.daemon.wait_end();
        assert_eq!((status.signal(), status.core_dumped()), (Some(signal as i32), false), "{status:?}");
        t.daemon.resume();
    }
    for signal in [Signal::SIGSEGV, Signal::SIGABRT] {
        let mut mailer = Mailer::start(&t.world, &t.bus, "[[policy]]\nname = \"all\"\nstatus = \"off\"\n");
        assert_no_core_by_limit(mailer.pid());
        kill(Pid::from_raw(i32::try_from(mailer.pid()).expect("a pid")), signal).expect("our own mailer");
        let until = Instant::now() + Duration::from_secs(5);
        let status = loop {
            assert!(Instant::now() < until, "the mailer lives");
            std::thread::sleep(Duration::from_millis(20));
            if let Some(status) = mailer.ended() {
                break status;
            }
            let _ = kill(Pid::from_raw(i32::try_from(mailer.pid()).expect("a pid")), signal);
        };
        assert_eq!((status.signal(), status.core_dumped()), (Some(signal as i32), false), "{status:?}");
    }
}

/// `--init` makes the key, and `--restore` reads one: neither leaves a core.
#[test]
fn dis_03_what_makes_the_key_leaves_no_core() {
    require_all!(Ptrace, Tool("prlimit"));
    let place = Scratch::new("core");
    let key = place.join("key");
    let mut init = Command::new("prlimit");
    init.args(["--core=unlimited", "strace", "-f", "-o", "/dev/null", "-e"]);
    // The first sync is that of the key file or of what comes before it.
    init.arg("inject=fsync,fdatasync:signal=SEGV:when=1").arg(artifacts::daemon());
    init.arg("--init").arg("--state").arg(place.join("state")).arg("--key-file").arg(&key);
    let status = init.current_dir(place.path()).stderr(Stdio::null()).status().expect("run strace");
    assert!(!status.success(), "{status:?}");
    let left: Vec<_> =
        fs::read_dir(place.path()).expect("a folder").flatten().map(|e| e.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("core")), "{left:?}");
}

/// The whole writable memory of a process.
fn memory(pid: u32) -> Vec<(String, Vec<u8>)> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).expect("it runs");
    let file = fs::File::open(format!("/proc/{pid}/mem")).expect("root may");
    let mut all = Vec::new();
    for line in maps.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((from, to)) = words[0].split_once('-').filter(|_| words[1].starts_with("rw")) else {
            continue;
        };
        let number = |hex: &str| u64::from_str_radix(hex, 16).expect("an address");
        let mut bytes = vec![0; usize::try_from(number(to) - number(from)).expect("fits")];
        if file.read_exact_at(&mut bytes, number(from)).is_ok() {
            all.push((words.get(5).unwrap_or(&"anonymous").to_string(), bytes));
        }
    }
    all
}

fn places_with(memory: &[(String, Vec<u8>)], what: &[u8]) -> Vec<String> {
    let holds = |bytes: &[u8]| {
        (0..bytes.len().saturating_sub(what.len()))
            .any(|at| bytes[at] == what[0] && bytes[at..].starts_with(what))
    };
    memory.iter().filter(|(_, bytes)| holds(bytes)).map(|(name, _)| name.clone()).collect()
}

#[test]
fn dis_03_no_answer_stays_in_the_hosts_memory() {
    require_all!(Tool("cc"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Scratch::new("heap");
    let program = place.join("heap");
    let source = artifacts::source_root().join("tests/tests/disclosure/heap.c");
    let out = Command::new("cc").args(["-Wall", "-O1", "-o"]).args([&program, &source]).arg("-lpam").output();
    assert!(out.as_ref().is_ok_and(|out| out.status.success()), "{out:?}");
    let stack = t.cs();
    let mut host = Command::new(&program)
        .arg(stack.dir())
        .args(["cs", "alice"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("run the host");
    // Longer than a code of an app, so that chance puts it nowhere.
    let code = &alice.recovery[0];
    host.stdin.take().expect("piped").write_all(format!("{code}\n").as_bytes()).expect("it reads");
    let mut told = [0];
    host.stdout.take().expect("piped").read_exact(&mut told).expect("it tells");
    let seen = memory(host.id());
    drop(host.kill());
    drop(host.wait());
    assert_eq!(told[0], b'y', "it was let in");
    assert!(!places_with(&seen, b"the-control-that-stays-in-the-heap").is_empty(), "the control");
    for spelling in [code.clone(), code.replace('-', "")] {
        assert_eq!(places_with(&seen, spelling.as_bytes()), [""; 0], "{spelling}");
    }
}

/// What holds secrets is never written to a swap, nor to a core by the service manager's leave.
#[test]
fn dis_04_units_keep_memory_off_the_disk() {
    for unit in ["countersignd", "countersign-mailer"] {
        let path = artifacts::source_root().join(format!("packaging/usr/lib/systemd/system/{unit}.service"));
        let text = fs::read_to_string(path).expect("a unit");
        for line in ["LimitCORE=0", "MemorySwapMax=0"] {
            assert!(text.lines().any(|one| one == line), "{unit}: {line}");
        }
    }
}
