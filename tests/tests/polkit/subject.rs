//! Whom polkit is asked about, and that it is who acts.

use super::Scene;
use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{ALICE, BOB, CAROL, DAVE};
use countersign_tests::polkit::{POLKIT, Polkit, Says};
use countersign_tests::polkitd::{POLKITD, rule};
use countersign_tests::{Daemon, Fixture, Polkitd, Wire, World, require};
use std::collections::HashMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};
use zbus::Message;

fn is_enrolled(t: &Fixture, user: &str) -> bool {
    t.daemon.ctl().run(&["status", user]).ok().stdout.contains("totp")
}

/// A call of `Reset`, as bytes for a connection that has said hello.
fn reset(user: &str) -> Vec<u8> {
    let call = Message::method_call(OBJECT_PATH, "Reset").destination(BUS_NAME);
    let call = call.interface(MANAGER_INTERFACE).build(&(user, "a test", false)).expect("a call");
    call.data().bytes().to_vec()
}

/// Sends the call and becomes a setuid program while polkit thinks. What counts is who connected.
const SWAP: &str = r#"
use Socket;
$^F = 20;
my ($path, $uid, $call) = @ARGV;
socket(my $bus, PF_UNIX, SOCK_STREAM, 0) or die;
connect($bus, sockaddr_un($path)) or die;
syswrite($bus, "\0AUTH EXTERNAL " . unpack("H*", $uid) . "\r\n");
sysread($bus, my $ok, 4096);
my $hello = pack("H*", $ENV{HELLO});
syswrite($bus, "BEGIN\r\n" . $hello . pack("H*", $call));
select(undef, undef, undef, 0.1);
exec("/run/roots-sleep", "20");
"#;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn prv_03_a_caller_who_becomes_a_setuid_program_is_still_who_connected() {
    require!(Root, Tool("perl"), Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    fs::copy("/usr/bin/sleep", "/run/roots-sleep").expect("copy a program");
    chown("/run/roots-sleep", Some(0), Some(0)).expect("root's");
    fs::set_permissions("/run/roots-sleep", fs::Permissions::from_mode(0o4755)).expect("setuid");
    let polkit = Polkit::scripted(&t.bus, |_| {
        // Time to become somebody else.
        std::thread::sleep(Duration::from_millis(600));
        Says::No
    });
    let hello = Message::method_call("/org/freedesktop/DBus", "Hello").destination("org.freedesktop.DBus");
    let hello = hello.interface("org.freedesktop.DBus").build(&()).expect("a call");
    let mut swap = Command::new("/usr/bin/perl");
    swap.args(["-e", SWAP]).arg(t.bus.socket()).arg(DAVE.uid.to_string()).arg(hex(&reset("alice")));
    swap.env("HELLO", hex(hello.data().bytes())).uid(DAVE.uid).gid(DAVE.uid).stdin(Stdio::null());
    let mut child = swap.spawn().expect("perl");
    polkit.wait();
    let until = Instant::now() + Duration::from_secs(5);
    let status = loop {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).expect("a process");
        if status.starts_with("Name:\troots-sleep") || Instant::now() > until {
            break status;
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let uids = status.lines().find(|line| line.starts_with("Uid:")).expect("uids");
    assert_eq!(uids.split_whitespace().nth(2), Some("0"), "the control: it is root by now: {status}");
    let asked = polkit.asked();
    assert_eq!(asked.len(), 1);
    assert!(asked[0].caller.starts_with(':'), "the subject is a name on the bus: {asked:?}");
    let mut root = Wire::on(&t.bus);
    let driver = "org.freedesktop.DBus";
    let uid = root.call(driver, "/", driver, "GetConnectionUnixUser", &asked[0].caller.as_str());
    assert_eq!(uid.expect("still there").body().deserialize::<u32>().expect("a uid"), DAVE.uid);
    std::thread::sleep(Duration::from_millis(800));
    assert!(is_enrolled(&t, "alice"));
    drop(child.kill());
    drop(child.wait());
}

/// polkit is asked about a person by name and uid. When the name is somebody else's by the time of its yes,
/// nobody else is acted on.
#[test]
fn prv_07_whom_polkit_was_asked_about_is_who_is_acted_on() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let _factors = ["alice", "bob"].map(|user| t.daemon.enroll(user));
    let swapped = Mutex::new(false);
    let polkit = Polkit::scripted(&t.bus, move |_| {
        let mut swapped = swapped.lock().expect("nobody panics with it");
        if !std::mem::replace(&mut *swapped, true) {
            exchange_alice_and_bob();
        }
        Says::Yes
    });
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    let reply = dave.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &("alice", "a test", false));
    let asked = polkit.asked();
    assert_eq!(asked[0].details["uid"], ALICE.uid.to_string());
    assert_eq!(asked[0].details["user"], "alice");
    // By uid: what the database has under bob's uid is bob's, whatever it is called now.
    let left = |uid: u32| {
        t.daemon.ctl().run(&["users", "--json"]).ok().json().iter().any(|row| row["uid"] == u64::from(uid))
    };
    assert!(left(BOB.uid), "bob was not asked about: {reply:?}");
    assert_eq!(left(ALICE.uid), reply.is_err(), "done to alice, or refused");
}

/// The name is somebody else's uid by the time of polkit's yes.
fn exchange_alice_and_bob() {
    let text = fs::read_to_string("/etc/passwd").expect("our own /etc");
    let (alice, bob) = (format!("alice:x:{}:", ALICE.uid), format!("bob:x:{}:", BOB.uid));
    let text = text.replace(&alice, "alice:x:0x:").replace(&bob, &format!("bob:x:{}:", ALICE.uid));
    let text = text.replace("alice:x:0x:", &format!("alice:x:{}:", BOB.uid));
    fs::write("/etc/passwd", text).expect("our own /etc");
    // The daemon remembers for two seconds who somebody is: whoever looked again would find another.
    std::thread::sleep(Duration::from_millis(2300));
}

/// The same of what needs nothing in the database: an exemption is for the uid that polkit was asked about.
#[test]
fn prv_07_what_is_granted_is_for_the_uid_that_was_approved() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let polkit = Polkit::scripted(&t.bus, move |_| {
        exchange_alice_and_bob();
        Says::Yes
    });
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    let until = i64::try_from(t.clock().now()).expect("a date") + 86_400;
    let reply = dave.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Exempt", &("alice", until, "a test"));
    assert!(reply.is_ok(), "{reply:?}");
    assert_eq!(polkit.asked()[0].details["uid"], ALICE.uid.to_string());
    let rows = t.daemon.ctl().run(&["exempt", "--json"]).ok().json();
    let granted: Vec<_> = rows.iter().map(|row| row["uid"].as_u64()).collect();
    assert_eq!(granted, [Some(u64::from(ALICE.uid))], "{rows:?}");
}

/// As polkit itself reads our actions: a session that is active gets no more than one that is not, so nothing is
/// gained by pretending.
#[test]
fn prv_06_an_active_session_is_worth_nothing() {
    type Described =
        Vec<(String, String, String, String, String, String, u32, u32, u32, HashMap<String, String>)>;
    require!(Root, File("/usr/lib/polkit-1/polkitd"), Staged("countersignd"), Staged("countersignctl"));
    let scene = Scene::start();
    let _alice = scene.daemon.enroll("alice");
    let mut root = Wire::on(&scene.bus);
    let path = "/org/freedesktop/PolicyKit1/Authority";
    let reply = root.call(POLKIT, path, "org.freedesktop.PolicyKit1.Authority", "EnumerateActions", &"");
    let reply = reply.expect("polkit's actions");
    let (actions,): (Described,) = reply.body().deserialize().expect("actions as polkit describes them");
    let ours: Vec<_> = actions.iter().filter(|action| action.0.starts_with("org.countersign1.")).collect();
    assert!(ours.len() >= 9, "{ours:?}");
    // PolkitImplicitAuthorization: 2 asks an administrator each time, 1 the person; 3 and 4 would keep it.
    for action in ours {
        let expected = if action.0.ends_with(".enroll-self") { 1 } else { 2 };
        let (any, inactive, active) = (action.6, action.7, action.8);
        assert_eq!([any, inactive, active], [expected; 3], "{}", action.0);
    }
    for who in [CAROL, DAVE] {
        let mut ctl = Command::new(countersign_tests::artifacts::ctl());
        ctl.args(["reset", "alice", "--reason", "mine", "--yes"])
            .uid(who.uid)
            .gid(who.uid)
            .stdin(Stdio::null());
        ctl.env("XDG_SEAT", "seat0")
            .env("XDG_VTNR", "1")
            .env("XDG_SESSION_ID", "1")
            .env("XDG_SESSION_TYPE", "tty");
        let out = ctl.output().expect("countersignctl runs");
        assert_eq!(out.status.code(), Some(4), "{out:?}");
    }
    assert!(scene.is_enrolled("alice"));
}

/// The pid of a process, given to another of this person's by the kernel's own counter. None where that cannot be
/// set, or where others are always faster.
fn take_pid(pid: u32, uid: u32) -> Option<std::process::Child> {
    for _ in 0..200 {
        fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
        let mut sleep = Command::new("/usr/bin/sleep");
        let mut child = sleep.arg("60").uid(uid).gid(uid).stdin(Stdio::null()).spawn().expect("run sleep");
        if child.id() == pid {
            return Some(child);
        }
        drop(child.kill());
        drop(child.wait());
    }
    None
}

/// Who connected has gone, their connection lives on in another process, and their pid is an administrator's by
/// now. The real polkit must not take the one for the other, nor we.
#[test]
fn prv_03_a_pid_that_is_somebody_elses_by_now_is_worth_nothing() {
    require!(Root, File(POLKITD), Staged("countersignd"), Staged("countersignctl"));
    let rules = format!(
        "polkit.addRule(function (action, subject) {{ if (subject.user == \"{}\") {{ return polkit.Result.YES; }} }});\n",
        CAROL.name
    );
    let world = World::enter();
    rule("50-carol", &rules);
    let bus = Polkitd::bus(&world);
    let daemon = Daemon::start(&world, &bus, CONFIG);
    let _alice = daemon.enroll("alice");
    let _polkit = Polkitd::start(&bus, &[]);

    let mut dave = Wire::in_own_process(&bus, DAVE.uid);
    let pid = dave.process().pid();
    dave.process().end();
    let Some(mut carols) = take_pid(pid, CAROL.uid) else {
        return countersign_tests::needs::skip("pids cannot be chosen here");
    };
    let owner = fs::metadata(format!("/proc/{pid}")).expect("a process");
    assert_eq!(std::os::unix::fs::MetadataExt::uid(&owner), CAROL.uid, "the control: it is carol's pid");
    let driver = "org.freedesktop.DBus";
    let known =
        dave.call(driver, "/", driver, "GetConnectionUnixProcessID", &dave.name().to_owned().as_str());
    assert_eq!(
        known.expect("a pid").body().deserialize::<u32>().expect("a pid"),
        pid,
        "the bus still says so"
    );

    for (member, body) in [("Reset", reset_body()), ("Unlock", ("alice", "a test").into())] {
        let reply = dave.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, member, &body);
        assert_eq!(reply.expect_err(member).name, error::NOT_AUTHORIZED);
    }
    let is_enrolled = || daemon.ctl().run(&["status", "alice"]).ok().stdout.contains("totp");
    assert!(is_enrolled());
    let mut carol = Wire::in_own_process(&bus, CAROL.uid);
    assert!(
        carol.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &reset_body()).is_ok(),
        "the control"
    );
    assert!(!is_enrolled());
    drop(carols.kill());
    drop(carols.wait());
}

fn reset_body() -> zbus::Structure<'static> {
    ("alice", "a test", false).into()
}
