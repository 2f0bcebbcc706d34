//! PRV-01 and ADM-03 by the real polkit: who is an administrator, and the example rules for a helpdesk.

use super::{ABOUT, DENIED_BY_THE_BUS, NOBODY, Reply, TABLE, Who, asks_for_proof, call, open_bus};
use countersign_protocol::names::error;
use countersign_tests::agent::HELPER;
use countersign_tests::people::{BOB, CAROL, DAVE};
use countersign_tests::polkitd::{POLKITD, group, rule};
use countersign_tests::{Agent, Daemon, Polkitd, PrivateBus, Pty, Wire, World, artifacts, fixture, require};
use std::collections::BTreeSet;
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::time::Duration;

fn is_refused(reply: &Reply) -> bool {
    reply.as_ref().is_err_and(|e| [error::NOT_AUTHORIZED, DENIED_BY_THE_BUS].contains(&e.name.as_str()))
        && !asks_for_proof(reply)
}

fn scene() -> (World, PrivateBus, Daemon) {
    let world = World::enter();
    group("sudo", 27, "carol");
    let bus = Polkitd::bus(&world);
    let daemon = Daemon::start(&world, &bus, fixture::CONFIG);
    (world, bus, daemon)
}

/// Somebody of the group sudo in front of an agent: their own password for each single call, and it is theirs.
#[test]
fn prv_01_an_administrator_with_an_agent_may_what_the_table_says_by_a_password_each() {
    require!(Root, File(POLKITD), File(HELPER), Staged("countersignd"), Staged("countersignctl"));
    let (_world, bus, daemon) = scene();
    std::fs::write(
        "/etc/pam.d/polkit-1",
        "auth required pam_unix.so nodelay\naccount required pam_unix.so\n",
    )
    .expect("our own /etc");
    let _alice = daemon.enroll("alice");
    let _polkit = Polkitd::start(&bus, &[]);
    for right in [false, true] {
        let password = if right { CAROL.password() } else { DAVE.password() };
        let mut carol = Wire::in_own_process(&bus, CAROL.uid);
        let agent = Agent::start(&bus, &mut carol, ("carol", CAROL.uid), move |_| password.clone());
        for (interface, member, row) in TABLE {
            let who = Who::read(row);
            let reply = call(&mut carol, interface, member, "alice");
            let shown = format!("{interface}.{member} by carol, right password: {right}: {reply:?}");
            let asked = agent.asked();
            match (who.action(), &who) {
                (Some(action), _) => {
                    let action = format!("org.countersign1.{action}");
                    // A wrong password is asked for once more by some versions of polkit.
                    assert!(
                        !asked.is_empty() && asked.iter().all(|one| *one == action),
                        "{shown}: {asked:?}"
                    );
                    assert!(!right || asked.len() == 1, "{shown}: {asked:?}");
                    assert_eq!(is_refused(&reply), !right, "{shown}");
                }
                // For anyone, but not about others; for colleagues, with a code of their own.
                (None, Who::Anyone) if member != "Begin" => assert!(!is_refused(&reply), "{shown}"),
                (None, _) => assert!(is_refused(&reply) || asks_for_proof(&reply), "{shown}"),
            }
            if who.action().is_none() {
                assert_eq!(asked, [""; 0], "{shown}");
            }
        }
        let left = daemon.ctl().run(&["status", "alice"]).ok().stdout.contains("totp");
        assert_eq!(left, !right, "alice's factors after carol's {right} password");
    }
}

/// Every method, by a process that is root in a user namespace of its own.
#[test]
fn prv_01_root_of_a_user_namespace_may_what_the_uid_outside_may() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let world = World::enter();
    // Nothing but the daemon's own table stands.
    let bus = open_bus(&world);
    let daemon = Daemon::start(&world, &bus, fixture::CONFIG);
    let _alice = daemon.enroll("alice");
    let mut dave = Wire::as_namespace_root(&bus, DAVE.uid);
    for (interface, member, row) in TABLE {
        for about in ["alice", "dave", "root"] {
            let reply = call(&mut dave, interface, member, about);
            let own = about == "dave" && ABOUT.contains(&member);
            let may = match Who::read(row) {
                Who::Anyone => member != "Begin" || about == "dave",
                Who::SelfOr(_) => own,
                _ => false,
            };
            assert_eq!(
                is_refused(&reply),
                !may && !asks_for_proof(&reply),
                "{interface}.{member} about {about}: {reply:?}"
            );
        }
    }
    assert!(daemon.ctl().run(&["status", "alice"]).ok().stdout.contains("totp"));
    // Who says that they are uid 0 is not believed by the bus.
    let mut stream = countersign_tests::bus_guest::BusGuest::connect(bus.socket(), DAVE.uid, true);
    assert!(!says_root(&mut stream.1), "the bus took dave for root");
}

/// Whether the bus takes this connection for one of uid 0.
fn says_root(stream: &mut UnixStream) -> bool {
    use std::io::{Read as _, Write as _};
    stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
    stream.write_all(b"\0AUTH EXTERNAL 30\r\n").expect("the bus reads");
    let mut answer = [0; 256];
    let length = stream.read(&mut answer).expect("the bus answers");
    answer[..length].starts_with(b"OK")
}

/// What a member of the helpdesk may do about each of these people, by the table's rows.
fn allowed(wire: &mut Wire, people: &[&'static str]) -> BTreeSet<(&'static str, &'static str)> {
    let mut allowed = BTreeSet::new();
    for (interface, member, row) in TABLE {
        // What is for anyone says nothing of a role; RequestReset is for colleagues.
        if interface == "Login" || matches!(Who::read(row), Who::Anyone | Who::Colleague) {
            continue;
        }
        for &about in people {
            let reply = call(wire, interface, member, about);
            if !is_refused(&reply) {
                // What is about nobody is the same whoever is not named in it.
                allowed.insert((member, if ABOUT.contains(&member) { about } else { "" }));
            }
        }
    }
    allowed
}

/// alice is nobody special; bob can become root; carol is the helpdesk; nobody has no factor and no group.
const PEOPLE: [&str; 5] = ["alice", "bob", "carol", "root", "nobody"];

/// What everybody may do about themselves, polkit or not.
const OWN: [&str; 11] = [
    "ConfirmAddress",
    "Enroll",
    "FollowLog",
    "Forget",
    "Log",
    "NewRecoveryCodes",
    "RemoveAddress",
    "RemoveFactor",
    "RenameFactor",
    "Resync",
    "SetAddress",
];

fn own() -> BTreeSet<(&'static str, &'static str)> {
    OWN.iter().chain(&["Status"]).map(|member| (*member, "carol")).collect()
}

/// A helpdesk with the rules as shipped: carol is of it, and bob can become root.
fn helpdesk(examples: &[&str]) -> (World, PrivateBus, Daemon, Polkitd) {
    let world = World::enter();
    group("helpdesk", 6101, "carol");
    group("sudo", 27, "bob");
    let bus = Polkitd::bus(&world);
    let daemon = Daemon::start(&world, &bus, fixture::CONFIG);
    for user in ["alice", "bob", "carol"] {
        drop(daemon.enroll(user));
    }
    let polkit = Polkitd::start(&bus, examples);
    (world, bus, daemon, polkit)
}

const EXAMPLE: &str = "50-countersign-helpdesk.rules";

#[test]
fn adm_03_the_example_helpdesk_resets_and_unlocks_who_is_no_administrator_and_nothing_else() {
    require!(Root, File(POLKITD), Staged("countersignd"), Staged("countersignctl"));
    let (_world, bus, daemon, _polkit) = helpdesk(&[EXAMPLE]);
    let before = daemon.ctl().run(&["users", "--json"]).ok().stdout;
    for who in [DAVE.uid, NOBODY] {
        let mut other = Wire::as_uid(&bus, who);
        assert!(allowed(&mut other, &["alice"]).is_empty(), "{who} is not of the helpdesk");
    }
    assert_eq!(daemon.ctl().run(&["users", "--json"]).ok().stdout, before);
    let mut carol = Wire::as_uid(&bus, CAROL.uid);
    let mut expected = own();
    expected.extend([("Reset", "alice"), ("Reset", "nobody"), ("Unlock", "alice"), ("Unlock", "nobody")]);
    assert_eq!(allowed(&mut carol, &PEOPLE), expected);
    let enrolled = |user: &str| daemon.ctl().run(&["status", user]).ok().stdout.contains("totp");
    assert!(!enrolled("alice"), "the control");
    assert!(enrolled("bob") && enrolled("carol"));
    // Bob may become root, and is not of the helpdesk: nobody's agent is here to ask for a password.
    let mut bob = Wire::as_uid(&bus, BOB.uid);
    assert!(allowed(&mut bob, &["carol"]).is_empty());
}

/// The second rule of the example, without its slashes: more to see and to approve, of the same people.
#[test]
fn adm_03_the_wider_example_shows_and_approves_of_the_same_people() {
    require!(Root, File(POLKITD), Staged("countersignd"), Staged("countersignctl"));
    let (_world, bus, daemon, polkit) = helpdesk(&[EXAMPLE]);
    drop(polkit);
    let text = std::fs::read_to_string(artifacts::source_root().join("docs/examples").join(EXAMPLE));
    let text = text.expect("the example");
    let (_, wider) = text.split_once("Take the slashes away to have it.\n//\n").expect("a second rule");
    let wider: String =
        wider.lines().map(|line| line.strip_prefix("//").expect("slashes").to_owned() + "\n").collect();
    rule("51-wider", &wider);
    let _polkit = Polkitd::start(&bus, &[]);
    let mut carol = Wire::as_uid(&bus, CAROL.uid);
    let mut expected = own();
    for about in ["alice", "nobody"] {
        expected.extend(["FollowLog", "Log", "Reset", "Status", "Unlock"].map(|member| (member, about)));
    }
    // Of a request that nobody made there is nothing to approve, but she would be heard.
    expected.extend(["ApproveReset", "RefuseReset", "ResetRequests"].map(|member| (member, "")));
    assert_eq!(allowed(&mut carol, &PEOPLE), expected);
    assert!(daemon.ctl().run(&["status", "bob"]).ok().stdout.contains("totp"));
}

/// As the helpdesk types it: no administrator's password is asked for on the way, and whoever says no changes nothing.
#[test]
fn adm_03_the_helpdesk_types_a_reset_at_a_terminal() {
    require!(Root, File(POLKITD), Staged("countersignd"), Staged("countersignctl"));
    let (_world, _bus, daemon, _polkit) = helpdesk(&[EXAMPLE]);
    for (word, left) in [("no", true), ("yes", false)] {
        let uid = CAROL.uid.to_string();
        let mut command = Command::new("/usr/bin/setpriv");
        command.args(["--reuid", &uid, "--regid", &uid, "--init-groups"]).arg(artifacts::ctl());
        command
            .args(["reset", "alice", "--reason", "lost phone"])
            .env("LC_ALL", "C.UTF-8")
            .env("TERM", "dumb");
        let mut pty = Pty::spawn(&command);
        pty.expect("Every second factor of alice is removed.");
        pty.expect("Type yes to go on: ");
        pty.send_line(word);
        assert_eq!(pty.wait(Duration::from_secs(20)).code(), Some(i32::from(left)), "{}", pty.transcript());
        assert!(!pty.transcript().contains("AUTHENTICATING"), "{}", pty.transcript());
        assert_eq!(daemon.ctl().run(&["status", "alice"]).ok().stdout.contains("totp"), left, "{word}");
    }
}
