//! What a backup is, and that nobody waits for it.

use super::{Place, complaint, fates, found_in, passes, restore, spellings};
use countersign_tests::fixture::CONFIG;
use countersign_tests::{DaemonSetup, Fixture, PrivateBus, Pty, Secret, artifacts, require};
use std::fs;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Ends the crowd, however the backups went.
struct AtEnd<'a>(&'a AtomicBool);

impl Drop for AtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// What alice does all the while: right codes, wrong ones, and one after the other of her recovery codes.
/// Gives how many of each went as they should, and the longest that one took.
fn lively(t: &Fixture, alice: &Secret, done: &AtomicBool) -> ([usize; 3], Duration) {
    let mut counts = [0; 3];
    let mut longest = Duration::ZERO;
    let mut recovery = alice.recovery.iter();
    for round in 0.. {
        if done.load(Ordering::Relaxed) {
            break;
        }
        let began = Instant::now();
        match round % 4 {
            0 | 1 => {
                passes(t, alice);
                counts[0] += 1;
            }
            2 => {
                assert!(!t.cs().login("alice", [alice.wrong_code(round)]).passed());
                counts[1] += 1;
            }
            _ => {
                let Some(code) = recovery.next() else { continue };
                let outcome = t.cs().visit("alice").run([code.as_str(), "no"]);
                assert!(outcome.passed(), "{outcome:?}");
                counts[2] += 1;
            }
        }
        longest = longest.max(began.elapsed());
    }
    (counts, longest)
}

#[test]
fn dat_02_a_hundred_backups_during_logins() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let ctl = t.daemon.ctl();
    let done = AtomicBool::new(false);
    let (logins, longest, paths) = std::thread::scope(|scope| {
        let crowd = scope.spawn(|| lively(&t, &alice, &done));
        let end = AtEnd(&done);
        let paths: Vec<String> = (0..100).map(|n| place.backup(&ctl, &format!("b{n}"))).collect();
        drop(end);
        let (logins, longest) = crowd.join().expect("every login went as it should");
        (logins, longest, paths)
    });
    eprintln!("{logins:?} logins by code, refused and by recovery code; the longest took {longest:?}");
    assert!(logins[0] > 20 && logins[1] > 10 && logins[2] == alice.recovery.len(), "{logins:?}");
    assert!(longest < Duration::from_secs(2), "{longest:?}");

    let secrets = spellings(&alice);
    assert_eq!(found_in(alice.uri.as_bytes(), &secrets), Some(alice.base32.clone()), "the control");
    for path in &paths {
        let mode = fs::metadata(path).expect("the backup").permissions().mode();
        assert_eq!(mode & 0o7777, 0o600);
        let bytes = fs::read(path).expect("the backup");
        assert!(bytes.starts_with(b"countersign-backup 1\n"));
        assert_eq!(found_in(&bytes, &secrets), None, "{path}");
    }
    // Ten of them, by chance: whole, vouched for and read to the end; nothing is missing here.
    let chosen: Vec<&String> = (0..10).map(|_| &paths[chance(paths.len())]).collect();
    for path in &chosen {
        let report = restore(&ctl, path, &["--dry-run", "--keep-recovery-codes"]);
        assert_eq!((&report["kept"], &report["people"]), (&1.into(), &1.into()), "{path}: {report}");
        assert_eq!(report["factors"].as_array().map(Vec::len), Some(0), "{path}: {report}");
    }
    // And what one of them brings back where all is lost.
    t.daemon.kill9();
    super::lost::remove_database(&t);
    let placed = super::lost::offline(&t, &["--restore", chosen[0]]);
    assert!(placed.status.success(), "{}: {placed:?}", chosen[0]);
    t.daemon.resume();
    let _ = t.daemon.ctl().run(&["unlock", "alice"]).ok();
    t.clock().shift(120);
    passes(&t, &alice);
}

/// A number below `end` by the kernel's dice.
fn chance(end: usize) -> usize {
    let mut bytes = [0; 8];
    let mut file = fs::File::open("/dev/urandom").expect("randomness");
    file.read_exact(&mut bytes).expect("randomness");
    usize::try_from(u64::from_le_bytes(bytes) % end as u64).expect("below a usize")
}

#[test]
fn dat_02_with_the_key_on_another_machine() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let key = t.daemon.key_file().display().to_string();
    let (bundle, passphrase) = (place.path("bundle"), place.path("passphrase"));
    let with_key = ["backup", &bundle, "--with-key", "--key-file", &key, "--passphrase-file", &passphrase];
    let _ = t.daemon.ctl().run(&with_key).ok();
    let bytes = fs::read(&bundle).expect("the bundle");
    assert!(bytes.starts_with(b"age-encryption.org/v1\n-> scrypt "), "an age file");
    let key_text = fs::read_to_string(t.daemon.key_file()).expect("the key");
    let sealing = key_text.lines().find_map(|line| line.strip_prefix("key ")).expect("a key");
    assert_eq!(found_in(&bytes, &[sealing, "countersign"]), None, "nothing in the clear");

    // A new machine: another installation with another key, and nobody in it.
    let bus = PrivateBus::start(t.world.daemon_uid());
    let clock = t.daemon.clock().expect("a clock");
    let other = DaemonSetup::new(&t.world, CONFIG).clock(clock).start(&t.world, &bus);
    let refused = other.ctl().run(&["restore", &place.backup(&t.daemon.ctl(), "plain"), "--dry-run"]);
    assert!(complaint(&refused).contains("made on another installation"), "{refused:?}");
    fs::write(place.path("wrong"), "no such passphrase\n").expect("our own file");
    fs::set_permissions(place.path("wrong"), fs::Permissions::from_mode(0o600)).expect("our own file");
    let wrong =
        other.ctl().run(&["restore", &bundle, "--passphrase-file", &place.path("wrong"), "--dry-run"]);
    assert!(wrong.code == Some(1) && complaint(&wrong).contains("passphrase does not open"), "{wrong:?}");
    // The head, where the passphrase is tried first, and what it opens.
    for (what, at, cut) in [("head", 60, false), ("end", bytes.len() - 20, false), ("middle", 2000, true)] {
        let mut damaged = bytes.clone();
        if cut {
            damaged.truncate(at);
        } else {
            damaged[at] ^= 1;
        }
        fs::write(place.path(what), damaged).expect("our own file");
        let out =
            other.ctl().run(&["restore", &place.path(what), "--passphrase-file", &passphrase, "--dry-run"]);
        assert_eq!(out.code, Some(1), "{what}: {out:?}");
        let why = complaint(&out);
        assert!(why.contains("damaged") || why.contains("does not open"), "{what}: {why}");
    }
    let more = ["--passphrase-file", &passphrase, "--yes", "--reason", "a new machine"];
    let report = restore(&other.ctl(), &bundle, &more);
    assert_eq!(fates(&report), ["alice totp returns", "alice recovery void"]);
    assert_eq!(report["same_installation"], false);
    let there = countersign_tests::Stack::cs(&other.module());
    let code = alice.fresh_code();
    assert!(there.login("alice", [&code]).passed());
    assert!(!there.login("alice", [&code]).passed(), "used there");
    let void = there.login("alice", [&alice.recovery[0]]);
    assert!(!void.passed(), "a backup does not know whether it was used: {void:?}");
}

/// A passphrase is typed twice, and the terminal shows none of it; Ctrl-C leaves the terminal as it was.
#[test]
fn dat_02_a_passphrase_is_typed_and_not_shown() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::start();
    let place = Place::new();
    let key = t.daemon.key_file();
    let started = |name: &str| {
        let mut ctl = Command::new(artifacts::ctl());
        ctl.args(["--bus", &t.bus.address(), "backup", &place.path(name), "--with-key", "--key-file"])
            .arg(&key);
        Pty::spawn(&ctl)
    };
    let words = "four tall horses wait";
    let typed = |name: &str, first: &str, second: &str| {
        let mut terminal = started(name);
        terminal.expect("Passphrase for the file");
        terminal.send_line(first);
        if first.len() >= 12 {
            terminal.expect("The same again");
            terminal.send_line(second);
        }
        let status = terminal.wait(Duration::from_secs(30));
        let shown = terminal.transcript().to_owned();
        assert!(!shown.contains("horses"), "{shown}");
        (status.success(), shown)
    };
    let (done, shown) = typed("good", words, words);
    assert!(done && fs::metadata(place.path("good")).is_ok(), "{shown}");
    for (name, first, second, why) in
        [("short", "horses", "", "too short"), ("two", words, "four tall horses went", "not the same")]
    {
        let (done, shown) = typed(name, first, second);
        assert!(!done && shown.contains(why), "{shown}");
        assert!(fs::symlink_metadata(place.path(name)).is_err(), "nothing is left of it");
    }
    let mut terminal = started("interrupted");
    terminal.expect("Passphrase for the file");
    terminal.send(&[b'x', 3]);
    assert!(!terminal.wait(Duration::from_secs(10)).success());
    assert!(fs::symlink_metadata(place.path("interrupted")).is_err());
}

#[test]
fn dat_02_a_file_that_exists_is_never_overwritten() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::start();
    let place = Place::new();
    let path = place.path("taken");
    fs::write(&path, "something dear").expect("our own file");
    std::os::unix::fs::symlink(place.path("elsewhere"), place.path("link")).expect("a link");
    for path in [&path, &place.path("link")] {
        let out = t.daemon.ctl().run(&["backup", path]);
        assert!(out.code == Some(1) && complaint(&out).contains("cannot be created"), "{out:?}");
    }
    assert_eq!(fs::read(&path).expect("still there"), b"something dear");
    assert!(fs::symlink_metadata(place.path("elsewhere")).is_err());
    let denied = t.daemon.ctl().as_uid(5001).run(&["backup", "/tmp/countersign-backup-of-alice"]);
    assert_eq!(denied.code, Some(4), "{denied:?}");
    assert!(fs::symlink_metadata("/tmp/countersign-backup-of-alice").is_err(), "nothing is left");
}
