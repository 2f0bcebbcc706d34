//! The command line: the one definition that help, man page and completions come from.

use std::ffi::OsString;
use std::net::IpAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use countersign_protocol::names::SYSTEM_BUS_ADDRESS;

use crate::date::{self, Date};

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
    Log(Log),
    /// Show people who have a factor, by uid
    Users(Users),
    /// Remove all factors of USER, for a lost phone
    Reset(Reset),
    /// Ask for a reset of USER, a colleague who lost the phone
    RequestReset(RequestReset),
    /// Show resets that were asked for, and approve or refuse one
    Approve(Approve),
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
    /// Mail: what sends codes and notices
    #[command(subcommand)]
    Email(EmailVerb),
    /// Check, explain and apply the policy file
    #[command(subcommand)]
    Policy(PolicyVerb),
    /// Take over the authenticators of other programs
    #[command(subcommand, disable_help_subcommand = true)]
    Import(ImportVerb),
    /// Print one of the caller's own files; run by import as the owner
    #[command(name = "read-own", hide = true)]
    ReadOwn {
        /// The file
        file: PathBuf,
    },
}

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
pub(crate) struct Status {
    /// Login name; without it, yours, and for root the daemon
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// One JSON object; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Log {
    /// Only logins of this person; without it, yours,
    /// and for root those of everybody
    #[arg(value_parser = user, verbatim_doc_comment)]
    pub(crate) user: Option<String>,
    /// Only the newest N [default: 100, all with --json]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) limit: Option<u64>,
    /// One JSON object per line; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Users {
    /// One JSON object per line; times in seconds since 1970
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Reset {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// Why, for the log and for USER
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
    /// As root, without the approvals that are configured
    #[arg(long)]
    pub(crate) alone: bool,
    /// End the open sessions of USER too
    #[arg(long)]
    pub(crate) end_sessions: bool,
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args)]
pub(crate) struct RequestReset {
    /// Login name of the colleague
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// Why, for whoever approves it and for USER
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: String,
}

#[derive(Args)]
pub(crate) struct Approve {
    /// The request's number; without it, all open requests
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) id: Option<u32>,
    /// Refuse it instead
    #[arg(long, requires_all = ["id", "reason"])]
    pub(crate) refuse: bool,
    /// Why it is refused, for the log and for the person
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "refuse")]
    pub(crate) reason: Option<String>,
    /// End the person's open sessions too
    #[arg(long, requires = "id", conflicts_with = "refuse")]
    pub(crate) end_sessions: bool,
    /// Do not ask first
    #[arg(long, requires = "id")]
    pub(crate) yes: bool,
    /// Show all open requests
    #[arg(long, conflicts_with = "id")]
    pub(crate) list: bool,
    /// One JSON object per request; times in seconds since 1970
    #[arg(long, conflicts_with = "id")]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Unlock {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// Why, for the log
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(crate) reason: Option<String>,
}

#[derive(Args)]
pub(crate) struct Forget {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
}

#[derive(Args)]
pub(crate) struct Exempt {
    /// Login name; without it, everybody who is exempt
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Until the end of a day (UTC) such as 2027-01-31,
    /// or 2027-01-31T18:00:00Z, or +14d; 90 days at most
    #[arg(long, value_name = "DATE", value_parser = date::parse, requires = "user", verbatim_doc_comment)]
    pub(crate) until: Option<Date>,
    /// Why, for the log and the list
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "user")]
    pub(crate) reason: Option<String>,
    /// Take the exemption back
    #[arg(long, requires = "user", conflicts_with = "until")]
    pub(crate) end: bool,
    /// Do not ask first
    #[arg(long, requires = "user")]
    pub(crate) yes: bool,
    /// List as one JSON object per line; times in seconds
    /// since 1970
    #[arg(long, conflicts_with = "user", verbatim_doc_comment)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct Require {
    /// Login name; without it, everybody of whom it is required by name
    #[arg(value_parser = user)]
    pub(crate) user: Option<String>,
    /// Until then (as exempt --until) USER may answer
    /// "later" without a factor [default: at once]
    #[arg(long, value_name = "DATE", value_parser = date::parse, requires = "user", verbatim_doc_comment)]
    pub(crate) by: Option<Date>,
    /// Why, for the log and the list
    #[arg(long, value_name = "TEXT", value_parser = reason, requires = "user")]
    pub(crate) reason: Option<String>,
    /// Take the requirement back; asks, and needs --reason
    #[arg(long, requires = "user", conflicts_with = "by")]
    pub(crate) end: bool,
    /// Do not ask
    #[arg(long, requires = "end")]
    pub(crate) yes: bool,
    /// List as one JSON object per line; times in seconds
    /// since 1970
    #[arg(long, conflicts_with = "user", verbatim_doc_comment)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct AcceptClock {
    /// Do not ask first
    #[arg(long)]
    pub(crate) yes: bool,
}

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

#[derive(Subcommand)]
pub(crate) enum PolicyVerb {
    /// Show every problem of a policy file; needs no daemon
    Check(PolicyCheck),
    /// Show what policy does with a login of USER, rule by rule
    Explain(PolicyExplain),
    /// Try a draft of the policy on the logins of the past
    Impact(PolicyImpact),
    /// Put the policy file into force, all of it or nothing
    Apply(PolicyApply),
}

#[derive(Args)]
pub(crate) struct PolicyCheck {
    /// Policy file; the drop-ins in conf.d beside it are read too
    /// [default: /etc/countersign/countersign.toml]
    #[arg(verbatim_doc_comment)]
    pub(crate) file: Option<PathBuf>,
    /// Do not ask whether the groups exist on this host
    #[arg(long)]
    pub(crate) no_groups: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct PolicyExplain {
    /// Login name
    #[arg(value_parser = user)]
    pub(crate) user: String,
    /// PAM service
    #[arg(long, value_name = "SERVICE", default_value = "sshd", value_parser = service)]
    pub(crate) service: String,
    /// Where the login comes from: an address, "local" or
    /// "unknown" [default: local]
    #[arg(long, value_name = "ADDRESS", value_parser = place, verbatim_doc_comment)]
    pub(crate) from: Option<From>,
    /// As if at that time: a day (its beginning, UTC), or
    /// 2027-01-31T18:00:00Z, or +14d [default: now]
    #[arg(long, value_name = "TIME", value_parser = date::parse, verbatim_doc_comment)]
    pub(crate) at: Option<Date>,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

/// Where an explained login comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum From {
    /// This machine.
    Local,
    /// Something remote that is no address.
    Unknown,
    /// There.
    Address(IpAddr),
}

#[derive(Args)]
pub(crate) struct PolicyImpact {
    /// The draft; the drop-ins in conf.d beside it are read too
    /// [default: the files that countersignd reads]
    #[arg(verbatim_doc_comment)]
    pub(crate) file: Option<PathBuf>,
    /// Logins of this time, such as 30d or 12h
    #[arg(long, value_name = "TIME", default_value = "30d", value_parser = span)]
    pub(crate) last: u64,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args)]
pub(crate) struct PolicyApply {
    /// End open sessions whose people have not passed what is
    /// asked, also where a policy says apply = "next-login"
    #[arg(long, verbatim_doc_comment)]
    pub(crate) now: bool,
    /// Show what would happen, change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Apply it even if it protects less; shows what, and asks
    #[arg(long)]
    pub(crate) accept_weaker: bool,
    /// Do not ask, neither before it protects less nor
    /// before sessions are ended
    #[arg(long, verbatim_doc_comment)]
    pub(crate) yes: bool,
    /// One JSON object
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Subcommand)]
pub(crate) enum ImportVerb {
    /// Take over ~/.google_authenticator of USER or everybody
    GoogleAuthenticator(ImportGoogle),
    /// Take over the users file of pam_oath
    Oath(ImportOath),
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

/// A login name as far as this side can judge it; whether it exists is the daemon's answer.
fn user(text: &str) -> Result<String, &'static str> {
    match text.len() {
        0 => Err("a login name is not empty"),
        1..=256 => Ok(text.to_owned()),
        _ => Err("a login name has at most 256 bytes"),
    }
}

/// A mail address as mail servers take it without quoting.
fn address(text: &str) -> Result<String, &'static str> {
    if countersign_config::is_address(text) {
        Ok(text.to_owned())
    } else {
        Err("write an address such as alice@example.org, without a name beside it")
    }
}

/// The name of an authenticator; the daemon has the last word.
fn label(text: &str) -> Result<String, &'static str> {
    match text.trim() {
        "" => Err("a name is not empty"),
        text if text.chars().count() > 32 => Err("a name has at most 32 characters"),
        text if text.chars().any(crate::terminal::is_unprintable) => Err("a name has no control characters"),
        text => Ok(text.to_owned()),
    }
}

/// Seconds, minutes, hours, days or weeks, in seconds; at most the ten years that a log is kept.
fn span(text: &str) -> Result<u64, &'static str> {
    let wrong = "write a number and a unit, such as 30d, 12h or 2w";
    let unit = text.chars().next_back().ok_or(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 24 * 3600,
        'w' => 7 * 24 * 3600,
        _ => return Err(wrong),
    };
    let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong)?;
    match number.checked_mul(seconds) {
        Some(span @ 1..=315_360_000) => Ok(span),
        _ => Err("write a time of one second to ten years"),
    }
}

/// The name of a PAM service, which is the name of a file.
fn service(text: &str) -> Result<String, &'static str> {
    match text {
        "" => Err("a service is not empty"),
        _ if text.len() > 256 => Err("a service has at most 256 bytes"),
        _ if text.contains(|c: char| c == '/' || c.is_whitespace()) => {
            Err("a service is the name of one file in /etc/pam.d")
        }
        // libpam turns the names into lower case before any module sees them.
        _ => Ok(text.to_lowercase()),
    }
}

/// Names of hosts are never resolved: whoever answers for a name would choose the policy.
fn place(text: &str) -> Result<From, &'static str> {
    match text {
        "local" => Ok(From::Local),
        "unknown" => Ok(From::Unknown),
        _ => text
            .parse()
            .map(From::Address)
            .map_err(|_| "write an address such as 192.0.2.7, or local, or unknown; names are not resolved"),
    }
}

/// A reason is one line of a log.
fn reason(text: &str) -> Result<String, &'static str> {
    if text.chars().any(crate::terminal::is_unprintable) {
        return Err("a reason is one line without control characters");
    }
    match text.trim() {
        "" => Err("a reason is not empty"),
        text if text.chars().count() > 400 => Err("a reason has at most 400 characters"),
        text => Ok(text.to_owned()),
    }
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
        assert!(usage(&["countersignctl", "log", "--limit", "0"]));
        assert!(usage(&["countersignctl", "log", "-o"]));
        assert!(usage(&["countersignctl", "email", "test"]));
        assert!(usage(&["countersignctl", "email", "test", "a@b\nBcc: c@d"]));
        assert!(usage(&["countersignctl", "policy"]));
        assert!(usage(&["countersignctl", "policy", "explain"]));
        assert!(usage(&["countersignctl", "policy", "explain", "alice", "--from", "host.example"]));
        assert!(usage(&["countersignctl", "policy", "explain", "alice", "--service", "a/b"]));
        assert!(!usage(&["countersignctl", "log", "--", "-o"]));
        assert!(usage(&["countersignctl", "exempt", "--until", "2027-01-31"]));
        assert!(usage(&["countersignctl", "exempt", "alice", "--until", "soon", "--reason", "x"]));
        assert!(usage(&["countersignctl", "exempt", "alice", "--until", "+1d", "--end"]));
        assert!(usage(&["countersignctl", "exempt", "alice", "--json"]));
        assert!(usage(&["countersignctl", "require", "--end"]));
        assert!(usage(&["countersignctl", "require", "alice", "--yes"]));
        assert!(!usage(&["countersignctl", "require", "alice"]));
    }
}
