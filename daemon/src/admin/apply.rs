//! Putting policies into force, and naming the open sessions that they mean to end.

use crate::act::{self, Deed};
use crate::decide::policy::{Decision, Source, Terms};
use crate::error::Error;
use crate::host::Host;
use crate::in_force::{InForce, Reload};
use crate::sessions::{self, Open};
use crate::{clock::Moment, journal};
use countersign_config::{Apply as Begins, Status};
use countersign_protocol::manager::{Applied, Session, Stray};
use std::net::IpAddr;
use std::sync::Arc;
use zbus::Connection;

/// Strays that are looked at; a caller that names more has lost count.
const MOST_STRAYS: usize = 200;

/// How the file is to be put into force.
#[derive(Debug)]
pub struct Apply {
    /// Even where it protects less.
    pub accept_weaker: bool,
    /// Only say what would happen.
    pub dry_run: bool,
    /// For open sessions too, whatever the policies say.
    pub now: bool,
    /// Logins that logind does not know.
    pub strays: Vec<Stray>,
}

/// Puts the configuration file into force, or says what it would do.
///
/// # Errors
/// `InvalidArgument` with every problem of a broken file; the running policy stays. The same for a reason that
/// is too long; there may be none.
pub async fn apply(host: &Arc<Host>, bus: &Connection, what: Apply, reason: &str) -> Result<Applied, Error> {
    act::because(if reason.trim().is_empty() { "" } else { super::reset::reason_of(reason)? });
    let Apply { accept_weaker, dry_run, now, strays } = what;
    let reload = put(host, accept_weaker, dry_run, true, act::current().unwrap_or_default()).await?;
    let (sessions, sessions_trouble) = if reload.applied && (now || begins_at_once(&reload)) {
        not_passed(host, bus, &reload, now, strays).await?
    } else {
        (Vec::new(), String::new())
    };
    if !dry_run {
        note(&sessions);
    }
    Ok(Applied {
        applied: reload.applied,
        weaker: reload.weaker,
        warnings: reload.warnings,
        hash: host.in_force().config.hash.clone(),
        changed: reload.changed,
        sessions,
        sessions_trouble,
    })
}

/// Puts the file into force as part of an act, which is on record before it is done.
async fn put(
    host: &Arc<Host>,
    accept_weaker: bool,
    dry_run: bool,
    strict_groups: bool,
    deed: Deed,
) -> Result<Reload, Error> {
    let host = Arc::clone(host);
    let reload = move || {
        let record = |before, after| host.store.record(deed, before, after);
        host.policies.reload(accept_weaker, dry_run, strict_groups, record)
    };
    tokio::task::spawn_blocking(reload).await.map_err(|_| Error::unavailable("applying the policy died"))?
}

/// SIGHUP, or a change on disk: the file into force if it is whole and no weaker. What went wrong is
/// in the journal and in `status`.
pub async fn reload(host: &Arc<Host>) {
    let at = host.clock.now().map_or(0, |now| now.wall);
    let deed = Deed { verb: "Reload".into(), at, reason: "the file or a signal".into(), ..Deed::default() };
    if let Ok(reload) = put(host, false, false, false, deed).await {
        for warning in &reload.warnings {
            journal::warning("policy", &[("warning", warning)]);
        }
        if begins_at_once(&reload) {
            // Ending sessions is for whoever applies a policy, as themself.
            journal::notice(
                "a policy now holds for open sessions too; `countersignctl policy apply --now` ends those that have not passed it",
                &[],
            );
        }
    }
}

/// Whether anything new holds for open sessions.
fn begins_at_once(reload: &Reload) -> bool {
    let at_once = |force: &InForce| {
        force.config.policies.iter().any(|p| p.status == Status::Enforce && p.apply == Begins::Immediately)
    };
    reload.applied && reload.changed && at_once(&reload.after)
}

/// The open sessions of people whom a policy asks from now on and who have not passed it; and why
/// logind's are not known, if they are not.
async fn not_passed(
    host: &Host,
    bus: &Connection,
    reload: &Reload,
    now: bool,
    strays: Vec<Stray>,
) -> Result<(Vec<Session>, String), Error> {
    let moment = host.clock.now()?;
    let (mut open, trouble) = match sessions::open(bus).await {
        Ok(open) => (open, String::new()),
        Err(why) => (Vec::new(), why),
    };
    open.extend(strays.into_iter().take(MOST_STRAYS).map(Open::from));
    let mut found = Vec::new();
    for session in open {
        found.extend(judge(host, reload, session, now, moment).await?);
    }
    Ok((found, trouble))
}

async fn judge(
    host: &Host,
    reload: &Reload,
    session: Open,
    now: bool,
    moment: Moment,
) -> Result<Option<Session>, Error> {
    let source = source(&session);
    let asked = async |force: &InForce| {
        let person = force.directory.person(&session.user).await;
        match host.decide(force, &person, &session.service, source, moment) {
            Decision::Required(terms) => Some((terms, true)),
            Decision::RequiredIfEnrolled(terms) => Some((terms, false)),
            Decision::Exempt { .. }
            | Decision::ReportOnly { .. }
            | Decision::Off { .. }
            | Decision::NoPolicy => None,
        }
    };
    let Some((terms, everybody)) = asked(&reload.after).await else { return Ok(None) };
    if !now {
        let before = asked(&reload.before).await.is_some_and(|(terms, _)| at_once(&reload.before, &terms));
        if before || !at_once(&reload.after, &terms) {
            return Ok(None);
        }
    }
    let facts = host
        .store
        .session_facts(session.uid, session.user.clone(), session.service.clone(), session.since)
        .await?;
    if facts.passed || (!everybody && !facts.enrolled) {
        return Ok(None);
    }
    let Open { id, user, uid, service, from, tty, leader, since, .. } = session;
    let (policy, certain) = (terms.policy, terms.certain);
    Ok(Some(Session { id, user, uid, service, from, tty, leader, since, policy, certain }))
}

/// Whether what these terms ask holds for open sessions too.
fn at_once(force: &InForce, terms: &Terms) -> bool {
    force.config.policies.iter().any(|p| p.name == terms.policy && p.apply == Begins::Immediately)
}

/// Where a session came from, as its login would have said.
fn source(session: &Open) -> Source {
    match session.from.parse::<IpAddr>() {
        Ok(address) => Source::Address(address.to_canonical()),
        Err(_) if session.remote || !session.from.is_empty() => Source::Unknown,
        Err(_) => Source::Local,
    }
}

fn note(sessions: &[Session]) {
    for one in sessions {
        journal::notice(
            "an open session has not passed the policy that asks now",
            &[
                ("user", &one.user),
                ("session", &one.id),
                ("leader", &one.leader.to_string()),
                ("service", &one.service),
                ("source", &one.from),
                ("policy", &one.policy),
            ],
        );
    }
}
