//! A dbus-daemon of this test's own.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

/// A message bus that lives as long as this value.
pub struct Bus {
    folder: PathBuf,
    daemon: Child,
}

impl Bus {
    /// A bus on which everybody may do everything.
    pub fn start() -> Self {
        Self::with_policy("<allow send_destination=\"*\"/><allow own=\"*\"/>")
    }

    /// A bus with these rules for everybody.
    pub fn with_policy(rules: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("countersignctl-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&folder).expect("a temporary folder");
        let config = folder.join("bus.conf");
        let text = format!(
            "<!DOCTYPE busconfig PUBLIC \"-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN\" \
             \"http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd\">\n\
             <busconfig><type>session</type><listen>unix:path={}</listen><auth>EXTERNAL</auth>\
             <policy context=\"default\"><allow user=\"*\"/>\
             <allow eavesdrop=\"true\"/>{rules}</policy></busconfig>\n",
            folder.join("socket").display()
        );
        std::fs::write(&config, text).expect("the bus configuration");
        let mut daemon = Command::new("dbus-daemon")
            .arg(format!("--config-file={}", config.display()))
            .args(["--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("dbus-daemon must be installed (Debian: dbus-daemon)");
        // It prints its address when it listens.
        let mut line = String::new();
        let output = daemon.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("the address");
        assert!(line.starts_with("unix:"), "dbus-daemon said {line:?}");
        Self { folder, daemon }
    }

    /// What `--bus` takes.
    pub fn address(&self) -> String {
        format!("unix:path={}", self.folder.join("socket").display())
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        drop(self.daemon.kill());
        drop(self.daemon.wait());
        drop(std::fs::remove_dir_all(&self.folder));
    }
}
