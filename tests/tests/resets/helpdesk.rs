//! The example rules for a helpdesk, by the real polkit.

use super::{Somebody, is_enrolled, not_authorized, require_all};
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{ALICE, CAROL, DAVE};
use countersign_tests::polkit::POLKIT;
use countersign_tests::{Broker, DaemonSetup, PrivateBus, World, artifacts};
use nix::mount::{MsFlags, mount};
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const POLKITD: &str = "/usr/lib/polkit-1/polkitd";

/// polkit on a private bus, with our actions and the example rules. Dropped, it is killed.
struct RealPolkit(Child);

impl RealPolkit {
    fn start(bus: &PrivateBus) -> Self {
        let root = artifacts::source_root();
        let actions = root.join("packaging/usr/share/polkit-1/actions");
        let place = Path::new("/usr/share/polkit-1/actions");
        mount(Some(&actions), place, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("our own mounts");
        let rules = Path::new("/etc/polkit-1/rules.d");
        fs::create_dir_all(rules).expect("our own /etc");
        let example = "50-countersign-helpdesk.rules";
        fs::copy(root.join("docs/examples").join(example), rules.join(example)).expect("our own /etc");
        let mut command = Command::new(POLKITD);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
        let child = command.arg("--no-debug").stdin(Stdio::null()).spawn().expect("start polkitd");
        let until = Instant::now() + Duration::from_secs(10);
        while !bus.has_owner(POLKIT) {
            assert!(Instant::now() < until, "polkitd does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }
}

impl Drop for RealPolkit {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Makes a group of the world.
fn group(name: &str, gid: u32, member: &str) {
    let text = fs::read_to_string("/etc/group").expect("our own /etc");
    let others: Vec<&str> = text.lines().filter(|line| !line.starts_with(&format!("{name}:"))).collect();
    fs::write("/etc/group", format!("{}\n{name}:x:{gid}:{member}\n", others.join("\n")))
        .expect("our own /etc");
}

#[test]
fn adm_03_the_example_helpdesk_resets_people_and_no_administrators() {
    require_all!(File("/usr/lib/polkit-1/polkitd"));
    let world = World::enter();
    group("helpdesk", 6101, "carol");
    group("sudo", 27, "bob");
    let own = format!("<policy user=\"polkitd\"><allow own=\"{POLKIT}\"/></policy>");
    let bus = PrivateBus::start_with(Broker::Reference, world.daemon_uid(), None, &own);
    let daemon = DaemonSetup::new(&world, CONFIG).start(&world, &bus);
    for user in ["alice", "bob", "carol"] {
        drop(daemon.enroll(user));
    }
    let _polkit = RealPolkit::start(&bus);
    let [mut carol, mut dave, mut alice] = [CAROL, DAVE, ALICE].map(|who| Somebody::new(&bus, who));
    assert_eq!(dave.reset("alice", false), not_authorized(), "not in the helpdesk");
    assert_eq!(carol.reset("bob", false), not_authorized(), "bob can become root");
    assert_eq!(carol.reset("root", false), not_authorized(), "root is root");
    assert_eq!(carol.reset("carol", false), not_authorized(), "not herself");
    assert_eq!(alice.reset("bob", false), not_authorized());
    let ctl = daemon.ctl().as_uid(CAROL.uid);
    assert_eq!(ctl.run(&["policy", "apply", "--dry-run"]).code, Some(4), "nothing that is not said");
    assert_eq!(ctl.run(&["approve"]).code, Some(0), "she sees what is asked for");
    assert!(["alice", "bob", "carol"].iter().all(|user| is_enrolled(&daemon, user)));
    assert_eq!(carol.reset("alice", false), Ok(2), "the control");
    assert_eq!(ctl.run(&["unlock", "alice"]).code, Some(0));
    assert_eq!(ctl.run(&["unlock", "bob"]).code, Some(4));
}
