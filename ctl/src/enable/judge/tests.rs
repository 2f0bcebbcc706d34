use super::*;
use std::fs;
use std::path::PathBuf;

const BOTH: &str = "publickey,keyboard-interactive:pam keyboard-interactive:pam";
const KEY: &str = "publickey,keyboard-interactive:pam";

#[test]
fn who_could_log_in() {
    let fates = [
        ("nothing", Fate::NotAsked, Fate::NotAsked),
        ("code", Fate::Asked, Fate::Asked),
        ("enrollment", Fate::CanBegin, Fate::LockedOut),
        ("later", Fate::CanBegin, Fate::LockedOut),
        ("refusal", Fate::LockedOut, Fate::LockedOut),
    ];
    for (meets, behind_a_password, elsewhere) in fates {
        assert_eq!(fate(meets, true).expect("known"), behind_a_password, "{meets}");
        assert_eq!(fate(meets, false).expect("known"), elsewhere, "{meets}");
    }
    assert!(fate("anything else", true).is_err(), "a newer daemon's word is no way in");
}

fn sshd(methods: &str, root_login: &str) -> Effective {
    Effective {
        methods: methods.into(),
        kbd: true,
        pam: true,
        keys: true,
        keys_file: ".ssh/authorized_keys".into(),
        root_login: root_login.into(),
    }
}

/// A home with a key in it.
struct Home(PathBuf);

impl Home {
    fn new(name: &str) -> Self {
        let home = std::env::temp_dir().join(format!("ctl-enable-{name}-{}", std::process::id()));
        drop(fs::remove_dir_all(&home));
        fs::create_dir_all(home.join(".ssh")).expect("ours");
        fs::write(home.join(".ssh/authorized_keys"), "ssh-ed25519 AAAA\n").expect("ours");
        Self(home)
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

#[test]
fn a_key_alone_is_no_way_in_behind_a_password_that_nobody_can_type() {
    let home = Home::new("keys");
    let person = |root, barred| Candidate {
        name: "one".into(),
        root,
        sudoer: !root,
        barred,
        closed: false,
        home: home.0.clone(),
    };
    let cloud = person(false, true);
    assert!(before_by_ssh(&cloud, &sshd(BOTH, "no")));
    assert!(!after_by_ssh(&cloud, Fate::Asked, &sshd(BOTH, "no"), false), "no password to type");
    assert!(!after_by_ssh(&cloud, Fate::NotAsked, &sshd(BOTH, "no"), false), "asked or not");
    assert!(after_by_ssh(&cloud, Fate::Asked, &sshd(KEY, "no"), true), "a key and a code");
    assert!(after_by_ssh(&cloud, Fate::NotAsked, &sshd(KEY, "no"), true));
    assert!(!after_by_ssh(&cloud, Fate::LockedOut, &sshd(KEY, "no"), true));
    // A Match block of theirs; and an sshd that asks nothing behind a key.
    for methods in ["publickey", "any"] {
        assert!(after_by_ssh(&cloud, Fate::NotAsked, &sshd(methods, "no"), false), "{methods}");
        assert!(
            !after_by_ssh(&cloud, Fate::Asked, &sshd(methods, "no"), false),
            "{methods}: the account line"
        );
    }
    let root = person(true, false);
    assert!(before_by_ssh(&root, &sshd(BOTH, "prohibit-password")));
    assert!(!after_by_ssh(&root, Fate::Asked, &sshd(BOTH, "prohibit-password"), false), "by key alone");
    assert!(!after_by_ssh(&root, Fate::Asked, &sshd(KEY, "prohibit-password"), true));
    assert!(after_by_ssh(&root, Fate::Asked, &sshd(BOTH, "yes"), false));
    assert!(!before_by_ssh(&root, &sshd(BOTH, "no")));
    let closed = Candidate { closed: true, ..cloud };
    assert!(!before_by_ssh(&closed, &sshd(BOTH, "no")), "no shell");
}

fn question(service: &str) -> Question<'_> {
    Question { service, after_key: false, after_first_factor: true, ssh: None }
}

#[test]
fn administrators_count_by_what_they_can_become() {
    let person =
        |name: &str, root, sudoer| Candidate { name: name.into(), root, sudoer, ..Candidate::default() };
    let (root, alice, bob) =
        (person("root", true, false), person("alice", false, false), person("bob", false, true));
    let out = |who, fate, after| Standing { who, fate, before: true, after };
    let judge =
        |service: &str, standings: &[Standing<'_>]| conclude(&question(service), standings, true).problems;
    // Somebody can, and confirm it, and is nobody who can mend anything.
    let all = [
        out(&root, Fate::LockedOut, false),
        out(&alice, Fate::Asked, true),
        out(&bob, Fate::LockedOut, false),
    ];
    let problems = judge("sshd", &all);
    assert!(problems.len() == 1 && problems[0].contains("root, bob"), "{problems:?}");
    let problems = judge("sudo", &all);
    assert!(
        problems.len() == 1 && problems[0].contains("bob") && !problems[0].contains("root"),
        "{problems:?}"
    );
    // Root needs no sudo; and one administrator is enough.
    let all =
        [out(&root, Fate::NotAsked, true), out(&alice, Fate::Asked, true), out(&bob, Fate::LockedOut, false)];
    assert!(judge("sshd", &all).is_empty());
    assert_eq!(judge("sudo", &all).len(), 1);
    // Who could not before is not locked out now.
    let never = Standing { before: false, ..out(&bob, Fate::LockedOut, false) };
    assert!(judge("sudo", &[out(&alice, Fate::Asked, true), never]).is_empty());
}
