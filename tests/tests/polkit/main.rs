//! polkit, by the real one and at a real terminal: who is asked for whose password, and that what was approved is
//! what is done.

mod agents;
mod dialog;
mod gone;
mod subject;

use countersign_tests::fixture::CONFIG;
use countersign_tests::polkitd::group;
use countersign_tests::{Clock, Daemon, DaemonSetup, Polkitd, PrivateBus, World};
use std::sync::Arc;

/// Real polkit; carol is an administrator, by Debian's rules. Dropped in this order.
struct Scene {
    _polkit: Polkitd,
    daemon: Daemon,
    bus: PrivateBus,
    _world: World,
}

impl Scene {
    fn start() -> Self {
        Self::configured(CONFIG)
    }

    fn configured(config: &str) -> Self {
        let world = World::enter();
        group("sudo", 27, "carol");
        let bus = Polkitd::bus(&world);
        let daemon = DaemonSetup::new(&world, config).clock(&Arc::new(Clock::new())).start(&world, &bus);
        let polkit = Polkitd::start(&bus, &[]);
        Self { _polkit: polkit, daemon, bus, _world: world }
    }

    fn is_enrolled(&self, user: &str) -> bool {
        self.daemon.ctl().run(&["status", user]).ok().stdout.contains("totp")
    }
}
