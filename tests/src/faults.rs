//! Faults from outside: syscalls that fail or kill, and volumes that are small, full or read-only.

use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::scratch::Scratch;

/// strace attached to a running program. Dropped, it lets go and the program runs on unharmed.
///
/// `when=N` counts each call of each thread for itself, from the moment of attaching.
pub struct Strace {
    process: Child,
    dir: Scratch,
}

/// One system call seen by strace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The thread.
    pub tid: u32,
    /// Its name.
    pub name: String,
    /// The whole line as strace printed it, without the thread's number.
    pub line: String,
}

impl Strace {
    /// Attaches to all threads of `pid` with these options, such as `["--inject=fdatasync:error=EIO:when=1"]`,
    /// and returns when every thread is held by it.
    ///
    /// # Panics
    /// When strace may not attach.
    #[must_use]
    pub fn attach(pid: u32, options: &[&str]) -> Self {
        let dir = Scratch::new("strace");
        let mut process = Command::new("strace")
            .args(["-f", "-p", &pid.to_string(), "-o"])
            .arg(dir.join("trace"))
            .args(options)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("start strace");
        let mut said = BufReader::new(process.stderr.take().expect("piped")).lines();
        let mut all = String::new();
        // "strace: Process 123 attached", with the number of threads when there are several; it comes after the last.
        loop {
            let Some(Ok(line)) = said.next() else { panic!("strace did not attach: {all}") };
            if line.contains("attached") {
                break;
            }
            all.push_str(&line);
        }
        // The rest is read and thrown away, so that strace never waits for us.
        std::thread::spawn(move || said.for_each(drop));
        Self { process, dir }
    }

    /// Injects one fault, in strace's words: `inject("fdatasync:error=EIO:when=1")`.
    #[must_use]
    pub fn inject(pid: u32, fault: &str) -> Self {
        let name = fault.split(':').next().unwrap_or(fault);
        Self::attach(pid, &[&format!("--trace={name}"), &format!("--inject={fault}")])
    }

    /// Lets go and returns the calls seen, in order.
    #[must_use]
    pub fn finish(self) -> Vec<Call> {
        self.finish_raw().lines().filter_map(parse_call).collect()
    }

    /// Lets go and returns what strace wrote, for options that change how it writes.
    #[must_use]
    pub fn finish_raw(mut self) -> String {
        self.detach();
        let trace = fs::read(self.dir.join("trace")).unwrap_or_default();
        String::from_utf8_lossy(&trace).into_owned()
    }

    /// Ends strace at once, where the program may be dying of an injected signal; the trace is lost.
    pub fn end(mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }

    fn detach(&mut self) {
        let pid = Pid::from_raw(i32::try_from(self.process.id()).expect("a pid"));
        let _ = kill(pid, Signal::SIGINT);
        // Letting go of a program that dies at this moment, strace can wait forever for one of its threads.
        let until = Instant::now() + Duration::from_secs(5);
        while matches!(self.process.try_wait(), Ok(None)) && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(1));
        }
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

impl Drop for Strace {
    fn drop(&mut self) {
        if matches!(self.process.try_wait(), Ok(None)) {
            self.detach();
        }
    }
}

/// `123  openat(AT_FDCWD, ...) = 3`; resumed halves, signals and exits are no calls.
fn parse_call(line: &str) -> Option<Call> {
    let (tid, rest) = line.split_once(char::is_whitespace)?;
    let rest = rest.trim_start();
    let (name, _) = rest.split_once('(')?;
    let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && !name.is_empty();
    is_name.then(|| Call { tid: tid.parse().unwrap_or(0), name: name.to_owned(), line: rest.to_owned() })
}

/// A small file system for a daemon's state, mounted in the calling [`crate::World`]. Dropped, it is unmounted.
pub struct Volume {
    dir: Scratch,
    mounted: PathBuf,
}

impl Volume {
    /// A tmpfs of so many KiB (and, if not 0, so many inodes).
    ///
    /// # Panics
    /// Outside a root world.
    #[must_use]
    pub fn tmpfs(kib: u64, inodes: u64) -> Self {
        let volume = Self::place();
        let mut options = format!("size={kib}k,mode=755");
        if inodes > 0 {
            options += &format!(",nr_inodes={inodes}");
        }
        mount(Some("tmpfs"), &volume.mounted, Some("tmpfs"), MsFlags::empty(), Some(options.as_str()))
            .expect("mount a tmpfs (a root World)");
        volume
    }

    /// An ext4 of so many MiB on a loop device: fsync means something there.
    ///
    /// # Panics
    /// Outside a root world, or without mkfs.ext4 or loop devices.
    #[must_use]
    pub fn ext4(mib: u64) -> Self {
        let volume = Self::place();
        let image = volume.dir.join("image");
        fs::File::create(&image).and_then(|f| f.set_len(mib << 20)).expect("an image file");
        let made = Command::new("mkfs.ext4").args(["-q", "-m", "0", "-F"]).arg(&image).status();
        assert!(made.is_ok_and(|s| s.success()), "mkfs.ext4 (e2fsprogs)");
        volume.mount_image();
        volume
    }

    fn place() -> Self {
        let dir = Scratch::new("volume");
        let mounted = dir.join("mnt");
        fs::create_dir(&mounted).expect("our own directory");
        Self { dir, mounted }
    }

    /// Where it is mounted; take [`state`](Self::state) for a daemon.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.mounted
    }

    /// A directory in it for [`crate::DaemonSetup::state`].
    #[must_use]
    pub fn state(&self) -> PathBuf {
        self.mounted.join("state")
    }

    /// Fills it to the last byte with a file that [`free`](Self::free) removes. Returns how many bytes went in.
    pub fn fill(&self) -> u64 {
        let mut file =
            fs::OpenOptions::new().create(true).append(true).open(self.ballast()).expect("the ballast");
        let mut written = 0;
        for size in [1 << 16, 4096, 512, 1] {
            let block = vec![b'.'; size];
            while let Ok(n) = file.write(&block) {
                written += n as u64;
            }
        }
        // A full disk may refuse this too; that is the point.
        drop(file.sync_all());
        written
    }

    /// Makes room again.
    pub fn free(&self) {
        fs::remove_file(self.ballast()).expect("remove the ballast");
    }

    /// Remounts it read-only, also under open files' feet where the kernel lets (`MS_REMOUNT`); false where busy.
    #[must_use]
    pub fn set_read_only(&self, read_only: bool) -> bool {
        let flags = MsFlags::MS_REMOUNT | if read_only { MsFlags::MS_RDONLY } else { MsFlags::empty() };
        mount(None::<&str>, &self.mounted, None::<&str>, flags, None::<&str>).is_ok()
    }

    /// Makes an ext4 report an error of its own, as over a failing disk: it goes read-only under open files' feet.
    /// `false` where the machine's /sys does not offer that.
    #[must_use]
    pub fn break_down(&self) -> bool {
        let remounted =
            Command::new("mount").args(["-o", "remount,errors=remount-ro"]).arg(&self.mounted).status();
        let found = Command::new("findmnt").args(["-n", "-o", "SOURCE"]).arg(&self.mounted).output();
        let (Ok(true), Ok(found)) = (remounted.map(|s| s.success()), found) else { return false };
        let device = String::from_utf8_lossy(&found.stdout);
        let name = device.trim().trim_start_matches("/dev/");
        fs::write(format!("/sys/fs/ext4/{name}/trigger_fs_error"), "1").is_ok()
    }

    /// Unmounts an ext4 that nobody uses and mounts it again, as after a repair.
    ///
    /// # Panics
    /// When it is in use.
    pub fn mount_again(&self) {
        umount2(&self.mounted, MntFlags::empty()).expect("nobody uses the volume");
        self.mount_image();
    }

    fn mount_image(&self) {
        let image = self.dir.join("image");
        let mounted = Command::new("mount").args(["-o", "loop"]).arg(image).arg(&self.mounted).status();
        assert!(mounted.is_ok_and(|s| s.success()), "mount -o loop");
    }

    fn ballast(&self) -> PathBuf {
        self.mounted.join("ballast")
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        // Lazily: a daemon that a failing test left behind may still hold files.
        let _ = umount2(&self.mounted, MntFlags::MNT_DETACH);
    }
}
