//! The first factor of somebody who must have one, with `enroll = "at-login"`.

use super::{AT_LOGIN, assert_fresh_code_passes, config, ended, factors, last, require_all};
use countersign_tests::{Enrollee, Fixture};

#[test]
fn a_newcomer_scans_types_and_is_in() {
    require_all!();
    let t = Fixture::configured(&config(AT_LOGIN));
    let mut bob = Enrollee::new(t.daemon.clock());
    let first = bob.enroll(&t.cs().visit("bob"));
    assert!(first.passed(), "{first:#?}");
    assert_eq!(first.code_prompts(), 2, "the first code, and one recovery code: {first:#?}");
    assert_eq!(last(&t, "bob"), ended("enrolled", "", "totp", true));
    assert_eq!(factors(&t, "bob"), ["totp", "recovery"]);
    assert_eq!(bob.app().recovery.len(), 10);
    assert_fresh_code_passes(&t, "bob", bob.app());
    let recovery = t.cs().login("bob", [bob.app().recovery[0].as_str(), "no"]);
    assert!(recovery.passed(), "{recovery:#?}");
}
