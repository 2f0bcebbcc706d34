//! Exempting and requiring single persons: who else is touched, and whether it ever lasts longer.

use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::daemon::StartAttempt;
use countersign_tests::{Code, Days, Fixture, Stack, Wire, World, require};
use std::fs;
use std::time::Duration;

const DAY: i64 = 86_400;

macro_rules! require_all {
    ($($more:expr),*) => {
        require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so") $(, $more)*)
    };
}

fn done(t: &Fixture, args: &[&str]) -> String {
    t.daemon.ctl().run(args).ok().stdout
}

fn exempt(t: &Fixture, user: &str, until: &str) {
    done(t, &["exempt", user, "--until", until, "--reason", "phone lost", "--yes"]);
}

/// What somebody gets who has nothing to type.
fn gets(stack: &Stack, user: &str) -> Code {
    stack.login(user, [""; 0]).auth
}

fn last_reason(t: &Fixture, user: &str) -> (String, String) {
    let row = t.daemon.log(user).pop().expect("a row");
    (row.state, row.reason)
}

#[test]
fn an_exemption_is_for_one_person_everywhere_and_is_listed() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let probe = t.probe();
    assert_eq!(gets(&probe, "bob"), Code::PERM_DENIED, "required, and has nothing");
    exempt(&t, "bob", "+14d");
    assert_eq!(gets(&probe, "bob"), Code::IGNORE);
    assert_eq!(last_reason(&t, "bob"), ("skipped".into(), "exempt".into()));
    let confirmed = t.cs().login("bob", [""; 0]);
    assert!(confirmed.passed(), "the account phase, too: {confirmed:?}");
    assert!(probe.login("alice", [alice.fresh_code()]).code_prompts() > 0, "alice is asked as before");
    assert_eq!(gets(&probe, "carol"), Code::IGNORE);

    let listed = t.daemon.ctl().run(&["exempt", "--json"]).ok().json();
    assert_eq!(listed.len(), 1, "{listed:?}");
    let one = &listed[0];
    assert_eq!(
        (one["user"].as_str(), one["by"].as_str(), one["by_uid"].as_u64(), one["reason"].as_str()),
        (Some("bob"), Some("root"), Some(0), Some("phone lost")),
        "{one}"
    );
    assert!(done(&t, &["status", "bob"]).contains("exempt until"), "in status");
    assert!(t.daemon.said().contains("somebody was exempted"), "{}", t.daemon.said());

    t.daemon.crash_and_restart();
    assert_eq!(gets(&probe, "bob"), Code::IGNORE, "a restart forgets nothing");
    done(&t, &["exempt", "bob", "--end"]);
    assert_eq!(gets(&probe, "bob"), Code::PERM_DENIED);
    t.daemon.crash_and_restart();
    assert_eq!(gets(&probe, "bob"), Code::PERM_DENIED, "nor what was taken back");
    assert_eq!(t.daemon.ctl().run(&["exempt", "bob", "--end"]).code, Some(3), "there is none any more");
}

#[test]
fn adm_06_no_exemption_is_for_ever() {
    require_all!();
    let t = Fixture::with_clock();
    let now = i64::try_from(t.clock().now()).expect("a date");
    let mut wire = Wire::on(&t.bus);
    let mut ask = |until: i64, reason: &str| {
        wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Exempt", &("bob", until, reason))
    };
    for until in [0, -1, i64::MIN, now - 1, now, now + 92 * DAY, now + 3650 * DAY, i64::MAX] {
        let refused = ask(until, "for ever").expect_err("refused");
        assert_eq!(refused.name, error::INVALID_ARGUMENT, "{until}: {refused}");
    }
    let refused = ask(now + DAY, " ").expect_err("no reason");
    assert_eq!(refused.name, error::INVALID_ARGUMENT, "{refused}");
    for until in ["2036-01-01", "2020-01-01", "+100d"] {
        let args = ["exempt", "bob", "--until", until, "--reason", "for ever", "--yes"];
        let refused = t.daemon.ctl().run(&args);
        assert_eq!(refused.code, Some(1), "{until}: {refused:?}");
        assert!(
            refused.complaint().contains("90 days") || refused.complaint().contains("is over"),
            "{refused:?}"
        );
    }
    assert_eq!(gets(&t.probe(), "bob"), Code::PERM_DENIED, "what was refused exempts nobody");
    exempt(&t, "bob", "+89d");
    assert_eq!(gets(&t.probe(), "bob"), Code::IGNORE);
    t.clock().shift(89 * DAY + 60);
    assert_eq!(gets(&t.probe(), "bob"), Code::PERM_DENIED, "it ends");
    assert!(t.daemon.ctl().run(&["exempt", "--json"]).ok().json().is_empty(), "and is no longer listed");
}

/// The clock is turned to and fro, the daemon and the host start anew, an older database is put back.
#[test]
fn byp_22_no_clock_prolongs_an_exemption() {
    require_all!();
    let mut t = Fixture::with_clock();
    let bob = |t: &Fixture| gets(&t.probe(), "bob");
    exempt(&t, "bob", "+2d");
    assert_eq!(bob(&t), Code::IGNORE);
    for (step, what) in [(-DAY, "a day back"), (-30 * DAY, "a month back")] {
        t.clock().shift(step);
        assert_eq!(bob(&t), Code::IGNORE, "{what}: not over yet");
        t.daemon.crash_and_restart();
        assert_eq!(bob(&t), Code::IGNORE, "{what}, and started anew");
    }
    t.clock().shift(31 * DAY + 2 * DAY + 60);
    assert_eq!(bob(&t), Code::PERM_DENIED, "its date is over");
    for step in [-DAY, -30 * DAY, DAY] {
        t.clock().shift(step);
        assert_eq!(bob(&t), Code::PERM_DENIED, "expired stays expired");
        t.daemon.crash_and_restart();
        assert_eq!(bob(&t), Code::PERM_DENIED, "expired stays expired, started anew");
    }
    countersign_tests::days::another_boot();
    t.daemon.crash_and_restart();
    assert_eq!(bob(&t), Code::PERM_DENIED, "in another boot");
}

#[test]
fn byp_22_an_exemption_taken_back_does_not_come_back_with_an_older_database() {
    require_all!();
    let mut t = Fixture::with_clock();
    exempt(&t, "bob", "+2d");
    t.daemon.stop();
    let kept = fs::read(t.daemon.database()).expect("the database");
    t.daemon.resume();
    done(&t, &["exempt", "bob", "--end"]);
    t.daemon.stop();
    let now = fs::read(t.daemon.database()).expect("the database");
    fs::write(t.daemon.database(), kept).expect("root may");
    let attempt = t.daemon.try_start();
    assert!(matches!(attempt, StartAttempt::Ended(status) if !status.success()), "{attempt:?}");
    fs::write(t.daemon.database(), now).expect("root may");
    t.daemon.resume();
    assert_eq!(gets(&t.probe(), "bob"), Code::PERM_DENIED);
}

/// With the clock held back, the time that has really passed counts.
#[test]
fn byp_22_a_clock_held_back_does_not_stretch_an_exemption() {
    require_all!(File("/proc/self/ns/time"));
    let world = World::enter();
    let mut days = Days::start(&world);
    let clock = std::sync::Arc::clone(days.daemon.clock().expect("it has one"));
    let args = ["exempt", "bob", "--until", "+3h", "--reason", "phone lost", "--yes"];
    let _ = days.daemon.ctl().run(&args).ok();
    let hour = Duration::from_secs(3600);
    for n in 1..3 {
        days.wait(hour);
        clock.shift(-3600);
        assert!(days.cs().login("bob", [""; 0]).passed(), "after {n} h");
    }
    // The daemon's clock and ours are up to half a minute apart.
    days.wait(hour + Duration::from_secs(60));
    clock.shift(-3600);
    assert_eq!(days.cs().login("bob", [""; 0]).auth, Code::PERM_DENIED, "three hours are three hours");
}

#[test]
fn byp_22_a_clock_that_once_stood_years_ahead_is_said_and_can_be_accepted() {
    require_all!();
    let mut t = Fixture::with_clock();
    exempt(&t, "bob", "+80d");
    t.clock().shift(1000 * DAY);
    assert_eq!(gets(&t.probe(), "bob"), Code::PERM_DENIED);
    t.clock().shift(-1000 * DAY);
    t.daemon.crash_and_restart();
    assert_eq!(gets(&t.probe(), "bob"), Code::PERM_DENIED);
    assert!(done(&t, &["status"]).contains("once stood 1000 d later"), "{}", done(&t, &["status"]));
    let args = ["exempt", "bob", "--until", "+5d", "--reason", "x", "--yes"];
    assert_eq!(t.daemon.ctl().run(&args).code, Some(1), "by the dates of this host that is over");

    done(&t, &["accept-clock", "--yes"]);
    assert!(t.daemon.said().contains("an earlier clock was accepted"), "{}", t.daemon.said());
    assert!(!done(&t, &["status"]).contains("once stood"));
    assert_eq!(gets(&t.probe(), "bob"), Code::PERM_DENIED, "what was over stays over");
    exempt(&t, "bob", "+5d");
    assert_eq!(gets(&t.probe(), "bob"), Code::IGNORE);
    t.daemon.crash_and_restart();
    assert_eq!(gets(&t.probe(), "bob"), Code::IGNORE, "accepted for good");
    assert_eq!(
        t.daemon.ctl().run(&["accept-clock", "--yes"]).code,
        Some(1),
        "there is nothing more to accept"
    );
}

/// Replaces a line of the private `/etc/passwd`; a daemon that starts now has looked nobody up before.
fn rename(t: &mut Fixture, from: &str, to: &str) {
    let text = fs::read_to_string("/etc/passwd").expect("our own /etc");
    let lines: Vec<String> = text
        .lines()
        .map(|line| if line.starts_with(from) { line.replacen(from, to, 1) } else { line.to_owned() })
        .collect();
    fs::write("/etc/passwd", lines.join("\n") + "\n").expect("our own /etc");
    t.daemon.crash_and_restart();
}

#[test]
fn byp_19_an_exemption_is_inherited_by_neither_uid_nor_name() {
    require_all!();
    let mut t = Fixture::with_clock();
    t.daemon.configure("[[policy]]\nname = \"everybody\"\n");
    done(&t, &["policy", "apply"]);
    exempt(&t, "bob", "+2d");
    let probe = t.probe();
    assert_eq!(gets(&probe, "bob"), Code::IGNORE);
    rename(&mut t, "bob:x:5002:5002", "mallory:x:5002:5002");
    assert_eq!(gets(&probe, "mallory"), Code::PERM_DENIED, "his uid");
    rename(&mut t, "dave:x:5004:5004", "bob:x:5004:5004");
    assert_eq!(gets(&probe, "bob"), Code::PERM_DENIED, "his name");
    rename(&mut t, "bob:x:5004:5004", "dave:x:5004:5004");
    rename(&mut t, "mallory:x:5002:5002", "bob:x:5002:5002");
    assert_eq!(gets(&probe, "bob"), Code::IGNORE, "himself again");
}

#[test]
fn a_requirement_asks_one_person_and_ends_their_exemption() {
    require_all!();
    let mut t = Fixture::with_clock();
    let probe = t.probe();
    assert_eq!(gets(&probe, "carol"), Code::IGNORE);
    let said = done(&t, &["require", "carol", "--reason", "audit"]);
    assert!(said.contains("countersignctl enroll carol"), "she has none: {said}");
    assert_eq!(gets(&probe, "carol"), Code::PERM_DENIED, "required, and has nothing");
    assert_eq!(gets(&probe, "dave"), Code::IGNORE, "nobody else");
    let carol = t.daemon.enroll("carol");
    assert!(t.cs().login("carol", [carol.fresh_code()]).passed());
    t.daemon.crash_and_restart();
    assert!(probe.login("carol", [carol.fresh_code()]).code_prompts() > 0);

    exempt(&t, "carol", "+2d");
    assert_eq!(gets(&probe, "carol"), Code::IGNORE, "the exemption is the later word");
    done(&t, &["require", "carol"]);
    assert!(probe.login("carol", [carol.wrong_code(1)]).code_prompts() > 0, "and ended by the next");
    assert!(t.daemon.ctl().run(&["exempt", "--json"]).ok().json().is_empty());
    assert_eq!(t.daemon.ctl().run(&["require", "--json"]).ok().json()[0]["user"], "carol");
    done(&t, &["require", "carol", "--end", "--reason", "audit over", "--yes"]);
    assert_eq!(gets(&probe, "carol"), Code::IGNORE);
}

#[test]
fn explain_tells_what_a_login_will_get() {
    require_all!();
    let t = Fixture::with_clock();
    exempt(&t, "bob", "+2d");
    let explain = |at: &str| {
        let args = ["policy", "explain", "bob", "--at", at, "--json"];
        t.daemon.ctl().run(&args).ok().json().remove(0)
    };
    let soon = explain("+1d");
    assert_eq!((soon["decision"].as_str(), soon["policy"].as_str()), (Some("exempt"), Some("operators")));
    assert_eq!(soon["overridden"]["what"], "exempt", "{soon}");
    assert!(soon["prompts"].as_array().is_some_and(Vec::is_empty), "{soon}");
    let later = explain("+3d");
    assert_eq!(later["decision"].as_str(), Some("required"), "{later}");
    assert!(later["overridden"].is_null(), "{later}");
    assert_eq!(gets(&t.probe(), "bob"), Code::IGNORE);
    t.clock().shift(3 * DAY);
    assert_eq!(gets(&t.probe(), "bob"), Code::PERM_DENIED, "as explained");
}

/// Until its date a requirement lets people pass as a policy's deadline does, and `explain` says so.
#[test]
fn a_requirement_by_a_date_leaves_time_until_then() {
    require_all!();
    let t = Fixture::with_clock();
    done(&t, &["require", "carol", "--by", "+2d", "--reason", "audit"]);
    let explain = |user: &str, at: &[&str]| {
        let args = [&["policy", "explain", user, "--json"], at].concat();
        let said = t.daemon.ctl().run(&args).ok().json().remove(0);
        let lines: Vec<String> = serde_json::from_value(said["prompts"].clone()).expect("lines");
        (said["decision"].as_str().unwrap_or_default().to_owned(), lines.join("\n"))
    };
    let (decision, prompts) = explain("carol", &[]);
    assert_eq!(decision, "required");
    assert!(prompts.contains("on you need a second factor"), "{prompts}");
    let (_, prompts) = explain("carol", &["--at", "+3d"]);
    assert!(prompts.contains("You need a second factor") && prompts.contains("have none yet"), "{prompts}");
    let passes = t.probe().login("carol", [""; 0]);
    assert_eq!(passes.auth, Code::IGNORE, "{passes:?}");
    assert_eq!(last_reason(&t, "carol"), ("skipped".into(), "grace".into()));
    t.clock().shift(3 * DAY);
    assert_eq!(gets(&t.probe(), "carol"), Code::PERM_DENIED, "as explained");

    t.daemon.configure(
        "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nenroll = \"at-login\"\ngrace = \"14d\"\n",
    );
    done(&t, &["policy", "apply", "--accept-weaker", "--yes"]);
    let (_, prompts) = explain("bob", &[]);
    assert!(prompts.contains("later") && prompts.ends_with("First code from the app: "), "{prompts}");
    done(&t, &["require", "bob"]);
    let (_, prompts) = explain("bob", &[]);
    assert!(!prompts.contains("later") && prompts.ends_with("First code from the app: "), "{prompts}");
}
