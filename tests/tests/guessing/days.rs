//! BRU-01 over time: delays end and double, and the hard cap does not wear off.

use super::{alice_now, closed_for, evaluated, require_all};
use countersign_protocol::names::BUS_NAME;
use countersign_tests::fixture::CONFIG;
use countersign_tests::scratch::Scratch;
use countersign_tests::{Clock, Code, Daemon, DaemonSetup, PrivateBus, Stack, World};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Consecutive failures that close everything but recovery codes.
const HARD_CAP: u32 = 100;

/// A daemon in a time namespace of its own, whose boot time the test moves. Wall clocks are not in it.
struct Days {
    daemon: Daemon,
    bus: PrivateBus,
    offset: Scratch,
    passed: u64,
}

impl Days {
    /// The daemon runs as root: who may make time namespaces may not be who owns the state.
    fn start(world: &World) -> Self {
        let offset = Scratch::new("boottime");
        std::fs::write(offset.join("s"), "0").expect("our own file");
        let script = format!(
            "exec unshare --time --boottime $(cat {}) --fork --kill-child=KILL \"$0\" \"$@\"",
            offset.join("s").display()
        );
        let bus = PrivateBus::start(0);
        let setup = DaemonSetup::new(world, CONFIG).uid(0).clock(&Arc::new(Clock::new()));
        let daemon = setup.wrapped_by(&["sh", "-c", &script]).start(world, &bus);
        Self { daemon, bus, offset, passed: 0 }
    }

    fn cs(&self) -> Stack {
        Stack::cs(&self.daemon.module())
    }

    /// So much later, as if the host had slept: the daemon is started anew because its namespace is.
    fn wait(&mut self, time: Duration) {
        self.passed += time.as_secs();
        std::fs::write(self.offset.join("s"), self.passed.to_string()).expect("our own file");
        self.daemon.kill9();
        // The killed process was the daemon's parent: the daemon itself ends a moment later.
        let until = Instant::now() + Duration::from_secs(5);
        while self.bus.has_owner(BUS_NAME) {
            assert!(Instant::now() < until, "the old daemon lives");
            std::thread::sleep(Duration::from_millis(5));
        }
        self.daemon.resume();
    }
}

#[test]
fn bru_01_delays_end_and_double() {
    require_all!(File("/proc/self/ns/time"));
    let world = World::enter();
    let mut days = Days::start(&world);
    let alice = days.daemon.enroll("alice");
    let cs = days.cs();
    let second = Duration::from_secs(1);
    for n in 0..5 {
        assert!(!cs.login("alice", [alice.wrong_code(n)]).passed());
    }
    for (n, delay) in [30, 60, 120].into_iter().enumerate() {
        let wait = closed_for(&days.daemon, "other").expect("locked");
        assert!((delay - 4..=delay).contains(&wait), "{wait} of {delay} s");
        days.wait((u32::try_from(delay).expect("small") - 6) * second);
        assert_eq!(cs.login("alice", [alice.fresh_code()]).auth, Code::MAXTRIES, "before {delay} s are over");
        days.wait(6 * second);
        assert_eq!(cs.login("alice", [alice.wrong_code(10 + n)]).auth, Code::AUTH_ERR, "evaluated again");
    }
    assert_eq!(cs.login("alice", [alice.fresh_code()]).auth, Code::MAXTRIES);
    days.wait(240 * second);
    let right = cs.login("alice", [alice.fresh_code()]);
    assert!(right.passed(), "{right:?}");
    assert_eq!(alice_now(&days.daemon)["failures"], 0, "a success ends the row of failures");
}

#[test]
fn bru_01_the_hard_cap_holds_over_days() {
    require_all!(File("/proc/self/ns/time"));
    let world = World::enter();
    let mut days = Days::start(&world);
    let alice = days.daemon.enroll("alice");
    let cs = days.cs();
    let day = Duration::from_secs(25 * 3600);
    for n in 0..30 {
        for guess in 0..6 {
            assert!(!cs.login("alice", [alice.wrong_code(6 * n + guess)]).passed());
        }
        days.wait(day);
    }
    assert_eq!(evaluated(&days.daemon.log("alice")), HARD_CAP, "over thirty days of patience");
    let console = || cs.visit("alice").tty("tty1");
    for login in [cs.visit("alice"), console()] {
        assert_eq!(login.run([alice.fresh_code()]).auth, Code::MAXTRIES, "the right code at the cap");
    }
    let recovered = cs.login("alice", [alice.recovery[0].as_str()]);
    assert!(recovered.passed(), "a recovery code is the way back: {recovered:?}");
    let after = cs.login("alice", [alice.fresh_code()]);
    assert!(after.passed(), "and ends the row of failures: {after:?}");
}
