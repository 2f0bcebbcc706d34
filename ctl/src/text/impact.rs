//! The sentences of `policy impact`.

pub(crate) fn replayed(logins: u64, people: u32, since: &str) -> String {
    let logins = if logins == 1 { "1 login".to_owned() } else { format!("{logins} logins") };
    let people = if people == 1 { "1 person".to_owned() } else { format!("{people} people") };
    format!("Tried on {logins} since {since}, and on {people}.")
}

pub(crate) fn same_draft(hash: &str) -> String {
    format!("The draft is what is in force already (hash {hash}).")
}

pub(crate) fn drafted(draft: &str, in_force: &str) -> String {
    format!("The draft (hash {draft}) against the policy in force (hash {in_force}).")
}

pub(crate) fn left_out(note: &str) -> String {
    format!("note: {note}")
}

/// A word of the daemon as a cell; a newer daemon's as it is.
pub(crate) fn effect(word: &str) -> &str {
    match word {
        "not-asked" => "not asked",
        "later" => "may say later",
        "enrolls" => "enrolls",
        "locked-out" => "LOCKED OUT",
        other => other,
    }
}

pub(crate) const NOT_SURE: &str = " (not certain)";
pub(crate) const DID_NOT_LOG_IN: &str = "none";

fn people(count: usize) -> String {
    if count == 1 { "1 person".to_owned() } else { format!("{count} people") }
}

pub(crate) fn would_be_locked_out(count: usize) -> String {
    format!(
        "{} would be LOCKED OUT: asked, without a factor, and no way to one in the login.\n\
         Before you apply it:  countersignctl enroll USER",
        people(count)
    )
}

pub(crate) fn still_locked_out(count: usize) -> String {
    format!("{} stay locked out, as by the policy in force.", people(count))
}

pub(crate) fn newly_asked(count: usize) -> String {
    format!("{} would be asked who are not asked now.", people(count))
}

pub(crate) fn without_a_factor(count: usize) -> String {
    format!("{} of them have no factor, and would enroll in the login or say later.", people(count))
}

pub(crate) fn no_longer_asked(count: usize) -> String {
    format!("{} would no longer be asked.", people(count))
}

pub(crate) const NO_IMPACT: &str = "Nobody would notice: for everyone who was looked at, nothing changes.";

pub(crate) fn cannot_send_draft(error: &str) -> String {
    format!("the draft cannot be handed to countersignd ({error}).\nSee:  ulimit -a; free -m")
}
