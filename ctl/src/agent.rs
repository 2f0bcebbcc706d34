//! polkit's question for a password, at a terminal where nobody else can ask it.
//!
//! In a graphical session polkit has a dialog; over ssh and on the console it has none, and without one a
//! password that would help cannot be typed. pkttyagent(1) is polkit's own for a terminal. It steps back
//! where the session has another.

use std::io::{IsTerminal, Read};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::time::Duration;

use countersign_protocol::names::SYSTEM_BUS_ADDRESS;
use nix::unistd::User;
use rustix::process::{Pid, Signal, kill_process};

use crate::cli::{Cli, EmailVerb, LogVerb, PolicyVerb, Verb};

/// Nothing that PATH says is run: what asks for passwords is polkit's.
const PKTTYAGENT: &str = "/usr/bin/pkttyagent";
/// The longest that it may take to tell polkit that it is there.
const PATIENCE: Duration = Duration::from_secs(3);

/// Whether one was started.
static ASKS: AtomicBool = AtomicBool::new(false);

/// Whether a question for a password may stand on the terminal now.
pub(crate) fn asks() -> bool {
    ASKS.load(Ordering::Relaxed)
}

/// Asks for as long as it is held.
pub(crate) struct Agent(Option<Child>);

impl Agent {
    /// Where polkit may want a password and a person is there to type it. Where there is no such program,
    /// polkit has nobody to ask, and says so.
    pub(crate) fn for_a_person(cli: &Cli) -> Self {
        let person = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
        let asked =
            !rustix::process::geteuid().is_root() && cli.bus == SYSTEM_BUS_ADDRESS && may_ask(&cli.verb);
        Self(if person && asked { start() } else { None })
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let Some(child) = &mut self.0 else { return };
        // By a signal that it can act on: it has switched the terminal's echo off while somebody types.
        if let Some(pid) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
            let _ = kill_process(pid, Signal::TERM);
        }
        drop(child.wait());
    }
}

/// Whether polkit has a say in this. Who acts on themselves, and has a factor, is not its business; nor is
/// what root alone may do.
fn may_ask(verb: &Verb) -> bool {
    match verb {
        Verb::Status(args) => others(&args.user),
        Verb::Log(args) => match &args.verb {
            None => args.logins.is_about_others(),
            Some(LogVerb::Acts(_) | LogVerb::Verify(_)) => true,
            Some(LogVerb::Accept(_)) => false,
        },
        Verb::Rename(args) => others(&args.user),
        Verb::Remove(args) => others(&args.user),
        Verb::Resync(args) => others(&args.user),
        Verb::RecoveryCodes(args) => others(&args.user) || args.view,
        Verb::Forget(args) => others(&Some(args.user.clone())),
        Verb::Email(email) => match &email.verb {
            None => others(&email.show.user),
            Some(EmailVerb::Show(args)) => others(&args.user),
            Some(EmailVerb::Confirm(args)) => others(&args.user),
            Some(EmailVerb::Remove(args)) => others(&args.user),
            // A first address takes one's own password.
            Some(EmailVerb::Set(_) | EmailVerb::Preview(_)) => true,
            Some(EmailVerb::Test(_)) => false,
        },
        // A first factor takes one's own password.
        Verb::Enroll(_) => true,
        Verb::Policy(PolicyVerb::Check(_)) => false,
        Verb::Policy(PolicyVerb::Explain(_) | PolicyVerb::Impact(_) | PolicyVerb::Apply(_)) => true,
        Verb::Invite(_)
        | Verb::Users(_)
        | Verb::Metrics(_)
        | Verb::Reset(_)
        | Verb::Approve(_)
        | Verb::Lock(_)
        | Verb::Unlock(_)
        | Verb::Exempt(_)
        | Verb::Require(_) => true,
        Verb::RequestReset(_)
        | Verb::AcceptClock(_)
        | Verb::Doctor(_)
        | Verb::Enable(_)
        | Verb::Confirm(_)
        | Verb::Disable(_)
        | Verb::Backup(_)
        | Verb::Restore(_)
        | Verb::Export(_)
        | Verb::Rekey(_)
        | Verb::Import(_)
        | Verb::Complete { .. }
        | Verb::ReadOwn { .. } => false,
    }
}

/// Whether somebody else than the caller is named.
fn others(user: &Option<String>) -> bool {
    let own = |name: &String| {
        User::from_name(name).ok().flatten().is_some_and(|found| found.uid == nix::unistd::geteuid())
    };
    user.as_ref().is_some_and(|name| !own(name))
}

/// Whether logind has this process in a session, or below the user that one belongs to. Only there can
/// polkit know of another agent, and only there does it look at one that steps back.
fn in_session(cgroup: &str) -> bool {
    cgroup.contains("/user-") && cgroup.contains(".slice")
}

/// It talks to our own terminal, and closes its standard output once polkit knows it.
fn start() -> Option<Child> {
    let mut command = Command::new(PKTTYAGENT);
    command.args(["--notify-fd", "1"]).env_clear();
    if in_session(&std::fs::read_to_string("/proc/self/cgroup").unwrap_or_default()) {
        command.arg("--fallback");
    }
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().ok()?;
    let mut known = child.stdout.take()?;
    ASKS.store(true, Ordering::Relaxed);
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        let _ = known.read(&mut [0]);
        let _ = tell.send(());
    });
    let _ = told.recv_timeout(PATIENCE);
    Some(child)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_by_the_cgroup() {
        assert!(in_session("0::/user.slice/user-1000.slice/session-3.scope\n"));
        assert!(in_session("0::/user.slice/user-1000.slice/user@1000.service/app.slice/terminal.scope\n"));
        assert!(!in_session("0::/system.slice/cron.service\n"));
        assert!(!in_session("0::/\n"));
        assert!(!in_session(""));
    }
}
