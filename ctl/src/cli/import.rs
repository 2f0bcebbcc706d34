//! Authenticators of other programs.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::backup::ImportPeople;
use super::parse::user;

#[derive(Subcommand)]
pub(crate) enum ImportVerb {
    /// Take over ~/.google_authenticator of USER or everybody
    GoogleAuthenticator(ImportGoogle),
    /// Take over the users file of pam_oath
    Oath(ImportOath),
    /// Take in people whom another host exported
    People(ImportPeople),
    /// Take over otpauth:// URIs
    Otpauth(ImportOtpauth),
}

#[derive(Args)]
pub(crate) struct ImportGoogle {
    /// Whose [default: the caller's own]
    #[arg(long, value_parser = user, conflicts_with = "all_homes", verbatim_doc_comment)]
    pub(crate) user: Option<String>,
    /// Of everybody whom `getent passwd` lists
    #[arg(long)]
    pub(crate) all_homes: bool,
    /// Also for people who have an authenticator already
    #[arg(long)]
    pub(crate) add: bool,
    #[command(flatten)]
    pub(crate) how: ImportHow,
}

#[derive(Args)]
pub(crate) struct ImportOath {
    /// The users file
    #[arg(default_value = "/etc/users.oath")]
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) how: ImportHow,
}

#[derive(Args)]
pub(crate) struct ImportOtpauth {
    /// A file with one URI a line, "-" for standard input, or a URI
    /// (which others can see in the list of processes)
    #[arg(value_name = "URI|FILE", verbatim_doc_comment)]
    pub(crate) from: OsString,
    /// Whose [default: the account in the URI, up to the "@"]
    #[arg(long, value_parser = user, verbatim_doc_comment)]
    pub(crate) user: Option<String>,
    #[command(flatten)]
    pub(crate) how: ImportHow,
}

#[derive(Args)]
pub(crate) struct ImportHow {
    /// Show what would happen, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Write what is refused, and why, into this new file
    #[arg(long, value_name = "FILE")]
    pub(crate) failures: Option<PathBuf>,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}
