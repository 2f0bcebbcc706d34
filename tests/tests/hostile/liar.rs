//! A daemon with the right uid that says whatever a test wants, on a real bus and on a scripted one.

use countersign_protocol::names::BUS_NAME;
use countersign_tests::fake_bus::{CLIENT_UNIQUE_NAME, DAEMON_UNIQUE_NAME, Does, FakeBus};
use countersign_tests::people::DAEMON_UID;
use countersign_tests::wire::DRIVER;
use countersign_tests::{Code, Module, Outcome, PrivateBus, Stack, Wire};
use std::net::Shutdown;
use std::num::NonZeroU32;
use std::time::Duration;
use zbus::export::serde::Serialize;
use zbus::message::{Header, Type};
use zbus::{DynamicType, Message};

pub(super) const LOGIN: &str = "00112233445566778899aabbccddeeff";

pub(super) type Messages = Vec<(u32, &'static str)>;
pub(super) type Prompt = Vec<(bool, &'static str)>;

/// A lie: the messages sent instead of the reply to the call with this header.
pub(super) type Lie = fn(&Header<'_>) -> Vec<Message>;

pub(super) fn returns<B: Serialize + DynamicType>(to: &Header<'_>, body: &B) -> Message {
    Message::method_return(to).sender(DAEMON_UNIQUE_NAME).build(body).expect("a reply")
}

pub(super) fn fails(to: &Header<'_>, name: &str) -> Message {
    let body = (LOGIN, "allow", Messages::new(), Prompt::new());
    Message::error(to, name).sender(DAEMON_UNIQUE_NAME).build(&body).expect("an error")
}

pub(super) fn one<B: Serialize + DynamicType>(to: &Header<'_>, body: &B) -> Vec<Message> {
    vec![returns(to, body)]
}

/// A step without messages or prompt.
pub(super) fn says(to: &Header<'_>, login: &str, verdict: &str) -> Vec<Message> {
    one(to, &(login, verdict, Messages::new(), Prompt::new()))
}

pub(super) fn asks(to: &Header<'_>) -> Vec<Message> {
    one(to, &(LOGIN, "ask", Messages::new(), vec![(true, "Verification code: ")]))
}

pub(super) fn allows(to: &Header<'_>) -> Vec<Message> {
    says(to, LOGIN, "allow")
}

pub(super) fn serial(of: &Header<'_>) -> NonZeroU32 {
    of.primary().serial_num()
}

pub(super) fn bytes(messages: &[Message]) -> Vec<u8> {
    messages.iter().flat_map(|message| message.data().bytes().to_vec()).collect()
}

/// What to send for a call to the daemon; anything that is not `Begin` or `Respond` gets no reply.
#[derive(Clone, Copy)]
pub(super) struct Daemon {
    pub(super) begin: Lie,
    pub(super) respond: Lie,
}

impl Daemon {
    fn reply(self, member: &str, header: &Header<'_>) -> Vec<Message> {
        match member {
            "Begin" => (self.begin)(header),
            "Respond" => (self.respond)(header),
            "Confirm" => one(header, &"allow"),
            _ => vec![],
        }
    }

    /// On a scripted bus.
    pub(super) fn scripted(self) -> FakeBus {
        FakeBus::with_daemon(DAEMON_UID, move |call| {
            let question = Message::method_call("/", "Question").sender(CLIENT_UNIQUE_NAME);
            let serial = NonZeroU32::new(call.serial).expect("a serial");
            let question = question.serial(serial).build(&()).expect("a call");
            Does::Bytes(bytes(&self.reply(&call.member, &question.header())))
        })
    }

    /// On a real bus, as a process of the right uid would be.
    pub(super) fn real(self, bus: &PrivateBus) -> Running {
        serve(bus, move |wire, call| {
            let header = call.header();
            let member = header.member().map(ToString::to_string).unwrap_or_default();
            let _ = wire.send(&bytes(&self.reply(&member, &header)));
        })
    }
}

/// A fake daemon on a real bus. Dropped, it leaves.
pub(super) struct Running {
    stream: std::os::unix::net::UnixStream,
    thread: Option<std::thread::JoinHandle<()>>,
}

pub(super) fn serve(
    bus: &PrivateBus,
    mut answer: impl FnMut(&mut Wire, &Message) + Send + 'static,
) -> Running {
    let mut wire = Wire::as_uid(bus, DAEMON_UID);
    let owned = wire.call(DRIVER, "/", DRIVER, "RequestName", &(BUS_NAME, 4u32)).expect("the name");
    assert_eq!(owned.body().deserialize::<u32>().expect("a number"), 1, "the only owner");
    let stream = wire.stream().try_clone().expect("another descriptor");
    let thread = std::thread::spawn(move || {
        while let Ok(message) = wire.receive() {
            if message.message_type() == Type::MethodCall {
                answer(&mut wire, &message);
            }
        }
    });
    Running { stream, thread: Some(thread) }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.stream.shutdown(Shutdown::Both));
        drop(self.thread.take().map(std::thread::JoinHandle::join));
    }
}

pub(super) fn stack(address: &str) -> Stack {
    let module = Module::shipped().on(address, DAEMON_UID).option("timeout=2");
    Stack::probe(&module, &["after_first_factor"])
}

pub(super) fn login(address: &str) -> Outcome {
    stack(address).login("alice", ["123456"])
}

pub(super) fn assert_refused(outcome: &Outcome, prompts: usize, what: &str) {
    let refusals = [Code::AUTHINFO_UNAVAIL, Code::AUTH_ERR, Code::PERM_DENIED, Code::MAXTRIES];
    assert!(refusals.contains(&outcome.auth), "{what}: {outcome:?}");
    assert_eq!(outcome.code_prompts(), prompts, "{what}: {outcome:?}");
    assert!(outcome.took < Duration::from_secs(4), "{what}: {:?}", outcome.took);
}

/// Without this nothing below means anything.
pub(super) fn assert_honesty_lets_in(bus: &PrivateBus) {
    let honest = Daemon { begin: asks, respond: allows };
    let outcome = login(&honest.scripted().address());
    assert_eq!(outcome.auth, Code::SUCCESS, "scripted: {outcome:?}");
    let _daemon = honest.real(bus);
    let outcome = login(&bus.address());
    assert_eq!(outcome.auth, Code::SUCCESS, "real: {outcome:?}");
}
