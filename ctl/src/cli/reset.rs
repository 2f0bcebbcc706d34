//! Lost phones and locks.

use clap::Args;

use super::parse::{reason, user};

#[derive(Args)]
pub(crate) struct Reset {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// Why, for the log and for USER
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
    /// As root, without the approvals that are configured
    #[arg(long)]
    pub(crate) alone: bool,
    /// End the open sessions of USER too
    #[arg(long)]
    pub(crate) end_sessions: bool,
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct RequestReset {
    /// Login name of the colleague
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// Why, for whoever approves it and for USER
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
    /// For scripts: taken, though this never asks
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Approve {
    /// The request's number; without it, all open requests
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) id: Option<u32>,
    /// Refuse it instead
    #[arg(long, requires_all = ["id", "reason"])]
    pub(crate) refuse: bool,
    /// Why it is refused, for the log and for the person
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "refuse")]
    pub(crate) reason: Option<String>,
    /// End the person's open sessions too
    #[arg(long, requires = "id", conflicts_with = "refuse")]
    pub(crate) end_sessions: bool,
    /// Do not ask first
    #[arg(long, requires = "id")]
    pub(crate) yes: bool,
    /// Show all open requests
    #[arg(long, conflicts_with = "id")]
    pub(crate) list: bool,
    /// One JSON object per request; times in seconds since 1970
    #[arg(long, conflicts_with = "id")]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Lock {
    /// Login name; without it, everybody who is locked
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Why, for the log and for USER
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "user")]
    pub(crate) reason: Option<String>,
    /// End the open sessions of USER too
    #[arg(long, requires = "user")]
    pub(crate) end_sessions: bool,
    /// Do not ask first
    #[arg(long, requires = "user")]
    pub(crate) yes: bool,
    /// List as one JSON object per line; times in seconds
    /// since 1970
    #[arg(long, conflicts_with = "user", verbatim_doc_comment)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Unlock {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// Why, for the log; needed where an administrator
    /// locked USER
    #[arg(long, value_name = "TEXT", value_parser = reason, verbatim_doc_comment)]
    pub(crate) reason: Option<String>,
    /// For scripts: taken, though this never asks
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Forget {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// For scripts: taken, though this never asks
    #[arg(long)]
    pub(crate) yes: bool,
}
