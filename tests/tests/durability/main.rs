//! What was decided stays decided: killed daemons, full and failing disks, files that vanish or go back in time.

mod disk;
mod files;
mod kill;
mod power;
mod snapshots;

use countersign_tests::scratch::Scratch;
use countersign_tests::{Daemon, Fixture, Held, Phase, Secret};
use std::process::Command;

/// Alice at her code prompt; only the auth phase, so that its code alone tells what she was told.
fn hold_alice(t: &Fixture) -> Held {
    t.cs().visit("alice").phases(&[Phase::Auth]).hold()
}

fn assert_fresh_code_passes(t: &Fixture, alice: &Secret) {
    let fresh = t.cs().login("alice", [alice.fresh_code()]);
    assert!(fresh.passed(), "a fresh code passes: {fresh:?}");
}

/// What a stopped daemon left is a whole database, says a program that is not ours.
fn assert_whole_database(daemon: &mut Daemon) {
    assert!(!daemon.is_running(), "stop it first");
    // A copy: sqlite3 would fold the write-ahead log into the database and remove it.
    let copy = Scratch::new("copy");
    for entry in std::fs::read_dir(daemon.state()).expect("the state directory").flatten() {
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copy the state");
    }
    let database = copy.join("countersign.db");
    let out =
        Command::new("sqlite3").arg(database).arg("PRAGMA integrity_check").output().expect("run sqlite3");
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "ok", "{out:?}");
}
