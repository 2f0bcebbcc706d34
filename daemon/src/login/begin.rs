//! Begin: who is this, does policy ask for a second factor, and can they show one.

use super::origin::Origin;
use super::{LoginId, Step, bounded};
use crate::clock::Moment;
use crate::decide::answer::{Payer, locked_at_begin};
use crate::decide::policy::{Decision, Person, Resolution, Terms};
use crate::decide::throttle::{Cap, Lane};
use crate::error::Error;
use crate::host::Host;
use crate::in_force::InForce;
use crate::store::{BeginFacts, LoginRow, Phase};
use crate::text::{self, Message};
use crate::{journal, notice_text};
use countersign_protocol::login::{FirstFactor, Verdict};
use std::sync::Arc;

/// What the module tells of a login. Names are data: nothing here is trusted to be well formed.
#[derive(Debug, Clone)]
pub struct BeginRequest {
    /// `PAM_USER`.
    pub user: String,
    /// `PAM_RUSER`.
    pub ruser: String,
    /// The PAM service.
    pub service: String,
    /// What the module says of its host.
    pub program: String,
    /// `PAM_RHOST`.
    pub rhost: String,
    /// `PAM_TTY`.
    pub tty: String,
    /// Whether the stack guarantees that the first factor passed.
    pub first_factor: FirstFactor,
}

/// Opens a login for a caller.
///
/// # Errors
/// `NotAuthorized` when a caller other than root begins a login for somebody else; `Unavailable`
/// when the store cannot be read or written and a second factor may be required.
pub async fn begin(host: &Host, caller: u32, request: BeginRequest) -> Result<Step, Error> {
    let now = host.clock.now()?;
    // This login is judged by the policies of now, whatever is applied while it goes on.
    let force = host.in_force();
    let origin = Origin::new(&request.rhost, &request.tty, &request.ruser);
    let person = force.directory.person(&request.user).await;
    let uid = match person.resolution {
        Resolution::Found(uid) => Some(uid),
        Resolution::NotFound | Resolution::Failed => None,
    };
    if caller != 0 && uid != Some(caller) {
        return Err(Error::NotAuthorized("you may begin a login for yourself only".into()));
    }
    let decision = host.decide(&force, &person, &request.service, origin.class, now);
    // The account database may be down: a person we know keeps their factor.
    let uid = match uid {
        Some(uid) => Some(uid),
        None if decision.asks() => host.store.uid_of(request.user.clone()).await?,
        None => None,
    };
    let id = LoginId::new()?;
    let row = describe(host, &person, origin, uid, caller, id, &decision, &request);
    match decision {
        Decision::Required(terms) => ask(host, id, row, now, Asking { everyone: true, terms, force }).await,
        Decision::RequiredIfEnrolled(terms) => {
            ask(host, id, row, now, Asking { everyone: false, terms, force }).await
        }
        Decision::ReportOnly { .. } => Ok(pass(host, id, row, now, "would-ask", "report-only").await),
        Decision::Off { .. } => Ok(pass(host, id, row, now, "skipped", "policy-off").await),
        Decision::NoPolicy => Ok(pass(host, id, row, now, "skipped", "no-policy").await),
        Decision::Exempt { .. } => Ok(pass(host, id, row, now, "skipped", "exempt").await),
    }
}

/// What policy wants to know of this person.
struct Asking {
    /// Of everybody, or only of people with a factor.
    everyone: bool,
    /// What holds for those of whom it is asked.
    terms: Terms,
    /// The policies in force when the login began.
    force: Arc<InForce>,
}

#[expect(clippy::too_many_arguments, reason = "each is one fact of the log row")]
fn describe(
    host: &Host,
    person: &Person,
    origin: Origin,
    uid: Option<u32>,
    caller: u32,
    id: LoginId,
    decision: &Decision,
    request: &BeginRequest,
) -> LoginRow {
    let policy = decision.policy();
    let certain = match decision {
        Decision::Required(terms) | Decision::RequiredIfEnrolled(terms) => terms.certain,
        Decision::ReportOnly { .. } | Decision::Off { .. } | Decision::NoPolicy | Decision::Exempt { .. } => {
            true
        }
    };
    if !certain && person.resolution != Resolution::NotFound {
        journal::warning(
            "policy undetermined, the second factor counts as required",
            &[("user", &request.user), ("policy", policy)],
        );
    }
    let passed = request.first_factor == FirstFactor::Passed;
    LoginRow {
        token: id.stored(),
        caller,
        user: if uid.is_some() { bounded(&request.user) } else { host.keys.conceal_name(&request.user) },
        uid,
        ruser: bounded(&request.ruser),
        service: bounded(&request.service),
        program: bounded(&request.program),
        tty: bounded(&request.tty),
        source: origin.source,
        source_key: origin.key,
        console: origin.console,
        // Whoever is not root acts on themself alone: they pay themselves and learn nothing.
        payer: if uid.is_some() && (passed || caller != 0) { Payer::Person } else { Payer::Source },
        talk: passed && caller == 0 && uid.is_some(),
        policy: policy.to_owned(),
    }
}

/// Policy asks (or may ask): what the person is shown depends on what they have.
async fn ask(host: &Host, id: LoginId, row: LoginRow, now: Moment, asking: Asking) -> Result<Step, Error> {
    let row_for_log = row.clone();
    let (verdict, messages, reason) = host
        .store
        .begin(row.clone(), now, move |facts| {
            let (phase, state, reason, verdict, mut messages) = judge(&row, facts, &asking, now);
            if verdict == Verdict::NotRequired {
                messages.extend(notice_text::since_last_login(&row.user, &facts.untold));
            }
            (phase, state, reason, (verdict, messages, reason))
        })
        .await?;
    if verdict != Verdict::Ask {
        note(&row_for_log, verdict, reason);
    }
    Ok(Step::new(id, verdict, messages))
}

type Judgement = (Phase, &'static str, &'static str, Verdict, Vec<Message>);

fn judge(row: &LoginRow, facts: &BeginFacts, asking: &Asking, now: Moment) -> Judgement {
    let help = asking.force.config.help.as_deref();
    let has_factor = facts.authenticators > 0 || facts.recovery_codes > 0;
    if facts.renamed {
        // Nobody inherits a factor, nor the lack of one, with a uid.
        return refuse(row, "uid-renamed", help);
    }
    if !has_factor && !asking.everyone && row.uid.is_some() {
        return (Phase::Skipped, "skipped", "not-enrolled", Verdict::NotRequired, vec![]);
    }
    if !row.talk {
        // One neutral prompt for everybody, existing or not, enrolled or not, locked or not.
        return (Phase::Asked, "asked", "", Verdict::Ask, vec![]);
    }
    if !has_factor {
        return refuse(row, "not-enrolled", help);
    }
    if has_factor && facts.confirmed_ago.is_some_and(|ms| u128::from(ms) < asking.terms.remember.as_millis())
    {
        return (Phase::Skipped, "skipped", "remembered", Verdict::NotRequired, vec![]);
    }
    let capped = Cap::of(asking.force.config.throttle).closes(&facts.in_a_row, now);
    let Some(locked) = locked_at_begin(row.payer, facts.lane, &facts.tally, capped, now) else {
        return (Phase::Asked, "asked", "", Verdict::Ask, vec![]);
    };
    let recovery_open = facts.recovery_codes > 0 && facts.recovery_tally.closed_for(Lane::Recovery, now) == 0;
    let messages = text::locked(locked, recovery_open, help);
    if recovery_open {
        (Phase::Asked, "asked", "locked", Verdict::Ask, messages)
    } else {
        (Phase::Over, "locked", "locked", Verdict::Locked, messages)
    }
}

/// A refusal before any answer. Where the first factor is unknown it looks like any other login.
fn refuse(row: &LoginRow, reason: &'static str, help: Option<&str>) -> Judgement {
    if row.talk {
        (Phase::Over, "denied", reason, Verdict::Deny, text::not_enrolled(&row.user, help))
    } else {
        (Phase::Asked, "asked", "", Verdict::Ask, vec![])
    }
}

/// Positively not asked. The log row is wanted but not a condition: a full disk locks out nobody
/// of whom nothing is required.
async fn pass(
    host: &Host,
    id: LoginId,
    row: LoginRow,
    now: Moment,
    state: &'static str,
    reason: &'static str,
) -> Step {
    let shown = row.clone();
    let user = row.user.clone();
    let begun = host.store.begin(row, now, move |facts| {
        (Phase::Skipped, state, reason, notice_text::since_last_login(&user, &facts.untold))
    });
    let told = begun.await.unwrap_or_else(|e| {
        journal::warning(
            "a login that needs no second factor is not in the attempt log, ignoring",
            &[
                ("user", &shown.user),
                ("service", &shown.service),
                ("state", state),
                ("reason", reason),
                ("error", e.text()),
            ],
        );
        None
    });
    Step::new(id, Verdict::NotRequired, told.into_iter().collect())
}

fn note(row: &LoginRow, verdict: Verdict, reason: &str) {
    journal::notice(
        "login",
        &[
            ("verdict", verdict.as_str()),
            ("user", &row.user),
            ("service", &row.service),
            ("source", &row.source),
            ("reason", reason),
        ],
    );
}
