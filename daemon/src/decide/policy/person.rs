//! What policies look at: who it is, and from where.

use super::Tri;
use countersign_config::GroupRef;
use std::collections::BTreeMap;
use std::net::IpAddr;

/// What the account database says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resolution {
    /// The name resolves to this uid.
    Found(u32),
    /// "Not found", which proves nothing: a missing backend says the same.
    NotFound,
    /// The lookup failed or took too long.
    Failed,
}

/// The facts about a person that policies look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The login name. A name is what somebody typed, so it is known even where nothing else is.
    pub name: String,
    /// Whether and as whom the name resolves.
    pub resolution: Resolution,
    /// Membership of each group that any policy names. A missing key reads as [`Tri::Maybe`].
    pub groups: BTreeMap<String, Tri>,
}

impl Person {
    /// Someone of whom nothing is known but the name.
    #[must_use]
    pub fn unresolved(name: &str, resolution: Resolution) -> Self {
        Self { name: name.to_owned(), resolution, groups: BTreeMap::new() }
    }

    fn member(&self, group: &str) -> Tri {
        self.groups.get(group).copied().unwrap_or(Tri::Maybe)
    }

    pub(super) fn member_of_any(&self, groups: &[GroupRef]) -> Tri {
        groups.iter().fold(Tri::No, |any, group| any.or(self.member(&group.name)))
    }
}

/// Where a login comes from, as policies see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// This machine: no remote host was named.
    Local,
    /// A remote address, IPv4-mapped ones as IPv4.
    Address(IpAddr),
    /// Something remote that is no address: it may be anywhere.
    Unknown,
}
