//! Mail addresses of people.

use super::Target;
use crate::clock::Moment;
use crate::decide::email::mask;
use crate::error::Error;
use crate::host::Host;
use crate::mail::addresses;
use countersign_config::AddressSource;
use countersign_protocol::manager::Address;

/// The addresses of a person: those that count, in order, and the one that waits for its code. Masked
/// unless `whole`.
///
/// # Errors
/// When the store cannot be read.
pub async fn list(host: &Host, whom: &Target, whole: bool, now: Moment) -> Result<Vec<Address>, Error> {
    let shown = |address: &str| if whole { address.to_owned() } else { mask(address) };
    let force = host.in_force();
    let (set, waits) = host.store.addresses_of(whom.uid, whom.name.clone(), now).await?;
    let known = addresses::all(host, &force, whom.uid, &whom.name).await.known;
    let mut list: Vec<Address> = known
        .iter()
        .map(|one| {
            let set = set.as_ref().filter(|_| one.source == AddressSource::Set);
            Address {
                address: shown(&one.address),
                source: word(one.source).into(),
                confirmed: set.map_or(0, |set| set.at),
                by: set.map_or_else(String::new, |set| set.by.clone()),
            }
        })
        .collect();
    list.extend(waits.map(|waits| Address {
        address: shown(&waits.address),
        source: "waits".into(),
        confirmed: 0,
        by: waits.by,
    }));
    Ok(list)
}

fn word(source: AddressSource) -> &'static str {
    match source {
        AddressSource::Set => "set",
        AddressSource::Record => "record",
        AddressSource::Pattern => "pattern",
    }
}
