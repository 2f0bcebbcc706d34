//! The client against buses that are silent, slow, broken, foreign or hostile.

use std::time::{Duration, Instant};

use countersign_protocol::login::{FirstFactor, Step, Verdict};

use super::{
    fake::{Behaviour, Call, Delivery, FakeBus, LOGIN, UID},
    *,
};
use crate::{
    claims::Claims,
    login::{Answer, Daemon},
    record::Begun,
};

/// Enough for a loaded machine, where a test expects success.
const AMPLE: Duration = Duration::from_secs(10);
/// Where a test waits for the deadline.
const SHORT: Duration = Duration::from_millis(300);

impl Guid {
    /// An identity of one repeated digit.
    pub(crate) fn of(digit: u8) -> Self {
        Self([digit; 32])
    }
}

fn claims() -> Claims {
    Claims {
        user: "alice".to_owned(),
        ruser: String::new(),
        service: "test".to_owned(),
        program: "/bin/test".to_owned(),
        rhost: "192.0.2.1".to_owned(),
        tty: "ssh".to_owned(),
        first_factor: FirstFactor::Passed,
    }
}

fn begun() -> Begun {
    Begun { id: LOGIN.to_owned(), owner: Owner { unique: ":1.5".to_owned(), bus: Guid::of(b'a') } }
}

fn begin(bus: &FakeBus, budget: Duration) -> Result<(Step, Owner), Failure> {
    Client::new(&bus.address, UID, 0, budget).begin(&claims())
}

fn respond(bus: &FakeBus, login: &mut Begun, budget: Duration) -> Result<Step, Failure> {
    Client::new(&bus.address, UID, 0, budget).respond(login, &Answer::new(b"123456".to_vec()))
}

fn one(behaviour: Behaviour) -> FakeBus {
    FakeBus::start(vec![behaviour])
}

fn begin_once(behaviour: Behaviour) -> Result<(Step, Owner), Failure> {
    begin(&one(behaviour), SHORT)
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").expect("procfs").count()
}

#[test]
fn begin_proves_the_owner() {
    let bus = one(Behaviour::default());
    let (step, owner) = begin(&bus, AMPLE).expect("a step");
    assert_eq!((step.login.as_str(), step.verdict.as_str()), (LOGIN, "ask"));
    assert_eq!(owner, begun().owner);
    assert_eq!(bus.calls(), [Call("Begin".to_owned(), "org.countersign1".to_owned(), false)]);
}

#[test]
fn another_uid_is_an_impostor_byp_09() {
    let failure = begin_once(Behaviour { uids: (0, 0), ..Behaviour::default() }).expect_err("wrong owner");
    assert!(matches!(failure, Failure::Impostor { uid: 0 }), "{failure}");
}

#[test]
fn a_waiver_is_not_taken_from_a_name_that_changed_hands() {
    let swapped = Behaviour { uids: (UID, 666), verdict: "not-required", ..Behaviour::default() };
    assert!(matches!(begin_once(swapped.clone()), Err(Failure::Impostor { uid: 666 })));
    let bus = one(Behaviour { verdict: "allow", ..swapped });
    let client = Client::new(&bus.address, UID, 0, SHORT);
    assert!(matches!(client.check("alice", "sshd", ""), Err(Failure::Impostor { uid: 666 })));
}

#[test]
fn forged_replies_are_passed_over_byp_10() {
    for forged in [
        Behaviour { sender: ":1.6", ..Behaviour::default() },
        Behaviour { serial_shift: 1, ..Behaviour::default() },
        Behaviour { error: Some(("org.countersign1.Error.NotFound", ":1.6")), ..Behaviour::default() },
    ] {
        let failure = begin_once(forged).expect_err("nobody answered");
        assert!(matches!(failure, Failure::Late), "{failure}");
    }
}

#[test]
fn malformed_replies_are_no_answer_byp_23() {
    let failure =
        begin_once(Behaviour { odd_signature: true, ..Behaviour::default() }).expect_err("malformed");
    assert!(matches!(failure, Failure::Malformed(_)), "{failure}");
    let error = Some(("org.countersign1.Error.Unavailable", ":1.5"));
    let failure = begin_once(Behaviour { error, ..Behaviour::default() }).expect_err("an error");
    assert!(matches!(failure, Failure::Error { from_bus: false, .. }), "{failure}");
}

#[test]
fn silence_and_drips_end_at_the_deadline_byp_02() {
    for delivery in [Delivery::Silent, Delivery::Drip(Duration::from_millis(20))] {
        let start = Instant::now();
        let failure = begin_once(Behaviour { delivery, ..Behaviour::default() }).expect_err("too slow");
        assert!(matches!(failure, Failure::Late), "{failure}");
        let took = start.elapsed();
        assert!(took >= SHORT && took < SHORT * 3, "{took:?}");
    }
    let drip = one(Behaviour { delivery: Delivery::Drip(Duration::from_micros(20)), ..Behaviour::default() });
    begin(&drip, AMPLE).expect("slow but in time");
}

#[test]
fn a_cut_at_any_byte_is_no_answer() {
    let before = descriptors();
    let mut cut = 0;
    loop {
        let bus = one(Behaviour { delivery: Delivery::Cut(cut), ..Behaviour::default() });
        // Time for one attempt; retries on a broken connection are tested elsewhere.
        match begin(&bus, Duration::from_millis(8)) {
            Ok(_) => break,
            Err(Failure::Broken(_) | Failure::Late) => cut += 1,
            Err(failure) => panic!("after {cut} bytes: {failure}"),
        }
        assert!(cut < 4096, "never enough");
    }
    assert!(cut > 300, "a whole exchange is longer than {cut} bytes");
    // Each fake bus keeps its listener; connections must all be gone.
    let listeners = cut + 1;
    std::thread::sleep(Duration::from_millis(100));
    assert!(descriptors() <= before + listeners, "{} descriptors left", descriptors() - before - listeners);
}

#[test]
fn garbage_is_refused_without_reading_on() {
    let ok = b"OK aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n";
    let huge = |len: u32, fields: u32| {
        let mut bytes = ok.to_vec();
        bytes.extend_from_slice(b"l\x02\x01\x01");
        bytes.extend_from_slice(&len.to_le_bytes());
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        bytes.extend_from_slice(&fields.to_le_bytes());
        bytes
    };
    let cases = [
        b"REJECTED EXTERNAL\r\n".to_vec(),
        b"OK \r\n".to_vec(),
        b"OK zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz\r\n".to_vec(),
        vec![b'x'; 4096],
        [ok.as_slice(), &[0; 64]].concat(),
        [ok.as_slice(), &[b'l'; 64]].concat(),
        huge(128 * 1024 * 1024, 0),
        huge(0, u32::MAX),
        huge(u32::MAX, u32::MAX),
        huge(0, 0),
    ];
    for (number, bytes) in cases.into_iter().enumerate() {
        let start = Instant::now();
        let delivery = Delivery::Instead(bytes);
        let failure =
            begin(&one(Behaviour { delivery, ..Behaviour::default() }), AMPLE).expect_err("garbage");
        assert!(matches!(failure, Failure::Malformed(_)), "case {number}: {failure}");
        assert!(start.elapsed() < AMPLE / 2, "case {number} waited");
    }
}

#[test]
fn random_bytes_never_panic() {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..300 {
        let mut bytes = b"OK aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\nl\x02\x01\x01".to_vec();
        for _ in 0..96 {
            // xorshift64: any spread of bytes will do.
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            // Small numbers make lengths that fit, and so get further.
            bytes.push(if state & 3 == 0 { (state >> 8) as u8 } else { (state >> 8) as u8 & 7 });
        }
        let delivery = Delivery::Instead(bytes);
        assert!(
            begin(&one(Behaviour { delivery, ..Behaviour::default() }), Duration::from_millis(4)).is_err()
        );
    }
}

#[test]
fn descriptors_are_never_taken() {
    let bus = one(Behaviour { delivery: Delivery::WithDescriptor, ..Behaviour::default() });
    begin(&bus, AMPLE).expect("the bytes are good");
    std::thread::sleep(Duration::from_millis(50));
    let before = descriptors();
    for _ in 0..20 {
        begin(&bus, AMPLE).expect("the bytes are good");
    }
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(descriptors(), before);
}

#[test]
fn a_bus_that_is_not_there_is_waited_for_briefly() {
    let nowhere = Address::Abstract(format!("countersign-test/{}/nowhere", std::process::id()));
    let start = Instant::now();
    let failure = Client::new(&nowhere, UID, 0, AMPLE).begin(&claims()).expect_err("nobody listens");
    assert!(matches!(failure, Failure::Unreachable(_)), "{failure}");
    assert!(start.elapsed() < AMPLE / 2);
}

#[test]
fn a_full_backlog_ends_at_the_deadline() {
    use nix::sys::socket::{
        AddressFamily, Backlog, SockFlag, SockType, UnixAddr, bind, connect, listen, socket,
    };
    let new = |flags| socket(AddressFamily::Unix, SockType::Stream, flags, None).expect("a socket");
    let name = format!("countersign-test/{}/full", std::process::id());
    let at = UnixAddr::new_abstract(name.as_bytes()).expect("a short name");
    let listener = new(SockFlag::empty());
    bind(std::os::fd::AsRawFd::as_raw_fd(&listener), &at).expect("a free name");
    listen(&listener, Backlog::new(0).expect("zero")).expect("listening");
    let waiting = [new(SockFlag::SOCK_NONBLOCK), new(SockFlag::SOCK_NONBLOCK)];
    for socket in &waiting {
        let _ = connect(std::os::fd::AsRawFd::as_raw_fd(socket), &at);
    }
    let start = Instant::now();
    let address = Address::Abstract(name);
    let failure = Client::new(&address, UID, 0, SHORT).begin(&claims()).expect_err("nobody accepts");
    assert!(matches!(failure, Failure::Late), "{failure}");
    assert!(start.elapsed() < SHORT * 3);
}

#[test]
fn a_restarting_daemon_is_waited_for() {
    let absent = Behaviour { owner: None, error: Some(UNKNOWN), ..Behaviour::default() };
    let died =
        Behaviour { error: Some(("org.freedesktop.DBus.Error.NoReply", DRIVER)), ..Behaviour::default() };
    let cut = Behaviour { delivery: Delivery::Cut(50), ..Behaviour::default() };
    let bus = FakeBus::start(vec![absent.clone(), died, cut, absent.clone(), Behaviour::default()]);
    begin(&bus, AMPLE).expect("the daemon is back");
    let start = Instant::now();
    let failure = begin(&one(absent), SHORT).expect_err("it never comes");
    assert!(matches!(failure, Failure::Absent), "{failure}");
    assert!(start.elapsed() < SHORT * 2);
}

const DRIVER: &str = "org.freedesktop.DBus";
const UNKNOWN: (&str, &str) = ("org.freedesktop.DBus.Error.ServiceUnknown", DRIVER);

#[test]
fn an_answer_goes_once_to_the_proven_owner() {
    let bus = one(Behaviour { verdict: "allow", ..Behaviour::default() });
    let step = respond(&bus, &mut begun(), AMPLE).expect("a verdict");
    assert_eq!(step.verdict, "allow");
    assert_eq!(bus.calls(), [Call("Respond".to_owned(), ":1.5".to_owned(), true)]);
}

#[test]
fn no_answer_goes_to_an_impostor() {
    for behaviour in [
        // The unique name has another uid: another bus with the same identity.
        Behaviour { uids: (UID, 666), ..Behaviour::default() },
        // Another bus, where the name belongs to somebody else.
        Behaviour { guid: b'b', uids: (UID, 666), ..Behaviour::default() },
        // The owner is gone, and somebody else took the name.
        Behaviour { owner: Some(":1.7"), uids: (UID, 666), ..Behaviour::default() },
    ] {
        let bus = one(behaviour);
        let failure = respond(&bus, &mut begun(), SHORT).expect_err("an impostor");
        assert!(matches!(failure, Failure::Impostor { uid: 666 }), "{failure}");
        assert_eq!(bus.calls(), []);
    }
}

#[test]
fn a_restarted_daemon_or_bus_is_proven_anew() {
    let gone = Behaviour { owner: None, ..Behaviour::default() };
    let back = Behaviour { owner: Some(":1.7"), sender: ":1.7", verdict: "allow", ..Behaviour::default() };
    let bus = FakeBus::start(vec![gone.clone(), gone, back.clone()]);
    let mut login = begun();
    respond(&bus, &mut login, AMPLE).expect("the daemon is back");
    assert_eq!(login.owner.unique, ":1.7");
    assert_eq!(bus.calls(), [Call("Respond".to_owned(), ":1.7".to_owned(), true)]);

    // Another bus on which our daemon's old unique name is some client of today.
    let bus = one(Behaviour { guid: b'b', ..back });
    let mut login = begun();
    respond(&bus, &mut login, AMPLE).expect("the daemon is on the new bus");
    assert_eq!(login.owner, Owner { unique: ":1.7".to_owned(), bus: Guid::of(b'b') });
}

#[test]
fn only_the_bus_word_that_it_was_not_delivered_sends_an_answer_again() {
    let undelivered = Behaviour { error: Some(UNKNOWN), ..Behaviour::default() };
    let good = Behaviour { verdict: "allow", ..Behaviour::default() };
    let bus = FakeBus::start(vec![undelivered, good.clone()]);
    respond(&bus, &mut begun(), AMPLE).expect("delivered at last");
    assert_eq!(bus.count("Respond"), 2);

    let maybe_delivered = [
        Behaviour { error: Some(("org.freedesktop.DBus.Error.NoReply", DRIVER)), ..Behaviour::default() },
        Behaviour { error: Some((UNKNOWN.0, ":1.5")), ..Behaviour::default() },
        Behaviour { error: Some(("org.countersign1.Error.Busy", ":1.5")), ..Behaviour::default() },
        Behaviour { serial_shift: 1, ..Behaviour::default() },
    ];
    for behaviour in maybe_delivered {
        let bus = FakeBus::start(vec![behaviour, good.clone()]);
        assert!(respond(&bus, &mut begun(), SHORT).is_err());
        assert_eq!(bus.count("Respond"), 1);
    }
}

#[test]
fn a_connection_that_breaks_sends_at_most_one_answer() {
    let good = Behaviour { verdict: "allow", ..Behaviour::default() };
    for cut in (0..420).step_by(5) {
        let broken = Behaviour { delivery: Delivery::Cut(cut), ..good.clone() };
        let bus = FakeBus::start(vec![broken, good.clone()]);
        let result = respond(&bus, &mut begun(), AMPLE);
        // Broken before it was sent: sent on the next connection. Broken after: not again.
        assert_eq!(bus.count("Respond"), 1, "after {cut} bytes: {result:?}");
    }
}

#[test]
fn confirm_and_check_read_one_word() {
    for (word, verdict) in
        [("allow", Verdict::Allow), ("deny", Verdict::Deny), ("not-required", Verdict::NotRequired)]
    {
        let bus = one(Behaviour { verdict: word, ..Behaviour::default() });
        let client = Client::new(&bus.address, UID, 0, AMPLE);
        assert_eq!(client.check("alice", "sshd", "::1").expect("a verdict"), verdict);
        assert_eq!(client.confirm(&begun(), "alice", "sshd").expect("a verdict"), verdict);
    }
    let bus = one(Behaviour { verdict: "yes", ..Behaviour::default() });
    assert!(Client::new(&bus.address, UID, 0, SHORT).check("alice", "sshd", "").is_err());
}

#[test]
fn abandon_is_brief_and_silent() {
    let bus = one(Behaviour::default());
    Client::new(&bus.address, UID, 0, AMPLE).abandon(&begun());
    assert_eq!(bus.count("Abandon"), 1);
    let silent = one(Behaviour { delivery: Delivery::Silent, ..Behaviour::default() });
    let start = Instant::now();
    Client::new(&silent.address, UID, 0, AMPLE).abandon(&begun());
    assert!(start.elapsed() < Duration::from_secs(3));
}
