//! Sources from which somebody passes unasked: for how long, and what ends it sooner.

use countersign_tests::{Clock, Code, Daemon, Days, Fixture, Phase, Secret, Stack, World, require};
use nix::sys::signal::Signal;
use std::sync::Arc;
use std::time::Duration;

const REMEMBER: &str = "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nremember = \"2h\"\n";

macro_rules! require_all {
    ($($more:expr),*) => {
        require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so") $(, $more)*)
    };
}

fn done(daemon: &Daemon, args: &[&str]) {
    let _ = daemon.ctl().run(args).ok();
}

fn sshd(daemon: &Daemon) -> Stack {
    Stack::of(
        "sshd",
        &[
            "auth required pam_permit.so".to_owned(),
            daemon.module().line("auth", "required", &["after_first_factor"]),
            "account required pam_permit.so".to_owned(),
            daemon.module().line("account", "required", &[]),
        ],
    )
}

/// Logs alice in from her place; whether she was asked.
fn asked(daemon: &Daemon, alice: &Secret) -> bool {
    let login = sshd(daemon).visit("alice").rhost("192.0.2.1").run([alice.fresh_code()]);
    assert!(login.passed(), "{login:?}");
    login.code_prompts() > 0
}

/// How many places `status` lists.
fn listed(daemon: &Daemon) -> usize {
    let status = daemon.ctl().run(&["status", "alice", "--json"]).ok().json().remove(0);
    status["confirmed"].as_array().expect("a list").len()
}

/// A host that remembers alice's place.
fn remembered() -> (Fixture, Secret) {
    let t = Fixture::start_with(|setup| setup.clock(&Arc::new(Clock::new())));
    let alice = t.daemon.enroll("alice");
    t.daemon.configure(REMEMBER);
    done(&t.daemon, &["policy", "apply", "--accept-weaker", "--yes"]);
    assert!(asked(&t.daemon, &alice));
    assert!(!asked(&t.daemon, &alice), "remembered");
    assert_eq!(listed(&t.daemon), 1);
    (t, alice)
}

#[test]
fn a_restart_of_the_daemon_remembers() {
    require_all!();
    let (mut t, alice) = remembered();
    t.daemon.crash_and_restart();
    assert!(!asked(&t.daemon, &alice), "the control of what follows");
}

#[test]
fn any_other_policy_ends_it() {
    require_all!();
    let (mut t, alice) = remembered();
    // The same policy with other words around it: simpler to see through than to compare.
    t.daemon.configure(&format!("{REMEMBER}# more\n"));
    t.daemon.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(listed(&t.daemon), 0, "what no longer counts is not listed");
    assert!(asked(&t.daemon, &alice), "reloaded");
    assert!(!asked(&t.daemon, &alice));
    t.daemon.configure(&format!("{REMEMBER}# still more\n"));
    done(&t.daemon, &["policy", "apply"]);
    assert!(asked(&t.daemon, &alice), "applied");
    assert!(!asked(&t.daemon, &alice));
    t.daemon.configure(&format!("{REMEMBER}[totp]\nskew = 0\n"));
    t.daemon.crash_and_restart();
    assert!(asked(&t.daemon, &alice), "started anew with another file");
    // A file that is refused changes nothing.
    assert!(!asked(&t.daemon, &alice));
    t.daemon.configure("nonsense");
    t.daemon.crash_and_restart();
    assert!(!asked(&t.daemon, &alice), "the last good policy is the same one");
}

#[test]
fn a_reset_and_a_requirement_end_it() {
    require_all!();
    let (t, alice) = remembered();
    done(&t.daemon, &["require", "alice"]);
    assert!(asked(&t.daemon, &alice), "required by name since");
    assert!(!asked(&t.daemon, &alice));
    done(&t.daemon, &["forget", "alice"]);
    assert_eq!(listed(&t.daemon), 0);
    assert!(asked(&t.daemon, &alice), "forgotten");
    assert!(!asked(&t.daemon, &alice));
    done(&t.daemon, &["reset", "alice", "--reason", "phone lost", "--yes"]);
    let alice = t.daemon.enroll("alice");
    assert!(asked(&t.daemon, &alice), "enrolled anew");
}

#[test]
fn a_clock_that_is_set_ends_it() {
    require_all!();
    let (t, alice) = remembered();
    // Each fresh code is the next step's, half a minute later.
    t.clock().shift(40);
    // Each fresh code is the next step's, half a minute later.
    t.clock().shift(40);
    assert!(!asked(&t.daemon, &alice), "a little correction does not");
    t.clock().shift(200);
    assert!(asked(&t.daemon, &alice), "set forward");
    assert!(!asked(&t.daemon, &alice));
    t.clock().shift(-200);
    let back = sshd(&t.daemon).visit("alice").rhost("192.0.2.1").run([alice.wrong_code(1)]);
    assert!(back.code_prompts() > 0, "set back: {back:?}");
}

#[test]
fn another_boot_ends_it() {
    require_all!();
    let (mut t, alice) = remembered();
    countersign_tests::days::another_boot();
    t.daemon.crash_and_restart();
    assert_eq!(listed(&t.daemon), 0);
    assert!(asked(&t.daemon, &alice));
    assert!(!asked(&t.daemon, &alice));
}

/// The policy's time is counted by a clock that nobody sets.
#[test]
fn the_policy_says_for_how_long() {
    require_all!(File("/proc/self/ns/time"));
    let world = World::enter();
    let mut days = Days::start(&world);
    let clock = Arc::clone(days.daemon.clock().expect("it has one"));
    let alice = days.daemon.enroll("alice");
    days.daemon.configure(REMEMBER);
    done(&days.daemon, &["policy", "apply", "--accept-weaker", "--yes"]);
    assert!(asked(&days.daemon, &alice));
    let later = |days: &mut Days, seconds: u32| {
        days.wait(Duration::from_secs(seconds.into()));
        clock.shift(seconds.into());
    };
    later(&mut days, 3600);
    assert!(!asked(&days.daemon, &alice), "an hour later");
    later(&mut days, 3660);
    assert!(asked(&days.daemon, &alice), "two hours later");
}

/// The account phase of a login with a key alone, which never came to the auth phase.
fn by_key(daemon: &Daemon, user: &str, source: &str) -> Code {
    let login = sshd(daemon).visit(user).rhost(source).pam_env("SSH_AUTH_INFO_0", "");
    let outcome = login.phases(&[Phase::Account]).run([""; 0]);
    assert_eq!(outcome.code_prompts(), 0, "{outcome:?}");
    outcome.account.expect("an account phase")
}

/// State and reason of the last login of somebody.
fn last(daemon: &Daemon, user: &str) -> (String, String) {
    let row = daemon.log(user).pop().expect("a row");
    (row.state, row.reason)
}

/// A key alone from a remembered place passes as a password from there does, and adds nothing to the time.
#[test]
fn a_key_alone_passes_from_where_the_password_would() {
    require_all!();
    let (t, alice) = remembered();
    let said = |state: &str, reason: &str| (state.to_owned(), reason.to_owned());
    assert_eq!(by_key(&t.daemon, "alice", "192.0.2.1"), Code::SUCCESS);
    assert_eq!(last(&t.daemon, "alice"), said("skipped", "remembered"));
    assert_eq!(by_key(&t.daemon, "alice", "192.0.2.2"), Code::PERM_DENIED, "another place");
    assert_eq!(last(&t.daemon, "alice"), said("denied", "no-second-factor"));
    done(&t.daemon, &["forget", "alice"]);
    assert_eq!(by_key(&t.daemon, "alice", "192.0.2.1"), Code::PERM_DENIED, "forgotten");
    assert_eq!(by_key(&t.daemon, "alice", "192.0.2.1"), Code::PERM_DENIED, "and a key brings it not back");
    assert!(asked(&t.daemon, &alice));
    assert_eq!(by_key(&t.daemon, "alice", "192.0.2.1"), Code::SUCCESS);
}

/// The log of a login by key says why nothing was asked, in the words of other logins.
#[test]
fn the_log_says_why_a_key_alone_was_enough() {
    require_all!();
    let t = Fixture::configured(
        "[[policy]]\nname = \"off\"\nstatus = \"off\"\nnetworks = { only = [\"192.0.2.9/32\"] }\n
         [[policy]]\nname = \"choice\"\ngroups = [\"mfa-required\"]\nrequire = \"enrolled\"\n",
    );
    for (user, source, reason) in [
        ("alice", "192.0.2.9", "policy-off"),
        ("alice", "192.0.2.1", "not-enrolled"),
        ("carol", "192.0.2.1", "no-policy"),
    ] {
        assert_eq!(by_key(&t.daemon, user, source), Code::SUCCESS, "{user}");
        assert_eq!(last(&t.daemon, user), ("skipped".to_owned(), reason.to_owned()), "{user}");
    }
    let _ = t.daemon.enroll("alice");
    assert_eq!(by_key(&t.daemon, "alice", "192.0.2.1"), Code::PERM_DENIED);
    done(&t.daemon, &["exempt", "alice", "--until", "+1d", "--reason", "a test", "--yes"]);
    assert_eq!(by_key(&t.daemon, "alice", "192.0.2.1"), Code::SUCCESS);
    assert_eq!(last(&t.daemon, "alice"), ("skipped".to_owned(), "exempt".to_owned()));
}
