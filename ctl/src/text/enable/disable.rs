//! The sentences of `disable`, of the way back, and of both in the system's log.

pub(crate) const DISABLE_NEEDS_YES: &str =
    "disable asks first, and nobody can be asked here. Nothing was changed.\nAdd --yes.";
pub(crate) const NOTHING_IS_ENABLED: &str = "No service has a line of ours. Nothing was changed.";

pub(crate) fn disable_question(names: &[String]) -> String {
    format!("Nobody will be asked for a code any more by: {}.\nType yes to go on: ", names.join(", "))
}

pub(crate) fn would_disable(names: &[String]) -> String {
    format!("Would be taken out of: {}. Nothing was changed.", names.join(", "))
}

pub(crate) fn disabled(names: &[String]) -> String {
    format!("Nobody is asked for a code any more by: {}.", names.join(", "))
}

pub(crate) fn not_all_disabled(failed: &[String]) -> String {
    format!("some of it is still there:\n{}\nMend that, and type the same again.", failed.join("\n"))
}

pub(crate) fn restored(path: &str) -> String {
    format!("{path} is as it was before.")
}

pub(crate) fn lines_taken(path: &str) -> String {
    format!("took our lines out of {path}, and left what others wrote.")
}

pub(crate) fn removed(path: &str) -> String {
    format!("removed {path}, which was ours.")
}

pub(crate) fn asks_through_another(service: &str) -> String {
    format!(
        "{service} asks by a file that it includes. See which:  grep -l pam_countersign /etc/pam.d/*\n\
         Disable that service, or all:  countersignctl disable --all"
    )
}

pub(crate) fn rolled_back(service: &str, at_boot: bool) -> String {
    let when = if at_boot { "before this host was restarted" } else { "in time" };
    format!(
        "countersign: enable {service} was not confirmed {when} and has been taken back.\n\
         Nobody is asked for a code there now."
    )
}

pub(crate) fn not_rolled_back(service: &str, why: &str) -> String {
    format!("enable {service} was not confirmed, and could not be taken back:\n{why}")
}

pub(crate) fn journal_enabled(service: &str, seconds: u64, forced: &[String]) -> String {
    let forced = match forced {
        [] => String::new(),
        problems => format!(", by force in spite of: {}", problems.join("; ").replace('\n', " ")),
    };
    format!("enable {service}, taken back in {seconds} s unless confirmed{forced}")
}

pub(crate) fn journal_disabled(service: &str, reason: Option<&str>) -> String {
    format!("disable {service}{}", reason.map(|reason| format!(": {reason}")).unwrap_or_default())
}

/// How a service was and is, for the record of acts.
pub(crate) fn act_off(service: &str) -> String {
    format!("{service} does not ask")
}

pub(crate) fn act_partly_off(service: &str, failed: &[String]) -> String {
    format!("{service} may still ask: {}", failed.join("; "))
}

pub(crate) fn act_on(service: &str) -> String {
    format!("{service} asks")
}

pub(crate) fn act_on_waiting(service: &str) -> String {
    format!("{service} asks, not confirmed")
}

pub(crate) fn act_on_until(service: &str, seconds: u64, forced: &[String]) -> String {
    let forced = match forced {
        [] => String::new(),
        problems => format!(", by force in spite of: {}", problems.join("; ")),
    };
    format!("{service} asks, for {seconds} s unless confirmed{forced}")
}

pub(crate) const NOBODY_CONFIRMED: &str = "nobody confirmed it";
