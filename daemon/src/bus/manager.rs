//! `org.countersign1.Manager` on the bus.

use super::error::Refusal;
use super::gate::{Caller, Gate, admit};
use super::loginuid;
use crate::admin::{self, Acting};
use crate::error::Error;
use crate::host::Host;
use crate::store::{Bring, Imported, Right, TakeIn};
use countersign_protocol::manager as wire;
use std::fs::File;
use std::sync::Arc;
use zbus::message::Header;
use zbus::{Connection, OwnedFd, interface};
use zeroize::Zeroizing;

/// The interface that `countersignctl` calls.
pub(super) struct Manager(pub(super) Arc<Host>, pub(super) Gate);

#[interface(name = "org.countersign1.Manager")]
impl Manager {
    /// The daemon itself.
    #[zbus(out_args("version", "config", "policy_hash", "enrolled", "clock_behind"))]
    async fn host_status(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, String, String, u64, i64), Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::host_status(&self.0).await?)
    }

    /// One person.
    async fn status(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Person,), Refusal> {
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        Ok((admin::status(&self.0, &whom, caller.own || caller.uid == 0).await?,))
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
        self.1.admit(bus, &header).await?;
        let after = (!from_first).then_some(after_uid);
        Ok(admin::users(&self.0, after, limit).await?)
    }

    /// A page of the attempt log.
    #[zbus(out_args("logins", "next"))]
    async fn log(
        &self,
        which: wire::WhichLogins,
        from: (i64, i64),
        limit: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(Vec<wire::Login>, (i64, i64)), Refusal> {
        let only = self.log_reader(bus, &header, &which.user).await?;
        Ok(admin::log(&self.0, which, only, from, limit).await?)
    }

    /// Logins as they finish.
    #[zbus(out_args("logins", "next"))]
    async fn follow_log(
        &self,
        which: wire::WhichLogins,
        after: i64,
        limit: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(Vec<wire::Login>, i64), Refusal> {
        let only = self.log_reader(bus, &header, &which.user).await?;
        Ok(admin::follow_log(&self.0, which, only, after, limit).await?)
    }

    /// A page of what was done through this interface.
    #[zbus(out_args("acts", "next"))]
    async fn acts(
        &self,
        which: wire::WhichActs,
        before: i64,
        limit: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(Vec<wire::Act>, i64), Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::acts(&self.0, which, before, limit).await?)
    }

    /// Proves a page of the log.
    async fn verify_log(
        &self,
        from: (u32, i64),
        noted: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Verified,), Refusal> {
        self.1.admit(bus, &header).await?;
        Ok((admin::verify_log(&self.0, from, noted).await?,))
    }

    /// What is counted and measured.
    async fn metrics(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<wire::Sample>, Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::metrics(&self.0).await?)
    }

    /// Accepts what is broken in the log.
    async fn accept_log(
        &self,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::accept_log(&self.0, reason).await?)
    }

    /// Begins an enrollment.
    #[zbus(out_args("enrollment", "uri", "secret", "issuer", "account"))]
    async fn enroll(
        &self,
        user: &str,
        name: &str,
        proof: &str,
        invitation: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, String, String, String, String), Refusal> {
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let acting = Acting::new(caller.uid, caller.own, proof)?;
        let right = admin::enrollment_right(&self.0, &acting, &whom, invitation).await?;
        if right == Right::Password {
            self.1.ask_own_password(&self.0, bus, &header, caller.uid, &whom).await?;
        }
        let e = admin::begin_enrollment(&self.0, &acting, &whom, name, right).await?;
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
        let caller = admit(bus, &header).await?;
        let codes = admin::confirm_enrollment(&self.0, caller, enrollment, &code).await?;
        Ok(codes.iter().map(|c| c.as_str().to_owned()).collect())
    }

    /// Throws it away.
    async fn cancel_enrollment(
        &self,
        enrollment: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        let caller = admit(bus, &header).await?;
        Ok(admin::cancel_enrollment(&self.0, caller, enrollment).await?)
    }

    /// Gives an authenticator another name.
    async fn rename_factor(
        &self,
        user: &str,
        name: &str,
        new_name: &str,
        proof: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let acting = Acting::new(caller.uid, caller.own, proof)?;
        Ok(admin::rename(&self.0, &acting, &whom, name, new_name).await?)
    }

    /// Removes an authenticator.
    async fn remove_factor(
        &self,
        user: &str,
        name: &str,
        proof: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let acting = Acting::new(caller.uid, caller.own, proof)?;
        Ok(admin::remove(&self.0, &acting, &whom, name, reason).await?)
    }

    /// Puts an authenticator right whose clock is off.
    async fn resync(
        &self,
        user: &str,
        name: &str,
        first: Vec<u8>,
        second: Vec<u8>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<i64, Refusal> {
        let codes = [Zeroizing::new(first), Zeroizing::new(second)];
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let acting = Acting::new(caller.uid, caller.own, "")?;
        Ok(admin::resync(&self.0, &acting, &whom, name, codes).await?)
    }

    /// Makes a new set of recovery codes.
    async fn new_recovery_codes(
        &self,
        user: &str,
        proof: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<String>, Refusal> {
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let acting = Acting::new(caller.uid, caller.own, proof)?;
        let codes = admin::new_recovery_codes(&self.0, &acting, &whom).await?;
        Ok(codes.iter().map(|c| c.as_str().to_owned()).collect())
    }

    /// Shows the unused recovery codes, where the configuration lets them be shown again.
    async fn view_recovery_codes(
        &self,
        user: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<String>, Refusal> {
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let codes = admin::view_recovery_codes(&self.0, caller.uid, &whom, reason).await?;
        Ok(codes.iter().map(|c| c.as_str().to_owned()).collect())
    }

    /// Sends a code to a mail address that a person wants to have.
    #[zbus(out_args("masked"))]
    #[expect(clippy::too_many_arguments, reason = "five that are on the bus, and who calls")]
    async fn set_address(
        &self,
        user: &str,
        address: &str,
        proof: &str,
        invitation: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, Refusal> {
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let acting = Acting::new(caller.uid, caller.own, proof)?;
        let right = admin::enrollment_right(&self.0, &acting, &whom, invitation).await?;
        if right == Right::Password {
            self.1.ask_own_password(&self.0, bus, &header, caller.uid, &whom).await?;
        }
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        Ok(admin::set_address(&self.0, (&acting, &by), &whom, address, reason, right).await?)
    }

    /// Puts it into force by that code.
    #[zbus(out_args("masked"))]
    async fn confirm_address(
        &self,
        user: &str,
        code: Vec<u8>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, Refusal> {
        let code = Zeroizing::new(code);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        Ok(admin::confirm_address(&self.0, &by, &whom, &code).await?)
    }

    /// Removes it.
    #[zbus(out_args("masked"))]
    async fn remove_address(
        &self,
        user: &str,
        proof: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<String, Refusal> {
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        let acting = Acting::new(caller.uid, caller.own, proof)?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        Ok(admin::remove_address(&self.0, (&acting, &by), &whom, reason).await?)
    }

    /// Makes a one-time code to enroll with.
    #[zbus(out_args("code", "seconds"))]
    async fn invite(
        &self,
        user: &str,
        minutes: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(String, i64), Refusal> {
        let target = admin::target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, target).await?;
        let (code, seconds) = admin::invite(&self.0, caller.uid, &whom, minutes).await?;
        Ok((code.as_str().to_owned(), seconds))
    }

    /// Removes every factor of a person.
    async fn reset(
        &self,
        user: &str,
        reason: &str,
        alone: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let (caller, whom) =
            self.1.admit_about(&self.0, bus, &header, admin::kept_target(&self.0, user)).await?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        Ok(admin::reset(&self.0, &by, &whom, reason, alone).await?)
    }

    /// Asks for a reset of a colleague.
    async fn request_reset(
        &self,
        user: &str,
        reason: &str,
        proof: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let (caller, whom) =
            match self.1.admit_about(&self.0, bus, &header, admin::kept_target(&self.0, user)).await {
                Err(Error::NotFound(why)) => {
                    // Who there is, is told only to those who have a factor themselves.
                    let caller = self.1.admit(bus, &header).await?;
                    let by = admin::Doer::new(caller.uid, None).await;
                    admin::refuse_without_proof(&self.0, &by, proof).await?;
                    return Err(Error::NotFound(why).into());
                }
                admitted => admitted?,
            };
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        Ok(admin::request_reset(&self.0, &by, &whom, reason, proof).await?)
    }

    /// Requests that nobody has decided yet.
    async fn reset_requests(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<wire::ResetRequest>, Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::reset_requests(&self.0).await?)
    }

    /// Agrees to a request.
    async fn approve_reset(
        &self,
        id: u32,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let (caller, whom) = self.admit_about_request(bus, &header, id).await?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        Ok(admin::approve_reset(&self.0, &by, id, &whom).await?)
    }

    /// Refuses a request.
    async fn refuse_reset(
        &self,
        id: u32,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        let (caller, whom) = self.admit_about_request(bus, &header, id).await?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        Ok(admin::refuse_reset(&self.0, &by, id, &whom, reason).await?)
    }

    /// Lifts the locks of a person.
    async fn unlock(
        &self,
        user: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let whom = admin::overridden_target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, whom).await?;
        // Who may forgive guessing does not thereby lift what an administrator decided.
        let locked = self.0.overrides().is_locked(&whom.name);
        let lifts = !locked || self.1.allows(&self.0, bus, &header, caller.uid, "manage-users", &whom).await;
        Ok(admin::unlock(&self.0, caller.uid, &whom, reason, locked && lifts).await?)
    }

    /// Refuses every login of somebody, until it is unlocked.
    async fn lock(
        &self,
        user: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        Ok(admin::lock(&self.0, caller.uid, &whom, reason).await?)
    }

    /// Forgets remembered sources.
    async fn forget(
        &self,
        user: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let (_, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        Ok(admin::forget(&self.0, &whom).await?)
    }

    /// Exempts a person.
    async fn exempt(
        &self,
        user: &str,
        until: i64,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        Ok(admin::exempt(&self.0, caller.uid, &whom, until, reason).await?)
    }

    /// Requires a second factor of a person.
    async fn require(
        &self,
        user: &str,
        by: i64,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        Ok(admin::require(&self.0, caller.uid, &whom, by, reason).await?)
    }

    /// Takes either back.
    async fn end_override(
        &self,
        user: &str,
        what: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let whom = admin::overridden_target(&self.0, user);
        let (caller, whom) = self.1.admit_about(&self.0, bus, &header, whom).await?;
        Ok(admin::end_override(&self.0, caller.uid, &whom, what, reason).await?)
    }

    /// Lists both.
    async fn overrides(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<wire::Override>, Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::overrides(&self.0)?)
    }

    /// Takes the wall clock for right.
    async fn accept_clock(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<i64, Refusal> {
        let caller = self.1.admit(bus, &header).await?;
        Ok(admin::accept_clock(&self.0, caller.uid).await?)
    }

    /// Records what root's tool did without us.
    async fn note_act(
        &self,
        verb: &str,
        before: &str,
        after: &str,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(), Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::note_act(&self.0, verb, before, after, reason).await?)
    }

    /// Takes over an authenticator of another program.
    #[zbus(out_args("new", "scratch"))]
    async fn import_factor(
        &self,
        user: &str,
        factor: wire::ForeignFactor,
        add: bool,
        dry_run: bool,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(bool, u32), Refusal> {
        let foreign = admin::Foreign {
            label: factor.name,
            secret: Zeroizing::new(factor.secret),
            digits: factor.digits,
            period: factor.period,
            used: factor.used,
            drift: factor.drift,
            scratch: factor.scratch.into_iter().map(Zeroizing::new).collect(),
            add,
        };
        let (_, whom) = self.1.admit_about(&self.0, bus, &header, admin::target(&self.0, user)).await?;
        Ok(match admin::import_factor(&self.0, &whom, foreign, dry_run).await? {
            Imported::New { scratch } => (true, scratch),
            Imported::Present => (false, 0),
        })
    }

    /// What policy would do with a login.
    async fn explain_policy(
        &self,
        user: &str,
        service: &str,
        from: &str,
        at: i64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Explanation,), Refusal> {
        self.1.admit(bus, &header).await?;
        Ok((admin::explain(&self.0, user, service, from, at).await?,))
    }

    /// Puts the configuration file into force.
    #[expect(clippy::too_many_arguments, reason = "five that are on the bus, and who calls")]
    async fn apply_policy(
        &self,
        accept_weaker: bool,
        dry_run: bool,
        now: bool,
        strays: Vec<wire::Stray>,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Applied,), Refusal> {
        self.1.admit(bus, &header).await?;
        let how = admin::Apply { accept_weaker, dry_run, now, strays };
        Ok((admin::apply(&self.0, bus, how, reason).await?,))
    }

    /// A letter with sample values.
    async fn preview_email(
        &self,
        policy: &str,
        letter: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Preview,), Refusal> {
        self.1.admit(bus, &header).await?;
        Ok((admin::preview_email(&self.0, policy, letter)?,))
    }

    /// What a draft would change.
    async fn policy_impact(
        &self,
        files: Vec<(String, u64)>,
        contents: OwnedFd,
        seconds: u64,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Impact,), Refusal> {
        self.1.admit(bus, &header).await?;
        let draft = admin::Draft { files, contents: contents.into() };
        Ok((admin::impact(&self.0, draft, seconds).await?,))
    }

    /// The health of this host, as far as only the daemon knows it.
    async fn doctor(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<wire::Fact>, Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::facts(&self.0).await?)
    }

    /// Writes a backup.
    async fn backup(
        &self,
        file: OwnedFd,
        key: Vec<OwnedFd>,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Backup,), Refusal> {
        self.1.admit(bus, &header).await?;
        let key = key.into_iter().next().map(opened);
        Ok((admin::backup(&self.0, opened(file), key).await?,))
    }

    /// When the last one was made.
    async fn last_backup(
        &self,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<i64, Refusal> {
        self.1.admit(bus, &header).await?;
        Ok(admin::last_backup(&self.0).await?)
    }

    /// Brings a backup back.
    async fn restore(
        &self,
        file: OwnedFd,
        key: Vec<OwnedFd>,
        how: wire::HowToRestore,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(wire::Restored,), Refusal> {
        let caller = self.1.admit(bus, &header).await?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        let by = admin::because(&by, reason)?;
        let key = key.into_iter().next().map(opened);
        let how = Bring { keep_codes: how.keep_codes, dry_run: how.dry_run, by };
        Ok((admin::restore(&self.0, opened(file), key, how).await?,))
    }

    /// Copies what people have for another host.
    async fn export_people(
        &self,
        users: Vec<String>,
        key: OwnedFd,
        file: OwnedFd,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<u32, Refusal> {
        let caller = self.1.admit(bus, &header).await?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        let by = admin::because(&by, reason)?;
        Ok(admin::export_people(&self.0, &users, opened(key), opened(file), by).await?)
    }

    /// Takes people of another host in.
    async fn import_people(
        &self,
        key: OwnedFd,
        file: OwnedFd,
        how: wire::HowToTakeIn,
        reason: &str,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<Vec<wire::CameIn>, Refusal> {
        let caller = self.1.admit(bus, &header).await?;
        let by = admin::Doer::new(caller.uid, loginuid::of(bus, &header).await).await;
        let by = admin::because(&by, reason)?;
        let how = TakeIn { add: how.add, replace: how.replace, dry_run: how.dry_run, by };
        Ok(admin::import_people(&self.0, opened(key), opened(file), how).await?)
    }

    /// Seals everything by a new key.
    #[zbus(out_args("secrets", "ended"))]
    async fn rekey(
        &self,
        key: OwnedFd,
        #[zbus(header)] header: Header<'_>,
        #[zbus(connection)] bus: &Connection,
    ) -> Result<(u64, u64), Refusal> {
        self.1.admit(bus, &header).await?;
        let done = admin::rekey(&self.0, opened(key)).await?;
        Ok((done.secrets, done.ended))
    }
}

/// A descriptor that a caller handed in.
fn opened(fd: OwnedFd) -> File {
    std::os::fd::OwnedFd::from(fd).into()
}

impl Manager {
    /// Admits somebody who decides a request; polkit is asked about the person whom it is about.
    async fn admit_about_request(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        id: u32,
    ) -> Result<(Caller, admin::Target), Refusal> {
        Ok(self.1.admit_about(&self.0, bus, header, admin::reset_request(&self.0, id)).await?)
    }

    /// Admits somebody who wants to read the log of this user, or everybody's. People see what is
    /// written of them by name and uid: what somebody else left under the same name is not theirs.
    async fn log_reader(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        user: &str,
    ) -> Result<Option<u32>, Refusal> {
        let whom = admin::target(&self.0, user);
        // Names that nobody has, or has any more, are in the log too.
        let caller = self.1.admit_about_anybody(&self.0, bus, header, whom).await?;
        Ok(caller.own.then_some(caller.uid))
    }
}
