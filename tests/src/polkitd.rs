//! The real polkit on a private bus, with our actions.

use crate::artifacts;
use crate::bus::{Broker, PrivateBus};
use crate::polkit::POLKIT;
use crate::world::World;
use nix::mount::{MsFlags, mount};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// The daemon of the package polkitd.
pub const POLKITD: &str = "/usr/lib/polkit-1/polkitd";

/// Dropped, it is killed.
pub struct Polkitd(Child);

impl Polkitd {
    /// The bus of a world on which polkit may be, at the address of the system bus: agents look nowhere else.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn bus(world: &World) -> PrivateBus {
        let own = format!("<allow own=\"{POLKIT}\"/>");
        let agents = "<allow send_interface=\"org.freedesktop.PolicyKit1.AuthenticationAgent\"/>";
        let policy = format!("<policy user=\"polkitd\">{own}{agents}</policy>");
        fs::create_dir_all("/run/dbus").expect("a World of our own");
        let socket = PathBuf::from("/run/dbus/system_bus_socket");
        PrivateBus::start_with(Broker::Reference, world.daemon_uid(), Some(socket), &policy)
    }

    /// With the actions as shipped, and these of the example rules.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn start(bus: &PrivateBus, examples: &[&str]) -> Self {
        let root = artifacts::source_root();
        let rules = Path::new("/etc/polkit-1/rules.d");
        fs::create_dir_all(rules).expect("our own /etc");
        for example in examples {
            fs::copy(root.join("docs/examples").join(example), rules.join(example)).expect("our own /etc");
        }
        Self::with_actions(bus, &root.join("packaging/usr/share/polkit-1/actions"))
    }

    /// With the actions of another folder, and the rules that lie in /etc.
    ///
    /// # Panics
    /// When it does not come up.
    #[must_use]
    pub fn with_actions(bus: &PrivateBus, actions: &Path) -> Self {
        let place = Path::new("/usr/share/polkit-1/actions");
        mount(Some(actions), place, None::<&str>, MsFlags::MS_BIND, None::<&str>).expect("our own mounts");
        let mut command = Command::new(POLKITD);
        command.env("DBUS_SYSTEM_BUS_ADDRESS", bus.address());
        let child = command.arg("--no-debug").stdin(Stdio::null()).spawn().expect("start polkitd");
        let until = Instant::now() + Duration::from_secs(10);
        while !bus.has_owner(POLKIT) {
            assert!(Instant::now() < until, "polkitd does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }

    /// Stops or goes on.
    ///
    /// # Panics
    /// When it has gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_raw(i32::try_from(self.0.id()).expect("a pid"));
        kill(pid, signal).expect("signal our own polkitd");
    }
}

/// One more rule, read at the next start.
///
/// # Panics
/// Outside of a world.
pub fn rule(name: &str, text: &str) {
    fs::create_dir_all("/etc/polkit-1/rules.d").expect("our own /etc");
    fs::write(format!("/etc/polkit-1/rules.d/{name}.rules"), text).expect("our own /etc");
}

impl Drop for Polkitd {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// Makes a group of the world, with one member.
///
/// # Panics
/// Outside of a world.
pub fn group(name: &str, gid: u32, member: &str) {
    let text = fs::read_to_string("/etc/group").expect("our own /etc");
    let others: Vec<&str> = text.lines().filter(|line| !line.starts_with(&format!("{name}:"))).collect();
    fs::write("/etc/group", format!("{}\n{name}:x:{gid}:{member}\n", others.join("\n")))
        .expect("our own /etc");
}
