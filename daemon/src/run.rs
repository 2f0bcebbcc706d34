//! The life of the daemon process.

use crate::args::Args;
use crate::clock::{Clock, HighWater};
use crate::error::Error;
use crate::host::Host;
use crate::{bus, store};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::signal::{SigSet, Signal};
use nix::sys::stat::{Mode, umask};
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
    if args.init {
        return store::init(&args.layout(), Clock::new(HighWater::default())?.now()?.wall);
    }
    protect_memory()?;
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

/// No core dump and no other process of our uid reads the keys in memory.
pub(crate) fn protect_memory() -> Result<(), Error> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .map_err(|e| Error::unavailable(format!("core dumps cannot be switched off: {e}")))?;
    nix::sys::prctl::set_dumpable(false)
        .map_err(|e| Error::unavailable(format!("the process cannot be made undumpable: {e}")))
}
