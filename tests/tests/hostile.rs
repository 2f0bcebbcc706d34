//! Hostile input from every side: a daemon with the right uid, names, arguments, calls; and where secrets end up.

#[path = "hostile/calls.rs"]
mod calls;
#[path = "hostile/liar.rs"]
mod liar;
#[path = "hostile/names.rs"]
mod names;
#[path = "hostile/replies.rs"]
mod replies;
#[path = "hostile/secrets.rs"]
mod secrets;

use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use countersign_tests::Wire;
use countersign_tests::caller::CallError;
use countersign_tests::wire::step_of;

/// What `Begin` is told, all of it from outside.
#[derive(Default, Clone, Copy)]
struct Begin<'a> {
    user: &'a str,
    ruser: &'a str,
    service: &'a str,
    program: &'a str,
    rhost: &'a str,
    tty: &'a str,
}

impl Begin<'_> {
    /// Calls it where the first factor passed; the login and the verdict's word.
    fn call(&self, root: &mut Wire) -> Result<(String, String), CallError> {
        let arguments = (self.user, self.ruser, self.service, self.program, self.rhost, self.tty, "passed");
        let reply = root.call(BUS_NAME, OBJECT_PATH, LOGIN_INTERFACE, "Begin", &arguments)?;
        Ok(step_of(&reply))
    }
}

/// C0, C1, DEL, line separators and what changes the direction of text.
fn is_hostile(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Nothing but text and line ends.
fn assert_clean(text: &str, what: &str) {
    let found: Vec<_> = text.chars().filter(|&c| c != '\n' && is_hostile(c)).collect();
    assert!(found.is_empty(), "{what} has {found:?} raw in it:\n{text:?}");
}

/// Each line of the daemon's is an event of its own: nothing from outside began one.
fn assert_events(said: &str) {
    assert_clean(said, "the daemon's stderr");
    for line in said.lines() {
        let is_event = line.strip_prefix('<').and_then(|rest| rest.split_once('>'));
        assert!(is_event.is_some_and(|(n, _)| n.parse::<u8>().is_ok_and(|n| n < 8)), "{line:?} in:\n{said}");
    }
}
