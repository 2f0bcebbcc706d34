//! The people who log in: accounts of the private `/etc`, all in the group that needs a second factor.

use countersign_tests::people::REQUIRED_GROUP;
use std::fmt::Write as _;
use std::fs;

/// How many people take turns at logging in.
pub(crate) const ACTIVE: usize = 320;
/// The uid of the first of them; the others follow.
const FIRST_UID: usize = 20_000;
/// The uid of the first enrolled person who never logs in and has no account here.
pub(crate) const FIRST_IDLE_UID: usize = 1_000_000;

/// The login name of an active person.
pub(crate) fn name(person: usize) -> String {
    format!("bench{person:03}")
}

/// Their uid.
pub(crate) fn uid(person: usize) -> usize {
    FIRST_UID + person
}

/// Their TOTP key: any, but the same for everybody who checks it.
pub(crate) fn keys() -> Vec<[u8; 20]> {
    (0..ACTIVE).map(key).collect()
}

/// The key of one person, idle ones included.
pub(crate) fn key(person: usize) -> [u8; 20] {
    let mut key = *b"countersign-bench-..";
    key[16..].copy_from_slice(&u32::try_from(person).unwrap_or(u32::MAX).to_be_bytes());
    key
}

/// Adds them to the files of the world that this thread has entered, behind root.
pub(crate) fn settle() {
    let read = |file| fs::read_to_string(file).expect("our own /etc");
    let (passwd, group) = (read("/etc/passwd"), read("/etc/group"));
    let (root, others) = passwd.split_once('\n').expect("root is the first account");
    let mut new = format!("{root}\n");
    let mut groups = String::new();
    let mut members = String::new();
    for person in 0..ACTIVE {
        let (name, uid) = (name(person), uid(person));
        let _ = writeln!(new, "{name}:x:{uid}:{uid}::/nonexistent:/bin/sh");
        let _ = writeln!(groups, "{name}:x:{uid}:");
        let _ = write!(members, ",{name}");
    }
    new.push_str(others);
    for line in group.lines() {
        let more = if line.starts_with(&format!("{REQUIRED_GROUP}:")) { members.as_str() } else { "" };
        let _ = writeln!(groups, "{line}{more}");
    }
    fs::write("/etc/passwd", new).expect("our own /etc");
    fs::write("/etc/group", groups).expect("our own /etc");
}
