//! Enrolling somebody: a fresh secret, kept only after its first code.

use super::{Acting, Target, needs_proof, recovery};
use crate::clock::Moment;
use crate::decide::invitation::Invitation;
use crate::decide::policy::Person;
use crate::decide::totp::{self, Authenticator, Match, SECRET_BYTES};
use crate::error::Error;
use crate::host::Host;
use crate::in_force::InForce;
use crate::journal;
use crate::mail::addresses;
use crate::seal::{Keys, enrollment_row, token_hash, totp_row};
use crate::store::{Begun, NewAuthenticator, PendingEnrollment, Right};
use crate::{decide, random};
use countersign_config::Enroll;
use std::sync::Arc;
use zeroize::Zeroizing;

/// What the person scans or types into their app. Cannot be printed by accident.
pub struct Enrollment {
    /// The enrollment's id, a capability.
    pub id: String,
    /// The `otpauth` URI.
    pub uri: Zeroizing<String>,
    /// The secret in base32.
    pub secret: Zeroizing<String>,
    /// The name of this place in the app.
    pub issuer: String,
    /// The name of the account in the app.
    pub account: String,
}

/// By what right a caller may enroll this person, as far as it can be said before the database looks.
///
/// # Errors
/// `NotAuthorized` with what is missing: a code of a factor they have, or an administrator;
/// `InvalidArgument` that begins with "an invitation is needed" where one would do.
pub async fn enrollment_right(
    host: &Host,
    acting: &Acting,
    whom: &Target,
    invitation: &str,
) -> Result<Right, Error> {
    if !acting.own {
        return Ok(Right::Administers);
    }
    if let Some(proof) = acting.proof {
        return Ok(Right::Has(proof));
    }
    let force = host.in_force();
    let person = force.directory.person(&whom.name).await;
    if host.store.has(whom.uid).await?.0 || has_mail(host, &force, &person, whom).await {
        return Err(needs_proof());
    }
    match decide::policy::enroll(&force.config, &person) {
        Enroll::Admin => Err(Error::NotAuthorized(
            "policy wants an administrator beside you for a first factor; ask one to run `countersignctl enroll`"
                .into(),
        )),
        Enroll::AtLogin if invitation.is_empty() => Ok(Right::Password),
        Enroll::Invited if invitation.is_empty() => Err(Error::InvalidArgument(
            "an invitation is needed for your first factor; ask an administrator to run `countersignctl invite`"
                .into(),
        )),
        // What has not the shape of one is wrong like any other, and paid for.
        Enroll::AtLogin | Enroll::Invited => Ok(Right::Invited(
            host.keys.invitation(Invitation::parse(invitation).as_ref(), whom.uid),
        )),
    }
}

/// Whether a person can be sent codes that some policy of theirs takes, or may: a factor like any other.
async fn has_mail(host: &Host, force: &InForce, person: &Person, whom: &Target) -> bool {
    decide::policy::mail_somewhere(&force.config, person).is_some()
        && addresses::all(host, force, whom.uid, &whom.name).await.any()
}

pub(super) fn wrong_invitation() -> Error {
    Error::NotAuthorized(
        "that invitation is not right, was used, or its time is over; ask for a new one".into(),
    )
}

/// Begins to enroll a person.
///
/// # Errors
/// `InvalidArgument` for a name that is taken or none, `NotAuthorized` for a right that is none, a
/// wrong invitation included, `Unavailable` when the store cannot be written.
pub async fn begin_enrollment(
    host: &Host,
    acting: &Acting,
    whom: &Target,
    label: &str,
    right: Right,
) -> Result<Enrollment, Error> {
    let now = host.clock.now()?;
    let label = super::label(label)?;
    let (uid, user) = (whom.uid, whom.name.as_str());
    let force = host.in_force();
    let rules = force.config.totp;
    let person = force.directory.person(user).await;
    let secret = Zeroizing::new(random::bytes::<SECRET_BYTES>()?);
    let token: [u8; 16] = random::bytes()?;
    let pending = PendingEnrollment {
        uid,
        name: user.to_owned(),
        label,
        caller: acting.caller,
        first: false,
        secret: host.keys.seal(&enrollment_row(uid), secret.as_slice())?,
        digits: rules.digits,
        period: rules.period,
    };
    match host.store.begin_enrollment(pending, right, token_hash(&token), now).await? {
        Begun::Waits => {}
        Begun::WrongInvitation => {
            return Err(wrong_invitation());
        }
        Begun::Locked(ms) => {
            return Err(Error::NotAuthorized(format!("too many tries, again in {} s", (ms + 999) / 1000)));
        }
    }
    let issuer = decide::policy::label(&force.config, &person);
    let account = crate::people::account(user);
    let secret = totp::base32(secret.as_slice());
    Ok(Enrollment {
        id: random::hex(&token),
        uri: totp::uri(&issuer, &account, &secret, rules.digits, rules.period),
        secret,
        issuer,
        account,
    })
}

/// Confirms an enrollment by its first code and gives the recovery codes, this once. None are given to
/// somebody who has some left: those stay good.
///
/// # Errors
/// `InvalidArgument` for a wrong code, `NotFound` or `Expired` for an enrollment that is no more.
pub async fn confirm_enrollment(
    host: &Host,
    caller: u32,
    id: &str,
    code: &Zeroizing<Vec<u8>>,
) -> Result<Vec<Zeroizing<String>>, Error> {
    let now = host.clock.now()?;
    let skew = host.in_force().config.totp.skew;
    let token = token_hash(&parse_id(id)?);
    let digits: Zeroizing<String> = Zeroizing::new(
        String::from_utf8_lossy(code).chars().filter(|c| !c.is_whitespace()).take(16).collect(),
    );
    // Nobody makes us compute ten hashes but with the right code of an enrollment that they began.
    let (pending, has_codes) = host.store.pending_enrollment(token, caller, now).await?;
    crate::act::about(pending.uid, &pending.name);
    let right = first_code(&host.keys, &pending, &digits, skew, now)?.is_some();
    let (shown, codes) = if right && !has_codes {
        let (shown, codes) = recovery::generate(host, pending.uid).await?;
        (shown, Some(codes))
    } else {
        (vec![], None)
    };
    let keys = Arc::clone(&host.keys);
    let kept = host
        .store
        .confirm_enrollment(token, caller, now, move |pending| {
            let Some((secret, step)) = first_code(&keys, pending, &digits, skew, now)? else {
                return Ok(None);
            };
            Ok(Some(NewAuthenticator {
                label: pending.label.clone(),
                secret: keys.seal(&totp_row(pending.uid), &secret)?,
                digits: pending.digits,
                period: pending.period,
                step,
                codes,
            }))
        })
        .await?;
    let Some((name, new_codes)) = kept else {
        return Err(Error::InvalidArgument(
            "that code is not right; check that the phone's clock is set automatically and type the code shown now"
                .into(),
        ));
    };
    journal::notice("somebody was enrolled", &[("user", &name), ("by", &format!("uid {caller}"))]);
    Ok(if new_codes { shown } else { vec![] })
}

/// A secret, and the step of its first code.
type First = (Zeroizing<Vec<u8>>, i64);

/// The secret of an enrollment and the step of its first code, if that is right.
fn first_code(
    keys: &Keys,
    pending: &PendingEnrollment,
    digits: &str,
    skew: u8,
    now: Moment,
) -> Result<Option<First>, Error> {
    let app = Authenticator {
        id: 0,
        secret: keys.open(&enrollment_row(pending.uid), &pending.secret)?,
        digits: pending.digits,
        period: pending.period,
        skew,
        last_step: -1,
        drift: 0,
    };
    Ok(match app.check(digits, now.wall) {
        Match::Fresh { step } => Some((app.secret, step)),
        Match::Reused { .. } | Match::Wrong => None,
    })
}

/// Throws an enrollment away.
///
/// # Errors
/// When the store cannot be written, or the id is no id.
pub async fn cancel_enrollment(host: &Host, caller: u32, id: &str) -> Result<(), Error> {
    let token = token_hash(&parse_id(id)?);
    if let Ok((pending, _)) = host.store.pending_enrollment(token, caller, host.clock.now()?).await {
        crate::act::about(pending.uid, &pending.name);
    }
    host.store.cancel_enrollment(token, caller).await
}

fn parse_id(id: &str) -> Result<[u8; 16], Error> {
    random::unhex(id).ok_or_else(|| Error::NotFound("no such enrollment; start again".into()))
}
