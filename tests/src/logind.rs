//! A systemd-logind on a private bus that has the sessions of a script, and remembers which were to
//! be ended. A real one runs only where systemd is PID 1.

use crate::bus::{Broker, PrivateBus};
use crate::wire::{DRIVER, Wire};
use crate::world::World;
use std::collections::HashMap;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use zbus::{Message, ObjectPath, Variant};

const NAME: &str = "org.freedesktop.login1";
const PATH: &str = "/org/freedesktop/login1";

/// A session of the script.
#[derive(Debug, Clone, Copy)]
pub struct Session {
    /// A number.
    pub id: &'static str,
    /// Who.
    pub user: &'static str,
    /// Their uid.
    pub uid: u32,
    /// `user`, `background`, `manager` or `greeter`.
    pub class: &'static str,
    /// The PAM service.
    pub service: &'static str,
    /// The remote host, or empty.
    pub from: &'static str,
    /// When it began, in seconds since 1970.
    pub since: u64,
}

/// It. Dropped, it leaves the bus.
pub struct FakeLogind {
    ended: Arc<Mutex<Vec<String>>>,
    stream: UnixStream,
}

impl FakeLogind {
    /// A bus on which there may be one.
    #[must_use]
    pub fn bus(world: &World) -> PrivateBus {
        let extra = format!(
            "<policy user=\"root\"><allow own=\"{NAME}\"/></policy>\
             <policy context=\"default\"><allow send_destination=\"{NAME}\"/></policy>"
        );
        PrivateBus::start_with(Broker::Reference, world.daemon_uid(), None, &extra)
    }

    /// With these sessions, the caller being in `own`.
    ///
    /// # Panics
    /// When the bus does not have it.
    #[must_use]
    pub fn start(bus: &PrivateBus, sessions: &[Session], own: Option<&'static str>) -> Self {
        let mut wire = Wire::on(bus);
        let got = wire.call(DRIVER, "/", DRIVER, "RequestName", &(NAME, 4u32)).expect("the name");
        assert_eq!(got.body().deserialize::<u32>().expect("a number"), 1, "somebody else has it");
        let stream = wire.stream().try_clone().expect("another descriptor");
        stream.set_read_timeout(None).expect("no timeout");
        let ended = Arc::<Mutex<Vec<String>>>::default();
        let (sessions, noted) = (sessions.to_vec(), Arc::clone(&ended));
        std::thread::spawn(move || {
            while let Ok(asked) = wire.receive() {
                if let Some(reply) = answer(&asked, &sessions, own, &noted) {
                    drop(wire.send(reply.data().bytes()));
                }
            }
        });
        Self { ended, stream }
    }

    /// One that never answers.
    ///
    /// # Panics
    /// When the bus does not have it.
    #[must_use]
    pub fn silent(bus: &PrivateBus) -> Self {
        let mut wire = Wire::on(bus);
        let _ = wire.call(DRIVER, "/", DRIVER, "RequestName", &(NAME, 4u32)).expect("the name");
        Self { ended: Arc::default(), stream: wire.stream().try_clone().expect("another descriptor") }
    }

    /// The sessions that were to be ended, in order.
    ///
    /// # Panics
    /// Never.
    #[must_use]
    pub fn ended(&self) -> Vec<String> {
        self.ended.lock().expect("nobody panics with it").clone()
    }
}

impl Drop for FakeLogind {
    fn drop(&mut self) {
        drop(self.stream.shutdown(std::net::Shutdown::Both));
    }
}

fn path(id: &str) -> ObjectPath<'static> {
    ObjectPath::try_from(format!("{PATH}/session/_3{id}")).expect("a path")
}

fn answer(
    asked: &Message,
    sessions: &[Session],
    own: Option<&str>,
    ended: &Mutex<Vec<String>>,
) -> Option<Message> {
    let header = asked.header();
    let reply = || Message::method_return(&header);
    let refuse = |name: &str| {
        let name = format!("{NAME}.{name}");
        Message::error(&header, name).build(&"no such session").ok()
    };
    let of_path = || {
        let wanted = header.path().map(ObjectPath::as_str).unwrap_or_default().to_owned();
        sessions.iter().find(|one| path(one.id).as_str() == wanted)
    };
    match header.member()?.as_str() {
        "ListSessions" => {
            let all: Vec<_> = sessions.iter().map(|s| (s.id, s.uid, s.user, "", path(s.id))).collect();
            reply().build(&all).ok()
        }
        "GetSessionByPID" => match own {
            Some(own) => reply().build(&path(own)).ok(),
            None => refuse("NoSessionForPID"),
        },
        "GetSession" => refuse("NoSuchSession"),
        "Get" => reply().build(&Variant::from(of_path()?.id)).ok(),
        "GetAll" => {
            let one = of_path()?;
            let about: HashMap<&str, Variant<'_>> = HashMap::from([
                ("Id", Variant::from(one.id)),
                ("Class", Variant::from(one.class)),
                ("Service", Variant::from(one.service)),
                ("RemoteHost", Variant::from(one.from)),
                ("Remote", Variant::from(!one.from.is_empty())),
                ("TTY", Variant::from("pts/9")),
                ("Leader", Variant::from(4711u32)),
                ("Timestamp", Variant::from(one.since * 1_000_000)),
            ]);
            reply().build(&about).ok()
        }
        "TerminateSession" => {
            let id: String = asked.body().deserialize().ok()?;
            ended.lock().expect("nobody panics with it").push(id);
            reply().build(&()).ok()
        }
        _ => None,
    }
}
