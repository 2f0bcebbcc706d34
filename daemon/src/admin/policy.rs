//! Explaining policies.

use super::overrides::shown;
use crate::clock::Moment;
use crate::decide::email::mask;
use crate::decide::enrolling::{self, Asking, Newcomer, Opening, may_enroll};
use crate::decide::explain::{self, Explained};
use crate::decide::policy::{Decision, Met, Resolution, Source, Terms, Tri};
use crate::error::Error;
use crate::host::Host;
use crate::in_force::InForce;
use crate::login::{self, Reach};
use crate::store::Arrival;
use crate::text::{self, enrolling::Later};
use countersign_config::Status;
use countersign_protocol::manager::{Explanation, Rule};
use std::net::IpAddr;

/// What policy would do with a login of this user to this service from this address (an empty one is
/// this machine) at this time, in seconds since 1970 (0 is now).
///
/// # Errors
/// `InvalidArgument` for what is no address, `Unavailable` when the store cannot be read.
pub async fn explain(
    host: &Host,
    user: &str,
    service: &str,
    from: &str,
    at: i64,
) -> Result<Explanation, Error> {
    let source = match from {
        "" | "local" => Source::Local,
        "unknown" => Source::Unknown,
        text => Source::Address(
            text.parse::<IpAddr>()
                .map_err(|_| {
                    Error::InvalidArgument(
                        "--from takes an address, \"local\" or \"unknown\"; names are never resolved".into(),
                    )
                })?
                .to_canonical(),
        ),
    };
    let force = host.in_force();
    let person = force.directory.person(user).await;
    let now = host.clock.now()?;
    let then = if at == 0 { now } else { now.at(at) };
    let overrides = host.overrides();
    let Explained { decision, overridden, walk, certain } =
        explain::explain(&force.config, &overrides, &person, service, source, then);
    let word = match &decision {
        Decision::Required(_) => "required",
        Decision::RequiredIfEnrolled(_) => "required-if-enrolled",
        Decision::ReportOnly { .. } => "report",
        Decision::Off { .. } => "off",
        Decision::NoPolicy => "no-policy",
        Decision::Exempt { .. } => "exempt",
    };
    let uid = match person.resolution {
        Resolution::Found(uid) => Some(uid),
        Resolution::NotFound | Resolution::Failed => host.store.uid_of(user.to_owned()).await?,
    };
    let factors = match uid {
        Some(uid) => host.store.person(uid, user.to_owned(), host.view(), now).await?.factors,
        None => vec![],
    };
    let has_codes = !factors.is_empty();
    let has_app = factors.iter().any(|factor| factor.kind == "totp");
    let help = force.config.help.as_deref();
    // An address counts as a factor where policy lists it.
    let reach = match uid {
        Some(uid) => Reach::of(host, &force, &decision, uid, user).await?,
        None => Reach::None,
    };
    let (prompts, meets) = match (&decision, has_codes || reach.is_factor()) {
        (Decision::Required(terms) | Decision::RequiredIfEnrolled(terms), true) => {
            let mail = by_mail(&force, terms, &reach, has_app).into_iter();
            (mail.chain([text::PROMPT.to_owned()]).collect(), "code")
        }
        (Decision::Required(terms), false) => {
            let resolved = uid.filter(|_| matches!(person.resolution, Resolution::Found(_)));
            let arrival = match resolved {
                Some(uid) => host.store.arrival(uid, user.to_owned(), then).await?,
                None => Arrival::default(),
            };
            newcomer(terms, resolved, user, arrival, help, then)
        }
        _ => (vec![], "nothing"),
    };
    Ok(Explanation {
        decision: word.into(),
        policy: decision.policy().into(),
        certain,
        walk: walk.iter().map(rule).collect(),
        prompts,
        meets: meets.into(),
        overridden: overridden.iter().map(|one| shown(one, then)).collect(),
    })
}

/// What somebody who can have codes by e-mail sees before the prompt. Nothing is sent.
fn by_mail(force: &InForce, terms: &Terms, reach: &Reach, has_app: bool) -> Option<String> {
    let (_, said) = match reach {
        Reach::None => return None,
        Reach::Unknown => text::email::unknown(),
        Reach::At(to) if login::unasked(terms, has_app, Asking::Code) => {
            let limits = login::email_limits(&force.config.email);
            text::email::sent(&mask(&to.address), false, limits.valid_ms, limits.resend_ms)
        }
        Reach::At(to) => text::email::what_to_type(&mask(&to.address), has_app),
    };
    Some(said)
}

/// What somebody without a factor sees, by the same decision that begins their login, and what that comes to.
fn newcomer(
    terms: &Terms,
    uid: Option<u32>,
    user: &str,
    arrival: Arrival,
    help: Option<&str>,
    then: Moment,
) -> (Vec<String>, &'static str) {
    let who = Newcomer { terms, uid, talk: true, invited: arrival.invited, grace_began: arrival.grace_began };
    let left = |until: i64| Later { until, left: until - then.date };
    let refused = |command| text::with_help(vec![text::not_enrolled(command, user)], help);
    let command = if may_enroll(terms, uid.unwrap_or(0)) { "invite" } else { "enroll" };
    let opening = enrolling::open(&who, then);
    let meets = match &opening {
        Opening::Neutral | Opening::NeedsAdmin | Opening::NeedsInvitation => "refusal",
        Opening::Grace { .. } => "later",
        Opening::Ask { .. } => "enrollment",
    };
    let (messages, prompt) = match opening {
        Opening::Neutral | Opening::NeedsAdmin => (refused("enroll"), None),
        Opening::NeedsInvitation => (refused("invite"), None),
        Opening::Grace { until } => (vec![text::enrolling::grace(left(until), command, user)], None),
        Opening::Ask { asking: Asking::Invitation, later_until } => {
            (vec![text::enrolling::invited(later_until.map(left))], Some(Asking::Invitation))
        }
        // The key before it is a secret of the login that shows it.
        Opening::Ask { asking, later_until } => {
            let said = text::enrolling::what_to_type(asking, later_until.map(left), false, 0);
            (vec![said], Some(asking))
        }
    };
    let prompt = prompt.map(|asking| text::enrolling::prompt(asking, 0));
    (messages.into_iter().map(|(_, text)| text.trim().to_owned()).chain(prompt).collect(), meets)
}

fn rule(met: &Met<'_>) -> Rule {
    let applies = match met.applies {
        Tri::Yes => "hit",
        Tri::No => "miss",
        Tri::Maybe => "may",
    };
    let status = match met.policy.status {
        Status::Enforce => "enforce",
        Status::Report => "report",
        Status::Off => "off",
    };
    Rule {
        policy: met.policy.name.clone(),
        applies: applies.into(),
        because: met.because.into(),
        status: status.into(),
    }
}
