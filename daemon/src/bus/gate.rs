//! The one gate: which caller may call which method. What is not in the table is refused.

use super::authority::{Authority, Question};
use super::loginuid;
use crate::admin::Target;
use crate::error::Error;
use crate::host::Host;
use crate::{act, people};
use std::collections::HashMap;
use zbus::Connection;
use zbus::message::Header;

/// Who may call a method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// Everybody; what they may do with it is bound to their own uid.
    Anyone,
    /// uid 0.
    Root,
    /// uid 0, the person it is about, and whom polkit lets do this action.
    SelfOr(&'static str),
    /// uid 0, and whom polkit lets do this action.
    Action(&'static str),
    /// Everybody but uid 0: what takes two people is worth nothing where one is root.
    Colleague,
    /// Whom polkit lets do this action, but never uid 0.
    Other(&'static str),
}

/// Method x caller. A method that is not listed is refused for everybody.
pub(super) const TABLE: &[(&str, &str, Who)] = &[
    ("Login", "Begin", Who::Anyone),
    ("Login", "Respond", Who::Anyone),
    ("Login", "Abandon", Who::Anyone),
    ("Login", "Confirm", Who::Root),
    ("Login", "Check", Who::Root),
    ("Manager", "HostStatus", Who::Action("view-log")),
    ("Manager", "Status", Who::SelfOr("view-log")),
    ("Manager", "Users", Who::Action("view-log")),
    ("Manager", "Log", Who::SelfOr("view-log")),
    ("Manager", "FollowLog", Who::SelfOr("view-log")),
    ("Manager", "Acts", Who::Action("view-log")),
    ("Manager", "VerifyLog", Who::Action("view-log")),
    ("Manager", "Metrics", Who::Action("view-log")),
    ("Manager", "AcceptLog", Who::Root),
    ("Manager", "NoteAct", Who::Root),
    ("Manager", "Enroll", Who::SelfOr("manage-users")),
    ("Manager", "ConfirmEnrollment", Who::Anyone),
    ("Manager", "CancelEnrollment", Who::Anyone),
    ("Manager", "RenameFactor", Who::SelfOr("manage-users")),
    ("Manager", "RemoveFactor", Who::SelfOr("manage-users")),
    ("Manager", "Resync", Who::SelfOr("manage-users")),
    ("Manager", "NewRecoveryCodes", Who::SelfOr("manage-users")),
    ("Manager", "ViewRecoveryCodes", Who::Action("view-recovery-codes")),
    ("Manager", "SetAddress", Who::SelfOr("manage-users")),
    ("Manager", "ConfirmAddress", Who::SelfOr("manage-users")),
    ("Manager", "RemoveAddress", Who::SelfOr("manage-users")),
    ("Manager", "Invite", Who::Action("manage-users")),
    ("Manager", "Reset", Who::Action("reset-user")),
    ("Manager", "RequestReset", Who::Colleague),
    ("Manager", "ResetRequests", Who::Action("approve-reset")),
    ("Manager", "ApproveReset", Who::Other("approve-reset")),
    ("Manager", "RefuseReset", Who::SelfOr("approve-reset")),
    ("Manager", "Unlock", Who::Action("unlock-user")),
    ("Manager", "Lock", Who::Action("manage-users")),
    ("Manager", "Forget", Who::SelfOr("manage-users")),
    ("Manager", "Exempt", Who::Action("exempt-user")),
    ("Manager", "Require", Who::Action("manage-users")),
    ("Manager", "EndOverride", Who::Action("exempt-user")),
    ("Manager", "Overrides", Who::Action("view-log")),
    ("Manager", "AcceptClock", Who::Root),
    ("Manager", "ImportFactor", Who::Root),
    ("Manager", "ExplainPolicy", Who::Action("configure")),
    ("Manager", "ApplyPolicy", Who::Action("configure")),
    ("Manager", "PreviewEmail", Who::Action("configure")),
    ("Manager", "PolicyImpact", Who::Action("configure")),
    ("Manager", "Doctor", Who::Action("configure")),
    ("Manager", "Backup", Who::Root),
    ("Manager", "LastBackup", Who::Action("view-log")),
    ("Manager", "Restore", Who::Root),
    ("Manager", "Rekey", Who::Root),
    ("Manager", "ExportPeople", Who::Root),
    ("Manager", "ImportPeople", Who::Root),
];

/// Methods of the Manager interface that only read, and show no secret. Every other one leaves a record.
pub(super) const READS: &[&str] = &[
    "HostStatus",
    "Status",
    "Users",
    "Log",
    "FollowLog",
    "Acts",
    "VerifyLog",
    "Metrics",
    "Doctor",
    "LastBackup",
    "PreviewEmail",
    "ResetRequests",
    "Overrides",
    "ExplainPolicy",
    "PolicyImpact",
];

/// Somebody who was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Caller {
    /// Their uid, as the bus saw them connect.
    pub(super) uid: u32,
    /// Whether they act on themselves, and by no other right: then they prove themselves by a factor
    /// before they change what they have.
    pub(super) own: bool,
}

/// Identifies the caller by asking the bus, and authorizes the call by the table. Gives the uid.
/// Where the table asks polkit this is not enough, and nobody but root passes.
///
/// # Errors
/// `NotAuthorized` for a method that is not in the table or not for this caller, or when the bus
/// cannot say who the caller is.
pub(super) async fn admit(bus: &Connection, header: &Header<'_>) -> Result<u32, Error> {
    let who = row(header)?;
    let uid = caller(bus, header).await?;
    act::by(uid);
    match who {
        Who::Anyone => {}
        Who::Root | Who::SelfOr(_) | Who::Action(_) if uid == 0 => {}
        Who::Root | Who::SelfOr(_) | Who::Action(_) | Who::Colleague | Who::Other(_) => return Err(refused()),
    }
    know(bus, header, uid).await;
    Ok(uid)
}

/// Finds out who acts, for the record. Nothing is decided by it.
async fn know(bus: &Connection, header: &Header<'_>, uid: u32) {
    if act::current().is_some_and(|deed| deed.acts) {
        act::known_as(people::name_of(uid).await, loginuid::of(bus, header).await);
    }
}

/// The gate of one daemon, where polkit has a say.
pub(super) struct Gate(pub(super) Authority);

impl Gate {
    /// Admits a call that is about nobody in particular.
    ///
    /// # Errors
    /// As [`admit`], and `NotAuthorized` when polkit does not say yes.
    pub(super) async fn admit(&self, bus: &Connection, header: &Header<'_>) -> Result<Caller, Error> {
        let (who, uid) = who_calls(bus, header).await?;
        self.at_large(bus, header, who, uid, HashMap::new()).await?;
        know(bus, header, uid).await;
        Ok(Caller { uid, own: false })
    }

    /// Whether a caller may do this to anybody, as far as these details say.
    async fn at_large(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        who: Who,
        uid: u32,
        details: HashMap<&'static str, String>,
    ) -> Result<(), Error> {
        match who {
            Who::Anyone | Who::Colleague => Ok(()),
            _ if uid == 0 => Ok(()),
            Who::Root => Err(refused()),
            Who::SelfOr(action) | Who::Action(action) | Who::Other(action) => {
                self.ask(bus, header, uid, action, details).await
            }
        }
    }

    /// Admits a call about somebody, who is looked up only once the caller is known. The person that
    /// polkit is asked about is the one given back, by uid and name: whoever acts, acts on that one.
    ///
    /// # Errors
    /// As [`Gate::admit`], and those of the lookup; but that there is nobody is told only to whoever may act
    /// on somebody who is no administrator.
    pub(super) async fn admit_about(
        &self,
        host: &Host,
        bus: &Connection,
        header: &Header<'_>,
        whom: impl Future<Output = Result<Target, Error>>,
    ) -> Result<(Caller, Target), Error> {
        let (who, uid) = who_calls(bus, header).await?;
        match whom.await {
            Err(e @ (Error::NotFound(_) | Error::Unavailable(_))) => {
                let nobody = HashMap::from([("is-admin", false.to_string())]);
                self.at_large(bus, header, who, uid, nobody).await?;
                Err(e)
            }
            found => self.about(host, bus, header, (who, uid), found?).await,
        }
    }

    /// The same where there may be nobody whom it is about, and whoever may ask about everybody is told.
    ///
    /// # Errors
    /// As [`Gate::admit`].
    pub(super) async fn admit_about_anybody(
        &self,
        host: &Host,
        bus: &Connection,
        header: &Header<'_>,
        whom: impl Future<Output = Result<Target, Error>>,
    ) -> Result<Caller, Error> {
        let (who, uid) = who_calls(bus, header).await?;
        match whom.await {
            Err(Error::NotFound(_) | Error::Unavailable(_)) => self.admit(bus, header).await,
            found => Ok(self.about(host, bus, header, (who, uid), found?).await?.0),
        }
    }

    async fn about(
        &self,
        host: &Host,
        bus: &Connection,
        header: &Header<'_>,
        (who, uid): (Who, u32),
        target: Target,
    ) -> Result<(Caller, Target), Error> {
        act::about(target.uid, &target.name);
        refuse_locked(host, header, uid)?;
        let mut own = target.is_uid(uid);
        match who {
            Who::Anyone | Who::Root | Who::Colleague => own = false,
            _ if uid == 0 => own = false,
            Who::SelfOr(_) if own => {}
            Who::SelfOr(action) | Who::Action(action) | Who::Other(action) => {
                own = false;
                let details = details(host, &target).await;
                self.ask(bus, header, uid, action, details).await?;
            }
        }
        know(bus, header, uid).await;
        Ok((Caller { uid, own }, target))
    }

    /// Whether a caller who was let through may do this, too.
    pub(super) async fn allows(
        &self,
        host: &Host,
        bus: &Connection,
        header: &Header<'_>,
        uid: u32,
        action: &'static str,
        whom: &Target,
    ) -> bool {
        uid == 0 || self.ask(bus, header, uid, action, details(host, whom).await).await.is_ok()
    }

    /// Asks a caller who was let through for the password of their own account.
    ///
    /// # Errors
    /// `NotAuthorized` when polkit does not say yes.
    pub(super) async fn ask_own_password(
        &self,
        host: &Host,
        bus: &Connection,
        header: &Header<'_>,
        uid: u32,
        whom: &Target,
    ) -> Result<(), Error> {
        self.ask(bus, header, uid, "enroll-self", details(host, whom).await).await
    }

    async fn ask(
        &self,
        bus: &Connection,
        header: &Header<'_>,
        uid: u32,
        action: &'static str,
        details: HashMap<&'static str, String>,
    ) -> Result<(), Error> {
        let sender = header.sender().ok_or_else(refused)?;
        let question = Question { caller: sender.as_str(), uid, action, details };
        self.0.require(bus, &question).await?;
        // Nobody acts for a caller who hung up while polkit thought. A unique name never comes back.
        if caller(bus, header).await? == uid { Ok(()) } else { Err(refused()) }
    }
}

/// The row of a call, and the uid behind it; where one of both is a no already, this is.
async fn who_calls(bus: &Connection, header: &Header<'_>) -> Result<(Who, u32), Error> {
    let who = row(header)?;
    let uid = caller(bus, header).await?;
    act::by(uid);
    if who == Who::Root && uid != 0 {
        return Err(refused());
    }
    refuse_root(who, uid)?;
    Ok((who, uid))
}

/// What administrators' rules may look at: a helpdesk that resets people need not reset those who
/// can become root.
async fn details(host: &Host, target: &Target) -> HashMap<&'static str, String> {
    let is_admin = target.uid == 0 || host.may_be_admin(&target.name).await;
    HashMap::from([
        ("user", target.name.clone()),
        ("uid", target.uid.to_string()),
        ("is-admin", is_admin.to_string()),
    ])
}

fn refuse_root(who: Who, uid: u32) -> Result<(), Error> {
    match who {
        Who::Colleague | Who::Other(_) if uid == 0 => Err(Error::NotAuthorized(
            "a reset by two people takes two people, and root can be anybody: do this as yourself, or as root alone with `countersignctl reset USER --alone`"
                .into(),
        )),
        _ => Ok(()),
    }
}

/// Whoever is locked and still has a session open changes nothing from there: what they set up now would
/// let them, or whoever has their session, in afterwards.
fn refuse_locked(host: &Host, header: &Header<'_>, uid: u32) -> Result<(), Error> {
    let member = header.member().map(zbus::names::MemberName::as_str).unwrap_or_default();
    if uid == 0 || READS.contains(&member) || !host.overrides().locks_uid(uid) {
        return Ok(());
    }
    Err(Error::NotAuthorized("an administrator has locked you".into()))
}

fn refused() -> Error {
    Error::NotAuthorized("you may not do this; administration is for root".into())
}

fn row(header: &Header<'_>) -> Result<Who, Error> {
    let interface = header.interface().map(zbus::names::InterfaceName::as_str).unwrap_or_default();
    let member = header.member().map(zbus::names::MemberName::as_str).unwrap_or_default();
    let short = interface.strip_prefix("org.countersign1.").unwrap_or_default();
    TABLE.iter().find(|(i, m, _)| *i == short && *m == member).map(|(_, _, who)| *who).ok_or_else(refused)
}

/// The uid behind the message, as the bus saw it connect. A caller that is gone has none.
pub(crate) async fn caller(bus: &Connection, header: &Header<'_>) -> Result<u32, Error> {
    let unknown = || Error::NotAuthorized("the bus does not say who you are".into());
    let sender = header.sender().ok_or_else(unknown)?;
    bus.call_method(
        Some("org.freedesktop.DBus"),
        "/org/freedesktop/DBus",
        Some("org.freedesktop.DBus"),
        "GetConnectionUnixUser",
        &sender.as_str(),
    )
    .await
    .map_err(|_| unknown())?
    .body()
    .deserialize()
    .map_err(|_| unknown())
}
