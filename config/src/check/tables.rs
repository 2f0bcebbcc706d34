//! The tables beside the policies.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::values::{Numbers, choice, flag, length, number};
use crate::problem::Report;
use crate::raw::{Key, RawLog, RawRecovery, RawReload, RawReset, RawThrottle, RawTotp};
use crate::{Log, Recovery, Reload, Reset, Throttle, Totp};

const PROFILE: &[(&str, Throttle)] = &[("default", Throttle::Default), ("pci", Throttle::Pci)];

const DAY: u64 = 24 * 60 * 60;
/// Less would not last from one look at the log to the next; more is nobody's retention period.
const KEEP: RangeInclusive<Duration> = Duration::from_secs(30 * DAY)..=Duration::from_secs(3650 * DAY);

/// A month without a new set is no protection any more but a trap.
const REGENERATE_AFTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(30 * DAY);

/// What stands in a table, or its default where it is not there; `None` is "wrong".
pub(super) fn open<T, U: Default>(raw: Key<T>, check: impl FnOnce(T) -> Option<U>) -> Option<U> {
    match raw {
        Key::Absent => Some(U::default()),
        Key::Wrong => None,
        Key::Is(at) => check(at.value),
    }
}

pub(super) fn totp(raw: Key<RawTotp>, problems: &mut Report<'_>) -> Option<Totp> {
    open(raw, |raw| {
        let Totp { digits, period, skew } = Totp::default();
        let digits = number(raw.digits, "totp.digits", Numbers::OneOf(6, 8), digits, problems);
        let period = number(raw.period, "totp.period", Numbers::OneOf(30, 60), period, problems);
        let skew = number(raw.skew, "totp.skew", Numbers::From(0..=2), skew, problems);
        Some(Totp { digits: digits?, period: period?, skew: skew? })
    })
}

pub(super) fn recovery(raw: Key<RawRecovery>, problems: &mut Report<'_>) -> Option<Recovery> {
    open(raw, |raw| {
        let default = Recovery::default();
        let codes = number(raw.codes, "recovery.codes", Numbers::From(5..=20), default.codes, problems);
        let (key, given) = ("recovery.regenerate_after", raw.regenerate_after);
        let regenerate_after = length(given, key, &REGENERATE_AFTER, default.regenerate_after, problems);
        let viewable = flag(raw.viewable, default.viewable);
        Some(Recovery { codes: codes?, regenerate_after: regenerate_after?, viewable: viewable? })
    })
}

pub(super) fn throttle(raw: Key<RawThrottle>, problems: &mut Report<'_>) -> Option<Throttle> {
    open(raw, |raw| choice(raw.profile, "throttle.profile", PROFILE, Throttle::default(), problems))
}

pub(super) fn reset(raw: Key<RawReset>, problems: &mut Report<'_>) -> Option<Reset> {
    open(raw, |raw| {
        let approvals = number(raw.approvals, "reset.approvals", Numbers::From(0..=2), 0, problems)?;
        Some(Reset { approvals })
    })
}

pub(super) fn reload(raw: Key<RawReload>) -> Option<Reload> {
    open(raw, |raw| Some(Reload { watch: flag(raw.watch, false)? }))
}

pub(super) fn log(raw: Key<RawLog>, problems: &mut Report<'_>) -> Option<Log> {
    open(raw, |raw| {
        let default = Log::default();
        let keep = length(raw.keep, "log.keep", &KEEP, default.keep, problems);
        let most = number(raw.most, "log.most", Numbers::From(1_000..=100_000_000), default.most, problems);
        Some(Log { keep: keep?, most: most? })
    })
}
