//! What the policies say of a person wherever they log in: by the first one that may be theirs.

use super::applies::matches_person;
use super::terms::mail;
use super::{Mail, Person, Tri, strictness};
use countersign_config::{AddressPattern, Config, Enroll, Factor, Status};

/// How this person comes to a first factor from a shell of theirs: by their first policy that is not
/// off. Where that cannot be known, only with an administrator; without a policy, by invitation.
#[must_use]
pub fn enroll(config: &Config, person: &Person) -> Enroll {
    config
        .policies
        .iter()
        .filter(|p| p.status != Status::Off)
        .map(|p| (p, matches_person(p, person)))
        .find(|(_, matches)| *matches != Tri::No)
        .map_or(Enroll::Invited, |(p, matches)| if matches == Tri::Yes { p.enroll } else { Enroll::Admin })
}

/// How an address is made of this person's name: by the first policy that may be theirs and says so.
#[must_use]
pub fn address_pattern<'a>(config: &'a Config, person: &Person) -> Option<&'a AddressPattern> {
    config
        .policies
        .iter()
        .filter(|p| p.status != Status::Off && matches_person(p, person) != Tri::No)
        .find_map(|p| p.address.as_ref())
}

/// Whether some policy, for some service or place, asks a second factor of everybody like this person,
/// or may.
#[must_use]
pub fn is_required_somewhere(config: &Config, person: &Person) -> bool {
    config.policies.iter().any(|p| strictness(p) == 3 && matches_person(p, person) != Tri::No)
}

/// The label shown in the authenticator app for this person: their first policy's, else the issuer.
#[must_use]
pub fn label(config: &Config, person: &Person) -> String {
    config
        .policies
        .iter()
        .find(|p| p.status != Status::Off && matches_person(p, person) != Tri::No)
        .and_then(|p| p.label.clone())
        .unwrap_or_else(|| config.issuer.clone())
}

/// The account that mails this person notices: that of their first policy that names one, else the first
/// there is.
#[must_use]
pub fn mailbox<'a>(config: &'a Config, person: &Person) -> Option<&'a str> {
    let theirs =
        config.policies.iter().filter(|p| p.status != Status::Off && matches_person(p, person) != Tri::No);
    let named = theirs.filter_map(|p| p.mailbox.as_deref()).next();
    named.or_else(|| config.mailboxes.first().map(|mailbox| mailbox.name.as_str()))
}

/// How codes are mailed to this person by the first policy that may be theirs and lists e-mail, for
/// whatever service, and whether it certainly is theirs.
#[must_use]
pub fn mail_somewhere(config: &Config, person: &Person) -> Option<(Mail, bool)> {
    config
        .policies
        .iter()
        .filter(|p| p.status != Status::Off)
        .map(|p| (p, matches_person(p, person)))
        .find(|(p, matches)| *matches != Tri::No && p.factors.contains(&Factor::Email))
        .and_then(|(p, matches)| Some((mail(p)?, matches == Tri::Yes)))
}
