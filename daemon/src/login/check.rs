//! Check: the account phase of an ssh login that never entered the auth phase (key, GSSAPI,
//! host-based). Nobody can be asked there, so where a second factor is required it is a refusal.

use super::origin::Origin;
use super::{LoginId, Reach, bounded};
use crate::clock::Moment;
use crate::decide::answer::Payer;
use crate::decide::enrolling::{Newcomer, Opening, open};
use crate::decide::policy::{Decision, Resolution, Terms};
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::store::{BARRED, BeginFacts, LoginRow, Opened, Phase};
use countersign_protocol::login::Verdict;

/// What the account phase tells.
#[derive(Debug, Clone)]
pub struct CheckRequest {
    /// `PAM_USER`.
    pub user: String,
    /// The PAM service.
    pub service: String,
    /// `PAM_RHOST`.
    pub rhost: String,
}

/// Whether this login may go on without a second factor.
///
/// # Errors
/// When the store cannot be read or written and a second factor may be required.
pub async fn check(host: &Host, caller: u32, request: CheckRequest) -> Result<Verdict, Error> {
    let now = host.clock.now()?;
    let force = host.in_force();
    let origin = Origin::new(&request.rhost, "", "");
    let person = force.directory.person(&request.user).await;
    let decision = host.decide(&force, &person, &request.service, origin.class, now);
    let resolved = match person.resolution {
        Resolution::Found(uid) => Some(uid),
        Resolution::NotFound | Resolution::Failed => None,
    };
    // The account database may be down: a person we know keeps their factor.
    let uid = match resolved {
        Some(uid) => Some(uid),
        None if decision.asks() => host.store.uid_of(request.user.clone()).await?,
        None => None,
    };
    // An address counts as a factor where policy lists it.
    let reachable = match uid {
        Some(uid) => Reach::of(host, &force, &decision, uid, &request.user).await?.is_factor(),
        None => false,
    };
    let row = LoginRow {
        token: LoginId::new()?.stored(),
        caller,
        user: if uid.is_some() { bounded(&request.user) } else { host.keys.conceal_name(&request.user) },
        uid,
        ruser: String::new(),
        service: bounded(&request.service),
        program: String::new(),
        tty: String::new(),
        source: origin.source,
        source_key: origin.key,
        console: false,
        payer: if uid.is_some() { Payer::Person } else { Payer::Source },
        talk: false,
        policy: decision.policy().to_owned(),
        may_enroll: false,
        rules: force.config.hash.clone(),
        mail_to: None,
    };
    let required = decision.asks();
    let user = row.user.clone();
    let who = Who { uid, resolved, reachable, caller };
    match host.store.begin(row, now, move |facts| judge(&decision, &who, facts, now)).await {
        Ok(verdict) => Ok(verdict),
        Err(e) if required => Err(e),
        Err(e) => {
            journal::warning(
                "a login that needs no second factor is not in the attempt log, ignoring",
                &[("user", &user), ("error", e.text())],
            );
            Ok(Verdict::NotRequired)
        }
    }
}

/// Whom a check is about.
struct Who {
    /// Whose the name is, by the account database or by what we know.
    uid: Option<u32>,
    /// The same, if the account database says so now.
    resolved: Option<u32>,
    /// They have an address for codes, or may have.
    reachable: bool,
    /// Who asks.
    caller: u32,
}

/// What `begin` would say, where nobody can be asked.
fn judge(decision: &Decision, who: &Who, facts: &BeginFacts, now: Moment) -> Opened<Verdict> {
    let over = |state, reason, verdict| Opened::new(Phase::Over, state, reason, verdict);
    let pass = |state, reason| over(state, reason, Verdict::NotRequired);
    if facts.barred {
        return over("locked", BARRED, Verdict::Locked);
    }
    let (terms, everyone) = match decision {
        Decision::Required(terms) => (terms, true),
        Decision::RequiredIfEnrolled(terms) => (terms, false),
        Decision::ReportOnly { .. } => return pass("would-ask", "report-only"),
        Decision::Off { .. } => return pass("skipped", "policy-off"),
        Decision::NoPolicy => return pass("skipped", "no-policy"),
        Decision::Exempt { .. } => return pass("skipped", "exempt"),
    };
    if facts.renamed {
        return over("denied", "uid-renamed", Verdict::Deny);
    }
    if !(who.reachable || facts.has_codes()) {
        if !everyone && who.uid.is_some() {
            return pass("skipped", "not-enrolled");
        }
        if let Some(until) = grace(terms, who.resolved, facts, now).filter(|_| everyone) {
            return Opened { until: Some(until), ..pass("skipped", "grace") };
        }
    // Root alone says that the first factor passed.
    } else if who.caller == 0
        && facts.confirmed_ago.is_some_and(|ms| u128::from(ms) < terms.remember.as_millis())
    {
        return pass("skipped", "remembered");
    }
    over("denied", "no-second-factor", Verdict::Deny)
}

/// Until when somebody without a factor passes here, where nobody can be asked.
fn grace(terms: &Terms, uid: Option<u32>, facts: &BeginFacts, now: Moment) -> Option<i64> {
    let grace_began = facts.grace_began;
    match open(&Newcomer { terms, uid, talk: false, invited: false, grace_began }, now) {
        Opening::Grace { until } => Some(until),
        Opening::Neutral | Opening::Ask { .. } | Opening::NeedsAdmin | Opening::NeedsInvitation => None,
    }
}
