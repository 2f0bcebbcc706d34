//! Begin: who is this, does policy ask for a second factor, and can they show one.

use super::enroll::{Showing, show_key};
use super::origin::Origin;
use super::tell::{later, question};
use super::{LoginId, Reach, Step, bounded, email, respond};
use crate::clock::Moment;
use crate::decide::answer::{Payer, locked_at_begin};
use crate::decide::enrolling::{Asking as Question, Newcomer, Opening, may_enroll, open};
use crate::decide::policy::{Decision, Person, Resolution, Terms};
use crate::decide::throttle::{Cap, Lane};
use crate::error::Error;
use crate::host::Host;
use crate::in_force::InForce;
use crate::store::{BARRED, BeginFacts, LoginRow, Opened, PENDING, Phase};
use crate::text::{self, Message};
use crate::{journal, notice_text};
use countersign_protocol::login::{FirstFactor, Verdict};
use countersign_protocol::names::OWN_SERVICE;
use std::sync::Arc;
use zeroize::Zeroizing;

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
pub async fn begin(host: &Arc<Host>, caller: u32, request: BeginRequest) -> Result<Step, Error> {
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
    let resolved = uid.is_some();
    let own = caller != 0 && request.service == OWN_SERVICE;
    let decision = if own { decision.for_own_service(&force.config, &person) } else { decision };
    // The account database may be down: a person we know keeps their factor.
    let uid = match uid {
        Some(uid) => Some(uid),
        None if decision.asks() => host.store.uid_of(request.user.clone()).await?,
        None => None,
    };
    let id = LoginId::new()?;
    let mut row = describe(host, &force, &person, origin, uid, caller, id, &decision, &request);
    let reach = match uid {
        Some(uid) => Reach::of(host, &force, &decision, uid, &request.user).await?,
        None => Reach::None,
    };
    let reachable = reach.is_factor();
    let lost = reach == Reach::Unknown;
    // Whom the account database does not know now has the factor still, and is sent nothing.
    row.mail_to = reach.mail_to().filter(|_| resolved);
    match decision {
        Decision::Required(terms) => {
            ask(host, id, row, now, Asking { everyone: true, terms, force, resolved, reachable, lost }).await
        }
        Decision::RequiredIfEnrolled(terms) => {
            ask(host, id, row, now, Asking { everyone: false, terms, force, resolved, reachable, lost }).await
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
    /// The account database knows the name now.
    resolved: bool,
    /// They have an address for codes, or may have.
    reachable: bool,
    /// It cannot be looked up now.
    lost: bool,
}

#[expect(clippy::too_many_arguments, reason = "each is one fact of the log row")]
fn describe(
    host: &Host,
    force: &InForce,
    person: &Person,
    origin: Origin,
    uid: Option<u32>,
    caller: u32,
    id: LoginId,
    decision: &Decision,
    request: &BeginRequest,
) -> LoginRow {
    let policy = decision.policy();
    let terms = match decision {
        Decision::Required(terms) | Decision::RequiredIfEnrolled(terms) => Some(terms),
        Decision::ReportOnly { .. } | Decision::Off { .. } | Decision::NoPolicy | Decision::Exempt { .. } => {
            None
        }
    };
    let certain = terms.is_none_or(|terms| terms.certain);
    if !certain && person.resolution != Resolution::NotFound {
        journal::warning(
            "policy undetermined, the second factor counts as required",
            &[("user", &request.user), ("policy", policy)],
        );
    }
    let passed = request.first_factor == FirstFactor::Passed;
    let resolved = matches!(person.resolution, Resolution::Found(_));
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
        mail_to: None,
        may_enroll: resolved && terms.zip(uid).is_some_and(|(terms, uid)| may_enroll(terms, uid)),
        rules: force.config.hash.clone(),
    }
}

/// Policy asks (or may ask): what the person is shown depends on what they have.
async fn ask(
    host: &Arc<Host>,
    id: LoginId,
    row: LoginRow,
    now: Moment,
    asking: Asking,
) -> Result<Step, Error> {
    let begun = row.clone();
    let reply = host
        .store
        .begin(row.clone(), now, move |facts| {
            let mut opened = judge(&row, facts, &asking, now);
            if opened.result.verdict == Verdict::NotRequired {
                opened.result.messages.extend(notice_text::since_last_login(&row.user, &facts.untold));
            }
            let (question, later_until, reason) = (opened.asking, opened.until, opened.reason);
            let mails = row.mail_to.is_some()
                && (row.talk || (row.is_own() && !facts.has_codes()))
                && reason.is_empty()
                && !facts.barred
                && email::unasked(&asking.terms, facts.authenticators > 0, question);
            opened.map(|said| Begun { asking: question, later_until, mails, said })
        })
        .await?;
    let Said { verdict, messages } = reply.said;
    if verdict != Verdict::Ask {
        return Ok(Step::end(id, verdict, messages));
    }
    if reply.mails {
        // As if they had typed the word: there is nothing else that they could be asked for first.
        return respond(host, begun.caller, id, &Zeroizing::new(b"email".to_vec())).await;
    }
    match (reply.asking, begun.uid) {
        (Question::FirstCode, Some(uid)) => {
            let login = Showing {
                id,
                caller: begun.caller,
                user: &begun.user,
                uid,
                service: &begun.service,
                begun: now.stamp(),
                later_until: reply.later_until,
                passed: false,
            };
            show_key(host, &login, now).await
        }
        (asking, _) => Ok(question(id, asking, 0, messages, &begun.service, now.stamp(), now)),
    }
}

/// What a person hears when their login begins.
struct Said {
    verdict: Verdict,
    messages: Vec<Message>,
}

/// The same, and what else the reply depends on.
struct Begun {
    asking: Question,
    later_until: Option<i64>,
    /// A code goes out unasked.
    mails: bool,
    said: Said,
}

type Judgement = Opened<Said>;

fn opened(
    phase: Phase,
    state: &'static str,
    reason: &'static str,
    verdict: Verdict,
    messages: Vec<Message>,
) -> Judgement {
    Opened::new(phase, state, reason, Said { verdict, messages })
}

/// One neutral prompt for everybody, existing or not, enrolled or not, locked or not.
fn neutral() -> Judgement {
    opened(Phase::Asked, "asked", "", Verdict::Ask, vec![])
}

fn judge(row: &LoginRow, facts: &BeginFacts, asking: &Asking, now: Moment) -> Judgement {
    let help = asking.force.config.help.as_deref();
    let has_factor = facts.has_codes() || asking.reachable;
    if facts.barred {
        return if row.talk || row.is_own() {
            opened(
                Phase::Over,
                "locked",
                BARRED,
                Verdict::Locked,
                text::with_help(vec![text::barred()], help),
            )
        } else {
            neutral()
        };
    }
    if facts.renamed {
        // Nobody inherits a factor, nor the lack of one, with a uid.
        return refuse(row, "uid-renamed", "enroll", help);
    }
    if !has_factor && !asking.everyone && row.uid.is_some() {
        return opened(Phase::Skipped, "skipped", "not-enrolled", Verdict::NotRequired, vec![]);
    }
    if !has_factor {
        return welcome(row, facts, asking, now);
    }
    if !row.talk {
        return neutral();
    }
    if facts.confirmed_ago.is_some_and(|ms| u128::from(ms) < asking.terms.remember.as_millis()) {
        return opened(Phase::Skipped, "skipped", "remembered", Verdict::NotRequired, vec![]);
    }
    let Some(locked) = locked(row, facts, asking, now) else {
        // Whoever has nothing else would look for a letter.
        let lost = (asking.lost && facts.authenticators == 0).then(text::email::unknown);
        return opened(Phase::Asked, "asked", "", Verdict::Ask, lost.into_iter().collect());
    };
    let recovery_open = facts.recovery_codes > 0 && facts.recovery_tally.closed_for(Lane::Recovery, now) == 0;
    let messages = text::with_help(vec![text::locked(locked, recovery_open)], help);
    if recovery_open {
        opened(Phase::Asked, "asked", "locked", Verdict::Ask, messages)
    } else {
        opened(Phase::Over, "locked", "locked", Verdict::Locked, messages)
    }
}

fn locked(row: &LoginRow, facts: &BeginFacts, asking: &Asking, now: Moment) -> Option<Option<i64>> {
    let capped = Cap::of(asking.force.config.throttle).closes(&facts.in_a_row, now);
    locked_at_begin(row.payer, facts.lane, &facts.tally, capped, now)
}

/// Somebody without a factor of whom one is required.
fn welcome(row: &LoginRow, facts: &BeginFacts, asking: &Asking, now: Moment) -> Judgement {
    let help = asking.force.config.help.as_deref();
    let newcomer = Newcomer {
        terms: &asking.terms,
        uid: row.uid.filter(|_| asking.resolved),
        talk: row.talk,
        invited: facts.invited,
        grace_began: facts.grace_began,
    };
    let command = if may_enroll(&asking.terms, row.uid.unwrap_or(0)) { "invite" } else { "enroll" };
    match open(&newcomer, now) {
        Opening::Neutral if row.talk => refuse(row, "not-enrolled", "enroll", help),
        Opening::Neutral => neutral(),
        Opening::NeedsAdmin => refuse(row, "not-enrolled", "enroll", help),
        Opening::NeedsInvitation => refuse(row, "not-enrolled", "invite", help),
        Opening::Grace { until } => {
            let told = later(Some(until), now).filter(|_| row.talk);
            let messages = told.map(|later| text::enrolling::grace(later, command, &row.user));
            let messages = messages.into_iter().collect();
            Opened {
                until: Some(until),
                ..opened(Phase::Skipped, "skipped", "grace", Verdict::NotRequired, messages)
            }
        }
        Opening::Ask { asking: question, later_until } => {
            if let Some(locked) = locked(row, facts, asking, now) {
                let messages = text::with_help(vec![text::locked(locked, false)], help);
                return opened(Phase::Over, "locked", "locked", Verdict::Locked, messages);
            }
            let told = matches!(question, Question::Invitation)
                .then(|| text::enrolling::invited(later(later_until, now)));
            let begun = opened(Phase::Asked, "asked", PENDING, Verdict::Ask, told.into_iter().collect());
            Opened { asking: question, until: later_until, ..begun }
        }
    }
}

/// A refusal before any answer. Where the first factor is unknown it looks like any other login.
/// `command` is what would help.
fn refuse(row: &LoginRow, reason: &'static str, command: &str, help: Option<&str>) -> Judgement {
    if row.talk {
        let messages = text::with_help(vec![text::not_enrolled(command, &row.user)], help);
        opened(Phase::Over, "denied", reason, Verdict::Deny, messages)
    } else {
        neutral()
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
        let told = notice_text::since_last_login(&user, &facts.untold);
        Opened::new(Phase::Skipped, state, reason, told)
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
    Step::end(id, Verdict::NotRequired, told.into_iter().collect())
}
