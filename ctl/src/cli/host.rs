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
pub(crate) struct Metrics {
    /// One JSON object per line: {name, labels, value}
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
