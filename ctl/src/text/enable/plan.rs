//! What stands against a plan: in a PAM stack, and among the people it would ask.

pub(crate) fn no_such_service(service: &str, known: &[String]) -> String {
    format!(
        "this host has no PAM service {service}: there is no /etc/pam.d/{service}.\nServices here:  {}",
        known.join(" ")
    )
}

pub(crate) fn no_service_of_its_own(service: &str) -> String {
    format!(
        "{service} is no service: other services include it. Name those, or all of\n\
         them:  countersignctl enable --all"
    )
}

pub(crate) fn half_there(service: &str, file: &str, line: usize) -> String {
    format!(
        "{service} has a line of ours already ({file}:{line}), but not as asked for now.\n\
         Take it out first:  countersignctl disable {service}"
    )
}

pub(crate) fn only_other(service: &str, phase: &str) -> String {
    format!(
        "{service} has no {phase} lines of its own (those of \"other\" stand in), and one line\n\
         of ours would replace them all. Give it some first, such as  @include common-{phase}"
    )
}

pub(crate) fn no_password_line(service: &str) -> String {
    format!(
        "{service} asks for no password that is known here, so there is no place for a code\n\
         behind it. Add the lines by hand; see pam_countersign(8)."
    )
}

pub(crate) fn several_passwords(service: &str) -> String {
    format!("{service} asks for passwords in several lines; --after-key replaces one. Do it by hand.")
}

pub(crate) fn fault(fault: &str) -> String {
    format!("the stack is broken before any change: {fault}")
}

pub(crate) fn not_after_first_factor(service: &str) -> String {
    format!(
        "in {service} a wrong password does not end the login before the code is asked. So\n\
         everybody gets one neutral prompt: no hints, no e-mail, and nobody can enroll in it"
    )
}

pub(crate) fn substack_instead(service: &str) -> String {
    format!(
        "a right password would end {service}'s stack before our line; so its \"include\"\n\
         becomes \"substack\", which ends by itself only. disable puts it back"
    )
}

pub(crate) fn skips_ours(service: &str, place: &str) -> String {
    format!("a right password lets people in to {service} without a code, at {place}")
}

pub(crate) fn jump_passes_over(service: &str) -> String {
    format!("a jump in the stack of {service} would pass over our line, and land on another one than now")
}

pub(crate) fn lets_in_alone(service: &str, place: &str) -> String {
    format!("{place} lets some people in to {service} by itself, without password and code")
}

pub(crate) fn in_spite(service: &str, place: &str) -> String {
    format!("{service} would let people in although the code was wrong, at {place}")
}

pub(crate) fn too_intricate(service: &str) -> String {
    format!("the stack of {service} is too intricate to be sure of every way through it")
}

pub(crate) fn nobody_gets_in(service: &str) -> String {
    format!("nobody could log in to {service}: no way through its stack ends well with our line")
}

pub(crate) fn account_skipped(service: &str) -> String {
    format!(
        "some logins to {service} would not reach our account line: keys are not checked\n\
         there, and enrollments in a login do not hold"
    )
}

pub(crate) fn asks_twice(service: &str, changed: &str) -> String {
    format!("{service} would ask twice: it includes {changed} and has a line of its own. Disable it first")
}

pub(crate) const BROKEN_POLICY: &str = "the policy file is broken or not in force, so what is tried now is not what will\n\
    hold. See:  countersignctl policy apply --dry-run";
pub(crate) const CONSOLE_ASKS: &str = "the console (login) asks, too. If the daemon ever fails, the way in is the rescue\n\
    shell and root's password: boot with  systemd.unit=rescue.target";
pub(crate) const LAST_WAY_IN: &str = "the console (login) would ask, and root has no password for the rescue shell: if\n\
    the daemon failed, nobody could get in. Give root a password:  passwd root";

pub(crate) fn nobody_asked(service: &str) -> String {
    format!(
        "policy asks nobody at {service}, so nobody could confirm the change.\n\
         See:  countersignctl policy explain NAME --service {service}"
    )
}

pub(crate) fn nobody_could(service: &str, names: &[String], after_key: bool) -> String {
    let lack = if after_key { "a key, and a factor" } else { "a password, and a factor or a way to get one" };
    format!(
        "nobody could log in to {service} who can administer this host, nor anybody who is\n\
         enrolled (looked at: {}). Somebody needs {lack}:\n\
         countersignctl enroll NAME",
        some(names)
    )
}

pub(crate) fn administrators_out(service: &str, names: &[String], after_key: bool) -> String {
    let lack = if after_key { "a key, and a factor" } else { "a password, and a factor" };
    let ssh = match service {
        "sshd" if after_key => "\nRoot needs PermitRootLogin yes, too",
        "sshd" => "\nFor keys without passwords there is --after-key; root needs PermitRootLogin yes",
        _ => "",
    };
    format!(
        "nobody who administers this host could log in to {service} any more. These can now:\n\
         {}. One of them needs {lack}:\n\
         countersignctl enroll NAME{ssh}",
        some(names)
    )
}

pub(crate) fn keys_alone(names: &[String], after_key: bool) -> String {
    let why = if after_key {
        "PermitRootLogin keeps root from typing anything"
    } else {
        "there is no password to type behind the key, or\nPermitRootLogin keeps root from it"
    };
    format!("these come by key alone, and cannot log in to sshd any more: {}\n({why})", some(names))
}

pub(crate) fn nobody_could_confirm(service: &str) -> String {
    format!(
        "of the people known here policy asks none at {service}, so nobody could confirm the\n\
         change. See:  countersignctl users"
    )
}

pub(crate) fn locked_out(service: &str, names: &[String]) -> String {
    format!("asked at {service} and without a factor, so locked out there: {}", some(names))
}

fn some(names: &[String]) -> String {
    match names.len() {
        0..=8 => names.join(", "),
        many => format!("{}, and {} more", names[..8].join(", "), many - 8),
    }
}

pub(crate) fn still_waits(service: &str, left: Option<u64>) -> String {
    let name = if service.starts_with('@') { "--all" } else { service };
    let left = match left {
        Some(left) => {
            format!("taken back in {}", crate::time::duration(i64::try_from(left).unwrap_or(i64::MAX)))
        }
        None => "overdue, and being taken back".to_owned(),
    };
    format!(
        "enable {name} still waits to be confirmed ({left}), and only then can\n\
         more of it be changed. Nothing was changed. Confirm it, or take it back first:\n\
         countersignctl confirm\n\
         countersignctl disable {name}"
    )
}
