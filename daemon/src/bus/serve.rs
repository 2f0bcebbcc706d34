//! Being on the bus: own the name, say we are ready, serve until told to stop.

use super::authority::Authority;
use super::fairness::Fairness;
use super::gate::Gate;
use super::login::Login;
use super::manager::Manager;
use super::recorded::Recorded;
use crate::admin;
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::mail;
use crate::watch::Watch;
use countersign_protocol::names;
use std::sync::Arc;
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;
use zbus::connection::Builder;

/// How often the attempt log is pruned.
const HOUSEKEEPING: Duration = Duration::from_secs(3600);
/// How often logins are ended that nobody went on with.
const OVERDUE: Duration = Duration::from_secs(60);
/// How long the end waits for calls that were taken; an answer waits for a letter 1.5 s at most.
const PATIENCE_AT_END: Duration = Duration::from_secs(3);

/// Serves the bus at this address until SIGTERM or SIGINT.
///
/// # Errors
/// When the bus cannot be reached, the name is taken or not ours to have, or the bus goes away:
/// the service manager then starts us anew.
pub async fn serve(host: Host, address: &str) -> Result<(), Error> {
    let host = Arc::new(host);
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let bus = Builder::address(address)
        .serve_at(names::OBJECT_PATH, Login(Arc::clone(&host), Fairness::default()))
        .serve_at(
            names::OBJECT_PATH,
            Recorded::new(Manager(Arc::clone(&host), Gate(Authority::default())), host.clock.clone()),
        )
        .name(names::BUS_NAME)
        .allow_name_replacements(false)
        .replace_existing_names(false)
        .build()
        .await
        .map_err(|e| {
            Error::unavailable(format!("the bus at {address} does not have us as {}: {e}", names::BUS_NAME))
        })?;
    host.post.reach_by(Some(bus.clone()));
    let no_more_notices = Arc::new(Notify::new());
    let mut notices = tokio::spawn(mail::drain(Arc::clone(&host), Arc::clone(&no_more_notices)));
    journal::notice("ready", &[("version", env!("CARGO_PKG_VERSION"))]);
    if let Err(e) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
        journal::warning(
            "the service manager was not told that we are ready, ignoring",
            &[("error", &e.to_string())],
        );
    }
    let policies = Arc::clone(&host);
    drop(tokio::task::spawn_blocking(move || policies.policies.warn_of_groups()));
    let mut housekeeping = tokio::time::interval(HOUSEKEEPING);
    let mut watch = Watch::new(host.policies.file());
    // Not at the start: a host with a full disk starts without a write.
    let mut sweeping = tokio::time::interval_at(tokio::time::Instant::now() + HOUSEKEEPING, HOUSEKEEPING);
    let mut overdue = tokio::time::interval_at(tokio::time::Instant::now() + OVERDUE, OVERDUE);
    loop {
        watch.follow(host.in_force().config.reload.watch);
        tokio::select! {
            () = bus.closed() => return Err(Error::unavailable("the bus went away")),
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            _ = housekeeping.tick() => admin::prune(&host).await,
            _ = sweeping.tick() => {
                admin::sweep(&host).await;
                admin::let_age(&host).await;
            }
            _ = overdue.tick() => admin::end_overdue(&host).await,
            _ = hangup.recv() => admin::reload(&host).await,
            () = watch.changed() => admin::reload(&host).await,
            // By `policy apply`: whether to watch may be another answer now.
            () = host.policies.applied() => {}
        }
    }
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
    no_more_notices.notify_one();
    let _ = tokio::time::timeout(PATIENCE_AT_END, &mut notices).await;
    notices.abort();
    // Calls that were taken are answered; nothing new is.
    host.post.reach_by(None);
    // A letter that is on its way holds the bus too; the mailer has it, and goes on without us.
    let _ = tokio::time::timeout(PATIENCE_AT_END, bus.graceful_shutdown()).await;
    journal::notice("stopped", &[]);
    Ok(())
}
