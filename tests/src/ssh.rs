//! A real sshd on the loopback of a [`World`], and the real client at a terminal.

use crate::people;
use crate::pty::Pty;
use crate::scratch::Scratch;
use crate::stack::Module;
use crate::world::World;
use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long one login through ssh may take; the server's own LoginGraceTime is longer.
const PATIENCE: Duration = Duration::from_secs(60);

/// The end of every code prompt of the fixture; messages beside it speak of codes too.
pub const CODE_PROMPT: &str = "Verification code: ";

/// `auth` and `account` lines of an /etc/pam.d/sshd that asks for the account's password, then for the code.
#[must_use]
pub fn two_factor_lines(module: &Module) -> Vec<String> {
    vec![
        "auth requisite pam_unix.so nodelay".to_owned(),
        module.line("auth", "required", &["after_first_factor"]),
        "account required pam_unix.so".to_owned(),
        module.line("account", "required", &[]),
        "session required pam_permit.so".to_owned(),
    ]
}

/// A stock stack: the account's password and nothing else.
#[must_use]
pub fn password_lines() -> Vec<String> {
    ["auth required pam_unix.so nodelay", "account required pam_unix.so", "session required pam_permit.so"]
        .map(str::to_owned)
        .to_vec()
}

/// A running sshd. Dropped, it dies with all its sessions.
pub struct Sshd {
    process: Child,
    dir: Scratch,
    port: u16,
}

/// How one ssh login went.
#[must_use]
#[derive(Debug, Clone)]
pub struct SshResult {
    /// The client's exit status; 255 is ssh's own failure, `None` a signal.
    pub code: Option<i32>,
    /// Everything its terminal showed.
    pub transcript: String,
    /// How many of the expected prompts appeared.
    pub answered: usize,
}

impl SshResult {
    /// Whether the remote command ran and succeeded.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.code == Some(0)
    }
}

impl Sshd {
    /// Starts it with these lines as /etc/pam.d/sshd, keyboard-interactive only.
    ///
    /// # Panics
    /// Outside a root world, or when it does not listen.
    #[must_use]
    pub fn start(world: &World, pam_lines: &[impl AsRef<str>]) -> Self {
        Self::start_with(world, pam_lines, &["AuthenticationMethods keyboard-interactive:pam"])
    }

    /// The same with other sshd_config lines after the usual ones (the first value of a keyword counts).
    ///
    /// # Panics
    /// Outside a root world, or when it does not listen.
    #[must_use]
    pub fn start_with(world: &World, pam_lines: &[impl AsRef<str>], config: &[&str]) -> Self {
        assert!(world.is_private(), "a real sshd needs a root World: it writes /etc/pam.d/sshd");
        let text: String = pam_lines.iter().map(|l| l.as_ref().to_owned() + "\n").collect();
        fs::write("/etc/pam.d/sshd", text).expect("our own /etc");
        // Where sshd puts its unprivileged child; the package's tmpfiles make it on a booted host.
        fs::create_dir_all("/run/sshd").expect("our own /run");
        let dir = Scratch::new("sshd");
        let key = dir.join("host_key");
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status();
        assert!(made.is_ok_and(|s| s.success()), "ssh-keygen (openssh-client)");
        // The network namespace is ours alone, so the ordinary port is free; `config` may say another.
        let port = 22;
        let file = dir.join("sshd_config");
        let lines = [
            format!("ListenAddress 127.0.0.1:{port}"),
            format!("HostKey {}", key.display()),
            "UsePAM yes".to_owned(),
            "KbdInteractiveAuthentication yes".to_owned(),
            "PrintMotd no".to_owned(),
            "PrintLastLog no".to_owned(),
            "UseDNS no".to_owned(),
            "PidFile none".to_owned(),
            "StrictModes no".to_owned(),
            "MaxStartups 200".to_owned(),
            "LogLevel VERBOSE".to_owned(),
            config.join("\n"),
            // The last word where `config` does not speak of it.
            "PasswordAuthentication no".to_owned(),
        ];
        fs::write(&file, lines.join("\n") + "\n").expect("write sshd_config");
        let process = launch(&file, &dir.join("log"));
        let mut sshd = Self { process, dir, port };
        sshd.wait_until_listening();
        sshd
    }

    /// What sshd logged so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read(self.dir.join("log"))
            .map_or_else(|_| String::new(), |b| String::from_utf8_lossy(&b).into_owned())
    }

    /// The client's command line for `user` running `remote`, with no configuration of the host.
    #[must_use]
    pub fn client(&self, user: &str, options: &[&str], remote: &str) -> Command {
        let mut command = Command::new("ssh");
        command.args(["-F", "none", "-p", &self.port.to_string()]);
        for option in [
            "StrictHostKeyChecking=no",
            "UserKnownHostsFile=/dev/null",
            "GlobalKnownHostsFile=/dev/null",
            "LogLevel=ERROR",
            "NumberOfPasswordPrompts=1",
            "IdentityAgent=none",
            "IdentitiesOnly=yes",
        ] {
            command.args(["-o", option]);
        }
        for option in options {
            command.args(["-o", option]);
        }
        command.env("LANG", "C.UTF-8").env_remove("SSH_AUTH_SOCK").env_remove("DISPLAY");
        command.arg(format!("{user}@127.0.0.1")).arg(remote);
        command
    }

    /// Logs in by keyboard-interactive and runs `true`. Each pair is a piece of a prompt and what is typed at it;
    /// where the connection ends before a prompt comes, the rest is left unsaid.
    pub fn login(&self, user: &str, talk: &[(&str, &str)]) -> SshResult {
        let client = self.client(user, &["PreferredAuthentications=keyboard-interactive"], "true");
        dialogue(&client, talk)
    }

    /// The same, held at the last prompt of `talk`, whose answer is given by [`SshHeld::answer`].
    #[must_use]
    pub fn hold(&self, user: &str, talk: &[(&str, &str)], last_prompt: &str) -> SshHeld {
        let client = self.client(user, &["PreferredAuthentications=keyboard-interactive"], "true");
        let mut pty = Pty::spawn(&client);
        for (prompt, answer) in talk {
            pty.expect(prompt);
            pty.send_line(answer);
        }
        pty.expect(last_prompt);
        SshHeld { pty, answered: talk.len() }
    }

    /// `count` logins held at the last prompt, opened at the same time.
    #[must_use]
    pub fn hold_many(
        &self,
        count: usize,
        user: &str,
        talk: &[(&str, &str)],
        last_prompt: &str,
    ) -> Vec<SshHeld> {
        std::thread::scope(|scope| {
            let hold = || self.hold(user, talk, last_prompt);
            let opening: Vec<_> = (0..count).map(|_| scope.spawn(hold)).collect();
            opening.into_iter().map(|thread| thread.join().expect("it reaches its prompt")).collect()
        })
    }

    fn wait_until_listening(&mut self) {
        let until = Instant::now() + Duration::from_secs(10);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let ended = self.process.try_wait().ok().flatten();
            assert!(
                ended.is_none() && Instant::now() < until,
                "sshd does not listen ({ended:?}): {}",
                self.log()
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Sshd {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
        if std::thread::panicking() {
            eprintln!("sshd said:\n{}", self.log());
        }
    }
}

/// An ssh login that stands at a prompt.
pub struct SshHeld {
    pty: Pty,
    answered: usize,
}

impl SshHeld {
    /// Types a line and returns at once.
    pub fn type_line(&mut self, line: &str) {
        self.pty.send_line(line);
        self.answered += 1;
    }

    /// Types the same line whenever the prompt comes again, to the end.
    pub fn repeat_to_end(mut self, prompt: &str, line: &str) -> SshResult {
        while self.pty.expect_or_end(prompt, PATIENCE) {
            self.type_line(line);
        }
        self.finish()
    }

    /// Waits for the end.
    pub fn finish(mut self) -> SshResult {
        let status = self.pty.wait(PATIENCE);
        SshResult {
            code: status.code(),
            transcript: self.pty.transcript().to_owned(),
            answered: self.answered,
        }
    }

    /// Types a line and waits for the end.
    pub fn answer(mut self, line: &str) -> SshResult {
        self.type_line(line);
        self.finish()
    }
}

/// Types one line at all of them in one loop, then the same line whenever the prompt comes again.
#[must_use]
pub fn release_ssh(mut held: Vec<SshHeld>, prompt: &str, line: &str) -> Vec<SshResult> {
    held.iter_mut().for_each(|login| login.type_line(line));
    std::thread::scope(|scope| {
        let ending: Vec<_> =
            held.into_iter().map(|login| scope.spawn(|| login.repeat_to_end(prompt, line))).collect();
        ending.into_iter().map(|thread| thread.join().expect("it ends")).collect()
    })
}

/// Runs a program at a terminal, answering prompts in order.
pub fn dialogue(command: &Command, talk: &[(&str, &str)]) -> SshResult {
    let mut pty = Pty::spawn(command);
    let mut answered = 0;
    for (prompt, answer) in talk {
        if !pty.expect_or_end(prompt, PATIENCE) {
            break;
        }
        pty.send_line(answer);
        answered += 1;
    }
    let status = pty.wait(PATIENCE);
    SshResult { code: status.code(), transcript: pty.transcript().to_owned(), answered }
}

/// In a pid namespace of its own, so that its sessions cannot outlive it.
fn launch(config: &Path, log: &Path) -> Child {
    let out = fs::File::create(log).expect("a log file");
    Command::new("unshare")
        .args(["--pid", "--fork", "--kill-child=KILL", "--mount-proc", "/usr/sbin/sshd", "-D", "-e", "-f"])
        .arg(config)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .current_dir(people::HOMES)
        .stdin(Stdio::null())
        .stdout(out.try_clone().expect("another descriptor"))
        .stderr(out)
        .spawn()
        .expect("start sshd (openssh-server) through unshare (util-linux)")
}
