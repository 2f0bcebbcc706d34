//! Random policies and people, for tests that hold over all of them. A failure can be repeated.

use super::overrides::{Kind, Override, Overrides};
use super::policy::{Person, Resolution, Source, Tri};
use crate::clock::{Moment, Stamp};
use countersign_config::{Config, Deadline, GroupRef, Network, Networks, Policy, Require, Status};
use std::time::Duration;

/// A little generator: xorshift64.
pub(super) struct Dice(pub(super) u64);

impl Dice {
    pub(super) fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }

    pub(super) fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        from[usize::try_from(self.roll(from.len() as u64)).expect("fits")]
    }

    fn one_in(&mut self, sides: u64) -> bool {
        self.roll(sides) == 0
    }
}

pub(super) const GROUPS: [&str; 3] = ["a", "b", "c"];
pub(super) const USERS: [&str; 3] = ["ann", "bob", "zoe"];
pub(super) const SERVICES: [&str; 3] = ["sshd", "sudo", "login"];
pub(super) const SOURCES: [&str; 5] = ["10.1.2.3", "10.200.0.1", "192.0.2.1", "2001:db8::1", "::1"];

/// The date of [`now`].
pub(super) const NOW: i64 = 1_800_000_000;

/// A moment; `boot_ms` is a million seconds after the boot.
pub(super) fn now() -> Moment {
    Moment { wall: NOW, date: NOW, boot_ms: 1_000_000_000, boot: [7; 16] }
}

/// The configuration that random policies are put into.
fn empty() -> Config {
    use std::sync::OnceLock;
    static EMPTY: OnceLock<Config> = OnceLock::new();
    let one = || countersign_config::parse("one.toml", "[[policy]]\nname = \"p\"\n").expect("parses");
    EMPTY.get_or_init(one).clone()
}

/// One to five policies: also such as the loader refuses, a decision must hold for them too.
pub(super) fn config(dice: &mut Dice) -> Config {
    let mut config = empty();
    let blank = config.policies.remove(0);
    config.policies = (0..=dice.roll(4)).map(|i| policy(dice, &blank, i)).collect();
    config
}

fn policy(dice: &mut Dice, blank: &Policy, i: u64) -> Policy {
    let mut policy = Policy { name: format!("p{i}"), ..blank.clone() };
    policy.status = match dice.roll(4) {
        0 => Status::Report,
        1 => Status::Off,
        _ => Status::Enforce,
    };
    policy.require = if dice.one_in(2) { Require::Everyone } else { Require::Enrolled };
    let group = |dice: &mut Dice| GroupRef { name: dice.pick(&GROUPS).into(), may_be_missing: false };
    policy.groups = (!dice.one_in(3)).then(|| vec![group(dice)]);
    policy.users = dice.one_in(4).then(|| vec![dice.pick(&USERS).into()]);
    policy.services = dice.one_in(3).then(|| vec![dice.pick(&SERVICES).into()]);
    if dice.one_in(4) {
        policy.except.users.push(dice.pick(&USERS).into());
    }
    if dice.one_in(4) {
        policy.except.groups.push(group(dice));
    }
    if dice.one_in(4) {
        policy.networks = networks(dice);
    }
    if dice.one_in(3) {
        policy.remember = Duration::from_secs(3600);
    }
    policy.deadline = match dice.roll(4) {
        0 => Some(Deadline::By(NOW - 1000 + i64::try_from(dice.roll(2000)).expect("small"))),
        1 => Some(Deadline::Grace(Duration::from_secs(86_400))),
        _ => None,
    };
    policy
}

fn networks(dice: &mut Dice) -> Networks {
    let network = match dice.roll(4) {
        0 => Network::Local,
        1 => Network::Unknown,
        2 => Network::Cidr { address: [10, 0, 0, 0].into(), prefix: 8 },
        _ => Network::Cidr { address: "2001:db8::".parse().expect("an address"), prefix: 32 },
    };
    if dice.one_in(2) {
        Networks { only: Some(vec![network]), except: vec![] }
    } else {
        Networks { only: None, except: vec![network] }
    }
}

/// Somebody, whose groups may not be certain, at some service from somewhere.
pub(super) fn login(dice: &mut Dice) -> (Person, &'static str, Source) {
    let tri = |dice: &mut Dice| match dice.roll(5) {
        0 => Tri::Maybe,
        1 | 2 => Tri::No,
        _ => Tri::Yes,
    };
    let groups = GROUPS.iter().map(|g| ((*g).to_owned(), tri(dice))).collect();
    let resolution = match dice.roll(12) {
        0 => Resolution::NotFound,
        1 => Resolution::Failed,
        n => Resolution::Found(u32::try_from(n % 3).expect("small")),
    };
    let person = Person { name: dice.pick(&USERS).into(), resolution, groups };
    let source = match dice.roll(4) {
        0 => Source::Local,
        1 => Source::Unknown,
        _ => Source::Address(dice.pick(&SOURCES).parse().expect("an address")),
    };
    (person, dice.pick(&SERVICES), source)
}

/// What was decided of one person at a moment, or a little later.
pub(super) fn overrides(dice: &mut Dice) -> (Overrides, Moment) {
    let count = dice.roll(3);
    let all = (0..count).map(|_| override_of(dice)).collect();
    let later = i64::try_from(dice.roll(2000)).expect("small");
    (Overrides::new(all), now().at(NOW + later))
}

/// A decision about somebody.
pub(super) fn override_of(dice: &mut Dice) -> Override {
    let kind = match dice.roll(3) {
        0 => Kind::Lock,
        1 => Kind::Exempt,
        _ => Kind::Require,
    };
    let lasts = i64::try_from(dice.roll(2000)).expect("small");
    let at_once = kind == Kind::Lock || kind == Kind::Require && dice.one_in(2);
    Override {
        uid: u32::try_from(dice.roll(3)).expect("small"),
        name: dice.pick(&USERS).into(),
        kind,
        until: if at_once { 0 } else { NOW + lasts },
        made: Stamp { boot: now().boot, ms: now().boot_ms },
        lasts_ms: lasts * 1000,
        at: NOW,
        reason: String::new(),
        by_uid: 0,
        by: String::new(),
    }
}
