//! `org.countersign1.Manager` on the bus.

use super::error::Refusal;
use super::gate::admit;
use crate::admin;
use crate::host::Host;
use countersign_protocol::manager as wire;
use std::sync::Arc;
use zbus::message::Header;
use zbus::{Connection, interface};
use zeroize::Zeroizing;

/// The interface that `countersignctl` calls.
pub(super) struct Manager(pub(super) Arc<Host>);

#[interface(name = "org.countersign1.Manager")]
impl Manager {
    /// The daemon itself.
    #[zbus(out_args("version", "config", "policy_hash", "enrolled"))]
    async fn host_status(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, String, String, u64), Refusal> {
        admit(bus, &header).await?;
        Ok(admin::host_status(&self.0).await?)
    }

    /// One person.
    async fn status(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Person,), Refusal> {
        admit(bus, &header).await?;
        Ok((admin::status(&self.0, user).await?,))
    }

    /// A page of people.
    async fn users(
        &self,
        from_first: bool,
        after_uid: u32,
        limit: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<wire::Person>, Refusal> {
        admit(bus, &header).await?;
        let after = (!from_first).then_some(after_uid);
        Ok(admin::users(&self.0, after, limit).await?)
    }

    /// A page of the attempt log.
    async fn log(
        &self,
        user: &str,
        before_id: i64,
        limit: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<wire::Login>, Refusal> {
        admit(bus, &header).await?;
        Ok(admin::log(&self.0, user, before_id, limit).await?)
    }

    /// Begins an enrollment.
    #[zbus(out_args("enrollment", "uri", "secret", "issuer", "account"))]
    async fn enroll(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, String, String, String, String), Refusal> {
        admit(bus, &header).await?;
        let e = admin::begin_enrollment(&self.0, user).await?;
        Ok((e.id, e.uri.as_str().to_owned(), e.secret.as_str().to_owned(), e.issuer, e.account))
    }

    /// Confirms it by the first code.
    async fn confirm_enrollment(
        &self,
        enrollment: &str,
        code: Vec<u8>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<String>, Refusal> {
        let code = Zeroizing::new(code);
        admit(bus, &header).await?;
        let codes = admin::confirm_enrollment(&self.0, enrollment, &code).await?;
        Ok(codes.iter().map(|c| c.as_str().to_owned()).collect())
    }

    /// Throws it away.
    async fn cancel_enrollment(
        &self,
        enrollment: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        admit(bus, &header).await?;
        Ok(admin::cancel_enrollment(&self.0, enrollment).await?)
    }

    /// Removes every factor of a person.
    async fn reset(
        &self,
        user: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        admit(bus, &header).await?;
        Ok(admin::reset(&self.0, user, reason).await?)
    }

    /// Lifts the locks of a person.
    async fn unlock(
        &self,
        user: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        admit(bus, &header).await?;
        Ok(admin::unlock(&self.0, user, reason).await?)
    }

    /// Forgets remembered sources.
    async fn forget(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        admit(bus, &header).await?;
        Ok(admin::forget(&self.0, user).await?)
    }

    /// What policy would do with a login.
    async fn explain_policy(
        &self,
        user: &str,
        service: &str,
        from: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Explanation,), Refusal> {
        admit(bus, &header).await?;
        Ok((admin::explain(&self.0, user, service, from).await?,))
    }

    /// Puts the configuration file into force.
    async fn apply_policy(
        &self,
        accept_weaker: bool,
        dry_run: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Applied,), Refusal> {
        admit(bus, &header).await?;
        Ok((admin::apply(&self.0, accept_weaker, dry_run).await?,))
    }
}
