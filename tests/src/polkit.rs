//! A polkit that says what the test scripts, and remembers what it was asked.

use crate::bus::PrivateBus;
use crate::wire::{DRIVER, Wire};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zbus::message::Type;
use zbus::{Message, OwnedVariant};

/// The name on the bus.
pub const POLKIT: &str = "org.freedesktop.PolicyKit1";

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// The unique name of whom it is about; empty where the subject is anything else than a bus name.
    pub caller: String,
    /// The whole name of the action.
    pub action: String,
    /// The details.
    pub details: HashMap<String, String>,
    /// Whether polkit may ask the person.
    pub interactive: bool,
}

/// One answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Says {
    /// Authorized.
    Yes,
    /// Not authorized, and no password would help.
    No,
    /// A password would help; this is what comes of asking for it.
    AfterPassword(bool),
    /// Nothing at all, as if frozen.
    Nothing,
    /// An error reply, as for an action that the caller does not own.
    Refuses,
}

type Script = Box<dyn FnMut(&Asked) -> Says + Send>;

/// The owner of polkit's name on a private bus. Dropped, the name is free again.
pub struct Polkit {
    asked: Arc<Mutex<Vec<Asked>>>,
    script: Arc<Mutex<Script>>,
    stream: UnixStream,
}

impl Polkit {
    /// One that always says the same.
    #[must_use]
    pub fn saying(bus: &PrivateBus, says: Says) -> Self {
        Self::scripted(bus, move |_| says)
    }

    /// One that says what the script says.
    ///
    /// # Panics
    /// When the name cannot be had.
    #[must_use]
    pub fn scripted(bus: &PrivateBus, script: impl FnMut(&Asked) -> Says + Send + 'static) -> Self {
        let mut wire = Wire::on(bus);
        let reply = wire.call(DRIVER, "/", DRIVER, "RequestName", &(POLKIT, 4u32)).expect("polkit's name");
        assert_eq!(reply.body().deserialize::<u32>().expect("a number"), 1, "somebody is polkit already");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stream = wire.stream().try_clone().expect("another descriptor");
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        let (seen, told) = (Arc::clone(&asked), Arc::clone(&script));
        std::thread::spawn(move || serve(&mut wire, &seen, &told));
        Self { asked, script, stream }
    }

    /// Says this from now on.
    pub fn say(&self, says: Says) {
        *self.script.lock().expect("the script does not panic") = Box::new(move |_| says);
    }

    /// Waits until it is asked something.
    ///
    /// # Panics
    /// When nobody asks within five seconds.
    pub fn wait(&self) {
        let until = Instant::now() + Duration::from_secs(5);
        while self.asked.lock().expect("nobody panics with it").is_empty() {
            assert!(Instant::now() < until, "nobody asks polkit");
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// What it was asked since the last time, oldest first.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panics with it"))
    }
}

impl Drop for Polkit {
    fn drop(&mut self) {
        drop(self.stream.shutdown(Shutdown::Both));
    }
}

fn serve(wire: &mut Wire, asked: &Mutex<Vec<Asked>>, script: &Mutex<Script>) {
    loop {
        let message = match wire.receive() {
            Ok(message) => message,
            Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
            Err(_) => return,
        };
        let header = message.header();
        let member = header.member().map(|m| m.as_str().to_owned()).unwrap_or_default();
        if message.message_type() != Type::MethodCall || member != "CheckAuthorization" {
            continue;
        }
        let question = read(&message);
        asked.lock().expect("nobody panics with it").push(question.clone());
        let says = script.lock().expect("the script does not panic")(&question);
        let interactive = question.interactive;
        let none = HashMap::<String, String>::new();
        let answer = |yes: bool, challenge: bool| {
            Message::method_return(&header).build(&((yes, challenge, &none),)).expect("an answer")
        };
        let reply = match says {
            Says::Yes => answer(true, false),
            Says::No => answer(false, false),
            Says::AfterPassword(right) if interactive => answer(right, !right),
            Says::AfterPassword(_) => answer(false, true),
            Says::Nothing => continue,
            Says::Refuses => {
                let error = Message::error(&header, "org.freedesktop.PolicyKit1.Error.NotAuthorized");
                error.build(&"only trusted callers").expect("an error")
            }
        };
        if wire.send(reply.data().bytes()).is_err() {
            return;
        }
    }
}

fn read(message: &Message) -> Asked {
    type Question = ((String, HashMap<String, OwnedVariant>), String, HashMap<String, String>, u32, String);
    let ((kind, who), action, details, flags, _): Question =
        message.body().deserialize().expect("a question as polkit knows them");
    let name = who.get("name").and_then(|name| String::try_from(name.clone()).ok());
    let caller = name.filter(|_| kind == "system-bus-name").unwrap_or_default();
    Asked { caller, action, details, interactive: flags & 1 == 1 }
}
