//! Mail.

use clap::{Args, Subcommand};

use super::parse::{address, reason, user};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Email {
    #[command(subcommand)]
    pub(crate) verb: Option<EmailVerb>,
    #[command(flatten)]
    pub(crate) show: EmailShow,
}

#[derive(Subcommand)]
pub(crate) enum EmailVerb {
    /// Show where codes and notices go; the same without a verb
    Show(EmailShow),
    /// Set a mail address; a code is sent there to confirm it
    Set(EmailSet),
    /// Confirm it by that code
    Confirm(EmailConfirm),
    /// Remove the address that was set
    Remove(EmailRemove),
    /// Show a letter with sample values, as it would be sent
    Preview(EmailPreview),
    /// Send a test letter and show how far it comes, stage by stage
    Test(EmailTest),
}

#[derive(Args)]
pub(crate) struct EmailShow {
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// One JSON object per address
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct EmailSet {
    /// The address
    #[arg(value_parser = address)]
    pub(crate) address: String,
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Why, for the log; needed for somebody else
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
    /// One-time code from an administrator; where it
    /// is needed it is asked for
    #[arg(long, value_name = "CODE", verbatim_doc_comment)]
    pub(crate) invitation: Option<String>,
}

#[derive(Args)]
pub(crate) struct EmailConfirm {
    /// Login name; without it, yours
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
}

#[derive(Args)]
pub(crate) struct EmailRemove {
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
pub(crate) struct EmailPreview {
    /// Under which policy; the first that sends codes, unless given
    #[arg(long, value_name = "NAME")]
    pub(crate) policy: Option<String>,
    /// Which letter: with a code, or about what happened
    #[arg(long, value_name = "LETTER", value_parser = ["code", "notice"], default_value = "code")]
    pub(crate) template: String,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct EmailTest {
    /// Where the letter goes
    #[arg(value_parser = address)]
    pub(crate) address: String,
    /// Which [mailbox.NAME] sends it; needed where there are several
    #[arg(long, value_name = "NAME")]
    pub(crate) mailbox: Option<String>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}
