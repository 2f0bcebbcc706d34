//! A polkit that says what the test scripts, and remembers what it was asked.

use crate::bus::PrivateBus;
use crate::wire::{DRIVER, Wire};
use std::collections::HashMap;
use std::io::{ErrorKind, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use zbus::message::Type;
use zbus::{Message, OwnedVariant};

/// The name on the bus.
pub const POLKIT: &str = "org.freedesktop.PolicyKit1";

/// Its object.
pub const POLKIT_PATH: &str = "/org/freedesktop/PolicyKit1/Authority";

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
    /// Nothing: it leaves the bus instead.
    Vanishes,
}

type Script = Box<dyn FnMut(&Asked) -> Says + Send>;
/// A script that several questions go through at a time.
type Shared = Arc<dyn Fn(&Asked) -> Says + Send + Sync>;

/// The owner of polkit's name on a private bus. Dropped, the name is free again.
pub struct Polkit {
    asked: Arc<Mutex<Vec<Asked>>>,
    cancelled: Arc<Mutex<Vec<String>>>,
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
        let script: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(script)));
        Self::serving(bus, &script, None)
    }

    /// One that thinks about many questions at a time, each in a thread of its own.
    ///
    /// # Panics
    /// When the name cannot be had.
    #[must_use]
    pub fn thinking(bus: &PrivateBus, script: impl Fn(&Asked) -> Says + Send + Sync + 'static) -> Self {
        let none: Arc<Mutex<Script>> = Arc::new(Mutex::new(Box::new(|_| Says::No)));
        Self::serving(bus, &none, Some(Arc::new(script)))
    }

    fn serving(bus: &PrivateBus, script: &Arc<Mutex<Script>>, shared: Option<Shared>) -> Self {
        let mut wire = Wire::on(bus);
        let reply = wire.call(DRIVER, "/", DRIVER, "RequestName", &(POLKIT, 4u32)).expect("polkit's name");
        assert_eq!(reply.body().deserialize::<u32>().expect("a number"), 1, "somebody is polkit already");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let cancelled = Arc::new(Mutex::new(Vec::new()));
        let stream = wire.stream().try_clone().expect("another descriptor");
        let desk = Desk {
            asked: Arc::clone(&asked),
            cancelled: Arc::clone(&cancelled),
            script: Arc::clone(script),
            shared,
            out: Arc::new(Mutex::new(stream.try_clone().expect("another descriptor"))),
        };
        std::thread::spawn(move || desk.serve(&mut wire));
        Self { asked, cancelled, script: Arc::clone(script), stream }
    }

    /// The questions that are of no interest any more, by caller and action, since the last time.
    ///
    /// # Panics
    /// When polkit's thread did.
    #[must_use]
    pub fn cancelled(&self) -> Vec<String> {
        std::mem::take(&mut *self.cancelled.lock().expect("nobody panics with it"))
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

/// What polkit's thread works with.
struct Desk {
    asked: Arc<Mutex<Vec<Asked>>>,
    cancelled: Arc<Mutex<Vec<String>>>,
    script: Arc<Mutex<Script>>,
    shared: Option<Shared>,
    out: Arc<Mutex<UnixStream>>,
}

impl Desk {
    fn serve(&self, wire: &mut Wire) {
        loop {
            let message = match wire.receive() {
                Ok(message) => message,
                Err(e) if matches!(e.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => continue,
                Err(_) => return,
            };
            if message.message_type() != Type::MethodCall {
                continue;
            }
            match message.header().member().map(|member| member.as_str().to_owned()).as_deref() {
                Some("CheckAuthorization") => self.think(message),
                Some("CancelCheckAuthorization") => {
                    let id = message.body().deserialize().expect("an id");
                    self.cancelled.lock().expect("nobody panics with it").push(id);
                    let done = Message::method_return(&message.header()).build(&()).expect("a reply");
                    drop(self.out.lock().expect("nobody panics with it").write_all(done.data().bytes()));
                }
                _ => {}
            }
        }
    }

    fn think(&self, message: Message) {
        let question = read(&message);
        self.asked.lock().expect("nobody panics with it").push(question.clone());
        let out = Arc::clone(&self.out);
        let Some(shared) = self.shared.clone() else {
            let says = self.script.lock().expect("the script does not panic")(&question);
            return answer(&message, &question, says, &out);
        };
        let thinker = std::thread::Builder::new().stack_size(1 << 19);
        let thinks = move || answer(&message, &question, shared(&question), &out);
        drop(thinker.spawn(thinks).expect("a thread"));
    }
}

fn answer(message: &Message, question: &Asked, says: Says, out: &Mutex<UnixStream>) {
    let header = message.header();
    let none = HashMap::<String, String>::new();
    let result = |yes: bool, challenge: bool| {
        Message::method_return(&header).build(&((yes, challenge, &none),)).expect("an answer")
    };
    let reply = match says {
        Says::Yes => result(true, false),
        Says::No => result(false, false),
        Says::AfterPassword(right) if question.interactive => result(right, !right),
        Says::AfterPassword(_) => result(false, true),
        Says::Nothing => return,
        Says::Refuses => {
            let error = Message::error(&header, "org.freedesktop.PolicyKit1.Error.NotAuthorized");
            error.build(&"only trusted callers").expect("an error")
        }
        Says::Vanishes => {
            drop(out.lock().expect("nobody panics with it").shutdown(Shutdown::Both));
            return;
        }
    };
    // Who hung up needs no answer.
    drop(out.lock().expect("nobody panics with it").write_all(reply.data().bytes()));
}

fn read(message: &Message) -> Asked {
    type Question = ((String, HashMap<String, OwnedVariant>), String, HashMap<String, String>, u32, String);
    let ((kind, who), action, details, flags, _): Question =
        message.body().deserialize().expect("a question as polkit knows them");
    let name = who.get("name").and_then(|name| String::try_from(name.clone()).ok());
    let caller = name.filter(|_| kind == "system-bus-name").unwrap_or_default();
    Asked { caller, action, details, interactive: flags & 1 == 1 }
}
