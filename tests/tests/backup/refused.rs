//! Files that are no backup of ours, or not any more.

use super::{Place, complaint, passes};
use countersign_daemon::read_key;
use countersign_daemon::seal::Sealer;
use countersign_tests::{Fixture, require};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::process::Command;

/// Changes the database inside a backup by SQL and vouches for it with the host's own key: what only
/// whoever has the key can do.
fn forged(t: &Fixture, place: &Place, backup: &[u8], name: &str, sql: &str) -> String {
    let begins = backup.windows(2).position(|two| two == b"\n\n").expect("a header") + 2;
    let header = String::from_utf8(backup[..begins].to_vec()).expect("text");
    let length: usize = header
        .lines()
        .find_map(|l| l.strip_prefix("length "))
        .and_then(|n| n.parse().ok())
        .expect("a length");
    let database = place.path("forged.db");
    fs::write(&database, &backup[begins..begins + length]).expect("our own file");
    let out =
        Command::new("sqlite3").arg(&database).arg(format!("PRAGMA journal_mode=DELETE;{sql}")).output();
    assert!(out.as_ref().is_ok_and(|out| out.status.success()), "{out:?}");
    let changed = fs::read(&database).expect("our own file");
    let header = header.replace(&format!("length {length}\n"), &format!("length {}\n", changed.len()));
    let (master, instance) = read_key(&t.daemon.key_file()).expect("the key");
    let mut whole = [header.as_bytes(), &changed].concat();
    let digest: [u8; 32] = Sha256::digest(&whole).into();
    let mac = Sealer::derive(&master, instance).expect("derives").authenticate("backup", &digest);
    let hex: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
    whole.extend_from_slice(format!("\nmac {hex}\n").as_bytes());
    let path = place.path(name);
    fs::write(&path, whole).expect("our own file");
    path
}

#[test]
fn dat_02_what_is_no_backup_changes_nothing() {
    require!(
        Root,
        Tool("sqlite3"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let good = fs::read(place.backup(&t.daemon.ctl(), "good")).expect("the backup");
    let refused = |what: &str, path: &str, why: &str| {
        let out = t.daemon.ctl().run(&["restore", path, "--yes", "--reason", "a test"]);
        assert_eq!(out.code, Some(1), "{what}: {out:?}");
        assert!(complaint(&out).contains(why), "{what} should say {why:?}: {out:?}");
        assert!(
            fs::symlink_metadata(t.daemon.state().join("restore.new")).is_err(),
            "{what}: nothing is left"
        );
    };
    let write = |name: &str, bytes: &[u8]| {
        let path = place.path(name);
        fs::write(&path, bytes).expect("our own file");
        path
    };
    for at in [0, 30, 70, 200, good.len() / 2, good.len() - 80, good.len() - 30, good.len() - 1] {
        let mut flipped = good.clone();
        flipped[at] ^= 1;
        refused(&format!("byte {at} flipped"), &write("flipped", &flipped), "othing was changed");
    }
    for length in [0, 10, 300, 4096, good.len() / 2, good.len() - 1] {
        refused(&format!("cut to {length}"), &write("cut", &good[..length]), "othing was changed");
    }
    refused("with more", &write("more", &[&good[..], b"x"].concat()), "not whole");
    refused("a word", &write("word", b"hello"), "not a backup");
    refused("a database", &write("db", &fs::read(t.daemon.database()).expect("it")), "not a backup");
    let huge = fs::File::create(place.path("huge")).expect("our own file");
    huge.set_len(1 << 30).expect("a sparse gigabyte");
    refused("a gigabyte", &place.path("huge"), "not a backup");
    std::os::unix::fs::symlink(place.path("good"), place.path("link")).expect("a link");
    refused("a link", &place.path("link"), "cannot be opened");
    let fifo = place.path("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().is_ok_and(|s| s.success()));
    refused("a FIFO", &fifo, "not a regular file");
    for (what, sql, why) in [
        (
            "a trigger",
            "CREATE TRIGGER x AFTER INSERT ON login BEGIN DELETE FROM totp; END;",
            "not made like ours",
        ),
        ("a view", "CREATE VIEW x AS SELECT * FROM totp;", "not made like ours"),
        ("a table", "CREATE TABLE x (y);", "not made like ours"),
        ("a newer one", "PRAGMA user_version = 99;", "schema version 99"),
        ("another program's", "PRAGMA application_id = 7;", "no countersign database"),
        ("another generation", "UPDATE meta SET generation = generation + 7;", "says another thing"),
    ] {
        refused(what, &forged(&t, &place, &good, "forged", sql), why);
    }
    let taken = forged(&t, &place, &good, "swapped", "UPDATE totp SET secret = zeroblob(60);");
    refused("a secret of nobody", &taken, "does not open");
    passes(&t, &alice);
}
