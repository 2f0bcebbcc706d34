//! Noticing that the policy files changed, where `[reload] watch = true` asks for it.
//!
//! Not the files are watched but their folders: editors replace a file, and `conf.d` may come later.
//! A change counts when everything has been quiet for a while and nobody who wrote is still at it,
//! so that half a file is not mistaken for a policy. What then happens is what SIGHUP does.

use crate::journal;
use nix::errno::Errno;
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, InotifyEvent, WatchDescriptor};
use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::os::fd::{AsFd, AsRawFd, RawFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep, sleep_until};

/// How long nothing may happen before a change counts.
const QUIET: Duration = Duration::from_secs(1);
/// How long a file that was written to and not closed is waited for, counted from the last write.
const WRITER: Duration = Duration::from_secs(60);
/// After which time a folder that cannot be watched is tried again.
const AGAIN: Duration = Duration::from_secs(10);
/// The folder of the drop-ins.
const DROP_INS: &str = "conf.d";

/// The configuration file and its drop-ins, watched or not.
#[derive(Debug)]
pub struct Watch {
    file: PathBuf,
    state: State,
}

#[derive(Debug)]
enum State {
    Off,
    Armed(Armed),
    /// The folder could not be watched; tried again then.
    Failed(Instant),
}

#[derive(Debug)]
struct Armed {
    events: AsyncFd<Events>,
    folder: WatchDescriptor,
    /// The last event that mattered, if any.
    touched: Option<Instant>,
    /// Files that were written to and not closed since, by folder and name.
    writing: HashSet<(i32, OsString)>,
}

#[derive(Debug)]
struct Events(Inotify);

impl AsRawFd for Events {
    fn as_raw_fd(&self) -> RawFd {
        self.0.as_fd().as_raw_fd()
    }
}

impl Watch {
    /// Of this configuration file; switched off.
    #[must_use]
    pub fn new(file: &Path) -> Self {
        Self { file: file.to_owned(), state: State::Off }
    }

    /// Switches it on or off. What changed before it was on counts as changed now: the files may
    /// have been read just before.
    pub fn follow(&mut self, on: bool) {
        match (&self.state, on) {
            (State::Off, true) => {
                journal::notice("the policy files are watched", &[("file", &self.file.to_string_lossy())]);
                self.arm();
                if let State::Armed(armed) = &mut self.state {
                    armed.touched = Some(Instant::now());
                }
            }
            (State::Armed(_) | State::Failed(_), false) => {
                journal::notice("the policy files are no longer watched", &[]);
                self.state = State::Off;
            }
            (State::Off, false) | (State::Armed(_) | State::Failed(_), true) => {}
        }
    }

    /// Waits until the files were changed and left alone again. Never comes back while it is off.
    /// May be dropped at any time: what was seen is not forgotten.
    pub async fn changed(&mut self) {
        loop {
            match &mut self.state {
                State::Off => std::future::pending().await,
                State::Failed(again) => {
                    sleep_until(*again).await;
                    self.arm();
                    if matches!(self.state, State::Armed(_)) {
                        return;
                    }
                }
                State::Armed(armed) => {
                    if armed.settled(&self.file).await.is_ok() {
                        // Another folder may be there by now. Armed before the files are read, so
                        // that no change falls between.
                        self.arm();
                        return;
                    }
                    sleep(QUIET).await;
                    self.arm();
                }
            }
        }
    }

    fn arm(&mut self) {
        self.state = match Armed::new(&self.file) {
            Ok(armed) => State::Armed(armed),
            Err(error) => {
                if !matches!(self.state, State::Failed(_)) {
                    journal::warning(
                        "the folder of the policy file cannot be watched, trying again",
                        &[("file", &self.file.to_string_lossy()), ("error", &error.to_string())],
                    );
                }
                State::Failed(Instant::now() + AGAIN)
            }
        };
    }
}

impl Armed {
    fn new(file: &Path) -> std::io::Result<Self> {
        let inotify = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC)?;
        let mask = AddWatchFlags::IN_MODIFY
            | AddWatchFlags::IN_CLOSE_WRITE
            | AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_MOVE
            // A mode or an owner can be what is wrong with a file.
            | AddWatchFlags::IN_ATTRIB
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = inotify.add_watch(parent, mask)?;
        match inotify.add_watch(&parent.join(DROP_INS), mask | AddWatchFlags::IN_DONT_FOLLOW) {
            // Not there, or nothing that is read.
            Ok(_) | Err(Errno::ENOENT | Errno::ENOTDIR | Errno::ELOOP | Errno::EACCES) => {}
            Err(error) => return Err(error.into()),
        }
        #[expect(
            deprecated,
            reason = "what replaces it is `unsafe`, for types that give their descriptor away; this one does not"
        )]
        let events = AsyncFd::with_interest(Events(inotify), Interest::READABLE)?;
        Ok(Self { events, folder, touched: None, writing: HashSet::new() })
    }

    /// Waits for a change and then for quiet.
    async fn settled(&mut self, file: &Path) -> std::io::Result<()> {
        let name = file.file_name().unwrap_or_default();
        loop {
            let due = self.touched.map(|at| at + if self.writing.is_empty() { QUIET } else { WRITER });
            let quiet = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                () = quiet => return Ok(()),
                events = read(&self.events) => {
                    for event in events? {
                        self.note(&event, name);
                    }
                }
            }
        }
    }

    fn note(&mut self, event: &InotifyEvent, file: &OsStr) {
        let key = || (event.wd.as_raw(), event.name.clone().unwrap_or_default());
        if !self.matters(event, file) {
            return;
        }
        self.touched = Some(Instant::now());
        if event.mask.contains(AddWatchFlags::IN_MODIFY) {
            self.writing.insert(key());
        } else if event.mask.intersects(
            AddWatchFlags::IN_CLOSE_WRITE | AddWatchFlags::IN_DELETE | AddWatchFlags::IN_MOVED_FROM,
        ) {
            self.writing.remove(&key());
        }
    }

    /// Whether an event is about a file that is read: editors leave others beside it.
    fn matters(&self, event: &InotifyEvent, file: &OsStr) -> bool {
        let Some(name) = &event.name else {
            // About a folder as a whole, or about events that were lost.
            return !event.mask.contains(AddWatchFlags::IN_IGNORED);
        };
        if event.wd.as_raw() == self.folder.as_raw() {
            return name == file || name == DROP_INS;
        }
        let bytes = name.as_bytes();
        bytes.ends_with(b".toml") && !bytes.starts_with(b".")
    }
}

async fn read(events: &AsyncFd<Events>) -> std::io::Result<Vec<InotifyEvent>> {
    events.async_io(Interest::READABLE, |events| events.0.read_events().map_err(Into::into)).await
}
