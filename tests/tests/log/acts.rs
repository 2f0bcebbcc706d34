//! ADM-01: what somebody does through the Manager interface leaves a record, in the commit that does it.

use super::{require_all, tamper, verify};
use countersign_protocol::manager::{ForeignFactor, NOTED_VERBS};
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, MANAGER_INTERFACE, OBJECT_PATH};
use countersign_tests::caller::CallError;
use countersign_tests::fixture::CONFIG;
use countersign_tests::people::{ALICE, DAVE};
use countersign_tests::polkit::Says;
use countersign_tests::wire::step_of;
use countersign_tests::{Fixture, Polkit, Secret, Wire, artifacts};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::time::{Duration, Instant};
use zbus::Message;
use zbus::zvariant::DynamicType;

fn acts(t: &Fixture, args: &[&str]) -> Vec<Value> {
    let args: Vec<&str> = ["log", "acts", "--json"].iter().chain(args).copied().collect();
    t.daemon.ctl().run(&args).ok().json()
}

type Reply = Result<Message, CallError>;

/// Someone who calls, and what was recorded of it.
struct Scene {
    t: Fixture,
    root: Wire,
    seen: usize,
    recorded: BTreeSet<String>,
}

impl Scene {
    fn call<B: Serialize + DynamicType>(wire: &mut Wire, member: &str, body: &B) -> Reply {
        wire.call(BUS_NAME, OBJECT_PATH, MANAGER_INTERFACE, member, body)
    }

    /// The one act that was recorded since the last time.
    fn one(&mut self, member: &str, reply: Reply) -> (Value, Message) {
        let reply = reply.unwrap_or_else(|e| panic!("{member}: {e}"));
        let all = acts(&self.t, &[]);
        assert_eq!(all.len(), self.seen + 1, "{member} leaves exactly one act: {all:#?}");
        self.seen += 1;
        let act = all[0].clone();
        assert_eq!(act["verb"], member);
        assert!(act["at"].as_u64().is_some_and(|at| at > 1_700_000_000), "{act}");
        self.recorded.insert(member.to_owned());
        (act, reply)
    }

    /// Root calls, and one act of root's is recorded.
    fn root<B: Serialize + DynamicType>(&mut self, member: &str, body: &B) -> (Value, Message) {
        let reply = Self::call(&mut self.root, member, body);
        let (act, reply) = self.one(member, reply);
        assert_eq!((act["actor"].as_str(), act["actor_uid"].as_u64()), (Some("root"), Some(0)), "{act}");
        (act, reply)
    }

    /// The same by `countersignctl`, which must do it, by so many calls.
    fn by_tool(&mut self, member: &str, args: &[&str], calls: usize) -> Value {
        let _ = self.t.daemon.ctl().run(args).ok();
        let all = acts(&self.t, &[]);
        assert_eq!(all.len(), self.seen + calls, "{member} leaves exactly one act a call: {all:#?}");
        self.seen += calls;
        assert_eq!((all[0]["verb"].as_str(), all[0]["actor"].as_str()), (Some(member), Some("root")));
        self.recorded.insert(member.to_owned());
        all[0].clone()
    }

    /// Nothing was recorded since the last time.
    fn nothing(&self, why: &str) {
        assert_eq!(acts(&self.t, &[]).len(), self.seen, "{why}");
    }

    /// A verified login of one's own.
    fn proof(&self, wire: &mut Wire, name: &str, secret: &Secret) -> String {
        let begin = (name, "", "countersignctl", "test", "", "", "unknown");
        let begun = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &begin).expect("a step");
        let (login, _) = step_of(&begun);
        let answer = (login.as_str(), secret.fresh_code().into_bytes());
        let done = wire.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Respond", &answer).expect("a step");
        assert_eq!(step_of(&done).1, "allow");
        login
    }
}

fn between(act: &Value, before: &str, after: &str) {
    let holds = |key: &str, part: &str| act[key].as_str().is_some_and(|text| text.contains(part));
    assert!(holds("before", before) && holds("after", after), "{before} -> {after}: {act}");
}

/// The methods of the Manager interface that are said to read, and all others, from the daemon's source.
fn methods() -> (BTreeSet<String>, BTreeSet<String>) {
    let file = artifacts::source_root().join("daemon/src/bus/gate.rs");
    let text = std::fs::read_to_string(&file).expect("the daemon's table");
    let reads = text.split("const READS").nth(1).and_then(|rest| rest.split("];").next()).expect("a list");
    let reads: BTreeSet<String> = reads
        .lines()
        .filter_map(|line| Some(line.trim().strip_prefix('"')?.strip_suffix("\",")?.to_owned()))
        .collect();
    let rows = text.lines().filter_map(|line| line.trim().strip_prefix("(\"Manager\", \""));
    let all: BTreeSet<String> = rows.filter_map(|row| Some(row.split('"').next()?.to_owned())).collect();
    assert!(reads.len() > 5 && reads.is_subset(&all), "{reads:?} {all:?}");
    let acts = all.difference(&reads).cloned().collect();
    (reads, acts)
}

/// Methods that need more than this scene, tried in `mail/address.rs` and `backup/people.rs`.
const ELSEWHERE: &[&str] = &["SetAddress", "ConfirmAddress", "RemoveAddress", "ExportPeople", "ImportPeople"];

fn factors(scene: &mut Scene) {
    let carol = ("carol", "app", "", "");
    let (act, reply) = scene.root("Enroll", &carol);
    between(&act, "nothing", "enrolling \"app\"");
    assert_eq!((act["user"].as_str(), act["uid"].as_u64()), (Some("carol"), Some(5003)));
    let (id, ..): (String, String, String, String, String) =
        reply.body().deserialize().expect("an enrollment");
    let (act, _) = scene.root("CancelEnrollment", &id);
    between(&act, "enrolling", "nothing");
    assert_eq!(act["user"], "carol");
    let (_, reply) = scene.root("Enroll", &carol);
    let (id, _, secret, ..): (String, String, String, String, String) =
        reply.body().deserialize().expect("an enrollment");
    let app = Secret::from_base32(&secret, scene.t.daemon.clock().cloned());
    let (act, _) = scene.root("ConfirmEnrollment", &(id, app.code_in(0).into_bytes()));
    between(&act, "enrolling", "authenticator \"app\"; 10 of 10 recovery codes");
    let (act, _) = scene.root("RenameFactor", &("carol", "app", "phone", ""));
    between(&act, "\"app\"", "\"phone\"");
    let codes = (app.code_in(3).into_bytes(), app.code_in(4).into_bytes());
    let (act, _) = scene.root("Resync", &("carol", "phone", codes.0, codes.1));
    between(&act, "\"phone\";", " s ahead; 10 of 10 recovery codes");
    scene.t.clock().shift(2);
    let (act, _) = scene.root("NewRecoveryCodes", &("carol", ""));
    assert_ne!(act["before"], act["after"]);
    let (act, _) = scene.root("ViewRecoveryCodes", &("carol", "an audit"));
    assert_eq!(act["reason"], "an audit");
    let (act, _) = scene.root("RemoveFactor", &("carol", "phone", "", "she asked"));
    between(&act, "recovery codes", "nothing");
    let (act, _) = scene.root("Invite", &("bob", 10u32));
    between(&act, "nothing", "invited");
    let foreign = ForeignFactor {
        name: "old phone".into(),
        secret: (100..120).collect(),
        digits: 6,
        period: 30,
        used: -1,
        drift: 0,
        scratch: Vec::new(),
    };
    let dry = Scene::call(&mut scene.root, "ImportFactor", &("carol", &foreign, false, true));
    assert!(dry.is_ok(), "{dry:?}");
    scene.nothing("a dry run");
    let (act, _) = scene.root("ImportFactor", &("carol", &foreign, false, false));
    between(&act, "nothing", "authenticator \"old phone\"");
}

fn people(scene: &mut Scene, alice: &Secret) {
    let wrong = alice.wrong_code(1);
    assert!(!scene.t.cs().visit("alice").run(vec![&wrong; 2]).passed());
    let (act, _) = scene.root("Unlock", &("alice", "she called back"));
    between(&act, "all lane: 2 failures", "authenticator \"app\"");
    assert_eq!(act["reason"], "she called back");
    assert!(!act["after"].as_str().expect("text").contains("failures"), "{act}");
    assert!(Scene::call(&mut scene.root, "Unlock", &("alice", "again")).is_ok());
    scene.nothing("nothing was locked");
    assert!(scene.t.cs().visit("alice").rhost("192.0.2.7").run([alice.fresh_code()]).passed());
    let (act, _) = scene.root("Lock", &("carol", "a leak"));
    between(&act, "authenticator", "locked by an administrator");
    let (act, _) = scene.root("Unlock", &("carol", "checked"));
    between(&act, "locked by an administrator", "authenticator");
    let (act, _) = scene.root("Forget", &"alice");
    between(&act, "1 remembered sources", "authenticator");
    let (act, _) = scene.root("Exempt", &("bob", scene.t.clock().now() as i64 + 86400, "phone broken"));
    between(&act, "", "exempt until 20");
    let (act, _) = scene.root("EndOverride", &("bob", "exempt", ""));
    between(&act, "exempt until", "invited");
    let (act, _) = scene.root("Require", &("carol", 0i64, ""));
    between(&act, "", "required from");
}

fn resets(scene: &mut Scene, alice: &Secret) {
    let mut asker = Wire::as_uid(&scene.t.bus, ALICE.uid);
    let ask = |scene: &mut Scene, wire: &mut Wire| {
        let proof = scene.proof(wire, "alice", alice);
        let reply = Scene::call(wire, "RequestReset", &("carol", "phone lost", proof));
        let (act, reply) = scene.one("RequestReset", reply);
        assert_eq!((act["actor"].as_str(), act["user"].as_str()), (Some("alice"), Some("carol")), "{act}");
        assert_eq!((act["actor_uid"].as_u64(), act["reason"].as_str()), (Some(5001), Some("phone lost")));
        reply.body().deserialize::<u32>().expect("a number")
    };
    let id = ask(scene, &mut asker);
    let (act, _) = scene.root("RefuseReset", &(id, "not her"));
    between(&act, "reset asked for by alice, 0 approvals", "");
    let id = ask(scene, &mut asker);
    let polkit = Polkit::saying(&scene.t.bus, Says::Yes);
    let mut dave = Wire::as_uid(&scene.t.bus, DAVE.uid);
    let reply = Scene::call(&mut dave, "ApproveReset", &id);
    let (act, _) = scene.one("ApproveReset", reply);
    between(&act, "old phone", "required from");
    assert_eq!(act["actor"], "dave");
    polkit.say(Says::No);
    let (act, _) = scene.root("Reset", &("alice", "phone lost", true));
    between(&act, "authenticator \"app\"", "nothing");
    assert_eq!(act["reason"], "phone lost");
}

/// What root's tool did by itself: the verb is what it says, of a closed list.
fn noted(scene: &mut Scene) {
    for verb in NOTED_VERBS {
        let reply = Scene::call(&mut scene.root, "NoteAct", &(verb, "sshd is off", "sshd is on", "ticket 3"));
        let (act, _) = scene.one(verb, reply);
        assert_eq!((&act["actor_uid"], &act["user"]), (&0.into(), &Value::Null), "{act}");
        between(&act, "sshd is off", "sshd is on");
        assert_eq!(act["reason"], "ticket 3");
    }
    let long = "x".repeat(1001);
    for (verb, before, after) in [
        ("Reset", "a", "b"),
        ("", "a", "b"),
        ("EnableService", "", "b"),
        ("EnableService", "a", "b\nact Reset"),
        ("EnableService", "a\u{1b}[2J", "b"),
        ("EnableService", &long, "b"),
    ] {
        let refused = Scene::call(&mut scene.root, "NoteAct", &(verb, before, after, ""));
        assert!(refused.is_err(), "{verb:?} {before:?} {after:?}");
    }
    scene.nothing("a note that is none");
    scene.recorded.insert("NoteAct".to_owned());
}

fn host(scene: &mut Scene) {
    scene.t.clock().shift(86400);
    let _ = scene.t.cs().visit("carol").run([""; 0]);
    scene.t.clock().shift(-86400);
    let (act, _) = scene.root("AcceptClock", &());
    assert!(act["user"].is_null() && act["uid"].is_null(), "{act}");
    between(&act, "latest date seen", "latest date seen");
    assert_ne!(act["before"], act["after"]);
    noted(scene);
    let apply =
        |dry: bool| (true, dry, false, Vec::<(String, u32, String, String, u32, i64)>::new(), "ticket 9");
    scene.t.daemon.configure(&with("[[policy]]\nname = \"all\"\nstatus = \"report\"\n"));
    assert!(Scene::call(&mut scene.root, "ApplyPolicy", &apply(true)).is_ok());
    scene.nothing("a dry run");
    let (act, _) = scene.root("ApplyPolicy", &apply(false));
    between(&act, "1 policies, hash ", "2 policies, hash ");
    assert_eq!(act["reason"], "ticket 9");
    assert!(Scene::call(&mut scene.root, "ApplyPolicy", &apply(false)).is_ok());
    scene.nothing("nothing new");
    let _bob = scene.t.daemon.enroll("bob");
    scene.seen = acts(&scene.t, &[]).len();
    let dir = tempfile::tempdir().expect("a directory");
    let file = dir.path().join("backup").display().to_string();
    let act = scene.by_tool("Backup", &["backup", &file], 1);
    between(&act, "last backup never", "last backup 20");
    let _ = scene.t.daemon.ctl().run(&["restore", &file, "--dry-run"]).ok();
    scene.nothing("a dry run");
    let _ = scene.by_tool("Restore", &["restore", &file, "--yes", "--reason", "a test"], 1);
    let key = scene.t.daemon.key_file().display().to_string();
    // Once by the old key, to see that it can, and once by the new.
    let act = scene.by_tool("Rekey", &["rekey", "--yes", "--key-file", &key], 2);
    assert_ne!(act["before"], act["after"]);
    let (act, _) = scene.root("AcceptLog", &"a test");
    assert_eq!(act["reason"], "a test");
}

fn with(more: &str) -> String {
    format!(
        "{CONFIG}\n{more}\n[recovery]\nviewable = true\nregenerate_after = \"0s\"\n[reset]\napprovals = 1\n"
    )
}

#[test]
fn adm_01_every_method_that_changes_anything_leaves_exactly_one_act() {
    require_all!();
    let t = Fixture::configured(&with(""));
    let alice = t.daemon.enroll("alice");
    let root = Wire::on(&t.bus);
    let seen = acts(&t, &[]).len();
    let mut scene = Scene { t, root, seen, recorded: BTreeSet::new() };
    let (reads, changing) = methods();
    for read in &reads {
        // Whatever they are asked: that they cannot change anything, the store sees to.
        drop(Scene::call(&mut scene.root, read, &"alice"));
    }
    scene.nothing("reading");
    factors(&mut scene);
    people(&mut scene, &alice);
    resets(&mut scene, &alice);
    host(&mut scene);
    let untried: Vec<_> = changing
        .iter()
        .filter(|m| !scene.recorded.contains(*m) && !ELSEWHERE.contains(&m.as_str()))
        .collect();
    assert_eq!(untried, [""; 0], "new methods: show here that each leaves one act");
    let (whole, broken, _) = verify(&scene.t, &[]);
    assert!(whole, "{broken:?}");
}

#[test]
fn adm_01_acts_are_found_by_person_time_and_method_and_by_journal() {
    require_all!();
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let _ = t.daemon.ctl().run(&["require", "bob", "--reason", "ticket 7"]).ok();
    let _ = t.daemon.ctl().run(&["reset", "alice", "--reason", "gone\u{202e} \"x\"", "--yes"]);
    let _ = t.daemon.ctl().run(&["reset", "alice", "--reason", "phone \"lost\"", "--yes"]).ok();
    let verbs = |args: &[&str]| -> Vec<String> {
        acts(&t, args).iter().map(|act| act["verb"].as_str().expect("a word").to_owned()).collect()
    };
    assert_eq!(verbs(&[]), ["Reset", "Require", "ConfirmEnrollment", "Enroll"]);
    assert_eq!(verbs(&["alice"]), ["Reset", "ConfirmEnrollment", "Enroll"]);
    assert_eq!(verbs(&["root", "--limit", "1"]), ["Reset"]);
    assert_eq!(verbs(&["--verb", "Require,Enroll"]), ["Require", "Enroll"]);
    assert_eq!(
        verbs(&["--since", "1h", "--user", "x"][..2]),
        ["Reset", "Require", "ConfirmEnrollment", "Enroll"]
    );
    assert_eq!(verbs(&["--until", "1h"]), [""; 0]);
    let table = t.daemon.ctl().run(&["log", "acts"]).ok().stdout;
    assert!(table.starts_with("TIME") && table.contains("ticket 7"), "{table}");
    let said = t.daemon.said();
    let line = "<5>act Reset by-uid=\"0\" by=\"root\" user=\"alice\" before=\"authenticator";
    assert!(
        said.contains(line) && said.contains("after=\"nothing\" reason=\"phone \\\"lost\\\"\""),
        "{said}"
    );
}

/// What is refused changes nothing, so it is in no database; the journal has it, and not without bound.
#[test]
fn adm_01_refused_attempts_are_in_the_journal_and_bounded() {
    require_all!();
    let t = Fixture::with_clock();
    let mut dave = Wire::as_uid(&t.bus, DAVE.uid);
    for _ in 0..100 {
        assert!(Scene::call(&mut dave, "Reset", &("alice", "a\nforged line", false)).is_err());
    }
    assert_eq!(acts(&t, &[]), [Value::Null; 0]);
    let said = t.daemon.said();
    let lines: Vec<&str> = said.lines().filter(|line| line.contains("act refused Reset")).collect();
    assert_eq!(lines.len(), 60, "{said}");
    assert!(
        lines[0].starts_with("<4>act refused Reset why=\"not-authorized\" by-uid=\"5004\""),
        "{}",
        lines[0]
    );
    assert!(!said.contains("\nforged"), "{said}");
}

/// What root's tool does by itself is on record where the daemon runs, and is done where it does not.
#[test]
fn adm_01_what_disable_does_is_an_act_and_needs_no_daemon() {
    require_all!();
    let mut t = Fixture::with_clock();
    assert!(t.world.is_private(), "this writes into /etc");
    let file = Path::new("/etc/pam.d/cs-asks");
    let lines = "auth required pam_countersign.so\nauth required pam_deny.so\n";
    std::fs::write(file, lines).expect("our own /etc");
    let args = ["disable", "cs-asks", "--yes", "--reason", "ticket 12"];
    let _ = t.daemon.ctl().logged_in_as(DAVE.uid).run(&args).ok();
    let act = acts(&t, &["--verb", "DisableService"]).remove(0);
    assert_eq!((&act["actor_uid"], &act["loginuid"]), (&0.into(), &DAVE.uid.into()), "{act}");
    assert_eq!(act["reason"], "ticket 12");
    between(&act, "/etc/pam.d/cs-asks asks", "/etc/pam.d/cs-asks does not ask");
    t.daemon.stop();
    std::fs::write(file, lines).expect("our own /etc");
    let begun = Instant::now();
    let _ = t.daemon.ctl().run(&args).ok();
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(std::fs::read_to_string(file).expect("it is there"), "auth required pam_deny.so\n");
    t.daemon.resume();
    assert_eq!(acts(&t, &["--verb", "DisableService"]).len(), 1);
}

/// Root by `sudo` is still who logged in.
#[test]
fn adm_01_an_act_says_who_logged_in_before_they_were_root() {
    require_all!(File("/proc/self/loginuid"));
    let t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    let _ = t.daemon.ctl().logged_in_as(DAVE.uid).run(&["require", "alice"]).ok();
    let act = acts(&t, &["--verb", "Require"]).remove(0);
    assert_eq!(
        (&act["actor_uid"], &act["loginuid"], &act["user"]),
        (&0.into(), &DAVE.uid.into(), &"alice".into()),
        "{act}"
    );
    let line = format!("act Require by-uid=\"0\" by=\"root\" loginuid=\"{}\"", DAVE.uid);
    assert!(t.daemon.said().contains(&line), "{}", t.daemon.said());
}

/// The act and its record are one commit: where the record cannot be written, nothing is done.
#[test]
fn adm_01_without_a_record_nothing_is_done() {
    require_all!();
    let mut t = Fixture::with_clock();
    let _alice = t.daemon.enroll("alice");
    // Numbers of acts are used up: SQLite refuses the next row as it does on a full disk.
    tamper(&mut t, |db| {
        let last = db.execute("UPDATE sqlite_sequence SET seq = ?1 WHERE name = 'act'", [i64::MAX]);
        assert_eq!(last.expect("the numbers of acts"), 1);
    });
    let refused = t.daemon.ctl().run(&["reset", "alice", "--reason", "x", "--yes"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    t.daemon.configure(&format!("{CONFIG}\n[[policy]]\nname = \"all\"\nstatus = \"off\"\n"));
    let refused = t.daemon.ctl().run(&["policy", "apply", "--yes"]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
    let status = t.daemon.ctl().run(&["status", "alice"]).ok().stdout;
    assert!(status.contains("totp"), "{status}");
    let policies = t.daemon.ctl().run(&["status"]).ok().stdout;
    assert!(policies.contains("1 policy in force"), "{policies}");
}
