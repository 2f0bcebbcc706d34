//! That something goes on: one line at a terminal that is gone in the end, and nothing anywhere else.

mod support;

use std::time::Duration;

use support::bus::Bus;
use support::daemon::{Daemon, Script};
use support::run::{ctl, piped, seen};

#[test]
fn what_takes_long_says_so_to_people_only() {
    let bus = Bus::start();
    let _daemon =
        Daemon::start(&bus.address(), Script { slow: Duration::from_millis(1400), ..Script::default() });
    let shown = |variables: &[(&str, &str)]| {
        let mut command = ctl(&bus.address(), &["metrics"]);
        command.envs(variables.iter().copied()).stdout(std::process::Stdio::piped());
        let (code, out, err) = seen(command, None);
        assert!(code == 0 && out.starts_with("# TYPE"), "{code} {out}");
        err
    };
    for variables in [&[("TERM", "xterm")][..], &[("TERM", "xterm"), ("NO_COLOR", "1")]] {
        let moving = shown(variables);
        assert!(moving.starts_with("\rMeasuring, 1 s ... "), "{moving:?}");
        let gone = format!("\r{}\r", " ".repeat(78));
        assert!(moving.ends_with(&gone) && !moving.contains(['\n', '\u{1b}']), "{moving:?}");
    }
    // What cannot take a line back gets one, once.
    assert_eq!(shown(&[("TERM", "dumb")]), "Measuring, 1 s ...\n");
    assert_eq!(piped(ctl(&bus.address(), &["metrics"]).env("TERM", "xterm"), "").err, "");
}

#[test]
fn what_is_done_within_a_second_says_nothing() {
    let bus = Bus::start();
    let _daemon = Daemon::start(&bus.address(), Script::default());
    let mut command = ctl(&bus.address(), &["users", "--json"]);
    command.env("TERM", "xterm").stdout(std::process::Stdio::piped());
    assert_eq!(seen(command, None), (0, String::new(), String::new()));
}
