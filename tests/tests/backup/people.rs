//! People between hosts: whole, sealed on the way, and never in the place of what somebody has.

use super::{Place, found_in, spellings};
use countersign_daemon::read_key;
use countersign_daemon::seal::{Sealer, totp_row};
use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::fixture::CONFIG;
use countersign_tests::{Daemon, DaemonSetup, Fixture, PrivateBus, Stack, Wire, require};
use serde_json::Value;
use std::fs;
use std::io::{Seek as _, SeekFrom, Write as _};

/// Another host on another bus, with the same people and the same time.
fn another(t: &Fixture) -> (Daemon, PrivateBus) {
    let bus = PrivateBus::start(t.world.daemon_uid());
    let clock = t.daemon.clock().expect("a clock");
    (DaemonSetup::new(&t.world, CONFIG).clock(clock).start(&t.world, &bus), bus)
}

fn export(daemon: &Daemon, place: &Place, name: &str, users: &[&str]) -> String {
    let (path, passphrase) = (place.path(name), place.path("passphrase"));
    let args =
        [&["export", &path], users, &["--reason", "a move", "--passphrase-file", &passphrase]].concat();
    let _ = daemon.ctl().run(&args).ok();
    path
}

fn import(daemon: &Daemon, place: &Place, file: &str, more: &[&str]) -> (Option<i32>, Vec<Value>) {
    let passphrase = place.path("passphrase");
    let base = ["import", "people", file, "--reason", "a move", "--passphrase-file", &passphrase, "--json"];
    let out = daemon.ctl().run(&[&base, more].concat());
    assert!(out.code == Some(0) || !out.stdout.is_empty(), "{out:?}");
    (out.code, out.json())
}

#[test]
fn adm_02_people_move_to_another_host_and_nothing_lies_open() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let bob = t.daemon.enroll("bob");
    let used = alice.fresh_code();
    assert!(t.cs().login("alice", [&used]).passed());
    let spent = bob.recovery[0].clone();
    let _ = t.cs().visit("bob").run([spent.as_str(), "no"]);
    let place = Place::new();
    let file = export(&t.daemon, &place, "people", &[]);
    let bytes = fs::read(&file).expect("the file");
    assert_eq!(found_in(&bytes, &[spellings(&alice), spellings(&bob)].concat()), None);
    let told = t.daemon.ctl().run(&["status", "alice", "--json"]).ok();
    assert!(told.stdout.contains("exported"), "{told:?}");

    let (other, _bus) = another(&t);
    let (_, dry) = import(&other, &place, &file, &["--dry-run"]);
    assert!(dry.iter().all(|one| one["what"] == "new" && one["new"] == 1), "{dry:?}");
    assert!(!other.ctl().run(&["users"]).ok().stdout.contains("alice"), "a dry run changes nothing");
    let (code, came) = import(&other, &place, &file, &[]);
    assert_eq!((code, came.len()), (Some(0), 2), "{came:?}");
    assert_eq!((&came[0]["user"], &came[0]["uid"]), (&"alice".into(), &5001.into()));
    let there = Stack::cs(&other.module());
    assert!(!there.login("alice", [&used]).passed(), "used there is used here");
    assert!(!there.login("bob", [spent.as_str()]).passed(), "and so are recovery codes");
    assert!(there.login("alice", [alice.fresh_code()]).passed());
    assert!(there.visit("bob").run([bob.recovery[1].as_str(), "no"]).passed());
    // Once more: all is here.
    let (_, again) = import(&other, &place, &file, &[]);
    assert!(again.iter().all(|one| one["what"] == "present"), "{again:?}");
}

#[test]
fn rpl_16_people_do_not_take_the_place_of_others() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let place = Place::new();
    let file = export(&t.daemon, &place, "people", &["alice"]);
    let (other, _bus) = another(&t);
    let there = Stack::cs(&other.module());
    // Somebody here has her secret already.
    let uri = alice.uri.replace("alice", "bob");
    let _ = other.ctl().run_with(&["import", "otpauth", "-", "--user", "bob"], &format!("{uri}\n")).ok();
    let (code, came) = import(&other, &place, &file, &[]);
    assert_eq!((code, &came[0]["what"]), (Some(1), &"refused".into()), "{came:?}");
    assert!(came[0]["why"].as_str().is_some_and(|why| why.contains("same secret")), "{came:?}");
    let _ = other.ctl().run(&["reset", "bob", "--alone", "--yes", "--reason", "a test"]).ok();
    // And she has a phone here.
    let phone = other.ctl().enroll("alice", t.daemon.clock().cloned());
    let (code, came) = import(&other, &place, &file, &[]);
    assert_eq!((code, &came[0]["what"]), (Some(1), &"refused".into()), "{came:?}");
    let asked = other.ctl().run(&["import", "people", &file, "--replace", "--reason", "x"]);
    assert!(asked.code == Some(2) && asked.complaint().contains("--yes"), "{asked:?}");
    let (_, came) = import(&other, &place, &file, &["--add"]);
    assert_eq!(came[0]["what"], "new", "{came:?}");
    assert!(there.login("alice", [phone.fresh_code()]).passed());
    assert!(there.login("alice", [alice.fresh_code()]).passed());
    let (_, came) = import(&other, &place, &file, &["--replace", "--yes"]);
    assert_eq!(came[0]["what"], "new", "{came:?}");
    assert!(!there.login("alice", [phone.fresh_code()]).passed(), "replaced");
    let _ = other.ctl().run(&["unlock", "alice"]).ok();
    assert!(there.login("alice", [alice.fresh_code()]).passed());
    let nobody = other.ctl().run(&[
        "export",
        &place.path("nobody"),
        "mallory",
        "--reason",
        "x",
        "--passphrase-file",
        &place.path("passphrase"),
    ]);
    assert_eq!(nobody.code, Some(3), "{nobody:?}");
    assert!(fs::symlink_metadata(place.path("nobody")).is_err(), "no empty file stays");
}

/// A secret that is too short comes in by no other way than from a host that once took it.
#[test]
fn enr_09_weak_secrets_do_not_come_from_another_host() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let mut t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let (master, instance) = read_key(&t.daemon.key_file()).expect("the key");
    let weak = Sealer::derive(&master, instance).expect("derives").seal(&totp_row(5001), &[7; 10]);
    let db = rusqlite::Connection::open(t.daemon.database()).expect("the database");
    let changed = db.execute("UPDATE totp SET secret = ?1", [weak.expect("sealed")]);
    assert_eq!(changed, Ok(1));
    db.close().expect("the database closes");
    t.daemon.resume();
    let place = Place::new();
    let file = export(&t.daemon, &place, "people", &[]);
    let (other, _bus) = another(&t);
    let (code, came) = import(&other, &place, &file, &[]);
    assert_eq!((code, &came[0]["what"]), (Some(1), &"refused".into()), "{came:?}");
    assert!(!other.ctl().run(&["users"]).ok().stdout.contains("alice"), "nobody came");
}

/// What the daemon itself hands out is sealed, and what comes back changed is refused whole.
#[test]
fn adm_02_the_daemon_hands_out_nothing_unsealed() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let memory = || tempfile::tempfile().expect("a file without a name");
    let mut wire = Wire::as_uid(&t.bus, 0);
    let (mut key, mut file) = (memory(), memory());
    key.write_all(&[7; 32]).expect("a key");
    for bytes in [0, 16, 31, 33] {
        let (mut key, into) = (memory(), memory());
        key.write_all(&vec![1; bytes]).expect("our own file");
        let arguments = (vec!["alice"], zbus::Fd::from(&key), zbus::Fd::from(&into), "a test");
        let reply = wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ExportPeople", &arguments);
        assert!(reply.is_err(), "a key of {bytes} bytes");
    }
    let arguments = (vec!["alice"], zbus::Fd::from(&key), zbus::Fd::from(&file), "a test");
    let reply = wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ExportPeople", &arguments);
    assert!(reply.is_ok(), "{reply:?}");
    file.seek(SeekFrom::Start(0)).expect("our own file");
    let mut bytes = Vec::new();
    std::io::Read::read_to_end(&mut file, &mut bytes).expect("our own file");
    assert!(bytes.len() > 100);
    assert_eq!(found_in(&bytes, &spellings(&alice)), None);
    for at in [0, 30, bytes.len() / 2, bytes.len() - 1] {
        let mut changed = memory();
        let mut flipped = bytes.clone();
        flipped[at] ^= 1;
        changed.write_all(&flipped).expect("our own file");
        let arguments = (zbus::Fd::from(&key), zbus::Fd::from(&changed), (false, false, false), "a test");
        let reply = wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "ImportPeople", &arguments);
        assert!(reply.as_ref().is_err_and(|e| e.text.contains("do not open")), "byte {at}: {reply:?}");
    }
}

/// ADM-01: both leave one act.
#[test]
fn adm_01_people_who_go_and_come_are_on_record() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let acts = |daemon: &Daemon| {
        let acts = daemon.ctl().run(&["log", "acts", "--json"]).ok().json();
        acts.iter()
            .map(|act| format!("{} {}", act["verb"], act["reason"]).replace('"', ""))
            .collect::<Vec<_>>()
    };
    let place = Place::new();
    let file = export(&t.daemon, &place, "people", &["alice"]);
    assert_eq!(acts(&t.daemon)[..2], ["ExportPeople a move", "ConfirmEnrollment "]);
    let (other, _bus) = another(&t);
    let _ = import(&other, &place, &file, &["--dry-run"]);
    assert_eq!(acts(&other), [""; 0]);
    let _ = import(&other, &place, &file, &[]);
    assert_eq!(acts(&other), ["ImportPeople a move"]);
}
