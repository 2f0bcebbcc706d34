//! Respond: one answer, judged, carried out and committed before the person hears of it.

use super::{LoginId, Step};
use crate::clock::Moment;
use crate::decide::answer::{Facts, Reason, Ruling, Typed, rule};
use crate::decide::throttle::Cap;
use crate::decide::totp::Authenticator;
use crate::error::Error;
use crate::host::Host;
use crate::seal::Keys;
use crate::store::{AnswerRow, Answered, OpenLogin, SealedTotp};
use crate::text::{self, Message};
use crate::{journal, notice_text};
use countersign_config::Config;
use countersign_protocol::login::Verdict;
use std::sync::Arc;
use zeroize::Zeroizing;

/// Longest answer that is looked at, in bytes; a longer one is simply wrong.
const LONGEST_ANSWER: usize = 256;

/// Judges one answer to a login of this caller.
///
/// # Errors
/// `NotFound`, `Expired` or `Unavailable`, as the store says; none of them evaluated the answer.
pub async fn respond(
    host: &Host,
    caller: u32,
    id: LoginId,
    answer: &Zeroizing<Vec<u8>>,
) -> Result<Step, Error> {
    let now = host.clock.now()?;
    let typed = Typed::parse(answer.get(..LONGEST_ANSWER.min(answer.len())).unwrap_or_default());
    let hash = match &typed {
        Typed::Recovery(_) => hash_recovery(host, caller, id, answer, now).await?,
        Typed::Help | Typed::Digits(_) | Typed::Other => None,
    };
    let keys = Arc::clone(&host.keys);
    let force = host.in_force();
    let answered = host
        .store
        .answer(id.stored(), caller, now, hash, move |login, row| {
            let facts = open_facts(&keys, &force.config, login, row)?;
            Ok(rule(&typed, &facts, now))
        })
        .await?;
    let (verdict, messages) = tell(host, &answered);
    if verdict != Verdict::Ask {
        let [user, service, source] = &answered.whose;
        journal::notice(
            "login answered",
            &[("verdict", verdict.as_str()), ("user", user), ("service", service), ("source", source)],
        );
    }
    Ok(Step::new(id, verdict, messages))
}

/// Hashes a recovery code before the transaction, one at a time, and only for an answer that will
/// be evaluated.
async fn hash_recovery(
    host: &Host,
    caller: u32,
    id: LoginId,
    answer: &[u8],
    now: Moment,
) -> Result<Option<[u8; 32]>, Error> {
    let Some(salt) = host.store.recovery_salt(id.stored(), caller, now).await? else { return Ok(None) };
    let Typed::Recovery(code) = Typed::parse(answer) else { return Ok(None) };
    host.hashing(move || code.hash(&salt)).await
}

fn open_facts(keys: &Keys, config: &Config, login: &OpenLogin, row: &AnswerRow) -> Result<Facts, Error> {
    let authenticators = row
        .authenticators
        .iter()
        .map(|a| open(keys, login, a, config.totp.skew))
        .collect::<Result<_, _>>()?;
    Ok(Facts {
        payer: login.payer,
        lane: row.lane,
        tally: row.tally,
        recovery_tally: row.recovery_tally,
        in_a_row: row.in_a_row,
        cap: Cap::of(config.throttle),
        authenticators,
        recovery: row.recovery,
    })
}

fn open(keys: &Keys, login: &OpenLogin, sealed: &SealedTotp, skew: u8) -> Result<Authenticator, Error> {
    let uid = login.uid.ok_or_else(|| Error::unavailable("an authenticator without a person"))?;
    let secret = keys.open(&crate::seal::totp_row(uid), &sealed.secret).inspect_err(|e| {
        journal::error("an authenticator cannot be read", &[("user", &login.user), ("error", e.text())]);
    })?;
    Ok(Authenticator {
        id: sealed.id,
        secret,
        digits: sealed.digits,
        period: sealed.period,
        skew,
        last_step: sealed.last_step,
        drift: sealed.drift,
    })
}

/// What the module hears of a ruling that was carried out.
fn tell(host: &Host, done: &Answered) -> (Verdict, Vec<Message>) {
    let force = host.in_force();
    let help = force.config.help.as_deref();
    let (verdict, messages) = match done.ruling {
        Ruling::Totp { .. } => (Verdict::Allow, vec![]),
        Ruling::Recovery { .. } => (Verdict::Allow, vec![text::recovery_used(done.recovery_left)]),
        Ruling::Locked(ms) => (Verdict::Locked, text::locked(ms, false, help)),
        Ruling::Explain if done.more => return (Verdict::Ask, vec![text::what_to_type()]),
        Ruling::Explain => (Verdict::Deny, vec![]),
        Ruling::Wrong { reason: Reason::CodeReused(wait), .. } if done.more => {
            (Verdict::Ask, vec![text::code_reused(wait)])
        }
        Ruling::Wrong { reason: Reason::WrongCode, .. } if done.more => {
            (Verdict::Ask, vec![text::wrong_code(done.tries_left)])
        }
        Ruling::Wrong { .. } if done.closed_for > 0 => {
            (Verdict::Deny, text::locked(Some(done.closed_for), false, help))
        }
        Ruling::Wrong { reason: Reason::CodeReused(wait), .. } => {
            (Verdict::Deny, vec![text::code_reused(wait)])
        }
        Ruling::Wrong { .. } => (Verdict::Deny, vec![]),
    };
    if done.talk {
        let since =
            (verdict == Verdict::Allow).then(|| notice_text::since_last_login(&done.whose[0], &done.untold));
        return (verdict, messages.into_iter().chain(since.flatten()).collect());
    }
    // Where the first factor is unknown nobody hears why, nor that somebody is locked.
    match verdict {
        Verdict::Locked | Verdict::Deny => (Verdict::Deny, vec![]),
        Verdict::Allow => (Verdict::Allow, vec![]),
        Verdict::Ask | Verdict::NotRequired => (verdict, messages),
    }
}
