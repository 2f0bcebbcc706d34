//! A systemd-logind that has the sessions of a script and remembers which were to be ended.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::oneshot;
use zbus::OwnedObjectPath;

const PATH: &str = "/org/freedesktop/login1";

/// A session of the script.
#[derive(Debug, Clone, Default)]
pub struct Session {
    pub id: &'static str,
    pub uid: u32,
    pub user: &'static str,
    pub class: &'static str,
    pub service: &'static str,
    pub from: &'static str,
    pub tty: &'static str,
}

/// What it has.
#[derive(Debug, Clone, Default)]
pub struct Script {
    pub sessions: Vec<Session>,
    /// The session that the caller is in.
    pub own: Option<&'static str>,
    /// The one that polkit protects.
    pub refused: Option<&'static str>,
}

/// A running one.
pub struct Logind {
    ended: Arc<Mutex<Vec<String>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Logind {
    pub fn start(address: &str, script: Script) -> Self {
        let ended = Arc::<Mutex<Vec<String>>>::default();
        let manager = Manager { script, ended: Arc::clone(&ended) };
        let address = address.to_owned();
        let (ready, is_ready) = mpsc::channel();
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime").block_on(async {
                let mut builder = zbus::connection::Builder::address(&*address);
                for session in &manager.script.sessions {
                    builder = builder.serve_at(path(session.id), One(session.clone()));
                }
                let builder = builder.serve_at(PATH, manager).name("org.freedesktop.login1");
                let _connection = builder.build().await.expect("the scripted logind is on the bus");
                ready.send(()).expect("the test waits");
                drop(stopped.await);
            });
        });
        is_ready.recv_timeout(Duration::from_secs(20)).expect("the scripted logind starts");
        Self { ended, stop: Some(stop), thread: Some(thread) }
    }

    pub fn ended(&self) -> Vec<String> {
        self.ended.lock().expect("not poisoned").clone()
    }
}

impl Drop for Logind {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        drop(self.thread.take().map(JoinHandle::join));
    }
}

fn path(id: &str) -> String {
    format!("{PATH}/session/_3{id}")
}

fn object(id: &str) -> OwnedObjectPath {
    OwnedObjectPath::try_from(path(id)).expect("a path")
}

#[derive(Debug, zbus::DBusError)]
#[zbus(prefix = "org.freedesktop.login1")]
enum Error {
    #[zbus(error)]
    Bus(zbus::Error),
    NoSessionForPID(String),
    NoSuchSession(String),
    Refused(String),
}

struct Manager {
    script: Script,
    ended: Arc<Mutex<Vec<String>>>,
}

#[zbus::interface(name = "org.freedesktop.login1.Manager")]
impl Manager {
    fn list_sessions(&self) -> Vec<(String, u32, String, String, OwnedObjectPath)> {
        let all = self.script.sessions.iter();
        all.map(|one| (one.id.into(), one.uid, one.user.into(), String::new(), object(one.id))).collect()
    }

    #[zbus(name = "GetSessionByPID")]
    fn get_session_by_pid(&self, pid: u32) -> Result<OwnedObjectPath, Error> {
        assert_eq!(pid, 0, "whoever asks");
        let none = || Error::NoSessionForPID("PID 1 does not belong to any known session".into());
        self.script.own.map(object).ok_or_else(none)
    }

    fn get_session(&self, id: &str) -> Result<OwnedObjectPath, Error> {
        Err(Error::NoSuchSession(format!("No session '{id}' known")))
    }

    fn terminate_session(&self, id: &str) -> Result<(), Error> {
        if self.script.refused == Some(id) {
            return Err(Error::Refused("Interactive authentication required.\u{1b}".into()));
        }
        self.ended.lock().expect("not poisoned").push(id.to_owned());
        Ok(())
    }
}

struct One(Session);

#[zbus::interface(name = "org.freedesktop.login1.Session")]
impl One {
    #[zbus(property)]
    fn id(&self) -> String {
        self.0.id.into()
    }

    #[zbus(property)]
    fn class(&self) -> String {
        self.0.class.into()
    }

    #[zbus(property)]
    fn service(&self) -> String {
        self.0.service.into()
    }

    #[zbus(property)]
    fn remote_host(&self) -> String {
        self.0.from.into()
    }

    #[zbus(property, name = "TTY")]
    fn tty(&self) -> String {
        self.0.tty.into()
    }
}
