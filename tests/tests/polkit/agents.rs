//! A hundred administrators at their own dialogs, each of which asks the daemon that waits for it.

use countersign_protocol::names::{BUS_NAME, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::agent::HELPER;
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{ALICE, REQUIRED_GROUP};
use countersign_tests::polkitd::POLKITD;
use countersign_tests::secret::encode_base32;
use countersign_tests::{Agent, Clock, Daemon, DaemonSetup, Polkitd, Secret, Wire, World, require};
use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

/// So many at a time, in two waves; the daemon lets 64 questions be open.
const WAVE: u32 = 50;
const FIRST_UID: u32 = 7000;

/// A hundred people more, all of them administrators who are asked for a code; their password is alice's.
fn crowd() -> Vec<&'static str> {
    let names: Vec<&'static str> = (0..2 * WAVE).map(|n| &*format!("admin{n:03}").leak()).collect();
    let read = |file: &str| fs::read_to_string(file).expect("our own /etc");
    let (mut passwd, mut shadow) = (read("/etc/passwd"), read("/etc/shadow"));
    let hash = shadow.lines().find_map(|line| line.strip_prefix("alice:")).expect("alice's").to_owned();
    for (name, uid) in names.iter().zip(FIRST_UID..) {
        let _ = writeln!(passwd, "{name}:x:{uid}:{uid}::/nonexistent:/bin/sh");
        let _ = writeln!(shadow, "{name}:{hash}");
    }
    let mut group: String = read("/etc/group").lines().filter(|line| !line.starts_with("sudo:")).fold(
        String::new(),
        |all, line| {
            let more = if line.starts_with(REQUIRED_GROUP) {
                format!(",{}", names.join(","))
            } else {
                String::new()
            };
            all + line + &more + "\n"
        },
    );
    let _ = writeln!(group, "sudo:x:27:{}", names.join(","));
    for (file, text) in [("/etc/passwd", passwd), ("/etc/shadow", shadow), ("/etc/group", group)] {
        fs::write(file, text).expect("our own /etc");
    }
    names
}

/// An authenticator of each, brought from elsewhere.
fn factors(root: &mut Wire, names: &[&str], clock: &Arc<Clock>) -> Vec<Arc<Secret>> {
    let secrets = names.iter().enumerate().map(|(n, name)| {
        let key: Vec<u8> =
            (0..20u8).map(|at| at.wrapping_mul(37) ^ u8::try_from(n).expect("a hundred")).collect();
        let secret = Secret::from_base32(&encode_base32(&key), Some(Arc::clone(clock)));
        let foreign = ("app", key, 6u8, 30u32, -1i64, 0i64, Vec::<Vec<u8>>::new());
        let done = root.call(
            BUS_NAME,
            OBJECT_PATH,
            MANAGER_INTERFACE,
            "ImportFactor",
            &(*name, foreign, false, false),
        );
        let _ = done.unwrap_or_else(|e| panic!("{name}: {e}"));
        Arc::new(secret)
    });
    secrets.collect()
}

/// Lets nobody go on until so many are there.
#[derive(Default)]
struct Meeting(Mutex<u32>, Condvar);

impl Meeting {
    fn wait_for(&self, all: u32) {
        let mut here = self.0.lock().expect("nobody panics with it");
        *here += 1;
        self.1.notify_all();
        let patience = Duration::from_secs(30);
        let (here, _) = self.1.wait_timeout_while(here, patience, |here| *here < all).expect("nobody panics");
        assert!(*here >= all, "{here} of {all} dialogs are open");
    }
}

#[test]
fn prv_05_a_hundred_dialogs_ask_the_daemon_that_waits_for_them_at_once() {
    require!(
        Root,
        File(POLKITD),
        File(HELPER),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let world = World::enter();
    let names = crowd();
    let bus = Polkitd::bus(&world);
    let clock = Arc::new(Clock::new());
    let daemon: Daemon = DaemonSetup::new(&world, CONFIG).clock(&clock).start(&world, &bus);
    let module = daemon.module();
    let stack = [
        "auth requisite pam_unix.so nodelay".to_owned(),
        module.line("auth", "required", &["after_first_factor"]),
        "account required pam_permit.so".to_owned(),
        module.line("account", "required", &[]),
    ];
    fs::write("/etc/pam.d/polkit-1", stack.join("\n") + "\n").expect("our own /etc");
    let secrets = factors(&mut Wire::on(&bus), &names, &clock);
    let _polkit = Polkitd::start(&bus, &[]);

    let began = Instant::now();
    for wave in 0..2 {
        let of_wave = (wave * WAVE..(wave + 1) * WAVE).map(|n| n as usize);
        let meeting = Arc::new(Meeting::default());
        let mut callers: Vec<(Wire, Agent)> = of_wave
            .map(|n| {
                let uid = FIRST_UID + u32::try_from(n).expect("a hundred");
                let (secret, meeting) = (Arc::clone(&secrets[n]), Arc::clone(&meeting));
                let mut wire = Wire::in_own_process(&bus, uid);
                let agent = Agent::start(&bus, &mut wire, (names[n], uid), move |prompt| {
                    if prompt.contains("code") {
                        return secret.fresh_code();
                    }
                    meeting.wait_for(WAVE);
                    ALICE.password()
                });
                (wire, agent)
            })
            .collect();
        for (wire, _) in &mut callers {
            let serial = wire.next_serial();
            let call = zbus::Message::method_call(OBJECT_PATH, "Unlock").destination(BUS_NAME).serial(serial);
            let call = call.interface(MANAGER_INTERFACE).build(&("bob", "a test")).expect("a call");
            wire.send(call.data().bytes()).expect("the bus reads");
        }
        for (wire, agent) in &mut callers {
            let reply = loop {
                let reply = wire.receive().expect("an answer");
                if reply.header().reply_serial().is_some() {
                    break reply;
                }
            };
            assert_eq!(reply.message_type(), zbus::message::Type::MethodReturn, "{reply:?}");
            assert_eq!(agent.asked(), ["org.countersign1.unlock-user"]);
        }
    }
    eprintln!("figures: 100 dialogs, {WAVE} open at a time, in {:.1} s", began.elapsed().as_secs_f64());
    let log = daemon.log_of_all();
    let verified = log.iter().filter(|row| {
        (row.service.as_str(), row.state.as_str(), row.confirmed, row.tries)
            == ("polkit-1", "verified", true, 1)
    });
    assert_eq!(verified.count(), 100, "each by a code of their own");
}
