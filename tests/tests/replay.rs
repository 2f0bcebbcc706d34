//! A code works once: one after the other, all at the same moment, for the right person only, and in far years.

use countersign_tests::people::ALICE;
use countersign_tests::{Caller, Code, Fixture, LogRow, Rush, Secret, Stack, require};
use std::time::{Duration, Instant};

const AT_ONCE: usize = 64;
const ROUNDS: usize = 100;

/// Recovery codes left to a person.
fn recovery_left(t: &Fixture, user: &str) -> u64 {
    let people = t.daemon.ctl().run(&["users", "--json"]).ok().json();
    let person = people.iter().find(|p| p["user"] == user).expect("a person with factors");
    let factors = person["factors"].as_array().expect("a list of factors");
    let codes = factors.iter().find(|f| f["kind"] == "recovery").expect("recovery codes");
    codes["left"].as_u64().expect("a number")
}

fn logins(t: &Fixture, user: &str) -> Vec<LogRow> {
    t.daemon.log(user).into_iter().filter(|row| row.state != "enrolled").collect()
}

fn assert_fresh_code_passes(t: &Fixture, user: &str, app: &Secret) {
    let fresh = t.cs().login(user, [app.fresh_code()]);
    assert!(fresh.passed(), "a fresh code of {user} passes: {fresh:?}");
}

#[test]
fn rpl_01_a_used_code_is_refused_everywhere() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let mut t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let earlier = t.cs().hold("alice");
    let old = alice.fresh_code();
    let code = alice.fresh_code();
    assert!(t.cs().login("alice", [&code]).passed());

    let same_service = t.cs().login("alice", [&code, &code, &code]);
    assert_eq!((same_service.auth, same_service.code_prompts()), (Code::MAXTRIES, 3), "{same_service:?}");
    assert!(same_service.messages()[0].starts_with("This code was already used"), "{same_service:?}");
    let begun_before = earlier.answer(&code);
    assert_eq!(begun_before.auth, Code::CONV_ERR, "asked again, and hung up: {begun_before:?}");
    let other_service = Stack::cs1(&t.module()).login("alice", [&code]);
    assert_eq!(other_service.auth, Code::AUTH_ERR, "{other_service:?}");
    let bus = Caller::on(&t.bus).as_uid(ALICE.uid);
    let login = bus.begin("alice", "passed").expect("alice may begin a login of her own");
    let over_the_bus = bus.respond(&login.login, &code).expect("an answer to it");
    assert_eq!(over_the_bus.verdict, "deny", "{over_the_bus:?}");
    let one_step_older = t.cs().login("alice", [&old]);
    assert_eq!(one_step_older.auth, Code::CONV_ERR, "{one_step_older:?}");
    t.daemon.crash_and_restart();
    let after_a_crash = t.cs().login("alice", [&code, &code, &code]);
    assert_eq!(after_a_crash.auth, Code::MAXTRIES, "{after_a_crash:?}");

    let log = logins(&t, "alice");
    let refused: Vec<_> = log.iter().filter(|row| row.state == "denied").collect();
    assert_eq!((log.len(), refused.len()), (7, 6), "{log:#?}");
    assert!(refused.iter().all(|row| row.reason == "code-reused"), "{refused:#?}");
    // Five guesses would have closed the lane; a used code is refused and is no guess.
    assert_fresh_code_passes(&t, "alice", &alice);
}

#[test]
fn rpl_02_simultaneous_logins_with_one_code_let_one_in_100_times() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    let began = Instant::now();
    let (mut spreads, mut longest_release) = (Vec::new(), Duration::ZERO);
    for round in 0..ROUNDS {
        let rush = cs.visit("alice").rush(AT_ONCE);
        assert_eq!(rush.at_prompt(), AT_ONCE, "round {round}");
        let code = alice.fresh_code();
        let result = rush.release(|_| &code);
        assert_eq!(result.count(Code::SUCCESS), 1, "round {round}: {result:?}");
        assert_eq!(
            (result.passed(), result.count(Code::CONV_ERR)),
            (1, AT_ONCE - 1),
            "round {round}: {result:?}"
        );
        longest_release = longest_release.max(result.released_in);
        spreads.push(result.spread);
    }
    spreads.sort_unstable();
    eprintln!(
        "{ROUNDS} rounds of {AT_ONCE} in {:?}; let go in {longest_release:?} at most, spread over {:?} (median)",
        began.elapsed(),
        spreads[ROUNDS / 2]
    );
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());

    let log = logins(&t, "alice");
    let count = |state: &str, reason: &str, confirmed| {
        log.iter()
            .filter(|r| (r.state.as_str(), r.reason.as_str(), r.confirmed) == (state, reason, confirmed))
            .count()
    };
    assert_eq!(count("verified", "", true), ROUNDS);
    assert_eq!(count("denied", "code-reused", false), ROUNDS * (AT_ONCE - 1));
    assert_eq!(log.len(), ROUNDS * AT_ONCE);
    assert_fresh_code_passes(&t, "alice", &alice);
}

#[test]
fn rpl_02_simultaneous_logins_with_two_neighbouring_codes() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let cs = t.cs();
    for round in 0..5 {
        let rush = cs.visit("alice").rush(AT_ONCE);
        let now = alice.fresh_code();
        let next = alice.code_in(1);
        alice.mark_used(alice.step() + 1);
        let result = rush.release(|i| if i % 2 == 0 { &now } else { &next });
        let passed = |odd| result.outcomes.iter().skip(odd).step_by(2).filter(|o| o.passed()).count();
        // The older code may come too late, the newer one never does.
        assert!(passed(0) <= 1 && passed(1) == 1, "round {round}: {result:?}");
    }
    assert_fresh_code_passes(&t, "alice", &alice);
}

#[test]
fn rpl_03_simultaneous_logins_with_one_recovery_code_let_one_in() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    // Recovery codes are hashed one at a time and slowly: the last of 64 may wait.
    let cs = Stack::cs(&t.module().option("timeout=30"));
    for (round, code) in alice.recovery.iter().take(3).enumerate() {
        let left = recovery_left(&t, "alice");
        let rush = cs.visit("alice").rush(AT_ONCE);
        assert_eq!(rush.at_prompt(), AT_ONCE);
        let began = Instant::now();
        let result = rush.release(|_| code);
        eprintln!("{AT_ONCE} at once with one recovery code: {:?}", began.elapsed());
        assert_eq!((result.passed(), result.count(Code::SUCCESS)), (1, 1), "round {round}: {result:?}");
        assert_eq!(recovery_left(&t, "alice"), left - 1, "round {round}");
        let again = cs.login("alice", [code, code, code]);
        assert_eq!(again.auth, Code::MAXTRIES, "{again:?}");
    }
    let another = cs.login("alice", [&alice.recovery[3]]);
    assert!(another.passed(), "{another:?}");
    assert_eq!(recovery_left(&t, "alice"), 6);
    let log = logins(&t, "alice");
    let verified: Vec<_> = log.iter().filter(|row| row.state == "verified").collect();
    assert!(verified.len() == 4 && verified.iter().all(|row| row.factor == "recovery"), "{verified:#?}");
    let reused = log.iter().filter(|row| row.reason == "code-reused").count();
    assert_eq!(reused, 3 * AT_ONCE, "63 beside the one and one after them, three times");
    assert_fresh_code_passes(&t, "alice", &alice);
}

/// Alice and Bob at their prompts, and each types what belongs to the other.
#[test]
fn rpl_16_a_code_is_good_for_its_own_person_only() {
    require!(Root, Staged("countersignd"), Staged("countersignctl"), Staged("pam_countersign.so"));
    let t = Fixture::with_clock();
    let (alice, bob) = (t.daemon.enroll("alice"), t.daemon.enroll("bob"));
    let (code, recovery) = (alice.fresh_code(), &alice.recovery[0]);
    let rush = Rush::open([&t.cs().visit("bob"), &t.cs().visit("bob"), &t.cs().visit("alice")]);
    let answers = [&code, recovery, &bob.fresh_code()];
    let crossed = rush.release(|i| answers[i]);
    assert_eq!((crossed.passed(), crossed.count(Code::CONV_ERR)), (0, 3), "{crossed:?}");
    let wrong = |user| logins(&t, user).iter().filter(|row| row.reason == "wrong-code").count();
    assert_eq!(
        (wrong("bob"), wrong("alice")),
        (2, 1),
        "a guess like any other, charged to whose login it is"
    );

    // Nothing of alice's was spent by it.
    assert!(t.cs().login("alice", [&code]).passed());
    assert!(t.cs().login("alice", [recovery]).passed());
    assert_eq!((recovery_left(&t, "alice"), recovery_left(&t, "bob")), (9, 10));
    assert_fresh_code_passes(&t, "bob", &bob);
}

#[test]
fn rpl_17_codes_of_2038_and_2106() {
    require!(
        Root,
        Library("faketime/libfaketimeMT.so.1"),
        Staged("countersignd"),
        Staged("countersignctl"),
        Staged("pam_countersign.so")
    );
    let t = Fixture::with_clock();
    let alice = t.daemon.enroll("alice");
    let today = alice.code_in(0);
    // The days after 32 bits of seconds end, signed and unsigned: 2038-01-20 and 2106-02-08, midnight UTC.
    for day in [2_147_558_400, 4_295_030_400] {
        t.clock().set(day);
        passes_once(&t, "alice", &alice);
        let old = t.cs().login("alice", [&today]);
        assert_eq!(old.auth, Code::CONV_ERR, "asked again, and hung up: {old:?}");
        assert_fresh_code_passes(&t, "alice", &alice);
        let log = logins(&t, "alice");
        let last = log.last().expect("rows");
        assert!(u64::try_from(last.started).is_ok_and(|at| at.abs_diff(day) < 600), "{last:?}");
    }
    let bob = t.daemon.enroll("bob");
    passes_once(&t, "bob", &bob);
    assert_fresh_code_passes(&t, "bob", &bob);
}

fn passes_once(t: &Fixture, user: &str, app: &Secret) {
    let code = app.fresh_code();
    let right = t.cs().login(user, [&code]);
    assert!(right.passed(), "{user}: {right:?}");
    let replay = t.cs().login(user, [&code, &code, &code]);
    assert_eq!((replay.auth, replay.code_prompts()), (Code::MAXTRIES, 3), "{user}: {replay:?}");
}
