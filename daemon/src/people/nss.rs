//! One lookup, and what its silence means.
//!
//! glibc hides failures: with a backend missing `getgrnam_r` says "not found" and `getgrouplist`
//! succeeds with the primary group alone. So "not a member" is believed only when everything
//! around it resolves: the person, their primary group, and every group that a policy names.

use crate::decide::policy::{Person, Resolution, Tri};
use countersign_config::GroupRef;
use nix::unistd::{Gid, Group, Uid, User, getgrouplist};
use std::collections::BTreeMap;
use std::ffi::CString;

/// Looks a name up, and its membership of the groups that policies name.
pub(super) fn look_up(name: &str, groups: &[GroupRef]) -> Person {
    let user = match User::from_name(name) {
        Ok(Some(user)) if user.name == name => user,
        // A backend that folds case would let one person in under many names.
        Ok(_) => return Person::unresolved(name, Resolution::NotFound),
        Err(_) => return Person::unresolved(name, Resolution::Failed),
    };
    let resolution = Resolution::Found(user.uid.as_raw());
    if groups.is_empty() {
        // No policy names a group: getgrouplist, which asks every source there is, has nothing to tell.
        return Person::unresolved(name, resolution);
    }
    let listed = CString::new(name).ok().and_then(|name| getgrouplist(&name, user.gid).ok());
    let primary_resolves = matches!(Group::from_gid(user.gid), Ok(Some(_)));
    let mut healthy = primary_resolves && listed.is_some();
    let mut found = BTreeMap::new();
    for group in groups {
        let answer = membership(name, user.gid, listed.as_deref().unwrap_or_default(), group);
        healthy &= answer != Tri::Maybe;
        found.insert(group.name.clone(), answer);
    }
    if !healthy {
        for answer in found.values_mut().filter(|a| **a == Tri::No) {
            *answer = Tri::Maybe;
        }
    }
    Person { name: name.to_owned(), resolution, groups: found }
}

/// The login name of a uid, if it is somebody's.
pub(super) fn owner_of(uid: u32) -> nix::Result<Option<String>> {
    Ok(User::from_uid(Uid::from_raw(uid))?.map(|user| user.name))
}

/// The people whom a group lists. Those who have it as their primary group are not listed.
pub(super) fn members(group: &str) -> Vec<String> {
    Group::from_name(group).ok().flatten().map(|group| group.mem).unwrap_or_default()
}

/// Whether a group resolves now.
pub(super) fn group_exists(name: &str) -> bool {
    matches!(Group::from_name(name), Ok(Some(_)))
}

fn membership(name: &str, primary: Gid, listed: &[Gid], group: &GroupRef) -> Tri {
    match Group::from_name(&group.name) {
        Ok(Some(found)) => {
            let by_list = listed.contains(&found.gid) || found.gid == primary;
            let by_members = found.mem.iter().any(|m| m == name);
            match (by_list, by_members) {
                (true, _) => Tri::Yes,
                (false, false) => Tri::No,
                // The two ways of asking disagree: something is half there.
                (false, true) => Tri::Maybe,
            }
        }
        Ok(None) if group.may_be_missing => Tri::No,
        Ok(None) | Err(_) => Tri::Maybe,
    }
}
