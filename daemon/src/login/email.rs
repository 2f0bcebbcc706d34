//! A code by e-mail: ordered in the transaction of the answer that asks for it, then handed to the
//! mailer, for which no login waits longer than a moment.

use super::tell::question;
use super::{LoginId, Step};
use crate::clock::Moment;
use crate::decide::email::{Limits, Order, mask};
use crate::decide::enrolling::Asking;
use crate::decide::policy::{Decision, Terms};
use crate::error::Error;
use crate::host::Host;
use crate::in_force::InForce;
use crate::journal;
use crate::mail::{self, Facts, Letter, Sent, addresses};
use crate::store::{Answered, MailTo};
use crate::text::{Message, email as text};
use countersign_config::{AddressSource, Email};
use countersign_protocol::login::Verdict;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// How long an answer waits for the mailer. The module gives all calls of a login ten seconds, and
/// the caps let five codes be sent in the ten minutes that a login lives.
const MOMENT: Duration = Duration::from_millis(1500);

/// What the configuration grants.
#[must_use]
pub fn limits(email: &Email) -> Limits {
    let ms = |span: Duration| i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    Limits {
        valid_ms: ms(email.valid_for),
        resend_ms: ms(email.resend_after),
        most_per_hour: email.most_per_hour,
    }
}

/// Whether a person can be sent codes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// They have no address, or e-mail is no factor.
    None,
    /// They have one, or may have, and it cannot be known now where codes go: a factor all the same.
    Unknown,
    /// There.
    At(MailTo),
}

impl Reach {
    /// Of this person under what was decided.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn of(
        host: &Host,
        force: &InForce,
        decision: &Decision,
        uid: u32,
        user: &str,
    ) -> Result<Self, Error> {
        let (Decision::Required(terms) | Decision::RequiredIfEnrolled(terms)) = decision else {
            return Ok(Self::None);
        };
        let Some(mail) = &terms.mail else { return Ok(Self::None) };
        let found = addresses::for_codes(host, force, mail.pattern.as_ref(), uid, user).await?;
        Ok(match found.first() {
            Some(first) if terms.certain => Self::At(MailTo {
                address: first.address.clone(),
                set: first.source == AddressSource::Set,
                mailbox: mail.mailbox.clone(),
                template: mail.template.clone().unwrap_or_default(),
            }),
            _ if found.any() => Self::Unknown,
            _ => Self::None,
        })
    }

    /// Whether this counts as a factor that the person has.
    #[must_use]
    pub fn is_factor(&self) -> bool {
        *self != Self::None
    }

    /// Where codes go.
    #[must_use]
    pub fn mail_to(self) -> Option<MailTo> {
        match self {
            Self::At(to) => Some(to),
            Self::None | Self::Unknown => None,
        }
    }
}

/// A fresh code and what the store keeps of it.
///
/// # Errors
/// When there is no randomness.
pub(super) fn fresh(host: &Host, id: LoginId) -> Result<(Zeroizing<String>, [u8; 32]), Error> {
    let code = crate::decide::email::fresh(host.in_force().config.email.length)?;
    let hash = hash(host, id, code.as_bytes());
    Ok((code, hash))
}

/// The keyed hash of a code of this login.
pub(super) fn hash(host: &Host, id: LoginId, code: &[u8]) -> [u8; 32] {
    let bound = Zeroizing::new([id.stored().as_slice(), code].concat());
    host.keys.vouch("email-code", &bound)
}

/// Tells what came of asking for a code, once that is committed.
pub(super) async fn answer(
    host: &Arc<Host>,
    (id, caller): (LoginId, u32),
    done: &Answered,
    order: Order,
    code: &Zeroizing<String>,
    now: Moment,
) -> Step {
    let Some(to) = &done.mail_to else { return Step::end(id, Verdict::Deny, vec![]) };
    let [user, service, source] = &done.whose;
    let message = match order {
        Order::TooSoon(ms) => text::too_soon(ms),
        Order::Capped(ms) => {
            let fields = [("user", user.as_str()), ("service", service), ("source", source)];
            journal::warning("no code by e-mail: too many were sent", &fields);
            text::capped(ms)
        }
        Order::Send => send(host, (id, caller), done, to, code, now).await,
    };
    match done.next {
        Some(asking) => question(id, asking, 0, vec![message], service, done.begun, now),
        None => Step::end(id, Verdict::Deny, vec![message]),
    }
}

async fn send(
    host: &Arc<Host>,
    (id, caller): (LoginId, u32),
    done: &Answered,
    to: &MailTo,
    code: &Zeroizing<String>,
    now: Moment,
) -> Message {
    let force = host.in_force();
    let limits = limits(&force.config.email);
    let masked = mask(&to.address);
    let [user, service, source] = &done.whose;
    let facts = Facts {
        issuer: &force.config.issuer,
        user,
        service,
        source,
        at: now.wall,
        minutes: limits.valid_ms / 60_000,
        help: force.config.help.as_deref(),
        code,
    };
    let template = Some(to.template.as_str()).filter(|name| !name.is_empty());
    let letter = mail::code(&force.config, template, &facts).map(|letter| Letter {
        mailbox: to.mailbox.clone(),
        to: to.address.clone(),
        subject: letter.subject,
        text: letter.text,
    });
    let letter = match letter {
        Ok(letter) => letter,
        Err(e) => {
            journal::error("a letter cannot be written", &[("error", &e.to_string())]);
            return text::failed(&masked, done.has_app);
        }
    };
    journal::notice(
        "a code by e-mail was asked for",
        &[("user", user), ("service", service), ("source", source)],
    );
    let post = Arc::clone(host);
    // It goes on when nobody waits for it any more.
    let sending = tokio::spawn(async move {
        let sent = post.post.send(letter).await;
        if sent == Sent::Failed {
            let voided = match post.clock.now() {
                Ok(now) => post.store.email_failed(id.stored(), caller, now).await,
                Err(e) => Err(e.into()),
            };
            // The login may be over: then its code is, too.
            drop(voided);
        }
        sent
    });
    match tokio::time::timeout(MOMENT, sending).await {
        Ok(Ok(Sent::Sent)) => text::sent(&masked, false, limits.valid_ms, limits.resend_ms),
        Err(_) => text::sent(&masked, true, limits.valid_ms, limits.resend_ms),
        Ok(Ok(Sent::Failed) | Err(_)) => text::failed(&masked, done.has_app),
    }
}

/// Whether a code goes out as soon as the login begins: nothing else is asked for first.
#[must_use]
pub fn unasked(terms: &Terms, has_app: bool, asking: Asking) -> bool {
    use countersign_config::Factor;
    let first = terms.factors.iter().find(|factor| match factor {
        Factor::Totp => has_app,
        Factor::Email => true,
    });
    asking == Asking::Code && first == Some(&Factor::Email)
}
