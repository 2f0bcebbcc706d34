//! Showing a key in a login, and the recovery codes that go with it.

use super::tell::{later, question};
use super::{LoginId, Step};
use crate::admin::generate_codes;
use crate::clock::{Moment, Stamp};
use crate::decide::enrolling::Asking;
use crate::decide::totp::{self, SECRET_BYTES};
use crate::error::Error;
use crate::host::Host;
use crate::seal::{pending_row, totp_row};
use crate::store::{NewPending, Proven};
use crate::text::enrolling::{KeyCard, key, recovery_codes};
use crate::{decide, people, qr, random};
use countersign_config::Totp;
use zeroize::Zeroizing;

/// A login that is about to show something.
pub(super) struct Showing<'a> {
    pub(super) id: LoginId,
    pub(super) caller: u32,
    pub(super) user: &'a str,
    pub(super) uid: u32,
    pub(super) service: &'a str,
    pub(super) begun: Stamp,
    pub(super) later_until: Option<i64>,
    /// A recovery code has let the person pass already.
    pub(super) passed: bool,
}

/// Makes a fresh key, keeps it for this login alone, and shows it.
///
/// # Errors
/// When there is no randomness, or the login is over or cannot be written.
pub(super) async fn show_key(host: &Host, login: &Showing<'_>, now: Moment) -> Result<Step, Error> {
    let force = host.in_force();
    let Totp { digits, period, .. } = force.config.totp;
    let person = force.directory.person(login.user).await;
    let issuer = decide::policy::label(&force.config, &person);
    let account = people::account(login.user);
    let secret = Zeroizing::new(random::bytes::<SECRET_BYTES>()?);
    let sealed = host.keys.seal(&pending_row(login.uid, &login.id.stored()), secret.as_slice())?;
    let new = NewPending { secret: sealed, digits, period };
    host.store.begin_pending(login.id.stored(), login.caller, new, now).await?;
    let secret = totp::base32(secret.as_slice());
    let drawing = qr::draw(&totp::uri(&issuer, &account, &secret, digits, period), force.config.qr);
    let card = KeyCard {
        drawing: drawing.as_ref().map(|d| d.as_str()),
        key: &secret,
        issuer: &issuer,
        account: &account,
        unusual: ((digits, period) != (6, 30)).then_some((digits, period)),
        later: later(login.later_until, now),
        optional: login.passed,
    };
    Ok(question(login.id, Asking::FirstCode, 0, vec![key(&card)], login.service, login.begun, now))
}

/// Makes the recovery codes of a person whose first code was right, shows them, and asks one back.
///
/// # Errors
/// When there is no randomness, or the login is over or cannot be written.
pub(super) async fn give_codes(host: &Host, login: &Showing<'_>, now: Moment) -> Result<Step, Error> {
    let token = login.id.stored();
    let secret = host.store.proven_secret(token, login.caller, now).await?;
    let secret = host.keys.open(&pending_row(login.uid, &token), &secret)?;
    let secret = host.keys.seal(&totp_row(login.uid), &secret)?;
    let (shown, codes) = generate_codes(host, login.uid).await?;
    let asked = u32::from_le_bytes(random::bytes()?) % u32::try_from(shown.len().max(1)).unwrap_or(1);
    host.store.prove_pending(token, login.caller, Proven { secret, codes, asked }, now).await?;
    let messages = vec![recovery_codes(&shown, asked)];
    Ok(question(login.id, Asking::ReadBack, asked, messages, login.service, login.begun, now))
}
