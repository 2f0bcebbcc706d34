//! The life of the mailer process: started by the bus for a letter, ended when none comes any more.

use super::args::Args;
use super::bus::Mailer;
use super::office::Office;
use crate::error::Error;
use crate::journal;
use crate::run::protect_memory;
use countersign_protocol::names;
use nix::sys::stat::{Mode, umask};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::signal::unix::{SignalKind, signal};
use zbus::connection::Builder;

/// How long the end waits for threads that ask the name service.
const PATIENCE_AT_END: Duration = Duration::from_secs(1);
/// Threads that ask the name service, at most: each of them may hang for long.
const RESOLVERS: usize = 16;

/// Runs one invocation.
///
/// # Errors
/// With the sentence to print before the process ends.
pub fn run(args: &Args) -> Result<(), Error> {
    umask(Mode::from_bits_truncate(0o077));
    protect_memory()?;
    let sender = match args.sender {
        Some(uid) => uid,
        None => daemon_uid()?,
    };
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().max_blocking_threads(RESOLVERS).build()?;
    let served = runtime.block_on(serve(args, sender));
    runtime.shutdown_timeout(PATIENCE_AT_END);
    served
}

fn daemon_uid() -> Result<u32, Error> {
    let name = names::DAEMON_USER;
    match nix::unistd::User::from_name(name) {
        Ok(Some(user)) if !user.uid.is_root() => Ok(user.uid.as_raw()),
        Ok(_) => Err(Error::unavailable(format!("there is no user {name}; run `systemd-sysusers`"))),
        Err(e) => Err(Error::unavailable(format!("the user {name} cannot be looked up: {e}"))),
    }
}

async fn serve(args: &Args, sender: u32) -> Result<(), Error> {
    let office = Arc::new(Office::new(args));
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let address = args.address();
    let name = names::MAILER_BUS_NAME;
    let bus = Builder::address(address)
        .serve_at(names::MAILER_PATH, Mailer { office: Arc::clone(&office), sender })
        .name(name)
        .allow_name_replacements(false)
        .replace_existing_names(false)
        .build()
        .await
        .map_err(|e| Error::unavailable(format!("the bus at {address} does not have us as {name}: {e}")))?;
    journal::notice("ready", &[("version", env!("CARGO_PKG_VERSION"))]);
    let idle = Duration::from_secs(args.idle);
    let mut busy_at = Instant::now();
    let mut look = tokio::time::interval(idle.min(Duration::from_secs(5)));
    loop {
        tokio::select! {
            () = bus.closed() => return Err(Error::unavailable("the bus went away")),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = look.tick() => {
                if !office.is_quiet() {
                    busy_at = Instant::now();
                } else if busy_at.elapsed() >= idle {
                    break;
                }
            }
        }
    }
    // Whoever calls from now on starts a new mailer; what has come to us already is still sent.
    if let Err(e) = bus.release_name(name).await {
        journal::warning("the name could not be given back, ignoring", &[("error", &e.to_string())]);
    }
    bus.graceful_shutdown().await;
    journal::notice("stopped", &[]);
    Ok(())
}
