//! What only the daemon knows of the health of a host: the kinds of [`Fact`](crate::manager::Fact).
//!
//! A fact says what is; what it means is for `countersignctl doctor` to say.

/// The daemon's version, in `value`.
pub const VERSION: &str = "version";
/// The file on disk is not what is in force: why, a line for each reason, in `value`.
pub const NOT_IN_FORCE: &str = "not-in-force";
/// A policy in force that asks; the subject is its name, the value the services that it names, between
/// commas, or nothing for all.
pub const ENFORCED: &str = "enforced";
/// A policy in force that asks and takes no factor but e-mail; the subject is its name.
pub const MAIL_ONLY: &str = "mail-only";
/// What is allowed but probably not meant, with its place, in `value`.
pub const CONFIG_WARNING: &str = "config-warning";
/// A group of a policy that does not resolve now: its place and what is wrong, in `value`.
pub const NO_GROUP: &str = "no-group";
/// Somebody without a factor whose time to get one is over: the subject is the name, the value when it ended,
/// in seconds since 1970.
pub const PAST_DATE: &str = "past-date";
/// Somebody with an authenticator and two recovery codes or fewer: the subject is the name, the value how many.
pub const FEW_CODES: &str = "few-codes";
/// Somebody who stays locked until an administrator helps; the subject is the name.
pub const LOCKED: &str = "locked";
/// An exemption that ends within a week: the subject is the name, the value when, in seconds since 1970.
pub const LAPSES: &str = "lapses";
/// Seconds by which the wall clock is behind the latest date that was seen, in `value`.
pub const CLOCK_BEHIND: &str = "clock-behind";
/// How far the clocks of most phones are ahead of this host's, in seconds, in `value`; how many phones, in the
/// subject. Only where most agree that it is a step or more.
pub const SKEW: &str = "skew";
/// Somebody is enrolled and the last backup is old: when it was made, in seconds since 1970, in `value`; 0 is
/// never.
pub const BACKUP: &str = "backup";
/// What a check of the database found, in `value`.
pub const DAMAGE: &str = "damage";
/// The log is not what was written: the first place that was found at its ends, in `value`.
pub const LOG_BROKEN: &str = "log-broken";
/// What was not looked at, in the subject; why, in `value`. What would have been found there is not known.
pub const NOT_LOOKED_AT: &str = "not-looked-at";
