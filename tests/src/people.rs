//! The people of the fixture, and the files that make NSS and PAM know them.

use std::fmt::Write as _;

/// A person who exists only in the test's private `/etc`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// Login name.
    pub name: &'static str,
    /// uid, and gid of the group of the same name.
    pub uid: u32,
    /// Whether in the group `mfa-required`.
    pub required: bool,
    /// SHA-256-crypt of `NAME-password` at 1,000 rounds, so that checking it takes half a millisecond.
    shadow: &'static str,
}

impl Person {
    /// The account's password.
    #[must_use]
    pub fn password(&self) -> String {
        format!("{}-password", self.name)
    }
}

/// In `mfa-required`; tests enroll her.
pub const ALICE: Person = Person {
    name: "alice",
    uid: 5001,
    required: true,
    shadow: "$5$rounds=1000$alicesalt$HXEldNTJmXPFKd39Jdcx0GDhDmVLa3VKTWDEpj7a5H6",
};
/// In `mfa-required` and never enrolled.
pub const BOB: Person = Person {
    name: "bob",
    uid: 5002,
    required: true,
    shadow: "$5$rounds=1000$bobsalt$2DTWx9biWWHP4VkQODndg0yMstWJQpRTKZ81HKM2HD0",
};
/// In no group that a policy names.
pub const CAROL: Person = Person {
    name: "carol",
    uid: 5003,
    required: false,
    shadow: "$5$rounds=1000$carolsalt$53taNMVu0ipPai6OHv4stzGBhS0CwO9Ccr8Nx8XZy6D",
};
/// Local and hostile.
pub const DAVE: Person = Person {
    name: "dave",
    uid: 5004,
    required: false,
    shadow: "$5$rounds=1000$davesalt$aEzWQuNCOMHER8EnOsGQiHlhAoA9Il7Y8skHQ.m.Ol0",
};

/// All of them.
pub const PEOPLE: [Person; 4] = [ALICE, BOB, CAROL, DAVE];

/// The group whose members need a second factor.
pub const REQUIRED_GROUP: &str = "mfa-required";
const REQUIRED_GID: u32 = 6001;

/// The daemon's account inside a [`crate::World`].
pub const DAEMON_NAME: &str = "countersign";
/// Its uid and gid.
pub const DAEMON_UID: u32 = 5900;

/// The mailer's account inside a [`crate::World`].
pub const MAILER_NAME: &str = "countersign-mail";
/// Its uid and gid.
pub const MAILER_UID: u32 = 5901;

/// Where homes lie.
pub const HOMES: &str = "/run/home";

/// `base` (an /etc/passwd) with the people added.
#[must_use]
pub fn passwd(base: &str) -> String {
    let mut text = without_ours(base);
    for p in PEOPLE {
        let _ = writeln!(text, "{0}:x:{1}:{1}::{HOMES}/{0}:/bin/sh", p.name, p.uid);
    }
    for (name, uid) in [(DAEMON_NAME, DAEMON_UID), (MAILER_NAME, MAILER_UID)] {
        let _ = writeln!(text, "{name}:x:{uid}:{uid}::/nonexistent:/usr/sbin/nologin");
    }
    text
}

/// `base` (an /etc/group) with their groups added.
#[must_use]
pub fn group(base: &str) -> String {
    let mut text = without_ours(base);
    for p in PEOPLE {
        let _ = writeln!(text, "{}:x:{}:", p.name, p.uid);
    }
    for (name, gid) in [(DAEMON_NAME, DAEMON_UID), (MAILER_NAME, MAILER_UID)] {
        let _ = writeln!(text, "{name}:x:{gid}:");
    }
    let members: Vec<&str> = PEOPLE.iter().filter(|p| p.required).map(|p| p.name).collect();
    let _ = writeln!(text, "{REQUIRED_GROUP}:x:{REQUIRED_GID}:{}", members.join(","));
    text
}

/// `base` (an /etc/shadow) with their passwords added.
#[must_use]
pub fn shadow(base: &str) -> String {
    let mut text = without_ours(base);
    for p in PEOPLE {
        let _ = writeln!(text, "{}:{}:20000:0:99999:7:::", p.name, p.shadow);
    }
    for name in [DAEMON_NAME, MAILER_NAME] {
        let _ = writeln!(text, "{name}:!:20000::::::");
    }
    text
}

/// The password file of pam_matrix(8) for one service.
#[must_use]
pub(crate) fn matrix_database(service: &str) -> String {
    let mut text = String::new();
    for p in PEOPLE {
        let _ = writeln!(text, "{}:{}:{service}", p.name, p.password());
    }
    text
}

/// An installed package may have made our accounts on the host: the test's replace them.
fn without_ours(base: &str) -> String {
    let ours = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        name != DAEMON_NAME
            && name != MAILER_NAME
            && name != REQUIRED_GROUP
            && PEOPLE.iter().all(|p| p.name != name)
    };
    base.lines().filter(ours).fold(String::new(), |text, line| text + line + "\n")
}
