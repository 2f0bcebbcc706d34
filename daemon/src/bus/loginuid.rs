//! Who somebody was before any `su` or `sudo`, as the kernel's audit knows it.

use zbus::Connection;
use zbus::message::Header;

/// What the kernel says of a process that no login began.
const UNSET: u32 = u32::MAX;

/// The login uid of the caller, where it can be had: our sandbox hides other people's processes on
/// most hosts, and the process may be another one by now. For the journal; nothing is decided by it.
pub(super) async fn of(bus: &Connection, header: &Header<'_>) -> Option<u32> {
    let sender = header.sender()?;
    let pid: u32 = bus
        .call_method(
            Some("org.freedesktop.DBus"),
            "/org/freedesktop/DBus",
            Some("org.freedesktop.DBus"),
            "GetConnectionUnixProcessID",
            &sender.as_str(),
        )
        .await
        .ok()?
        .body()
        .deserialize()
        .ok()?;
    let text = std::fs::read_to_string(format!("/proc/{pid}/loginuid")).ok()?;
    text.trim().parse().ok().filter(|uid| *uid != UNSET)
}
