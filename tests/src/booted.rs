//! A whole Debian with systemd as PID 1, in a container of its own, and the package in it.
//!
//! The root file system is made once by `scripts/boot-root`; what a test changes lies in an overlay in
//! memory, which outlives a reboot and vanishes with the test.

mod record;

use crate::pty::Pty;
use crate::scratch::Scratch;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
pub use record::Record;
use std::cell::Cell;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The root that `scripts/boot-root` makes; a test that needs it is skipped where it is missing.
pub const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/boot/bookworm");
/// The packages that `scripts/deb` makes.
const PACKAGES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/deb");
/// What ssh is told in each test, so that it speaks of nothing but the login; not worth reading in a record.
pub const PLAIN_SSH: &str = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR \
     -o NumberOfPasswordPrompts=1 ";
/// How long a boot may take before it has failed.
const BOOT: Duration = Duration::from_secs(60);

/// The files of a Debian, in memory above what `scripts/boot-root` made; not booted by itself.
pub struct Overlay(Scratch);

impl Overlay {
    /// One of [`ROOT`].
    ///
    /// # Panics
    /// Without the right to mount.
    #[must_use]
    pub fn new() -> Self {
        Self::over(ROOT)
    }

    /// Call it first in a test: the thread moves to mounts of its own.
    fn over(lower: &str) -> Self {
        unshare(CloneFlags::CLONE_NEWNS).expect("mounts of our own (root)");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .expect("make mounts private");
        let files = Scratch::new("boot");
        mount(Some("tmpfs"), files.path(), Some("tmpfs"), MsFlags::empty(), Some("mode=755"))
            .expect("memory for the overlay");
        for dir in ["upper", "work", "root"] {
            std::fs::create_dir(files.join(dir)).expect("our own tmpfs");
        }
        let options = format!(
            "lowerdir={lower},upperdir={},workdir={}",
            files.join("upper").display(),
            files.join("work").display()
        );
        mount(
            Some("overlay"),
            &files.join("root"),
            Some("overlay"),
            MsFlags::empty(),
            Some(options.as_str()),
        )
        .expect("an overlay over the root");
        Self(files)
    }

    /// Where its root is.
    #[must_use]
    pub fn root(&self) -> PathBuf {
        self.0.join("root")
    }
}

impl Default for Overlay {
    fn default() -> Self {
        Self::new()
    }
}

/// A booted container. Dropped, it is killed.
pub struct Booted {
    machine: String,
    files: Overlay,
    nspawn: Child,
    leader: u32,
    /// What is done here and what comes of it.
    pub record: Record,
    /// How long the last boot took, until systemd was content.
    pub boot_time: Duration,
    /// How long the last installation of the package took.
    pub install_time: Cell<Duration>,
    /// What systemd itself finds in its environment, `NAME=VALUE`.
    environment: &'static [&'static str],
}

impl Booted {
    /// Boots one. Call it first in a test: the thread moves to mounts of its own.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn boot() -> Self {
        Self::boot_of(ROOT)
    }

    /// Boots another release, by the root that `scripts/boot-root RELEASE` made.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn boot_of(root: &str) -> Self {
        Self::boot_with(root, &[])
    }

    /// The same, with variables that systemd itself reads.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn boot_with(root: &str, environment: &'static [&'static str]) -> Self {
        let files = Overlay::over(root);
        let machine = format!("cs-{}", std::process::id());
        let (nspawn, leader, boot_time) = launch(&machine, &files.root(), environment);
        let record = Record::begin();
        let install_time = Cell::default();
        let booted = Self { machine, files, nspawn, leader, record, boot_time, install_time, environment };
        booted.say_booted();
        booted
    }

    /// Boots one and installs the package, as an administrator would.
    #[must_use]
    pub fn with_package() -> Self {
        let booted = Self::boot();
        booted.install();
        booted
    }

    /// Installs the package that `scripts/deb` has built; gives what the administrator reads.
    ///
    /// # Panics
    /// When there is none, or it does not install.
    pub fn install(&self) -> String {
        let package = package();
        let bytes = std::fs::read(package).expect("readable");
        self.put("/root/countersign.deb", &bytes);
        let begun = Instant::now();
        let said = self
            .ok("apt-get -qq -o Dpkg::Use-Pty=0 install -y --no-install-recommends /root/countersign.deb");
        self.install_time.set(begun.elapsed());
        self.record.say(&format!("the package is installed: {:.2} s", begun.elapsed().as_secs_f64()));
        said
    }

    /// Runs a shell command in it as root.
    ///
    /// # Panics
    /// When the shell cannot be started.
    #[must_use]
    pub fn run(&self, script: &str) -> Output {
        let begun = Instant::now();
        let output = self.quietly(script);
        let said = [output.stdout.as_slice(), &output.stderr].concat();
        self.record.command(begun, script, &output.status.to_string(), &String::from_utf8_lossy(&said));
        output
    }

    /// The same, and nobody reads of it.
    fn quietly(&self, script: &str) -> Output {
        self.command(&["sh", "-c", script]).stdin(Stdio::null()).output().expect("nsenter (util-linux)")
    }

    /// The same, and it must succeed; gives both outputs.
    ///
    /// # Panics
    /// When it fails.
    pub fn ok(&self, script: &str) -> String {
        let output = self.run(script);
        let text =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert!(output.status.success(), "{script}: {}\n{text}\n{}", output.status, self.trouble());
        text
    }

    /// A command to be started in it, on a pty for instance.
    #[must_use]
    pub fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new("nsenter");
        command.args(["--target", &self.leader.to_string(), "--all", "--"]).args(words);
        command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("TERM", "xterm");
        command.env("DEBIAN_FRONTEND", "noninteractive").env("LANG", "C.UTF-8");
        command
    }

    /// Somebody at a terminal in it, whose session is in the record.
    ///
    /// # Panics
    /// When the program cannot be started.
    #[must_use]
    pub fn terminal(&self, command: &Command) -> Pty {
        Pty::spawn(command).recorded(&self.record)
    }

    /// Writes a file in it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn put(&self, path: &str, content: &[u8]) {
        let mut cat = self
            .command(&["sh", "-c", "mkdir -p \"$(dirname \"$1\")\" && cat >\"$1\"", "sh", path])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nsenter (util-linux)");
        cat.stdin.take().expect("piped").write_all(content).expect("a reader");
        assert!(cat.wait().expect("our own child").success(), "write {path}");
        let text = std::str::from_utf8(content).unwrap_or("(bytes)");
        self.record.command(Instant::now(), &format!("cat >{path}"), "written", text);
    }

    /// Waits until a shell command succeeds.
    ///
    /// # Panics
    /// When it does not within 20 s.
    pub fn wait_for(&self, script: &str) {
        let until = Instant::now() + Duration::from_secs(20);
        let begun = Instant::now();
        while !self.quietly(script).status.success() {
            assert!(Instant::now() < until, "never true: {script}\n{}", self.trouble());
            std::thread::sleep(Duration::from_millis(100));
        }
        self.record.command(begun, &format!("until {script}"), "true", "");
    }

    /// The power fails, and comes back.
    pub fn power_cut(&mut self) {
        self.kill();
        let (nspawn, leader, boot_time) = launch(&self.machine, &self.files.root(), self.environment);
        (self.nspawn, self.leader, self.boot_time) = (nspawn, leader, boot_time);
        self.record.say("the power failed, and is back");
        self.say_booted();
    }

    /// An orderly reboot.
    ///
    /// # Panics
    /// When it does not go down within a minute.
    pub fn reboot(&mut self) {
        drop(self.run("systemctl reboot"));
        let until = Instant::now() + BOOT;
        while self.nspawn.try_wait().expect("our own child").is_none() {
            assert!(Instant::now() < until, "it does not go down");
            std::thread::sleep(Duration::from_millis(50));
        }
        let (nspawn, leader, boot_time) = launch(&self.machine, &self.files.root(), self.environment);
        (self.nspawn, self.leader, self.boot_time) = (nspawn, leader, boot_time);
        self.say_booted();
    }

    fn say_booted(&self) {
        let name =
            self.quietly(". /etc/os-release; echo \"$PRETTY_NAME, $(systemctl --version | head -n 1)\"");
        let name = String::from_utf8_lossy(&name.stdout).trim().to_owned();
        self.record.say(&format!("booted in {:.2} s: {name}", self.boot_time.as_secs_f64()));
    }

    /// The pid of the container's first process, as this machine counts.
    #[must_use]
    pub const fn leader(&self) -> u32 {
        self.leader
    }

    /// What somebody would look at first.
    #[must_use]
    pub fn trouble(&self) -> String {
        let output = self.quietly("journalctl -b --no-pager -n 60; systemctl --failed --no-pager");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Every process of the container at once, and systemd-nspawn with them.
    fn kill(&mut self) {
        let kill = cgroup(&self.machine).join("cgroup.kill");
        std::fs::write(&kill, "1").unwrap_or_else(|e| eprintln!("{}: {e}", kill.display()));
        drop(self.nspawn.kill());
        drop(self.nspawn.wait());
        let until = Instant::now() + BOOT;
        let events = cgroup(&self.machine).join("cgroup.events");
        while std::fs::read_to_string(&events).is_ok_and(|events| events.contains("populated 1"))
            && Instant::now() < until
        {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.trouble());
        }
        self.kill();
        remove_group(&cgroup(&self.machine));
    }
}

/// The package that `scripts/deb` has built.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn package() -> PathBuf {
    std::fs::read_dir(PACKAGES)
        .expect("target/deb: run scripts/deb first")
        .filter_map(|entry| entry.ok().map(|entry| entry.path()))
        .find(|path| path.extension().is_some_and(|e| e == "deb"))
        .expect("a package in target/deb: run scripts/deb first")
}

/// The unified hierarchy, alone or beside the old controllers.
fn cgroup(machine: &str) -> PathBuf {
    let beside = Path::new("/sys/fs/cgroup/unified");
    let unified = if beside.is_dir() { beside } else { Path::new("/sys/fs/cgroup") };
    unified.join(machine)
}

/// Empty groups go from the inside out.
fn remove_group(group: &Path) {
    for entry in std::fs::read_dir(group).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_group(&entry.path());
        }
    }
    drop(std::fs::remove_dir(group));
}

fn launch(machine: &str, root: &Path, environment: &[&str]) -> (Child, u32, Duration) {
    let begun = Instant::now();
    let group = cgroup(machine);
    std::fs::create_dir_all(&group).expect("a control group of our own (cgroup2)");
    // The launcher joins its group first: a container of systemd must have one for itself.
    let script = "echo $$ >\"$0/cgroup.procs\" && exec setpriv --pdeathsig KILL systemd-nspawn \"$@\"";
    let nspawn = Command::new("sh")
        .args(["-c", script])
        .arg(&group)
        .args(["--quiet", "--register=no", "--keep-unit", "--private-network", "--resolv-conf=off"])
        .args(["--timezone=off", "--link-journal=no", "--console=pipe", "--capability=all"])
        .args(["--system-call-filter=bpf", "--hostname=vm"])
        .arg(format!("--machine={machine}"))
        .args(environment.iter().map(|variable| format!("--setenv={variable}")))
        .arg("-D")
        .arg(root)
        .arg("-b")
        .env("SYSTEMD_NSPAWN_UNIFIED_HIERARCHY", "1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("systemd-nspawn (systemd-container)");
    let leader = loop {
        assert!(begun.elapsed() < BOOT, "systemd-nspawn started nothing");
        let children = format!("/proc/{0}/task/{0}/children", nspawn.id());
        let children = std::fs::read_to_string(children).unwrap_or_default();
        let first = children.split_whitespace().next().and_then(|pid| pid.parse().ok());
        if let Some(leader) = first.filter(|pid| is_systemd(*pid)) {
            break leader;
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    while !is_up(leader) {
        assert!(begun.elapsed() < BOOT, "it does not come up");
        std::thread::sleep(Duration::from_millis(50));
    }
    (nspawn, leader, begun.elapsed())
}

fn is_systemd(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "systemd")
}

fn is_up(leader: u32) -> bool {
    let state = Command::new("nsenter")
        .args(["--target", &leader.to_string(), "--all", "systemctl", "is-system-running"])
        .stderr(Stdio::null())
        .output()
        .expect("nsenter (util-linux)");
    matches!(String::from_utf8_lossy(&state.stdout).trim(), "running" | "degraded")
}
