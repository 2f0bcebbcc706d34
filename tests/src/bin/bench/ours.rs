//! Our daemon on a bus of its own, with people enrolled, and the stack that asks it.

use crate::seed;
use crate::{floor, people};
use countersign_tests::bus::{Broker, PrivateBus};
use countersign_tests::{Daemon, DaemonSetup, Stack, World};
use std::fs;
use std::rc::Rc;

const CONFIG: &str = r#"issuer = "Acme"

[[policy]]
name = "operators"
status = "enforce"
require = "everyone"
groups = ["mfa-required"]
"#;

/// A daemon with its bus and its stack (service `cs`).
pub(crate) struct Ours {
    pub(crate) daemon: Daemon,
    pub(crate) bus: PrivateBus,
    pub(crate) stack: Rc<Stack>,
}

impl Ours {
    /// With so many people enrolled, the first `active` of those who log in among them.
    pub(crate) fn start(world: &World, active: usize, enrolled: usize) -> Self {
        let uid = world.daemon_uid();
        let bus = PrivateBus::start_with(Broker::Reference, uid, None, floor::POLICY);
        let mut daemon = DaemonSetup::new(world, CONFIG).prepare(world, &bus);
        seed::enroll(&daemon, active.min(people::ACTIVE), enrolled);
        daemon.resume();
        let stack = Rc::new(Stack::cs(&daemon.module()));
        Self { daemon, bus, stack }
    }

    /// Restarts the daemon with all codes unused again.
    pub(crate) fn forget_codes(&mut self) {
        let ended = self.daemon.stop();
        assert!(ended.success(), "countersignd ended with {ended}: {}", self.daemon.said());
        seed::forget_codes(&self.daemon);
        self.daemon.resume();
    }
}

/// Nanoseconds of processor time that a process has used, all threads together.
pub(crate) fn cpu_ns(pid: u32) -> u64 {
    let Ok(tasks) = fs::read_dir(format!("/proc/{pid}/task")) else { return 0 };
    let of_task = |task: fs::DirEntry| {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse::<u64>().ok()
    };
    tasks.flatten().filter_map(of_task).sum()
}
