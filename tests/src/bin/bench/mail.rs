//! Codes by e-mail: how soon one is with the mail server, a thousand at once, and logins by app beside a
//! mail server that does not answer.

use crate::codes::Codes;
use crate::memory::Memory;
use crate::stats::Series;
use crate::{floor, people, sample, seed};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::bus::{Broker, PrivateBus};
use countersign_tests::certificates::Authority;
use countersign_tests::postfix::{PASSWORD, Postfix, USER};
use countersign_tests::smtp::{Script, Smtp};
use countersign_tests::wire::step_of;
use countersign_tests::{Daemon, DaemonSetup, Mailer, Stack, Wire, World};
use std::fmt::Write as _;
use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use zbus::Message;
use zbus::message::Type;

/// People who ask for codes; each has an app too, and asks at most twice.
const PEOPLE: usize = 1000;
const FIRST_UID: usize = 60_000;
/// Codes asked for one after the other.
const ONE_BY_ONE: usize = 300;
/// Connections that share the thousand: a bus holds back a client with more than 128 calls unanswered.
const CLIENTS: usize = 8;
/// Logins by app in each phase.
const LOGINS: usize = 200;
/// Others who ask for codes meanwhile, and how often each does.
const OTHERS: usize = 32;
const EVERY: Duration = Duration::from_millis(1600);

/// What was measured.
pub(crate) struct Mail {
    /// From Respond to its answer, which comes when the server has the letter in its queue.
    pub(crate) handed_over: Series,
    /// Of that, the mailer: connection, TLS, login and letter.
    pub(crate) dialogue: Series,
    /// Answers that said something else.
    pub(crate) odd: usize,
    pub(crate) crowd: Crowd,
    /// Logins by app: nobody asks for mail; others do, and the server answers; and it does not.
    pub(crate) beside: [Series; 3],
    /// Logins by app that were refused.
    pub(crate) refused: usize,
}

/// A thousand at once.
pub(crate) struct Crowd {
    /// Until the last person had an answer.
    pub(crate) answered: Duration,
    /// Until the server had the last letter.
    pub(crate) delivered: Duration,
    /// Letters that the server has.
    pub(crate) letters: usize,
    /// Memory before and after.
    pub(crate) daemon: (Memory, Memory),
    pub(crate) mailer: (Memory, Memory),
}

/// A daemon with a mailer on a bus of their own. Fields drop in this order.
struct Host {
    daemon: Daemon,
    mailer: Mailer,
    bus: PrivateBus,
}

impl Host {
    fn start(world: &World, mailbox: &str) -> Self {
        let config = format!(
            "issuer = \"Acme\"\n[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\n\
             factors = [\"totp\", \"email\"]\nmailbox = \"ops\"\naddress = \"{{user}}@example.org\"\n\
             [email]\nmost_per_hour = 100000\n[mailbox.ops]\nfrom = \"noreply@example.org\"\n{mailbox}\n"
        );
        let bus = PrivateBus::start_with(Broker::Reference, world.daemon_uid(), None, floor::POLICY);
        let mut daemon = DaemonSetup::new(world, &config).prepare(world, &bus);
        seed::enroll(&daemon, people::ACTIVE, people::ACTIVE);
        seed::give_app(&daemon, (0..PEOPLE).map(|n| (FIRST_UID + n, name(n), people::ACTIVE + n)));
        daemon.resume();
        let mut mailer = Mailer::prepare(world, &bus, Some(&daemon.config_file()));
        mailer.secret("ops", PASSWORD);
        mailer.resume(&[], &[]);
        Self { daemon, mailer, bus }
    }
}

fn name(n: usize) -> String {
    format!("mail{n:04}")
}

/// Adds them to the files of the world, in the group that needs a second factor.
fn settle() {
    let read = |file| fs::read_to_string(file).expect("our own /etc");
    let (mut passwd, group) = (read("/etc/passwd"), read("/etc/group"));
    let (mut groups, mut members) = (String::new(), String::new());
    for n in 0..PEOPLE {
        let (name, uid) = (name(n), FIRST_UID + n);
        let _ = writeln!(passwd, "{name}:x:{uid}:{uid}::/nonexistent:/bin/sh");
        let _ = write!(members, ",{name}");
    }
    for line in group.lines() {
        let more = if line.starts_with("mfa-required:") { members.as_str() } else { "" };
        let _ = writeln!(groups, "{line}{more}");
    }
    fs::write("/etc/passwd", passwd).expect("our own /etc");
    fs::write("/etc/group", groups).expect("our own /etc");
}

pub(crate) fn measure(world: &World) -> Mail {
    settle();
    let authority = Authority::new();
    let server = Postfix::start(&authority.vouch_for("127.0.0.1"));
    let real = format!(
        "server = \"127.0.0.1\"\ntls = \"starttls\"\nuser = \"{USER}\"\nca_file = \"{}\"",
        authority.file().display()
    );
    let host = Host::start(world, &real);
    let (handed_over, odd) = one_by_one(&host);
    let dialogue = dialogue(&host.mailer.said());
    drop(host);
    let host = Host::start(world, &real);
    let crowd = at_once(&host, &server);
    drop((host, server));
    let scripted = Smtp::start(Script::default());
    let plain = format!("server = \"127.0.0.1:{}\"\ntls = \"none\"\nlogin = \"none\"", scripted.port());
    let host = Host::start(world, &plain);
    let (beside, refused) = beside(&host, &scripted);
    Mail { handed_over, dialogue, odd, crowd, beside, refused }
}

fn begin(wire: &mut Wire, user: &str) -> Option<String> {
    let request = (user, "", "sshd", "bench", "192.0.2.1", "", "passed");
    let reply = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &request).ok()?;
    let (login, verdict) = step_of(&reply);
    (verdict == "ask").then_some(login)
}

/// Whether a step says that the server has the letter.
fn was_sent(reply: &Message) -> bool {
    type Wired = (String, String, Vec<(u32, String)>, Vec<(bool, String)>);
    let step: Result<Wired, _> = reply.body().deserialize();
    step.is_ok_and(|(_, _, messages, _)| messages.iter().any(|(_, text)| text.contains("A code was sent to")))
}

fn one_by_one(host: &Host) -> (Series, usize) {
    let mut wire = Wire::on(&host.bus);
    let (mut series, mut odd) = (Series::default(), 0);
    for n in 0..ONE_BY_ONE {
        let Some(login) = begin(&mut wire, &name(n)) else {
            odd += 1;
            continue;
        };
        let began = Instant::now();
        let reply =
            wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &(login, b"email".as_slice()));
        let took = began.elapsed();
        match reply {
            Ok(reply) if was_sent(&reply) => series.add(took),
            _ => odd += 1,
        }
    }
    (series, odd)
}

/// What the mailer says of each letter: milliseconds.
fn dialogue(said: &str) -> Series {
    let mut series = Series::default();
    let letters = said.lines().filter(|line| line.contains("outcome=\"sent\""));
    for line in letters {
        let ms = line.split(" ms=\"").nth(1).and_then(|rest| rest.split('"').next()?.parse().ok());
        ms.map(Duration::from_millis).into_iter().for_each(|took| series.add(took));
    }
    series
}

fn at_once(host: &Host, server: &Postfix) -> Crowd {
    let before = server.letters().len();
    let logins: Vec<String> = {
        let mut wire = Wire::on(&host.bus);
        (0..PEOPLE).filter_map(|n| begin(&mut wire, &name(n))).collect()
    };
    let memory = || (Memory::of(host.daemon.pid()), Memory::of(host.mailer.pid()));
    let (daemon, mailer) = memory();
    let began = Instant::now();
    let each = logins.len().div_ceil(CLIENTS);
    std::thread::scope(|scope| {
        for part in logins.chunks(each) {
            scope.spawn(move || ask_all(&host.bus, part));
        }
    });
    let answered = began.elapsed();
    let (mut letters, mut delivered) = (0, answered);
    // Letters that nobody waits for any more still arrive.
    while letters < logins.len() && began.elapsed() < Duration::from_secs(90) {
        let now = server.letters().len() - before;
        if now > letters {
            (letters, delivered) = (now, began.elapsed());
        } else if began.elapsed() > delivered + Duration::from_secs(10) {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let (daemon_after, mailer_after) = memory();
    Crowd { answered, delivered, letters, daemon: (daemon, daemon_after), mailer: (mailer, mailer_after) }
}

/// All the questions, and then all the answers.
fn ask_all(bus: &PrivateBus, logins: &[String]) {
    let mut wire = Wire::on(bus);
    for login in logins {
        let call = Message::method_call(OBJECT_PATH, "Respond")
            .destination(BUS_NAME)
            .serial(wire.next_serial())
            .interface(LOGIN_INTERFACE)
            .build(&(login, b"email".as_slice()))
            .expect("a well-formed call");
        wire.send(call.data().bytes()).expect("the bus reads");
    }
    let mut answers = 0;
    while answers < logins.len() {
        let reply = wire.receive().expect("an answer");
        answers += usize::from(matches!(reply.message_type(), Type::MethodReturn | Type::Error));
    }
}

fn beside(host: &Host, server: &Smtp) -> ([Series; 3], usize) {
    let stack = Stack::cs(&host.daemon.module());
    let keys: Vec<[u8; 20]> = people::keys();
    let mut codes = Codes::new(&keys);
    let mut refused = 0;
    let next = AtomicUsize::new(0);
    let mut phase = |asked: bool| {
        let over = AtomicBool::new(false);
        let mut series = Series::default();
        std::thread::scope(|scope| {
            for other in 0..if asked { OTHERS } else { 0 } {
                let (over, next) = (&over, &next);
                scope.spawn(move || ask_again_and_again(&host.bus, other, next, over));
            }
            if asked {
                // Until as many letters are on their way as there will be.
                std::thread::sleep(2 * EVERY);
            }
            for _ in 0..LOGINS {
                let (person, code) = codes.take();
                let timed = sample::login(stack.dir(), "cs", &people::name(person), &code, true);
                if timed.passed {
                    series.add(timed.whole);
                } else {
                    refused += 1;
                }
            }
            over.store(true, Ordering::Relaxed);
        });
        series
    };
    let quiet = phase(false);
    let answering = phase(true);
    server.change(|script| script.silent_at = "greeting");
    let silent = phase(true);
    ([quiet, answering, silent], refused)
}

/// One of those who ask for a code every now and then: at a server that answers and at one that does not
/// equally often.
fn ask_again_and_again(bus: &PrivateBus, other: usize, next: &AtomicUsize, over: &AtomicBool) {
    let mut wire = Wire::on(bus);
    std::thread::sleep(EVERY * u32::try_from(other).unwrap_or(0) / u32::try_from(OTHERS).unwrap_or(1));
    while !over.load(Ordering::Relaxed) {
        let began = Instant::now();
        let n = next.fetch_add(1, Ordering::Relaxed) % PEOPLE;
        if let Some(login) = begin(&mut wire, &name(n)) {
            let answer = (login, b"email".as_slice());
            drop(wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &answer));
        }
        std::thread::sleep(EVERY.saturating_sub(began.elapsed()));
    }
}
