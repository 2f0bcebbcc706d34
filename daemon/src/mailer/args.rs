//! The command line of countersign-mailer.

use clap::Parser;
use countersign_protocol::names;
use std::path::PathBuf;

/// Hands the letters of countersignd to mail servers. Started by the bus when there is one to send.
#[derive(Debug, Parser)]
#[command(name = "countersign-mailer", version)]
pub struct Args {
    /// Serve this bus instead of the system bus
    #[arg(long, value_name = "ADDRESS")]
    pub bus: Option<String>,
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/countersign/countersign.toml")]
    pub config: PathBuf,
    /// Folder with one file per mailbox, which holds its password or token
    #[arg(long, value_name = "DIR", default_value = "/etc/countersign/mailbox.d")]
    pub mailboxes: PathBuf,
    /// Take letters from this uid instead of countersign's
    #[arg(long, value_name = "UID", requires = "bus")]
    pub sender: Option<u32>,
    /// End after so many seconds without a letter
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub idle: u64,
}

impl Args {
    /// The address of the bus. Compiled in unless given.
    #[must_use]
    pub fn address(&self) -> &str {
        self.bus.as_deref().unwrap_or(names::SYSTEM_BUS_ADDRESS)
    }

    /// Who may own configuration and secrets besides root: in a private set-up, whoever runs it.
    #[must_use]
    pub fn also_owner(&self) -> Option<u32> {
        self.bus.as_ref().map(|_| nix::unistd::geteuid().as_raw())
    }
}
