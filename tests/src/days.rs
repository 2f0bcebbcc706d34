//! A daemon whose boot time the test moves.

use crate::bus::PrivateBus;
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::fixture::CONFIG;
use crate::scratch::Scratch;
use crate::setup::DaemonSetup;
use crate::stack::Stack;
use crate::world::World;
use countersign_protocol::names::BUS_NAME;
use nix::mount::{MsFlags, mount};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A daemon in a time namespace of its own. Wall clocks are in none: it has a [`Clock`] besides.
pub struct Days {
    /// The daemon.
    pub daemon: Daemon,
    /// Its bus.
    pub bus: PrivateBus,
    offset: Scratch,
    passed: u64,
}

impl Days {
    /// The daemon runs as root: who may make time namespaces may not be who owns the state.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn start(world: &World) -> Self {
        Self::start_with(world, CONFIG)
    }

    /// With another configuration.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn start_with(world: &World, config: &str) -> Self {
        let offset = Scratch::new("boottime");
        std::fs::write(offset.join("s"), "0").expect("our own file");
        let script = format!(
            "exec unshare --time --boottime $(cat {}) --fork --kill-child=KILL \"$0\" \"$@\"",
            offset.join("s").display()
        );
        let bus = PrivateBus::start(0);
        let setup = DaemonSetup::new(world, config).uid(0).clock(&Arc::new(Clock::new()));
        let daemon = setup.wrapped_by(&["sh", "-c", &script]).start(world, &bus);
        Self { daemon, bus, offset, passed: 0 }
    }

    /// `cs` with the shipped module, pointed at the daemon.
    #[must_use]
    pub fn cs(&self) -> Stack {
        Stack::cs(&self.daemon.module())
    }

    /// So much later, as if the host had slept: the daemon is started anew because its namespace is.
    ///
    /// # Panics
    /// When the daemon does not end or start.
    pub fn wait(&mut self, time: Duration) {
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

/// Gives the host another boot id, as seen from inside a [`World`]. A daemon that runs has read the old one.
///
/// # Panics
/// Where nothing can be mounted.
pub fn another_boot() {
    let id = "/run/boot_id";
    std::fs::write(id, "01234567-89ab-cdef-0123-456789abcdef\n").expect("our own /run");
    let over = "/proc/sys/kernel/random/boot_id";
    mount(Some(id), over, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("bind over the boot id");
}
