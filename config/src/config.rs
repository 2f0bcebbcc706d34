//! What a checked configuration says.

use std::time::Duration;

use crate::groups::Named;
use crate::place::Place;
use crate::{AddressPattern, Email, Mailbox, Network};

/// The issuer when the files name none.
pub const DEFAULT_ISSUER: &str = "Countersign";

/// A checked configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The name above the codes in the authenticator app.
    pub issuer: String,
    /// Shown to the person when a login is denied or locked after the first factor.
    pub help: Option<String>,
    /// In the order of the files: the first that matches decides. Never empty.
    pub policies: Vec<Policy>,
    /// `[totp]`
    pub totp: Totp,
    /// `[recovery]`
    pub recovery: Recovery,
    /// `[email]`
    pub email: Email,
    /// `[mailbox.NAME]`, each name once, in the order of the files.
    pub mailboxes: Vec<Mailbox>,
    /// `[throttle]`
    pub throttle: Throttle,
    /// `[log]`
    pub log: Log,
    /// `[reset]`
    pub reset: Reset,
    /// `[reload]`
    pub reload: Reload,
    /// How QR codes are drawn in a login.
    pub qr: Qr,
    /// The names of the files, in the order in which they were read.
    pub sources: Vec<String>,
    /// SHA-256 in lower-case hex: of the bytes of the file where there is one, else of the last
    /// parts of the names, the lengths and the bytes of all files.
    pub hash: String,
    /// What is allowed but probably not meant: `FILE:LINE: text`, one line each.
    pub warnings: Vec<String>,
    /// Days and moments that policies name, in the order of the files.
    pub(crate) dates: Vec<Dated>,
    /// Groups that must exist, in the order of the files, with their places.
    pub(crate) groups: Vec<(Named, Place)>,
}

/// The longest time ahead that a deadline is taken for meant: a year.
const FAR: i64 = 366 * 24 * 60 * 60;

impl Config {
    /// What is allowed but probably not meant at a time (seconds since 1970): the
    /// [`warnings`](Self::warnings), and deadlines that are over or too far away to be one.
    #[must_use]
    pub fn warnings_at(&self, now: i64) -> Vec<String> {
        let judged = self.dates.iter().filter_map(|Dated { place, policy, end }| {
            let says = if *end <= now {
                "is over: people without a factor are refused or enrolled, and nobody can type \"later\" \
                 any more"
            } else if *end - now > FAR {
                "is more than a year away: until then people without a factor pass by typing \"later\""
            } else {
                return None;
            };
            Some(format!("{place}: the deadline of policy \"{policy}\" {says}"))
        });
        self.warnings.iter().cloned().chain(judged).collect()
    }
}

/// A date in the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dated {
    /// `FILE:LINE`
    pub(crate) place: String,
    /// Which policy names it.
    pub(crate) policy: String,
    /// The first second that is too late.
    pub(crate) end: i64,
}

/// One `[[policy]]` block: whom and what it matches, and what then holds.
///
/// A login matches when the person is in `groups` or `users` and not in `except`, the service is
/// in `services`, and `networks` holds the place that the login comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Unique in the configuration; stands in the attempt log.
    pub name: String,
    /// Whether a match asks, only logs, or does nothing.
    pub status: Status,
    /// Whether people without a factor are refused or let through.
    pub require: Require,
    /// Members of any of these; never an empty list. `None` is everyone if `users` is `None` too.
    pub groups: Option<Vec<GroupRef>>,
    /// These people; never an empty list. `None` is everyone if `groups` is `None` too.
    pub users: Option<Vec<String>>,
    /// People that the policy is not about, though `groups` or `users` name them.
    pub except: Except,
    /// These PAM services; `None` is all of them. Never an empty list.
    pub services: Option<Vec<String>>,
    /// The places that a login comes from.
    pub networks: Networks,
    /// Replaces the issuer for the people of this policy.
    pub label: Option<String>,
    /// For how long the same source is not asked again for the same service; zero is "always ask".
    /// At most [`MAX_REMEMBER`](crate::MAX_REMEMBER).
    pub remember: Duration,
    /// Which factors count, the first being asked first; never empty, each once. Recovery codes
    /// always count.
    pub factors: Vec<Factor>,
    /// How people under this policy come to their first factor.
    pub enroll: Enroll,
    /// Until when somebody without a factor may still pass by `later`; `None` is not at all.
    pub deadline: Option<Deadline>,
    /// The `[mailbox.NAME]` that sends the codes of this policy; always there where `factors` lists
    /// e-mail.
    pub mailbox: Option<String>,
    /// How an address is made of the user name; `None` makes none.
    pub address: Option<AddressPattern>,
    /// The template of its letters; `None` is the default one.
    pub template: Option<String>,
    /// When the policy begins to hold for sessions that are open already.
    pub apply: Apply,
}

/// A factor that a policy can list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factor {
    /// An authenticator app (RFC 6238).
    Totp,
    /// A code by e-mail: the weaker factor, only where a policy lists it.
    Email,
}

/// How a person comes to their first factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enroll {
    /// In the login, after the first factor.
    AtLogin,
    /// In the login or from a shell, with a one-time code from an administrator.
    Invited,
    /// Only by an administrator.
    Admin,
}

/// Until when `later` is possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// The first second that is too late, since 1970.
    By(i64),
    /// So long after the person's first login under such a policy.
    Grace(Duration),
}

/// When a policy begins to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Apply {
    /// With the next login.
    NextLogin,
    /// At once: open sessions of people who have not passed it are ended by `policy apply`.
    Immediately,
}

/// A group as a policy names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupRef {
    /// The group's name, without the `?`.
    pub name: String,
    /// Written with a trailing `?`: this host may lack the group.
    pub may_be_missing: bool,
}

/// People that a policy is not about. Empty where the policy excepts nobody.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Except {
    /// Members of any of these.
    pub groups: Vec<GroupRef>,
    /// These people.
    pub users: Vec<String>,
}

/// The places that a policy is about: what `only` holds, without what `except` holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Networks {
    /// These; `None` is every place. Never an empty list.
    pub only: Option<Vec<Network>>,
    /// And none of these.
    pub except: Vec<Network>,
}

/// What a policy does to the logins it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Ask for a second factor.
    Enforce,
    /// Log what would have happened, and ask nothing.
    Report,
    /// Ask nothing.
    Off,
}

/// Whom a policy requires a factor of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Require {
    /// Everyone it matches; who has no factor is refused.
    Everyone,
    /// Only those who have a factor; the others pass, and the log says so.
    Enrolled,
}

/// What the authenticator app computes (RFC 6238), for secrets made from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Totp {
    /// 6 or 8.
    pub digits: u8,
    /// Seconds that one code lasts: 30 or 60.
    pub period: u32,
    /// Periods before and after the present one whose code is right too: 0 to 2.
    pub skew: u8,
}

impl Default for Totp {
    fn default() -> Self {
        Self { digits: 6, period: 30, skew: 1 }
    }
}

/// The codes for when the phone is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// How many a person is given: 5 to 20.
    pub codes: u8,
    /// A new set can be had no sooner after the last one: 0 to 30 days.
    pub regenerate_after: Duration,
    /// Whether unused codes may be looked at again: sealed then, and hashed otherwise.
    pub viewable: bool,
}

impl Default for Recovery {
    fn default() -> Self {
        Self { codes: 10, regenerate_after: Duration::from_secs(2 * 60 * 60), viewable: false }
    }
}

/// How guessing is slowed down.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Throttle {
    /// Growing delays, and 100 consecutive failures in all.
    #[default]
    Default,
    /// As PCI DSS asks: 10 consecutive failures lock for 30 minutes.
    Pci,
}

/// The attempt log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Log {
    /// How long a row is kept: 30 to 3650 days.
    pub keep: Duration,
    /// How many logins are kept: 1,000 to 100,000,000.
    pub most: u32,
}

impl Default for Log {
    fn default() -> Self {
        Self { keep: Duration::from_secs(400 * 24 * 60 * 60), most: 1_000_000 }
    }
}

/// Resets asked for by a colleague.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reset {
    /// Approvals that a reset needs: 0 (`reset` is enough) to 2.
    pub approvals: u8,
}

/// How changes of the files come into force.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reload {
    /// Whether a change on disk is noticed by itself, as if by SIGHUP.
    pub watch: bool,
}

/// How a QR code is drawn, by what the person's terminal looks like.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Qr {
    /// Light text on dark ground: ink is the light modules.
    #[default]
    Dark,
    /// Dark text on light ground.
    Light,
    /// Not at all: the key as text only.
    Off,
}
