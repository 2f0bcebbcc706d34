//! `policy`: what the policy file says, whether it is sound, and putting it into force.

pub(crate) mod apply;
pub(crate) mod check;
mod end;
pub(crate) mod explain;
mod groups;
pub(crate) mod impact;

/// Where the daemon looks.
pub(crate) const POLICY_FILE: &str = "/etc/countersign/countersign.toml";

/// As much of a hash as people compare.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}
