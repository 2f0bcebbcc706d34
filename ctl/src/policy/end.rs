//! The open sessions that a policy means to end, and what becomes of each.

use countersign_protocol::manager::Session;
use zbus::Connection;

use crate::sessions::{self, End};
use crate::terminal::Screen;
use crate::text;

/// What is to become, or became, of a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fate {
    /// To be ended.
    Due,
    /// logind ended it.
    Ended,
    /// Nobody agreed to end it.
    Left,
    /// The caller types in it.
    Own,
    /// logind does not know it.
    Stray,
    /// It only may be that the policy asks.
    Uncertain,
    /// logind refused, and why; safe for a terminal.
    Refused(String),
}

/// One session and its fate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Planned {
    pub(super) session: Session,
    pub(super) fate: Fate,
}

/// What is to become of each session. Where logind does not say which is the caller's own, nothing
/// is to be ended, and the second part says why.
pub(super) async fn plan(bus: &Connection, sessions: Vec<Session>) -> (Vec<Planned>, Option<String>) {
    let (own, trouble) = if sessions.iter().any(|one| !one.id.is_empty()) {
        match sessions::own(bus).await {
            Ok(own) => (Some(own), None),
            Err(failure) => (None, Some(failure.message().to_owned())),
        }
    } else {
        (Some(Vec::new()), None)
    };
    let fate = |session: &Session| match &own {
        _ if session.id.is_empty() => Fate::Stray,
        None => Fate::Left,
        Some(own) if own.contains(&session.id) => Fate::Own,
        Some(_) if !session.certain => Fate::Uncertain,
        Some(_) => Fate::Due,
    };
    let planned = sessions.into_iter().map(|session| Planned { fate: fate(&session), session });
    (planned.collect(), trouble)
}

/// Ends what is due, one by one.
pub(super) async fn end(bus: &Connection, planned: &mut [Planned]) {
    for one in planned.iter_mut().filter(|one| one.fate == Fate::Due) {
        one.fate = match sessions::end(bus, &one.session.id, &[]).await {
            End::Ended => Fate::Ended,
            End::Own => Fate::Own,
            End::Refused(reason) => Fate::Refused(reason),
        };
    }
}

/// Leaves open what is due.
pub(super) fn leave(planned: &mut [Planned]) {
    for one in planned.iter_mut().filter(|one| one.fate == Fate::Due) {
        one.fate = Fate::Left;
    }
}

impl Planned {
    /// The session in words that are safe to show.
    pub(super) fn shown(&self, screen: Screen) -> String {
        let Session { id, user, service, from, tty, leader, .. } = &self.session;
        let show = |part: &str| screen.show(part);
        let [user, service, from, tty] = [user, service, from, tty].map(|part| show(part));
        if id.is_empty() {
            text::stray(*leader, &user, &service, &tty)
        } else {
            text::session(&show(id), &user, &service, &from, &tty)
        }
    }

    /// One line that says what is to become, or became, of it.
    pub(super) fn line(&self, screen: Screen) -> String {
        let session = self.shown(screen);
        match &self.fate {
            Fate::Due => text::session_due(&session),
            Fate::Ended => text::session_ended(&session),
            Fate::Left => text::session_left(&session),
            Fate::Own => text::session_own(&session),
            Fate::Stray => text::session_stray(&session),
            Fate::Uncertain => text::session_uncertain(&session),
            Fate::Refused(reason) => text::session_refused(&session, reason),
        }
    }

    /// The word for programs.
    pub(super) fn word(&self) -> &'static str {
        match self.fate {
            Fate::Due => "would-end",
            Fate::Ended => "ended",
            Fate::Left => "left-open",
            Fate::Own => "own",
            Fate::Stray => "unknown-to-logind",
            Fate::Uncertain => "uncertain",
            Fate::Refused(_) => "refused",
        }
    }
}
