//! BYP-08: a setuid host started by an attacker, who chooses its environment.

use super::require_all;
use countersign_tests::fake_bus::{self, Called, Does, FakeBus};
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{ALICE, DAEMON_UID, DAVE};
use countersign_tests::scratch::Scratch;
use countersign_tests::{Clock, Daemon, DaemonSetup, Module, PrivateBus, Pty, Secret, World};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

const LOGIN: &str = "00112233445566778899aabbccddeeff";
const CODE: &str = "Verification code: ";

/// A step of the fake daemon: login, verdict, messages, prompts.
type Step = (&'static str, &'static str, Vec<(u32, String)>, Vec<(bool, String)>);

fn step(verdict: &'static str) -> Step {
    let prompt = if verdict == "ask" { vec![(true, CODE.to_owned())] } else { vec![] };
    (LOGIN, verdict, vec![], prompt)
}

/// A bus of dave's with a daemon that lets everybody in, by asking for any code or by asking for none.
fn generous_bus(opening: &'static str) -> FakeBus {
    let fake = FakeBus::with_daemon(DAEMON_UID, move |call: &Called| match call.member.as_str() {
        "Begin" => Does::Bytes(fake_bus::reply(call, &step(opening))),
        "Respond" => Does::Bytes(fake_bus::reply(call, &step("allow"))),
        _ => Does::Bytes(fake_bus::reply(call, &"allow")),
    });
    let socket = fake.address().replace("unix:path=", "");
    fs::set_permissions(socket, fs::Permissions::from_mode(0o777)).expect("our own socket");
    fake
}

/// `su` in a world with the module as it ships: no `bus=`, no `owner=`.
struct Su {
    world: World,
    _bus: PrivateBus,
    daemon: Daemon,
    alice: Secret,
    /// Where dave's files lie.
    lair: Scratch,
}

impl Su {
    fn new(options: &[&str]) -> Self {
        let world = World::enter();
        let bus = PrivateBus::start_as_system_bus(DAEMON_UID);
        let daemon = DaemonSetup::new(&world, CONFIG).clock(&Arc::new(Clock::new())).start(&world, &bus);
        let alice = daemon.enroll("alice");
        let shipped = Module::shipped().option("timeout=2");
        let module = options.iter().fold(shipped, |module, option| module.option(*option));
        let lines = [
            "auth requisite pam_unix.so nodelay".to_owned(),
            module.line("auth", "required", &["after_first_factor"]),
            "account required pam_unix.so".to_owned(),
            module.line("account", "required", &[]),
            "session required pam_permit.so".to_owned(),
        ];
        fs::write("/etc/pam.d/su", lines.join("\n") + "\n").expect("our own /etc");
        let lair = Scratch::new("lair");
        chown(lair.path(), Some(DAVE.uid), Some(DAVE.uid)).expect("our own directory");
        Self { world, _bus: bus, daemon, alice, lair }
    }

    /// Everything that dave can say about where things are.
    fn environment(&self, bus: &str) -> Vec<(String, String)> {
        let lair = self.lair.path().display().to_string();
        let file = |name: &str| format!("{lair}/{name}");
        let addresses = ["DBUS_SYSTEM_BUS_ADDRESS", "DBUS_SESSION_BUS_ADDRESS", "DBUS_STARTER_ADDRESS"];
        let ours = ["COUNTERSIGN_BUS", "COUNTERSIGN_ADDRESS", "COUNTERSIGN_BUS_ADDRESS"];
        let folders = [
            "HOME",
            "TMPDIR",
            "XDG_RUNTIME_DIR",
            "XDG_CONFIG_HOME",
            "XDG_CONFIG_DIRS",
            "XDG_DATA_HOME",
            "XDG_DATA_DIRS",
            "COUNTERSIGN_STATE",
            "COUNTERSIGN_STAGE",
            "GCONV_PATH",
            "LOCPATH",
            "NLSPATH",
            "LD_LIBRARY_PATH",
        ];
        let files = [
            "COUNTERSIGN_CONFIG",
            "SSL_CERT_FILE",
            "TZ",
            "LD_PRELOAD",
            "LD_AUDIT",
            "MALLOC_TRACE",
            "HOSTALIASES",
        ];
        let words = [
            ("COUNTERSIGN_OWNER", "5004"),
            ("COUNTERSIGN_SKIP", "1"),
            ("COUNTERSIGN_DEBUG", "1"),
            ("RUST_LOG", "trace"),
            ("RUST_BACKTRACE", "full"),
            ("RUST_LIB_BACKTRACE", "1"),
            ("ZBUS_LOG", "trace"),
            ("LANG", "../../evil"),
            ("LC_ALL", "../../evil"),
            ("SSH_AUTH_INFO_0", "publickey x"),
            ("PAM_USER", "carol"),
        ];
        let mut all: Vec<(String, String)> = words.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec();
        all.extend(addresses.iter().chain(&ours).map(|&name| (name.to_owned(), bus.to_owned())));
        all.extend(folders.iter().map(|&name| (name.to_owned(), lair.clone())));
        all.extend(files.iter().map(|&name| (name.to_owned(), file(name))));
        all
    }

    /// dave runs `su alice -c id` at a terminal. He knows her password and types `code` whenever asked.
    /// Returns the exit status, what the terminal showed, and what strace saw.
    fn run(&self, environment: &[(String, String)], code: &str) -> (Option<i32>, String, String) {
        let trace = self.lair.join("trace");
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-u", DAVE.name, "-e", "trace=connect,%file", "-o"]).arg(&trace);
        for (name, value) in environment {
            command.args(["-E", &format!("{name}={value}")]);
        }
        command.args(["su", "alice", "-c", "/usr/bin/id -un"]);
        let mut pty = Pty::spawn(&command);
        pty.expect("Password: ");
        pty.send_line(&ALICE.password());
        while pty.expect_or_end(CODE, Duration::from_secs(20)) {
            pty.send_line(code);
        }
        let status = pty.wait(Duration::from_secs(20));
        (status.code(), pty.transcript().to_owned(), fs::read_to_string(trace).unwrap_or_default())
    }

    /// Denied, with nothing on the terminal that `su` and we do not say, and nothing of dave's touched.
    fn assert_denied(&self, fake: &FakeBus, run: &(Option<i32>, String, String)) {
        let (status, terminal, trace) = run;
        assert_eq!(*status, Some(1), "{terminal}");
        let known = ["Password:", CODE.trim_end(), "That code is not right", "Lost your phone?", "su: "];
        let strange: Vec<&str> = terminal
            .lines()
            .filter(|line| !line.is_empty() && !known.iter().any(|k| line.starts_with(k)))
            .collect();
        assert!(strange.is_empty(), "{strange:?}");
        assert!(fake.calls().is_empty(), "dave's bus was called: {:?}", fake.calls());
        let socket = fake.address().replace("unix:path=", "");
        let lair = self.lair.path().display().to_string();
        // The first line is the exec, whose environment strace does not print.
        let touched: Vec<&str> = trace.lines().filter(|l| l.contains(&socket) || l.contains(&lair)).collect();
        assert!(touched.is_empty(), "{touched:#?}");
        assert!(trace.contains("/run/dbus/system_bus_socket"), "the trace saw the module at work: {trace}");
    }
}

#[test]
fn byp_08_su_does_not_follow_the_attackers_environment() {
    require_all!(Tool("su"), Ptrace);
    let mut su = Su::new(&[]);
    let asking = generous_bus("ask");
    let environment = su.environment(&asking.address());

    let wrong = su.run(&environment, &su.alice.wrong_code(1));
    su.assert_denied(&asking, &wrong);
    let right = su.run(&environment, &su.alice.fresh_code());
    assert_eq!(right.0, Some(0), "the right code passes: {}", right.1);
    assert!(right.1.ends_with("alice\n"), "{}", right.1);

    // Without the real daemon the attacker's would be the only one.
    su.daemon.stop();
    for opening in ["ask", "not-required"] {
        let fake = generous_bus(opening);
        let run = su.run(&su.environment(&fake.address()), "123456");
        su.assert_denied(&fake, &run);
        assert!(!run.1.contains(CODE), "nobody is there to ask: {}", run.1);
    }
    let rows: Vec<_> = {
        su.daemon.resume();
        su.daemon.log("alice").into_iter().filter(|row| row.service == "su").collect()
    };
    let states: Vec<&str> = rows.iter().map(|row| row.state.as_str()).collect();
    assert_eq!(states, ["denied", "verified"], "{rows:#?}");
    assert!(rows.iter().all(|row| row.ruser == "dave" && row.program == "/usr/bin/su"), "{rows:#?}");
    drop(su.world);
}

/// DIS-05: nor does it make the module talk, not even on a line that says `debug`.
#[test]
fn dis_05_neither_environment_nor_debug_shows_a_secret() {
    require_all!(Tool("su"), Ptrace);
    let su = Su::new(&["debug"]);
    let fake = generous_bus("ask");
    let environment = su.environment(&fake.address());
    let (wrong, right) = (su.alice.wrong_code(1), su.alice.fresh_code());
    su.assert_denied(&fake, &su.run(&environment, &wrong));
    let run = su.run(&environment, &right);
    assert_eq!(run.0, Some(0), "the right code passes: {}", run.1);
    let typed = [wrong.as_str(), right.as_str()];
    let shown = |line: &&str| !line.is_empty() && !typed.iter().any(|code| line.ends_with(code));
    // What happened to her factors is told to her, whoever types.
    let known = ["Password:", "Since your last login", "  ", "If any of this was not you"];
    let is_known = |line: &&str| known.iter().any(|start| line.starts_with(start));
    let strange: Vec<&str> = run.1.lines().filter(shown).filter(|line| !is_known(line)).collect();
    assert_eq!(strange, ["alice"], "nothing but what was asked for: {}", run.1);
    let syslog = su.world.syslog().join("\n");
    assert!(syslog.contains("begins: rhost="), "the module's debug lines: {syslog}");
    let password = ALICE.password();
    let daemon = su.daemon.said();
    for secret in [wrong.as_str(), &right, &password, &su.alice.base32] {
        assert!(!syslog.contains(secret) && !daemon.contains(secret), "{secret}: {syslog}\n{daemon}");
    }
}
