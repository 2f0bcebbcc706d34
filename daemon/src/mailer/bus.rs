//! `org.countersign1.Mailer` on the bus: who may have what sent.

use super::letter::Letter;
use super::office::{Office, discreet};
use crate::bus::{Refusal, caller};
use crate::error::Error;
use countersign_protocol::mailer::Stage;
use std::sync::Arc;
use std::time::Duration;
use zbus::message::Header;
use zbus::{Connection, interface};

/// The interface of the mailer.
pub(super) struct Mailer {
    /// Where letters are taken.
    pub(super) office: Arc<Office>,
    /// The uid whose letters are taken: the daemon's.
    pub(super) sender: u32,
}

/// Subject and text of a letter that tests a mailbox.
const TEST: (&str, &str) = (
    "Countersign: this is a test",
    "An administrator has tested the mailbox that sends the codes of this host.\nYou need not do anything.\n",
);

#[interface(name = "org.countersign1.Mailer")]
impl Mailer {
    /// Sends a letter of the daemon.
    #[zbus(out_args("outcome", "stage", "cause", "said"))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of the wire")]
    async fn send(
        &self,
        mailbox: &str,
        to: &str,
        subject: String,
        text: String,
        milliseconds: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, String, String, String), Refusal> {
        let uid = caller(bus, &header).await?;
        if uid != self.sender {
            return Err(not_you());
        }
        let letter = letter(to, subject, text)?;
        let (outcome, stages) = self.office.send(mailbox, &letter, within(milliseconds)).await?;
        let last = stages.into_iter().last();
        let (stage, cause, said) = last.map(|s| (s.stage, s.cause, s.said)).unwrap_or_default();
        // The daemon logs this: no server's echo of a code gets into a log.
        let said = discreet(&stage, &said);
        Ok((outcome.as_str().to_owned(), stage, cause, said))
    }

    /// Sends a letter that says it is a test.
    #[zbus(out_args("outcome", "stages"))]
    async fn test(
        &self,
        mailbox: &str,
        to: &str,
        milliseconds: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, Vec<Stage>), Refusal> {
        let uid = caller(bus, &header).await?;
        if uid != self.sender && uid != 0 {
            return Err(not_you());
        }
        let letter = letter(to, TEST.0.to_owned(), TEST.1.to_owned())?;
        let (outcome, stages) = self.office.send(mailbox, &letter, within(milliseconds)).await?;
        Ok((outcome.as_str().to_owned(), stages))
    }
}

fn letter(to: &str, subject: String, text: String) -> Result<Letter, Refusal> {
    Ok(Letter::new(to, subject, text).map_err(|why| Error::InvalidArgument(why.into()))?)
}

fn within(milliseconds: u32) -> Duration {
    Duration::from_millis(milliseconds.into())
}

fn not_you() -> Refusal {
    Error::NotAuthorized("letters are taken from countersignd alone".into()).into()
}
