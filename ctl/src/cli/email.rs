//! Mail.

use clap::{Args, Subcommand};

use super::parse::address;

#[derive(Subcommand)]
pub(crate) enum EmailVerb {
    /// Send a test letter and show how far it comes, stage by stage
    Test(EmailTest),
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
