//! The life of the daemon process.

use crate::act::Deed;
use crate::args::Args;
use crate::backup::Reader;
use crate::clock::{Clock, HighWater};
use crate::error::Error;
use crate::host::Host;
use crate::{bus, store};
use nix::fcntl::OFlag;
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
use nix::unistd::User;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

/// How long the end waits for what still runs. Nothing is lost by not waiting: the next start
/// finds what a kill leaves.
const PATIENCE_AT_END: Duration = Duration::from_secs(2);

/// Runs one invocation.
///
/// # Errors
/// With the sentence to print before the process ends.
pub fn run(args: &Args) -> Result<(), Error> {
    umask(Mode::from_bits_truncate(0o077));
    protect_memory()?;
    if args.init {
        return store::init(&args.layout(), Clock::new(HighWater::default())?.now()?.wall);
    }
    if args.restore.is_some() || args.accept_older {
        return offline(args);
    }
    // A write beyond a limit on file sizes fails then like one on a full disk, and does not end us.
    // Threads started later inherit it.
    SigSet::from(Signal::SIGXFSZ)
        .thread_block()
        .map_err(|e| Error::unavailable(format!("a signal cannot be blocked: {e}")))?;
    let (host, closed) = Host::open(args.layout(), &args.config, args.also_owner())?;
    // One thread serves the bus: a decision takes microseconds, and the database has its own.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(64).build()?;
    let served = runtime.block_on(bus::serve(host, args.address()));
    // The last task gone, the store's thread folds its log into the database and closes it.
    runtime.shutdown_timeout(PATIENCE_AT_END);
    closed.wait(PATIENCE_AT_END);
    served
}

/// Puts a database in place while no daemon runs, and says so.
fn offline(args: &Args) -> Result<(), Error> {
    let layout = args.layout();
    let now = Clock::new(HighWater::default())?.now()?;
    let by = caller(if args.restore.is_some() { "RestoreOffline" } else { "AcceptOlder" }, now.wall);
    let placed = match &args.restore {
        Some(path) => {
            let keys = store::read_key_file(args.backup_key.as_deref().unwrap_or(&layout.key))?;
            let backup = Reader::open(open_handed_in(path)?)?;
            store::restore_offline(&layout, &backup, &keys, args.keep_recovery_codes, by, now)?
        }
        None => {
            let keys = store::read_key_file(&layout.key)?;
            store::accept_older(&layout, &keys, args.keep_recovery_codes, by, now)?
        }
    };
    let mut said = format!(
        "{} is in place with {} people. Start countersignd now. Codes of the last minutes count as used.",
        layout.database().display(),
        placed.people
    );
    if !args.keep_recovery_codes {
        said.push_str(
            "\nRecovery codes are void: people make new ones with `countersignctl recovery-codes --new`.",
        );
    }
    if placed.exempt > 0 {
        said.push_str("\nExemptions did not come back; see `countersignctl exempt`.");
    }
    said.push_str(
        "\nFactors that were removed after the copy was made are back: compare with `countersignctl users`.",
    );
    said.push_str(
        "\nWhat was logged since then is in the journal alone; `countersignctl log verify` says so.\n",
    );
    std::io::stdout().write_all(said.as_bytes()).map_err(Error::from)
}

/// Who runs this, for the record of acts.
fn caller(verb: &str, at: i64) -> Deed {
    let uid = nix::unistd::getuid();
    let loginuid = std::fs::read_to_string("/proc/self/loginuid").unwrap_or_default();
    Deed {
        verb: verb.to_owned(),
        acts: true,
        at,
        actor: uid.as_raw(),
        actor_name: User::from_uid(uid).ok().flatten().map(|user| user.name).unwrap_or_default(),
        loginuid: loginuid.trim().parse().ok().filter(|uid| *uid != u32::MAX),
        ..Deed::default()
    }
}

/// Opens a file that an administrator names, without waiting for a FIFO or following a link.
fn open_handed_in(path: &Path) -> Result<File, Error> {
    OpenOptions::new()
        .read(true)
        .custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC).bits())
        .open(path)
        .map_err(|e| Error::unavailable(format!("{} cannot be opened: {e}", path.display())))
}

/// No core dump and no other process of our uid reads the keys in memory.
pub(crate) fn protect_memory() -> Result<(), Error> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .map_err(|e| Error::unavailable(format!("core dumps cannot be switched off: {e}")))?;
    nix::sys::prctl::set_dumpable(false)
        .map_err(|e| Error::unavailable(format!("the process cannot be made undumpable: {e}")))
}
