//! `[reload] watch`: a change on disk comes into force by itself, whole or not at all.

use countersign_tests::{Code, Fixture, require};
use std::fs;
use std::io::Write as _;
use std::time::{Duration, Instant};

const STRICT: &str = "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\n";
const CAROL_TOO: &str = "\n[[policy]]\nname = \"carol too\"\nusers = [\"carol\"]\n";
const DAVE_TOO: &str = "[[policy]]\nname = \"dave too\"\nusers = [\"dave\"]\n";

/// The fixture's policy with more behind it, watched or not.
fn file(watch: bool, policies: &str) -> String {
    format!("issuer = \"Acme\"\n[reload]\nwatch = {watch}\n{policies}")
}

/// A daemon that watches its files.
fn watching() -> Fixture {
    let t = Fixture::start();
    t.daemon.configure(&file(true, STRICT));
    let _ = t.daemon.ctl().run(&["policy", "apply"]).ok();
    said(&t, "the policy files are watched");
    t
}

/// Waits for words in the daemon's log, each time for more of them than before.
fn said_times(t: &Fixture, words: &str, times: usize) {
    let until = Instant::now() + Duration::from_secs(8);
    while t.daemon.said().matches(words).count() < times {
        assert!(Instant::now() < until, "{words:?} was not said {times} times: {}", t.daemon.said());
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn said(t: &Fixture, words: &str) {
    said_times(t, words, 1);
}

/// People who are required and have nothing are denied, others pass: that tells what is in force.
fn asked(t: &Fixture, user: &str) -> bool {
    match t.probe().login(user, [""; 0]).auth {
        Code::PERM_DENIED => true,
        Code::IGNORE => false,
        other => panic!("{user}: {other:?}"),
    }
}

#[test]
fn a_watched_file_comes_into_force_when_it_changes() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = watching();
    assert!(!asked(&t, "carol"));
    // Over the file, as editors do it.
    let new = t.daemon.config_file().with_extension("new");
    fs::write(&new, file(true, &format!("{STRICT}{CAROL_TOO}"))).expect("our own folder");
    fs::rename(&new, t.daemon.config_file()).expect("our own folder");
    said_times(&t, "policy applied", 2);
    assert!(asked(&t, "carol") && asked(&t, "bob"));

    // A folder of drop-ins that was not there, then another one in it.
    let drop_ins = t.daemon.config_file().with_file_name("conf.d");
    fs::create_dir(&drop_ins).expect("our own folder");
    fs::write(drop_ins.join("10-dave.toml"), DAVE_TOO).expect("our own folder");
    said_times(&t, "policy applied", 3);
    assert!(asked(&t, "dave"));
    fs::write(drop_ins.join("20-root.toml"), DAVE_TOO.replace("dave", "root")).expect("our own folder");
    said_times(&t, "policy applied", 4);
    assert!(asked(&t, "root"));
    // What editors leave beside the files is none of ours.
    let before = t.daemon.said().matches(">policy").count();
    for name in [".10-dave.toml.swp", "notes.txt", "10-dave.toml~"] {
        fs::write(drop_ins.join(name), "x").expect("our own folder");
    }
    std::thread::sleep(Duration::from_millis(1500));
    let after = t.daemon.said().matches(">policy").count();
    assert_eq!(before, after, "{}", t.daemon.said());
}

#[test]
fn watching_is_switched_by_the_file_itself_and_off_means_off() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = watching();
    t.daemon.configure(&file(false, STRICT));
    said(&t, "no longer watched");
    t.daemon.configure(&file(true, &format!("{STRICT}{CAROL_TOO}")));
    std::thread::sleep(Duration::from_millis(2500));
    assert!(!asked(&t, "carol"), "nobody looks: {}", t.daemon.said());
    t.daemon.signal(nix::sys::signal::Signal::SIGHUP);
    said_times(&t, "files are watched", 2);
    assert!(asked(&t, "carol"));
}

#[test]
fn byp_05_a_watched_file_that_breaks_or_weakens_keeps_the_running_policy() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = watching();
    t.daemon.configure("[[policy");
    said(&t, "the running policy stays");
    assert!(asked(&t, "bob"));
    let status = t.daemon.ctl().run(&["status"]).ok().stdout;
    assert!(status.contains("WARNING: the policy file is NOT in force:\n    /"), "{status}");
    t.daemon.configure(&file(true, &STRICT.replace("groups", "status = \"off\"\ngroups")));
    said_times(&t, "the running policy stays", 2);
    assert!(asked(&t, "bob"));
    let status = t.daemon.ctl().run(&["status"]).ok().stdout;
    assert!(status.contains("NOT in force:\n    it protects less"), "{status}");
    fs::remove_file(t.daemon.config_file()).expect("our own file");
    said_times(&t, "the running policy stays", 3);
    assert!(asked(&t, "bob"));
    t.daemon.configure(&file(true, STRICT));
    said(&t, "policy unchanged");
    let status = t.daemon.ctl().run(&["status"]).ok().stdout;
    assert!(!status.contains("NOT in force"), "{status}");
}

/// A hundred writers stop half way, each at another byte, while people log in. What they leave may
/// even ask more than what was meant (a policy whose groups are still to come): never less.
#[test]
fn byp_05_a_half_written_file_never_loosens_with_watch_on() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = watching();
    let whole = file(true, &format!("{STRICT}[[policy]]\nname = \"rest\"\nstatus = \"off\"\n"));
    for n in 0..100 {
        let mut half = fs::File::create(t.daemon.config_file()).expect("our own file");
        half.write_all(&whole.as_bytes()[..whole.len() * n / 100]).expect("our own file");
        // Each is also read at that moment, as if a reload came from elsewhere.
        if n % 2 == 0 {
            t.daemon.signal(nix::sys::signal::Signal::SIGHUP);
        }
        if n % 10 == 0 {
            assert!(asked(&t, "bob"), "after {n} of 100: {}", t.daemon.said());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    // The last one was closed before its end, and is found by the watch.
    let before = t.daemon.said().matches("the running policy stays").count();
    said_times(&t, "the running policy stays", before + 1);
    assert!(asked(&t, "bob"));
    t.daemon.configure(&whole);
    let _ = t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).ok();
    assert!(asked(&t, "bob") && !asked(&t, "carol"));
}

/// Who opened the file and still writes is waited for, whatever the clock says of quiet.
#[test]
fn a_writer_who_takes_their_time_is_waited_for() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = watching();
    let whole = file(true, &format!("{STRICT}{CAROL_TOO}"));
    let (first, rest) = whole.split_at(whole.len() - CAROL_TOO.len());
    let before = t.daemon.said();
    let mut writer = fs::File::create(t.daemon.config_file()).expect("our own file");
    writer.write_all(first.as_bytes()).expect("our own file");
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(t.daemon.said(), before, "half a file was read");
    writer.write_all(rest.as_bytes()).expect("our own file");
    drop(writer);
    said_times(&t, "policy applied", 2);
    assert!(asked(&t, "carol"));
}
