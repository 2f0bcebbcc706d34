//! Whether the mail servers can be reached from here. Nothing is sent: `email test` does that.

use std::io::Read as _;
use std::net::{TcpStream, ToSocketAddrs as _};
use std::time::Duration;

use countersign_config::{Mailbox, Tls};

use super::files::CONFIG;
use super::finding::Report;
use super::system::System;
use crate::terminal::safe;
use crate::text::doctor as text;

/// For each address of each server.
const PATIENCE: Duration = Duration::from_secs(5);

pub(super) fn check(system: &System, report: &mut Report) {
    let Ok(config) = countersign_config::load(&system.real(CONFIG), None) else { return };
    for mailbox in &config.mailboxes {
        if let Err(error) = reach(mailbox) {
            let said = text::mailbox(&mailbox.host, mailbox.port, &safe(&error.to_string()));
            report.add(&text::MAIL_UNREACHABLE, mailbox.name.as_str(), [said]);
        }
    }
}

/// Connects, and waits for the greeting where the server speaks first.
fn reach(mailbox: &Mailbox) -> std::io::Result<()> {
    let mut last = std::io::Error::other(text::NO_ADDRESS);
    for address in (mailbox.host.as_str(), mailbox.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) if mailbox.tls == Tls::Implicit => return Ok(()),
            Ok(mut stream) => {
                stream.set_read_timeout(Some(PATIENCE))?;
                let mut greeting = [0; 3];
                stream.read_exact(&mut greeting)?;
                return if &greeting == b"220" { Ok(()) } else { Err(std::io::Error::other(text::NO_SMTP)) };
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}
