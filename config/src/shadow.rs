//! Which policies can never decide, because earlier ones match all that they match.
//!
//! Judged by the text alone, whoever is in the groups: only what is certain is reported. An earlier
//! policy counts for a later one only where each of its own exceptions is one of the later policy
//! too, and where it alone holds every place that the later one is about.

use std::collections::HashMap;

use crate::{GroupRef, Network, Networks, Policy};

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

/// Whom a policy names. A user and a group of one name are not the same people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Whom<'p> {
    Everyone,
    Group(&'p str),
    User(&'p str),
}

/// The policies so far, in their order.
#[derive(Default)]
pub(crate) struct Earlier<'p> {
    policies: Vec<&'p Policy>,
    /// Which of them name whom.
    naming: HashMap<Whom<'p>, Vec<usize>>,
}

impl<'p> Earlier<'p> {
    pub(crate) fn push(&mut self, policy: &'p Policy) {
        for whom in whom(policy) {
            self.naming.entry(whom).or_default().push(self.policies.len());
        }
        self.policies.push(policy);
    }

    /// Whether these policies leave anything for `policy` to match.
    pub(crate) fn cover(&self, policy: &Policy) -> Cover {
        let whom = whom(policy);
        let Some(first) = whom.first() else { return Cover::None };
        let alone = |index: &usize| {
            let one = self.policies[*index];
            has_all_services(&[one], policy) && whom.iter().all(|whom| names(one, *whom))
        };
        if let Some(index) = self.counting(*first, policy).into_iter().find(alone) {
            return Cover::By(index);
        }
        let together = whom.iter().all(|whom| {
            let some = self.counting(*whom, policy);
            let some: Vec<&Policy> = some.into_iter().map(|index| self.policies[index]).collect();
            has_all_services(&some, policy)
        });
        if together { Cover::Together } else { Cover::None }
    }

    /// The policies that match all of `whom`, as far as `policy` is about them: in their order.
    fn counting(&self, whom: Whom<'_>, policy: &Policy) -> Vec<usize> {
        let of = |whom| self.naming.get(&whom).map_or(&[][..], Vec::as_slice);
        let mut all = of(Whom::Everyone).to_vec();
        if whom != Whom::Everyone {
            all.extend(of(whom));
            all.sort_unstable();
        }
        all.retain(|index| {
            let one = self.policies[*index];
            excepts_no_more(one, policy) && holds(&one.networks, &policy.networks)
        });
        all
    }
}

/// Whether `policy` names all of `whom_named`.
fn names(policy: &Policy, whom_named: Whom<'_>) -> bool {
    whom(policy).into_iter().any(|one| one == Whom::Everyone || one == whom_named)
}

fn whom(policy: &Policy) -> Vec<Whom<'_>> {
    if policy.groups.is_none() && policy.users.is_none() {
        return vec![Whom::Everyone];
    }
    let groups = policy.groups.iter().flatten().map(|group| Whom::Group(&group.name));
    groups.chain(policy.users.iter().flatten().map(|user| Whom::User(user))).collect()
}

/// Whether every service of `policy` is one of those of `some`.
fn has_all_services(some: &[&Policy], policy: &Policy) -> bool {
    if some.iter().any(|one| one.services.is_none()) {
        return true;
    }
    let named = |service| some.iter().flat_map(|one| one.services.iter().flatten()).any(|one| one == service);
    policy.services.as_ref().is_some_and(|services| services.iter().all(named))
}

/// Whether everyone whom `one` excepts is excepted by `policy` too.
fn excepts_no_more(one: &Policy, policy: &Policy) -> bool {
    let group = |group: &GroupRef| policy.except.groups.iter().any(|other| other.name == group.name);
    one.except.groups.iter().all(group)
        && one.except.users.iter().all(|user| policy.except.users.contains(user))
}

/// Whether every place in `inner` is in `outer`.
fn holds(outer: &Networks, inner: &Networks) -> bool {
    if *outer == Networks::default() || outer == inner {
        return true;
    }
    let excepted: Vec<&Network> = inner.except.iter().collect();
    let only = |networks: &'_ Networks| networks.only.clone().unwrap_or_else(|| Network::ALL.to_vec());
    let (outer_only, inner_only) = (only(outer), only(inner));
    // What `inner` excepts need not be held.
    let enough: Vec<&Network> = outer_only.iter().chain(&inner.except).collect();
    let none_taken = |taken: &Network| {
        taken.is_within(&excepted) || inner_only.iter().all(|place| place.is_apart_from(taken))
    };
    inner_only.iter().all(|place| place.is_within(&enough)) && outer.except.iter().all(none_taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Except, Require, Status};
    use proptest::prelude::*;
    use std::net::{IpAddr, Ipv4Addr};
    use std::time::Duration;

    fn cover(earlier: &[&Policy], policy: &Policy) -> Cover {
        let mut all = Earlier::default();
        for one in earlier {
            all.push(one);
        }
        all.cover(policy)
    }

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
            users: None,
            except: Except::default(),
            networks: Networks::default(),
            remember: Duration::ZERO,
            factors: vec![crate::Factor::Totp],
            enroll: crate::Enroll::Invited,
            deadline: None,
            mailbox: None,
            address: None,
            template: None,
            apply: crate::Apply::NextLogin,
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

    fn users(users: &[&str]) -> Policy {
        let users = users.iter().map(|name| (*name).to_owned()).collect();
        Policy { users: Some(users), ..policy(&[], &[]) }
    }

    fn places(only: &[&str], except: &[&str]) -> Policy {
        let read = |list: &[&str]| -> Vec<Network> {
            list.iter().map(|text| crate::network::parse(text).expect("a network")).collect()
        };
        let only = (!only.is_empty()).then(|| read(only));
        Policy { networks: Networks { only, except: read(except) }, ..policy(&[], &[]) }
    }

    #[test]
    fn users_make_a_policy_narrower() {
        assert_eq!(cover(&[&users(&["ann"])], &policy(&[], &[])), Cover::None);
        assert_eq!(cover(&[&users(&["ann", "bob"])], &users(&["ann"])), Cover::By(0));
        assert_eq!(cover(&[&users(&["ann"])], &users(&["ann", "bob"])), Cover::None);
        assert_eq!(cover(&[&users(&["ann"]), &users(&["bob"])], &users(&["ann", "bob"])), Cover::Together);
        assert_eq!(cover(&[&policy(&["wheel"], &[])], &users(&["wheel"])), Cover::None);
        assert_eq!(cover(&[&policy(&[], &[])], &users(&["ann"])), Cover::By(0));
        // A group beside the user: who is in it is not known from the text.
        let both = Policy { users: Some(vec!["ann".into()]), ..policy(&["wheel"], &[]) };
        assert_eq!(cover(&[&users(&["ann"])], &both), Cover::None);
        assert_eq!(cover(&[&users(&["ann"]), &policy(&["wheel"], &[])], &both), Cover::Together);
    }

    #[test]
    fn exceptions_leave_something() {
        let excepting = |groups: &[&str]| {
            let groups = policy(groups, &[]).groups.unwrap_or_default();
            Policy { except: Except { groups, users: vec![] }, ..policy(&[], &[]) }
        };
        assert_eq!(cover(&[&excepting(&["robots"])], &policy(&[], &[])), Cover::None);
        assert_eq!(cover(&[&excepting(&["robots"])], &policy(&["robots"], &[])), Cover::None);
        assert_eq!(cover(&[&excepting(&["robots"])], &excepting(&["robots"])), Cover::By(0));
        assert_eq!(cover(&[&excepting(&["robots"])], &excepting(&["robots", "guests"])), Cover::By(0));
        assert_eq!(cover(&[&excepting(&["robots", "guests"])], &excepting(&["robots"])), Cover::None);
    }

    #[test]
    fn places_make_a_policy_narrower() {
        let (vpn, all) = (places(&["10.8.0.0/16"], &[]), places(&[], &[]));
        assert_eq!(cover(&[&vpn], &all), Cover::None);
        assert_eq!(cover(&[&all], &vpn), Cover::By(0));
        assert_eq!(cover(&[&places(&["10.0.0.0/8"], &[])], &vpn), Cover::By(0));
        assert_eq!(cover(&[&vpn], &places(&["10.0.0.0/8"], &[])), Cover::None);
        assert_eq!(cover(&[&places(&[], &["local"])], &vpn), Cover::By(0));
        assert_eq!(cover(&[&places(&[], &["10.8.1.0/24"])], &vpn), Cover::None);
        assert_eq!(cover(&[&places(&[], &["10.8.1.0/24"])], &places(&[], &["10.8.0.0/16"])), Cover::By(0));
        assert_eq!(cover(&[&places(&[], &["10.8.0.0/16"])], &places(&[], &["10.8.1.0/24"])), Cover::None);
        // What the later one excepts itself need not be held.
        let half = places(&["10.0.0.0/8"], &["10.128.0.0/9"]);
        assert_eq!(cover(&[&places(&["10.0.0.0/9"], &[])], &half), Cover::By(0));
        assert_eq!(cover(&[&places(&["local"], &[])], &places(&["local", "unknown"], &[])), Cover::None);
    }

    /// One of few names, so that random policies meet.
    fn few(names: &'static [&'static str]) -> impl Strategy<Value = Vec<String>> {
        proptest::sample::subsequence(names, 0..=names.len())
            .prop_map(|list| list.into_iter().map(str::to_owned).collect())
    }

    fn some<T>(list: Vec<T>) -> Option<Vec<T>> {
        (!list.is_empty()).then_some(list)
    }

    fn policies() -> impl Strategy<Value = Policy> {
        let nets = &["local", "unknown", "0.0.0.0/0", "10.0.0.0/31", "10.0.0.0", "10.0.0.1", "::/0"][..];
        let groups = |names: Vec<String>| -> Vec<GroupRef> {
            names.into_iter().map(|name| GroupRef { name, may_be_missing: false }).collect()
        };
        let nets_of = |names: Vec<String>| -> Vec<Network> {
            names.iter().map(|text| crate::network::parse(text).expect("a network")).collect()
        };
        let whom = (few(&["g", "h"]), few(&["ann", "bob"]), few(&["g", "h"]), few(&["ann", "bob"]));
        (whom, few(&["sshd", "su"]), few(nets), few(nets)).prop_map(
            move |((in_groups, users, not_groups, not_users), services, only, except)| Policy {
                groups: some(groups(in_groups)),
                users: some(users),
                except: Except { groups: groups(not_groups), users: not_users },
                services: some(services),
                networks: Networks { only: some(nets_of(only)), except: nets_of(except) },
                ..policy(&[], &[])
            },
        )
    }

    /// A place: an address, or one of the classes.
    fn is_in(networks: &Networks, place: Result<IpAddr, Network>) -> bool {
        let holds = |network: &Network| match place {
            Ok(address) => network.contains(address),
            Err(class) => *network == class,
        };
        networks.only.as_ref().is_none_or(|only| only.iter().any(holds)) && !networks.except.iter().any(holds)
    }

    fn matches(
        policy: &Policy,
        user: &str,
        groups: &[&str],
        service: &str,
        place: Result<IpAddr, Network>,
    ) -> bool {
        let any = |list: &[GroupRef]| list.iter().any(|group| groups.contains(&group.name.as_str()));
        let has = |list: &[String], name: &str| list.iter().any(|one| one == name);
        let everyone = policy.groups.is_none() && policy.users.is_none();
        (everyone
            || any(policy.groups.as_deref().unwrap_or_default())
            || has(policy.users.as_deref().unwrap_or_default(), user))
            && !any(&policy.except.groups)
            && !has(&policy.except.users, user)
            && policy.services.as_ref().is_none_or(|services| has(services, service))
            && is_in(&policy.networks, place)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        /// Whatever is called covered, no login of any kind gets through to it.
        #[test]
        fn nothing_that_is_reached_is_called_shadowed(
            earlier in proptest::collection::vec(policies(), 0..6),
            late in policies(),
        ) {
            let list: Vec<&Policy> = earlier.iter().collect();
            if cover(&list, &late) != Cover::None {
                let v4 = |last| Ok(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)));
                let v6 = Ok("2001:db8::1".parse().expect("an address"));
                for user in ["ann", "bob", "eve"] {
                    for groups in [&[][..], &["g"], &["h"], &["g", "h"], &["other"]] {
                        for service in ["sshd", "su", "cron"] {
                            for place in [v4(0), v4(1), v4(2), v6, Err(Network::Local), Err(Network::Unknown)] {
                                let hit = |one: &Policy| matches(one, user, groups, service, place);
                                prop_assert!(!hit(&late) || list.iter().any(|one| hit(one)));
                            }
                        }
                    }
                }
            }
        }
    }
}
