//! Services that ask: switched on, confirmed, switched off.

use clap::Args;

use super::parse::{minutes, reason, rollback, service};

#[derive(Args)]
pub(crate) struct Enable {
    /// PAM services: sshd, login, sudo, su, ...
    #[arg(value_name = "SERVICE", value_parser = service, required_unless_present = "all")]
    pub(crate) services: Vec<String>,
    /// Every service at once, by the distribution's tool
    /// (pam-auth-update)
    #[arg(long, conflicts_with = "services", verbatim_doc_comment)]
    pub(crate) all: bool,
    /// sshd: a key and a code, and no password
    #[arg(long)]
    pub(crate) after_key: bool,
    /// Take all back after this time if nobody confirms,
    /// such as 5m or 90s; an hour at most
    #[arg(long, value_name = "TIME", default_value = "5m", value_parser = minutes, verbatim_doc_comment)]
    pub(crate) rollback_after: u64,
    /// Show the change and what would come of it, and change
    /// nothing
    #[arg(long, verbatim_doc_comment)]
    pub(crate) dry_run: bool,
    /// Do it in spite of what was found; says what, and asks
    #[arg(long)]
    pub(crate) force: bool,
    /// Do not ask; only --force does
    #[arg(long)]
    pub(crate) yes: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Confirm {
    /// PAM services; without any, every change that waits
    #[arg(value_name = "SERVICE", value_parser = service)]
    pub(crate) services: Vec<String>,
    /// The change that enable --all made
    #[arg(long, conflicts_with = "services")]
    pub(crate) all: bool,
    /// One JSON object per change
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Disable {
    /// PAM services
    #[arg(value_name = "SERVICE", value_parser = service, required_unless_present_any = ["all", "rollback"])]
    pub(crate) services: Vec<String>,
    /// Every service, and every line of ours in /etc/pam.d
    #[arg(long, conflicts_with = "services")]
    pub(crate) all: bool,
    /// Why, for the system's log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// Show what would be taken out, and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
    /// Run by the timer, with the number of its change, and after a restart, with "at-boot"
    #[arg(long, hide = true, value_parser = rollback, conflicts_with_all = ["services", "all"])]
    pub(crate) rollback: Option<Rollback>,
}

/// What nobody confirmed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Rollback {
    /// This change.
    Change(String),
    /// Whatever was changed before the restart.
    AtBoot,
}
