//! Backups, the sealing key, and people on their way to another host.

use std::path::PathBuf;

use clap::Args;

use super::parse::{reason, user};

/// Where the sealing key lies unless a systemd credential holds it.
const KEY_FILE: &str = "/etc/countersign/key";

#[derive(Args)]
pub(crate) struct Backup {
    /// The new file; it must not exist yet
    pub(crate) file: PathBuf,
    /// Put the sealing key in, and encrypt the whole by a passphrase
    /// (without it, keep the key elsewhere: no backup is read without)
    #[arg(long, verbatim_doc_comment)]
    pub(crate) with_key: bool,
    /// The key file
    #[arg(long, value_name = "FILE", default_value = KEY_FILE, requires = "with_key")]
    pub(crate) key_file: PathBuf,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Restore {
    /// What backup made
    pub(crate) file: PathBuf,
    /// Why; people whose factors change are told
    #[arg(long, value_name = "TEXT", value_parser = reason, required_unless_present_any = ["dry_run", "extract"])]
    pub(crate) reason: Option<String>,
    /// Recovery codes that were unused in both stay good; without it they
    /// are void, since a backup does not know which were used later
    #[arg(long, verbatim_doc_comment)]
    pub(crate) keep_recovery_codes: bool,
    /// The key file of the backup's day, where the key is another one now
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Show what would happen, change nothing
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
    /// Only unpack a file with the key into this new folder
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["dry_run", "yes", "key_file", "json"])]
    pub(crate) extract: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// One JSON object; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Rekey {
    /// The key file; it is replaced
    #[arg(long, value_name = "FILE", default_value = KEY_FILE)]
    pub(crate) key_file: PathBuf,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Export {
    /// The new file; it must not exist yet
    pub(crate) file: PathBuf,
    /// Login names [default: everybody]
    #[arg(value_parser = user)]
    pub(crate) user: Vec<String>,
    /// Why; the people concerned are told
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct ImportPeople {
    /// What export made on another host
    pub(crate) file: PathBuf,
    /// Why; the people concerned are told
    #[arg(long, value_name = "TEXT", value_parser = reason, required_unless_present = "dry_run")]
    pub(crate) reason: Option<String>,
    /// Also for people who have a factor here, beside it
    #[arg(long, conflicts_with = "replace")]
    pub(crate) add: bool,
    /// Also for people who have a factor here, in the place of it
    #[arg(long)]
    pub(crate) replace: bool,
    /// Show what would happen, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) passphrase: Passphrase,
    /// Do not ask before factors are replaced
    #[arg(long)]
    pub(crate) yes: bool,
    /// One JSON object per line
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Passphrase {
    /// Read the passphrase from the first line of FILE, "-" for standard
    /// input [default: asked at the terminal]
    #[arg(long, value_name = "FILE", verbatim_doc_comment)]
    pub(crate) passphrase_file: Option<PathBuf>,
}
