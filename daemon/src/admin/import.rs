//! Taking over an authenticator of another program, so that nobody scans anew.

use super::Target;
use crate::clock::Moment;
use crate::decide::strength::{self, LEAST_BITS};
use crate::error::Error;
use crate::host::Host;
use crate::seal::{scratch_hash, totp_row};
use crate::store::{ImportRow, Imported, NewAuthenticator};
use crate::{journal, random};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Longest secret that is taken, in bytes: the block of HMAC-SHA-1, beyond which keys are hashed.
const LONGEST_SECRET: usize = 64;
/// Longest label, in characters.
const LONGEST_LABEL: usize = 40;
/// Scratch codes that are taken at most; google-authenticator makes no more.
const MOST_SCRATCH: usize = 10;
/// Seconds that an imported authenticator's clock may be off, either way.
const MOST_DRIFT: i64 = 60 * 60;
/// Steps that may have been used ahead of the present one: the widest window of the other programs.
const MOST_AHEAD: i64 = 20;

/// An authenticator as another program kept it. Cannot be printed.
pub struct Foreign {
    /// The name it gets among the person's authenticators.
    pub label: String,
    /// The shared secret.
    pub secret: Zeroizing<Vec<u8>>,
    /// Digits of a code.
    pub digits: u8,
    /// Seconds of a step.
    pub period: u32,
    /// The highest step that is known to be used, by the authenticator's clock; -1 is none.
    pub used: i64,
    /// Seconds that the authenticator's clock is ahead of this host's.
    pub drift: i64,
    /// One-use codes of eight digits.
    pub scratch: Vec<Zeroizing<Vec<u8>>>,
    /// Whether it is taken even where the person has an authenticator already.
    pub add: bool,
}

/// Takes an authenticator over; `dry_run` says what would come of it and changes nothing.
///
/// # Errors
/// `InvalidArgument` for what cannot be kept safely, `Unavailable` when the
/// store cannot be read or written.
pub async fn import_factor(
    host: &Host,
    whom: &Target,
    foreign: Foreign,
    dry_run: bool,
) -> Result<Imported, Error> {
    let now = host.clock.now()?;
    refuse_unfit(&foreign, now)?;
    let uid = whom.uid;
    let keys = Arc::clone(&host.keys);
    let salt: [u8; 16] = random::bytes()?;
    let row = ImportRow {
        uid,
        name: whom.name.clone(),
        authenticator: NewAuthenticator {
            label: foreign.label,
            secret: keys.seal(&totp_row(uid), &foreign.secret)?,
            digits: foreign.digits,
            period: foreign.period,
            step: foreign.used,
            codes: None,
        },
        drift: foreign.drift,
        add: foreign.add,
        salt,
        scratch: foreign.scratch.iter().map(|code| scratch_hash(&keys, uid, &salt, code)).collect(),
    };
    let secret = foreign.secret;
    let done = host
        .store
        .import(row, dry_run, now, move |uid, sealed| {
            // What does not open lets nobody in, so it is nobody's double.
            keys.open(&totp_row(uid), sealed).is_ok_and(|kept| bool::from(kept.ct_eq(&secret)))
        })
        .await?;
    if let (Imported::New { .. }, false) = (done, dry_run) {
        journal::notice("an authenticator was imported", &[("user", &whom.name), ("by", "uid 0")]);
    }
    Ok(done)
}

fn refuse_unfit(foreign: &Foreign, now: Moment) -> Result<(), Error> {
    let refuse = |why: String| Err(Error::InvalidArgument(why));
    let bits = strength::bits(&foreign.secret);
    if bits < LEAST_BITS {
        return refuse(format!(
            "the secret is too weak: {bits} bits, and {LEAST_BITS} are the least; it must be enrolled anew"
        ));
    }
    if foreign.secret.len() > LONGEST_SECRET {
        return refuse(format!("the secret is longer than {LONGEST_SECRET} bytes"));
    }
    if !matches!(foreign.digits, 6 | 8) {
        return refuse(format!("its codes have {} digits, and 6 or 8 are supported", foreign.digits));
    }
    if !matches!(foreign.period, 30 | 60) {
        return refuse(format!("its codes change every {} s, and 30 or 60 are supported", foreign.period));
    }
    if foreign.drift.abs() > MOST_DRIFT {
        return refuse("its clock is off by more than an hour; it must be set and enrolled anew".into());
    }
    let step = now.wall.saturating_add(foreign.drift) / i64::from(foreign.period);
    if foreign.used > step.saturating_add(MOST_AHEAD) {
        return refuse("codes of the future are noted as used; compare the clocks (date -u)".into());
    }
    let label = &foreign.label;
    if label.is_empty() || label.chars().count() > LONGEST_LABEL || label.chars().any(journal::is_unsafe) {
        return refuse(format!("its name is not one line of 1 to {LONGEST_LABEL} characters"));
    }
    let is_code = |code: &[u8]| code.len() == 8 && code.iter().all(u8::is_ascii_digit);
    if foreign.scratch.len() > MOST_SCRATCH || !foreign.scratch.iter().all(|code| is_code(code)) {
        return refuse(format!("scratch codes are at most {MOST_SCRATCH}, of eight digits each"));
    }
    Ok(())
}
