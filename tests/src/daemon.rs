//! A real `countersignd` on a private bus, with its own state, key and configuration.

use crate::bus::PrivateBus;
use crate::clock::Clock;
use crate::ctl::{Ctl, LogRow};
use crate::scratch::Scratch;
use crate::secret::Secret;
use crate::setup::DaemonSetup;
use crate::stack::Module;
use crate::world::World;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::{self, OpenOptions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a daemon may take to say that it is ready, strace and sanitizers included.
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A daemon with its files; running, or stopped for a while. Dropped, it is killed.
pub struct Daemon {
    setup: DaemonSetup,
    wrapped: Vec<(String, String)>,
    bus_address: String,
    state: PathBuf,
    dir: Scratch,
    process: Option<Child>,
}

impl Daemon {
    /// A daemon with this configuration and nothing special.
    ///
    /// # Panics
    /// When it does not become ready.
    #[must_use]
    pub fn start(world: &World, bus: &PrivateBus, config: &str) -> Self {
        DaemonSetup::new(world, config).start(world, bus)
    }

    pub(crate) fn new(
        setup: DaemonSetup,
        wrapped: Vec<(String, String)>,
        bus_address: String,
        state: PathBuf,
        dir: Scratch,
    ) -> Self {
        Self { setup, wrapped, bus_address, state, dir, process: None }
    }

    /// The directory given by `--state`.
    #[must_use]
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// The database file.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.state.join("countersign.db")
    }

    /// The file given by `--key-file`.
    #[must_use]
    pub fn key_file(&self) -> PathBuf {
        self.dir.join("etc/key")
    }

    /// The file given by `--config`.
    #[must_use]
    pub fn config_file(&self) -> PathBuf {
        self.dir.join("etc/countersign.toml")
    }

    /// The uid it runs as.
    #[must_use]
    pub fn uid(&self) -> u32 {
        self.setup.uid
    }

    /// The clock it lives by, if not the machine's.
    #[must_use]
    pub fn clock(&self) -> Option<&Arc<Clock>> {
        self.setup.clock.as_ref()
    }

    /// The shipped module, pointed at this daemon.
    #[must_use]
    pub fn module(&self) -> Module {
        Module::shipped().on(&self.bus_address, self.setup.uid)
    }

    /// Writes the configuration file; the running daemon is not told.
    pub fn configure(&self, config: &str) {
        fs::write(self.config_file(), config).expect("write the configuration");
    }

    /// Runs `countersignd --init` on this daemon's state and key.
    #[must_use]
    pub fn init(&self) -> Output {
        let mut command = Command::new(crate::artifacts::daemon());
        command.arg("--init").arg("--state").arg(&self.state).arg("--key-file").arg(self.key_file());
        command.envs(self.wrapped.iter().cloned());
        command.stdin(Stdio::null()).output().expect("run countersignd --init")
    }

    /// Starts the process and waits for READY=1.
    ///
    /// # Panics
    /// When it is running, or does not become ready.
    pub fn resume(&mut self) {
        let notify = self.launch();
        let until = Instant::now() + READY_WITHIN;
        while !heard_ready(&notify) {
            let ended = self.process.as_mut().and_then(|child| child.try_wait().ok().flatten());
            assert!(
                ended.is_none() && Instant::now() < until,
                "countersignd is not ready ({ended:?}); it said:\n{}",
                self.said()
            );
        }
    }

    /// Starts the process where it is expected to refuse, and waits up to ten seconds for its end.
    #[must_use]
    pub fn try_start(&mut self) -> StartAttempt {
        let notify = self.launch();
        let until = Instant::now() + Duration::from_secs(10);
        while Instant::now() < until {
            if heard_ready(&notify) {
                return StartAttempt::Ready;
            }
            if let Some(status) = self.process.as_mut().and_then(|child| child.try_wait().ok().flatten()) {
                self.process = None;
                return StartAttempt::Ended(status);
            }
        }
        StartAttempt::Silent
    }

    /// Spawns without waiting; returns the socket on which it will say that it is ready.
    fn launch(&mut self) -> UnixDatagram {
        assert!(self.process.is_none(), "the daemon runs already");
        let path = self.dir.join("notify");
        drop(fs::remove_file(&path));
        let notify = UnixDatagram::bind(&path).expect("the notify socket");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o777)).expect("our own socket");
        notify.set_read_timeout(Some(Duration::from_millis(20))).expect("a timeout");
        self.process = Some(self.command().env("NOTIFY_SOCKET", &path).spawn().expect("start countersignd"));
        notify
    }

    fn command(&self) -> Command {
        let program = crate::artifacts::daemon();
        let mut command = match self.setup.words.split_first() {
            None => Command::new(program),
            Some((first, rest)) => {
                let mut command = Command::new(first);
                command.args(rest).arg(program);
                command
            }
        };
        command.args(["--bus", &self.bus_address]).arg("--config").arg(self.config_file());
        command.arg("--state").arg(&self.state).arg("--key-file").arg(self.key_file());
        command.envs(self.wrapped.iter().cloned());
        if let Some(clock) = &self.setup.clock {
            clock.apply(&mut command);
        }
        command.envs(self.setup.env.iter().cloned());
        if nix::unistd::geteuid().is_root() && self.setup.uid != 0 {
            command.uid(self.setup.uid).gid(self.setup.uid);
        }
        let log =
            OpenOptions::new().create(true).append(true).open(self.dir.join("stderr")).expect("a log file");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        command
    }

    /// Everything it wrote to stderr so far, over all its lives.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read(self.dir.join("stderr"))
            .map_or_else(|_| String::new(), |b| String::from_utf8_lossy(&b).into_owned())
    }

    /// Its pid.
    ///
    /// # Panics
    /// While it is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the daemon runs").id()
    }

    /// Whether the process is alive.
    #[must_use]
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// `kill -9`, and waits until it is gone.
    pub fn kill9(&mut self) {
        if let Some(mut child) = self.process.take() {
            drop(child.kill());
            drop(child.wait());
        }
    }

    /// SIGTERM, and waits up to ten seconds for its own end.
    ///
    /// # Panics
    /// When it does not end.
    pub fn stop(&mut self) -> ExitStatus {
        self.signal(Signal::SIGTERM);
        self.wait_end()
    }

    /// Waits up to ten seconds until the process has ended by itself or by a fault.
    ///
    /// # Panics
    /// When it does not.
    pub fn wait_end(&mut self) -> ExitStatus {
        let mut child = self.process.take().expect("the daemon runs");
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            if let Some(status) = child.try_wait().expect("wait for our own child") {
                return status;
            }
            if Instant::now() > until {
                drop(child.kill());
                panic!("countersignd did not end within 10 s; it said:\n{}", self.said());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// `kill -9`, then a new life on the same files.
    pub fn crash_and_restart(&mut self) {
        self.kill9();
        self.resume();
    }

    /// SIGSTOP.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(i32::try_from(self.pid()).expect("a pid")), signal)
            .expect("signal our own daemon");
    }

    /// Resident memory in KiB, from `/proc`.
    #[must_use]
    pub fn resident_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the daemon's status");
        let line = status.lines().find(|l| l.starts_with("VmRSS:")).expect("VmRSS");
        line.split_whitespace().nth(1).and_then(|n| n.parse().ok()).expect("a number of KiB")
    }

    /// `countersignctl` on this daemon's bus.
    #[must_use]
    pub fn ctl(&self) -> Ctl {
        Ctl::on(&self.bus_address)
    }

    /// Enrolls a person the way an administrator does, and returns what their app and their paper then hold.
    /// The confirming code is that of the step before the present one, so that the present one is still unused.
    ///
    /// # Panics
    /// When `countersignctl` refuses.
    #[must_use]
    pub fn enroll(&self, user: &str) -> Secret {
        self.ctl().enroll(user, self.setup.clock.clone())
    }

    /// The attempt log of one person, oldest first.
    #[must_use]
    pub fn log(&self, user: &str) -> Vec<LogRow> {
        self.ctl().log(&[user])
    }

    /// The whole attempt log, oldest first.
    #[must_use]
    pub fn log_of_all(&self) -> Vec<LogRow> {
        self.ctl().log(&[])
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill9();
        if std::thread::panicking() {
            eprintln!("countersignd said:\n{}", self.said());
        }
    }
}

/// How a start that may be refused went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartAttempt {
    /// It said that it is ready, and runs.
    Ready,
    /// It ended instead.
    Ended(ExitStatus),
    /// It runs and said nothing for ten seconds.
    Silent,
}

fn heard_ready(notify: &UnixDatagram) -> bool {
    let mut buffer = [0; 4096];
    match notify.recv(&mut buffer) {
        Ok(n) => String::from_utf8_lossy(&buffer[..n]).lines().any(|line| line == "READY=1"),
        Err(_) => false,
    }
}
