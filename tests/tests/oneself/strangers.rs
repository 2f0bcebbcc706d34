//! Who there is, and who was: no answer tells it to those who may not act on anybody.

use super::require_all;
use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::people::DAVE;
use countersign_tests::polkit::Says;
use countersign_tests::{Fixture, Polkit, Wire};

const NO_ID: &str = "00112233445566778899aabbccddeeff";

/// Somebody whom only the database knows, somebody whom nothing knows, and somebody with an account.
const NAMES: [&str; 3] = ["leaver", "nobody-here", "bob"];

/// What each method that is about somebody says to dave: the error's name and words.
fn said(dave: &mut Wire, about: &str) -> Vec<(&'static str, String, String)> {
    let code = b"123456".to_vec();
    macro_rules! all {
        ($(($member:literal, $arguments:expr)),* $(,)?) => {
            vec![$({
                let reply = dave.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, $member, &$arguments);
                let error = reply.expect_err("dave may not do this");
                ($member, error.name, error.text.replace(about, "NAME"))
            }),*]
        };
    }
    all![
        ("Status", about),
        ("Forget", about),
        ("Exempt", (about, 4_102_444_800_i64, "a test")),
        ("Require", (about, 4_102_444_800_i64, "a test")),
        ("EndOverride", (about, "exempt", "a test")),
        ("Enroll", (about, "", "", "")),
        ("SetAddress", (about, "a@example.org", "", "", "a test")),
        ("ConfirmAddress", (about, code.clone())),
        ("RemoveAddress", (about, "", "a test")),
        ("Invite", (about, 1_u32)),
        ("RenameFactor", (about, "none", "other", "")),
        ("RemoveFactor", (about, "none", "", "a test")),
        ("Resync", (about, "none", code.clone(), code)),
        ("NewRecoveryCodes", (about, "")),
        ("ViewRecoveryCodes", (about, "a test")),
        ("Reset", (about, "a test", false)),
        ("RequestReset", (about, "a test", NO_ID)),
        ("Lock", (about, "a test")),
        ("Unlock", (about, "a test")),
    ]
}

#[test]
fn prv_01_who_may_not_act_learns_not_who_there_is() {
    require_all!();
    let t = Fixture::with_clock();
    // Somebody enrolled, whose account is gone since.
    let passwd = std::fs::read_to_string("/etc/passwd").expect("our own /etc");
    let more = format!("{passwd}leaver:x:5077:5077::/nonexistent:/bin/sh\n");
    std::fs::write("/etc/passwd", more).expect("our own /etc");
    let _leaver = t.daemon.enroll("leaver");
    std::fs::write("/etc/passwd", passwd).expect("our own /etc");

    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    let polkit = Polkit::saying(&t.bus, Says::No);
    let [leaver, nobody, bob] = NAMES.map(|name| said(&mut dave, name));
    for row in leaver.iter().chain(&nobody).chain(&bob) {
        assert_eq!(row.1, error::NOT_AUTHORIZED, "{row:?}");
    }
    assert_eq!(leaver, nobody);
    assert_eq!(bob, nobody);

    // The control: whoever may act is told, and a directory that is down changes nothing of it.
    polkit.say(Says::Yes);
    let status = |dave: &mut Wire, about: &str| {
        dave.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Status", &about).map_err(|e| e.name)
    };
    assert_eq!(status(&mut dave, "nobody-here").expect_err("nobody"), error::NOT_FOUND);
    assert!(status(&mut dave, "leaver").is_ok());
}
