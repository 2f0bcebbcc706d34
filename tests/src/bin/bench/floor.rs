//! The floor of this design: one exchange with a service on the same bus that makes one durable
//! commit and decides nothing. No PAM, no proof of who answers, no policy, no code.

use crate::cast::Route;
use crate::wire::Wire;
use countersign_tests::bus::PrivateBus;
use nix::sys::signal::Signal;
use rusqlite::Connection;
use std::io;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use zbus::Message;

/// The name of the service on the bus.
const NAME: &str = "org.countersign.Bench";
/// The method that makes a durable commit before it answers.
const COMMIT: &str = "Commit";

/// What the bus' configuration must say for the service to be reached.
pub(crate) const POLICY: &str = r#"<policy context="default">
    <allow own="org.countersign.Bench"/>
    <allow send_destination="org.countersign.Bench"/>
  </policy>"#;

/// The service, running.
pub(crate) struct Floor {
    service: Child,
    socket: PathBuf,
}

impl Floor {
    /// Starts it on this bus with its database in this directory.
    pub(crate) fn start(bus: &PrivateBus, dir: &Path) -> Self {
        let program = std::env::current_exe().expect("the path of this program");
        let service = Command::new(program)
            .arg("echo-service")
            .arg(bus.socket())
            .arg(dir.join("floor.db"))
            .stdin(Stdio::null())
            .spawn()
            .expect("start the echo service");
        let until = Instant::now() + Duration::from_secs(5);
        while !bus.has_owner(NAME) {
            assert!(Instant::now() < until, "the echo service is not on the bus");
            std::thread::sleep(Duration::from_millis(5));
        }
        Self { service, socket: bus.socket().to_owned() }
    }

    /// How an exchange with it is made that ends in a durable commit, or in nothing.
    pub(crate) fn route(&self, commit: bool) -> Route {
        let question = question(if commit { COMMIT } else { "Echo" });
        Route::Exchange { socket: self.socket.clone(), question }
    }
}

impl Drop for Floor {
    fn drop(&mut self) {
        drop(self.service.kill());
        drop(self.service.wait());
    }
}

/// What every exchange writes, in one piece: authentication, `Hello`, a call as long as `Begin`.
fn question(method: &str) -> Vec<u8> {
    let body = ("bench000", "", "bench", "/usr/sbin/sshd", "192.0.2.1", "ssh", "passed");
    let mut bytes = Wire::greeting();
    bytes.extend_from_slice(hello().data());
    bytes.extend_from_slice(call(2, NAME, "/", NAME, method, &body).data());
    bytes
}

/// Connects, asks and waits for the answer.
pub(crate) fn exchange(socket: &Path, question: &[u8]) -> io::Result<Duration> {
    let began = Instant::now();
    let mut wire = Wire::connect(socket)?;
    wire.write(question)?;
    let wanted = NonZeroU32::new(2);
    while wire.receive()?.header().reply_serial() != wanted {}
    drop(wire);
    Ok(began.elapsed())
}

/// The service itself, in a process of its own. Calls that wait together share a commit.
pub(crate) fn serve(socket: &str, file: &str) {
    // Killed halfway, the benchmark leaves a bus behind that would keep us for ever.
    nix::sys::prctl::set_pdeathsig(Signal::SIGKILL).expect("a signal at our parent's death");
    let db = database(file).expect("a database for the floor");
    let mut wire = Wire::connect(Path::new(socket)).expect("the bus");
    let mut first = Wire::greeting();
    first.extend_from_slice(hello().data());
    let driver = "org.freedesktop.DBus";
    first.extend_from_slice(
        call(2, driver, "/org/freedesktop/DBus", driver, "RequestName", &(NAME, 0_u32)).data(),
    );
    wire.write(&first).expect("the bus");
    let mut commit = db.prepare("UPDATE floor SET n = n + 1 WHERE id = 1").expect("a statement");
    while let Ok(message) = wire.receive() {
        let mut waiting = vec![message];
        while let Ok(Some(next)) = wire.receive_waiting() {
            waiting.push(next);
        }
        waiting.retain(|m| m.header().interface().is_some_and(|interface| interface == NAME));
        if waiting.iter().any(|m| m.header().member().is_some_and(|member| member == COMMIT)) {
            commit.execute([]).expect("a durable commit");
        }
        let mut replies = Vec::new();
        for asked in waiting {
            let reply = Message::method_return(&asked.header()).build(&("0123456789abcdef", "ask"));
            replies.extend_from_slice(reply.expect("a reply").data());
        }
        if wire.write(&replies).is_err() {
            return;
        }
    }
}

/// A write-ahead log and full syncs, as the daemon has them.
fn database(file: &str) -> rusqlite::Result<Connection> {
    let db = Connection::open(file)?;
    db.pragma_update(None, "locking_mode", "EXCLUSIVE")?;
    db.pragma_update(None, "journal_mode", "WAL")?;
    db.pragma_update(None, "synchronous", "FULL")?;
    db.execute_batch(
        "CREATE TABLE floor (id INTEGER PRIMARY KEY, n INTEGER); INSERT INTO floor VALUES (1, 0)",
    )?;
    Ok(db)
}

fn hello() -> Message {
    let driver = "org.freedesktop.DBus";
    call(1, driver, "/org/freedesktop/DBus", driver, "Hello", &())
}

fn call<B>(serial: u32, to: &str, path: &str, interface: &str, member: &str, body: &B) -> Message
where
    B: serde::Serialize + zbus::zvariant::DynamicType,
{
    Message::method_call(path, member)
        .destination(to)
        .interface(interface)
        .serial(NonZeroU32::new(serial).unwrap_or(NonZeroU32::MIN))
        .build(body)
        .expect("a well-formed call")
}
