//! Who may do what: the methods on the bus by caller, the daemon's process, a flood by somebody local.

#[path = "privilege/roles.rs"]
mod roles;

use countersign_protocol::manager::{WhichActs, WhichLogins};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::caller::CallError;
use countersign_tests::people::{ALICE, BOB, CAROL, DAEMON_UID, DAVE};
use countersign_tests::polkit::Says;
use countersign_tests::wire::step_of;
use countersign_tests::{
    Broker, Clock, Daemon, DaemonSetup, Fixture, Polkit, PrivateBus, Wire, World, artifacts, fixture, require,
};
use nix::sys::signal::Signal;
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zbus::Message;

const NOBODY: u32 = 65534;
const DENIED_BY_THE_BUS: &str = "org.freedesktop.DBus.Error.AccessDenied";
/// Well formed, and no login or enrollment of anybody.
const NO_ID: &str = "00112233445566778899aabbccddeeff";

/// A request that nobody made.
const NO_REQUEST: u32 = 4_000_000_000;

/// Who may call a method. Beside the daemon's own table, so that a change there must be made here too.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Who {
    Anyone,
    Root,
    /// Root, the person it is about, and whom polkit lets do this.
    SelfOr(String),
    /// Root, and whom polkit lets do this.
    Action(String),
    /// Everybody but root.
    Colleague,
    /// Whom polkit lets do this, and never root.
    Other(String),
}

impl Who {
    /// As a row says it: `Root`, `SelfOr("view-log")`.
    fn read(text: &str) -> Self {
        let action = || text.split('"').nth(1).unwrap_or_default().to_owned();
        match text.split('(').next() {
            Some("Anyone") => Self::Anyone,
            Some("SelfOr") => Self::SelfOr(action()),
            Some("Action") => Self::Action(action()),
            Some("Colleague") => Self::Colleague,
            Some("Other") => Self::Other(action()),
            _ => Self::Root,
        }
    }

    fn action(&self) -> Option<&str> {
        match self {
            Self::SelfOr(action) | Self::Action(action) | Self::Other(action) => Some(action),
            Self::Anyone | Self::Root | Self::Colleague => None,
        }
    }

    fn takes_root(&self) -> bool {
        !matches!(self, Self::Colleague | Self::Other(_))
    }
}

const TABLE: [(&str, &str, &str); 52] = [
    ("Login", "Abandon", "Anyone"),
    ("Login", "Begin", "Anyone"),
    ("Login", "Check", "Root"),
    ("Login", "Confirm", "Root"),
    ("Login", "Respond", "Anyone"),
    ("Manager", "AcceptClock", "Root"),
    ("Manager", "AcceptLog", "Root"),
    ("Manager", "Acts", r#"Action("view-log")"#),
    ("Manager", "FollowLog", r#"SelfOr("view-log")"#),
    ("Manager", "NoteAct", "Root"),
    ("Manager", "Metrics", r#"Action("view-log")"#),
    ("Manager", "VerifyLog", r#"Action("view-log")"#),
    ("Manager", "ApproveReset", r#"Other("approve-reset")"#),
    ("Manager", "ApplyPolicy", r#"Action("configure")"#),
    ("Manager", "PreviewEmail", r#"Action("configure")"#),
    ("Manager", "PolicyImpact", r#"Action("configure")"#),
    ("Manager", "Backup", "Root"),
    ("Manager", "LastBackup", r#"Action("view-log")"#),
    ("Manager", "Restore", "Root"),
    ("Manager", "Rekey", "Root"),
    ("Manager", "ExportPeople", "Root"),
    ("Manager", "ImportPeople", "Root"),
    ("Manager", "CancelEnrollment", "Anyone"),
    ("Manager", "ConfirmAddress", r#"SelfOr("manage-users")"#),
    ("Manager", "ConfirmEnrollment", "Anyone"),
    ("Manager", "Doctor", r#"Action("configure")"#),
    ("Manager", "EndOverride", r#"Action("exempt-user")"#),
    ("Manager", "Enroll", r#"SelfOr("manage-users")"#),
    ("Manager", "Exempt", r#"Action("exempt-user")"#),
    ("Manager", "ExplainPolicy", r#"Action("configure")"#),
    ("Manager", "Forget", r#"SelfOr("manage-users")"#),
    ("Manager", "HostStatus", r#"Action("view-log")"#),
    ("Manager", "ImportFactor", "Root"),
    ("Manager", "Invite", r#"Action("manage-users")"#),
    ("Manager", "Lock", r#"Action("manage-users")"#),
    ("Manager", "NewRecoveryCodes", r#"SelfOr("manage-users")"#),
    ("Manager", "RemoveAddress", r#"SelfOr("manage-users")"#),
    ("Manager", "SetAddress", r#"SelfOr("manage-users")"#),
    ("Manager", "RemoveFactor", r#"SelfOr("manage-users")"#),
    ("Manager", "RenameFactor", r#"SelfOr("manage-users")"#),
    ("Manager", "Resync", r#"SelfOr("manage-users")"#),
    ("Manager", "ViewRecoveryCodes", r#"Action("view-recovery-codes")"#),
    ("Manager", "Log", r#"SelfOr("view-log")"#),
    ("Manager", "Overrides", r#"Action("view-log")"#),
    ("Manager", "Require", r#"Action("manage-users")"#),
    ("Manager", "RefuseReset", r#"SelfOr("approve-reset")"#),
    ("Manager", "RequestReset", "Colleague"),
    ("Manager", "Reset", r#"Action("reset-user")"#),
    ("Manager", "ResetRequests", r#"Action("approve-reset")"#),
    ("Manager", "Status", r#"SelfOr("view-log")"#),
    ("Manager", "Unlock", r#"Action("unlock-user")"#),
    ("Manager", "Users", r#"Action("view-log")"#),
];

/// Methods that are about a person, whom polkit's rules may look at.
const ABOUT: [&str; 20] = [
    "ConfirmAddress",
    "RemoveAddress",
    "SetAddress",
    "FollowLog",
    "EndOverride",
    "Enroll",
    "Exempt",
    "Forget",
    "Invite",
    "Lock",
    "Log",
    "Require",
    "Reset",
    "Status",
    "Unlock",
    "NewRecoveryCodes",
    "RemoveFactor",
    "RenameFactor",
    "Resync",
    "ViewRecoveryCodes",
];

/// What every object on a bus has, and whether the bus lets anybody call it.
const STANDARD: [(&str, &str, bool); 6] = [
    ("Introspectable", "Introspect", true),
    ("Peer", "GetMachineId", false),
    ("Peer", "Ping", true),
    ("Properties", "Get", false),
    ("Properties", "GetAll", false),
    ("Properties", "Set", false),
];

type Reply = Result<Message, CallError>;

/// Calls a method with arguments about somebody.
fn call(wire: &mut Wire, interface: &str, member: &str, about: &str) -> Reply {
    let code = b"123456".to_vec();
    let full = format!("org.countersign1.{interface}");
    macro_rules! with {
        ($arguments:expr) => {
            wire.call(BUS_NAME, OBJECT_PATH, &full, member, &$arguments)
        };
    }
    match member {
        "Begin" => with!((about, "", "bus-test", "test", "", "", "passed")),
        "Respond" | "ConfirmEnrollment" => with!((NO_ID, code)),
        "Confirm" => with!((NO_ID, about, "bus-test")),
        "Check" => with!((about, "sshd", "192.0.2.1")),
        "Abandon" | "CancelEnrollment" => with!(NO_ID),
        "HostStatus" | "Metrics" | "Overrides" | "AcceptClock" | "Doctor" => with!(()),
        "NoteAct" => with!(("EnableService", "a test", "a test", "")),
        "PreviewEmail" => with!(("", "code")),
        "Status" | "Forget" => with!(about),
        "ExplainPolicy" => with!((about, "sshd", "192.0.2.1", 0i64)),
        "Exempt" | "Require" => with!((about, 4_102_444_800i64, "a test")),
        "EndOverride" => with!((about, "exempt", "a test")),
        // With what passes for a proof: whether it is one is told by other tests.
        "Enroll" => with!((about, "", "", "")),
        "SetAddress" => with!((about, "alice@example.org", "", "", "a test")),
        "ConfirmAddress" => with!((about, code)),
        "RemoveAddress" => with!((about, "", "a test")),
        "Invite" => with!((about, 1u32)),
        "PolicyImpact" => {
            let nothing = std::fs::File::open("/dev/null").expect("/dev/null");
            with!((Vec::<(String, u64)>::new(), zbus::Fd::from(&nothing), 60u64))
        }
        "Backup" => {
            // No regular file: even root gets no further than that.
            let nothing = std::fs::File::open("/dev/null").expect("/dev/null");
            with!((zbus::Fd::from(&nothing), Vec::<zbus::Fd<'_>>::new()))
        }
        "Rekey" => {
            let nothing = std::fs::File::open("/dev/null").expect("/dev/null");
            with!(zbus::Fd::from(&nothing))
        }
        "Restore" => {
            let nothing = std::fs::File::open("/dev/null").expect("/dev/null");
            with!((zbus::Fd::from(&nothing), Vec::<zbus::Fd<'_>>::new(), (false, true), "a test"))
        }
        "ExportPeople" => {
            let nothing = std::fs::File::open("/dev/null").expect("/dev/null");
            let (key, file) = (zbus::Fd::from(&nothing), zbus::Fd::from(&nothing));
            with!((vec![about], key, file, "a test"))
        }
        "ImportPeople" => {
            let nothing = std::fs::File::open("/dev/null").expect("/dev/null");
            let (key, file) = (zbus::Fd::from(&nothing), zbus::Fd::from(&nothing));
            with!((key, file, (false, false, true), "a test"))
        }
        "LastBackup" => with!(()),
        "RenameFactor" => with!((about, "none", "other", "")),
        "RemoveFactor" => with!((about, "none", "", "a test")),
        "Resync" => with!((about, "none", b"123456".to_vec(), b"654321".to_vec())),
        "NewRecoveryCodes" => with!((about, "")),
        "ViewRecoveryCodes" => with!((about, "a test")),
        "ApplyPolicy" => with!((false, true, true, vec![("alice", 5001u32, "sshd", "", 1u32, 0i64)], "")),
        "Users" => with!((true, 0u32, 10u32)),
        "Log" => with!((logins_of(about), (0i64, 0i64), 10u32)),
        "FollowLog" => with!((logins_of(about), 0i64, 10u32)),
        "Acts" => with!((WhichActs::default(), 0i64, 10u32)),
        "VerifyLog" => with!(((0u32, 0i64), "")),
        "AcceptLog" => with!("a test"),
        "ImportFactor" => {
            let key: Vec<u8> = (100..120).collect();
            with!((about, ("app", key, 6u8, 30u32, -1i64, 0i64, Vec::<Vec<u8>>::new()), true, true))
        }
        "Reset" => with!((about, "a test", false)),
        "RequestReset" => with!((about, "a test", NO_ID)),
        "ResetRequests" => with!(()),
        "ApproveReset" => with!(NO_REQUEST),
        "RefuseReset" => with!((NO_REQUEST, "a test")),
        "Unlock" => with!((about, "a test")),
        // Without a reason: whoever is locked could call nothing after it.
        "Lock" => with!((about, "")),
        other => panic!("{interface}.{other} is new: say here who may call it, and how"),
    }
}

fn logins_of(user: &str) -> WhichLogins {
    WhichLogins { user: user.to_owned(), ..WhichLogins::default() }
}

/// Methods of our interfaces, as the daemon describes itself; anything else of ours is a failure.
fn described(wire: &mut Wire) -> BTreeSet<(String, String)> {
    let introspectable = "org.freedesktop.DBus.Introspectable";
    let reply = wire.call(BUS_NAME, OBJECT_PATH, introspectable, "Introspect", &()).expect("a description");
    let xml: String = reply.body().deserialize().expect("a string");
    let mut methods = BTreeSet::new();
    let mut interface = String::new();
    for tag in xml.split('<').skip(1) {
        let name = tag.split("name=\"").nth(1).and_then(|rest| rest.split('"').next()).unwrap_or_default();
        match tag.split([' ', '>', '/']).next().unwrap_or_default() {
            "interface" => name.clone_into(&mut interface),
            kind @ ("method" | "property" | "signal") => {
                if let Some(short) = interface.strip_prefix("org.countersign1.") {
                    assert_eq!(kind, "method", "{short}.{name} has no row in any table");
                    methods.insert((short.to_owned(), name.to_owned()));
                } else {
                    let short = interface.strip_prefix("org.freedesktop.DBus.").unwrap_or(&interface);
                    // Its signal is never sent: there is no property to change.
                    let known = STANDARD.iter().any(|(i, m, _)| *i == short && *m == name);
                    assert!(known || name == "PropertiesChanged", "{interface}.{name} is served too");
                }
            }
            _ => {}
        }
    }
    methods
}

/// The rows of the daemon's table, from its source.
fn gate() -> BTreeSet<(String, String, Who)> {
    let file = artifacts::source_root().join("daemon/src/bus/gate.rs");
    let text = std::fs::read_to_string(&file).expect("the daemon's table");
    let rows = text.lines().filter_map(|line| {
        let row = line.trim().strip_prefix("(\"")?.strip_suffix("),")?;
        let (interface, rest) = row.split_once("\", \"")?;
        let (member, who) = rest.split_once("\", Who::")?;
        Some((interface.to_owned(), member.to_owned(), Who::read(who)))
    });
    rows.collect()
}

/// A bus that lets everybody send anything to the daemon, so that only its own table stands.
fn open_bus(world: &World) -> PrivateBus {
    let anything = "<policy context=\"mandatory\"><allow send_destination=\"org.countersign1\"/></policy>";
    PrivateBus::start_with(Broker::Reference, world.daemon_uid(), None, anything)
}

fn is_enrolled(daemon: &Daemon) -> bool {
    daemon.ctl().run(&["status", "alice"]).ok().stdout.contains("totp")
}

/// Everybody but root, by uid and name.
const STRANGERS: [(u32, &str); 5] = [
    (ALICE.uid, "alice"),
    (CAROL.uid, "carol"),
    (DAVE.uid, "dave"),
    (NOBODY, "nobody"),
    (DAEMON_UID, "countersign"),
];

fn asks_for_proof(reply: &Reply) -> bool {
    reply.as_ref().is_err_and(|e| e.text.starts_with("a code of a factor you have is needed"))
}

/// Calls everything as every stranger about everybody, and compares with the table.
fn strangers_may_as_the_table_says(bus: &PrivateBus, open: bool, polkit: Option<(&Polkit, bool)>) {
    let yes = polkit.is_some_and(|(_, yes)| yes);
    for (uid, name) in STRANGERS {
        let mut wire = Wire::as_uid(bus, uid);
        for (interface, member, who) in TABLE {
            let who = Who::read(who);
            for about in [name, "alice", "bob"] {
                let shown =
                    format!("{interface}.{member} by {name} about {about}, open bus: {open}, polkit: {yes}");
                let reply = call(&mut wire, interface, member, about);
                let refusal = reply.as_ref().err().map(|e| e.name.as_str());
                assert_ne!(refusal, Some("Disconnected"), "{shown}: no answer in time");
                // Let through, and asked to show a factor: told by tests of its own.
                let refusal = refusal.filter(|_| member == "RequestReset" || !asks_for_proof(&reply));
                // Which nobody made, so it is about nobody.
                let own = about == name && member != "RefuseReset";
                let may = match who {
                    // Nobody resets themselves, nor asks without a code.
                    _ if member == "RequestReset" || (member == "Reset" && own) => false,
                    Who::Anyone => member != "Begin" || own,
                    Who::Root => false,
                    Who::SelfOr(_) => own || yes,
                    Who::Action(_) | Who::Other(_) => yes,
                    Who::Colleague => true,
                };
                let by_the_bus = !open && interface == "Manager" && who == Who::Root;
                match (may, by_the_bus) {
                    (true, _) => assert!(
                        !matches!(refusal, Some(error::NOT_AUTHORIZED | DENIED_BY_THE_BUS)),
                        "{shown}: {reply:?}"
                    ),
                    (false, true) => assert_eq!(refusal, Some(DENIED_BY_THE_BUS), "{shown}"),
                    (false, false) => assert_eq!(refusal, Some(error::NOT_AUTHORIZED), "{shown}"),
                }
                let Some((polkit, _)) = polkit else { continue };
                let asked = polkit.asked();
                match who.action() {
                    Some(action) if !(own && matches!(who, Who::SelfOr(_))) => {
                        assert_eq!(asked.len(), 1, "{shown}");
                        assert_eq!(asked[0].action, format!("org.countersign1.{action}"), "{shown}");
                        assert_eq!(asked[0].caller, wire.name(), "the subject is the bus name");
                        let user = asked[0].details.get("user").map(String::as_str);
                        assert_eq!(user, ABOUT.contains(&member).then_some(about), "{shown}");
                    }
                    _ => assert_eq!(asked, [], "{shown}"),
                }
            }
        }
    }
}

#[test]
fn prv_01_every_method_by_every_caller_is_as_the_table_says() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let world = World::enter();
    for open in [true, false] {
        let bus = if open { open_bus(&world) } else { PrivateBus::start(world.daemon_uid()) };
        let daemon = Daemon::start(&world, &bus, fixture::CONFIG);
        let _alice = daemon.enroll("alice");
        let expected: BTreeSet<_> = TABLE.iter().map(|(i, m, _)| (i.to_string(), m.to_string())).collect();
        assert_eq!(described(&mut Wire::on(&bus)), expected, "the methods served and the rows here");

        strangers_may_as_the_table_says(&bus, open, None);
        let polkit = Polkit::saying(&bus, Says::No);
        strangers_may_as_the_table_says(&bus, open, Some((&polkit, false)));
        assert!(is_enrolled(&daemon), "what was refused changed something");
        polkit.say(Says::Yes);
        strangers_may_as_the_table_says(&bus, open, Some((&polkit, true)));
        assert!(!is_enrolled(&daemon), "the control: polkit's yes lets people change something");

        let _alice = daemon.enroll("alice");
        polkit.say(Says::No);
        let mut root = Wire::on(&bus);
        for (interface, member, who) in TABLE {
            let reply = call(&mut root, interface, member, "bob");
            let refusal = reply.as_ref().err().map(|e| e.name.as_str());
            assert_eq!(
                !matches!(refusal, Some(error::NOT_AUTHORIZED | DENIED_BY_THE_BUS)),
                Who::read(who).takes_root(),
                "{interface}.{member} by root: {reply:?}"
            );
        }
        assert!(call(&mut root, "Manager", "Reset", "alice").is_ok());
        assert!(!is_enrolled(&daemon), "the control: root's calls do change something");
        assert_eq!(polkit.asked(), [], "root needs no polkit");
    }
}

/// Members that every object has, on the bus as shipped. Nothing of it is a secret or changes anything.
#[test]
fn prv_01_what_every_object_has_is_described_and_no_more() {
    require!(Root, Staged("countersignd"));
    let t = Fixture::start();
    for (uid, name) in STRANGERS.into_iter().chain([(0, "root")]) {
        let mut wire = Wire::as_uid(&t.bus, uid);
        for (interface, member, open) in STANDARD {
            let full = format!("org.freedesktop.DBus.{interface}");
            macro_rules! with {
                ($arguments:expr) => {
                    wire.call(BUS_NAME, OBJECT_PATH, &full, member, &$arguments)
                };
            }
            let reply = match member {
                "Get" => with!((MANAGER_INTERFACE, "Version")),
                "GetAll" => with!(MANAGER_INTERFACE),
                "Set" => with!((MANAGER_INTERFACE, "Version", zbus::Variant::from("x"))),
                _ => with!(()),
            };
            let refusal = reply.as_ref().err().map(|e| e.name.as_str());
            let expected = (!open).then_some(DENIED_BY_THE_BUS);
            assert_eq!(refusal, expected, "{interface}.{member} by {name}: {reply:?}");
        }
    }
}

/// Who could type a password and has nobody to ask for it, as over ssh without an agent, by the real polkit and
/// without any rule: only what is theirs anyway.
#[test]
fn prv_01_an_administrator_without_an_agent_is_a_stranger() {
    require!(Root, File("/usr/lib/polkit-1/polkitd"), Staged("countersignd"), Staged("countersignctl"));
    let world = World::enter();
    countersign_tests::polkitd::group("sudo", 27, "carol");
    let bus = countersign_tests::Polkitd::bus(&world);
    let daemon = Daemon::start(&world, &bus, fixture::CONFIG);
    let _alice = daemon.enroll("alice");
    let _polkit = countersign_tests::Polkitd::start(&bus, &[]);
    let mut carol = Wire::as_uid(&bus, CAROL.uid);
    for (interface, member, who) in TABLE {
        let who = Who::read(who);
        let Some(action) = who.action() else { continue };
        let reply = call(&mut carol, interface, member, "alice");
        let refused = reply.expect_err(member);
        assert_eq!(refused.name, error::NOT_AUTHORIZED, "{member}: {refused:?}");
        // The real polkit knows the action, and would take an administrator's password for it.
        assert!(
            refused.text.contains(&format!("wanted a password for org.countersign1.{action}")),
            "{refused:?}"
        );
    }
    assert!(is_enrolled(&daemon));
}

#[test]
fn prv_01_the_table_in_the_source_is_the_one_that_was_tested() {
    let expected: BTreeSet<_> =
        TABLE.iter().map(|(i, m, w)| (i.to_string(), m.to_string(), Who::read(w))).collect();
    assert_eq!(gate(), expected);
}

/// With the bus open, what is no row: a method of the other interface, of none, of the standard ones.
#[test]
fn prv_01_what_has_no_row_is_refused() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let world = World::enter();
    let bus = open_bus(&world);
    let daemon = Daemon::start(&world, &bus, fixture::CONFIG);
    let _alice = daemon.enroll("alice");
    for uid in [DAVE.uid, 0] {
        let mut wire = Wire::as_uid(&bus, uid);
        for (interface, member) in
            [(LOGIN_INTERFACE, "Status"), ("org.countersign1.Manage", "Status"), ("", "Begin")]
        {
            let reply = wire.call(BUS_NAME, OBJECT_PATH, interface, member, &"alice");
            assert!(reply.is_err(), "{interface}.{member}: {reply:?}");
        }
        for interface in ["", LOGIN_INTERFACE, "org.countersign1"] {
            let reply = wire.call(BUS_NAME, OBJECT_PATH, interface, "Reset", &("alice", "no interface"));
            assert!(reply.is_err(), "{interface:?}.Reset by {uid}: {reply:?}");
        }
        for path in ["/", "/org", "/org/countersign1/alice"] {
            let reply = wire.call(BUS_NAME, path, MANAGER_INTERFACE, "Reset", &("alice", "another object"));
            assert!(reply.is_err(), "Reset at {path} by {uid}: {reply:?}");
        }
        let properties = "org.freedesktop.DBus.Properties";
        for interface in [LOGIN_INTERFACE, MANAGER_INTERFACE] {
            let all = wire.call(BUS_NAME, OBJECT_PATH, properties, "GetAll", &interface);
            assert!(
                all.is_err() || all.is_ok_and(|reply| reply.body().len() <= 8),
                "{interface} has properties"
            );
        }
    }
    assert!(is_enrolled(&daemon));
}

/// The login and the verdict of a step.
fn step(reply: Reply) -> (String, String) {
    step_of(&reply.expect("a step"))
}

fn respond(wire: &mut Wire, login: &str, code: &str) -> Reply {
    wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &(login, code.as_bytes()))
}

fn confirm(wire: &mut Wire, login: &str, user: &str, service: &str) -> String {
    let reply = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Confirm", &(login, user, service));
    reply.expect("a verdict").body().deserialize().expect("a verdict")
}

#[test]
fn prv_01_a_login_belongs_to_its_caller_user_and_service() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let world = World::enter();
    let bus = open_bus(&world);
    let setup = DaemonSetup::new(&world, fixture::CONFIG).clock(&Arc::new(Clock::new()));
    let daemon = setup.start(&world, &bus);
    let alice = daemon.enroll("alice");
    let mut root = Wire::on(&bus);
    let mut strangers = [ALICE.uid, DAVE.uid].map(|uid| Wire::as_uid(&bus, uid));

    let (login, verdict) = step(call(&mut root, "Login", "Begin", "alice"));
    assert_eq!(verdict, "ask");
    let code = alice.fresh_code();
    for stranger in &mut strangers {
        let refused = respond(stranger, &login, &code).expect_err("root's login");
        assert_eq!(refused.name, error::NOT_FOUND);
        drop(stranger.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Abandon", &login.as_str()));
    }
    // Neither used up nor charged nor ended by them.
    assert_eq!(step(respond(&mut root, &login, &code)), (login.clone(), "allow".to_owned()));
    for (user, service) in [("bob", "bus-test"), ("alice", "sshd"), ("", ""), ("Alice", "bus-test")] {
        assert_eq!(confirm(&mut root, &login, user, service), "deny", "{user} {service}");
    }
    assert_eq!(confirm(&mut root, &login, "alice", "bus-test"), "allow");
    assert_eq!(confirm(&mut root, &login, "alice", "bus-test"), "deny", "confirmed once");
    let row = &daemon.log("alice")[0];
    assert_eq!((row.state.as_str(), row.confirmed, row.tries), ("verified", true, 1));

    // Her own login, as a screen locker would: she may answer it, root may not, and nobody may confirm it.
    let [own, _] = &mut strangers;
    let (login, _) = step(call(own, "Login", "Begin", "alice"));
    let code = alice.fresh_code();
    assert_eq!(respond(&mut root, &login, &code).expect_err("alice's login").name, error::NOT_FOUND);
    assert_eq!(step(respond(own, &login, &code)).1, "allow");
    assert_eq!(confirm(&mut root, &login, "alice", "bus-test"), "deny");
}

/// What `setpriv` makes of a command: the same uid as the daemon, and nothing else.
fn as_the_daemon(words: &[&str]) -> std::process::Output {
    let id = DAEMON_UID.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "--bounding-set=-all"]).args(words);
    command.output().expect("run setpriv (util-linux)")
}

#[test]
fn prv_13_its_own_uid_may_not_look_into_the_daemon() {
    require!(Root, Ptrace, Tool("setpriv"), Tool("prlimit"), Staged("countersignd"));
    let mut t = Fixture::start_with(|setup| setup.wrapped_by(&["prlimit", "--core=unlimited"]));
    let mut sleeper = Command::new("sleep").arg("60").uid(DAEMON_UID).gid(DAEMON_UID).spawn().expect("sleep");
    let daemon = t.daemon.pid();
    // The control: an ordinary process of that uid can be read, so it is the daemon that refuses.
    for (pid, may) in [(sleeper.id(), true), (daemon, false)] {
        for file in ["environ", "auxv", "maps"] {
            let read = as_the_daemon(&["cat", &format!("/proc/{pid}/{file}")]);
            assert_eq!(read.status.success(), may, "/proc/{pid}/{file}: {read:?}");
        }
        let mem = as_the_daemon(&["dd", &format!("if=/proc/{pid}/mem"), "bs=1", "count=0", "status=none"]);
        assert_eq!(mem.status.success(), may, "/proc/{pid}/mem: {mem:?}");
    }
    let traced = as_the_daemon(&["timeout", "2", "strace", "-o", "/dev/null", "-p", &daemon.to_string()]);
    let why = String::from_utf8_lossy(&traced.stderr).into_owned();
    assert!(why.contains("Operation not permitted"), "{why}");
    drop(sleeper.kill());
    drop(sleeper.wait());

    let limits = std::fs::read_to_string(format!("/proc/{daemon}/limits")).expect("limits");
    let core = limits.lines().find(|line| line.starts_with("Max core")).expect("a limit");
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    t.daemon.signal(Signal::SIGABRT);
    let end = t.daemon.wait_end();
    assert!(end.signal() == Some(Signal::SIGABRT as i32) && !end.core_dumped(), "{end:?}");
}

/// The bus knows the uid that a program runs as: not who started it, nor what its arguments say.
#[test]
fn prv_16_a_setuid_program_speaks_for_its_uid_alone() {
    require!(Root, Tool("dbus-send"), Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::start();
    let copy = |program: &str, owner: u32, name: &str| {
        let path = format!("/run/{name}");
        std::fs::copy(program, &path).expect("copy a program");
        chown(&path, Some(owner), Some(owner)).expect("give it away");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o4755)).expect("setuid");
        path
    };
    let by_dave = |program: &str, args: &[String]| {
        let mut command = Command::new(program);
        command.args(args).uid(DAVE.uid).gid(DAVE.uid).env("USER", "root").env("LOGNAME", "root");
        command.env("SUDO_UID", "0").env("SUDO_USER", "root").output().expect("run as dave")
    };
    let begin = |user: &str| -> Vec<String> {
        let mut words = vec![
            format!("--bus={}", t.bus.address()),
            "--print-reply".to_owned(),
            format!("--dest={BUS_NAME}"),
            OBJECT_PATH.to_owned(),
            format!("{LOGIN_INTERFACE}.Begin"),
        ];
        words.extend([user, "", "bus-test", "test", "", "", "passed"].map(|word| format!("string:{word}")));
        words
    };
    let bobs = copy("/usr/bin/dbus-send", BOB.uid, "bobs-dbus-send");
    for (program, user, may) in [
        ("/usr/bin/dbus-send", "dave", true),
        ("/usr/bin/dbus-send", "bob", false),
        (bobs.as_str(), "bob", true),
        (bobs.as_str(), "dave", false),
        (bobs.as_str(), "root", false),
    ] {
        let out = by_dave(program, &begin(user));
        let refused = String::from_utf8_lossy(&out.stderr).contains(error::NOT_AUTHORIZED);
        assert_eq!((out.status.success(), refused), (may, !may), "{program} about {user}: {out:?}");
    }
    let ctl = artifacts::ctl().display().to_string();
    let status = [format!("--bus={}", t.bus.address()), "users".to_owned()];
    assert_eq!(by_dave(&ctl, &status).status.code(), Some(4), "no variable makes dave root");
    let roots = copy(&ctl, 0, "roots-countersignctl");
    assert!(by_dave(&roots, &status).status.success(), "the control: here the bus sees root");
}

/// How long each of `count` logins of root's took, slowest last.
fn logins(t: &Fixture, alice: &countersign_tests::Secret, until: impl Fn(usize) -> bool) -> Vec<Duration> {
    let stack = t.cs();
    let mut took = Vec::new();
    while !until(took.len()) {
        let outcome = stack.login("alice", [alice.fresh_code()]);
        assert!(outcome.passed(), "after {} logins: {outcome:?}", took.len());
        took.push(outcome.took);
    }
    took.sort();
    took
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

/// Calls `Begin` for himself as fast as the bus lets him, until told to stop.
fn flood(bus: &PrivateBus, stop: &AtomicBool, answered: &AtomicUsize) {
    let mut wire = Wire::as_uid(bus, DAVE.uid);
    while !stop.load(Ordering::Relaxed) {
        let mut last = None;
        let mut batch = Vec::new();
        // As many as a stock bus lets one connection wait for.
        for _ in 0..100 {
            let serial = wire.next_serial();
            let call = Message::method_call(OBJECT_PATH, "Begin").serial(serial).destination(BUS_NAME);
            let call = call.interface(LOGIN_INTERFACE);
            let call = call.build(&("dave", "", "flood", "flood", "", "", "passed")).expect("a call");
            batch.extend_from_slice(call.data().bytes());
            last = Some(serial);
        }
        wire.send(&batch).expect("the bus reads");
        drop(wire.reply_to(last.expect("a hundred")));
        answered.fetch_add(100, Ordering::Relaxed);
    }
}

#[test]
fn avl_05_a_flood_by_dave_and_logins_by_root_at_once() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let quiet = logins(&t, &alice, |n| n >= 50);
    let before = t.daemon.resident_kib();

    let (stop, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let flooded = std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| flood(&t.bus, &stop, &answered));
        }
        let end = Instant::now() + Duration::from_secs(5);
        let took = logins(&t, &alice, |_| Instant::now() > end);
        stop.store(true, Ordering::Relaxed);
        took
    });
    let after = t.daemon.resident_kib();
    let size = std::fs::metadata(t.daemon.database()).map_or(0, |meta| meta.len() >> 10);
    eprintln!(
        "flood: {} calls by dave in 5 s beside {} logins by root; a login took {:?} at the median, {:?} at p99 (alone {:?}, {:?}); daemon {before} -> {after} KiB, database {size} KiB",
        answered.load(Ordering::Relaxed),
        flooded.len(),
        percentile(&flooded, 50),
        percentile(&flooded, 99),
        percentile(&quiet, 50),
        percentile(&quiet, 99),
    );
    assert!(answered.load(Ordering::Relaxed) > 2000, "that was no flood");
    assert!(percentile(&flooded, 99) < Duration::from_secs(2), "{:?}", flooded.last());
    assert!(after < before + 32 * 1024, "{before} -> {after} KiB");
}
