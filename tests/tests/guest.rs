//! The module as a guest in somebody's process: what it leaves behind, touches and costs.

#[path = "guest/lies.rs"]
mod lies;

use countersign_tests::fake_bus::{self, Called, Does, FakeBus};
use countersign_tests::faults::Strace;
use countersign_tests::people::DAEMON_UID;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Code, Fixture, Module, PrivateBus, Stack, World, artifacts, require};
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output};

const OWNER: u32 = 4242;
const LOGIN: &str = "00112233445566778899aabbccddeeff";

/// The four out-arguments of a step.
type Step<'a> = (&'a str, &'a str, Vec<(u32, &'a str)>, Vec<(bool, &'a str)>);

fn step(verdict: &str) -> Step<'_> {
    let prompt = if verdict == "ask" { vec![(true, "Verification code: ")] } else { vec![] };
    (LOGIN, verdict, vec![(4, "a message")], prompt)
}

/// A daemon that is right about every login.
fn honest() -> FakeBus {
    FakeBus::with_daemon(OWNER, |call| {
        Does::Bytes(match call.member.as_str() {
            "Begin" => fake_bus::reply(call, &step("ask")),
            "Respond" => fake_bus::reply(call, &step("allow")),
            _ => fake_bus::reply(call, &"allow"),
        })
    })
}

/// A daemon that ends each login differently, by turns.
fn moody() -> FakeBus {
    let mut logins = 0;
    FakeBus::with_daemon(OWNER, move |call| {
        if call.member == "Begin" {
            logins += 1;
        }
        let answer = |bytes: fn(&Called) -> Vec<u8>| Does::Bytes(bytes(call));
        match (call.member.as_str(), logins % 5) {
            ("Begin", 0) => answer(|call| fake_bus::reply(call, &step("not-required"))),
            ("Begin", 1) => answer(|call| fake_bus::reply(call, &(LOGIN, 7u32))),
            ("Begin", 2) => answer(|call| fake_bus::error(call, "org.countersign1.Error.Unavailable", "no")),
            ("Begin", _) => answer(|call| fake_bus::reply(call, &step("ask"))),
            ("Respond", 3) => answer(|call| fake_bus::reply(call, &step("deny"))),
            ("Respond", _) => answer(|call| fake_bus::reply(call, &step("allow"))),
            _ => answer(|call| fake_bus::reply(call, &"allow")),
        }
    })
}

/// A PAM application in C, compiled for this test: no second copy of Rust's runtime is in it.
struct Host {
    dir: Scratch,
    program: PathBuf,
}

impl Host {
    fn compile() -> Self {
        let dir = Scratch::new("host");
        let program = dir.join("host");
        let source = artifacts::source_root().join("tests/tests/guest/host.c");
        let out = Command::new("cc")
            .args(["-Wall", "-O1", "-rdynamic", "-o"])
            .args([&program, &source])
            .arg("-lpam")
            .output()
            .expect("run cc (gcc, libpam0g-dev)");
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Self { dir, program }
    }

    /// Runs `times` logins behind these words; what it printed and what it reports.
    fn run(&self, words: &[&str], env: &[(&str, &str)], stack: &Stack, times: usize) -> (Output, String) {
        let report = self.dir.join("report");
        let mut command = Command::new(words.first().map_or(self.program.as_os_str(), |word| word.as_ref()));
        if let Some((_, rest)) = words.split_first() {
            command.args(rest).arg(&self.program);
        }
        let service = stack.file();
        command.arg(&report).arg(stack.dir()).arg(service.file_name().expect("a service"));
        let out = command.args(["alice", &times.to_string()]).envs(env.iter().copied()).output();
        (out.expect("run the host"), fs::read_to_string(report).expect("its report"))
    }
}

fn silent(out: &Output) {
    assert!(out.status.success(), "{out:?}");
    assert!(out.stdout.is_empty() && out.stderr.is_empty(), "something was printed: {out:?}");
}

/// The lines that begin with `when`, without it.
fn lines<'a>(report: &'a str, when: &str) -> Vec<&'a str> {
    report.lines().filter_map(|line| line.strip_prefix(when)?.strip_prefix(' ')).collect()
}

#[test]
fn prv_17_a_thousand_logins_leave_the_process_as_it_was() {
    require!(Staged("pam_countersign.so"), Tool("cc"));
    let fake = moody();
    let stack = Stack::cs1(&Module::shipped().on(&fake.address(), OWNER).option("after_first_factor"));
    let (out, report) = Host::compile().run(&[], &[("RUST_BACKTRACE", "1")], &stack, 1000);
    silent(&out);
    let (before, after) = (lines(&report, "before"), lines(&report, "after"));
    assert!(before.len() > 80 && before.contains(&"Threads:\t1"), "{before:#?}");
    assert_eq!(before, after);

    // Every way a login can end was among them.
    let ended = |auth: Code, account: Code| {
        let line = format!("login {} {}", auth.0, account.0);
        report.lines().filter(|l| **l == line).count()
    };
    assert_eq!(ended(Code::SUCCESS, Code::SUCCESS), 200, "verified and confirmed");
    assert_eq!(ended(Code::AUTH_ERR, Code::PERM_DENIED), 200, "a wrong code");
    assert_eq!(ended(Code::AUTHINFO_UNAVAIL, Code::AUTHINFO_UNAVAIL), 400, "no answer");
    assert_eq!(ended(Code::PERM_DENIED, Code::SUCCESS), 200, "all modules say ignore");
    assert!(report.contains("\nfork 9\n"), "the next login, malformed, ends the same way in a fork");

    let memory = |when: &str| -> Vec<i64> {
        let line = lines(&report, &format!("memory {when}"));
        line[0].split(' ').map(|n| n.parse().expect("a number")).collect()
    };
    let (start, warm, end) = (memory("before"), memory("warm"), memory("after"));
    eprintln!(
        "figures: resident {start:?} -> {warm:?} after 100 -> {end:?} after 1000 (KiB, bytes on the heap)"
    );
    assert!(end[0] - warm[0] <= 64, "900 logins cost {} KiB", end[0] - warm[0]);
    // Freed pieces that glibc keeps at hand come and go by some kilobytes.
    assert!(end[1] - warm[1] <= 32 * 1024, "900 logins left {} bytes on the heap", end[1] - warm[1]);
}

/// The environment of a setuid `su` is the attacker's. std is linked in and could read it; it must not.
#[test]
fn prv_17_the_module_reads_no_environment_variable() {
    require!(Staged("pam_countersign.so"), Tool("cc"), Tool("nm"));
    let fake = moody();
    let stack = Stack::cs1(&Module::shipped().on(&fake.address(), OWNER).option("debug"));
    let host = Host::compile();
    let bindings = host.dir.join("bindings");
    let env = [("LD_DEBUG", "bindings"), ("LD_DEBUG_OUTPUT", bindings.to_str().expect("a path"))];
    let (out, report) = host.run(&[], &env, &stack, 20);
    silent(&out);
    assert!(report.contains("environment reads 0\n"), "{report}");

    let nm = Command::new("nm").args(["-D", "--undefined-only"]).arg(artifacts::module()).output();
    let undefined = String::from_utf8_lossy(&nm.expect("run nm").stdout).into_owned();
    let imported: BTreeSet<&str> =
        undefined.lines().filter_map(|l| l.split_whitespace().last()?.split('@').next()).collect();
    for name in ["environ", "__environ", "secure_getenv", "setenv", "putenv", "unsetenv"] {
        assert!(!imported.contains(name), "{name} is imported");
    }
    // std keeps getenv for its own panic message, which is switched off. The host counted calls of it:
    // that the module is bound to the host's is the control.
    if imported.contains("getenv") {
        let bound = fs::read_dir(host.dir.path()).expect("our own directory").flatten().any(|entry| {
            fs::read_to_string(entry.path()).is_ok_and(|text| {
                text.lines().any(|l| {
                    l.contains("pam_countersign.so") && l.contains("/host [0]") && l.contains("`getenv'")
                })
            })
        });
        assert!(bound, "the module's getenv is not the one that counts");
    }
}

/// The system calls of one login: ours, and below the line those of libpam alone, which reads the stack,
/// loads pam_permit anew and writes to the kernel's audit log.
const CALLS: [&str; 20] = [
    "openat",
    "statx",
    "read",
    "close",
    "readlink",
    "getpid",
    "geteuid",
    "socket",
    "setsockopt",
    "connect",
    "sendto",
    "recvfrom",
    // libpam
    "newfstatat",
    "mmap",
    "mprotect",
    "munmap",
    "fcntl",
    "ioctl",
    "poll",
    "access",
];

#[test]
fn prv_17_a_login_opens_passwd_the_bus_and_the_log_and_nothing_else() {
    require!(Root, Ptrace, Staged("pam_countersign.so"), Tool("cc"));
    let world = World::enter();
    let fake = FakeBus::with_daemon(DAEMON_UID, |call| {
        Does::Bytes(match call.member.as_str() {
            "Begin" => fake_bus::reply(call, &step("ask")),
            "Respond" => fake_bus::reply(call, &step("allow")),
            _ => fake_bus::reply(call, &"allow"),
        })
    });
    // No owner=: the uid comes from /etc/passwd.
    let stack = Stack::cs1(&Module::shipped().option(format!("bus={}", fake.address())).option("debug"));
    let host = Host::compile();
    let trace = host.dir.join("trace");
    let words = ["strace", "-f", "-o", trace.to_str().expect("a path")];
    let (out, report) = host.run(&words, &[], &stack, 2);
    silent(&out);
    assert!(report.contains("login 0 0\nlogin 0 0\n"), "{report}");
    let _ = world.wait_syslog("verified");

    let text = fs::read_to_string(trace).expect("a trace");
    let (_, second) = text.split_once("/the/first/login/is/over").expect("the first mark");
    let (second, _) = second.split_once("/the/last/login/is/over").expect("the last mark");
    let calls: Vec<&str> =
        second.lines().skip(1).filter_map(|l| l.split_once(' ')).map(|(_, c)| c.trim()).collect();
    let of = |name: &str| -> Vec<&str> {
        calls.iter().copied().filter(|call| call.split('(').next() == Some(name)).collect()
    };
    for call in &calls {
        let name = call.split('(').next().unwrap_or_default();
        assert!(CALLS.contains(&name), "a new system call: {call}");
        let writes = ["O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC", "O_APPEND"];
        assert!(name != "openat" || writes.iter().all(|flag| !call.contains(flag)), "{call}");
    }
    let path = |call: &str| call.split('"').nth(1).unwrap_or_default().to_owned();
    let confdir = stack.dir().display().to_string();
    let opened: Vec<String> = of("openat")
        .into_iter()
        .map(path)
        .filter(|p| !p.starts_with(&confdir) && !p.ends_with("/pam_permit.so"))
        .collect();
    assert_eq!(opened, ["/etc/passwd"; 2], "in the auth phase and in the account phase");
    let bus = fake.address().replace("unix:path=", "");
    assert_eq!(of("connect").into_iter().map(path).collect::<Vec<_>>(), vec![bus; 3]);
    let addressed: Vec<&str> = of("sendto").into_iter().filter(|call| call.contains("sun_path=")).collect();
    assert!(!addressed.is_empty() && addressed.iter().all(|call| call.contains("sun_path=\"/dev/log\"")));
    assert!(of("socket").iter().all(|call| call.contains("AF_UNIX") || call.contains("NETLINK_AUDIT")));
    assert!(of("readlink").iter().all(|call| call.contains("\"/proc/self/exe\"")));
    assert!(of("ioctl").iter().all(|call| call.contains("TCGETS")), "libpam asks for the terminal's name");
}

#[test]
fn a_login_is_two_calls_and_one_more_to_confirm() {
    require!(Staged("pam_countersign.so"));
    let fake = honest();
    let stack = Stack::cs(&Module::shipped().on(&fake.address(), OWNER));
    let login = stack.visit("alice").in_own_process();
    assert!(login.run(["123456"]).passed());
    let told = |interface: &str| -> Vec<String> {
        let calls = fake.calls().into_iter().filter(|call| call.interface == interface);
        calls.map(|call| call.member).collect()
    };
    assert_eq!(told("org.countersign1.Login"), ["Begin", "Respond", "Confirm"]);
    let questions = [
        "Hello",
        "GetNameOwner",
        "GetConnectionUnixUser",
        "Hello",
        "GetConnectionUnixUser",
        "Hello",
        "GetConnectionUnixUser",
    ];
    assert_eq!(told("org.freedesktop.DBus"), questions, "the bus is asked who answers, each time");
}

#[test]
fn one_durable_commit_for_each_try_and_none_for_the_rest() {
    require!(Root, Ptrace, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    // The first commit of a database's life also makes its log durable.
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
    let pid = t.daemon.pid();
    let counted = |what: &str, syncs: usize, work: &mut dyn FnMut()| {
        let strace = Strace::attach(pid, &["--trace=fsync,fdatasync,sync_file_range,msync,sync,syncfs"]);
        work();
        let calls = strace.finish();
        assert_eq!(calls.len(), syncs, "{what}: {calls:#?}");
    };
    let mut held = None;
    counted("Begin", 0, &mut || held = Some(t.cs().hold("alice")));
    let mut held = held.expect("a login at its prompt");
    counted("a wrong code", 1, &mut || {
        held.send_answer(alice.wrong_code(1));
        held.wait();
    });
    counted("the right code, and Confirm", 1, &mut || {
        held.send_answer(alice.fresh_code());
        held.wait();
    });
    assert!(held.finish().passed());
    counted("somebody who needs no code", 0, &mut || drop(t.cs().login("carol", [""; 0])));
    counted("hanging up", 0, &mut || drop(t.cs().hold("alice").hang_up()));
}

/// The module of the same profile in which every `pam_sm_authenticate` panics.
fn panicking_module() -> PathBuf {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let out = Command::new(cargo)
        .current_dir(artifacts::source_root())
        .args([
            "build",
            "--locked",
            "--offline",
            "--profile",
            "probe",
            "--config",
            "profile.probe.inherits=\"release\"",
        ])
        .args(["-p", "pam-countersign", "--features", "panic-probe", "--message-format=json"])
        .output()
        .expect("run cargo");
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let said = String::from_utf8_lossy(&out.stdout).into_owned();
    let file = said.split('"').rfind(|word| word.ends_with("/libpam_countersign.so"));
    PathBuf::from(file.expect("cargo names the file"))
}

#[test]
fn inp_13_a_panic_denies_and_the_host_lives_on() {
    require!(Root, Tool("cc"));
    let module = panicking_module();
    let world = World::enter();
    let bus = PrivateBus::start(world.daemon_uid());
    let stack = Stack::cs1(&Module::at(&module).on(&bus.address(), OWNER).option("debug"));
    let (out, report) = Host::compile().run(&[], &[("RUST_BACKTRACE", "full")], &stack, 200);
    silent(&out);
    let line = format!("login {} {}", Code::ABORT.0, Code::AUTHINFO_UNAVAIL.0);
    assert_eq!(report.lines().filter(|l| *l == line).count(), 200, "{}", &report[..report.len().min(2000)]);
    assert!(report.contains(&format!("\nfork {}\n", Code::ABORT.0)), "a fork survives too");
    assert_eq!(lines(&report, "before"), lines(&report, "after"));
    let memory = lines(&report, "memory");
    eprintln!("figures: resident and heap with a panic in each login: {memory:?}");

    let told = world.wait_syslog("panicked at");
    assert!(told.contains("entry.rs"), "{told}");
    assert!(
        world.syslog().iter().all(|line| !line.contains("hunter2")),
        "the text of a panic is not for the log"
    );
}
