//! Decisions beside the policies.

use clap::Args;

use super::parse::{reason, user};
use crate::date::{self, Date};

#[derive(Args)]
pub(crate) struct Exempt {
    /// Login name; without it, everybody who is exempt
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Until the end of a day (UTC) such as 2027-01-31,
    /// or 2027-01-31T18:00:00Z, or +14d; 90 days at most
    #[arg(long, value_name = "DATE", value_parser = date::parse, requires = "user", verbatim_doc_comment)]
    pub(crate) until: Option<Date>,
    /// Why, for the log and the list
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "user")]
    pub(crate) reason: Option<String>,
    /// Take the exemption back
    #[arg(long, requires = "user", conflicts_with = "until")]
    pub(crate) end: bool,
    /// Do not ask first
    #[arg(long, requires = "user")]
    pub(crate) yes: bool,
    /// List as one JSON object per line; times in seconds
    /// since 1970
    #[arg(long, conflicts_with = "user", verbatim_doc_comment)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Require {
    /// Login name; without it, everybody of whom it is required by name
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Until then (as exempt --until) USER may answer
    /// "later" without a factor [default: at once]
    #[arg(long, value_name = "DATE", value_parser = date::parse, requires = "user", verbatim_doc_comment)]
    pub(crate) by: Option<Date>,
    /// Why, for the log and the list
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "user")]
    pub(crate) reason: Option<String>,
    /// Take the requirement back; asks, and needs --reason
    #[arg(long, requires = "user", conflicts_with = "by")]
    pub(crate) end: bool,
    /// Do not ask; only --end does
    #[arg(long, requires = "user")]
    pub(crate) yes: bool,
    /// List as one JSON object per line; times in seconds
    /// since 1970
    #[arg(long, conflicts_with = "user", verbatim_doc_comment)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct AcceptClock {
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
}
