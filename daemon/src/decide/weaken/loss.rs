//! What one kind of login loses between two policies, and what everybody loses between two texts.

use super::super::policy::{Terms, strictness};
use countersign_config::{AddressSource, Config, Deadline, Enroll, Factor, Policy, Status, Throttle};

/// What the tables beside the policies would protect less, in sentences.
pub(super) fn of_tables(old: &Config, new: &Config) -> Vec<String> {
    let mut found = Vec::new();
    let mut grows = |is: bool, sentence: String| {
        if is {
            found.push(sentence);
        }
    };
    let (was, is) = (old.totp, new.totp);
    grows(
        is.skew > was.skew,
        format!("totp.skew grows from {} to {}: codes are accepted for longer", was.skew, is.skew),
    );
    grows(
        is.period > was.period,
        format!("totp.period grows from {} to {}: new codes are accepted for longer", was.period, is.period),
    );
    grows(
        is.digits < was.digits,
        format!("totp.digits falls from {} to {}: new codes are easier to guess", was.digits, is.digits),
    );
    grows(
        old.throttle == Throttle::Pci && new.throttle != Throttle::Pci,
        "throttle.profile is no longer pci: more wrong codes are allowed".into(),
    );
    grows(
        new.reset.approvals < old.reset.approvals,
        format!(
            "reset.approvals falls from {} to {}: fewer people must agree to a reset",
            old.reset.approvals, new.reset.approvals
        ),
    );
    grows(
        new.recovery.viewable && !old.recovery.viewable,
        "recovery.viewable is switched on: unused recovery codes can be looked at again".into(),
    );
    if new.policies.iter().any(|policy| policy.factors.contains(&Factor::Email)) {
        let (was, is) = (&old.email, &new.email);
        grows(
            is.length < was.length,
            format!("email.length falls from {} to {}: codes are easier to guess", was.length, is.length),
        );
        grows(
            is.valid_for > was.valid_for,
            format!(
                "email.valid_for grows from {} s to {} s: codes are accepted for longer",
                was.valid_for.as_secs(),
                is.valid_for.as_secs()
            ),
        );
        grows(
            is.addresses != was.addresses,
            format!(
                "email.addresses is {} instead of {}: codes may go to other addresses",
                sources(&is.addresses),
                sources(&was.addresses)
            ),
        );
    }
    found
}

fn sources(list: &[AddressSource]) -> String {
    let word = |source: &AddressSource| match source {
        AddressSource::Set => "set",
        AddressSource::Pattern => "pattern",
        AddressSource::Record => "record",
    };
    list.iter().map(word).collect::<Vec<_>>().join(", ")
}

/// A policy that decided, and whether that was certain.
type Decided<'a> = Option<(&'a Policy, bool)>;

/// What is lost between two deciding policies, in words.
pub(super) fn between(before: Decided<'_>, after: Decided<'_>) -> Vec<String> {
    // Report and off ask nobody.
    let asks = |decided: Decided<'_>| decided.map_or(0, |(p, _)| strictness(p).saturating_sub(1));
    let (was, is) = (asks(before), asks(after));
    let by = after.map_or("no policy applies".to_owned(), |(p, _)| {
        let does = match p.status {
            Status::Enforce => "decides",
            Status::Report => "only reports",
            Status::Off => "is off",
        };
        format!("policy \"{}\" {does}", p.name)
    });
    if is < was {
        let old = before.map(|(p, _)| p.name.as_str()).unwrap_or_default();
        let whom = if is == 0 { "nobody" } else { "only people who have a factor" };
        return vec![format!("policy \"{old}\" asked them, and {whom} would be asked any more ({by})")];
    }
    let (Some((old, old_sure)), Some((new, new_sure))) = (before, after) else { return Vec::new() };
    if was == 0 {
        return Vec::new();
    }
    let (old_terms, new_terms) = (Terms::of(old, old_sure), Terms::of(new, new_sure));
    let mut found = of_factors(&old_terms, &new_terms, is == 1);
    if new_terms.remember > old_terms.remember {
        found.push(format!(
            "a source would be remembered for {} s instead of {} s",
            new_terms.remember.as_secs(),
            old_terms.remember.as_secs()
        ));
    }
    let by_mail = |terms: &Terms| terms.factors.contains(&Factor::Email);
    if by_mail(&old_terms) && by_mail(&new_terms) && old.address != new.address {
        found.push("codes by e-mail may go to other addresses".into());
    }
    // Where only people with a factor were asked, the others were not held up by anything below.
    if was == is {
        found.extend(of_enrolling(&old_terms, &new_terms));
    }
    if was == 2 {
        found.extend(of_deadline(old_terms.deadline, new_terms.deadline));
    }
    if let Some(last) = found.last_mut() {
        last.push_str(&format!(" ({by})"));
    }
    found
}

/// A factor more is one more thing to steal. One less leaves people without any, and what then holds
/// for them may be less than a code.
fn of_factors(old: &Terms, new: &Terms, only_enrolled: bool) -> Vec<String> {
    let mut found = Vec::new();
    let has = |terms: &Terms, factor| terms.factors.contains(&factor);
    if has(new, Factor::Email) && !has(old, Factor::Email) {
        found.push("codes by e-mail, the weaker factor, would count".into());
    }
    let left = if only_enrolled {
        "would not be asked any more"
    } else if new.deadline.is_some() {
        "could put the second factor off"
    } else if new.enroll == Enroll::AtLogin {
        "could enroll another one with the first factor alone"
    } else {
        return found;
    };
    for (factor, word) in [(Factor::Totp, "an authenticator app"), (Factor::Email, "e-mail")] {
        if has(old, factor) && !has(new, factor) {
            found.push(format!("people whose only factor is {word} {left}"));
        }
    }
    found
}

fn of_enrolling(old: &Terms, new: &Terms) -> Option<String> {
    // Only a policy that names people lets system accounts enroll in a login.
    let ease = |terms: &Terms| match terms.enroll {
        Enroll::Admin => 0,
        Enroll::Invited => 1,
        Enroll::AtLogin if !terms.names_people => 2,
        Enroll::AtLogin => 3,
    };
    (ease(new) > ease(old)).then(|| {
        let how = match (new.enroll, old.enroll) {
            (Enroll::AtLogin, Enroll::AtLogin) => "system accounts could enroll in a login, too",
            (Enroll::AtLogin, _) => "people could enroll in a login, with the first factor alone",
            _ => "people could enroll by themselves, with an invitation",
        };
        how.to_owned()
    })
}

fn of_deadline(old: Option<Deadline>, new: Option<Deadline>) -> Option<String> {
    let later = match (old, new) {
        (_, None) => false,
        (None, Some(_)) => true,
        (Some(Deadline::By(old)), Some(Deadline::By(new))) => new > old,
        (Some(Deadline::Grace(old)), Some(Deadline::Grace(new))) => new > old,
        // Which of them is over first is another answer for each person.
        (Some(_), Some(_)) => true,
    };
    later.then(|| "people without a factor could put it off, or for longer".to_owned())
}
