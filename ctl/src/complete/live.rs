//! Names that this host has: people, policies, PAM services, mailboxes.

use std::path::Path;
use std::sync::mpsc::Sender;

use countersign_config::Config;

use crate::bus;
use crate::import::account_names;
use crate::policy::POLICY_FILE;

/// The daemon gives people in pages of this size.
const PAGE: u32 = 500;
/// A folder with more files than this is not of PAM.
const MOST_SERVICES: usize = 1000;
const PAM_FOLDER: &str = "/etc/pam.d";

/// Of what kind a name is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    User,
    Policy,
    Service,
    Mailbox,
}

impl Kind {
    /// By the name of the argument in the definition.
    pub(super) fn of(argument: &str) -> Option<Self> {
        match argument {
            "user" => Some(Self::User),
            "policy" => Some(Self::Policy),
            "service" | "services" => Some(Self::Service),
            "mailbox" => Some(Self::Mailbox),
            _ => None,
        }
    }

    /// What stands beside each name.
    pub(super) fn is(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Policy => "policy",
            Self::Service => "PAM service",
            Self::Mailbox => "mailbox",
        }
    }
}

/// Tells the names, in as many lots as they come in.
pub(super) fn names(kind: Kind, bus: &str, tell: &Sender<Vec<String>>) {
    // Nobody is left to tell when time is up.
    let tell = |names: Vec<String>| drop(tell.send(names));
    match kind {
        Kind::User => {
            tell(account_names());
            // Whoever is enrolled but cannot be listed. Others than root polkit would ask for a password.
            if rustix::process::geteuid().is_root() {
                enrolled(bus, tell);
            }
        }
        Kind::Policy => tell(configured(|config| config.policies.into_iter().map(|p| p.name).collect())),
        Kind::Mailbox => tell(configured(|config| config.mailboxes.into_iter().map(|m| m.name).collect())),
        Kind::Service => tell(services(Path::new(PAM_FOLDER))),
    }
}

/// By the daemon, page by page. None where it does not answer.
fn enrolled(bus: &str, tell: impl Fn(Vec<String>)) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else { return };
    runtime.block_on(async {
        let Ok(manager) = bus::connect(bus).await else { return };
        let mut after = None;
        // Uids that do not grow would have us ask for ever.
        while let Ok(page) = manager.users(after.is_none(), after.unwrap_or(0), PAGE).await {
            let Some(last) = page.last().map(|person| person.uid).filter(|uid| Some(*uid) > after) else {
                return;
            };
            after = Some(last);
            tell(page.into_iter().map(|person| person.user).collect());
        }
    });
}

/// Of the file that countersignd reads. None where it is broken.
fn configured(names: impl Fn(Config) -> Vec<String>) -> Vec<String> {
    countersign_config::load(Path::new(POLICY_FILE), None).map(names).unwrap_or_default()
}

/// As PAM names them: the files of its folder.
fn services(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().take(MOST_SERVICES);
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    names.filter(|name| !name.starts_with("common-") && name != "other").collect()
}
