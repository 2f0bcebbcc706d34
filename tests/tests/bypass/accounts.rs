//! BYP-03: the account database is broken while policy is asked who is in which group.

use super::require_all;
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::scratch::Scratch;
use countersign_tests::wire::step_of;
use countersign_tests::{Clock, Code, Fixture, Wire};
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const NSSWITCH: &str = "/etc/nsswitch.conf";
const GROUP: &str = "/etc/group";

/// A way to break the lookups of the private `/etc`.
struct Break {
    what: &'static str,
    how: fn(),
    /// Whether alice's own account still resolves, so that her factor can be found by uid.
    alice_resolves: bool,
}

/// The file with its `database:` line replaced.
fn switch(database: &str, sources: &str) {
    let text = fs::read_to_string(NSSWITCH).expect("our own /etc");
    let prefix = format!("{database}:");
    let kept = text.lines().filter(|line| !line.starts_with(&prefix));
    let lines: Vec<String> = kept.map(str::to_owned).chain([format!("{prefix} {sources}\n")]).collect();
    fs::write(NSSWITCH, lines.join("\n")).expect("our own /etc");
}

const BREAKS: [Break; 8] = [
    Break { what: "a missing group backend", how: || switch("group", "missingmod"), alice_resolves: true },
    Break {
        what: "a group backend that is down and ends the lookup",
        how: || switch("group", "missingmod [UNAVAIL=return] files"),
        alice_resolves: true,
    },
    Break {
        what: "an empty group file",
        how: || fs::write(GROUP, "").expect("our own /etc"),
        alice_resolves: true,
    },
    Break {
        what: "a group file cut before the group of the policy",
        how: || {
            let text = fs::read_to_string(GROUP).expect("our own /etc");
            let at = text.find("mfa-required").expect("the group is there");
            fs::write(GROUP, &text[..at]).expect("our own /etc");
        },
        alice_resolves: true,
    },
    Break {
        what: "a group file that lost what came before the group of the policy",
        how: || {
            let text = fs::read_to_string(GROUP).expect("our own /etc");
            let at = text.find("mfa-required").expect("the group is there");
            fs::write(GROUP, &text[at..]).expect("our own /etc");
        },
        alice_resolves: true,
    },
    Break {
        what: "a group file that the daemon may not read",
        how: || fs::set_permissions(GROUP, Permissions::from_mode(0o600)).expect("our own /etc"),
        alice_resolves: true,
    },
    Break {
        what: "a missing account backend",
        how: || switch("passwd", "missingmod"),
        alice_resolves: false,
    },
    Break {
        what: "no lookup at all",
        how: || {
            switch("passwd", "missingmod");
            switch("group", "missingmod");
        },
        alice_resolves: false,
    },
];

#[test]
fn byp_03_a_broken_account_database_asks_more_never_less() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let whole = (fs::read(NSSWITCH).expect("our own /etc"), fs::read(GROUP).expect("our own /etc"));
    let repair = || {
        fs::write(NSSWITCH, &whole.0).expect("our own /etc");
        fs::write(GROUP, &whole.1).expect("our own /etc");
        fs::set_permissions(GROUP, Permissions::from_mode(0o644)).expect("our own /etc");
    };
    let probe = t.probe();
    assert_eq!(probe.login("carol", [""; 0]).auth, Code::IGNORE, "carol is in no group of a policy");
    for Break { what, how, alice_resolves } in BREAKS {
        how();
        // Found people are kept for two seconds; a daemon that starts now knows nobody.
        t.daemon.crash_and_restart();
        let wrong = probe.login("alice", [alice.wrong_code(1)]);
        assert_eq!(
            (wrong.code_prompts() > 0, wrong.auth == Code::SUCCESS),
            (true, false),
            "{what}: {wrong:?}"
        );
        assert_ne!(wrong.auth, Code::IGNORE, "{what}");
        let carol = probe.login("carol", ["123456"]);
        let denied = [Code::AUTH_ERR, Code::PERM_DENIED, Code::AUTHINFO_UNAVAIL];
        assert!(denied.contains(&carol.auth), "{what}: carol is asked or denied, never skipped: {carol:?}");
        // Known by name from her enrollment, alice gets in with her code in spite of it all.
        let right = probe.login("alice", [alice.fresh_code()]);
        assert_eq!(right.auth, Code::SUCCESS, "{what}: {right:?}");
        let undetermined = t.daemon.said().contains("policy undetermined");
        assert!(undetermined || !alice_resolves, "{what}: {}", t.daemon.said());
        repair();
    }
    t.daemon.crash_and_restart();
    assert_eq!(probe.login("carol", [""; 0]).auth, Code::IGNORE, "repaired");
}

/// The same under a daemon that runs: what it has looked up before is no excuse for longer than two seconds.
#[test]
fn byp_03_a_database_that_breaks_later_is_noticed() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let probe = t.probe();
    assert_eq!(probe.login("carol", [""; 0]).auth, Code::IGNORE);
    switch("group", "missingmod");
    std::thread::sleep(Duration::from_millis(2100));
    let carol = probe.login("carol", ["123456"]);
    assert_ne!(carol.auth, Code::IGNORE, "{carol:?}");
    assert_ne!(carol.auth, Code::SUCCESS, "{carol:?}");
    assert!(t.daemon.said().contains("policy undetermined"), "{}", t.daemon.said());
    assert_eq!(probe.login("alice", [alice.fresh_code()]).auth, Code::SUCCESS);
}

/// A policy for a group that does not exist is not a policy for nobody.
#[test]
fn byp_03_a_missing_group_is_not_nobody() {
    require_all!();
    let config = countersign_tests::fixture::CONFIG.replace("mfa-required", "mfa-reqiured");
    let world = countersign_tests::World::enter();
    let bus = countersign_tests::PrivateBus::start(world.daemon_uid());
    let daemon = countersign_tests::DaemonSetup::new(&world, &config).start(&world, &bus);
    let probe = countersign_tests::Stack::probe(&daemon.module(), &["after_first_factor"]);
    for user in ["alice", "carol"] {
        let outcome = probe.login(user, ["123456"]);
        assert_eq!(
            outcome.auth,
            Code::PERM_DENIED,
            "{user}, by a policy for a group that nobody can find: {outcome:?}"
        );
    }
    let optional = config.replace("mfa-reqiured", "mfa-reqiured?");
    daemon.configure(&optional);
    let _ = daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).ok();
    assert_eq!(probe.login("carol", [""; 0]).auth, Code::IGNORE, "unless the policy says it may be missing");
}

/// An account database that takes a minute for bob: `passwd: slow files`.
fn slow_for_bob() -> (Scratch, Fixture) {
    let libraries = Scratch::new("nss");
    let source = countersign_tests::artifacts::source_root().join("tests/src/nss_slow.c");
    let built = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(libraries.join("libnss_slow.so.2"))
        .arg(source)
        .status();
    assert!(built.is_ok_and(|status| status.success()), "cc (gcc) builds a shared library");
    let readable = Permissions::from_mode(0o755);
    fs::set_permissions(libraries.path(), readable).expect("our own directory");
    let path = libraries.path().display().to_string();
    let t = Fixture::start_with(|setup| setup.clock(&Arc::new(Clock::new())).env("LD_LIBRARY_PATH", &path));
    (libraries, t)
}

/// However often bob is asked for, he takes one place, and nobody waits for him but himself.
#[test]
fn byp_03_a_database_that_is_slow_for_one_person_delays_nobody_else_at_once() {
    require_all!(Tool("cc"));
    let (_libraries, t) = slow_for_bob();
    let alice = t.daemon.enroll("alice");
    switch("passwd", "slow files");
    std::thread::sleep(Duration::from_millis(2100));
    let began = Instant::now();
    std::thread::scope(|scope| {
        // More than the daemon looks up at once.
        let bobs: Vec<_> = (0..60)
            .map(|_| {
                let bus = &t.bus;
                scope.spawn(move || {
                    let mut wire = Wire::on(bus);
                    let request = ("bob", "", "cs", "test", "192.0.2.1", "", "passed");
                    wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &request)
                })
            })
            .collect();
        std::thread::sleep(Duration::from_millis(300));
        for n in 0..5 {
            let began = Instant::now();
            let right = t.probe().login("alice", [alice.fresh_code()]);
            assert_eq!(right.auth, Code::SUCCESS, "alice, round {n}: {right:?}");
            let carol = t.probe().login("carol", [""; 0]);
            assert_eq!(carol.auth, Code::IGNORE, "carol, round {n}: {carol:?}");
            assert!(began.elapsed() < Duration::from_secs(2), "round {n}: {:?}", began.elapsed());
        }
        assert!(began.elapsed() < Duration::from_secs(4), "all of it while bob is waited for");
        for bob in bobs {
            let (_, verdict) = step_of(&bob.join().expect("no panic").expect("a step"));
            assert_ne!(verdict, "not-required", "what cannot be known counts as required");
        }
    });
    assert!(
        began.elapsed() < Duration::from_secs(8),
        "bob is told within the deadline: {:?}",
        began.elapsed()
    );
    let again = Instant::now();
    let bob = t.probe().login("bob", [""; 0]);
    assert_ne!(bob.auth, Code::IGNORE, "{bob:?}");
    assert!(again.elapsed() < Duration::from_secs(1), "nor is he waited for twice: {:?}", again.elapsed());
}
