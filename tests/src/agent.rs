//! Somebody in front of a process, whom polkit asks for a password: an agent without a screen.
//!
//! polkit's own helper goes through the PAM stack `polkit-1`; what it asks is answered by a closure.

use crate::bus::PrivateBus;
use crate::polkit::{POLKIT, POLKIT_PATH};
use crate::wire::Wire;
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use zbus::message::Type;
use zbus::{Message, OwnedVariant, Variant};

/// polkit's own setuid program.
pub const HELPER: &str = "/usr/lib/polkit-1/polkit-agent-helper-1";
const PATH: &str = "/org/countersign/tests/agent";

/// What is typed where a prompt says this.
type Answers = dyn FnMut(&str) -> String + Send;

/// An agent. Dropped, it is gone.
pub struct Agent {
    stream: UnixStream,
    thread: Option<JoinHandle<()>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Agent {
    /// For the process behind a connection of this person's; `answers` is what they type at each prompt.
    ///
    /// # Panics
    /// When polkit does not take it.
    #[must_use]
    pub fn start(
        bus: &PrivateBus,
        subject: &mut Wire,
        (name, uid): (&'static str, u32),
        answers: impl FnMut(&str) -> String + Send + 'static,
    ) -> Self {
        let pid = subject.process().pid();
        let mut wire = Wire::in_own_process(bus, uid);
        let details = HashMap::from([
            ("pid", Variant::from(pid)),
            ("start-time", Variant::from(start_time(pid))),
            ("uid", Variant::from(i32::try_from(uid).expect("a small uid"))),
        ]);
        let authority = "org.freedesktop.PolicyKit1.Authority";
        let register = (("unix-process", details), "C", PATH);
        let done = wire.call(POLKIT, POLKIT_PATH, authority, "RegisterAuthenticationAgent", &register);
        let _ = done.expect("polkit takes the agent");
        let asked = Arc::new(Mutex::new(Vec::new()));
        let stream = wire.stream().try_clone().expect("another descriptor");
        let seen = Arc::clone(&asked);
        let mut answers: Box<Answers> = Box::new(answers);
        let thread = std::thread::spawn(move || {
            while let Ok(message) = wire.receive() {
                let header = message.header();
                let begins = header.member().is_some_and(|member| member.as_str() == "BeginAuthentication");
                if message.message_type() != Type::MethodCall || !begins {
                    continue;
                }
                let (action, cookie) = question(&message);
                seen.lock().expect("nobody panics with it").push(action);
                authenticate((name, uid), &cookie, &mut *answers);
                let reply = Message::method_return(&header).build(&()).expect("a reply");
                if wire.send(reply.data().bytes()).is_err() {
                    return;
                }
            }
        });
        Self { stream, thread: Some(thread), asked }
    }

    /// The actions that passwords were asked for since the last time, oldest first.
    ///
    /// # Panics
    /// When the agent's thread did.
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock().expect("nobody panics with it"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        drop(self.stream.shutdown(Shutdown::Both));
        drop(self.thread.take().map(JoinHandle::join));
    }
}

/// The action, and the word by which polkit knows the dialog.
fn question(message: &Message) -> (String, String) {
    type Question = (
        String,
        String,
        String,
        HashMap<String, String>,
        String,
        Vec<(String, HashMap<String, OwnedVariant>)>,
    );
    let (action, _, _, _, cookie, _): Question =
        message.body().deserialize().expect("a question of polkit's");
    (action, cookie)
}

/// polkit's helper says each prompt in a line, reads each answer as one, and tells polkit itself.
fn authenticate((name, uid): (&str, u32), cookie: &str, answers: &mut Answers) {
    let mut command = Command::new(HELPER);
    command.arg(name).uid(uid).gid(uid).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut helper = command.spawn().expect("start polkit's helper (polkitd)");
    let mut stdin = helper.stdin.take().expect("piped");
    drop(writeln!(stdin, "{cookie}"));
    for line in BufReader::new(helper.stdout.take().expect("piped")).lines().map_while(Result::ok) {
        if let Some(prompt) = line.strip_prefix("PAM_PROMPT_ECHO_").and_then(|rest| rest.split_once(' ')) {
            // It may have had enough.
            drop(writeln!(stdin, "{}", answers(prompt.1)));
        }
    }
    drop(helper.wait());
}

/// When a process began, in the kernel's ticks: with the pid it names one process for ever.
fn start_time(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("a process");
    let (_, after_name) = stat.rsplit_once(')').expect("a name in brackets");
    after_name.split_whitespace().nth(19).and_then(|field| field.parse().ok()).expect("field 22")
}
