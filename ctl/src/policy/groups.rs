//! Whether this host has the groups that a policy file names.

use std::cell::RefCell;

use countersign_config::{Config, group_names};
use nix::unistd::Group;

use crate::text;

/// The names a misspelt group is compared with. What comes from a directory is not listed there,
/// and asking a directory for everything could take minutes.
const GROUP_FILE: &str = "/etc/group";

/// One line for each place that names a group which this host does not have, unless it is marked
/// with `?`; and one for each group that cannot be looked up.
pub(super) fn problems(config: &Config) -> Vec<String> {
    let known = std::fs::read(GROUP_FILE).unwrap_or_default();
    let known = group_names(&String::from_utf8_lossy(&known));
    let unanswered = RefCell::new(Vec::new());
    let missing = |group: &str| match Group::from_name(group) {
        Ok(found) => found.is_none(),
        Err(error) => {
            unanswered.borrow_mut().push(text::group_unanswered(group, error.desc()));
            false
        }
    };
    let missing = config.missing_groups(&known, missing);
    let mut problems: Vec<String> = missing.iter().map(ToString::to_string).collect();
    problems.extend(unanswered.into_inner());
    problems
}
