//! The harness that the black-box tests stand on.
//!
//! A test reads like this (`cargo nextest run -p countersign-tests`, after `make stage`):
//!
//! ```no_run
//! use countersign_tests::{Code, Fixture, require};
//!
//! # fn first_login() {
//! require!(Root);                                  // or skipped, loudly
//! let t = Fixture::with_clock();                   // namespaces, bus, daemon with a clock of its own
//! let alice = t.daemon.enroll("alice");            // through countersignctl
//! let code = alice.fresh_code();
//! assert!(t.cs().login("alice", [&code]).passed());
//! let again = t.cs().login("alice", [&code]);      // a replay
//! assert_eq!(t.probe().login("carol", [""; 0]).auth, Code::IGNORE);
//! let row = &t.daemon.log("alice")[0];             // countersignctl log alice --json
//! # }
//! ```
//!
//! | to have | take |
//! |---|---|
//! | private `/etc`, `/run`, `/dev`, network, people, syslog | [`World`] |
//! | a system-like bus: stop, restart, freeze; dbus-broker | [`PrivateBus`] |
//! | the daemon: kill, stop, freeze, strace, another uid, another clock | [`Daemon`], [`DaemonSetup`] |
//! | a daemon whose boot time moves | [`Days`] |
//! | a PAM stack and logins in process | [`Stack`], [`Login`], [`Outcome`] |
//! | logins held at their prompt, N released at once | [`Held`], [`Rush`] |
//! | the same in processes of their own | [`Login::in_own_process`], [`Login::wrapped_by`] |
//! | codes of an authenticator app | [`Secret`], [`Clock`] |
//! | somebody who enrolls in a login | [`Enrollee`] |
//! | a real sshd and the real client on a pty | [`Sshd`], [`Pty`] |
//! | a logind with sessions of a script | [`FakeLogind`] |
//! | a bus that says what the test scripts | [`fake_bus::FakeBus`] |
//! | a polkit that says what the test scripts | [`Polkit`] |
//! | the real polkit | [`Polkitd`] |
//! | calls on the bus by hand, as any uid | [`Caller`] |
//! | the same without a process each, malformed too | [`Wire`] |
//! | the same from a process that is really there | [`Wire::in_own_process`] |
//! | somebody who types a password where polkit asks for one | [`Agent`] |
//! | user records as the test scripts them | [`userdb::Userdb`] |
//! | the mailer; a mail server as the test says; certificates | [`Mailer`], [`smtp::Smtp`], [`certificates::Authority`] |
//! | a booted Debian with systemd, the package installed in it | [`Booted`] |
//! | what was done in it and what it said, in target/booted | [`booted::Record`] |
//! | the incumbents, for control | [`controls`] |
//! | syscall faults, full and read-only volumes | [`faults`] |
//! | what the machine must have, or a loud skip | [`require!`] |
//!
//! One test is one process (nextest): environment, syslog and namespaces are its own.

pub mod agent;
pub mod artifacts;
pub mod booted;
pub mod bus;
pub mod bus_guest;
pub mod caller;
pub mod certificates;
pub mod clock;
pub mod code;
pub mod controls;
pub mod ctl;
pub mod daemon;
pub mod days;
pub mod enrolling;
pub mod fake_bus;
pub mod faults;
pub mod fixture;
pub mod held;
pub mod host;
pub mod login;
pub mod logind;
pub mod mailer;
pub mod needs;
pub mod pam;
pub mod people;
pub mod polkit;
pub mod polkitd;
pub mod postfix;
pub mod pty;
pub mod scratch;
pub mod secret;
pub mod setup;
pub mod smtp;
pub mod ssh;
pub mod stack;
pub mod talk;
pub mod userdb;
pub mod wire;
pub mod world;

pub use agent::Agent;
pub use booted::Booted;
pub use bus::{Broker, PrivateBus};
pub use caller::Caller;
pub use clock::Clock;
pub use code::Code;
pub use ctl::{Ctl, LogRow};
pub use daemon::Daemon;
pub use days::Days;
pub use enrolling::Enrollee;
pub use fixture::Fixture;
pub use held::{Held, Rush, Turn};
pub use login::{Login, Phase};
pub use logind::FakeLogind;
pub use mailer::Mailer;
pub use polkit::Polkit;
pub use polkitd::Polkitd;
pub use pty::Pty;
pub use secret::Secret;
pub use setup::DaemonSetup;
pub use ssh::Sshd;
pub use stack::{First, Module, Stack};
pub use talk::{HANG_UP, Outcome, Reply, Shown, Style};
pub use wire::Wire;
pub use world::World;
