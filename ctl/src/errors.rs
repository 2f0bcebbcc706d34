//! What went wrong, for the person and for the script that called: a sentence and an exit code.

use std::process::ExitCode;

use countersign_protocol::names::error as name;
use zbus::fdo;

use crate::terminal::safe;
use crate::text;

/// The exit codes that scripts rely on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was tried and did not work.
    Failed = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// No such person.
    NotFound = 3,
    /// The caller may not do this.
    NotAuthorized = 4,
    /// The daemon or the bus does not answer, or cannot decide.
    Unavailable = 5,
    /// What was looked at has problems, and they have been printed.
    Problems = 6,
}

/// Why a verb did not do its work. An empty message means that nothing needs to be said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    exit: Exit,
    message: String,
}

impl Failure {
    pub(crate) fn new(exit: Exit, message: impl Into<String>) -> Self {
        Self { exit, message: message.into() }
    }

    /// Whether it ends in this code.
    pub(crate) fn is(&self, exit: Exit) -> bool {
        self.exit == exit
    }

    /// With one more line.
    pub(crate) fn with(mut self, line: &str) -> Self {
        self.message = format!("{}\n{line}", self.message);
        self
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Exit::Failed, message)
    }

    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self::new(Exit::Usage, message)
    }

    /// Safe for a terminal; may have several lines.
    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn code(&self) -> ExitCode {
        ExitCode::from(self.exit as u8)
    }
}

/// A refused or failed call, as the daemon or the bus put it.
impl From<zbus::Error> for Failure {
    fn from(error: zbus::Error) -> Self {
        match &error {
            zbus::Error::MethodError(name, text, _) => {
                by_name(name.as_str(), text.as_deref().unwrap_or_default())
            }
            zbus::Error::FDO(error) => by_standard_error(error),
            zbus::Error::InputOutput(_) => {
                Self::new(Exit::Unavailable, text::no_answer(&safe(&error.to_string())))
            }
            // Whatever else zbus reports is a reply that is not what was agreed.
            other => Self::new(Exit::Unavailable, text::strange_answer(&safe(&other.to_string()))),
        }
    }
}

/// The daemon's own errors.
fn by_name(error: &str, said: &str) -> Failure {
    let said = safe(said);
    match error {
        name::NOT_AUTHORIZED => Failure::new(Exit::NotAuthorized, text::not_authorized(&said)),
        name::NOT_FOUND => Failure::new(Exit::NotFound, text::not_found(&said)),
        name::BUSY => Failure::new(Exit::Unavailable, text::busy(&said)),
        name::UNAVAILABLE => Failure::new(Exit::Unavailable, text::cannot_decide(&said)),
        name::EXPIRED => Failure::failed(text::expired(&said)),
        name::INVALID_ARGUMENT => Failure::failed(text::refused(&said)),
        // systemd was asked to start the daemon, and refused: masked, or gone.
        _ if error.starts_with("org.freedesktop.systemd1.") => {
            Failure::new(Exit::Unavailable, text::not_running())
        }
        _ => Failure::new(Exit::Unavailable, text::strange_answer(&format!("{}: {said}", safe(error)))),
    }
}

/// The bus's errors.
fn by_standard_error(error: &fdo::Error) -> Failure {
    match error {
        fdo::Error::ServiceUnknown(_) | fdo::Error::NameHasNoOwner(_) => {
            Failure::new(Exit::Unavailable, text::not_running())
        }
        fdo::Error::AccessDenied(said) | fdo::Error::AuthFailed(said) => {
            Failure::new(Exit::NotAuthorized, text::not_authorized(&safe(said)))
        }
        fdo::Error::NoReply(said)
        | fdo::Error::Timeout(said)
        | fdo::Error::TimedOut(said)
        | fdo::Error::Disconnected(said) => Failure::new(Exit::Unavailable, text::no_answer(&safe(said))),
        other => Failure::new(Exit::Unavailable, text::strange_answer(&safe(&other.to_string()))),
    }
}

/// Why the daemon refused this one thing, where others of its kind may still succeed; safe to show.
pub(crate) fn refusal(error: &zbus::Error) -> Option<String> {
    match error {
        zbus::Error::MethodError(error, Some(said), _)
            if [name::INVALID_ARGUMENT, name::NOT_FOUND].contains(&error.as_str()) =>
        {
            Some(safe(said))
        }
        _ => None,
    }
}

/// Whether the daemon's only complaint is that the typed code is wrong.
pub(crate) fn is_wrong_code(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::MethodError(name, Some(text), _) => {
            name.as_str() == name::INVALID_ARGUMENT
                && text.to_lowercase().starts_with("that code is not right")
        }
        _ => false,
    }
}

/// Whether the daemon would enroll this person with an invitation.
pub(crate) fn needs_invitation(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::MethodError(name, Some(text), _) => {
            name.as_str() == name::INVALID_ARGUMENT && text.starts_with("an invitation is needed")
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exit(error: &str) -> Exit {
        by_name(error, "text").exit
    }

    #[test]
    fn names_become_exit_codes() {
        assert_eq!(exit(name::NOT_AUTHORIZED), Exit::NotAuthorized);
        assert_eq!(exit(name::NOT_FOUND), Exit::NotFound);
        assert_eq!(exit(name::EXPIRED), Exit::Failed);
        assert_eq!(exit(name::INVALID_ARGUMENT), Exit::Failed);
        assert_eq!(exit(name::BUSY), Exit::Unavailable);
        assert_eq!(exit(name::UNAVAILABLE), Exit::Unavailable);
        assert_eq!(exit("org.example.Other"), Exit::Unavailable);
        let masked = by_name("org.freedesktop.systemd1.UnitMasked", "Unit countersignd.service is masked.");
        assert!(masked.message.contains("countersignd does not run"));
    }

    #[test]
    fn an_absent_daemon_is_said_to_be_absent() {
        let failure = by_standard_error(&fdo::Error::ServiceUnknown(String::new()));
        assert_eq!(failure.exit, Exit::Unavailable);
        assert!(failure.message.contains("systemctl status countersignd"));
    }

    #[test]
    fn the_daemons_text_is_made_safe() {
        let failure = by_name(name::NOT_FOUND, "no \u{1b}[2J\nuser");
        assert!(!failure.message.contains('\u{1b}'));
        assert!(failure.message.contains("\\x1b[2J"), "{}", failure.message);
    }
}
