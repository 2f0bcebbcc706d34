//! The policy file.

use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::parse::{place, reason, service, span, user};
use crate::date::{self, Date};

#[derive(Subcommand)]
pub(crate) enum PolicyVerb {
    /// Show every problem of a policy file; needs no daemon
    Check(PolicyCheck),
    /// Show what policy does with a login of USER, rule by rule
    Explain(PolicyExplain),
    /// Try a draft of the policy on the logins of the past
    Impact(PolicyImpact),
    /// Put the policy file into force, all of it or nothing
    Apply(PolicyApply),
}

#[derive(Args)]
pub(crate) struct PolicyCheck {
    /// Policy file; the drop-ins in conf.d beside it are read too.
    /// Of a draft, owner and mode are warnings only
    /// [default: /etc/countersign/countersign.toml]
    #[arg(verbatim_doc_comment)]
    pub(crate) file: Option<PathBuf>,
    /// Do not ask whether the groups exist on this host
    #[arg(long)]
    pub(crate) no_groups: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct PolicyExplain {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// PAM service
    #[arg(long, value_name = "SERVICE", default_value = "sshd", value_parser = service)]
    pub(crate) service: String,
    /// Where the login comes from: an address, "local" or
    /// "unknown" [default: local]
    #[arg(long, value_name = "ADDRESS", value_parser = place, verbatim_doc_comment)]
    pub(crate) from: Option<From>,
    /// As if at that time: a day (its beginning, UTC), or
    /// 2027-01-31T18:00:00Z, or +14d [default: now]
    #[arg(long, value_name = "TIME", value_parser = date::parse, verbatim_doc_comment)]
    pub(crate) at: Option<Date>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where an explained login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// This machine.
    Local,
    /// Something remote that is no address.
    Unknown,
    /// There.
    Address(IpAddr),
}

#[derive(Args)]
pub(crate) struct PolicyImpact {
    /// The draft; the drop-ins in conf.d beside it are read too
    /// [default: the files that countersignd reads]
    #[arg(verbatim_doc_comment)]
    pub(crate) file: Option<PathBuf>,
    /// Logins of this time, such as 30d or 12h
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = span)]
    pub(crate) last: u64,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct PolicyApply {
    /// End open sessions whose people have not passed what is
    /// asked, also where a policy says apply = "next-login"
    #[arg(long, verbatim_doc_comment)]
    pub(crate) now: bool,
    /// Show what would happen, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Apply it even if it protects less; shows what, and asks
    #[arg(long)]
    pub(crate) accept_weaker: bool,
    /// Why, for the log; with --accept-weaker it is asked
    /// for at a terminal
    #[arg(long, value_name = "TEXT", value_parser = reason, verbatim_doc_comment)]
    pub(crate) reason: Option<String>,
    /// Do not ask, neither before it protects less nor
    /// before sessions are ended
    #[arg(long, verbatim_doc_comment)]
    pub(crate) yes: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
