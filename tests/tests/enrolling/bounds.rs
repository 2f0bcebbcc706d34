//! Who may never enroll by themselves, and that nobody fills the database.

use super::{AT_LOGIN, assert_fresh_code_passes, config, factors, require_all};
use countersign_tests::{Code, Enrollee, Fixture};
use std::process::Command;

/// ENR-11: a policy for everyone is no permission for system accounts.
#[test]
fn enr_11_root_enrolls_only_where_a_policy_names_somebody() {
    require_all!();
    let everyone = format!("[[policy]]\nname = \"everyone\"\n{AT_LOGIN}\n");
    let t = Fixture::configured(&everyone);
    let mut root = Enrollee::new(t.daemon.clock());
    let outcome = root.enroll(&t.cs().visit("root"));
    assert_eq!((outcome.auth, root.app.is_some()), (Code::PERM_DENIED, false), "{outcome:#?}");
    assert!(outcome.messages().join("").contains("countersignctl enroll root"), "{outcome:#?}");
    let mut carol = Enrollee::new(t.daemon.clock());
    assert!(carol.enroll(&t.cs().visit("carol")).passed(), "everybody else");
}

#[test]
fn enr_11_root_enrolls_where_the_policy_says_so() {
    require_all!();
    let named = format!("[[policy]]\nname = \"root\"\nusers = [\"root\"]\n{AT_LOGIN}\n");
    let t = Fixture::configured(&named);
    let mut root = Enrollee::new(t.daemon.clock());
    assert!(root.enroll(&t.cs().visit("root")).passed());
    assert_fresh_code_passes(&t, "root", root.app());
}

/// ENR-12: many logins that stand at the QR code leave three, and the newest of them works.
#[test]
fn enr_12_a_flood_of_enrollments_leaves_three() {
    require_all!();
    countersign_tests::require!(Tool("sqlite3"));
    let mut t = Fixture::configured(&config(AT_LOGIN));
    let mut held: Vec<_> = (0..40).map(|_| t.cs().visit("bob").hold()).collect();
    let newest = held.pop();
    t.daemon.stop();
    let rows = Command::new("sqlite3")
        .arg(format!("file:{}?mode=ro", t.daemon.database().display()))
        .arg("SELECT count(*) FROM pending")
        .output()
        .expect("run sqlite3");
    assert_eq!(String::from_utf8_lossy(&rows.stdout).trim(), "3", "{rows:?}");
    t.daemon.resume();
    let oldest = held.remove(0).answer("123456");
    assert_eq!(oldest.auth, Code::AUTHINFO_UNAVAIL, "it is over: {oldest:#?}");
    drop((held, newest));
    let mut bob = Enrollee::new(t.daemon.clock());
    assert!(bob.enroll(&t.cs().visit("bob")).passed());
    assert_eq!(factors(&t, "bob"), ["totp", "recovery"]);
    assert_fresh_code_passes(&t, "bob", bob.app());
}
