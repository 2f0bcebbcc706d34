//! What the daemon knows and saw.

use clap::Args;

use super::parse::user;

#[derive(Args)]
pub(crate) struct Status {
    /// Login name; without it, yours, and for root the daemon
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// One JSON object; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Log {
    /// Only logins of this person; without it, yours,
    /// and for root those of everybody
    #[arg(value_parser = user, verbatim_doc_comment)]
    pub(crate) user: Option<String>,
    /// Only the newest N [default: 100, all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// One JSON object per line; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Doctor {
    /// Also try to reach the mail servers of the mailboxes
    #[arg(long)]
    pub(crate) mail: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
