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
    format!("session {id} of {user}{}", about(&[service, &from, tty]))
}

/// A login that logind does not know: `process 4711 of alice (sshd, pts/0)`.
pub(crate) fn stray(pid: u32, user: &str, service: &str, tty: &str) -> String {
    format!("process {pid} of {user}{}", about(&[service, tty]))
}

fn about(parts: &[&str]) -> String {
    let parts: Vec<&str> = parts.iter().copied().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) }
}

pub(crate) fn session_due(session: &str) -> String {
    format!("would be ended:  {session}")
}

pub(crate) fn session_ended(session: &str) -> String {
    format!("ended:  {session}")
}

pub(crate) fn session_left(session: &str) -> String {
    format!("left open:  {session}")
}

pub(crate) fn session_own(session: &str) -> String {
    format!("left open, you type in it:  {session}")
}

pub(crate) fn session_stray(session: &str) -> String {
    format!("left open, systemd-logind does not know it:  {session}")
}

pub(crate) fn session_uncertain(session: &str) -> String {
    format!("left open, it is not certain that the policy asks:  {session}")
}

pub(crate) fn session_refused(session: &str, reason: &str) -> String {
    format!("NOT ended, logind refused ({reason}):  {session}")
}

/// Sessions by what they are named after: one, or more.
fn open_sessions(count: usize) -> String {
    match count {
        1 => "1 open session has".to_owned(),
        n => format!("{n} open sessions have"),
    }
}

pub(crate) fn not_passed(count: usize) -> String {
    format!("{} not passed the policy that asks now.", open_sessions(count))
}

pub(crate) const ALL_PASSED: &str = "No open session is known that would have to be ended.";

pub(crate) fn end_question(sessions: &str) -> String {
    format!("To be ended, with everything that runs in them:\n{sessions}\nType yes to end them: ")
}

pub(crate) const SESSIONS_NOT_ASKED: &str = "the policy holds for new logins. Its open sessions were left, because nobody\n\
    could be asked. To end them:  countersignctl policy apply --now --yes";

pub(crate) const SESSIONS_LEFT: &str = "the policy holds for new logins. Its open sessions were left, because the\n\
    answer was not yes. To end them:  countersignctl policy apply --now";

pub(crate) const SOME_REFUSED: &str = "the policy is in force, but not every session was ended.\n\
    See:  loginctl list-sessions";

pub(crate) fn sessions_unknown(reason: &str) -> String {
    format!("warning: open sessions are not known, and none is ended: {reason}")
}
