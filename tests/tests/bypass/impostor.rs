//! BYP-09: somebody else in the daemon's place.

use super::{assert_no_answer, require_all};
use countersign_protocol::names::BUS_NAME;
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{DAEMON_UID, DAVE};
use countersign_tests::{Broker, Code, DaemonSetup, Fixture, Module, PrivateBus, Stack, World};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// A call of dave's to the bus itself; what it answered or why not.
fn dave_asks_the_bus(bus: &PrivateBus, member: &str, args: &[&str]) -> String {
    let out = Command::new("dbus-send")
        .arg(format!("--bus={}", bus.address()))
        .args(["--print-reply=literal", "--dest=org.freedesktop.DBus", "/org/freedesktop/DBus"])
        .arg(format!("org.freedesktop.DBus.{member}"))
        .args(args)
        .uid(DAVE.uid)
        .gid(DAVE.uid)
        .output()
        .expect("run dbus-send (dbus-bin)");
    String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr)
}

fn probe(module: &Module) -> Stack {
    Stack::probe(&module.clone().option("timeout=2"), &["after_first_factor"])
}

#[test]
fn byp_09_dave_may_not_own_the_name() {
    require_all!();
    let mut t = Fixture::start();
    let name = format!("string:{BUS_NAME}");
    let request = || dave_asks_the_bus(&t.bus, "RequestName", &[&name, "uint32:7"]);
    assert!(request().contains("AccessDenied"), "beside the daemon: {}", request());
    assert!(
        dave_asks_the_bus(&t.bus, "RequestName", &["string:org.example.dave", "uint32:7"])
            .contains("AccessDenied")
    );
    t.daemon.stop();
    assert!(request().contains("AccessDenied"), "in its absence: {}", request());
    assert!(!t.bus.has_owner(BUS_NAME));
    t.daemon.resume();
    assert!(t.bus.has_owner(BUS_NAME), "the account countersign may");
}

/// A bus policy that lets dave own the name, and a real daemon of his: whatever it says, it is not ours.
#[test]
fn byp_09_an_owner_with_the_wrong_uid_is_not_believed() {
    require_all!();
    let world = World::enter();
    let bus = PrivateBus::start(DAVE.uid);
    let _impostor = DaemonSetup::new(&world, CONFIG).uid(DAVE.uid).start(&world, &bus);
    let on_bus = Module::shipped().option(format!("bus={}", bus.address()));
    let by_option = on_bus.clone().option(format!("owner={DAEMON_UID}"));
    for (what, module) in [("the uid of countersign in /etc/passwd", &on_bus), ("owner=", &by_option)] {
        // The impostor asks alice for a code and waives carol's.
        for user in ["alice", "carol"] {
            assert_no_answer(&probe(module).login(user, ["123456"]), &format!("{what}: {user}"));
        }
    }
    assert!(world.wait_syslog("belongs to uid 5004").contains("pam_countersign"));
    let misled = probe(&on_bus.option(format!("owner={}", DAVE.uid)));
    assert_eq!(misled.login("carol", [""; 0]).auth, Code::IGNORE, "the impostor does answer");
}

#[test]
fn byp_09_a_name_that_changes_hands_gets_no_answer() {
    require_all!();
    let world = World::enter();
    let too = format!(r#"<policy user="{}"><allow own="{BUS_NAME}"/></policy>"#, DAVE.uid);
    let bus = PrivateBus::start_with(Broker::Reference, DAEMON_UID, None, &too);
    let clock = std::sync::Arc::new(countersign_tests::Clock::new());
    let mut daemon = DaemonSetup::new(&world, CONFIG).clock(&clock).start(&world, &bus);
    let alice = daemon.enroll("alice");
    let stack = Stack::cs(&daemon.module().option("timeout=3"));
    let held = stack.hold("alice");
    daemon.stop();
    let mut impostor = DaemonSetup::new(&world, CONFIG).uid(DAVE.uid).start(&world, &bus);
    let code = alice.fresh_code();
    let outcome = held.answer(&code);
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{outcome:?}");
    assert!(world.wait_syslog("belongs to uid 5004").contains("cs:auth"));
    impostor.stop();
    daemon.resume();
    assert!(stack.login("alice", [&code]).passed(), "the code never left the module");
}

/// A service file where dave may write starts nothing, whatever he says of his directories.
#[test]
fn byp_09_nothing_is_activated_from_daves_paths() {
    require_all!();
    let world = World::enter();
    let home = std::path::Path::new(countersign_tests::people::HOMES).join(DAVE.name);
    let ran = home.join("ran");
    let program = home.join("fake");
    std::fs::write(&program, format!("#!/bin/sh\ntouch {}\n", ran.display())).expect("dave's home");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("dave's home");
    for folder in ["services", "system-services"] {
        let folder = home.join("share/dbus-1").join(folder);
        std::fs::create_dir_all(&folder).expect("dave's home");
        let text = format!("[D-BUS Service]\nName={BUS_NAME}\nExec={}\nUser=root\n", program.display());
        std::fs::write(folder.join(format!("{BUS_NAME}.service")), text).expect("dave's home");
    }
    let bus = PrivateBus::start_with(Broker::Reference, DAEMON_UID, None, "<standard_system_servicedirs/>");
    let share = home.join("share");
    let start = dave_asks_the_bus(&bus, "StartServiceByName", &[&format!("string:{BUS_NAME}"), "uint32:0"]);
    assert!(start.contains("ServiceUnknown"), "{start}");
    let environment = format!("dict:string:string:XDG_DATA_DIRS,{0},XDG_DATA_HOME,{0}", share.display());
    let update = dave_asks_the_bus(&bus, "UpdateActivationEnvironment", &[&environment]);
    assert!(update.contains("AccessDenied"), "{update}");

    let env = format!("XDG_DATA_DIRS={}", share.display());
    let data_home = format!("XDG_DATA_HOME={}", share.display());
    let module = Module::shipped().on(&bus.address(), DAEMON_UID);
    let login = probe(&module).visit("carol").wrapped_by(&["env", &env, &data_home]);
    assert_no_answer(&login.run(["123456"]), "nobody to activate");
    assert!(!ran.exists());
    drop(world);
}
