//! `invite`, and `enroll` with what it gives.

mod support;

use support::bus::Bus;
use support::daemon::{CODE, Daemon, Script};
use support::run::{Typing, ctl, piped};

#[test]
fn an_invitation_is_shown_once_and_alone_in_json() {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), Script::default());
    let ended = piped(&mut ctl(&bus.address(), &["invite", "alice"]), "");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert!(ended.out.starts_with("k7m2q-9xw4t\n") && ended.out.contains("10 min"), "{}", ended.out);
    assert!(ended.out.lines().all(|line| line.chars().count() <= 80), "{}", ended.out);
    let ended = piped(&mut ctl(&bus.address(), &["invite", "alice", "--minutes", "60", "--json"]), "");
    assert_eq!(ended.out, "{\"code\":\"k7m2q-9xw4t\",\"seconds\":3600}\n");
    assert_eq!(daemon.calls(), ["Invite alice 10", "Invite alice 60"]);
}

#[test]
fn an_invitation_is_asked_for_where_it_is_needed() {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), Script::default());
    let mut typing = Typing::start(ctl(&bus.address(), &["enroll", "stranger"]), 80);
    typing.expect("Type the invitation: ");
    typing.send(" k7m2q-9xw4t ");
    typing.expect("Type the code the app shows: ");
    typing.send(CODE);
    assert_eq!(typing.end().0, 0);
    let calls = ["Enroll stranger", "Enroll stranger k7m2q-9xw4t", "ConfirmEnrollment e1 123456"];
    assert_eq!(daemon.calls(), calls);
    // A program is told instead of being asked.
    let ended = piped(&mut ctl(&bus.address(), &["enroll", "stranger", "--json"]), "k7m2q-9xw4t\n");
    assert_eq!((ended.code, ended.out.as_str()), (1, ""), "{ended:?}");
    assert!(ended.err.contains("an invitation is needed"), "{}", ended.err);
}
