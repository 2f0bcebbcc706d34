//! Who owns the daemon's name, and whether it is the right uid.

use countersign_protocol::names::BUS_NAME;

use super::{
    Failure, Guid, Owner,
    link::Link,
    message::{self, DRIVER, Target},
};

/// The bus itself.
pub(super) const BUS: Target<'static> =
    Target { destination: DRIVER, path: "/org/freedesktop/DBus", interface: DRIVER };

/// Error names of the bus that mean: nobody owns that name, and nothing was delivered.
const NO_OWNER: [&str; 2] =
    ["org.freedesktop.DBus.Error.ServiceUnknown", "org.freedesktop.DBus.Error.NameHasNoOwner"];

/// Whether the sender is the bus itself, a name that no client can have.
pub(super) fn is_bus(sender: &str) -> bool {
    sender == DRIVER
}

/// Turns the bus's "nobody owns it" into [`Failure::Absent`]; the same from anyone else is theirs.
pub(super) fn absent(failure: Failure) -> Failure {
    match failure {
        Failure::Error { name, from_bus: true } if NO_OWNER.contains(&name.as_str()) => Failure::Absent,
        other => other,
    }
}

/// Asks which connection owns the daemon's name, and then, by that connection's own name, which
/// is never used twice, for its uid. No change of owner can come between the two.
pub(super) fn find(link: &mut Link, bus: &Guid, expected_uid: u32) -> Result<Owner, Failure> {
    let serial = link.queue(BUS, "GetNameOwner", &BUS_NAME)?;
    link.flush()?;
    let reply = link.answer_to(serial, is_bus).map_err(absent)?;
    let owner = Owner { unique: message::body(&reply)?, bus: bus.clone() };
    confirm(link, &owner, expected_uid)?;
    Ok(owner)
}

/// Asks for the uid behind a unique name.
pub(super) fn confirm(link: &mut Link, owner: &Owner, expected_uid: u32) -> Result<(), Failure> {
    let serial = link.queue(BUS, "GetConnectionUnixUser", &owner.unique)?;
    link.flush()?;
    let reply = link.answer_to(serial, is_bus).map_err(absent)?;
    check_uid(message::body(&reply)?, expected_uid)
}

/// The one comparison of the owner's uid.
pub(super) fn check_uid(uid: u32, expected: u32) -> Result<(), Failure> {
    if uid == expected { Ok(()) } else { Err(Failure::Impostor { uid }) }
}
