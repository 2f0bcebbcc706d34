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
    /// Put a backup in place where the database is gone, and end
    #[arg(long, value_name = "FILE", conflicts_with_all = ["init", "bus"])]
    pub restore: Option<PathBuf>,
    /// The key file of the backup's day [default: the sealing key]
    #[arg(long, value_name = "FILE", requires = "restore")]
    pub backup_key: Option<PathBuf>,
    /// Accept an older copy in the place of the database that is lost, and
    /// end; recovery codes and exemptions in it are void
    #[arg(long, conflicts_with_all = ["init", "bus", "restore"], verbatim_doc_comment)]
    pub accept_older: bool,
    /// With either: recovery codes unused in the copy stay good, those used
    /// since among them
    #[arg(long, verbatim_doc_comment)]
    pub keep_recovery_codes: bool,
    /// Serve this bus instead of the system bus
    #[arg(long, value_name = "ADDRESS")]
    pub bus: Option<String>,
    /// Configuration file
    #[arg(long, value_name = "FILE", default_value = "/etc/countersign/countersign.toml")]
    pub config: PathBuf,
    /// State directory
    #[arg(long, value_name = "DIR", default_value = "/var/lib/countersign")]
    pub state: PathBuf,
    /// Sealing key [default: the systemd credential countersign.key, else /etc/countersign/key]
    #[arg(long, value_name = "FILE")]
    pub key_file: Option<PathBuf>,
}

impl Args {
    /// Where the state lies.
    #[must_use]
    pub fn layout(&self) -> Layout {
        // The unit hands the daemon a credential; `--init` and `--restore` make the file.
        let credential = if self.init || self.restore.is_some() { None } else { credential() };
        let key = self.key_file.clone().or(credential);
        Layout {
            state: self.state.clone(),
            key: key.unwrap_or_else(|| PathBuf::from("/etc/countersign/key")),
        }
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

/// The sealing key as the service manager hands it over (systemd.exec(5), `LoadCredential=`).
fn credential() -> Option<PathBuf> {
    let path = PathBuf::from(std::env::var_os("CREDENTIALS_DIRECTORY")?).join("countersign.key");
    path.exists().then_some(path)
}
