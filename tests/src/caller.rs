//! Method calls on the bus by hand, as any uid: what a program other than the module could try.

use crate::bus::PrivateBus;
use countersign_protocol::names::{BUS_NAME, LOGIN_INTERFACE, OBJECT_PATH};
use std::fmt;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// Somebody on a bus. Each call is a connection of its own, made by `dbus-send`.
#[derive(Debug, Clone)]
pub struct Caller {
    address: String,
    uid: Option<u32>,
}

/// A D-Bus error reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallError {
    /// Such as `org.countersign1.Error.NotAuthorized`, or `org.freedesktop.DBus.Error.AccessDenied` from the bus itself.
    pub name: String,
    /// The text beside it.
    pub text: String,
}

impl fmt::Display for CallError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.name, self.text)
    }
}

impl std::error::Error for CallError {}

/// The two words of a step that tests look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CalledStep {
    /// The login's capability.
    pub login: String,
    /// The verdict's word.
    pub verdict: String,
}

impl Caller {
    /// The test itself.
    #[must_use]
    pub fn on(bus: &PrivateBus) -> Self {
        Self { address: bus.address(), uid: None }
    }

    /// Somebody else (root only).
    #[must_use]
    pub fn as_uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Calls a method of the daemon. Arguments are in the words of dbus-send(1), such as `string:alice`.
    ///
    /// # Errors
    /// The error reply.
    pub fn call(&self, interface: &str, member: &str, args: &[&str]) -> Result<String, CallError> {
        let mut command = Command::new("dbus-send");
        command
            .arg(format!("--bus={}", self.address))
            .args(["--print-reply=literal", "--reply-timeout=20000"])
            .arg(format!("--dest={BUS_NAME}"))
            .args([OBJECT_PATH, &format!("{interface}.{member}")])
            .args(args);
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        let out = command.output().expect("run dbus-send (dbus-bin)");
        if out.status.success() {
            return Ok(String::from_utf8_lossy(&out.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&out.stderr);
        let said = said.trim().trim_start_matches("Error ");
        let (name, text) = said.split_once(": ").unwrap_or((said, ""));
        Err(CallError { name: name.to_owned(), text: text.to_owned() })
    }

    /// `Login.Begin` for `user`, service `bus-test`.
    ///
    /// # Errors
    /// The error reply.
    pub fn begin(&self, user: &str, first_factor: &str) -> Result<CalledStep, CallError> {
        let words =
            [user, "", "bus-test", "dbus-send", "", "", first_factor].map(|word| format!("string:{word}"));
        let said = self.call(LOGIN_INTERFACE, "Begin", &words.each_ref().map(String::as_str))?;
        Ok(step_of(&said))
    }

    /// `Login.Respond`.
    ///
    /// # Errors
    /// The error reply.
    pub fn respond(&self, login: &str, answer: &str) -> Result<CalledStep, CallError> {
        let bytes: Vec<String> = answer.bytes().map(|byte| byte.to_string()).collect();
        let answer = format!("array:byte:{}", bytes.join(","));
        let said = self.call(LOGIN_INTERFACE, "Respond", &[&format!("string:{login}"), &answer])?;
        Ok(step_of(&said))
    }
}

fn step_of(said: &str) -> CalledStep {
    let mut words = said.split_whitespace().map(str::to_owned);
    let mut next = || words.next().expect("a step begins with two words");
    CalledStep { login: next(), verdict: next() }
}
