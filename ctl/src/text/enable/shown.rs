//! What `enable` shows of what it does: notes, problems, and how to confirm it.

use super::EVERY_SERVICE;

pub(crate) fn already(service: &str, place: &str) -> String {
    format!("{service} asks already (by {place}).")
}

pub(crate) fn also_asks(service: &str, also: &[String]) -> String {
    let ask = if also.len() == 1 { "asks" } else { "ask" };
    format!("note: {} {ask} from then on, too, by including {service}.", also.join(", "))
}

pub(crate) fn note(note: &str) -> String {
    format!("note: {}.", note.replace('\n', "\n      "))
}

pub(crate) fn problem(problem: &str) -> String {
    format!("PROBLEM: {}.", problem.replace('\n', "\n         "))
}

pub(crate) fn tested(services: &[String]) -> String {
    format!(
        "Tried without changing anything: {}. Nobody gets in without a code, and\n\
         countersignd answers.",
        services.join(", ")
    )
}

pub(crate) fn force_question(problems: &[String]) -> String {
    let list: Vec<String> = problems.iter().map(|one| format!("  {}\n", one.replace('\n', "\n  "))).collect();
    format!("\n--force does it in spite of this:\n{}Type yes to go on: ", list.concat())
}

pub(crate) fn not_done(service: &str, why: &str) -> String {
    format!("{service} was not enabled, and all is as it was:\n{why}")
}

pub(crate) fn not_armed(why: &str) -> String {
    format!(
        "the way back could not be armed ({why}), and without one nothing is changed.\n\
         With --force it is done without: keep a root shell open"
    )
}

pub(crate) fn enabled(services: &[String], seconds: u64) -> String {
    let asks = match services {
        [one] if one != EVERY_SERVICE => format!("{one} asks"),
        [_] => "Every service asks".to_owned(),
        many => format!("{} ask", many.join(", ")),
    };
    format!(
        "\n{asks} for a code now. This is taken back in {} unless confirmed.\n\
         Keep this session open, and log in with a code from another terminal:",
        crate::time::duration(i64::try_from(seconds).unwrap_or(i64::MAX))
    )
}

pub(crate) fn how_to_confirm(service: &str) -> String {
    match service {
        "sshd" => "    ssh NAME@this-host".to_owned(),
        "sudo" => "    sudo -k id           (as NAME)".to_owned(),
        "sudo-i" => "    sudo -k -i id        (as NAME)".to_owned(),
        "su" => "    su NAME -c id        (not as root)".to_owned(),
        "su-l" => "    su - NAME -c id      (not as root)".to_owned(),
        "login" => "    NAME at the console".to_owned(),
        other => format!("    a login to {other}"),
    }
}

pub(crate) fn then_confirm(until: i64) -> String {
    format!(
        "and then, before {}:\n    countersignctl confirm\n\
         To take it back at once:  countersignctl disable --all",
        crate::time::utc(until)
    )
}
