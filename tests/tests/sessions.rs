//! `apply = "immediately"`: who is logged in without what a policy asks now is named, and ended by
//! whoever applies it.

use countersign_tests::logind::Session;
use countersign_tests::people::{ALICE, BOB, CAROL};
use countersign_tests::{Clock, Daemon, DaemonSetup, FakeLogind, PrivateBus, Secret, Stack, World, require};
use serde_json::Value;
use std::os::unix::process::CommandExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

const OFF: &str = "[[policy]]\nname = \"operators\"\nstatus = \"off\"\n";
const LATER: &str = "[[policy]]\nname = \"operators\"\ngroups = [\"mfa-required\"]\nservices = [\"sshd\"]\n\
                     networks = { except = [\"10.0.0.0/8\"] }\n";
const REST: &str = "\n[[policy]]\nname = \"rest\"\nstatus = \"off\"\n";

fn at_once() -> String {
    LATER.replace("services", "apply = \"immediately\"\nservices") + REST
}

struct Scene {
    alice: Secret,
    daemon: Daemon,
    bus: PrivateBus,
    _world: World,
}

impl Scene {
    /// alice has a factor; nobody is asked yet.
    fn start() -> Self {
        let world = World::enter();
        let bus = FakeLogind::bus(&world);
        let setup = DaemonSetup::new(&world, OFF).clock(&Arc::new(Clock::new()));
        let daemon = setup.start(&world, &bus);
        let alice = daemon.enroll("alice");
        Self { alice, daemon, bus, _world: world }
    }

    /// A login of alice at a real stack; whether she was asked.
    fn login(&self, service: &str, from: &str) -> bool {
        let module = self.daemon.module();
        let stack = Stack::of(
            service,
            &[
                "auth required pam_permit.so".to_owned(),
                module.line("auth", "required", &["after_first_factor"]),
                "account required pam_permit.so".to_owned(),
                module.line("account", "required", &[]),
            ],
        );
        let login = stack.visit("alice").rhost(from).run([self.alice.fresh_code()]);
        assert!(login.passed(), "{login:?}");
        login.code_prompts() > 0
    }

    fn apply(&self, policies: &str, args: &[&str]) -> Value {
        self.daemon.configure(policies);
        let all: Vec<&str> = ["policy", "apply", "--json"].iter().chain(args).copied().collect();
        let out = self.daemon.ctl().run(&all);
        assert_eq!(out.code, Some(0), "{out:?}");
        out.json().remove(0)
    }

    /// By the clock of the daemon and of the log.
    fn now(&self) -> u64 {
        self.daemon.log("alice").last().map_or(0, |row| row.started.unsigned_abs())
    }
}

fn session(
    id: &'static str,
    who: countersign_tests::people::Person,
    from: &'static str,
    since: u64,
) -> Session {
    Session { id, user: who.name, uid: who.uid, class: "user", service: "sshd", from, since }
}

/// Each session with what became of it.
fn ends(applied: &Value) -> Vec<(String, String)> {
    let word = |value: &Value| value.as_str().unwrap_or("-").to_owned();
    let all = applied["sessions"].as_array().expect("a list").iter();
    all.filter(|one| one["user"] != "root").map(|one| (word(&one["id"]), word(&one["end"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(id, end)| ((*id).to_owned(), (*end).to_owned())).collect()
}

#[test]
fn sessions_that_have_not_passed_are_ended_and_no_others() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Scene::start();
    assert!(!t.login("sshd", "192.0.2.1"), "before there was a policy");
    let before = t.now();
    assert_eq!(ends(&t.apply(&format!("{LATER}{REST}"), &[])), [], "next-login ends nothing");
    assert!(t.login("sshd", "192.0.2.2"), "asked now");
    let after = t.now();
    let cron = Session { class: "background", service: "cron", ..session("5", BOB, "", 5) };
    let console = Session { service: "login", ..session("7", ALICE, "", after) };
    let logind = FakeLogind::start(
        &t.bus,
        &[
            // Her login was not asked; this one was; that one was let in by something else.
            session("1", ALICE, "192.0.2.1", before),
            session("2", ALICE, "192.0.2.2", after + 1),
            session("3", ALICE, "192.0.2.2", after + 900),
            session("4", BOB, "2001:db8::7", 1_700_000_000),
            cron,
            session("6", CAROL, "192.0.2.3", after),
            console,
            session("8", BOB, "10.1.2.3", after),
            session("9", BOB, "vpn.example.org", after),
            session("10", BOB, "192.0.2.4", after),
        ],
        Some("10"),
    );
    let dry = t.apply(&at_once(), &["--dry-run"]);
    let due = |word| pairs(&[("1", word), ("3", word), ("4", word), ("9", "uncertain"), ("10", "own")]);
    assert_eq!(ends(&dry), due("would-end"));
    assert_eq!((dry["sessions"][0]["policy"].as_str(), logind.ended().len()), (Some("operators"), 0));
    assert_eq!(ends(&t.apply(&at_once(), &["--yes"])), due("ended"));
    assert_eq!(logind.ended(), ["1", "3", "4"]);
    let said = t.daemon.said();
    assert_eq!(said.matches("an open session has not passed").count(), 5, "{said}");
    assert!(said.contains("user=\"bob\" session=\"4\""), "{said}");

    assert_eq!(ends(&t.apply(&at_once(), &["--yes"])), [], "nothing is new");
    assert_eq!(
        ends(&t.apply(&at_once(), &["--now", "--dry-run"])),
        due("would-end"),
        "until it is said again"
    );
    assert_eq!(logind.ended().len(), 3);
}

#[test]
fn now_ends_sessions_where_the_policy_waits() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Scene::start();
    let logind = FakeLogind::start(&t.bus, &[session("4", BOB, "192.0.2.7", 1_700_000_000)], None);
    assert_eq!(ends(&t.apply(&format!("{LATER}{REST}"), &["--yes"])), []);
    assert_eq!(ends(&t.apply(&format!("{LATER}{REST}"), &["--yes", "--now"])), pairs(&[("4", "ended")]));
    assert_eq!(logind.ended(), ["4"]);
    // Where only people with a factor are asked, others have nothing to pass.
    let enrolled = LATER.replace("services", "require = \"enrolled\"\nservices") + REST;
    assert_eq!(ends(&t.apply(&enrolled, &["--yes", "--now", "--accept-weaker"])), []);
}

#[test]
fn without_logind_the_policy_is_applied_and_it_is_said() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Scene::start();
    let applied = t.apply(&at_once(), &["--yes"]);
    assert_eq!(applied["applied"], true);
    let said = applied["sessions_trouble"].as_str().unwrap_or_default().to_owned();
    assert!(said.contains("systemd-logind does not run"), "{applied}");
}

#[test]
fn a_logind_that_does_not_answer_delays_nobodys_login() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Scene::start();
    let _silent = FakeLogind::silent(&t.bus);
    std::thread::scope(|scope| {
        let started = Instant::now();
        let applying = scope.spawn(|| t.apply(&at_once(), &["--yes"]));
        std::thread::sleep(Duration::from_millis(500));
        let before = Instant::now();
        let _ = t.login("sshd", "192.0.2.2");
        assert!(before.elapsed() < Duration::from_secs(3), "{:?}", before.elapsed());
        let applied = applying.join().expect("apply ends");
        assert!(
            applied["sessions_trouble"].as_str().is_some_and(|why| why.contains("no answer")),
            "{applied}"
        );
        assert!(started.elapsed() < Duration::from_secs(15));
    });
}

/// An sshd whose stack lacks pam_systemd: its logins are named, and left alone.
#[test]
fn logins_that_logind_does_not_know_are_named() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"));
    let t = Scene::start();
    let _logind = FakeLogind::start(&t.bus, &[], None);
    std::fs::create_dir("/run/door").expect("our own /run");
    std::fs::copy("/bin/sleep", "/run/door/sshd").expect("a program with that name");
    let mut stray = std::process::Command::new("/run/door/sshd");
    let mut stray = stray.arg("30").uid(BOB.uid).gid(BOB.uid).spawn().expect("start it");
    std::thread::sleep(Duration::from_millis(200));
    let applied = t.apply(&at_once(), &["--yes"]);
    stray.kill().expect("our own child");
    drop(stray.wait());
    let bob = applied["sessions"].as_array().and_then(|all| all.iter().find(|one| one["user"] == "bob"));
    let bob = bob.unwrap_or_else(|| panic!("not named: {applied}"));
    let since = bob["since"].as_u64().unwrap_or_default();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs();
    assert!(now.abs_diff(since) < 30, "{bob}");
    assert_eq!((bob["leader"].as_u64(), bob["service"].as_str()), (Some(stray.id().into()), Some("sshd")));
    // From where they came nobody knows, and there is an exception for a network.
    assert_eq!(bob["end"], "unknown-to-logind", "{bob}");
}
