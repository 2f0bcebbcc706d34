//! The command line of countersignd.

use crate::store::Layout;
use clap::Parser;
use countersign_protocol::names;
use std::path::PathBuf;

/// Decides second factors for logins of this host, on the local bus.
#[derive(Debug, Parser)]
#[command(name = "countersignd", version)]
pub struct Args {
    /// Create state directory, sealing key and database once, and end
    #[arg(long, conflicts_with = "bus")]
    pub init: bool,
    /// Serve this bus instead of the system bus
    #[arg(long, value_name = "ADDRESS")]
    pub bus: Option<String>,
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/countersign/countersign.toml")]
    pub config: PathBuf,
    /// State directory
    #[arg(long, value_name = "DIR", default_value = "/var/lib/countersign")]
    pub state: PathBuf,
    /// Sealing key
    #[arg(long, value_name = "FILE", default_value = "/etc/countersign/key")]
    pub key_file: PathBuf,
}

impl Args {
    /// Where the state lies.
    #[must_use]
    pub fn layout(&self) -> Layout {
        Layout { state: self.state.clone(), key: self.key_file.clone() }
    }

    /// The address of the bus. Compiled in unless given: no environment variable moves it.
    #[must_use]
    pub fn address(&self) -> &str {
        self.bus.as_deref().unwrap_or(names::SYSTEM_BUS_ADDRESS)
    }

    /// Who may own the configuration besides root: in a private set-up, whoever runs it.
    #[must_use]
    pub fn also_owner(&self) -> Option<u32> {
        self.bus.as_ref().map(|_| nix::unistd::geteuid().as_raw())
    }
}
