//! Ways through sshd that are not a password and a code.

use super::{failures_of_alice, require_all};
use countersign_tests::people::{ALICE, CAROL, HOMES, Person};
use countersign_tests::scratch::Scratch;
use countersign_tests::ssh::{self, CODE_PROMPT, SshResult, dialogue};
use countersign_tests::{Fixture, Sshd};
use std::fs;
use std::os::unix::fs::chown;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A key that `person` may log in with.
fn key_of(person: &Person, dir: &Scratch) -> PathBuf {
    let key = dir.join(person.name);
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
    assert!(made.is_ok_and(|status| status.success()), "ssh-keygen (openssh-client)");
    let folder = Path::new(HOMES).join(person.name).join(".ssh");
    fs::create_dir_all(&folder).expect("a home in our own /run");
    fs::copy(key.with_extension("pub"), folder.join("authorized_keys")).expect("a home in our own /run");
    chown(&folder, Some(person.uid), Some(person.uid)).expect("a home in our own /run");
    key
}

/// Logs in with a key first, then as `talk` says.
fn with_key(sshd: &Sshd, user: &str, key: &Path, talk: &[(&str, &str)]) -> SshResult {
    let identity = format!("IdentityFile={}", key.display());
    let options = [identity.as_str(), "PreferredAuthentications=publickey,keyboard-interactive"];
    dialogue(&sshd.client(user, &options, "true"), talk)
}

/// A key never enters PAM's auth phase. The account phase is the net below it.
#[test]
fn byp_14_sshd_with_a_key_alone_is_refused_where_a_code_is_required() {
    require_all!(Tool("sshd"), Tool("ssh"));
    let t = Fixture::with_clock();
    let _ = t.daemon.enroll("alice");
    let keys = Scratch::new("keys");
    let (alice_key, carol_key) = (key_of(&ALICE, &keys), key_of(&CAROL, &keys));
    let methods = ["AuthenticationMethods publickey"];
    let sshd = Sshd::start_with(&t.world, &ssh::two_factor_lines(&t.module()), &methods);

    let refused = with_key(&sshd, "alice", &alice_key, &[]);
    assert_eq!(refused.code, Some(255), "{refused:?}\n{}", sshd.log());
    assert!(sshd.log().contains("Accepted key"), "it was the key that sshd took: {}", sshd.log());
    let carol = with_key(&sshd, "carol", &carol_key, &[]);
    assert!(carol.passed(), "nothing is required of carol: {carol:?}\n{}", sshd.log());

    let row = t.daemon.log("alice").pop().expect("a row");
    let seen = (row.state.as_str(), row.reason.as_str(), row.service.as_str(), row.source.as_str());
    assert_eq!(seen, ("denied", "no-second-factor", "sshd", "127.0.0.1"), "{row:?}");
    assert_eq!(failures_of_alice(&t.daemon), 0, "it was no guess");
    assert_eq!(t.daemon.log("carol").pop().expect("a row").state, "skipped");
}

#[test]
fn byp_14_sshd_with_a_key_and_a_code_passes() {
    require_all!(Tool("sshd"), Tool("ssh"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let keys = Scratch::new("keys");
    let key = key_of(&ALICE, &keys);
    let methods = ["AuthenticationMethods publickey,keyboard-interactive:pam"];
    // The key is the first factor: sshd tells PAM so, and the line needs no `after_first_factor`.
    let lines = [
        t.module().line("auth", "required", &[]),
        "account required pam_unix.so".to_owned(),
        t.module().line("account", "required", &[]),
        "session required pam_permit.so".to_owned(),
    ];
    let sshd = Sshd::start_with(&t.world, &lines, &methods);
    let code = alice.fresh_code();
    let passed = with_key(&sshd, "alice", &key, &[(CODE_PROMPT, &code)]);
    assert!(passed.passed(), "{passed:?}\n{}", sshd.log());
    let row = t.daemon.log("alice").pop().expect("a row");
    assert_eq!((row.state.as_str(), row.confirmed), ("verified", true), "{row:?}");

    let used = with_key(&sshd, "alice", &key, &[(CODE_PROMPT, code.as_str()); 3]);
    assert!(!used.passed() && used.answered == 3, "three tries, the key having passed: {used:?}");
    assert!(used.transcript.contains("already used"), "{used:?}");
    let no_key = sshd.login("alice", &[(CODE_PROMPT, &alice.fresh_code())]);
    assert_eq!((no_key.passed(), no_key.answered), (false, 0), "the code alone is not asked for: {no_key:?}");
    assert!(with_key(&sshd, "alice", &key, &[(CODE_PROMPT, &alice.fresh_code())]).passed());
}

/// The method `password` answers every hidden prompt with the password, and fails at a visible one.
#[test]
fn byp_15_sshd_with_the_password_method_is_no_way_around() {
    require_all!(Tool("sshd"), Tool("ssh"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let config = ["PasswordAuthentication yes", "AuthenticationMethods any"];
    let client = |sshd: &Sshd, user: &str, password: &str| {
        let options = ["PreferredAuthentications=password"];
        dialogue(&sshd.client(user, &options, "true"), &[("password:", password)])
    };
    for echo in ["", " echo=off"] {
        let mut lines = ssh::two_factor_lines(&t.module());
        lines[1] += echo;
        let sshd = Sshd::start_with(&t.world, &lines, &config);
        let password = client(&sshd, "alice", &ALICE.password());
        assert_eq!((password.passed(), password.answered), (false, 1), "{echo:?}: {password:?}");
        assert!(client(&sshd, "carol", &CAROL.password()).passed(), "{echo:?}: carol, as the control");
        // For a name that does not exist sshd answers with junk.
        assert!(!client(&sshd, "nobody-here", "whatever").passed());
        let talk = [("Password:", ALICE.password()), (CODE_PROMPT, alice.fresh_code())];
        let both = sshd.login("alice", &talk.each_ref().map(|(prompt, answer)| (*prompt, answer.as_str())));
        assert!(both.passed(), "{echo:?}: {both:?}\n{}", sshd.log());
    }
    assert_eq!(failures_of_alice(&t.daemon), 0);
    let states: Vec<String> =
        t.daemon.log("alice").into_iter().filter(|row| row.service == "sshd").map(|row| row.state).collect();
    assert_eq!(states, ["abandoned", "verified", "abandoned", "verified"]);
}
