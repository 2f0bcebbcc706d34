//! The daemon: whether it is there, who it is, and what it knows.

use std::time::Duration;

use countersign_protocol::manager::{Fact, ManagerProxy};
use countersign_protocol::names::{BUS_NAME, DAEMON_USER, SYSTEM_BUS_ADDRESS};

use super::finding::Report;
use super::system::System;
use crate::bus;
use crate::text::doctor as text;

/// A daemon that is well answers within a second, and gives the account database and its own file four.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the daemon knows; `None` when it says nothing, which is a finding.
pub(super) async fn ask(system: &System, address: &str, report: &mut Report) -> Option<Vec<Fact>> {
    let manager = match bus::connect(address).await {
        Ok(manager) => manager,
        Err(failure) => {
            report.add(&text::BUS_AWAY, "", failure.message().lines().take(2));
            return None;
        }
    };
    let asked = tokio::time::timeout(PATIENCE, manager.doctor()).await;
    if address == SYSTEM_BUS_ADDRESS {
        owner(system, &manager, report).await;
    }
    let why = match asked {
        Ok(Ok(facts)) => return Some(facts),
        Ok(Err(error)) => crate::errors::Failure::from(error).message().to_owned(),
        Err(_) => text::more_than(PATIENCE.as_secs()),
    };
    report.add(&text::DAEMON_AWAY, "", why.lines().take(2));
    None
}

/// Whether the name belongs to the account that the module believes.
async fn owner(system: &System, manager: &ManagerProxy<'_>, report: &mut Report) {
    let bus = manager.inner().connection();
    let owner: Option<u32> = async {
        let proxy = zbus::fdo::DBusProxy::new(bus).await.ok()?;
        proxy.get_connection_unix_user(BUS_NAME.try_into().ok()?).await.ok()
    }
    .await;
    let expected = system.accounts(DAEMON_USER).first().map(|(uid, _)| *uid);
    if let Some(uid) = owner.filter(|uid| Some(*uid) != expected) {
        report.add(&text::BUS_OWNER, "", [text::owner(uid, expected)]);
    }
}
