//! Open sessions, as systemd-logind knows them. Only looked at: whoever applies a policy ends them.

use countersign_protocol::manager::Stray;
use std::collections::HashMap;
use std::time::Duration;
use zbus::zvariant::Type;
use zbus::{Connection, OwnedObjectPath, OwnedVariant};

const LOGIND: &str = "org.freedesktop.login1";
const SESSION: &str = "org.freedesktop.login1.Session";
/// How long logind may take for all of it.
const DEADLINE: Duration = Duration::from_secs(3);

/// One open session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Open {
    /// logind's name for it; empty for what logind does not know.
    pub id: String,
    /// The login name.
    pub user: String,
    /// Their uid.
    pub uid: u32,
    /// The PAM service.
    pub service: String,
    /// The remote host; may be a name, or empty.
    pub from: String,
    /// Whether it comes from elsewhere.
    pub remote: bool,
    /// The terminal; may be empty.
    pub tty: String,
    /// The process that leads it.
    pub leader: u32,
    /// When it began, in seconds since 1970.
    pub since: i64,
}

impl From<Stray> for Open {
    fn from(stray: Stray) -> Self {
        let Stray { user, uid, service, tty, pid, since } = stray;
        // Who let them in is known, from where is not.
        let remote = service != "login";
        Self { id: String::new(), user, uid, service, from: String::new(), remote, tty, leader: pid, since }
    }
}

/// Every session that somebody works in: neither greeters, nor jobs of cron, nor `systemd --user`.
///
/// # Errors
/// In words, when logind is absent, slow or says something strange.
pub async fn open(bus: &Connection) -> Result<Vec<Open>, String> {
    tokio::time::timeout(DEADLINE, list(bus))
        .await
        .map_err(|_| format!("systemd-logind gives no answer within {} s", DEADLINE.as_secs()))?
        .map_err(|e| match e {
            zbus::Error::FDO(e) if matches!(*e, zbus::fdo::Error::ServiceUnknown(_)) => {
                "systemd-logind does not run on this host".to_owned()
            }
            other => format!("systemd-logind cannot be asked: {other}"),
        })
}

async fn list(bus: &Connection) -> zbus::Result<Vec<Open>> {
    let listed: Vec<(String, u32, String, String, OwnedObjectPath)> =
        ask(bus, "/org/freedesktop/login1", "org.freedesktop.login1.Manager", "ListSessions", &()).await?;
    let mut sessions = Vec::new();
    for (id, uid, user, _seat, path) in listed {
        let about = ask(bus, path.as_str(), "org.freedesktop.DBus.Properties", "GetAll", &SESSION).await;
        let about: HashMap<String, OwnedVariant> = match about {
            Ok(about) => about,
            Err(e) if has_ended(&e) => continue,
            Err(e) => return Err(e),
        };
        let text =
            |key: &str| about.get(key).and_then(|v| <&str>::try_from(v).ok()).unwrap_or_default().to_owned();
        if !text("Class").starts_with("user") {
            continue;
        }
        let microseconds = about.get("Timestamp").and_then(|v| u64::try_from(v).ok()).unwrap_or_default();
        sessions.push(Open {
            id,
            user,
            uid,
            service: text("Service"),
            from: text("RemoteHost"),
            remote: about.get("Remote").and_then(|v| bool::try_from(v).ok()).unwrap_or(true),
            tty: text("TTY"),
            leader: about.get("Leader").and_then(|v| u32::try_from(v).ok()).unwrap_or_default(),
            since: i64::try_from(microseconds / 1_000_000).unwrap_or(i64::MAX),
        });
    }
    Ok(sessions)
}

/// Whether an error says that the session is gone meanwhile.
fn has_ended(error: &zbus::Error) -> bool {
    use zbus::fdo::Error as Standard;
    match error {
        zbus::Error::MethodError(name, ..) => name.as_str() == "org.freedesktop.login1.NoSuchSession",
        zbus::Error::FDO(e) => {
            matches!(
                **e,
                Standard::UnknownObject(_) | Standard::UnknownInterface(_) | Standard::UnknownMethod(_)
            )
        }
        _ => false,
    }
}

async fn ask<B, T>(
    bus: &Connection,
    path: &str,
    interface: &str,
    method: &str,
    arguments: &B,
) -> zbus::Result<T>
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
    T: for<'de> serde::Deserialize<'de> + Type,
{
    bus.call_method(Some(LOGIND), path, Some(interface), method, arguments).await?.body().deserialize()
}
