//! Mail: the mailer against servers good and bad.

mod address;
mod caller;
mod codes;
mod crowd;
mod headers;
mod host;
mod hostile;
mod linked;
mod login;
mod notices;
mod preview;
mod real;
mod records;
mod remembered;
mod secrets;
mod tool;

use countersign_tests::certificates::Authority;
use countersign_tests::mailer::{Sent, send};
use countersign_tests::smtp::{Script, Smtp};
use countersign_tests::{Mailer, PrivateBus, World};

/// To whom the letters of these tests go.
const TO: &str = "alice@example.org";

/// A mailer and one scripted server on a bus of their own. Fields drop in this order.
struct Post {
    mailer: Mailer,
    server: Smtp,
    authority: Authority,
    bus: PrivateBus,
    _world: World,
}

impl Post {
    /// `tls` is the word of the configuration, `lines` more lines of the mailbox; `script` is given a
    /// certificate for 127.0.0.1 unless it has one.
    fn with(tls: &str, lines: &str, script: impl FnOnce(&Authority) -> Script) -> Self {
        let world = World::enter();
        let bus = PrivateBus::start(world.daemon_uid());
        let authority = Authority::new();
        let server = Smtp::start(script(&authority));
        let mut mailer = Mailer::prepare(&world, &bus, None);
        mailer.configure(&config(server.port(), tls, &authority, lines));
        mailer.secret("ops", "s3cret\n");
        mailer.resume(&[], &[]);
        Self { mailer, server, authority, bus, _world: world }
    }

    /// Sends a code, as the daemon would.
    fn code(&self, milliseconds: u32) -> Sent {
        let mut daemon = self.mailer.daemon(&self.bus);
        send(&mut daemon, "ops", TO, "Your code", "The code is 31415926\n", milliseconds).expect("taken")
    }
}

fn config(port: u16, tls: &str, authority: &Authority, lines: &str) -> String {
    let ca = match tls {
        "none" => String::new(),
        _ => format!("ca_file = \"{}\"\n", authority.file().display()),
    };
    format!(
        "[[policy]]\nname = \"everyone else\"\nstatus = \"off\"\n\n[mailbox.ops]\nserver = \"127.0.0.1:{port}\"\n\
         tls = \"{tls}\"\nfrom = \"Acme <noreply@example.org>\"\n{ca}{lines}\n"
    )
}

/// A good server with TLS after STARTTLS.
fn good(authority: &Authority) -> Script {
    Script { certificate: Some(authority.vouch_for("127.0.0.1")), starttls: true, ..Script::default() }
}
