//! The life of the daemon process.

use crate::args::Args;
use crate::clock::Clock;
use crate::error::Error;
use crate::host::Host;
use crate::{bus, store};
use nix::sys::resource::{Resource, setrlimit};
use nix::sys::stat::{Mode, umask};

/// Runs one invocation.
///
/// # Errors
/// With the sentence to print before the process ends.
pub fn run(args: &Args) -> Result<(), Error> {
    umask(Mode::from_bits_truncate(0o077));
    if args.init {
        return store::init(&args.layout(), Clock::new()?.now()?.wall);
    }
    protect_memory()?;
    let config = countersign_config::load(&args.config, args.also_owner())
        .map_err(|problems| Error::InvalidArgument(problems.to_string()))?;
    let host = Host::open(args.layout(), config)?;
    // One thread serves the bus: a decision takes microseconds, and the database has its own.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(64).build()?;
    runtime.block_on(bus::serve(host, args.address()))
}

/// No core dump and no other process of our uid reads the keys in memory.
fn protect_memory() -> Result<(), Error> {
    setrlimit(Resource::RLIMIT_CORE, 0, 0)
        .map_err(|e| Error::unavailable(format!("core dumps cannot be switched off: {e}")))?;
    nix::sys::prctl::set_dumpable(false)
        .map_err(|e| Error::unavailable(format!("the process cannot be made undumpable: {e}")))
}
