//! Callers who hang up while polkit thinks, and a polkit that hangs up itself.

use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH, error};
use countersign_tests::people::{ALICE, DAVE};
use countersign_tests::polkit::{Polkit, Says};
use countersign_tests::polkitd::{POLKITD, group, rule};
use countersign_tests::wire::{DRIVER, become_uid};
use countersign_tests::{Clock, Daemon, DaemonSetup, Fixture, Polkitd, Wire, World, artifacts, require};
use nix::sys::signal::Signal;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};
use zbus::DynamicType;
use zbus::Message;
use zbus::export::serde::Serialize;

/// How many callers hang up where time allows.
const CALLERS: usize = 10_000;
/// How long they have for it; with `COUNTERSIGN_LONG=1` as long as it takes.
const FOR: Duration = Duration::from_secs(12);
/// Debian's own accounts, each of which may have three questions open. (A bus takes nobody who has no account.)
const UIDS: [u32; 16] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 33, 34, 38, 39, 65534];
/// Questions of one of them that may be open at a time.
const OF_ONE: usize = 3;

fn call<B: Serialize + DynamicType>(member: &str, body: &B) -> Vec<u8> {
    let call = Message::method_call(OBJECT_PATH, member).destination(BUS_NAME).interface(MANAGER_INTERFACE);
    call.build(body).expect("a call").data().bytes().to_vec()
}

/// Verbs that would change something, each about alice.
fn verbs() -> Vec<Vec<u8>> {
    let (reason, far) = ("hung up", 4_102_444_800i64);
    vec![
        call("Reset", &("alice", reason, false)),
        call("Unlock", &("alice", reason)),
        call("Exempt", &("alice", 1_900_000_000i64, reason)),
        call("Require", &("alice", far, reason)),
        call("Invite", &("alice", 10u32)),
        call("SetAddress", &("alice", "mallory@example.org", "", "", reason)),
        call("RemoveFactor", &("alice", "app", "", reason)),
        call("NewRecoveryCodes", &("alice", "")),
        call("Enroll", &("alice", "", "", "")),
        call("Forget", &"alice"),
        call("ApplyPolicy", &(true, false, false, Vec::<(String, u32, String, String, u32, i64)>::new())),
    ]
}

fn hello() -> Vec<u8> {
    let hello = Message::method_call("/org/freedesktop/DBus", "Hello").destination(DRIVER).interface(DRIVER);
    hello.build(&()).expect("a call").data().bytes().to_vec()
}

/// Everything in the database but the clock's high-water mark and what is counted along with it.
fn everything(daemon: &mut Daemon) -> String {
    daemon.stop();
    let dump = std::process::Command::new("sqlite3").arg(daemon.database()).arg(".dump").output();
    let text = String::from_utf8(dump.expect("run sqlite3").stdout).expect("text");
    daemon.resume();
    let kept = text.lines().filter(|line| !line.starts_with("INSERT INTO meta "));
    kept.collect::<Vec<_>>().join("\n")
}

fn descriptors(daemon: &Daemon) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", daemon.pid())).expect("procfs").count()
}

/// "OK ...", then the reply to our hello.
fn is_greeted(stream: &mut UnixStream) -> bool {
    let mut heard = [0; 1024];
    let mut end = 0;
    while end < 128 {
        match stream.read(&mut heard[end..]) {
            Ok(more) if more > 0 => end += more,
            _ => return false,
        }
    }
    true
}

/// Connects, says hello, calls, and hangs up after up to 20 ms, until there were enough or the time is over. Every
/// fourth does not even wait for the bus to say hello.
fn hang_up(socket: &Path, uid: u32, began: Instant, [rounds, lost]: [&AtomicUsize; 2]) {
    let (verbs, hello) = (verbs(), hello());
    let hex: String = uid.to_string().bytes().map(|digit| format!("{digit:02x}")).collect();
    let greeting = format!("\0AUTH EXTERNAL {hex}\r\nBEGIN\r\n");
    let patient = std::env::var_os("COUNTERSIGN_LONG").is_some();
    let mut dice = u64::from(uid);
    loop {
        let round = rounds.fetch_add(1, Ordering::Relaxed);
        if round >= CALLERS || (!patient && began.elapsed() > FOR) {
            rounds.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let mut stream = UnixStream::connect(socket).expect("connect to the bus");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("a timeout");
        drop(stream.write_all(&[greeting.as_bytes(), &hello].concat()));
        // A bus that is busy drops who has not said hello within five seconds.
        if round % 4 > 0 && !is_greeted(&mut stream) {
            lost.fetch_add(1, Ordering::Relaxed);
            continue;
        }
        drop(stream.write_all(&verbs[round % verbs.len()]));
        std::thread::sleep(Duration::from_micros((dice >> 33) % 20_000));
    }
}

/// Who is about to act is whoever is still there. polkit says yes to all of these callers, each of them once it
/// is gone.
#[test]
fn prv_02_ten_thousand_callers_hang_up_while_polkit_thinks_at_once() {
    require!(Root, Tool("sqlite3"), Staged("countersignd"), Staged("countersignctl"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let before = everything(&mut t.daemon);
    assert!(before.contains("INSERT INTO totp"), "{before}");

    let eyes = Mutex::new(Wire::on(&t.bus));
    let polkit = Polkit::thinking(&t.bus, move |asked| {
        for _ in 0..100 {
            std::thread::sleep(Duration::from_millis(25));
            let mut eyes = eyes.lock().expect("nobody panics with it");
            let there =
                eyes.call(DRIVER, "/", DRIVER, "NameHasOwner", &asked.caller.as_str()).expect("an answer");
            drop(eyes);
            if !there.body().deserialize::<bool>().expect("yes or no") {
                return Says::Yes;
            }
        }
        Says::No
    });
    let (pid, memory, fds) = (t.daemon.pid(), t.daemon.resident_kib(), descriptors(&t.daemon));
    let (rounds, lost, began) = (AtomicUsize::new(0), AtomicUsize::new(0), Instant::now());
    std::thread::scope(|scope| {
        for uid in UIDS {
            let (socket, counters) = (t.bus.socket(), [&rounds, &lost]);
            scope.spawn(move || {
                become_uid(uid);
                hang_up(socket, uid, began, counters);
            });
        }
    });
    let (rounds, lost, took) = (rounds.into_inner(), lost.into_inner(), began.elapsed());
    // Whatever is still on its way ends.
    let _ = t.daemon.ctl().run(&["status"]).ok();
    let asked = polkit.asked();
    let after = t.daemon.resident_kib();
    eprintln!(
        "figures: {rounds} callers hung up within 20 ms in {:.1} s, {lost} were never heard, polkit was asked about {}; daemon {memory} -> {after} KiB, {fds} -> {} descriptors",
        took.as_secs_f64(),
        asked.len(),
        descriptors(&t.daemon)
    );
    assert!(lost < rounds / 10, "the bus took {lost} of {rounds} for nobody");
    assert!(rounds >= 1000, "{rounds} callers are no race");
    assert!(asked.len() > rounds / 20, "polkit was asked about {} of {rounds}", asked.len());
    assert_eq!(t.daemon.pid(), pid, "the same process");
    // Some are opened at the first call of a kind, and kept.
    assert!(descriptors(&t.daemon) < fds + 4, "{fds} -> {} descriptors", descriptors(&t.daemon));
    assert!(after < memory + 16 * 1024, "{memory} -> {after} KiB");
    drop(polkit);
    assert_no_question_is_left(&t);
    assert_eq!(everything(&mut t.daemon), before, "a caller who was gone changed something");
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());

    // The control: one who waits for the same yes gets it.
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    let mut daemon = Wire::as_uid(&t.bus, UIDS[0]);
    let reset = daemon.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &("alice", "a test", false));
    assert!(reset.is_ok(), "{reset:?}");
    assert!(!everything(&mut t.daemon).contains("INSERT INTO totp"));
}

/// As many questions as may be open at a time are opened, at once: none of an earlier caller is counted any more.
fn assert_no_question_is_left(t: &Fixture) {
    let open = Arc::new((Mutex::new(0usize), Condvar::new()));
    let counted = Arc::clone(&open);
    let polkit = Polkit::thinking(&t.bus, move |_| {
        let (count, all) = &*counted;
        let mut count = count.lock().expect("nobody panics with it");
        *count += 1;
        all.notify_all();
        let wait = Duration::from_secs(4);
        drop(
            all.wait_timeout_while(count, wait, |count| *count < UIDS.len() * OF_ONE)
                .expect("nobody panics with it"),
        );
        Says::No
    });
    let mut callers: Vec<Wire> = UIDS.iter().map(|uid| Wire::as_uid(&t.bus, *uid)).collect();
    for wire in &mut callers {
        for _ in 0..OF_ONE {
            wire.send(&call("Unlock", &("alice", "a test"))).expect("the bus reads");
        }
    }
    for wire in &mut callers {
        let mut answers = 0;
        while answers < OF_ONE {
            let message = wire.receive().expect("an answer");
            let Some(name) = message.header().error_name().map(ToString::to_string) else { continue };
            // Each is polkit's no, and none is that too many are open.
            assert_eq!(name, error::NOT_AUTHORIZED, "{message:?}");
            answers += 1;
        }
    }
    assert_eq!(polkit.asked().len(), UIDS.len() * OF_ONE, "all of them reached polkit");
}

/// A dialog whose caller is gone is taken back, and counts no longer as theirs.
#[test]
fn prv_02_a_dialog_ends_when_its_caller_hangs_up() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let polkit =
        Polkit::scripted(
            &t.bus,
            |asked| if asked.interactive { Says::Nothing } else { Says::AfterPassword(true) },
        );
    let mut names = Vec::new();
    for _ in 0..OF_ONE {
        let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
        dave.send(&call("Reset", &("alice", "hung up", false))).expect("the bus reads");
        names.push(format!("{}/reset-user", dave.name()));
        let mut asked = Vec::new();
        let until = Instant::now() + Duration::from_secs(5);
        while !asked.iter().any(|one: &countersign_tests::polkit::Asked| one.interactive) {
            assert!(Instant::now() < until, "nobody is asked");
            asked.extend(polkit.asked());
            std::thread::sleep(Duration::from_millis(5));
        }
    }
    let until = Instant::now() + Duration::from_secs(5);
    let mut cancelled = Vec::new();
    while cancelled.len() < OF_ONE {
        assert!(Instant::now() < until, "{cancelled:?} of {names:?}");
        cancelled.extend(polkit.cancelled());
        std::thread::sleep(Duration::from_millis(20));
    }
    cancelled.sort();
    names.sort();
    assert_eq!(cancelled, names);
    polkit.say(Says::Yes);
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    let reset = dave.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &("alice", "a test", false));
    assert!(reset.is_ok(), "those that are gone do not count: {reset:?}");
}

fn reset(wire: &mut Wire) -> Result<(), String> {
    let reply = wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Reset", &("alice", "a test", false));
    reply.map(drop).map_err(|e| e.name)
}

fn refused() -> Result<(), String> {
    Err(error::NOT_AUTHORIZED.to_owned())
}

/// A polkit that leaves the bus in the middle of a question, of either kind, is a no at once.
#[test]
fn prv_04_a_polkit_that_vanishes_is_no_at_once() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    for at_the_dialog in [false, true] {
        let polkit = Polkit::scripted(&t.bus, move |asked| {
            if asked.interactive == at_the_dialog { Says::Vanishes } else { Says::AfterPassword(true) }
        });
        let began = Instant::now();
        assert_eq!(reset(&mut dave), refused(), "at the dialog: {at_the_dialog}");
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
        assert_eq!(polkit.asked().len(), 1 + usize::from(at_the_dialog));
    }
    let _polkit = Polkit::saying(&t.bus, Says::Yes);
    assert!(t.cs().login("alice", [alice.fresh_code()]).passed());
    assert_eq!(reset(&mut dave), Ok(()), "the control");
}

/// The real one: frozen, then killed while it is asked, then without the annotation by which it talks to us.
#[test]
fn prv_04_the_real_polkit_frozen_killed_and_without_our_annotation() {
    require!(
        Root,
        File(POLKITD),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let world = World::enter();
    group("helpdesk", 6101, "dave");
    rule(
        "50-test",
        "polkit.addRule(function (action, subject) { if (subject.isInGroup(\"helpdesk\")) { return polkit.Result.YES; } });\n",
    );
    let bus = Polkitd::bus(&world);
    let daemon = DaemonSetup::new(&world, countersign_tests::fixture::CONFIG).clock(&Arc::new(Clock::new()));
    let daemon = daemon.start(&world, &bus);
    let alice = daemon.enroll("alice");
    let stack = countersign_tests::Stack::cs(&daemon.module());
    let (mut dave, mut own) = (Wire::as_uid(&bus, DAVE.uid), Wire::as_uid(&bus, ALICE.uid));

    let polkit = Polkitd::start(&bus, &[]);
    polkit.signal(Signal::SIGSTOP);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let frozen = scope.spawn(|| reset(&mut dave));
        std::thread::sleep(Duration::from_millis(200));
        let login = stack.login("alice", [alice.fresh_code()]);
        assert!(login.passed() && login.took < Duration::from_secs(1), "{login:?}");
        let status = own.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, "Status", &"alice");
        assert!(status.is_ok(), "one's own: {status:?}");
        assert!(!frozen.is_finished(), "all of that while polkit was frozen");
        assert_eq!(frozen.join().expect("no panic"), refused(), "frozen");
    });
    assert!(began.elapsed() < Duration::from_secs(8), "{:?}", began.elapsed());

    std::thread::scope(|scope| {
        let began = Instant::now();
        let killed = scope.spawn(|| reset(&mut dave));
        std::thread::sleep(Duration::from_millis(300));
        drop(polkit);
        assert_eq!(killed.join().expect("no panic"), refused(), "killed in mid-question");
        assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    });

    // As shipped but for the owner: polkit itself does not answer a daemon that is not root.
    let shipped =
        artifacts::source_root().join("packaging/usr/share/polkit-1/actions/org.countersign1.policy");
    let shipped = std::fs::read_to_string(shipped).expect("the actions");
    let others: Vec<&str> = shipped.lines().filter(|line| !line.contains("policykit.owner")).collect();
    let folder = countersign_tests::scratch::Scratch::new("actions");
    std::fs::write(folder.join("org.countersign1.policy"), others.join("\n")).expect("our own folder");
    let polkit = Polkitd::with_actions(&bus, folder.path());
    assert_eq!(reset(&mut dave), refused(), "without the annotation");
    assert!(daemon.said().contains("trusted callers"), "polkit said why: {}", daemon.said());
    assert!(stack.login("alice", [alice.fresh_code()]).passed());
    drop(polkit);

    let _polkit = Polkitd::start(&bus, &[]);
    assert_eq!(reset(&mut dave), Ok(()), "the control: as shipped, the rule lets dave");
}
