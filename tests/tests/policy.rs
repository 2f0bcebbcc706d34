//! Policies that are changed while people log in: nothing loosens by accident, and whatever is on
//! disk, what is in force is known.

use countersign_tests::daemon::StartAttempt;
use countersign_tests::{Code, Fixture, require};
use nix::sys::signal::Signal;
use std::os::unix::fs::MetadataExt as _;
use std::time::Duration;

/// The fixture's policy, with more behind it.
fn with(policies: &str) -> String {
    format!("issuer = \"Acme\"\n{policies}")
}

const STRICT: &str = "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\n";
const STRICTER: &str = "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\n\n\
                        [[policy]]\nname = \"carol too\"\nusers = [\"carol\"]\n";
const OFF: &str = "[[policy]]\nname = \"operators\"\nstatus = \"off\"\ngroups = [\"mfa-required\"]\n";

fn done(t: &Fixture, args: &[&str]) {
    let _ = t.daemon.ctl().run(args).ok();
}

fn hangup(t: &Fixture) {
    t.daemon.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(300));
}

fn explain(t: &Fixture, args: &[&str]) -> serde_json::Value {
    let all: Vec<&str> = ["policy", "explain"].iter().chain(args).chain(&["--json"]).copied().collect();
    t.daemon.ctl().run(&all).ok().json().remove(0)
}

/// bob is required and has nothing, so whether he is denied tells what is in force.
fn bob(t: &Fixture) -> Code {
    t.probe().login("bob", [""; 0]).auth
}

#[test]
fn adm_04_a_loosening_reload_is_refused_until_it_is_meant() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start();
    t.daemon.configure(&with(OFF));
    hangup(&t);
    assert_eq!(bob(&t), Code::PERM_DENIED, "SIGHUP does not loosen");
    assert!(t.daemon.said().contains("protects less"), "{}", t.daemon.said());
    let status = t.daemon.ctl().run(&["status"]).ok().stdout;
    assert!(status.contains("NOT in force"), "{status}");

    let refused = t.daemon.ctl().run(&["policy", "apply"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(
        format!("{}{}", refused.stdout, refused.stderr).contains("mfa-required"),
        "names whom: {refused:?}"
    );
    assert_eq!(bob(&t), Code::PERM_DENIED);
    let dry = t.daemon.ctl().run(&["policy", "apply", "--dry-run", "--accept-weaker"]);
    assert_eq!(dry.code, Some(0), "{dry:?}");
    assert_eq!(bob(&t), Code::PERM_DENIED, "a dry run changes nothing");

    done(&t, &["policy", "apply", "--accept-weaker", "--yes"]);
    assert_eq!(bob(&t), Code::IGNORE);
    assert!(t.daemon.said().contains("policy applied"), "{}", t.daemon.said());
    let status = t.daemon.ctl().run(&["status"]).ok().stdout;
    assert!(!status.contains("NOT in force"), "{status}");
}

#[test]
fn a_stricter_file_needs_no_word() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start();
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE);
    t.daemon.configure(&with(STRICTER));
    hangup(&t);
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::PERM_DENIED, "{}", t.daemon.said());
    assert_eq!(bob(&t), Code::PERM_DENIED);
}

#[test]
fn byp_05_a_broken_file_keeps_the_running_policy_and_a_restart_the_last_good_one() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::start();
    for broken in
        ["", "[[policy", "nonsense = 1\n", "[[policy]]\nname = \"x\"\nstatu = \"off\"\n", "\u{feff}x"]
    {
        t.daemon.configure(broken);
        hangup(&t);
        assert_eq!(bob(&t), Code::PERM_DENIED, "{broken:?} is not in force");
    }
    let refused = t.daemon.ctl().run(&["policy", "apply"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");

    t.daemon.crash_and_restart();
    assert_eq!(bob(&t), Code::PERM_DENIED, "the last good policy survives a restart");
    assert!(t.daemon.said().contains("last good policy"), "{}", t.daemon.said());
    std::fs::remove_file(t.daemon.config_file()).expect("the file was there");
    t.daemon.crash_and_restart();
    assert_eq!(bob(&t), Code::PERM_DENIED, "without any file, too");

    t.daemon.configure(&with(STRICT));
    hangup(&t);
    let status = t.daemon.ctl().run(&["status"]).ok().stdout;
    assert!(!status.contains("NOT in force"), "a mended file is in force again: {status}");
}

#[test]
fn adm_04_a_restart_is_no_way_around_accept_weaker() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::start();
    t.daemon.configure(&with(OFF));
    t.daemon.crash_and_restart();
    assert_eq!(bob(&t), Code::PERM_DENIED);
    assert!(t.daemon.said().contains("--accept-weaker"), "{}", t.daemon.said());
    done(&t, &["policy", "apply", "--accept-weaker", "--yes"]);
    t.daemon.crash_and_restart();
    assert_eq!(bob(&t), Code::IGNORE, "what was accepted stays");
}

/// On a full disk nothing could be written, and the daemon must come back all the same.
#[test]
fn a_restart_with_the_same_file_writes_no_policy() {
    require!(Root, Staged("countersignd"));
    let mut t = Fixture::start();
    let kept = t.daemon.state().join("policy");
    let inode = || std::fs::metadata(&kept).expect("the last good policy is kept").ino();
    let before = inode();
    t.daemon.crash_and_restart();
    assert_eq!(inode(), before, "the same file is left alone");
    t.daemon.configure(&with(STRICTER));
    t.daemon.crash_and_restart();
    assert_ne!(inode(), before, "another one replaces it");
}

#[test]
fn byp_05_a_last_good_policy_that_was_tampered_with_stops_the_daemon() {
    require!(Root, Staged("countersignd"));
    let mut t = Fixture::start();
    t.daemon.stop();
    let kept = t.daemon.state().join("policy");
    let text = std::fs::read_to_string(&kept).expect("the last good policy is kept");
    std::fs::write(&kept, text.replace("enforce", "reports")).expect("root may");
    let start = t.daemon.try_start();
    assert!(matches!(start, StartAttempt::Ended(_)), "{start:?}");
    assert!(t.daemon.said().contains("not written on this host"), "{}", t.daemon.said());
}

#[test]
fn byp_06_a_group_that_does_not_exist_is_refused_by_apply_and_required_at_run_time() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::start();
    t.daemon.configure(&with(
        "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\", \"no-such-group\"]\n",
    ));
    let refused = t.daemon.ctl().run(&["policy", "apply"]);
    assert_eq!(refused.code, Some(6), "{refused:?}");
    let place = ":4:27: policy.groups: group \"no-such-group\" does not exist on this host; ";
    assert!(refused.stdout.contains(place), "{refused:?}");
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE, "the running policy stays");

    hangup(&t);
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::PERM_DENIED, "undetermined is required");
    let told = |said: &str| said.contains(":4:27: policy.groups: group") && said.contains("Until it exists");
    assert!(told(&t.daemon.said()), "{}", t.daemon.said());
    let why = explain(&t, &["carol", "--service", "cs"]);
    assert_eq!(
        (why["decision"].as_str(), why["certain"].as_bool()),
        (Some("required"), Some(false)),
        "{why}"
    );

    // A start does not wait for the account database, but says the same.
    let before = t.daemon.said().len();
    t.daemon.crash_and_restart();
    let since = |t: &Fixture| t.daemon.said().get(before..).unwrap_or_default().to_owned();
    let begun = std::time::Instant::now();
    while !told(&since(&t)) {
        assert!(begun.elapsed() < Duration::from_secs(10), "{}", since(&t));
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn users_networks_and_services_decide_as_explained() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start();
    t.daemon.configure(&with(
        "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\n\n\
         [[policy]]\nname = \"carol from outside\"\nusers = [\"carol\"]\n\
         networks = { except = [\"10.8.0.0/16\", \"local\"] }\n",
    ));
    hangup(&t);
    let from = |rhost: &str| t.probe().visit("carol").rhost(rhost).run([""; 0]).auth;
    for (rhost, code, decision) in [
        ("", Code::IGNORE, "no-policy"),
        ("10.8.3.4", Code::IGNORE, "no-policy"),
        ("::ffff:10.8.3.4", Code::IGNORE, "no-policy"),
        ("10.9.3.4", Code::PERM_DENIED, "required"),
        ("2001:db8::7", Code::PERM_DENIED, "required"),
        ("vpn.example.org", Code::PERM_DENIED, "required"),
    ] {
        assert_eq!(from(rhost), code, "carol from {rhost:?}");
        let named = if rhost.contains("example") { "unknown" } else { rhost };
        let args = if named.is_empty() { vec!["carol"] } else { vec!["carol", "--from", named] };
        assert_eq!(explain(&t, &args)["decision"].as_str(), Some(decision), "carol from {rhost:?}");
    }
}

#[test]
fn report_asks_nobody_and_logs_who_would_have_been() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start();
    t.daemon
        .configure(&with("[[policy]]\nname = \"trial\"\nstatus = \"report\"\ngroups = [\"mfa-required\"]\n"));
    done(&t, &["policy", "apply", "--accept-weaker", "--yes"]);
    assert_eq!(bob(&t), Code::IGNORE);
    let row = t.daemon.log("bob").pop().expect("a row");
    assert_eq!((row.state.as_str(), row.policy.as_str()), ("would-ask", "trial"), "{row:?}");
}

#[test]
fn remembered_sources_pass_until_forgotten_reset_or_locked() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start_with(|setup| setup.clock(&std::sync::Arc::new(countersign_tests::Clock::new())));
    let alice = t.daemon.enroll("alice");
    t.daemon.configure(&with(
        "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nremember = \"12h\"\n",
    ));
    done(&t, &["policy", "apply", "--accept-weaker", "--yes"]);
    let sshd = countersign_tests::Stack::of(
        "sshd",
        &[
            "auth required pam_permit.so".to_owned(),
            t.module().line("auth", "required", &["after_first_factor"]),
            "account required pam_permit.so".to_owned(),
            t.module().line("account", "required", &[]),
        ],
    );
    let asked_from = |rhost: &str| {
        let login = sshd.visit("alice").rhost(rhost).run([alice.fresh_code()]);
        assert!(login.passed(), "{login:?}");
        login.code_prompts() > 0
    };
    assert!(asked_from("192.0.2.1"));
    assert!(!asked_from("192.0.2.1"), "remembered");
    assert!(asked_from("192.0.2.2"), "another source is asked");
    assert!(
        t.cs().visit("alice").rhost("192.0.2.1").run([alice.fresh_code()]).code_prompts() > 0,
        "another service"
    );
    assert_eq!(t.daemon.log("alice").iter().filter(|r| r.reason == "remembered").count(), 1);

    done(&t, &["forget", "alice"]);
    assert!(asked_from("192.0.2.1"), "forgotten");
    assert!(!asked_from("192.0.2.1"));
    let guesses = |n: usize| sshd.visit("alice").rhost("198.51.100.9").run(vec![alice.wrong_code(n); 3]);
    let _ = (guesses(1), guesses(2));
    assert!(asked_from("192.0.2.1"), "somebody guesses: nobody passes unasked");
    let denied = sshd.visit("alice").rhost("192.0.2.1").run([alice.wrong_code(9)]);
    assert_ne!(denied.auth, Code::AUTH_ERR, "remembered again after a right code: {denied:?}");
}

#[test]
fn the_pci_profile_closes_after_ten() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.configure(&format!("{}\n[throttle]\nprofile = \"pci\"\n", with(STRICT)));
    hangup(&t);
    // Two sources and the console are lanes of their own; together they reach ten.
    for (rhost, tty) in [("192.0.2.1", "ssh"), ("", "/dev/tty1")] {
        for n in 0..5 {
            let _ = t.cs().visit("alice").rhost(rhost).tty(tty).run([alice.wrong_code(n)]);
        }
    }
    let status = t.daemon.ctl().run(&["status", "alice", "--json"]).ok().json().remove(0);
    let all = status["locks"].as_array().and_then(|l| l.iter().find(|l| l["lane"] == "all")).cloned();
    let seconds = all.as_ref().and_then(|l| l["seconds"].as_i64()).unwrap_or(0);
    assert!((1_700..=1_800).contains(&seconds), "half an hour: {status}");
    let refused = t.cs().login("alice", [alice.fresh_code()]);
    assert!(!refused.passed(), "the right code is refused while closed: {refused:?}");
    assert!(t.cs().login("alice", [&alice.recovery[0]]).passed(), "a recovery code still works");
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed(), "and ends the count");
}

#[test]
fn a_deadline_that_is_over_is_told_and_no_error() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::start();
    t.daemon.configure(&with(&format!("{STRICT}enroll_by = 2020-01-31\n")));
    let refused = t.daemon.ctl().run(&["policy", "apply"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.complaint().contains("people without a factor could put it off"), "{refused:?}");
    let applied = t.daemon.ctl().run(&["policy", "apply", "--accept-weaker", "--yes"]).ok();
    assert!(applied.stdout.contains(":5: the deadline of policy \"operators\" is over"), "{applied:?}");
    assert_eq!(bob(&t), Code::PERM_DENIED);
}
