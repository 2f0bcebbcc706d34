//! Guesses of those whom the daemon need not tell anything: programs on the bus, names that nobody has.

use super::{ATTACKER, BUDGET, HOME, SOURCE_BUDGET, evaluated, locked, require_all};
use countersign_protocol::names::LOGIN_INTERFACE;
use countersign_tests::people::{ALICE, BOB};
use countersign_tests::{Caller, Code, Daemon, Fixture, LogRow, Stack};
use std::collections::BTreeSet;

/// Malware under alice's uid calls the daemon itself: the same budget, and not a word more than the verdict.
#[test]
fn bru_12_the_own_uid_on_the_bus_is_no_oracle() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let malware = Caller::on(&t.bus).as_uid(ALICE.uid);
    // What it says of the first factor changes nothing: a person's own program always acts at their expense.
    // Fewer than a local user may begin at once (AVL-05).
    for n in 0..15 {
        let claim = if n % 2 == 0 { "passed" } else { "unknown" };
        let begun = malware.begin("alice", claim).expect("one may begin for oneself");
        assert_eq!(begun.verdict, "ask", "try {n}: locked or not, the same");
        let said = respond_raw(&malware, &begun.login, &alice.wrong_code(n));
        assert_eq!(said.split_whitespace().collect::<Vec<_>>(), bare_deny(&begun.login), "try {n}");
        let again = malware.respond(&begun.login, &alice.wrong_code(n)).expect_err("one try in a login");
        assert_eq!(again.name, "org.countersign1.Error.NotFound", "{again}");
    }
    let log = t.daemon.log("alice");
    assert_eq!((evaluated(&log), locked(&log)), (BUDGET, 10), "{log:#?}");
    let right = alice.fresh_code();
    let begun = malware.begin("alice", "passed").expect("one may begin for oneself");
    let said = respond_raw(&malware, &begun.login, &right);
    assert_eq!(
        said.split_whitespace().collect::<Vec<_>>(),
        bare_deny(&begun.login),
        "the right code, locked"
    );
    assert_eq!(t.cs().login("alice", [&right]).auth, Code::MAXTRIES, "it is the budget of her logins");
    let console = t.cs().visit("alice").tty("tty1").run([&right]);
    assert!(console.passed(), "her console stays open: {console:?}");

    let for_bob = malware.begin("bob", "passed").expect_err("not for somebody else");
    assert_eq!(for_bob.name, "org.countersign1.Error.NotAuthorized");
}

fn respond_raw(caller: &Caller, login: &str, answer: &str) -> String {
    let bytes: Vec<String> = answer.bytes().map(|byte| byte.to_string()).collect();
    let args = [format!("string:{login}"), format!("array:byte:{}", bytes.join(","))];
    caller.call(LOGIN_INTERFACE, "Respond", &args.each_ref().map(String::as_str)).expect("a step")
}

/// A step as dbus-send prints it: login, verdict, and two empty arrays.
fn bare_deny(login: &str) -> Vec<&str> {
    vec![login, "deny", "array", "[", "]", "array", "[", "]"]
}

/// Nobody can tell from the outside which names exist, nor find in the log what was typed as one.
#[test]
fn dis_08_unknown_names_look_like_everybody_and_leave_a_keyed_hash() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let open = Stack::cs1(&t.module());
    let strangers = ["nobody-here", "hunter2-Tr0ub4dor&3", "nobody-here"];
    let known = open.visit("alice").rhost(HOME).run([alice.wrong_code(0)]);
    assert_eq!(known.auth, Code::AUTH_ERR);
    let looks_the_same = |stack: &Stack| {
        for name in strangers {
            let stranger = stack.visit(name).rhost(HOME).run(["123456"]);
            assert_eq!((stranger.auth, &stranger.shown), (known.auth, &known.shown), "{name}: {stranger:?}");
            // libpam spreads the two seconds asked for by half of them either way, for both alike.
            let delays = [known.delay_usec, stranger.delay_usec];
            assert!(delays.iter().all(|usec| (1_000_000..=3_000_000).contains(usec)), "{name}: {delays:?}");
        }
    };
    looks_the_same(&open);
    let _ = t.world.wait_syslog("refused: wrong answer");
    let syslog = t.world.syslog().concat();
    assert!(open.login("alice", [alice.fresh_code()]).passed());
    assert!(t.world.wait_syslog("verified").contains("user=\"alice\""), "who is let in is named");
    // A first factor that lets strangers pass; here the module believes that the name is somebody's.
    looks_the_same(&t.cs());

    let rows: Vec<LogRow> = t.daemon.log_of_all().into_iter().filter(|row| row.uid.is_none()).collect();
    assert_eq!(rows.len(), 2 * strangers.len(), "one row for each login: {rows:#?}");
    let names: BTreeSet<&str> = rows.iter().map(|row| row.user.as_str()).collect();
    assert!(names.len() == 2 && names.iter().all(|name| name.starts_with("unknown:")), "{names:?}");
    let places = [t.daemon.said(), t.bus.said(), stored(&t.daemon), syslog];
    for (name, place) in strangers.iter().flat_map(|name| places.iter().map(move |place| (name, place))) {
        assert!(!place.contains(name), "{name} is in {place:.300}");
    }
    assert!(stored(&t.daemon).contains("alice"), "the search would find a name");
}

/// Every file of the state, as text.
fn stored(daemon: &Daemon) -> String {
    let files = std::fs::read_dir(daemon.state()).expect("the state directory").flatten();
    let bytes: Vec<u8> =
        files.flat_map(|file| std::fs::read(file.path()).expect("a file of the state")).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Names are anybody's to invent: a new one for each guess does not make a new budget.
#[test]
fn bru_01_guesses_under_many_names_are_one_source() {
    require_all!();
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let open = Stack::cs1(&t.module());
    for n in 0..20 {
        let stranger = open.visit(format!("user{n}")).rhost(ATTACKER);
        assert_eq!(stranger.run(["123456"]).auth, Code::AUTH_ERR);
    }
    let log = t.daemon.log_of_all();
    assert_eq!(evaluated(&log), SOURCE_BUDGET, "{log:#?}");
    let right = alice.fresh_code();
    assert_eq!(open.visit("alice").rhost(ATTACKER).run([&right]).auth, Code::AUTH_ERR, "a closed source");
    assert!(open.visit("alice").rhost(HOME).run([&right]).passed());
    let bob = open.visit("bob").rhost(HOME).run(["123456"]);
    assert_eq!(bob.auth, Code::AUTH_ERR, "bob ({}) has no factor, and nobody hears of it: {bob:?}", BOB.uid);
}
