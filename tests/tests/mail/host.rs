//! A daemon, a mailer and a mail server, and logins as they cross the bus.

use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::smtp::{Script, Smtp, Taken};
use countersign_tests::{Clock, Daemon, DaemonSetup, Mailer, PrivateBus, Wire, World};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A daemon, a mailer and a scripted server. Fields drop in this order.
pub(crate) struct Codes {
    pub(crate) daemon: Daemon,
    pub(crate) mailer: Mailer,
    pub(crate) server: Smtp,
    pub(crate) bus: PrivateBus,
    pub(crate) world: World,
}

/// A step as it crosses the bus.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) login: String,
    pub(crate) verdict: String,
    pub(crate) said: String,
}

impl Codes {
    pub(crate) fn start(factors: &str) -> Self {
        Self::with(factors, "", "", Script::default())
    }

    /// `policy` and `tables` are more lines of the configuration.
    pub(crate) fn with(factors: &str, policy: &str, tables: &str, script: Script) -> Self {
        let world = World::enter();
        let server = Smtp::start(script);
        let config = config(server.port(), factors, policy, tables);
        let bus = PrivateBus::start(world.daemon_uid());
        let setup = DaemonSetup::new(&world, &config).clock(&Arc::new(Clock::new()));
        let daemon = setup.start(&world, &bus);
        let mut mailer = Mailer::prepare(&world, &bus, Some(&daemon.config_file()));
        mailer.resume(&[], &[]);
        Self { daemon, mailer, server, bus, world }
    }

    pub(crate) fn begin(&self, user: &str, first_factor: &str) -> Step {
        begin(&self.bus, user, first_factor)
    }

    pub(crate) fn respond(&self, login: &str, answer: &str) -> Step {
        respond(&self.bus, login, answer)
    }

    /// The code in the newest letter, of which there must be so many.
    pub(crate) fn code(&self, letters: usize) -> String {
        let taken = wait_for_codes(&self.server, letters);
        assert_eq!(taken.len(), letters);
        code_in(&taken[letters - 1].text)
    }

    pub(crate) fn letters(&self) -> usize {
        codes(&self.server).len()
    }
}

pub(crate) fn begin(bus: &PrivateBus, user: &str, first_factor: &str) -> Step {
    call(bus, "Begin", &(user, "", "sshd", "test", "192.0.2.7", "", first_factor))
}

pub(crate) fn respond(bus: &PrivateBus, login: &str, answer: &str) -> Step {
    call(bus, "Respond", &(login, answer.as_bytes()))
}

fn call<B>(bus: &PrivateBus, member: &str, body: &B) -> Step
where
    B: zbus::export::serde::Serialize + zbus::DynamicType,
{
    type Wired = (String, String, Vec<(u32, String)>, Vec<(bool, String)>);
    let mut wire = Wire::on(bus);
    let reply = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, member, body).expect("a step");
    let (login, verdict, messages, _): Wired = reply.body().deserialize().expect("a step");
    let said = messages.into_iter().map(|(_, text)| text).collect::<Vec<_>>().join("\n");
    Step { login, verdict, said }
}

pub(crate) fn config(port: u16, factors: &str, policy: &str, tables: &str) -> String {
    format!(
        "issuer = \"Acme\"\nhelp = \"Ask the helpdesk, room 12.\"\n\n[[policy]]\nname = \"operators\"\n\
         groups = [\"mfa-required\"]\nfactors = [{factors}]\nmailbox = \"ops\"\naddress = \"{{user}}@example.org\"\n\
         {policy}\n[mailbox.ops]\nserver = \"127.0.0.1:{port}\"\ntls = \"none\"\nlogin = \"none\"\n\
         from = \"Acme <noreply@example.org>\"\n{tables}\n"
    )
}

/// The code in a letter: the one line of digits alone.
pub(crate) fn code_in(letter: &str) -> String {
    let digits = |line: &&str| line.len() >= 6 && line.bytes().all(|b| b.is_ascii_digit());
    letter.lines().map(str::trim).find(digits).unwrap_or_else(|| panic!("no code in {letter}")).to_owned()
}

pub(crate) const BOTH: &str = "\"totp\", \"email\"";
pub(crate) const ONLY: &str = "\"email\"";

/// Another code of the same length.
pub(crate) fn other(code: &str) -> String {
    code.bytes().map(|b| if b == b'9' { '0' } else { char::from(b + 1) }).collect()
}

/// The letters with notices so far.
pub(crate) fn notices(server: &Smtp) -> Vec<Taken> {
    split(server).0
}

/// The other letters: those with codes.
pub(crate) fn codes(server: &Smtp) -> Vec<Taken> {
    split(server).1
}

fn split(server: &Smtp) -> (Vec<Taken>, Vec<Taken>) {
    let letters = server.heard().letters.clone();
    letters.into_iter().partition(|letter| letter.text.contains(": security notice for "))
}

pub(crate) fn wait_for_notices(server: &Smtp, count: usize) -> Vec<Taken> {
    wait_for(|| notices(server), count)
}

pub(crate) fn wait_for_codes(server: &Smtp, count: usize) -> Vec<Taken> {
    wait_for(|| codes(server), count)
}

fn wait_for(letters: impl Fn() -> Vec<Taken>, count: usize) -> Vec<Taken> {
    let until = Instant::now() + Duration::from_secs(15);
    loop {
        let letters = letters();
        if letters.len() >= count {
            return letters;
        }
        assert!(Instant::now() < until, "{} of {count} letters came", letters.len());
        std::thread::sleep(Duration::from_millis(10));
    }
}
