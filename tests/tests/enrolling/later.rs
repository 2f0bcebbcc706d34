//! Time to enroll: `later`, until its date and no further.

use super::{config, ended, last, require_all};
use countersign_tests::{Code, Enrollee, Fixture, Reply, Stack};

const DAY: i64 = 24 * 3600;
const TWO_WEEKS: &str = "enroll = \"at-login\"\ngrace = \"14d\"";

fn later(t: &Fixture, user: &str) -> (bool, String) {
    let mut person = Enrollee::new(t.daemon.clock());
    let outcome = person.log_in(&t.cs().visit(user), |_, _| Some(Reply::from("Later")));
    (outcome.auth == Code::SUCCESS || outcome.auth == Code::IGNORE, outcome.messages().join("\n"))
}

#[test]
fn grace_counts_days_from_the_first_login_and_ends() {
    require_all!();
    let t = Fixture::configured(&config(TWO_WEEKS));
    let (passed, said) = later(&t, "bob");
    assert!(passed && said.contains("14 days left, until "), "{said}");
    assert_eq!(last(&t, "bob"), ended("skipped", "later", "", true));
    t.clock().shift(13 * DAY - 60);
    let (passed, said) = later(&t, "bob");
    assert!(passed && said.contains("2 days left"), "{said}");
    // A clock that is turned back gives no new time.
    t.clock().shift(-20 * DAY);
    let (passed, said) = later(&t, "bob");
    assert!(passed && said.contains("2 days left"), "{said}");
    t.clock().shift(21 * DAY + 120);
    let (passed, said) = later(&t, "bob");
    assert!(!passed && !said.contains("later"), "{said}");
    assert_eq!(last(&t, "bob").0, "denied");
    // Alice's time begins with her own first login.
    let (passed, said) = later(&t, "alice");
    assert!(passed && said.contains("14 days left"), "{said}");
}

#[test]
fn grace_where_nobody_can_be_asked_passes_and_says_so() {
    require_all!();
    let t = Fixture::configured(&config("enroll = \"admin\"\ngrace = \"14d\""));
    let told = t.probe().login("bob", [""; 0]);
    assert_eq!((told.auth, told.account), (Code::IGNORE, Some(Code::IGNORE)), "{told:#?}");
    assert!(told.messages().join("").contains("14 days left"), "{told:#?}");
    assert_eq!(last(&t, "bob"), ended("skipped", "grace", "", true));
    let blind = Stack::probe(&t.module(), &[]).login("alice", [""; 0]);
    assert_eq!(
        (blind.auth, blind.messages().join("").contains("days left")),
        (Code::IGNORE, false),
        "{blind:#?}"
    );
    t.clock().shift(14 * DAY + 1);
    assert_eq!(t.probe().login("bob", [""; 0]).auth, Code::PERM_DENIED);
    assert_ne!(Stack::probe(&t.module(), &[]).login("alice", ["123456"]).auth, Code::IGNORE);
}
