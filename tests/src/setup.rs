//! How a daemon is to be started.

use crate::bus::PrivateBus;
use crate::clock::Clock;
use crate::daemon::Daemon;
use crate::scratch::Scratch;
use crate::world::World;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// How to start a daemon; ends in [`start`](Self::start).
#[derive(Clone)]
pub struct DaemonSetup {
    config: String,
    pub(crate) uid: u32,
    pub(crate) clock: Option<Arc<Clock>>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) words: Vec<String>,
    state: Option<PathBuf>,
    init: bool,
}

impl DaemonSetup {
    /// With this configuration, as the account that the world has for it.
    #[must_use]
    pub fn new(world: &World, config: &str) -> Self {
        Self {
            config: config.to_owned(),
            uid: world.daemon_uid(),
            clock: None,
            env: Vec::new(),
            words: Vec::new(),
            state: None,
            init: true,
        }
    }

    /// Lives by this clock.
    #[must_use]
    pub fn clock(mut self, clock: &Arc<Clock>) -> Self {
        self.clock = Some(Arc::clone(clock));
        self
    }

    /// Runs as another uid (root only).
    #[must_use]
    pub fn uid(mut self, uid: u32) -> Self {
        self.uid = uid;
        self
    }

    /// Sets a variable.
    #[must_use]
    pub fn env(mut self, name: &str, value: &str) -> Self {
        self.env.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Words before the program. With strace use `-D`, so that the pid stays the daemon's.
    #[must_use]
    pub fn wrapped_by(mut self, words: &[&str]) -> Self {
        self.words = words.iter().map(|&w| w.to_owned()).collect();
        self
    }

    /// An existing directory for the state, such as a small [`crate::faults::Volume`]; it is given to the daemon's uid.
    #[must_use]
    pub fn state(mut self, dir: &Path) -> Self {
        self.state = Some(dir.to_owned());
        self
    }

    /// Leaves out `--init`: the state directory is empty at start.
    #[must_use]
    pub fn without_init(mut self) -> Self {
        self.init = false;
        self
    }

    /// Makes the files, starts the daemon and waits until it is ready.
    ///
    /// # Panics
    /// When it does not become ready; its stderr is in the message.
    #[must_use]
    pub fn start(self, world: &World, bus: &PrivateBus) -> Daemon {
        let mut daemon = self.prepare(world, bus);
        daemon.resume();
        daemon
    }

    /// Makes the files and starts nothing.
    #[must_use]
    pub fn prepare(self, world: &World, bus: &PrivateBus) -> Daemon {
        let dir = Scratch::new("daemon");
        let state = self.state.clone().unwrap_or_else(|| dir.join("state"));
        fs::create_dir_all(&state).expect("the state directory");
        fs::set_permissions(&state, fs::Permissions::from_mode(0o700)).expect("our own directory");
        if nix::unistd::geteuid().is_root() {
            chown(&state, Some(self.uid), Some(self.uid)).expect("give the state to the daemon");
        }
        // The key lies where the daemon's uid may write it once, as the package's `--init` does for root.
        fs::create_dir(dir.join("etc")).expect("our own directory");
        let config = self.config.clone();
        let init = self.init;
        let daemon = Daemon::new(self, wrapped_env(world), bus.address(), state, dir);
        daemon.configure(&config);
        if init {
            let out = daemon.init();
            assert!(out.status.success(), "countersignd --init: {}", String::from_utf8_lossy(&out.stderr));
        }
        daemon
    }
}

/// The environment that lets children see the people where there are no namespaces.
fn wrapped_env(world: &World) -> Vec<(String, String)> {
    let mut probe = Command::new("true");
    world.apply(&mut probe);
    probe
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_str()?.to_owned(), value?.to_str()?.to_owned())))
        .collect()
}
