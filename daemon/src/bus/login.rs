//! `org.countersign1.Login` on the bus.

use super::error::Refusal;
use super::fairness::Fairness;
use super::gate::admit;
use crate::host::Host;
use crate::login::{self, BeginRequest, CheckRequest, LoginId};
use crate::meter::Call;
use countersign_protocol::login::{FirstFactor, Step};
use std::sync::Arc;
use std::time::Instant;
use zbus::message::Header;
use zbus::{Connection, interface};
use zeroize::Zeroizing;

/// A step as the four out-arguments of a reply.
#[expect(clippy::type_complexity, reason = "the arguments of the wire")]
fn args(step: Step) -> (String, String, Vec<(u32, String)>, Vec<(bool, String)>) {
    (step.login, step.verdict, step.messages, step.prompt)
}

/// The interface that the PAM module calls.
pub(super) struct Login(pub(super) Arc<Host>, pub(super) Fairness);

// The members of a step are spelled out: by another name for them, zbus would describe one struct.
#[interface(name = "org.countersign1.Login")]
impl Login {
    /// Opens a login.
    #[zbus(out_args("login", "verdict", "messages", "prompt"))]
    #[expect(clippy::too_many_arguments, reason = "the arguments of the wire")]
    async fn begin(
        &self,
        user: String,
        ruser: String,
        service: String,
        program: String,
        rhost: String,
        tty: String,
        first_factor: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, String, Vec<(u32, String)>, Vec<(bool, String)>), Refusal> {
        let first_factor = FirstFactor::parse(&first_factor);
        let request = BeginRequest { user, ruser, service, program, rhost, tty, first_factor };
        // Nothing is done for a caller, not even asking the account database, before this.
        let begun = Instant::now();
        let caller = admit(bus, &header).await?;
        self.1.admit(caller, begun)?;
        let step = login::begin(&self.0, caller, request).await?;
        self.0.meter.took(Call::Begin, begun.elapsed());
        Ok(args(step.into_wire()))
    }

    /// One answer.
    #[zbus(out_args("login", "verdict", "messages", "prompt"))]
    async fn respond(
        &self,
        login: &str,
        answer: Vec<u8>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, String, Vec<(u32, String)>, Vec<(bool, String)>), Refusal> {
        let begun = Instant::now();
        let answer = Zeroizing::new(answer);
        let caller = admit(bus, &header).await?;
        let id = LoginId::parse(login)?;
        let step = login::respond(&self.0, caller, id, &answer).await?;
        self.0.meter.took(Call::Respond, begun.elapsed());
        Ok(args(step.into_wire()))
    }

    /// The account phase after our own auth phase.
    async fn confirm(
        &self,
        login: &str,
        user: &str,
        service: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, Refusal> {
        let begun = Instant::now();
        let caller = admit(bus, &header).await?;
        let id = LoginId::parse(login)?;
        let verdict = login::confirm(&self.0, caller, id, user, service).await?;
        self.0.meter.took(Call::Confirm, begun.elapsed());
        Ok(verdict.as_str().to_owned())
    }

    /// The account phase of an ssh login without an auth phase.
    async fn check(
        &self,
        user: String,
        service: String,
        rhost: String,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, Refusal> {
        let caller = admit(bus, &header).await?;
        let request = CheckRequest { user, service, rhost };
        Ok(login::check(&self.0, caller, request).await?.as_str().to_owned())
    }

    /// The person hung up.
    async fn abandon(
        &self,
        login: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        let caller = admit(bus, &header).await?;
        Ok(login::abandon(&self.0, caller, LoginId::parse(login)?).await?)
    }
}
