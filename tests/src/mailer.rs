//! A real `countersign-mailer` on a private bus.

use crate::bus::PrivateBus;
use crate::caller::CallError;
use crate::people;
use crate::scratch::Scratch;
use crate::wire::Wire;
use crate::world::World;
use countersign_protocol::mailer::Stage;
use countersign_protocol::names::{MAILER_BUS_NAME, MAILER_INTERFACE, MAILER_PATH};
use std::fs::{self, File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A mailer with its files. Dropped, it is killed.
pub struct Mailer {
    dir: Scratch,
    config: PathBuf,
    address: String,
    uid: u32,
    sender: u32,
    process: Option<Child>,
}

/// What came of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// `sent`, `later`, `refused` or `unknown`.
    pub outcome: String,
    /// The last stage.
    pub stage: String,
    /// Why.
    pub cause: String,
    /// What the server said.
    pub said: String,
}

impl Mailer {
    /// With a configuration of its own.
    ///
    /// # Panics
    /// When it does not own its name within ten seconds.
    #[must_use]
    pub fn start(world: &World, bus: &PrivateBus, config: &str) -> Self {
        let mut mailer = Self::prepare(world, bus, None);
        mailer.configure(config);
        mailer.resume(&[], &[]);
        mailer
    }

    /// With the files made and nothing started; `config` is somebody else's, such as the daemon's.
    #[must_use]
    pub fn prepare(world: &World, bus: &PrivateBus, config: Option<&Path>) -> Self {
        let dir = Scratch::new("mailer");
        fs::create_dir(dir.join("mailbox.d")).expect("our own folder");
        let uid = if world.is_private() { people::MAILER_UID } else { nix::unistd::geteuid().as_raw() };
        let config = config.map_or_else(|| dir.join("countersign.toml"), Path::to_owned);
        Self { dir, config, address: bus.address(), uid, sender: world.daemon_uid(), process: None }
    }

    /// Takes letters from another uid than the daemon's.
    #[must_use]
    pub fn from_uid(mut self, uid: u32) -> Self {
        self.sender = uid;
        self
    }

    /// Writes the configuration; it is read for each letter.
    pub fn configure(&self, config: &str) {
        fs::write(&self.config, config).expect("write the configuration");
    }

    /// The file of a mailbox's secret.
    #[must_use]
    pub fn secret_file(&self, mailbox: &str) -> PathBuf {
        self.dir.join("mailbox.d").join(mailbox)
    }

    /// Writes the secret of a mailbox as the documentation says: root:countersign-mail 0640.
    pub fn secret(&self, mailbox: &str, text: &str) {
        let file = self.secret_file(mailbox);
        fs::write(&file, text).expect("our own folder");
        fs::set_permissions(&file, Permissions::from_mode(0o640)).expect("ours");
        if nix::unistd::geteuid().is_root() {
            chown(&file, Some(0), Some(self.uid)).expect("root may");
        }
    }

    /// Starts the process, with more arguments and variables.
    ///
    /// # Panics
    /// When it does not own its name within ten seconds.
    pub fn resume(&mut self, words: &[&str], env: &[(&str, &str)]) {
        assert!(self.process.is_none(), "the mailer runs already");
        let mut command = Command::new(crate::artifacts::mailer());
        command.args(["--bus", &self.address]).arg("--config").arg(&self.config);
        command.arg("--mailboxes").arg(self.dir.join("mailbox.d"));
        command.args(["--sender", &self.sender.to_string()]).args(words).envs(env.iter().copied());
        let log = File::create(self.dir.join("stderr")).expect("our own folder");
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        if nix::unistd::geteuid().is_root() {
            command.uid(self.uid).gid(self.uid);
        }
        self.process = Some(command.spawn().expect("start countersign-mailer"));
        let until = Instant::now() + Duration::from_secs(10);
        while !self.said().contains("ready") {
            assert!(Instant::now() < until, "countersign-mailer is not ready: {}", self.said());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether the process has ended by itself, and how.
    pub fn ended(&mut self) -> Option<std::process::ExitStatus> {
        self.process.as_mut().and_then(|child| child.try_wait().expect("our child"))
    }

    /// What it wrote to standard error, which is the journal.
    #[must_use]
    pub fn said(&self) -> String {
        fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    /// Its pid.
    ///
    /// # Panics
    /// When it was not started.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the mailer runs").id()
    }

    /// The most memory it has had, in KiB.
    ///
    /// # Panics
    /// When it does not run.
    #[must_use]
    pub fn peak_kib(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("a peak");
        line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
    }

    /// Somebody who may send: the daemon's uid.
    #[must_use]
    pub fn daemon(&self, bus: &PrivateBus) -> Wire {
        if nix::unistd::geteuid().is_root() { Wire::as_uid(bus, self.sender) } else { Wire::on(bus) }
    }
}

impl Drop for Mailer {
    fn drop(&mut self) {
        if let Some(mut child) = self.process.take() {
            drop(child.kill());
            drop(child.wait());
        }
        if std::thread::panicking() {
            eprintln!("the mailer said:\n{}", self.said());
        }
    }
}

/// Has a letter sent by whoever is connected.
///
/// # Errors
/// The error reply.
pub fn send(
    wire: &mut Wire,
    mailbox: &str,
    to: &str,
    subject: &str,
    text: &str,
    milliseconds: u32,
) -> Result<Sent, CallError> {
    let body = (mailbox, to, subject, text, milliseconds);
    let reply = wire.call(MAILER_BUS_NAME, MAILER_PATH, MAILER_INTERFACE, "Send", &body)?;
    let (outcome, stage, cause, said) = reply.body().deserialize().expect("four words");
    Ok(Sent { outcome, stage, cause, said })
}

/// Has a mailbox tested by whoever is connected.
///
/// # Errors
/// The error reply.
pub fn test(
    wire: &mut Wire,
    mailbox: &str,
    to: &str,
    milliseconds: u32,
) -> Result<(String, Vec<Stage>), CallError> {
    let body = (mailbox, to, milliseconds);
    let reply = wire.call(MAILER_BUS_NAME, MAILER_PATH, MAILER_INTERFACE, "Test", &body)?;
    Ok(reply.body().deserialize().expect("an outcome and stages"))
}
