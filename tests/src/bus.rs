//! A private message bus that behaves like the system bus, with the policy that we ship on it.

use crate::scratch::Scratch;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Which program is the bus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broker {
    /// The reference `dbus-daemon`.
    Reference,
    /// `dbus-broker`. Only in a root [`crate::World`]: it wants a journal socket at a fixed path.
    DbusBroker,
}

/// A running bus. Dropped, it is killed.
pub struct PrivateBus {
    broker: Broker,
    dir: Scratch,
    socket: PathBuf,
    process: Option<Child>,
    /// What stands behind the socket in the printed address.
    guid: String,
    as_printed: bool,
    _journal: Option<UnixDatagram>,
}

impl PrivateBus {
    /// A `dbus-daemon` on a private socket where only `owner` may own `org.countersign1`.
    #[must_use]
    pub fn start(owner: u32) -> Self {
        Self::start_with(Broker::Reference, owner, None, "")
    }

    /// The same on `/run/dbus/system_bus_socket` of the calling [`crate::World`], for hosts whose module has the
    /// compiled-in address.
    #[must_use]
    pub fn start_as_system_bus(owner: u32) -> Self {
        std::fs::create_dir_all("/run/dbus").expect("a World of our own");
        Self::start_with(Broker::Reference, owner, Some(PathBuf::from("/run/dbus/system_bus_socket")), "")
    }

    /// Everything chosen. `extra` is appended inside `<busconfig>`, such as a policy that lets somebody else own the name.
    ///
    /// # Panics
    /// When the bus does not come up.
    #[must_use]
    pub fn start_with(broker: Broker, owner: u32, socket: Option<PathBuf>, extra: &str) -> Self {
        // A bus ignores a policy for a user it cannot look up, and then nobody may own the name.
        let known = nix::unistd::User::from_uid(owner.into()).is_ok_and(|user| user.is_some());
        assert!(known, "uid {owner} has no entry in /etc/passwd here, so the bus would ignore its policy");
        let dir = Scratch::new("bus");
        let socket = socket.unwrap_or_else(|| dir.join("bus"));
        for (file, name) in [("policy.conf", "org.countersign1"), ("mailer.conf", "org.countersign1.Mailer")]
        {
            std::fs::write(dir.join(file), shipped_policy(name, owner)).expect("write the bus policy");
        }
        std::fs::write(dir.join("bus.conf"), configuration(&socket, extra))
            .expect("write the bus configuration");
        let mut bus = Self {
            broker,
            dir,
            socket,
            process: None,
            guid: String::new(),
            as_printed: false,
            _journal: None,
        };
        bus.resume();
        bus
    }

    /// The address, `unix:path=...`.
    #[must_use]
    pub fn address(&self) -> String {
        let guid = if self.as_printed { self.guid.as_str() } else { "" };
        format!("unix:path={}{guid}", self.socket.display())
    }

    /// The same with an address as `dbus-daemon --print-address` prints it, `,guid=` and all.
    ///
    /// # Panics
    /// Where the broker prints none.
    #[must_use]
    pub fn as_printed(mut self) -> Self {
        assert!(self.guid.starts_with(",guid="), "what was printed: {:?}", self.guid);
        self.as_printed = true;
        self
    }

    /// The socket's path.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The pid of the bus.
    ///
    /// # Panics
    /// While it is stopped.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("the bus runs").id()
    }

    /// Kills it and removes its socket: connections break, new ones are refused.
    pub fn stop(&mut self) {
        if let Some(mut child) = self.process.take() {
            drop(child.kill());
            drop(child.wait());
        }
        drop(std::fs::remove_file(&self.socket));
    }

    /// Starts it again on the same address.
    ///
    /// # Panics
    /// When it does not come up within ten seconds.
    pub fn resume(&mut self) {
        match self.broker {
            Broker::Reference => self.start_reference(),
            Broker::DbusBroker => self.start_broker(),
        }
    }

    /// Stop and start: every client loses its connection and every name its owner.
    pub fn restart(&mut self) {
        self.stop();
        self.resume();
    }

    /// SIGSTOP: it accepts connections (the kernel does) and says nothing.
    pub fn freeze(&self) {
        self.signal(Signal::SIGSTOP);
    }

    /// SIGCONT.
    pub fn thaw(&self) {
        self.signal(Signal::SIGCONT);
    }

    /// Whether anybody owns a name now; `false` too when the bus does not answer.
    #[must_use]
    pub fn has_owner(&self, name: &str) -> bool {
        let out = Command::new("dbus-send")
            .arg(format!("--bus={}", self.address()))
            .args([
                "--print-reply=literal",
                "--dest=org.freedesktop.DBus",
                "/",
                "org.freedesktop.DBus.NameHasOwner",
            ])
            .arg(format!("string:{name}"))
            .output()
            .expect("run dbus-send (dbus)");
        String::from_utf8_lossy(&out.stdout).contains("boolean true")
    }

    /// What the bus wrote to stderr so far.
    #[must_use]
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }

    fn log(&self) -> File {
        let path = self.dir.join("stderr");
        File::options().create(true).append(true).open(path).expect("a log file")
    }

    fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.pid()).expect("a pid"));
        kill(pid, signal).expect("signal our own bus");
    }

    fn start_reference(&mut self) {
        let mut child = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", self.dir.join("bus.conf").display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(self.log())
            .spawn()
            .expect("start dbus-daemon (dbus-daemon)");
        let mut line = String::new();
        let said = BufReader::new(child.stdout.take().expect("piped")).read_line(&mut line);
        assert!(
            matches!(said, Ok(n) if n > 0),
            "dbus-daemon did not print its address; it said:\n{}",
            self.said()
        );
        self.guid = line.trim_end().find(',').map_or_else(String::new, |at| line.trim_end()[at..].to_owned());
        self.process = Some(child);
    }

    /// The launcher wants a listening socket as descriptor 3 and its own pid in LISTEN_PID, as systemd passes them;
    /// a shell that execs keeps its pid. Its log goes to a stand-in journal.
    fn start_broker(&mut self) {
        let journal = Path::new("/run/systemd/journal/socket");
        if !journal.exists() {
            std::fs::create_dir_all("/run/systemd/journal").expect("a World of our own");
            self._journal = Some(UnixDatagram::bind(journal).expect("a stand-in journal"));
        }
        let listener = UnixListener::bind(&self.socket).expect("the bus socket");
        std::fs::set_permissions(&self.socket, std::fs::Permissions::from_mode(0o666))
            .expect("our own socket");
        let script = "LISTEN_PID=$$ LISTEN_FDS=1 exec dbus-broker-launch --scope system --config-file \"$0\" 3<&0 </dev/null";
        let child = Command::new("sh")
            .args(["-c", script])
            .arg(self.dir.join("bus.conf"))
            // The launcher is a client of its own bus.
            .env("DBUS_SYSTEM_BUS_ADDRESS", self.address())
            .stdin(Stdio::from(OwnedFd::from(listener)))
            .stderr(self.log())
            .spawn()
            .expect("start dbus-broker-launch (dbus-broker)");
        self.process = Some(child);
        let until = Instant::now() + Duration::from_secs(10);
        while !self.has_owner("org.freedesktop.DBus") {
            assert!(Instant::now() < until, "dbus-broker did not come up; it said:\n{}", self.said());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for PrivateBus {
    fn drop(&mut self) {
        self.stop();
        if std::thread::panicking() {
            eprintln!("the bus said:\n{}", self.said());
        }
    }
}

/// Connects to a bus socket and leaves the connection open and silent.
#[must_use]
pub fn silent_connection(bus: &PrivateBus) -> UnixStream {
    UnixStream::connect(bus.socket()).expect("connect to the bus")
}

/// The rules that every system bus begins with, from dbus' own system.conf.
const STOCK_POLICY: &str = r#"  <policy context="default">
    <allow user="*"/>
    <deny own="*"/>
    <deny send_type="method_call"/>
    <allow send_type="signal"/>
    <allow send_requested_reply="true" send_type="method_return"/>
    <allow send_requested_reply="true" send_type="error"/>
    <allow receive_type="method_call"/>
    <allow receive_type="method_return"/>
    <allow receive_type="error"/>
    <allow receive_type="signal"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Introspectable"/>
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Properties"/>
    <deny send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus"
          send_member="UpdateActivationEnvironment"/>
  </policy>
"#;

/// A system bus' configuration that includes `policy.conf` beside it.
fn configuration(socket: &Path, extra: &str) -> String {
    let socket = socket.display();
    let caller = nix::unistd::geteuid();
    format!(
        r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <auth>EXTERNAL</auth>
  <listen>unix:path={socket}</listen>
{STOCK_POLICY}
  <policy user="{caller}">
    <allow send_destination="org.freedesktop.DBus" send_interface="org.freedesktop.DBus.Monitoring"/>
    <allow own="org.freedesktop.PolicyKit1"/>
  </policy>
  <!-- As polkit ships it. -->
  <policy context="default">
    <allow send_destination="org.freedesktop.PolicyKit1"/>
  </policy>
  <include>policy.conf</include>
  <include>mailer.conf</include>
  {extra}
</busconfig>
"#
    )
}

/// A policy that we ship, with the daemon's uid for `countersign`, the mailer's and the test's for `root`.
fn shipped_policy(name: &str, owner: u32) -> String {
    let file =
        crate::artifacts::source_root().join(format!("packaging/usr/share/dbus-1/system.d/{name}.conf"));
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let block = |user: &str| format!(r#"<policy user="{user}">"#);
    let (daemon, root) = (block("countersign"), block("root"));
    assert!(text.contains(&daemon) && text.contains(&root), "{} has other users now", file.display());
    let caller = nix::unistd::geteuid();
    // As in a `World`, where the mailer has an account; elsewhere all of them are the caller.
    let mailer = if caller.is_root() { crate::people::MAILER_UID } else { caller.as_raw() };
    text.replace(&daemon, &block(&owner.to_string()))
        .replace(&block("countersign-mail"), &block(&mailer.to_string()))
        .replace(&root, &block(&caller.to_string()))
}
