//! The example rules for a helpdesk, by the real polkit.

use super::{Somebody, is_enrolled, not_authorized, require_all};
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{ALICE, CAROL, DAVE};
use countersign_tests::polkitd::group;
use countersign_tests::{DaemonSetup, Polkitd, World};

#[test]
fn adm_03_the_example_helpdesk_resets_people_and_no_administrators() {
    require_all!(File("/usr/lib/polkit-1/polkitd"));
    let world = World::enter();
    group("helpdesk", 6101, "carol");
    group("sudo", 27, "bob");
    let bus = Polkitd::bus(&world);
    let daemon = DaemonSetup::new(&world, CONFIG).start(&world, &bus);
    for user in ["alice", "bob", "carol"] {
        drop(daemon.enroll(user));
    }
    let _polkit = Polkitd::start(&bus, &["50-countersign-helpdesk.rules"]);
    let [mut carol, mut dave, mut alice] = [CAROL, DAVE, ALICE].map(|who| Somebody::new(&bus, who));
    assert_eq!(dave.reset("alice", false), not_authorized(), "not in the helpdesk");
    assert_eq!(carol.reset("bob", false), not_authorized(), "bob can become root");
    assert_eq!(carol.reset("root", false), not_authorized(), "root is root");
    assert_eq!(carol.reset("carol", false), not_authorized(), "not herself");
    assert_eq!(alice.reset("bob", false), not_authorized());
    let ctl = daemon.ctl().as_uid(CAROL.uid);
    assert_eq!(ctl.run(&["policy", "apply", "--dry-run"]).code, Some(4), "nothing that is not said");
    assert_eq!(ctl.run(&["approve"]).code, Some(4), "approving is another role");
    assert_eq!(ctl.run(&["status", "alice"]).code, Some(4), "and so is looking");
    assert!(["alice", "bob", "carol"].iter().all(|user| is_enrolled(&daemon, user)));
    assert_eq!(carol.reset("alice", false), Ok(2), "the control");
    assert_eq!(ctl.run(&["unlock", "alice"]).code, Some(0));
    assert_eq!(ctl.run(&["unlock", "bob"]).code, Some(4));
}
