//! `countersignctl import`: the secrets of other programs keep working, and nothing comes in with them.

use countersign_tests::ctl::CtlOutput;
use countersign_tests::people::{ALICE, BOB, HOMES, Person};
use countersign_tests::secret::encode_base32;
use countersign_tests::{Code, Fixture, Secret, Stack, require};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// 16 bytes, as many as google-authenticator makes.
const KEY: [u8; 16] = *b"\x84\x81\x8b\x8a\xae\xf0\xf1\xfb\x30\xa4\x83\x0a\x1b\xee\x34\x9c";

fn google_file(person: Person) -> PathBuf {
    Path::new(HOMES).join(person.name).join(".google_authenticator")
}

/// Writes a file into somebody's home, as theirs.
fn write_google_file(person: Person, text: &str) {
    let path = google_file(person);
    drop(fs::remove_file(&path));
    fs::write(&path, text).expect("write into a home");
    give(&path, person, 0o400);
}

fn give(path: &Path, person: Person, mode: u32) {
    chown(path, Some(person.uid), Some(person.uid)).expect("give it away");
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a mode");
}

fn secret_of(key: &[u8], scratch: &[&str]) -> String {
    let codes: String = scratch.iter().map(|code| format!("{code}\n")).collect();
    format!("{}\n\" WINDOW_SIZE 3\n\" DISALLOW_REUSE\n\" TOTP_AUTH\n{codes}", encode_base32(key))
}

fn import(t: &Fixture, args: &[&str], stdin: &str) -> CtlOutput {
    let done = t.daemon.ctl().run_with(&[&["import"], args, &["--json"]].concat(), stdin);
    assert!(!done.complaint().contains("panicked"), "{done:?}");
    done
}

/// `user: result, why` of each line.
fn results(done: &CtlOutput) -> Vec<String> {
    let word = |row: &serde_json::Value, key: &str| row[key].as_str().expect("a word").to_owned();
    let line = |row: &serde_json::Value| {
        format!("{}: {}, {}", word(row, "user"), word(row, "result"), word(row, "why"))
    };
    done.json().iter().map(line).collect()
}

/// The module that made the files, reading the very file that was imported.
fn google_stack() -> Stack {
    let auth =
        format!("auth required pam_google_authenticator.so secret={HOMES}/${{USER}}/.google_authenticator");
    Stack::of("old", &[auth.as_str(), "account required pam_permit.so"])
}

/// What the incumbent's own program made is taken over; its codes open both, and what was used there is dead here.
#[test]
fn import_google_authenticator_control() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    require!(Tool("google-authenticator"), PamModule("pam_google_authenticator.so"));
    let t = Fixture::start();
    let path = google_file(ALICE);
    let made = Command::new("google-authenticator")
        .args(["-t", "-d", "-f", "-r", "3", "-R", "30", "-w", "3", "-q", "-s"])
        .arg(&path)
        .stdin(Stdio::null())
        .status();
    assert!(made.expect("run google-authenticator").success());
    give(&path, ALICE, 0o400);
    let text = fs::read_to_string(&path).expect("the program's file");
    let app = Secret::from_base32(text.lines().next().expect("a secret"), None);
    let scratch: Vec<&str> = text.lines().filter(|line| line.len() == 8).collect();
    assert_eq!(scratch.len(), 5, "{text}");

    let before = app.fresh_code();
    let old = google_stack().visit("alice").in_own_process().run([&before]);
    assert!(old.passed(), "the control: {old:?}");
    let kept = fs::read(&path).expect("the program's file");
    assert!(String::from_utf8_lossy(&kept).contains("DISALLOW_REUSE 5"), "the step it used is noted");
    let dry = import(&t, &["google-authenticator", "--all-homes", "--dry-run"], "").ok();
    assert_eq!(results(&dry), ["alice: would-import, 5 scratch codes are recovery codes now"]);
    assert_eq!(t.cs().login("alice", [&before]).auth, Code::PERM_DENIED, "a dry run changes nothing");

    let done = import(&t, &["google-authenticator", "--all-homes"], "").ok();
    assert_eq!(results(&done), ["alice: imported, 5 scratch codes are recovery codes now"]);
    assert_eq!(fs::read(&path).expect("it is there"), kept, "the old file is as it was");
    let replayed = t.cs().login("alice", [&before, &before, &before]);
    assert_eq!(replayed.auth, Code::MAXTRIES, "{replayed:?}");
    assert!(replayed.messages()[0].starts_with("This code was already used"), "{replayed:?}");

    let both = app.fresh_code();
    assert!(t.cs().login("alice", [&both]).passed(), "nobody scanned anew");
    let old = google_stack().visit("alice").in_own_process().run([&both]);
    assert!(old.passed(), "the same code by the old module: {old:?}");
    let again = import(&t, &["google-authenticator", "--user", "alice"], "").ok();
    assert_eq!(results(&again), ["alice: present, the person has this secret already"]);
}

#[test]
fn import_oath_control() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    require!(PamModule("pam_oath.so"));
    let t = Fixture::start();
    let hex: String = KEY.iter().map(|byte| format!("{byte:02x}")).collect();
    let file = "/etc/users.oath";
    fs::write(file, format!("HOTP alice - {hex}\nHOTP/T30 bob - {hex}ff\nHOTP/T30/7 bob - {hex}aa\n"))
        .expect("write");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).expect("a mode");
    let key = [&KEY[..], &[0xff]].concat();
    let bob = Secret::from_base32(&encode_base32(&key), None);
    let done = import(&t, &["oath"], "");
    assert_eq!(done.code, Some(1), "{done:?}");
    let results = results(&done);
    assert!(results[0].starts_with("alice: refused, it counts logins (HOTP)"), "{results:?}");
    assert_eq!(results[1], "bob: imported, no recovery codes came with it");
    assert!(results[2].starts_with("bob: refused, its codes have 7 digits"), "{results:?}");
    let code = bob.fresh_code();
    assert!(t.cs().login("bob", [&code]).passed());
    let line = "auth required pam_oath.so usersfile=/etc/users.oath window=2 digits=6";
    let old = Stack::of("old", &[line, "account required pam_permit.so"]);
    let old = old.visit("bob").in_own_process().run([&code]);
    assert!(old.passed(), "the control: {old:?}");
    assert!(!t.cs().login("bob", [&code]).passed(), "once only");
}

/// Scratch codes work once, are charged like the codes of an app, and are no way around a lock.
#[test]
fn bru_10_scratch_codes_are_bounded_like_the_codes_of_an_app() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    write_google_file(ALICE, &secret_of(&KEY, &["67462423", "80567005", "90446208"]));
    let _ = import(&t, &["google-authenticator", "--user", "alice"], "").ok();
    assert!(t.cs().login("alice", ["6746 2423"]).passed());
    let again = t.cs().login("alice", ["67462423"; 3]);
    assert_eq!(again.auth, Code::MAXTRIES, "once only: {again:?}");
    assert_eq!(t.daemon.log("alice").iter().filter(|row| row.factor == "recovery").count(), 1);

    for _ in 0..5 {
        drop(t.cs().login("alice", ["12345678"]));
    }
    let locked = t.cs().login("alice", ["80567005"]);
    assert_eq!((locked.auth, locked.code_prompts()), (Code::MAXTRIES, 0), "not even asked for: {locked:?}");
    let open = t.daemon.ctl().run(&["unlock", "alice"]).ok();
    assert!(open.stdout.contains("1 lock lifted"), "{open:?}");
    assert!(t.cs().login("alice", ["80567005"]).passed(), "and is good afterwards");
    let users = t.daemon.ctl().run(&["users"]).ok().stdout;
    assert!(users.contains("recovery (1 left)"), "{users}");
    let _ = t.daemon.ctl().run(&["reset", "alice", "--reason", "a test", "--yes"]).ok();
    assert!(!t.cs().login("alice", ["90446208"]).passed(), "void after a reset");
}

#[test]
fn enr_09_weak_secrets_are_refused_by_name() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start();
    let key = |bytes: usize| (0..bytes).map(|i| (i * 167 + 91) as u8).collect::<Vec<_>>();
    let uri = |key: &[u8]| format!("otpauth://totp/alice?secret={}\n", encode_base32(key));
    let weak = [key(8), key(10), key(15), vec![7; 32], b"12345678901234567890".to_vec()];
    let input: String = weak.iter().map(|key| uri(key)).collect();
    let done = import(&t, &["otpauth", "-"], &input);
    let results = results(&done);
    assert_eq!((done.code, results.len()), (Some(1), weak.len()));
    for result in &results {
        assert!(result.starts_with("alice: refused, the secret is too weak"), "{result}");
    }
    assert!(results[0].contains("64 bits") && results[1].contains("80 bits"), "{results:?}");
    // Old versions of google-authenticator made sixteen characters.
    write_google_file(BOB, "GROTCLXAZDPP2I3J\n\" TOTP_AUTH\n67462423\n");
    let old = import(&t, &["google-authenticator", "--user", "bob"], "");
    assert!(old.stdout.contains("it must be enrolled anew"), "{old:?}");
    assert_eq!(t.daemon.ctl().run(&["users", "--json"]).ok().stdout, "", "nobody has a factor");
    let _ = import(&t, &["otpauth", "-"], &uri(&key(16))).ok();
}

#[test]
fn rpl_16_the_same_secret_for_two_people_is_refused() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let stolen = import(&t, &["otpauth", "-", "--user", "bob"], &alice.uri);
    assert_eq!(stolen.code, Some(1));
    assert!(stolen.stdout.contains("alice has the same secret"), "{stolen:?}");
    let again = import(&t, &["otpauth", "-", "--user", "alice"], &alice.uri).ok();
    assert!(again.stdout.contains("present"), "{again:?}");
    assert!(!t.cs().login("bob", [alice.fresh_code()]).passed());
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "the control");
}

/// ENR-03: who has alice's shell could plant a file for the next import; her own factor is not joined by it.
#[test]
fn enr_03_a_planted_file_adds_no_factor_to_somebody_enrolled() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    write_google_file(ALICE, &secret_of(&KEY, &["67462423"]));
    let planted = import(&t, &["google-authenticator", "--all-homes"], "");
    assert_eq!(planted.code, Some(1));
    assert!(planted.stdout.contains("has an authenticator already"), "{planted:?}");
    let attacker = Secret::from_base32(&encode_base32(&KEY), t.daemon.clock().cloned());
    assert!(!t.cs().login("alice", [attacker.fresh_code()]).passed());
    assert!(!t.cs().login("alice", ["67462423"]).passed());
    let meant = import(&t, &["google-authenticator", "--user", "alice", "--add"], "").ok();
    assert!(meant.stdout.contains("scratch codes not taken"), "{meant:?}");
    assert!(t.cs().login("alice", [attacker.fresh_code()]).passed(), "the control");
}

/// PRV-11: whatever lies in the place of the file, root neither follows nor waits nor reads it.
#[test]
fn prv_11_what_is_planted_in_a_home_is_not_imported() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start();
    let (path, good) = (google_file(ALICE), secret_of(&KEY, &[]));
    let home = path.parent().expect("a home").to_owned();
    let run = || {
        let done = import(&t, &["google-authenticator", "--user", "alice"], "");
        assert_eq!(done.code, Some(1), "{done:?}");
        results(&done).remove(0)
    };
    let roots = Path::new("/run/roots");
    fs::create_dir(roots).expect("a folder");
    fs::set_permissions(roots, fs::Permissions::from_mode(0o700)).expect("root's folder");
    let hidden = roots.join(".google_authenticator");
    fs::write(&hidden, &good).expect("write");
    give(&hidden, ALICE, 0o600);
    symlink(&hidden, &path).expect("a link");
    assert!(run().contains("symbolic link"));
    fs::remove_file(&path).expect("our own");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::S_IRWXU).expect("a FIFO");
    give(&path, ALICE, 0o600);
    assert!(run().contains("not a regular file"));
    fs::remove_file(&path).expect("our own");
    fs::create_dir(&path).expect("a folder");
    assert!(run().contains("not a regular file"));
    fs::remove_dir(&path).expect("our own");
    write_google_file(BOB, &good);
    fs::hard_link(google_file(BOB), &path).expect("a hard link");
    let linked = run();
    assert!(linked.contains("cannot be opened") || linked.contains("somebody else"), "{linked}");
    fs::remove_file(&path).expect("our own");
    for (owner, mode, why) in [(ALICE, 0o644, "others on this host"), (BOB, 0o444, "somebody else")] {
        fs::write(&path, &good).expect("write");
        give(&path, owner, mode);
        let said = run();
        assert!(said.contains(why), "{said}");
    }
    fs::write(&path, good.clone() + &"x".repeat(65 * 1024)).expect("write");
    give(&path, ALICE, 0o600);
    assert!(run().contains("larger"));
    // A home that leads to where only root can go: opened as root it would be read.
    fs::remove_dir_all(&home).expect("our own");
    symlink(roots, &home).expect("a link");
    assert!(run().contains("cannot be opened as its owner"));
    fs::remove_file(&home).expect("our own");
    fs::create_dir(&home).expect("a home");
    give(&home, ALICE, 0o755);
    write_google_file(ALICE, &good);
    fs::remove_file(google_file(BOB)).expect("our own");
    let done = import(&t, &["google-authenticator", "--user", "alice"], "").ok();
    assert!(done.stdout.contains("imported"), "the control: {done:?}");
}
