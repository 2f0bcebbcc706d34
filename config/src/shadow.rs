//! Which policies can never decide, because earlier ones match all that they match.
//!
//! Judged by the text alone, whoever is in the groups: only what is certain is reported.

use std::collections::HashSet;

use crate::Policy;

/// How the earlier policies cover a later one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    /// Something is left for it.
    None,
    /// One earlier policy, by its index, leaves nothing.
    By(usize),
    /// No single one, but all of them together leave nothing.
    Together,
}

/// Whether `earlier`, in their order, leave anything for `policy` to match.
pub(crate) fn cover(earlier: &[&Policy], policy: &Policy) -> Cover {
    if let Some(index) = earlier.iter().position(|one| covers(&[one], policy)) {
        return Cover::By(index);
    }
    if covers(earlier, policy) { Cover::Together } else { Cover::None }
}

/// Whether every pair of group and service that `policy` matches is matched by one of `earlier`.
/// A missing list stands for a name that no list can contain.
fn covers(earlier: &[&Policy], policy: &Policy) -> bool {
    group_names(policy).into_iter().all(|group| {
        let applying = earlier.iter().filter(|one| names_group(one, group));
        let mut all_services = false;
        let mut services: HashSet<&str> = HashSet::new();
        for one in applying {
            match &one.services {
                None => all_services = true,
                Some(names) => services.extend(names.iter().map(String::as_str)),
            }
        }
        all_services
            || policy
                .services
                .as_ref()
                .is_some_and(|names| names.iter().all(|name| services.contains(name.as_str())))
    })
}

/// The groups of a policy; one `None` where it matches everyone.
fn group_names(policy: &Policy) -> Vec<Option<&str>> {
    match &policy.groups {
        None => vec![None],
        Some(groups) => groups.iter().map(|group| Some(group.name.as_str())).collect(),
    }
}

fn names_group(policy: &Policy, group: Option<&str>) -> bool {
    match (&policy.groups, group) {
        (None, _) => true,
        (Some(groups), Some(name)) => groups.iter().any(|group| group.name == name),
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GroupRef, Require, Status};

    fn policy(groups: &[&str], services: &[&str]) -> Policy {
        let names = |list: &[&str]| list.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let groups: Vec<GroupRef> =
            names(groups).into_iter().map(|name| GroupRef { name, may_be_missing: false }).collect();
        Policy {
            name: "p".into(),
            status: Status::Enforce,
            require: Require::Everyone,
            groups: (!groups.is_empty()).then_some(groups),
            services: (!services.is_empty()).then_some(names(services)),
            label: None,
        }
    }

    #[test]
    fn a_policy_for_everyone_covers_all_after_it() {
        let all = policy(&[], &[]);
        assert_eq!(cover(&[&all], &policy(&[], &[])), Cover::By(0));
        assert_eq!(cover(&[&all], &policy(&["wheel"], &["sshd"])), Cover::By(0));
    }

    #[test]
    fn a_superset_covers_and_a_subset_does_not() {
        let wide = policy(&["a", "b"], &["sshd", "login"]);
        let narrow = policy(&["a"], &["sshd"]);
        assert_eq!(cover(&[&wide], &narrow), Cover::By(0));
        assert_eq!(cover(&[&narrow], &wide), Cover::None);
        assert_eq!(cover(&[&wide], &policy(&["a"], &[])), Cover::None);
        assert_eq!(cover(&[&wide], &policy(&[], &["sshd"])), Cover::None);
        assert_eq!(cover(&[], &narrow), Cover::None);
    }

    #[test]
    fn several_cover_together() {
        let ssh = policy(&["a", "b"], &["sshd"]);
        let login_a = policy(&["a"], &["login"]);
        let login_b = policy(&["b"], &["login", "su"]);
        let all = policy(&["a", "b"], &["sshd", "login"]);
        assert_eq!(cover(&[&ssh, &login_a, &login_b], &all), Cover::Together);
        assert_eq!(cover(&[&ssh, &login_a], &all), Cover::None);
    }
}
