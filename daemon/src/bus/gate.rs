//! The one gate: which caller may call which method. What is not in the table is refused.

use crate::error::Error;
use zbus::Connection;
use zbus::message::Header;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Who {
    /// Everybody; what they may do with it is bound to their own uid.
    Anyone,
    /// uid 0.
    Root,
}

/// Method x caller. A method that is not listed is refused for everybody.
const TABLE: &[(&str, &str, Who)] = &[
    ("Login", "Begin", Who::Anyone),
    ("Login", "Respond", Who::Anyone),
    ("Login", "Abandon", Who::Anyone),
    ("Login", "Confirm", Who::Root),
    ("Login", "Check", Who::Root),
    ("Manager", "HostStatus", Who::Root),
    ("Manager", "Status", Who::Root),
    ("Manager", "Users", Who::Root),
    ("Manager", "Log", Who::Root),
    ("Manager", "Enroll", Who::Root),
    ("Manager", "ConfirmEnrollment", Who::Root),
    ("Manager", "CancelEnrollment", Who::Root),
    ("Manager", "Reset", Who::Root),
    ("Manager", "Unlock", Who::Root),
    ("Manager", "Forget", Who::Root),
    ("Manager", "ExplainPolicy", Who::Root),
    ("Manager", "ApplyPolicy", Who::Root),
];

/// Identifies the caller by asking the bus, and authorizes the call by the table. Gives the uid.
///
/// # Errors
/// `NotAuthorized` for a method that is not in the table or not for this caller, or when the bus
/// cannot say who the caller is.
pub(super) async fn admit(bus: &Connection, header: &Header<'_>) -> Result<u32, Error> {
    let refused = || Error::NotAuthorized("you may not do this; administration is for root".into());
    let interface = header.interface().map(zbus::names::InterfaceName::as_str).unwrap_or_default();
    let member = header.member().map(zbus::names::MemberName::as_str).unwrap_or_default();
    let short = interface.strip_prefix("org.countersign1.").unwrap_or_default();
    let who = TABLE
        .iter()
        .find(|(i, m, _)| *i == short && *m == member)
        .map(|(_, _, who)| *who)
        .ok_or_else(refused)?;
    let uid = caller(bus, header).await?;
    match who {
        Who::Anyone => Ok(uid),
        Who::Root if uid == 0 => Ok(uid),
        Who::Root => Err(refused()),
    }
}

/// The uid behind the message, as the bus saw it connect. A caller that is gone has none.
async fn caller(bus: &Connection, header: &Header<'_>) -> Result<u32, Error> {
    let unknown = || Error::NotAuthorized("the bus does not say who you are".into());
    let sender = header.sender().ok_or_else(unknown)?;
    bus.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "GetConnectionUnixUser",
        &sender.as_str(),
    )
    .await
    .map_err(|_| unknown())?
    .body()
    .deserialize()
    .map_err(|_| unknown())
}
