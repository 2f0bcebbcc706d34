//! A database that is put in place while no daemon runs, and what dies meanwhile.

use super::contents::{Before, Contents, assert_nothing_in_the_clear};
use super::killed::moments;
use super::lost::remove_database;
use super::{Place, passes};
use countersign_tests::daemon::StartAttempt;
use countersign_tests::{Fixture, Secret, artifacts, require};
use std::fs;
use std::process::Command;

/// Every call by which anything reaches a disk, and the first of those by which it is read.
const CALLS: &[&str] =
    &["write", "pwrite64", "fsync,fdatasync", "?rename,?renameat,?renameat2", "?unlink,?unlinkat", "?fchown"];
/// A call that is never made.
const UNDISTURBED: &str = "reboot:signal=KILL:when=1";

/// `countersignd` with these arguments on this daemon's files, killed by this fault; whether it ended well.
fn killed(t: &Fixture, args: &[&str], fault: &str) -> bool {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", &format!("inject={fault}")]).arg(artifacts::daemon());
    command.args(args).arg("--state").arg(t.daemon.state()).arg("--key-file").arg(t.daemon.key_file());
    t.clock().apply(&mut command);
    command.output().expect("run strace").status.success()
}

/// Kills it at each call: then the daemon refuses what lies there, or it is what was to come; and the same
/// command again brings it about. Gives how often it was the one and the other.
fn each_death(t: &mut Fixture, alice: &Secret, before: &Before, args: &[&str]) -> (usize, usize) {
    before.put_back(&t.daemon);
    assert!(killed(t, args, UNDISTURBED), "undisturbed");
    let new = Contents::of(&t.daemon).expect("a database");
    let mut fates = (0, 0);
    for call in CALLS {
        for n in moments() {
            let what = format!("{args:?} at {call} {n}");
            before.put_back(&t.daemon);
            if killed(t, args, &format!("{call}:signal=KILL:when={n}")) {
                break;
            }
            assert_nothing_in_the_clear(t.daemon.state(), alice, &what);
            // A start each time would take long, and says the same as the command itself.
            let refuses = n < 3 && matches!(t.daemon.try_start(), StartAttempt::Ended(_));
            t.daemon.kill9();
            if killed(t, args, UNDISTURBED) {
                fates.0 += 1;
            } else {
                assert!(!refuses, "{what}: neither the daemon nor the same command again takes it");
                fates.1 += 1;
            }
            let now = Contents::of(&t.daemon).expect("a database");
            assert_eq!(now.decides, new.decides, "{what}");
            assert_eq!(now.opens, new.opens, "{what}");
            // Made at a later moment, which is a later step.
            assert!(new.marks.iter().all(|(app, mark)| now.marks[app] >= *mark), "{what}");
        }
    }
    eprintln!("{args:?}: {} deaths before it was done, {} after it", fates.0, fates.1);
    fates
}

#[test]
fn dat_03_killed_while_a_backup_is_put_in_place() {
    require!(
        Root,
        Ptrace,
        Tool("strace"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let backup = place.backup(&t.daemon.ctl(), "b");
    t.daemon.stop();
    // A new machine: nothing is there but the backup, and the key of its day.
    let key = place.path("key");
    fs::rename(t.daemon.key_file(), &key).expect("move the key");
    remove_database(&t);
    fs::remove_file(t.daemon.state().join("instance")).expect("the instance file");
    let before = Before::of(&t.daemon);
    let args = ["--restore", &backup, "--backup-key", &key];
    let (refused, done) = each_death(&mut t, &alice, &before, &args);
    assert!(refused > 10 && done >= 1, "{refused} {done}");
    t.daemon.crash_and_restart();
    t.clock().shift(120);
    passes(&t, &alice);
}

#[test]
fn rpl_12_killed_while_an_older_copy_is_accepted() {
    require!(
        Root,
        Ptrace,
        Tool("strace"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let older = fs::read(t.daemon.database()).expect("the database");
    t.daemon.resume();
    passes(&t, &alice);
    // Folded into the file, which is another one from now on.
    t.daemon.stop();
    t.daemon.resume();
    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());
    // Killed, so that a newer log lies beside the older file.
    t.daemon.kill9();
    fs::write(t.daemon.database(), &older).expect("cp");
    let before = Before::of(&t.daemon);
    let (refused, done) = each_death(&mut t, &alice, &before, &["--accept-older"]);
    assert!(refused > 10 && done >= 1, "{refused} {done}");
    t.daemon.crash_and_restart();
    assert!(!t.cs().login("alice", [&code]).passed(), "a code used since stays dead");
    t.clock().shift(120);
    passes(&t, &alice);
}
