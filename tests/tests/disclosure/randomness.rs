//! AVL-10: the kernel gives no random bytes. Then no secret, no code and no login id is made of others.

use super::require_all;
use countersign_tests::faults::Strace;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Code, Fixture, artifacts};
use std::fs;
use std::process::{Command, Stdio};

#[test]
fn avl_10_without_randomness_nothing_is_issued() {
    require_all!(Ptrace);
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    // ENOSYS and EPERM send the library to /dev/urandom, which has to fail, too.
    for errors in [
        &["getrandom:error=EIO"][..],
        &["getrandom:error=EAGAIN"],
        &["getrandom:error=ENOSYS", "?open,openat:error=EIO"],
    ] {
        let options: Vec<String> = errors.iter().map(|error| format!("--inject={error}")).collect();
        let mut options: Vec<&str> = options.iter().map(String::as_str).collect();
        options.push("--trace=getrandom,?open,openat");
        let before = t.daemon.said().len();
        let strace = Strace::attach(t.daemon.pid(), &options);
        let ctl = t.daemon.ctl();
        for (verb, args) in [
            ("enroll", &["enroll", "bob", "--json"][..]),
            ("invite", &["invite", "bob", "--json"]),
            ("recovery-codes", &["recovery-codes", "alice", "--new", "--yes", "--json"]),
        ] {
            let out = ctl.run(args);
            assert!(out.code.is_some_and(|code| code != 0), "{errors:?}: {verb}: {out:?}");
            assert_eq!(out.stdout, "", "{errors:?}: {verb}");
        }
        let code = alice.fresh_code();
        let denied = t.cs().login("alice", [&code]);
        assert_eq!(denied.auth, Code::AUTHINFO_UNAVAIL, "{errors:?}: {denied:?}");
        assert_eq!(denied.code_prompts(), 0, "{errors:?}: {denied:?}");
        drop(strace);
        let said = t.daemon.said()[before..].to_owned();
        assert!(said.contains("the kernel gives no random bytes"), "{errors:?}: {said}");
        let again = t.cs().login("alice", [&code]);
        assert!(again.passed(), "{errors:?}: not used up meanwhile: {again:?}");
        assert!(t.daemon.said()[before..].contains("random bytes again"), "{errors:?}");
    }
    let users = t.daemon.ctl().run(&["users", "--json"]).ok();
    assert!(!users.stdout.contains("bob"), "{users:?}");
}

/// And the tool makes no key.
#[test]
fn avl_10_without_randomness_the_tool_makes_no_key() {
    require_all!(Ptrace, Tool("strace"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let place = Scratch::new("dice");
    let key = fs::read(t.daemon.key_file()).expect("the key");
    let key_file = t.daemon.key_file().display().to_string();
    let rekey = ["rekey", "--yes", "--key-file", &key_file];
    for error in ["EIO", "ENOSYS"] {
        let mut command = Command::new("strace");
        command.args(["-f", "-o", "/dev/null", "-e", &format!("inject=getrandom:error={error}")]);
        command.arg(artifacts::ctl()).args(["--bus", &t.bus.address()]).args(rekey);
        let out = command.stdin(Stdio::null()).output().expect("run strace");
        assert!(!out.status.success(), "{error}: {out:?}");
        assert_eq!(fs::read(t.daemon.key_file()).expect("the key"), key, "{error}: {out:?}");
    }
    let mut init = Command::new("strace");
    init.args(["-f", "-o", "/dev/null", "-e", "inject=getrandom:error=EIO"]).arg(artifacts::daemon());
    init.arg("--init").arg("--state").arg(place.join("state")).arg("--key-file").arg(place.join("key"));
    let out = init.output().expect("run strace");
    let said = String::from_utf8_lossy(&out.stderr);
    assert!(!out.status.success() && said.contains("no random bytes"), "{out:?}");
    assert!(!place.join("key").exists(), "no key of zeroes");
}
