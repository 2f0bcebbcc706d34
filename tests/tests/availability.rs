//! The daemon and the bus die, come back and are crowded while people log in.

use countersign_tests::fixture::CONFIG;
use countersign_tests::{
    Broker, Clock, Code, Daemon, DaemonSetup, Fixture, LogRow, Outcome, PrivateBus, Secret, Stack, Turn,
    World, require,
};
use std::collections::HashSet;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

macro_rules! require_all {
    ($($more:expr),*) => {
        require!(
            Root,
            Staged("countersignd"),
            Staged("countersignctl"),
            Staged("pam_countersign.so")
            $(, $more)*
        )
    };
}

/// How long a login may take, whatever happens around it.
const LONGEST: Duration = Duration::from_secs(10);

/// Logs in over and over until told to stop, and returns every end.
fn visits(stop: &AtomicBool, mut login: impl FnMut() -> Outcome) -> Vec<Outcome> {
    let mut ends = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        ends.push(login());
    }
    ends
}

/// `kill -9` every 200 ms of the daemon's life, for a while; every third time it stays dead for as long as a service
/// manager takes. Returns how often.
fn keep_killing(daemon: &mut Daemon, time: Duration) -> u32 {
    let until = Instant::now() + time;
    let mut kills = 0;
    while Instant::now() < until {
        sleep(Duration::from_millis(200));
        daemon.kill9();
        kills += 1;
        if kills % 3 == 0 {
            sleep(Duration::from_millis(500));
        }
        daemon.resume();
    }
    kills
}

/// AVL-01. Four people in this process: one with right codes, each tried twice; one who guesses; one of whom nothing
/// is required; and one who hangs up.
#[test]
fn avl_01_logins_while_the_daemon_is_killed_every_200_ms() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let bob = t.daemon.enroll("bob");
    let (cs, probe) = (t.cs(), t.probe());
    let stop = AtomicBool::new(false);
    let right = || {
        let code = alice.fresh_code();
        let first = cs.login("alice", [&code]);
        let again = cs.login("alice", [&code]);
        assert!(!(first.passed() && again.passed()), "one code let two in: {first:?} {again:?}");
        if first.passed() { first } else { again }
    };
    let guess = {
        let mut n = 0;
        let (cs, bob) = (&cs, &bob);
        move || {
            n += 1;
            cs.login("bob", [bob.wrong_code(n)])
        }
    };
    let (rights, guesses, carols, hangups, kills) = std::thread::scope(|scope| {
        let rights = scope.spawn(|| visits(&stop, right));
        let guesses = scope.spawn(|| visits(&stop, guess));
        let carols = scope.spawn(|| visits(&stop, || probe.login("carol", ["123456"])));
        let hangups = scope.spawn(|| visits(&stop, || cs.hold("alice").hang_up()));
        let kills = keep_killing(&mut t.daemon, Duration::from_secs(12));
        stop.store(true, Ordering::Relaxed);
        let ends = |thread: std::thread::ScopedJoinHandle<'_, Vec<Outcome>>| thread.join().expect("no panic");
        (ends(rights), ends(guesses), ends(carols), ends(hangups), kills)
    });

    let all = || rights.iter().chain(&guesses).chain(&carols).chain(&hangups);
    let slowest = all().map(|o| o.took).max().expect("some logins");
    let passed = rights.iter().filter(|o| o.passed()).count();
    let answered = carols.iter().filter(|o| o.auth == Code::IGNORE).count();
    eprintln!(
        "{kills} kills: {passed} of {} right codes passed, {answered} of {} waivers, {} guesses, {} hang-ups; slowest {slowest:?}",
        rights.len(),
        carols.len(),
        guesses.len(),
        hangups.len()
    );
    assert!(slowest < LONGEST, "{slowest:?}");
    assert!(guesses.iter().chain(&hangups).all(|o| !o.passed()), "a false success");
    let honest = [Code::IGNORE, Code::AUTHINFO_UNAVAIL];
    let odd: Vec<_> = carols.iter().filter(|o| !honest.contains(&o.auth) || o.code_prompts() > 0).collect();
    assert!(odd.is_empty(), "{odd:#?}");
    assert!(passed > 10 && answered > 10 && kills > 10, "most logins survive, or this tests nothing");

    // Every success is in the log, as often as it happened and confirmed as far as the person got.
    let verified = t.daemon.log("alice").iter().filter(|row| row.state == "verified").count();
    assert!(verified >= passed, "{verified} rows for {passed} successes");
    assert!(t.daemon.log("bob").iter().all(|row| row.state != "verified"));
    let after = cs.login("alice", [alice.fresh_code()]);
    assert!(after.passed(), "and then all is well: {after:?}");
}

/// Whoever stands at the prompt notices nothing of it, and gains no try by it either.
#[test]
fn avl_01_a_login_survives_the_daemon_and_keeps_its_tries() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut held = t.cs().hold("alice");
    for n in 0..2 {
        t.daemon.crash_and_restart();
        held.send_answer(alice.wrong_code(n));
        assert!(matches!(held.wait(), Turn::Prompt(_)), "try {n}: {:?}", held.turn());
    }
    t.daemon.crash_and_restart();
    let code = alice.fresh_code();
    let outcome = held.answer(&code);
    assert!(outcome.passed(), "the third try is the right one: {outcome:?}");
    t.daemon.crash_and_restart();
    assert!(!t.cs().login("alice", [&code]).passed(), "what was used before the crash is used after it");

    let mut guesser = t.cs().hold("alice");
    for n in 10..12 {
        guesser.send_answer(alice.wrong_code(n));
        assert!(matches!(guesser.wait(), Turn::Prompt(_)), "try {n}: {:?}", guesser.turn());
        t.daemon.crash_and_restart();
    }
    guesser.send_answer(alice.wrong_code(12));
    assert!(matches!(guesser.wait(), Turn::Done(end) if end.auth == Code::MAXTRIES), "{:?}", guesser.turn());
    let rows: Vec<LogRow> = t.daemon.log("alice").into_iter().filter(|row| row.state == "denied").collect();
    assert_eq!(rows.iter().map(|row| row.tries).collect::<Vec<_>>(), [1, 3], "{rows:#?}");
}

/// BRU-05: each failure that was told is on disk, so killing the daemon after each buys nothing.
#[test]
fn bru_05_a_kill_after_each_wrong_code_forgets_none() {
    require_all!();
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    for n in 0..20 {
        let outcome = t.cs().login("alice", [alice.wrong_code(n)]);
        t.daemon.kill9();
        t.daemon.resume();
        let expected = match n {
            0..4 => Code::CONV_ERR,
            _ => Code::MAXTRIES,
        };
        assert_eq!(outcome.auth, expected, "guess {n}: {outcome:?}");
    }
    let denied = t.daemon.log("alice").iter().filter(|row| row.reason == "wrong-code").count();
    assert_eq!(denied, 5);
    assert_eq!(t.cs().login("alice", [alice.fresh_code()]).auth, Code::MAXTRIES, "the right code");
}

/// AVL-02: the bus restarts under a login. Without a daemon on the new one it is denied in time; with one it goes on.
#[test]
fn avl_02_a_bus_restart_in_the_middle_of_a_login() {
    require_all!();
    let world = World::enter();
    for broker in [Broker::Reference, Broker::DbusBroker] {
        if broker == Broker::DbusBroker {
            require!(Tool("dbus-broker-launch"));
        }
        let (mut bus, mut daemon, alice) = on(broker, &world);
        let stack = Stack::cs(&daemon.module().option("timeout=4"));

        let held = stack.hold("alice");
        bus.restart();
        let status = daemon.wait_end();
        assert!(!status.success(), "{broker:?}: the service manager is to restart it");
        let code = alice.fresh_code();
        let outcome = held.answer(&code);
        assert_eq!(outcome.auth, Code::AUTHINFO_UNAVAIL, "{broker:?}: {outcome:?}");
        assert!(outcome.took < LONGEST, "{broker:?}: {:?}", outcome.took);
        daemon.resume();
        assert!(stack.login("alice", [&code]).passed(), "{broker:?}: the answer never left the module");

        let held = stack.hold("alice");
        bus.restart();
        daemon.wait_end();
        daemon.resume();
        let outcome = held.answer(alice.fresh_code());
        assert!(outcome.passed(), "{broker:?}: the owner is proven anew: {outcome:?}");
    }
}

fn on(broker: Broker, world: &World) -> (PrivateBus, Daemon, Secret) {
    let bus = PrivateBus::start_with(broker, world.daemon_uid(), None, "");
    let daemon = DaemonSetup::new(world, CONFIG).clock(&Arc::new(Clock::new())).start(world, &bus);
    let alice = daemon.enroll("alice");
    (bus, daemon, alice)
}

/// The first login and its refusals on the other bus.
#[test]
fn the_first_login_over_dbus_broker() {
    require_all!(Tool("dbus-broker-launch"));
    let world = World::enter();
    let (_bus, mut daemon, alice) = on(Broker::DbusBroker, &world);
    let stack = Stack::cs(&daemon.module());
    let code = alice.fresh_code();
    let first = stack.login("alice", [&code]);
    assert!(first.passed(), "{first:?}");
    assert!(!stack.login("alice", [&code]).passed(), "a replay");
    let rush = stack.visit("alice").rush(32);
    assert_eq!(rush.at_prompt(), 32);
    let code = alice.fresh_code();
    assert_eq!(rush.release(|_| &code).passed(), 1, "32 with one code");
    assert_eq!(
        Stack::probe(&daemon.module(), &["after_first_factor"]).login("carol", [""; 0]).auth,
        Code::IGNORE
    );
    daemon.stop();
    let absent = Stack::cs(&daemon.module().option("timeout=2")).login("alice", [alice.fresh_code()]);
    assert_eq!(absent.auth, Code::AUTHINFO_UNAVAIL, "{absent:?}");
    daemon.resume();
    assert!(stack.login("alice", [alice.fresh_code()]).passed());
}

/// BRU-08: a hundred logins that fail hold up nobody. They wait in their own hosts, by `pam_fail_delay`.
#[test]
fn bru_08_100_failing_logins_at_once_hold_up_nobody() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let bob = t.daemon.enroll("bob");
    let quick = |when: &str| {
        let good = t.cs().login("alice", [alice.fresh_code()]);
        assert!(good.passed(), "{when}: {good:?}");
        assert!(good.took < Duration::from_secs(2), "{when}: {:?}", good.took);
        eprintln!("{when}: {:?}", good.took);
    };
    let rush = t.cs().visit("bob").rush(100);
    assert_eq!(rush.at_prompt(), 100);
    quick("while 100 stand at their prompt");
    // Shapes of recovery codes: each that is evaluated costs a memory-hard hash.
    let codes = ["aaaa-bbbb-cccc-dddd", "eeee-ffff-gggg-hhhh"];
    let failing = std::thread::scope(|scope| {
        let failing = scope.spawn(|| {
            rush.release(|i| if i % 2 == 0 { bob.wrong_code(i) } else { codes[i / 2 % 2].to_owned() })
        });
        for _ in 0..5 {
            quick("while they fail");
        }
        failing.join().expect("no panic")
    });
    assert_eq!(failing.passed(), 0);
    let refused: Vec<&Outcome> =
        failing.outcomes.iter().filter(|o| matches!(o.auth, Code::AUTH_ERR | Code::MAXTRIES)).collect();
    let evaluated = t.daemon.log("bob").iter().filter(|row| row.reason == "wrong-code").count();
    assert!(refused.len() >= 90 && evaluated == 10, "{} refused, {evaluated} evaluated", refused.len());
    // As long as pam_unix asks for, give or take what libpam makes of it.
    assert!(refused.iter().all(|o| (1_000_000..4_000_000).contains(&o.delay_usec)), "{refused:#?}");
    let bob_locked = t.cs().login("bob", [bob.fresh_code()]);
    assert_eq!(bob_locked.auth, Code::MAXTRIES, "{bob_locked:?}");
}

/// Login ids are capabilities: they never repeat, not even over crashes.
#[test]
fn a_login_id_is_never_given_twice() {
    require_all!();
    let mut t = Fixture::start();
    let mut seen = HashSet::new();
    for _ in 0..5 {
        for _ in 0..20 {
            let begun = countersign_tests::Caller::on(&t.bus).begin("alice", "unknown").expect("a step");
            assert!(begun.login.len() == 32 && seen.insert(begun.login.clone()), "{begun:?}");
        }
        t.daemon.crash_and_restart();
    }
}

/// AVL-13. A full queue that nobody reads: whoever waits for it waits for ever, as libpam itself does.
#[test]
fn avl_13_a_log_that_nobody_reads_delays_no_login() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    // Opened before: libpam has something to say of its own when it starts.
    let login = t.cs().hold("alice");
    std::fs::remove_file("/dev/log").expect("the private /dev");
    let _unread = UnixDatagram::bind("/dev/log").expect("the private /dev");
    let sender = UnixDatagram::unbound().expect("a socket");
    sender.set_nonblocking(true).expect("a socket");
    while sender.send_to(b"<85>noise", "/dev/log").is_ok() {}
    let begun = Instant::now();
    let outcome = login.answer(alice.fresh_code());
    assert!(outcome.passed(), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(t.daemon.log("alice")[0].state, "verified");
}
