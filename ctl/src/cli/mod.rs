//! The command line: the one definition that help, man page and completions come from. One file per family
//! of verbs.

mod backup;
#[cfg(test)]
mod documents;
mod email;
mod enable;
mod host;
mod import;
mod log;
pub(crate) mod parse;
mod people;
mod policy;
mod reset;
mod rules;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use countersign_protocol::names::SYSTEM_BUS_ADDRESS;

pub(crate) use backup::{Backup, Export, ImportPeople, Passphrase, Rekey, Restore};
pub(crate) use email::{
    Email, EmailConfirm, EmailPreview, EmailRemove, EmailSet, EmailShow, EmailTest, EmailVerb,
};
pub(crate) use enable::{Confirm, Disable, Enable, Rollback};
pub(crate) use host::{Doctor, Metrics, Status};
pub(crate) use import::{ImportGoogle, ImportHow, ImportOath, ImportOtpauth, ImportVerb};
pub(crate) use log::{Accept, Acts, Log, LogVerb, Logins, Verify};
pub(crate) use people::{Enroll, Invite, RecoveryCodes, Remove, Rename, Resync, Users};
pub(crate) use policy::{From, PolicyApply, PolicyCheck, PolicyExplain, PolicyImpact, PolicyVerb};
pub(crate) use reset::{Approve, Forget, Lock, RequestReset, Reset, Unlock};
pub(crate) use rules::{AcceptClock, Exempt, Require};

/// Manage second factors for logins on this host.
#[derive(Parser)]
#[command(
    name = "countersignctl",
    version,
    arg_required_else_help = true,
    after_help = "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 4 not authorized,\n\
                  5 daemon unavailable, 6 a check found problems."
)]
pub(crate) struct Cli {
    /// D-Bus address, for private set-ups
    #[arg(long, global = true, value_name = "ADDRESS", default_value = SYSTEM_BUS_ADDRESS,
          hide_default_value = true)]
    pub(crate) bus: String,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Add an authenticator app, by QR code and first code
    Enroll(Enroll),
    /// Give an authenticator another name
    Rename(Rename),
    /// Remove an authenticator
    Remove(Remove),
    /// Put an authenticator right whose clock is off
    Resync(Resync),
    /// Count the recovery codes that are left, or make new ones
    RecoveryCodes(RecoveryCodes),
    /// Make a one-time code by which USER can enroll
    Invite(Invite),
    /// Show the state of the daemon, or of USER
    Status(Status),
    /// Show logins, newest first
    Log(Box<Log>),
    /// Show people who have a factor, by uid
    Users(Users),
    /// Print what is measured, as OpenMetrics text
    Metrics(Metrics),
    /// Remove all factors of USER, for a lost phone
    Reset(Reset),
    /// Ask for a reset of USER, a colleague who lost the phone
    RequestReset(RequestReset),
    /// Show resets that were asked for, and approve or refuse one
    Approve(Approve),
    /// Refuse every login of USER until unlocked, or list of whom
    Lock(Lock),
    /// Lift the locks of USER
    Unlock(Unlock),
    /// Forget the places from which USER passes unasked
    Forget(Forget),
    /// Let USER in without a second factor for a while, or list whom
    Exempt(Exempt),
    /// Require a second factor of USER in any case, or list of whom
    Require(Require),
    /// Take this host's clock for right after it once stood later
    AcceptClock(AcceptClock),
    /// Find what breaks logins on this host, or lets them through
    Doctor(Doctor),
    /// Have PAM services ask for a code, with a way back
    Enable(Enable),
    /// Keep what enable changed, after a login with a code
    Confirm(Confirm),
    /// Have PAM services ask no more, and undo what enable changed
    Disable(Disable),
    /// Mail: where codes and notices go, and what sends them
    Email(Email),
    /// Check, explain and apply the policy file
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Copy everything into a new file, secrets sealed
    Backup(Backup),
    /// Bring back what a backup has and this host lost
    Restore(Restore),
    /// Copy people into a new file for another host, encrypted
    Export(Export),
    /// Make a new sealing key
    Rekey(Rekey),
    /// Take over the authenticators of other programs
    #[command(subcommand, disable_help_subcommand = true)]
    Import(ImportVerb),
    /// List what may be typed next; run by the completions of shells
    #[command(hide = true)]
    Complete {
        /// The words so far; the last one may be empty
        #[arg(last = true)]
        words: Vec<OsString>,
    },
    /// Print one of the caller's own files; run by import as the owner
    #[command(name = "read-own", hide = true)]
    ReadOwn {
        /// The file
        file: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_bus_is_the_compiled_in_one() {
        let cli = Cli::try_parse_from(["countersignctl", "users"]).expect("valid");
        assert_eq!(cli.bus, SYSTEM_BUS_ADDRESS);
    }

    #[test]
    fn what_is_refused() {
        let usage = |args: &[&str]| Cli::try_parse_from(args.iter().copied()).is_err();
        assert!(usage(&["countersignctl"]));
        assert!(usage(&["countersignctl", "invite"]));
        assert!(usage(&["countersignctl", "invite", "alice", "--minutes", "0"]));
        assert!(usage(&["countersignctl", "invite", "alice", "--minutes", "1441"]));
        assert!(usage(&["countersignctl", "enroll", "--name", "a\nb"]));
        assert!(usage(&["countersignctl", "enroll", ""]));
        assert!(usage(&["countersignctl", "reset", "alice"]));
        assert!(usage(&["countersignctl", "reset", "alice", "--reason", " "]));
        assert!(usage(&["countersignctl", "reset", "alice", "--reason", "a\nb"]));
        assert!(usage(&["countersignctl", "request-reset", "alice"]));
        assert!(usage(&["countersignctl", "approve", "0"]));
        assert!(usage(&["countersignctl", "approve", "3", "--refuse"]));
        assert!(usage(&["countersignctl", "approve", "3", "--reason", "no"]));
        assert!(usage(&["countersignctl", "approve", "--yes"]));
        assert!(usage(&["countersignctl", "approve", "3", "--json"]));
        assert!(!usage(&["countersignctl", "approve", "3", "--refuse", "--reason", "no"]));
        assert!(!usage(&["countersignctl", "approve", "--list", "--json"]));
        assert!(usage(&["countersignctl", "backup"]));
        assert!(usage(&["countersignctl", "backup", "f", "--key-file", "k"]));
        assert!(usage(&["countersignctl", "restore", "f"]));
        assert!(usage(&["countersignctl", "restore", "f", "--dry-run", "--yes"]));
        assert!(!usage(&["countersignctl", "restore", "f", "--dry-run"]));
        assert!(!usage(&["countersignctl", "restore", "f", "--extract", "d"]));
        assert!(usage(&["countersignctl", "export", "f", "alice"]));
        assert!(usage(&["countersignctl", "import", "people", "f", "--reason", "x", "--add", "--replace"]));
        assert!(usage(&["countersignctl", "import", "people", "f"]));
        assert!(usage(&["countersignctl", "log", "--limit", "0"]));
        assert!(usage(&["countersignctl", "log", "-o"]));
        assert!(usage(&["countersignctl", "log", "--state", "sleeping"]));
        assert!(usage(&["countersignctl", "log", "--from", "host.example"]));
        assert!(usage(&["countersignctl", "log", "--from", "10.1.2.3/8"]));
        assert!(usage(&["countersignctl", "log", "--since", "yesterday"]));
        assert!(usage(&["countersignctl", "log", "alice", "--user", "bob"]));
        assert!(usage(&["countersignctl", "log", "alice", "--all"]));
        assert!(usage(&["countersignctl", "log", "accept"]));
        assert!(!usage(&["countersignctl", "log", "verify", "--json"]));
        assert!(!usage(&["countersignctl", "log", "--user", "verify"]));
        assert!(!usage(&["countersignctl", "log", "--state", "denied,locked", "--from", "10.0.0.0/8", "-f"]));
        assert!(usage(&["countersignctl", "email", "test"]));
        assert!(usage(&["countersignctl", "email", "test", "a@b\nBcc: c@d"]));
        assert!(!usage(&["countersignctl", "email"]));
        assert!(!usage(&["countersignctl", "email", "alice"]));
        assert!(!usage(&["countersignctl", "email", "alice", "--json"]));
        assert!(usage(&["countersignctl", "email", "--json", "set", "a@b"]));
        assert!(usage(&["countersignctl", "email", "set"]));
        for address in
            ["a@b\nBcc: c@d", "a b@c", "a@b,c@d", "<a@b>", "Al <a@b>", "a@b\r", "@b", "a", "\u{fc}@b"]
        {
            assert!(usage(&["countersignctl", "email", "set", address]), "{address:?}");
        }
        assert!(usage(&["countersignctl", "email", "set", "a@example.org", "alice", "--reason", "a\nb"]));
        assert!(usage(&["countersignctl", "policy"]));
        assert!(usage(&["countersignctl", "policy", "explain"]));
        assert!(usage(&["countersignctl", "policy", "explain", "alice", "--from", "host.example"]));
        assert!(usage(&["countersignctl", "policy", "explain", "alice", "--service", "a/b"]));
        assert!(!usage(&["countersignctl", "log", "--", "-o"]));
        assert!(usage(&["countersignctl", "exempt", "--until", "2027-01-31"]));
        assert!(usage(&["countersignctl", "exempt", "alice", "--until", "soon", "--reason", "x"]));
        assert!(usage(&["countersignctl", "exempt", "alice", "--until", "+1d", "--end"]));
        assert!(usage(&["countersignctl", "exempt", "alice", "--json"]));
        assert!(usage(&["countersignctl", "lock", "--yes"]));
        assert!(usage(&["countersignctl", "lock", "alice", "--json"]));
        assert!(!usage(&["countersignctl", "lock"]));
        assert!(usage(&["countersignctl", "require", "--end"]));
        assert!(usage(&["countersignctl", "require", "--yes"]));
        assert!(!usage(&["countersignctl", "require", "alice", "--yes"]));
        assert!(!usage(&["countersignctl", "unlock", "alice", "--yes"]));
        assert!(!usage(&["countersignctl", "require", "alice"]));
        assert!(usage(&["countersignctl", "enable"]));
        assert!(usage(&["countersignctl", "enable", "sshd", "--all"]));
        assert!(!usage(&["countersignctl", "enable", "sshd", "--yes"]));
        assert!(usage(&["countersignctl", "enable", "../shadow"]));
        assert!(usage(&["countersignctl", "enable", "sshd", "--rollback-after", "2h"]));
        assert!(usage(&["countersignctl", "disable"]));
        assert!(usage(&["countersignctl", "disable", "--rollback", "../x"]));
        assert!(!usage(&["countersignctl", "enable", "sshd", "sudo", "--force", "--yes"]));
        assert!(!usage(&["countersignctl", "disable", "--all", "--yes"]));
    }
}
