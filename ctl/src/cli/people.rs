//! Factors of people.

use clap::Args;

use super::parse::{label, reason, user};

#[derive(Args)]
pub(crate) struct Enroll {
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// What to call it, where there are several
    #[arg(long, value_name = "NAME", value_parser = label)]
    pub(crate) name: Option<String>,
    /// One-time code from an administrator; where it
    /// is needed it is asked for
    #[arg(long, value_name = "CODE", verbatim_doc_comment)]
    pub(crate) invitation: Option<String>,
    /// Print {uri, secret, issuer, account}, read the code
    /// from standard input, print {recovery_codes}
    #[arg(long, verbatim_doc_comment)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Rename {
    /// Its name, as status shows it
    #[arg(value_parser = label)]
    pub(crate) name: String,
    /// Its new name
    #[arg(value_parser = label)]
    pub(crate) new_name: String,
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
}

#[derive(Args)]
pub(crate) struct Remove {
    /// Its name, as status shows it
    #[arg(value_parser = label)]
    pub(crate) name: String,
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Why, for the log; needed for somebody else
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct Resync {
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Which authenticator, where there are several
    #[arg(long, value_name = "NAME", default_value = "app", value_parser = label)]
    pub(crate) name: String,
}

#[derive(Args)]
pub(crate) struct RecoveryCodes {
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Make a new set; the old one is void at once
    #[arg(long)]
    pub(crate) new: bool,
    /// Show those that are left, where policy allows it
    #[arg(long, conflicts_with = "new", requires = "reason")]
    pub(crate) view: bool,
    /// Why they are viewed, for the log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// One JSON object: {left} or {recovery_codes}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Invite {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// How long the code is good
    #[arg(long, value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub(crate) minutes: u32,
    /// One JSON object {code, seconds}
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Users {
    /// One JSON object per line; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}
