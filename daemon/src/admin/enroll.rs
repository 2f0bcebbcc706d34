//! Enrolling somebody: a fresh secret, kept only after its first code.

use super::find;
use crate::decide::recovery::{Code, LENGTH, SALT_BYTES};
use crate::decide::totp::{self, Authenticator, Match, SECRET_BYTES};
use crate::error::Error;
use crate::host::Host;
use crate::journal;
use crate::seal::{enrollment_row, token_hash, totp_row};
use crate::store::{NewAuthenticator, NewCodes, PendingEnrollment};
use crate::{decide, random};
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

/// Begins to enroll a person.
///
/// # Errors
/// `NotFound` for nobody, `InvalidArgument` for someone who has a factor, `Unavailable` when the
/// store cannot be written.
pub async fn begin_enrollment(host: &Host, user: &str) -> Result<Enrollment, Error> {
    let now = host.clock.now()?;
    let uid = find(host, user).await?;
    let force = host.in_force();
    let rules = force.config.totp;
    let person = force.directory.person(user).await;
    let secret = Zeroizing::new(random::bytes::<SECRET_BYTES>()?);
    let token: [u8; 16] = random::bytes()?;
    let sealed = host.keys.seal(&enrollment_row(uid), secret.as_slice())?;
    host.store
        .begin_enrollment(
            PendingEnrollment {
                uid,
                name: user.to_owned(),
                secret: sealed,
                digits: rules.digits,
                period: rules.period,
            },
            token_hash(&token),
            now,
        )
        .await?;
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

/// Confirms an enrollment by its first code and gives the recovery codes, this once.
///
/// # Errors
/// `InvalidArgument` for a wrong code, `NotFound` or `Expired` for an enrollment that is no more.
pub async fn confirm_enrollment(
    host: &Host,
    id: &str,
    code: &Zeroizing<Vec<u8>>,
) -> Result<Vec<Zeroizing<String>>, Error> {
    let now = host.clock.now()?;
    let force = host.in_force();
    let skew = force.config.totp.skew;
    let token = token_hash(&parse_id(id)?);
    let digits: Zeroizing<String> = Zeroizing::new(
        String::from_utf8_lossy(code).chars().filter(|c| !c.is_whitespace()).take(16).collect(),
    );
    let salt: [u8; SALT_BYTES] = random::bytes()?;
    let mut codes = Vec::new();
    for _ in 0..force.config.recovery.codes {
        codes.push(Code::from_random(&random::bytes::<LENGTH>()?));
    }
    let shown: Vec<_> = codes.iter().map(Code::show).collect();
    let hashes: Option<Vec<_>> = host.hashing(move || codes.iter().map(|c| c.hash(&salt)).collect()).await?;
    let hashes = hashes.ok_or_else(|| Error::unavailable("recovery codes cannot be hashed"))?;
    let keys = Arc::clone(&host.keys);
    let kept = host
        .store
        .confirm_enrollment(token, now, move |pending| {
            let secret = keys.open(&enrollment_row(pending.uid), &pending.secret)?;
            let sealed = keys.seal(&totp_row(pending.uid), &secret)?;
            let app = Authenticator {
                id: 0,
                secret,
                digits: pending.digits,
                period: pending.period,
                skew,
                last_step: -1,
                drift: 0,
            };
            Ok(match app.check(&digits, now.wall) {
                Match::Fresh { step } => Some(NewAuthenticator {
                    label: "app".into(),
                    secret: sealed,
                    digits: pending.digits,
                    period: pending.period,
                    step,
                    codes: Some(NewCodes { salt, hashes, sealed: None }),
                }),
                Match::Reused { .. } | Match::Wrong => None,
            })
        })
        .await?;
    let Some(name) = kept else {
        return Err(Error::InvalidArgument(
            "that code is not right; check that the phone's clock is set automatically and type the code shown now"
                .into(),
        ));
    };
    journal::notice("somebody was enrolled", &[("user", &name), ("by", "uid 0")]);
    Ok(shown)
}

/// Throws an enrollment away.
///
/// # Errors
/// When the store cannot be written, or the id is no id.
pub async fn cancel_enrollment(host: &Host, id: &str) -> Result<(), Error> {
    host.store.cancel_enrollment(token_hash(&parse_id(id)?)).await
}

fn parse_id(id: &str) -> Result<[u8; 16], Error> {
    random::unhex(id).ok_or_else(|| Error::NotFound("no such enrollment; start again".into()))
}
