//! The way to the daemon.

use std::time::Duration;

use countersign_protocol::manager::ManagerProxy;
use countersign_protocol::names::SYSTEM_BUS_ADDRESS;
use zbus::connection::Builder;
use zbus::proxy::CacheProperties;

use crate::errors::{Exit, Failure};
use crate::terminal::safe;
use crate::text;

/// A bus answers within milliseconds; one that is silent this long will not answer.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest a call of root's may take. Hashing ten recovery codes is the slowest thing asked for.
const CALL: Duration = Duration::from_secs(30);
/// The same for others, of whom polkit may want a password first: the daemon waits two minutes for it.
const CALL_WITH_PASSWORD: Duration = Duration::from_secs(150);

/// The same for what reads or writes all that is kept, on a slow disk.
const CALL_ABOUT_ALL: Duration = Duration::from_secs(3600);

/// Connects to the bus at `address`. No environment variable has a say.
pub(crate) async fn connect(address: &str) -> Result<ManagerProxy<'static>, Failure> {
    connect_for(address, if rustix::process::geteuid().is_root() { CALL } else { CALL_WITH_PASSWORD }).await
}

/// The same for calls that may take long.
pub(crate) async fn connect_patiently(address: &str) -> Result<ManagerProxy<'static>, Failure> {
    connect_for(address, CALL_ABOUT_ALL).await
}

async fn connect_for(address: &str, patience: Duration) -> Result<ManagerProxy<'static>, Failure> {
    let building = Builder::address(address).method_timeout(patience).build();
    let connection = match tokio::time::timeout(CONNECT, building).await {
        Err(_) => return Err(no_bus(address, &text::silent_bus(&safe(address)))),
        Ok(Err(zbus::Error::Address(reason))) => {
            return Err(Failure::usage(text::bad_address(&safe(address), &safe(&reason))));
        }
        Ok(Err(error)) => return Err(no_bus(address, &safe(&error.to_string()))),
        Ok(Ok(connection)) => connection,
    };
    // There are no properties to cache, and asking for them would be a call for nothing.
    let proxy = ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
    Ok(proxy)
}

fn no_bus(address: &str, reason: &str) -> Failure {
    let system = address == SYSTEM_BUS_ADDRESS;
    Failure::new(Exit::Unavailable, text::no_bus(reason, system))
}
