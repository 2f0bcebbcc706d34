//! The attempt log and the record of acts.

use clap::{Args, Subcommand};

use super::parse::{policy, reason, service, state, user, whence};
use crate::date::{self, Date};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Log {
    #[command(subcommand)]
    pub(crate) verb: Option<LogVerb>,
    #[command(flatten)]
    pub(crate) logins: Logins,
}

#[derive(Subcommand)]
pub(crate) enum LogVerb {
    /// Show what people changed by countersignctl, newest first
    Acts(Acts),
    /// Prove that no row was changed, added or removed
    Verify(Verify),
    /// Accept what is broken now, and prove from here on
    Accept(Accept),
}

#[derive(Args)]
pub(crate) struct Logins {
    /// Only logins of this person; without it, yours,
    /// and for root those of everybody
    #[arg(value_parser = user, verbatim_doc_comment)]
    pub(crate) user: Option<String>,
    /// The same, for names such as "verify"
    #[arg(long = "user", value_name = "USER", value_parser = user, conflicts_with = "user", id = "user-option")]
    pub(crate) user_option: Option<String>,
    /// Logins of everybody, for those who may see them
    #[arg(long, conflicts_with_all = ["user", "user-option"])]
    pub(crate) all: bool,
    /// Begun at this time or later: 2026-11-22 (UTC), or
    /// 2026-11-22T18:00:00Z, or 2h (ago; s, m, h, d, w)
    #[arg(long, value_name = "TIME", value_parser = date::past, verbatim_doc_comment)]
    pub(crate) since: Option<Date>,
    /// Begun before this time; a day is included
    #[arg(long, value_name = "TIME", value_parser = date::past)]
    pub(crate) until: Option<Date>,
    /// In one of these states: asked, verified, denied,
    /// locked, skipped, would-ask, abandoned, enrolled
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state, verbatim_doc_comment)]
    pub(crate) state: Vec<String>,
    /// To this PAM service
    #[arg(long, value_name = "SERVICE", value_parser = service)]
    pub(crate) service: Option<String>,
    /// From this address or network, or "local" or "unknown"
    #[arg(long, value_name = "SOURCE", value_parser = whence)]
    pub(crate) from: Option<String>,
    /// Decided by this policy
    #[arg(long, value_name = "POLICY", value_parser = policy)]
    pub(crate) policy: Option<String>,
    /// Go on with new logins as they finish, until Ctrl-C
    #[arg(long, short = 'f')]
    pub(crate) follow: bool,
    /// Only the newest N [default: 100, all with --json,
    /// 10 with --follow]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..), verbatim_doc_comment)]
    pub(crate) limit: Option<u64>,
    /// One JSON object per line; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

impl Logins {
    /// Whether it may be about others than whoever types it.
    pub(crate) fn is_about_others(&self) -> bool {
        self.all || self.user.is_some() || self.user_option.is_some()
    }
}

#[derive(Args)]
pub(crate) struct Acts {
    /// Only what this person did, or what was done to them
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// At this time or later, as for log
    #[arg(long, value_name = "TIME", value_parser = date::past)]
    pub(crate) since: Option<Date>,
    /// Before this time; a day is included
    #[arg(long, value_name = "TIME", value_parser = date::past)]
    pub(crate) until: Option<Date>,
    /// Only these methods, such as Reset or ApplyPolicy
    #[arg(long, value_name = "METHOD", value_delimiter = ',', value_parser = policy)]
    pub(crate) verb: Vec<String>,
    /// Only the newest N [default: 100, all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// One JSON object per line; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Verify {
    /// A last link that was noted before: it must still be there
    #[arg(long, value_name = "LINK")]
    pub(crate) noted: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Accept {
    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
}
