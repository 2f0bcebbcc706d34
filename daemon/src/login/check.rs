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
use crate::store::{BeginFacts, LoginRow, Opened, Phase};
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
    let uid = match person.resolution {
        Resolution::Found(uid) => Some(uid),
        Resolution::NotFound | Resolution::Failed => {
            host.store.uid_of(request.user.clone()).await.unwrap_or(None)
        }
    };
    let resolved = match person.resolution {
        Resolution::Found(uid) => Some(uid),
        Resolution::NotFound | Resolution::Failed => None,
    };
    let (required, everyone) = match &decision {
        Decision::Required(_) => (true, true),
        Decision::RequiredIfEnrolled(_) => (true, false),
        Decision::ReportOnly { .. } | Decision::Off { .. } | Decision::NoPolicy | Decision::Exempt { .. } => {
            (false, false)
        }
    };
    // An address counts as a factor where policy lists it.
    let reachable = match uid {
        Some(uid) => Reach::of(host, &force, &decision, uid, &request.user).await?.is_factor(),
        None => false,
    };
    let reported = matches!(decision, Decision::ReportOnly { .. });
    let exempt = matches!(decision, Decision::Exempt { .. });
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
    let terms = match decision {
        Decision::Required(terms) => Some(terms),
        _ => None,
    };
    let shown = (row.user.clone(), row.source.clone());
    let result = host
        .store
        .begin(row, now, move |facts| {
            let enrolled = reachable || facts.authenticators > 0 || facts.recovery_codes > 0 || facts.renamed;
            let over = |state, reason, verdict| Opened::new(Phase::Over, state, reason, verdict);
            let grace = terms.as_ref().and_then(|terms| grace(terms, resolved, facts, now));
            if let (Some(until), false) = (grace, enrolled) {
                Opened { until: Some(until), ..over("skipped", "grace", Verdict::NotRequired) }
            } else if required && (everyone || enrolled) {
                over("denied", "no-second-factor", Verdict::Deny)
            } else if reported {
                over("would-ask", "report-only", Verdict::NotRequired)
            } else if exempt {
                over("skipped", "exempt", Verdict::NotRequired)
            } else {
                over("skipped", "not-required", Verdict::NotRequired)
            }
        })
        .await;
    let verdict = match result {
        Ok(verdict) => verdict,
        Err(e) if required => return Err(e),
        Err(e) => {
            journal::warning(
                "a login that needs no second factor is not in the attempt log, ignoring",
                &[("user", &shown.0), ("error", e.text())],
            );
            Verdict::NotRequired
        }
    };
    Ok(verdict)
}

/// Until when somebody without a factor passes here, where nobody can be asked.
fn grace(terms: &Terms, uid: Option<u32>, facts: &BeginFacts, now: Moment) -> Option<i64> {
    let grace_began = facts.grace_began;
    match open(&Newcomer { terms, uid, talk: false, invited: false, grace_began }, now) {
        Opening::Grace { until } => Some(until),
        Opening::Neutral | Opening::Ask { .. } | Opening::NeedsAdmin | Opening::NeedsInvitation => None,
    }
}
