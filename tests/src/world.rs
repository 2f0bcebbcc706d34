//! A private view of the machine for one test: its own `/etc`, `/run`, `/dev` and network.
//!
//! As root the calling thread moves into new mount, network and IPC namespaces. Linux keeps these
//! per thread: every thread and process the test starts afterwards is inside, the rest of the test
//! program is not, and all of it vanishes with the last process. Without root nothing is mounted:
//! [`World::apply`] then lends the people to a child process through nss_wrapper.

use crate::people;
use crate::scratch::Scratch;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Where the staged artefacts are mounted inside a world.
pub(crate) const STAGE_MOUNT: &str = "/run/countersign-stage";

/// The private view. Keep it for as long as the test runs.
pub struct World {
    kind: Kind,
    syslog: Arc<Mutex<Vec<String>>>,
}

enum Kind {
    Namespaces,
    Wrapped(Scratch),
}

impl World {
    /// Enters it: call it first in a test, before any thread is started.
    ///
    /// # Panics
    /// When root may not make namespaces or mounts here.
    #[must_use]
    pub fn enter() -> Self {
        let syslog = Arc::new(Mutex::new(Vec::new()));
        if !nix::unistd::geteuid().is_root() {
            return Self { kind: Kind::Wrapped(wrapped_files()), syslog };
        }
        unshare(CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWNET | CloneFlags::CLONE_NEWIPC)
            .expect("new namespaces (root with CAP_SYS_ADMIN)");
        mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)
            .expect("make mounts private");
        let stage = crate::artifacts::stage();
        tmpfs("/run", "mode=755");
        if stage.is_dir() {
            fs::create_dir(STAGE_MOUNT).expect("a mount point in our own /run");
            bind(&stage, Path::new(STAGE_MOUNT));
        }
        private_etc();
        private_dev();
        if Path::new("/var/log").is_dir() {
            tmpfs("/var/log", "mode=755");
        }
        homes();
        listen_syslog(&syslog);
        let up = Command::new("ip").args(["link", "set", "lo", "up"]).status().expect("run ip (iproute2)");
        assert!(up.success(), "bring the loopback up");
        Self { kind: Kind::Namespaces, syslog }
    }

    /// Whether this is the full view that only root can have.
    #[must_use]
    pub fn is_private(&self) -> bool {
        matches!(self.kind, Kind::Namespaces)
    }

    /// The uid that a daemon should run as here: the account `countersign`, or the caller without root.
    #[must_use]
    pub fn daemon_uid(&self) -> u32 {
        if self.is_private() { people::DAEMON_UID } else { nix::unistd::geteuid().as_raw() }
    }

    /// Lets a child process see the people: nothing to do in namespaces, nss_wrapper otherwise.
    pub fn apply(&self, command: &mut Command) {
        if let Kind::Wrapped(files) = &self.kind {
            command
                .env("LD_PRELOAD", crate::artifacts::nss_wrapper())
                .env("NSS_WRAPPER_PASSWD", files.join("passwd"))
                .env("NSS_WRAPPER_GROUP", files.join("group"));
        }
    }

    /// Everything sent to `/dev/log` so far, one entry a message (`<86>Nov 22 ... name[pid]: text`).
    #[must_use]
    pub fn syslog(&self) -> Vec<String> {
        self.syslog.lock().expect("the reader does not panic").clone()
    }

    /// Waits up to two seconds for a syslog message that contains `words`.
    ///
    /// # Panics
    /// When none comes.
    #[must_use]
    pub fn wait_syslog(&self, words: &str) -> String {
        let until = std::time::Instant::now() + std::time::Duration::from_secs(2);
        loop {
            if let Some(line) = self.syslog().into_iter().find(|line| line.contains(words)) {
                return line;
            }
            assert!(std::time::Instant::now() < until, "no {words:?} in syslog: {:#?}", self.syslog());
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}

fn tmpfs(target: &str, options: &str) {
    mount(Some("tmpfs"), target, Some("tmpfs"), MsFlags::empty(), Some(options))
        .unwrap_or_else(|e| panic!("tmpfs on {target}: {e}"));
}

fn bind(source: &Path, target: &Path) {
    mount(Some(source), target, None::<&str>, MsFlags::MS_BIND, None::<&str>)
        .unwrap_or_else(|e| panic!("bind {} on {}: {e}", source.display(), target.display()));
}

/// An overlay whose changes live in memory, so that a test may edit anything in `/etc`.
fn private_etc() {
    let upper = PathBuf::from("/run/.etc/upper");
    let work = PathBuf::from("/run/.etc/work");
    fs::create_dir_all(&upper).expect("our own /run");
    fs::create_dir_all(&work).expect("our own /run");
    let options = format!("lowerdir=/etc,upperdir={},workdir={}", upper.display(), work.display());
    mount(Some("overlay"), "/etc", Some("overlay"), MsFlags::empty(), Some(options.as_str()))
        .expect("an overlay on /etc");
    add_people("/etc/passwd", people::passwd, 0o644);
    add_people("/etc/group", people::group, 0o644);
    add_people("/etc/shadow", people::shadow, 0o640);
}

fn add_people(file: &str, with_people: fn(&str) -> String, mode: u32) {
    let base = fs::read_to_string(file).unwrap_or_default();
    fs::write(file, with_people(&base)).unwrap_or_else(|e| panic!("write {file}: {e}"));
    fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("chmod in our own /etc");
}

/// A `/dev` with our own terminals and our own `/dev/log`; the devices are links to the real ones.
fn private_dev() {
    let old = Path::new("/run/.dev");
    fs::create_dir(old).expect("our own /run");
    mount(Some("/dev"), old, None::<&str>, MsFlags::MS_BIND | MsFlags::MS_REC, None::<&str>)
        .expect("bind /dev");
    tmpfs("/dev", "mode=755");
    for name in ["null", "zero", "full", "random", "urandom", "tty", "fuse", "net", "loop-control"] {
        if old.join(name).exists() {
            symlink(old.join(name), Path::new("/dev").join(name)).expect("a link in our own /dev");
        }
    }
    for entry in fs::read_dir(old).expect("the old /dev").flatten() {
        let name = entry.file_name();
        if name.to_string_lossy().starts_with("loop") && !Path::new("/dev").join(&name).exists() {
            symlink(entry.path(), Path::new("/dev").join(&name)).expect("a link in our own /dev");
        }
    }
    for (name, target) in [
        ("fd", "/proc/self/fd"),
        ("stdin", "/proc/self/fd/0"),
        ("stdout", "/proc/self/fd/1"),
        ("stderr", "/proc/self/fd/2"),
        ("ptmx", "pts/ptmx"),
    ] {
        symlink(target, Path::new("/dev").join(name)).expect("a link in our own /dev");
    }
    for dir in ["/dev/pts", "/dev/shm"] {
        fs::create_dir(dir).expect("our own /dev");
    }
    let options = "newinstance,ptmxmode=0666,mode=0620,gid=5";
    mount(Some("devpts"), "/dev/pts", Some("devpts"), MsFlags::empty(), Some(options))
        .expect("our own devpts");
    tmpfs("/dev/shm", "mode=1777");
}

fn homes() {
    fs::create_dir(people::HOMES).expect("our own /run");
    for p in people::PEOPLE {
        let home = Path::new(people::HOMES).join(p.name);
        fs::create_dir(&home).expect("a home");
        chown(&home, Some(p.uid), Some(p.uid)).expect("give the home away");
    }
}

fn listen_syslog(lines: &Arc<Mutex<Vec<String>>>) {
    let socket = UnixDatagram::bind("/dev/log").expect("our own /dev/log");
    fs::set_permissions("/dev/log", fs::Permissions::from_mode(0o666)).expect("our own /dev/log");
    let lines = Arc::clone(lines);
    std::thread::spawn(move || {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(length) = socket.recv(&mut buffer) {
            let line = String::from_utf8_lossy(&buffer[..length]).trim_end_matches('\0').to_owned();
            lines.lock().expect("nobody panics with it").push(line);
        }
    });
}

fn wrapped_files() -> Scratch {
    let files = Scratch::new("people");
    let read = |file: &str| fs::read_to_string(file).unwrap_or_default();
    fs::write(files.join("passwd"), people::passwd(&read("/etc/passwd"))).expect("a private passwd");
    fs::write(files.join("group"), people::group(&read("/etc/group"))).expect("a private group");
    files
}
