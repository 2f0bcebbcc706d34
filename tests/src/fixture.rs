//! The usual scene in one line: a world, a bus, a daemon.

use crate::bus::PrivateBus;
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::setup::DaemonSetup;
use crate::stack::{First, Module, Stack};
use crate::world::World;
use std::sync::Arc;

/// The configuration of the fixture: the group `mfa-required` needs a second factor everywhere, nobody else does.
pub const CONFIG: &str = r#"issuer = "Acme"
help = "Lost your phone? Ask the helpdesk, room 12."

[[policy]]
name = "operators"
status = "enforce"
require = "everyone"
groups = ["mfa-required"]
"#;

/// World, bus and daemon. Fields drop in this order: daemon, bus, world.
pub struct Fixture {
    /// The daemon.
    pub daemon: Daemon,
    /// Its bus.
    pub bus: PrivateBus,
    /// Where all of it happens.
    pub world: World,
}

impl Fixture {
    /// With the machine's own clock.
    ///
    /// # Panics
    /// When the artefacts are not staged or the daemon does not become ready.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with(|setup| setup)
    }

    /// With a [`Clock`] of its own, so that a test needs not wait for the next TOTP step.
    #[must_use]
    pub fn with_clock() -> Self {
        Self::start_with(|setup| setup.clock(&Arc::new(Clock::new())))
    }

    /// With a clock of its own and another configuration.
    ///
    /// # Panics
    /// When the artefacts are not staged or the daemon does not become ready.
    #[must_use]
    pub fn configured(config: &str) -> Self {
        let world = World::enter();
        let setup = DaemonSetup::new(&world, config).clock(&Arc::new(Clock::new()));
        let bus = PrivateBus::start(world.daemon_uid());
        let daemon = setup.start(&world, &bus);
        Self { daemon, bus, world }
    }

    /// With whatever a test wants to change about the daemon.
    #[must_use]
    pub fn start_with(change: impl FnOnce(DaemonSetup) -> DaemonSetup) -> Self {
        let world = World::enter();
        let setup = change(DaemonSetup::new(&world, CONFIG));
        let bus = PrivateBus::start(world.daemon_uid());
        let daemon = setup.start(&world, &bus);
        Self { daemon, bus, world }
    }

    /// The daemon's clock.
    ///
    /// # Panics
    /// Without one.
    #[must_use]
    pub fn clock(&self) -> &Clock {
        self.daemon.clock().expect("Fixture::with_clock")
    }

    /// The shipped module pointed at this daemon.
    #[must_use]
    pub fn module(&self) -> Module {
        self.daemon.module()
    }

    /// `cs`, with a first factor that asks nothing.
    #[must_use]
    pub fn cs(&self) -> Stack {
        Stack::cs(&self.module())
    }

    /// `cs` with the real password check of the account.
    #[must_use]
    pub fn cs_with_password(&self) -> Stack {
        Stack::cs_after(if self.world.is_private() { First::Unix } else { First::Matrix }, &self.module())
    }

    /// The module alone behind a first factor it may trust, reporting its own return code.
    #[must_use]
    pub fn probe(&self) -> Stack {
        Stack::probe(&self.module(), &["after_first_factor"])
    }
}
