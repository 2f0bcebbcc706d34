//! Open sessions as logind knows them, and ending them as the caller: logind asks polkit who may.

use std::collections::HashMap;

use serde::Deserialize;
use zbus::message::Message;
use zbus::zvariant::Type;
use zbus::{Connection, OwnedObjectPath, OwnedVariant, fdo};

use crate::errors::{Exit, Failure};
use crate::terminal::{Screen, safe};
use crate::text;

const LOGIND: &str = "org.freedesktop.login1";
const MANAGER_PATH: &str = "/org/freedesktop/login1";
const MANAGER: &str = "org.freedesktop.login1.Manager";
const SESSION: &str = "org.freedesktop.login1.Session";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// What logind answers a caller that is in none of its sessions.
const NO_SESSION: [&str; 2] =
    ["org.freedesktop.login1.NoSessionForPID", "org.freedesktop.login1.NoSuchSession"];

/// One open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Session {
    /// logind's name for it.
    pub(crate) id: String,
    /// The PAM service that opened it; empty where logind does not say.
    pub(crate) service: String,
    /// The remote host; empty for this machine.
    pub(crate) from: String,
    /// The terminal; may be empty.
    pub(crate) tty: String,
}

/// What became of one session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum End {
    /// logind ends it.
    Ended,
    /// The caller types in it.
    Own,
    /// logind refused, and why; safe for a terminal.
    Refused(String),
}

impl Session {
    /// What became of it, in one line that is safe to show.
    pub(crate) fn line(&self, user: &str, end: &End, screen: Screen) -> String {
        let show = |part: &str| screen.show(part);
        let session = text::session(
            &show(&self.id),
            &show(user),
            &show(&self.service),
            &show(&self.from),
            &show(&self.tty),
        );
        match end {
            End::Ended => text::session_ended(&session),
            End::Own => text::session_own(&session),
            End::Refused(reason) => text::session_refused(&session, reason),
        }
    }
}

/// Ends every session of a person but the caller's own; what became of each. Empty where none is open.
///
/// # Errors
/// When logind cannot be asked, or does not say which session is the caller's own: then nothing is ended.
pub(crate) async fn end_all_of(bus: &Connection, uid: u32) -> Result<Vec<(Session, End)>, Failure> {
    let own = own(bus).await?;
    let mut ends = Vec::new();
    for session in of(bus, uid).await? {
        let end = end(bus, &session.id, &own).await;
        ends.push((session, end));
    }
    Ok(ends)
}

/// The sessions of a person that somebody works in, in logind's order.
///
/// # Errors
/// When logind cannot be asked.
pub(crate) async fn of(bus: &Connection, uid: u32) -> Result<Vec<Session>, Failure> {
    let listed: Vec<(String, u32, String, String, OwnedObjectPath)> = body(
        &call(bus, MANAGER_PATH, MANAGER, "ListSessions", &()).await.map_err(|error| no_logind(&error))?,
    )?;
    let mut sessions = Vec::new();
    for (id, owner, _user, _seat, path) in listed {
        if owner != uid {
            continue;
        }
        let said = match call(bus, path.as_str(), PROPERTIES, "GetAll", &SESSION).await {
            Ok(said) => said,
            Err(error) if has_ended(&error) => continue,
            Err(error) => return Err(no_logind(&error)),
        };
        let about: HashMap<String, OwnedVariant> = body(&said)?;
        let text = |key: &str| {
            about.get(key).and_then(|value| <&str>::try_from(value).ok()).unwrap_or_default().to_owned()
        };
        // `systemd --user` is a session of class manager, and ends with the last one of the others.
        if !text("Class").starts_with("manager") {
            sessions.push(Session {
                id,
                service: text("Service"),
                from: text("RemoteHost"),
                tty: text("TTY"),
            });
        }
    }
    Ok(sessions)
}

/// The sessions that the caller sits in: that of this process, and the graphical one whose user
/// manager started its terminal. Empty outside of any, as in a service.
///
/// # Errors
/// When logind cannot be asked.
pub(crate) async fn own(bus: &Connection) -> Result<Vec<String>, Failure> {
    // 0 and "auto" are whoever asks, as the bus sees them: no pid to be reused.
    let by_pid = call(bus, MANAGER_PATH, MANAGER, "GetSessionByPID", &0_u32).await;
    let by_user = call(bus, MANAGER_PATH, MANAGER, "GetSession", &"auto").await;
    let mut own = Vec::new();
    for answer in [by_pid, by_user] {
        let path: OwnedObjectPath = match answer {
            Ok(said) => body(&said)?,
            Err(zbus::Error::MethodError(name, ..)) if NO_SESSION.contains(&name.as_str()) => continue,
            Err(error) => return Err(no_logind(&error)),
        };
        let said = call(bus, path.as_str(), PROPERTIES, "Get", &(SESSION, "Id"))
            .await
            .map_err(|error| no_logind(&error))?;
        let id: OwnedVariant = body(&said)?;
        own.push(<&str>::try_from(&id).map_err(|_| strange())?.to_owned());
    }
    Ok(own)
}

/// Ends one session, unless it is one of the caller's own.
pub(crate) async fn end(bus: &Connection, id: &str, own: &[String]) -> End {
    if own.iter().any(|one| one == id) {
        return End::Own;
    }
    match call(bus, MANAGER_PATH, MANAGER, "TerminateSession", &id).await {
        Ok(_) => End::Ended,
        Err(zbus::Error::MethodError(_, Some(said), _)) => End::Refused(safe(&said)),
        Err(error) => End::Refused(safe(&error.to_string())),
    }
}

/// Whether an error says that a session is gone meanwhile.
fn has_ended(error: &zbus::Error) -> bool {
    match error {
        zbus::Error::MethodError(name, ..) => NO_SESSION.contains(&name.as_str()),
        zbus::Error::FDO(error) => {
            matches!(
                **error,
                fdo::Error::UnknownObject(_) | fdo::Error::UnknownInterface(_) | fdo::Error::UnknownMethod(_)
            )
        }
        _ => false,
    }
}

async fn call<B>(
    bus: &Connection,
    path: &str,
    interface: &str,
    method: &str,
    arguments: &B,
) -> zbus::Result<Message>
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
{
    bus.call_method(Some(LOGIND), path, Some(interface), method, arguments).await
}

fn body<T>(said: &Message) -> Result<T, Failure>
where
    T: for<'de> Deserialize<'de> + Type,
{
    said.body().deserialize().map_err(|_| strange())
}

fn strange() -> Failure {
    Failure::new(Exit::Unavailable, text::STRANGE_LOGIND)
}

fn no_logind(error: &zbus::Error) -> Failure {
    let reason = match error {
        zbus::Error::MethodError(_, Some(said), _) => safe(said),
        zbus::Error::FDO(error) if matches!(**error, fdo::Error::ServiceUnknown(_)) => {
            text::LOGIND_ABSENT.to_owned()
        }
        other => safe(&other.to_string()),
    };
    Failure::new(Exit::Unavailable, text::no_logind(&reason))
}
