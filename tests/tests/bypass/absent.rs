//! BYP-01 and BYP-02: what is needed is stopped, gone, unreadable or frozen.

use super::{assert_no_answer, require_all};
use countersign_protocol::names::BUS_NAME;
use countersign_tests::daemon::StartAttempt;
use countersign_tests::faults::Strace;
use countersign_tests::fixture::CONFIG;
use countersign_tests::pam::Transaction;
use countersign_tests::scratch::Scratch;
use countersign_tests::{
    Broker, Code, DaemonSetup, Fixture, Module, Phase, PrivateBus, Reply, Stack, World, artifacts,
};
use std::fs::{self, Permissions, rename, set_permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

/// The machine time that stacks of frozen things allow, in seconds.
const TIMEOUT: u64 = 3;

/// `cs` on a line with [`TIMEOUT`].
fn impatient(t: &Fixture) -> Stack {
    Stack::cs(&t.module().option(format!("timeout={TIMEOUT}")))
}

fn assert_at_the_deadline(took: Duration) {
    let range = Duration::from_secs(TIMEOUT - 1)..Duration::from_secs(TIMEOUT + 1);
    assert!(range.contains(&took), "{took:?}, the deadline is {TIMEOUT} s");
}

#[test]
fn byp_01_a_stopped_daemon_denies_everybody_until_it_is_back() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.daemon.stop();
    let right = alice.fresh_code();
    let outcome = t.cs().login("alice", [&right]);
    assert_no_answer(&outcome, "with the right code");
    // The module knows no policy: where nobody says that carol may go on, she may not.
    let carol =
        Stack::probe(&t.module().option("timeout=2"), &["after_first_factor"]).login("carol", [""; 0]);
    assert_no_answer(&carol, "carol");
    t.daemon.resume();
    assert!(t.cs().login("alice", [&right]).passed());
    assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE);
}

#[test]
fn byp_01_a_bus_that_is_down_denies_until_it_is_back() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    t.bus.stop();
    let status = t.daemon.wait_end();
    assert!(!status.success(), "a lost bus is a failure, so that the service manager restarts the daemon");
    let right = alice.fresh_code();
    assert_no_answer(&t.cs().login("alice", [&right]), "no bus");
    t.bus.resume();
    assert_no_answer(&impatient(&t).login("alice", [&right]), "no daemon on the new bus");
    t.daemon.resume();
    assert!(t.cs().login("alice", [&right]).passed());
}

#[test]
fn byp_01_a_database_taken_away_denies_until_it_is_back() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let (database, away) = (t.daemon.database(), t.daemon.state().join("away"));
    rename(&database, &away).expect("take the database away");
    let right = alice.fresh_code();
    assert_no_answer(&t.cs().login("alice", [&right]), "under the running daemon");
    assert!(!database.exists(), "no database is made in its place");
    let carol = t.probe().login("carol", [""; 0]);
    assert_eq!(carol.auth, Code::IGNORE, "of whom nothing is required: {carol:?}");
    rename(&away, &database).expect("put it back");
    assert!(t.cs().login("alice", [&right]).passed(), "without a restart");
}

#[test]
fn byp_01_an_unreadable_database_or_key_keeps_the_daemon_from_starting() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let right = alice.fresh_code();
    for file in [t.daemon.database(), t.daemon.key_file()] {
        t.daemon.stop();
        let before = std::fs::metadata(&file).expect("it is there").permissions();
        set_permissions(&file, Permissions::from_mode(0o0)).expect("our own file");
        let attempt = t.daemon.try_start();
        assert!(matches!(attempt, StartAttempt::Ended(status) if !status.success()), "{attempt:?}");
        assert_no_answer(&impatient(&t).login("alice", [&right]), &format!("{}", file.display()));
        set_permissions(&file, before).expect("our own file");
        t.daemon.resume();
    }
    assert!(t.cs().login("alice", [&right]).passed());
}

#[test]
fn byp_01_a_daemon_gone_before_the_account_phase_denies() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let stack = impatient(&t);
    let code = alice.fresh_code();
    let mut talk = |shown: &countersign_tests::Shown| {
        if shown.style.asks() { Reply::from(&code) } else { Reply::Null }
    };
    let mut pam = Transaction::start(stack.dir(), "cs", Some(b"alice"), &mut talk).expect("pam_start");
    assert_eq!(pam.authenticate(), Code::SUCCESS);
    t.daemon.kill9();
    assert_eq!(pam.account(), Code::AUTHINFO_UNAVAIL, "nobody confirms");
    t.daemon.resume();
    assert_eq!(pam.account(), Code::SUCCESS, "asked again, the same login is confirmed");
    drop(pam);
    let last = t.daemon.log("alice").pop().expect("a row");
    assert_eq!((last.state.as_str(), last.confirmed), ("verified", true), "{last:?}");
}

#[test]
fn byp_02_frozen_before_begin() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let right = alice.fresh_code();
    t.daemon.freeze();
    let silent_daemon = impatient(&t).login("alice", [&right]);
    t.daemon.thaw();
    t.bus.freeze();
    let silent_bus = impatient(&t).login("alice", [&right]);
    t.bus.thaw();
    for (what, outcome) in [("the daemon", silent_daemon), ("the bus", silent_bus)] {
        assert_no_answer(&outcome, what);
        assert_at_the_deadline(outcome.took);
    }
    assert!(t.cs().login("alice", [&right]).passed());
}

#[test]
fn byp_02_frozen_between_prompt_and_answer() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let stack = impatient(&t);
    let held = stack.hold("alice");
    t.daemon.freeze();
    let code = alice.fresh_code();
    let outcome = held.answer(&code);
    assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{outcome:?}");
    assert_at_the_deadline(outcome.took);
    t.daemon.thaw();
    // It now reads the answer of a login that has ended. What it makes of that, the code lets in at most once.
    let passed = (0..3).filter(|_| stack.login("alice", [&code]).passed()).count();
    assert!(passed <= 1, "{passed} times");
    let rows: Vec<_> = t.daemon.log("alice").into_iter().filter(|row| row.state == "verified").collect();
    assert!(rows.len() <= 1, "{rows:#?}");
    assert_eq!(rows.iter().filter(|row| row.confirmed).count(), passed, "{rows:#?}");
    assert!(stack.login("alice", [alice.fresh_code()]).passed());
}

/// The commit takes longer than the module waits: the verdict comes too late, and the code is spent.
#[test]
fn byp_02_a_verdict_after_the_deadline_is_ignored_and_its_code_is_dead() {
    require_all!(Ptrace);
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let stack = impatient(&t);
    let held = stack.hold("alice");
    let strace = Strace::inject(t.daemon.pid(), "fdatasync,fsync:delay_enter=4000000:when=1");
    let code = alice.fresh_code();
    let outcome = held.answer(&code);
    assert_eq!((outcome.auth, outcome.account), (Code::AUTHINFO_UNAVAIL, None), "{outcome:?}");
    assert_at_the_deadline(outcome.took);
    // Served after the late commit.
    let late = t.daemon.log("alice").pop().expect("a row");
    drop(strace);
    assert_eq!((late.state.as_str(), late.confirmed), ("verified", false), "{late:?}");
    let again = stack.login("alice", [&code]);
    assert!(!again.passed(), "{again:?}");
    assert!(stack.visit("alice").phases(&[Phase::Auth, Phase::Account]).run([alice.fresh_code()]).passed());
}

/// A bus that starts whatever `exec` says when somebody calls the daemon.
fn bus_that_activates(exec: &str, socket: &Path) -> (PrivateBus, Scratch) {
    let services = Scratch::new("services");
    let text = format!("[D-BUS Service]\nName={BUS_NAME}\nUser=root\nExec={exec}\n");
    fs::write(services.join(&format!("{BUS_NAME}.service")), text).expect("our own file");
    let extra = format!("<servicedir>{}</servicedir>", services.path().display());
    (PrivateBus::start_with(Broker::Reference, 0, Some(socket.to_owned()), &extra), services)
}

/// The bus is to start the daemon, and the binary is missing, crashes, or never comes up.
#[test]
fn byp_01_a_daemon_that_cannot_be_started_denies() {
    require_all!();
    let _world = World::enter();
    let dir = Scratch::new("socket");
    for exec in ["/nonexistent/countersignd", "/bin/false", "/bin/sleep 15"] {
        let socket = dir.join("bus");
        let (bus, _services) = bus_that_activates(exec, &socket);
        let module = Module::shipped().on(&bus.address(), 0).option(format!("timeout={TIMEOUT}"));
        for user in ["alice", "carol"] {
            let outcome = Stack::probe(&module, &["after_first_factor"]).login(user, ["123456"]);
            assert_no_answer(&outcome, exec);
            assert!(outcome.took < Duration::from_secs(TIMEOUT + 1), "{exec}: {:?}", outcome.took);
        }
    }
}

/// And where it can be started, the first login does so and waits for it.
#[test]
fn byp_01_a_login_may_start_the_daemon() {
    require_all!();
    let world = World::enter();
    let dir = Scratch::new("socket");
    let start = dir.join("start");
    let (bus, _services) = bus_that_activates(&format!("/bin/sh {}", start.display()), &dir.join("bus"));
    let daemon = DaemonSetup::new(&world, CONFIG).uid(0).prepare(&world, &bus);
    let words: Vec<String> = [
        artifacts::daemon().as_path(),
        Path::new("--bus"),
        Path::new(&bus.address()),
        Path::new("--config"),
        &daemon.config_file(),
        Path::new("--state"),
        daemon.state(),
        Path::new("--key-file"),
        &daemon.key_file(),
    ]
    .map(|word| word.display().to_string())
    .to_vec();
    fs::write(&start, format!("exec {}\n", words.join(" "))).expect("our own file");
    let refused = Stack::cs(&daemon.module()).login("alice", ["123456"]);
    assert_eq!(
        refused.auth,
        Code::PERM_DENIED,
        "the daemon's own word: alice has no factor yet: {refused:?}"
    );
    let alice = daemon.enroll("alice");
    assert!(Stack::cs(&daemon.module()).login("alice", [alice.fresh_code()]).passed());
}
