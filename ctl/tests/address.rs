//! `email show`, `set`, `confirm` and `remove`: what they ask, what they send, and what they say.

mod support;

use support::bus::Bus;
use support::daemon::{CODE, Daemon, Script};
use support::run::{Ended, ctl, piped};

fn start() -> (Bus, Daemon) {
    let bus = Bus::start();
    let daemon = Daemon::start(&bus.address(), Script::default());
    (bus, daemon)
}

fn run(bus: &Bus, args: &[&str], input: &str) -> Ended {
    piped(&mut ctl(&bus.address(), args), input)
}

/// Root, as which the tests run, says whom and why.
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[test]
fn nobody_is_acted_on_by_accident() {
    let (bus, daemon) = start();
    if is_root() {
        for args in
            [&["email"][..], &["email", "show"], &["email", "set", "a@example.org"], &["email", "confirm"]]
        {
            assert_eq!(run(&bus, args, "").code, 2, "{args:?}");
        }
    }
    let unsaid = run(&bus, &["email", "set", "a@example.org", "alice"], "");
    assert!(unsaid.code == 2 && unsaid.err.contains("Add --reason TEXT"), "{unsaid:?}");
    let unasked = run(&bus, &["email", "remove", "alice", "--reason", "x"], "yes\n");
    assert!(unasked.code == 2 && unasked.err.contains("Add --yes"), "{unasked:?}");
    assert_eq!(daemon.calls(), [""; 0]);
}

#[test]
fn an_address_is_set_and_confirmed_for_somebody() {
    let (bus, daemon) = start();
    let set = run(&bus, &["email", "set", "a@example.org", "alice", "--reason", "ticket 7"], "");
    assert_eq!(
        set.out,
        "A code was sent to a***e@example.org\\x1b. For alice it counts once that code is typed:\n    \
         countersignctl email confirm alice\nUntil then nothing changes.\n"
    );
    let wrong = run(&bus, &["email", "confirm", "alice"], "000000\n");
    assert!(wrong.code == 1 && wrong.err.contains("newest letter"), "{wrong:?}");
    let right = run(&bus, &["email", "confirm", "alice"], &format!("000000\n {CODE} \n"));
    assert!(
        right.code == 0 && right.out.contains("alice goes to a***e@example.org from now on"),
        "{right:?}"
    );
    let needs = run(&bus, &["email", "set", "a@example.org", "stranger", "--reason", "x"], "k7m2q-9xw4t\n");
    assert_eq!(needs.code, 0, "{needs:?}");
    assert_eq!(
        daemon.calls(),
        [
            "SetAddress alice a@example.org \"\" \"\" ticket 7",
            "ConfirmAddress alice 000000",
            "ConfirmAddress alice 000000",
            &format!("ConfirmAddress alice {CODE}"),
            "SetAddress stranger a@example.org \"\" \"\" x",
            "SetAddress stranger a@example.org \"\" \"k7m2q-9xw4t\" x",
        ]
    );
}

#[test]
fn removing_and_showing() {
    let (bus, daemon) = start();
    let removed = run(&bus, &["email", "remove", "alice", "--yes", "--reason", "left"], "");
    assert!(removed.out.contains("a***e@example.org removed. alice is told"), "{removed:?}");
    let waited = run(&bus, &["email", "remove", "waits", "--yes", "--reason", "left"], "");
    assert!(waited.out.contains("None had counted"), "{waited:?}");
    let none = run(&bus, &["email", "show", "alice"], "");
    assert!(none.out.contains("alice has no mail address here"), "{none:?}");
    assert!(none.out.contains("countersignctl email set ADDRESS alice"), "{none:?}");
    assert_eq!(run(&bus, &["email", "show", "alice", "--json"], "").out, "");
    assert_eq!(run(&bus, &["email", "alice"], "").out, none.out, "the verb may be left out");
    assert_eq!(run(&bus, &["email", "alice", "--json"], "").code, 0);
    for (user, code) in [("nobody-here", 3), ("forbidden", 4), ("broken", 5)] {
        assert_eq!(run(&bus, &["email", "set", "a@b", user, "--reason", "x"], "").code, code);
        assert_eq!(run(&bus, &["email", "confirm", user], "1\n").code, code);
        assert_eq!(run(&bus, &["email", "show", user], "").code, code);
    }
    assert!(removed.out.lines().chain(none.out.lines()).all(|line| line.chars().count() <= 80));
    assert_eq!(daemon.calls()[0], "RemoveAddress alice \"\" left");
}
