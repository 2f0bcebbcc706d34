//! Respond: one answer, judged, carried out and committed before the person hears of it.

use super::enroll::{Showing, give_codes, show_key};
use super::tell::tell;
use super::{LoginId, Step, email};
use crate::clock::Moment;
use crate::decide::answer::{Facts, RecoveryMatch, Ruling, Typed, rule};
use crate::decide::enrolling::{Asking, Move};
use crate::decide::invitation::Invitation;
use crate::decide::throttle::Cap;
use crate::decide::totp::Authenticator;
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::seal::{Keys, pending_row, scratch_hash};
use crate::store::{AnswerRow, Answered, Evidence, Judged, OpenLogin, Pending, SealedTotp, StoredScratch};
use countersign_config::Config;
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Longest answer that is looked at, in bytes; a longer one is simply wrong.
const LONGEST_ANSWER: usize = 256;

/// Judges one answer to a login of this caller.
///
/// # Errors
/// `NotFound`, `Expired` or `Unavailable`, as the store says; none of them evaluated the answer.
pub async fn respond(
    host: &Arc<Host>,
    caller: u32,
    id: LoginId,
    answer: &Zeroizing<Vec<u8>>,
) -> Result<Step, Error> {
    let now = host.clock.now()?;
    let typed = Typed::parse(answer.get(..LONGEST_ANSWER.min(answer.len())).unwrap_or_default());
    let recovery = match &typed {
        Typed::Recovery(_) => hash_recovery(host, caller, id, answer, now).await?,
        Typed::Help
        | Typed::Later
        | Typed::Email
        | Typed::Enroll
        | Typed::No
        | Typed::Digits(_)
        | Typed::Other => None,
    };
    // Made before it is known whether one is sent: the transaction holds no randomness.
    let fresh = match &typed {
        Typed::Email => Some(email::fresh(host, id)?),
        _ => None,
    };
    let mailed = match &typed {
        Typed::Digits(digits) => Some(email::hash(host, id, digits.as_bytes())),
        _ => None,
    };
    let invitation = std::str::from_utf8(answer).ok().and_then(Invitation::parse);
    let evidence = Evidence { recovery, email: mailed, fresh: fresh.as_ref().map(|(_, hash)| *hash) };
    let (keys, meter) = (Arc::clone(&host.keys), Arc::clone(&host.meter));
    let force = host.in_force();
    let limits = email::limits(&force.config.email);
    let answered = host
        .store
        .answer(id.stored(), caller, now, evidence, limits, move |login, row| {
            let facts = open_facts(&keys, &force.config, &typed, id, login, row)?;
            let asked_for = login.uid.filter(|_| login.at.asking == Asking::Invitation);
            let invitation = asked_for.map(|uid| keys.invitation(invitation.as_ref(), uid));
            let ruling = rule(&typed, &facts, now);
            if let Ruling::Totp { id, step } = ruling {
                // Noted also where the commit then fails: the code was right all the same.
                meter.ahead(ahead(&facts.authenticators, id, step, now));
            }
            Ok(Judged { ruling, invitation })
        })
        .await?;
    if let (Some(showing), Some(uid)) = (shows(&answered), answered.uid) {
        let [user, service, _] = &answered.whose;
        let login = Showing {
            id,
            caller,
            user,
            uid,
            service,
            begun: answered.begun,
            later_until: answered.at.later_until,
            passed: answered.at.passed,
        };
        return match showing {
            Shows::Key => show_key(host, &login, now).await,
            Shows::Codes => give_codes(host, &login, now).await,
        };
    }
    if let (Ruling::Mail(order), Some((code, _))) = (answered.ruling, &fresh) {
        return Ok(email::answer(host, (id, caller), &answered, order, code, now).await);
    }
    Ok(tell(host, id, &answered, now))
}

/// By how many seconds an authenticator was ahead, beyond what is known of it, when its code of this step
/// was right. Steps are as fine as it gets.
fn ahead(authenticators: &[Authenticator], id: i64, step: i64, now: Moment) -> i64 {
    let Some(app) = authenticators.iter().find(|app| app.id == id) else { return 0 };
    let period = i64::from(app.period);
    (step - (now.wall + app.drift).div_euclid(period)) * period
}

/// What must be made before the person can be asked on.
enum Shows {
    Key,
    Codes,
}

fn shows(done: &Answered) -> Option<Shows> {
    match (done.ruling, done.next?) {
        (Ruling::Enrolling(Move::SetUp | Move::TryInvitation), Asking::FirstCode) => Some(Shows::Key),
        (Ruling::Enrolling(Move::Proven { .. }), Asking::ReadBack) => Some(Shows::Codes),
        _ => None,
    }
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

fn open_facts(
    keys: &Keys,
    config: &Config,
    typed: &Typed,
    id: LoginId,
    login: &OpenLogin,
    row: &AnswerRow,
) -> Result<Facts, Error> {
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
        at: login.at,
        pending: row
            .pending
            .as_ref()
            .map(|p| open_pending(keys, config, id, login, p))
            .transpose()?
            .flatten(),
        shown: row.pending.as_ref().is_some_and(|p| p.has_codes),
        read_back: row.pending.as_ref().is_some_and(|p| p.read_back),
        scratch: match_scratch(keys, typed, login, &row.scratch),
        email: row.email.as_ref().map(|email| email.way.clone()),
        barred: row.barred,
    })
}

/// The authenticator that a login has shown, while its first code is asked for.
fn open_pending(
    keys: &Keys,
    config: &Config,
    id: LoginId,
    login: &OpenLogin,
    pending: &Pending,
) -> Result<Option<Authenticator>, Error> {
    let (Some(uid), Asking::FirstCode) = (login.uid, login.at.asking) else { return Ok(None) };
    Ok(Some(Authenticator {
        id: 0,
        secret: keys.open(&pending_row(uid, &id.stored()), &pending.secret)?,
        digits: pending.digits,
        period: pending.period,
        skew: config.totp.skew,
        last_step: -1,
        drift: 0,
    }))
}

fn match_scratch(keys: &Keys, typed: &Typed, login: &OpenLogin, stored: &[StoredScratch]) -> RecoveryMatch {
    let (Typed::Digits(code), Some(uid)) = (typed, login.uid) else { return RecoveryMatch::Wrong };
    let mut found = RecoveryMatch::Wrong;
    for one in stored {
        let hash = scratch_hash(keys, uid, &one.salt, code.as_bytes());
        if bool::from(hash.ct_eq(one.hash.as_slice())) {
            found = if one.used { RecoveryMatch::Used } else { RecoveryMatch::Fresh(one.id) };
        }
    }
    found
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
