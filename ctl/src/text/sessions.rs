//! The sentences about open sessions.

pub(crate) const LOGIND_ABSENT: &str = "it does not run";
pub(crate) const STRANGE_LOGIND: &str = "systemd-logind answered something unexpected. No session was ended.\n\
     See:  loginctl list-sessions";

pub(crate) fn no_logind(reason: &str) -> String {
    format!(
        "systemd-logind cannot be asked for sessions ({reason}).\n\
         No session was ended. See who is logged in:  who"
    )
}

/// One session: `session 12 of alice (sshd, from 192.0.2.7, pts/0)`.
pub(crate) fn session(id: &str, user: &str, service: &str, from: &str, tty: &str) -> String {
    let from = if from.is_empty() { String::new() } else { format!("from {from}") };
    let about: Vec<&str> = [service, &from, tty].into_iter().filter(|part| !part.is_empty()).collect();
    match about.as_slice() {
        [] => format!("session {id} of {user}"),
        about => format!("session {id} of {user} ({})", about.join(", ")),
    }
}

pub(crate) fn session_ended(session: &str) -> String {
    format!("ended:  {session}")
}

pub(crate) fn session_own(session: &str) -> String {
    format!("left open, you type in it:  {session}")
}

pub(crate) fn session_refused(session: &str, reason: &str) -> String {
    format!("NOT ended, logind refused ({reason}):  {session}")
}
