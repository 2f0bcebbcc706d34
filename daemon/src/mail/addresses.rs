//! The addresses of a person that count, in the order that the configuration gives: what was set and
//! confirmed, what a user record says, what a policy makes of the name. Never what the person could have
//! written by themselves.
//!
//! Codes go to the first, notices to all. A source that gives no answer is not passed over: what it would
//! have said comes before what the next one says, and a factor that somebody may have is one they have.

use crate::decide::policy;
use crate::error::Error;
use crate::host::Host;
use crate::in_force::InForce;
use crate::journal;
use crate::people::record::Said;
use countersign_config::{AddressPattern, AddressSource};

/// An address that counts, and where it is from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// The address.
    pub address: String,
    /// Where it is from.
    pub source: AddressSource,
}

/// What is known of somebody's addresses.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    /// In order, each once.
    pub known: Vec<Address>,
    /// Whether a source gave no answer.
    pub unsure: bool,
    /// How many of `known` come before the first source that gave none.
    sure: usize,
}

impl Addresses {
    /// Where codes go: nowhere while it is not known what comes first.
    #[must_use]
    pub fn first(&self) -> Option<&Address> {
        self.known.get(..self.sure).and_then(<[Address]>::first)
    }

    /// Whether somebody has an address, or may have.
    #[must_use]
    pub fn any(&self) -> bool {
        self.unsure || !self.known.is_empty()
    }

    fn add(&mut self, address: String, source: AddressSource) {
        if !self.known.iter().any(|one| one.address.eq_ignore_ascii_case(&address)) {
            self.known.push(Address { address, source });
            self.sure += usize::from(!self.unsure);
        }
    }
}

/// Every address of a person that is known now, in order: where notices go.
pub async fn of(host: &Host, force: &InForce, uid: u32, name: &str) -> Vec<String> {
    all(host, force, uid, name).await.known.into_iter().map(|one| one.address).collect()
}

/// The same, with where they are from and whether that is all.
pub async fn all(host: &Host, force: &InForce, uid: u32, name: &str) -> Addresses {
    let person = force.directory.person(name).await;
    let pattern = policy::address_pattern(&force.config, &person);
    collect(host, force, pattern, uid, name, false).await.unwrap_or_else(|e| {
        journal::error("no address can be looked up", &[("user", name), ("error", e.text())]);
        Addresses { unsure: true, ..Addresses::default() }
    })
}

/// The addresses of a person as far as codes need them, under a policy with this pattern: no source is
/// asked once there is one.
///
/// # Errors
/// When the store cannot be read.
pub async fn for_codes(
    host: &Host,
    force: &InForce,
    pattern: Option<&AddressPattern>,
    uid: u32,
    name: &str,
) -> Result<Addresses, Error> {
    collect(host, force, pattern, uid, name, true).await
}

async fn collect(
    host: &Host,
    force: &InForce,
    pattern: Option<&AddressPattern>,
    uid: u32,
    name: &str,
    first_only: bool,
) -> Result<Addresses, Error> {
    let mut found = Addresses::default();
    for source in &force.config.email.addresses {
        let address = match source {
            AddressSource::Set => {
                host.store.set_address_of(uid, name.to_owned()).await?.map(|set| set.address)
            }
            AddressSource::Record => match host.records.address(uid, name).await {
                Said::Address(address) => Some(address),
                Said::None => None,
                Said::Unknown => {
                    found.unsure = true;
                    // Whatever comes after it, codes go nowhere now.
                    if first_only {
                        break;
                    }
                    None
                }
            },
            AddressSource::Pattern => pattern.and_then(|pattern| pattern.address(name)),
        };
        if let Some(address) = address {
            found.add(address, *source);
            if first_only {
                break;
            }
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_nowhere_while_it_is_not_known_what_comes_first() {
        let mut found = Addresses::default();
        assert!(!found.any() && found.first().is_none());
        found.unsure = true;
        assert!(found.any());
        found.add("alice@example.org".into(), AddressSource::Pattern);
        assert!(found.first().is_none() && found.known.len() == 1);

        let mut found = Addresses::default();
        found.add("a@example.org".into(), AddressSource::Set);
        found.unsure = true;
        found.add("A@Example.org".into(), AddressSource::Pattern);
        found.add("alice@example.org".into(), AddressSource::Pattern);
        assert_eq!(found.known.len(), 2, "each once");
        assert_eq!(found.first().map(|one| one.source), Some(AddressSource::Set));
    }
}
