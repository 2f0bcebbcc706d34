//! The harness tested on the distribution's own modules and programs: none of this needs our artefacts.

use countersign_tests::faults::{Strace, Volume};
use countersign_tests::people::{ALICE, BOB, DAVE, PEOPLE};
use countersign_tests::{
    Broker, Caller, Clock, Code, First, Fixture, HANG_UP, Module, Phase, PrivateBus, Pty, Sshd, Stack, World,
};
use countersign_tests::{require, ssh};
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn a_stack_returns_what_its_modules_say() {
    let permit = Stack::of("permit", &["auth required pam_permit.so", "account required pam_permit.so"]);
    let outcome = permit.login("alice", [""; 0]);
    assert!(outcome.passed(), "{outcome:?}");
    let deny = Stack::of("deny", &["auth required pam_deny.so"]);
    assert_eq!(deny.login("alice", [""; 0]).auth, Code::AUTH_ERR);
    let module = Module::at("pam_debug.so").option("auth=success").option("cred=cred_expired");
    let setcred = Stack::of("setcred", &[module.line("auth", "required", &[])]).visit("alice");
    let outcome = setcred.phases(&[Phase::Auth, Phase::Account, Phase::Setcred]).run([""; 0]);
    assert_eq!(
        (outcome.setcred, outcome.account),
        (Some(Code::CRED_EXPIRED), Some(Code::AUTH_ERR)),
        "`other` denies"
    );
}

#[test]
fn a_refusal_does_not_sleep_and_tells_the_delay() {
    let stack =
        Stack::of("delayed", &["auth optional pam_faildelay.so delay=4000000", "auth required pam_deny.so"]);
    let began = Instant::now();
    let outcome = stack.login("alice", [""; 0]);
    assert!(began.elapsed() < Duration::from_secs(1));
    assert!(outcome.delay_usec > 1_000_000, "{outcome:?}");
}

#[test]
fn the_probe_stack_tells_ignore_from_success() {
    for (word, code) in [
        ("ignore", Code::IGNORE),
        ("success", Code::SUCCESS),
        ("auth_err", Code::AUTH_ERR),
        ("maxtries", Code::MAXTRIES),
        ("authinfo_unavail", Code::AUTHINFO_UNAVAIL),
        ("perm_denied", Code::PERM_DENIED),
    ] {
        let module = Module::at("pam_debug.so").option(format!("auth={word}")).option(format!("acct={word}"));
        let outcome = Stack::probe(&module, &[]).login("alice", [""; 0]);
        assert_eq!(outcome.auth, code);
        if code == Code::IGNORE || code == Code::SUCCESS {
            assert_eq!(outcome.account, Some(code));
        }
    }
}

#[test]
fn a_password_is_checked_without_root() {
    require!(Library("pam_wrapper/pam_matrix.so"));
    let stack = Stack::cs_after(First::Matrix, &Module::at("pam_permit.so"));
    let right = stack.login("alice", [ALICE.password()]);
    assert!(right.passed(), "{right:?}");
    assert_eq!(right.prompts().len(), 1);
    assert_eq!(stack.login("alice", ["wrong"]).auth, Code::AUTH_ERR);
}

#[test]
fn held_logins_stand_at_their_prompt_until_released_together() {
    require!(Library("pam_wrapper/pam_matrix.so"));
    let stack = Stack::cs_after(First::Matrix, &Module::at("pam_permit.so"));
    for login in [stack.visit("bob"), stack.visit("bob").in_own_process()] {
        let rush = login.rush(64);
        assert_eq!(rush.at_prompt(), 64);
        let result = rush.release(|i| if i % 2 == 0 { BOB.password() } else { "wrong".to_owned() });
        assert_eq!((result.passed(), result.count(Code::AUTH_ERR)), (32, 32));
        eprintln!("64 answers let go in {:?}, spread over {:?}", result.released_in, result.spread);

        let held = login.hold();
        assert!(held.prompt().contains("Password"));
        // pam_matrix's word for an application that does not converse.
        assert_eq!(held.hang_up().auth, Code::AUTHINFO_UNAVAIL);
    }
    assert_eq!(stack.visit("bob").run([HANG_UP]).auth, Code::AUTHINFO_UNAVAIL);
}

#[test]
fn a_world_has_its_people_and_its_own_syslog() {
    require!(Root);
    let world = World::enter();
    for person in PEOPLE {
        let id = Command::new("id").arg("-u").arg(person.name).output().expect("run id");
        assert_eq!(String::from_utf8_lossy(&id.stdout).trim(), person.uid.to_string());
    }
    let said = Command::new("logger").arg("hello from the world").status().expect("run logger");
    assert!(said.success());
    assert!(world.wait_syslog("hello from the world").contains("hello"));
    let stack = Stack::cs_after(First::Unix, &Module::at("pam_permit.so"));
    for person in PEOPLE {
        assert!(stack.login(person.name, [person.password()]).passed());
    }
    assert_eq!(stack.login("alice", ["wrong"]).auth, Code::AUTH_ERR);
    assert_eq!(stack.login("nobody-here", ["wrong"]).auth, Code::USER_UNKNOWN);
}

#[test]
fn a_world_leaves_the_machine_alone() {
    require!(Root);
    let before = std::fs::read("/etc/passwd").expect("passwd");
    let inside = std::thread::spawn(|| {
        let _world = World::enter();
        std::fs::write("/etc/passwd", "gone").expect("our own /etc");
    });
    inside.join().expect("the world is entered");
    assert_eq!(std::fs::read("/etc/passwd").expect("passwd"), before);
}

#[test]
fn a_bus_stops_freezes_and_comes_back() {
    let mut bus = PrivateBus::start(nix::unistd::geteuid().as_raw());
    assert!(bus.has_owner("org.freedesktop.DBus"));
    assert!(!bus.has_owner("org.countersign1"));
    bus.stop();
    assert!(!bus.has_owner("org.freedesktop.DBus"));
    bus.resume();
    assert!(bus.has_owner("org.freedesktop.DBus"));
    bus.freeze();
    bus.thaw();
    bus.restart();
    assert!(bus.has_owner("org.freedesktop.DBus"));
}

#[test]
fn dbus_broker_runs_too() {
    require!(Root, Tool("dbus-broker-launch"));
    let world = World::enter();
    let mut bus = PrivateBus::start_with(Broker::DbusBroker, world.daemon_uid(), None, "");
    assert!(bus.has_owner("org.freedesktop.DBus"));
    bus.restart();
    assert!(bus.has_owner("org.freedesktop.DBus"));
}

#[test]
fn a_person_types_at_a_terminal() {
    let mut command = Command::new("sh");
    command.args(["-c", "printf 'code: ' >/dev/tty; read x </dev/tty; echo \"got $x\"; exit 3"]);
    let mut pty = Pty::spawn(&command);
    pty.expect("code: ");
    pty.send_line("123456");
    pty.expect("got 123456");
    assert_eq!(pty.wait(Duration::from_secs(5)).code(), Some(3));
}

#[test]
fn a_password_login_through_a_real_sshd() {
    require!(Root, Tool("sshd"), Tool("ssh"));
    let world = World::enter();
    let sshd = Sshd::start(&world, &ssh::password_lines());
    let right = sshd.login("alice", &[("Password:", &ALICE.password())]);
    assert!(right.passed(), "{right:?}\n{}", sshd.log());
    let wrong = sshd.login("alice", &[("Password:", "wrong")]);
    assert_eq!((wrong.code, wrong.answered), (Some(255), 1));
    let mut held = sshd.hold("bob", &[], "Password:");
    held.type_line(&BOB.password());
    assert!(held.finish().passed());
}

#[test]
fn a_clock_moves_under_a_running_program() {
    require!(Library("faketime/libfaketimeMT.so.1"));
    let clock = Clock::new();
    let mut command = Command::new("sh");
    command.args(["-c", "while read x; do date +%s; done"]);
    clock.apply(&mut command);
    let mut pty = Pty::spawn(&command);
    for shift in [0, 3600, -86_400, 30] {
        clock.shift(shift);
        pty.send_line("now");
        pty.expect("now\n");
        let near = clock.now().to_string();
        // The last digit may have moved on.
        pty.expect(&near[..near.len() - 1]);
    }
}

#[test]
fn strace_fails_a_call_of_a_running_program() {
    require!(Ptrace, Root);
    let mut command = Command::new("sh");
    command.args(["-c", "while read x; do if cd /tmp; then echo went; else echo stayed; fi; done"]);
    let mut pty = Pty::spawn(&command);
    pty.send_line("1");
    pty.expect("went");
    let strace = Strace::inject(pty.pid(), "chdir:error=EIO");
    pty.send_line("2");
    pty.expect("stayed");
    let calls = strace.finish();
    assert!(calls.iter().any(|call| call.name == "chdir" && call.line.contains("EIO")), "{calls:?}");
    pty.send_line("3");
    pty.expect("went");
}

#[test]
fn a_volume_fills_and_frees() {
    require!(Root);
    let _world = World::enter();
    for volume in [Volume::tmpfs(256, 0), Volume::ext4(8)] {
        assert!(volume.fill() > 100_000);
        let file = volume.path().join("more");
        assert!(std::fs::write(&file, [0; 8192]).is_err());
        volume.free();
        std::fs::write(&file, [0; 8192]).expect("room again");
        assert!(volume.set_read_only(true));
        assert!(std::fs::write(&file, b"x").is_err());
        assert!(volume.set_read_only(false));
    }
}

#[test]
fn somebody_calls_on_the_bus() {
    require!(Root, Staged("countersignd"));
    let t = Fixture::start();
    let begun = Caller::on(&t.bus).begin("bob", "passed").expect("root may begin for anyone");
    assert!(!begun.login.is_empty(), "{begun:?}");
    let manager = "org.countersign1.Manager";
    assert!(Caller::on(&t.bus).call(manager, "HostStatus", &[]).is_ok());
    let dave = Caller::on(&t.bus).as_uid(DAVE.uid).call(manager, "HostStatus", &[]);
    assert_eq!(dave.expect_err("not dave").name, "org.countersign1.Error.NotAuthorized");
}
