//! `countersignctl`, run the way people run it.

use crate::clock::Clock;
use crate::secret::Secret;
use serde::Deserialize;
use serde_json::Value;
use std::io::Write as _;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// `countersignctl --bus ADDRESS`, as root or as somebody.
#[derive(Debug, Clone)]
pub struct Ctl {
    bus_address: String,
    uid: Option<u32>,
    login_uid: Option<u32>,
}

/// What it printed and how it ended.
#[derive(Debug, Clone)]
pub struct CtlOutput {
    /// The exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl CtlOutput {
    /// The JSON values on standard output: several, or one array of them.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Vec<Value> {
        let values = serde_json::Deserializer::from_str(&self.stdout).into_iter::<Value>();
        values
            .flat_map(|value| match value.unwrap_or_else(|e| panic!("not JSON ({e}): {self:?}")) {
                Value::Array(items) => items,
                one => vec![one],
            })
            .collect()
    }

    /// What it complained of, on one line: it breaks its lines where a terminal ends.
    #[must_use]
    pub fn complaint(&self) -> String {
        self.stderr.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    /// Itself, where the exit code is 0.
    ///
    /// # Panics
    /// Where it is not.
    #[must_use]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, Some(0), "countersignctl failed: {self:?}");
        self
    }
}

/// One login in the attempt log, as `countersignctl log --json` prints it.
#[derive(Debug, Clone, Deserialize)]
pub struct LogRow {
    /// Growing number.
    pub id: i64,
    /// Login name.
    pub user: String,
    /// uid; none for unknown names.
    pub uid: Option<i64>,
    /// `PAM_RUSER`.
    pub ruser: String,
    /// PAM service.
    pub service: String,
    /// Host program.
    pub program: String,
    /// Terminal.
    pub tty: String,
    /// An address, `local` or `unknown`.
    pub source: String,
    /// The policy that decided.
    pub policy: String,
    /// `asked verified denied locked skipped would-ask abandoned enrolled`.
    pub state: String,
    /// `totp`, `recovery` or empty.
    pub factor: String,
    /// The reason class, such as `wrong-code`.
    pub reason: String,
    /// When it began, in seconds since 1970.
    pub started: i64,
    /// Answers typed.
    pub tries: u32,
    /// When the last answer was typed, in seconds since 1970.
    pub last_try: Option<i64>,
    /// Whether the account phase confirmed it.
    pub confirmed: bool,
}

impl Ctl {
    /// As the test's own uid, on this bus.
    #[must_use]
    pub fn on(bus_address: &str) -> Self {
        Self { bus_address: bus_address.to_owned(), uid: None, login_uid: None }
    }

    /// As somebody else (root only).
    #[must_use]
    pub fn as_uid(mut self, uid: u32) -> Self {
        self.uid = Some(uid);
        self
    }

    /// Runs it to the end with nothing on standard input.
    #[must_use]
    pub fn run(&self, args: &[&str]) -> CtlOutput {
        self.run_with(args, "")
    }

    /// The same typed in a session that this person logged in to, whoever they are by now.
    #[must_use]
    pub fn logged_in_as(&self, uid: u32) -> Self {
        Self { login_uid: Some(uid), ..self.clone() }
    }

    /// Runs it to the end with this on standard input.
    #[must_use]
    pub fn run_with(&self, args: &[&str], stdin: &str) -> CtlOutput {
        let mut child = self.command(args).spawn().expect("start countersignctl");
        // It may end without reading: that is its answer, not an error here.
        drop(child.stdin.take().expect("piped").write_all(stdin.as_bytes()));
        let out = child.wait_with_output().expect("wait for countersignctl");
        CtlOutput {
            code: out.status.code(),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }

    /// `log [USER] --json`, oldest first.
    ///
    /// # Panics
    /// When it fails or prints a row that lacks a field.
    #[must_use]
    pub fn log(&self, args: &[&str]) -> Vec<LogRow> {
        let args: Vec<&str> = ["log"].iter().chain(args).chain(&["--json"]).copied().collect();
        let rows = self.run(&args).ok().json();
        let mut rows: Vec<LogRow> = rows
            .into_iter()
            .map(|row| serde_json::from_value(row).expect("a row with every field"))
            .collect();
        rows.sort_by_key(|row| row.id);
        rows
    }

    /// `enroll USER --json`, confirmed by the code of the step before the present one.
    ///
    /// # Panics
    /// When it refuses.
    #[must_use]
    pub fn enroll(&self, user: &str, clock: Option<Arc<Clock>>) -> Secret {
        self.try_enroll(&[user], "", clock).unwrap_or_else(|out| panic!("enroll {user}: {out:?}"))
    }

    /// `enroll ARGS --json` with these lines and nothing more on standard input, where it is to refuse.
    ///
    /// # Panics
    /// When it does not.
    #[must_use]
    pub fn refused_enroll(&self, args: &[&str], lines: &str) -> CtlOutput {
        let args: Vec<&str> = ["enroll"].iter().chain(args).chain(&["--json"]).copied().collect();
        let out = self.run_with(&args, lines);
        assert_ne!(out.code, Some(0), "{out:?}");
        out
    }

    /// `enroll ARGS --json` with these lines typed first, confirmed by the code of the step before the
    /// present one.
    ///
    /// # Errors
    /// What it printed, when it refuses.
    ///
    /// # Panics
    /// When what it prints is not what was agreed.
    pub fn try_enroll(
        &self,
        args: &[&str],
        lines: &str,
        clock: Option<Arc<Clock>>,
    ) -> Result<Secret, CtlOutput> {
        let args: Vec<&str> = ["enroll"].iter().chain(args).chain(&["--json"]).copied().collect();
        let mut child = self.command(&args).spawn().expect("start countersignctl");
        let mut stdin = child.stdin.take().expect("piped");
        drop(stdin.write_all(lines.as_bytes()));
        let mut said = BufReader::new(child.stdout.take().expect("piped"));
        let mut line = String::new();
        let mut first = None;
        // The object may be spread over lines: read until it is whole.
        while first.is_none() && said.read_line(&mut line).is_ok_and(|n| n > 0) {
            first = serde_json::from_str::<Value>(&line).ok();
        }
        let mut secret = first.as_ref().map(|first| {
            let base32 = first["secret"].as_str().expect("a secret");
            let mut secret = Secret::from_base32(base32, clock);
            secret.uri = first["uri"].as_str().expect("a uri").to_owned();
            let step = secret.step() - 1;
            writeln!(stdin, "{}", secret.code_at(step)).expect("type the first code");
            secret.mark_used(step);
            secret
        });
        drop(stdin);
        let mut rest = String::new();
        said.read_to_string(&mut rest).expect("the second object");
        let mut stderr = String::new();
        drop(child.stderr.take().expect("piped").read_to_string(&mut stderr));
        let status = child.wait().expect("wait for countersignctl");
        let Some(secret) = secret.as_mut().filter(|_| status.success()) else {
            return Err(CtlOutput { code: status.code(), stdout: line + &rest, stderr });
        };
        let second: Value = serde_json::from_str(&rest).expect("the second object");
        let codes = second["recovery_codes"].as_array().expect("recovery codes");
        secret.recovery = codes.iter().map(|c| c.as_str().expect("a code").to_owned()).collect();
        Ok(std::mem::replace(secret, Secret::from_base32("", None)))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = match self.login_uid {
            None => Command::new(crate::artifacts::ctl()),
            Some(uid) => {
                // The kernel lets it be set once, before anything else runs: as pam_loginuid does.
                let mut shell = Command::new("sh");
                shell.args(["-c", "echo \"$0\" >/proc/self/loginuid && exec \"$@\"", &uid.to_string()]);
                shell.arg(crate::artifacts::ctl());
                shell
            }
        };
        command.args(["--bus", &self.bus_address]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if let Some(uid) = self.uid {
            command.uid(uid).gid(uid);
        }
        command
    }
}
