//! The sentences of `enable`, `confirm` and `disable`. Somebody reads them at three in the morning, over ssh.

use std::fmt::Display;

pub(crate) const NOT_ROOT: &str = "this changes files in /etc that belong to root.\nTry again with sudo.";
pub(crate) const AFTER_KEY_IS_SSHD: &str = "--after-key is a recipe for sshd alone: a key, then a code, and no password.\n\
    Type:  countersignctl enable sshd --after-key";
pub(crate) const FORCE_NEEDS_YES: &str = "--force asks first, and nobody can be asked here. Nothing was changed.\n\
    Look at what it would force with --dry-run, then add --yes.";
pub(crate) const NOTHING_CHANGED: &str = "nothing was changed.";
pub(crate) const REFUSED: &str = "nothing was changed, because of the problems above. Mend them, or, knowing\n\
    them, do it in spite of them:  --force";
pub(crate) const EVERY_SERVICE: &str = "every service";
pub(crate) const NOTHING_TO_CHANGE: &str = "Nothing to change.";
pub(crate) const DRY_RUN: &str = "This was a dry run; nothing was changed.";

// ---- files ----

pub(crate) fn unreadable(path: &str, error: &impl Display) -> String {
    format!("{path} cannot be read ({error}).")
}

pub(crate) fn unwritable(path: &str, error: &std::io::Error) -> String {
    let next = match error.raw_os_error() {
        // EPERM for root: the file or its folder is immutable.
        Some(1) => format!("\nIt may be immutable. See:  lsattr -d {path}"),
        // EROFS
        Some(30) => "\nThe file system is mounted read-only.".to_owned(),
        // ENOSPC, EDQUOT
        Some(28 | 122) => "\nThe file system is full. See:  df /etc".to_owned(),
        _ => String::new(),
    };
    format!("{path} cannot be written ({error}). Nothing was changed.{next}")
}

pub(crate) fn is_link(path: &str, target: &str) -> String {
    format!(
        "{path} is a symbolic link (to {target}): some other tool manages\n\
         it, and would take a change back. Nothing was changed. Add the lines there by that tool's own means."
    )
}

pub(crate) fn not_a_file(path: &str) -> String {
    format!("{path} is no plain file.")
}

pub(crate) fn several_names(path: &str, names: u64) -> String {
    format!("{path} has {names} names (hard links), and only one would be changed.")
}

pub(crate) fn not_roots(path: &str, uid: u32) -> String {
    format!(
        "{path} belongs to uid {uid} and not to root: whoever that is could let anybody in.\nType:  chown root {path}"
    )
}

pub(crate) fn too_open(path: &str, mode: u32) -> String {
    format!("{path} can be written by others than root (mode {mode:o}).\nType:  chmod go-w {path}")
}

pub(crate) fn too_large(path: &str) -> String {
    format!("{path} is larger than 1 MiB, which no such file is.")
}

pub(crate) fn not_text(path: &str) -> String {
    format!("{path} is not UTF-8.")
}

pub(crate) fn changed_meanwhile(path: &str) -> String {
    format!("{path} was changed by somebody else just now. Look at it, and begin again.")
}

// ---- the plan ----

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

// ---- sshd ----

pub(crate) const NO_SSHD: &str = "there is no sshd on this host. Nothing was changed.";
pub(crate) const SSHD_KEYS_ALONE: &str = "sshd does not ask after a key. Whoever needs a code and comes with a key is\n\
    refused by our account line, and told why";

pub(crate) fn sshd_broken(said: &str) -> String {
    format!("sshd refuses its configuration:\n{said}\nSee:  sshd -t")
}

pub(crate) fn sshd_no_include(config: &str) -> String {
    format!(
        "sshd gets no drop-in, since {config} does not include\n\
         /etc/ssh/sshd_config.d/*.conf. For keys with a code, make this its first line:\n\
         Include /etc/ssh/sshd_config.d/*.conf   and begin again"
    )
}

pub(crate) fn sshd_overridden(keyword: &str, value: &str, place: &str) -> String {
    format!(
        "sshd goes by \"{keyword} {value}\" at {place}, which it reads first,\n\
         and nobody could type a code. Take that line out, or set it to yes"
    )
}

pub(crate) fn sshd_methods_kept(methods: &str, place: &str) -> String {
    format!("sshd's own AuthenticationMethods ({methods}) at {place}\nask for a code in every way, and stay")
}

pub(crate) fn sshd_other_methods(methods: &str, place: &str) -> String {
    format!(
        "sshd goes by AuthenticationMethods at {place}, which it reads\n\
         first, and which let people in without a prompt ({methods}). Take that line out"
    )
}

pub(crate) fn sshd_match_methods(place: &str, under: &str, methods: &str) -> String {
    format!(
        "{place} sets AuthenticationMethods {methods} for Match {under}:\n\
         there nobody can type a code, and whoever needs one is refused"
    )
}

pub(crate) fn sshd_match_no_kbd(place: &str, under: &str) -> String {
    format!(
        "{place} forbids keyboard-interactive for Match {under}:\n\
         nobody could log in there. Take that line out, or set AuthenticationMethods below it"
    )
}

// ---- people ----

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

// ---- the trial ----

pub(crate) fn no_probe(path: &str) -> String {
    format!("{path} is missing, so nothing can be tried. Nothing was\nchanged. Install the package again.")
}

pub(crate) fn probe_failed(service: &str, said: &str) -> String {
    format!("the trial of {service} broke off, and so would logins ({said}). Nothing was changed.")
}

pub(crate) fn test_no_daemon(service: &str) -> String {
    format!(
        "tried: our module in {service} gets no answer from countersignd.\n\
         See:  systemctl status countersignd dbus; journalctl -t countersign-pam-probe"
    )
}

pub(crate) fn test_no_module(service: &str) -> String {
    format!("tried: a module of {service} cannot be loaded. See:  journalctl -t countersign-pam-probe")
}

pub(crate) fn test_bad_options(service: &str) -> String {
    format!("tried: our line in {service} has a bad option. See:  journalctl -t countersign-pam-probe")
}

pub(crate) fn test_lets_anybody_in(service: &str) -> String {
    format!("tried: {service} lets somebody in whom this host does not know, with a wrong password")
}

pub(crate) fn test_passes_without_code(service: &str) -> String {
    format!("tried: with a right password {service} lets people in and asks for no code")
}

pub(crate) fn test_passes_without_password(service: &str) -> String {
    format!("tried: {service} lets people in with a wrong password")
}

pub(crate) fn test_passes_in_spite(service: &str) -> String {
    format!("tried: {service} lets people in with a wrong code")
}

pub(crate) fn test_not_after_password(service: &str) -> String {
    format!("tried: {service} asks for a code after a wrong password, against what our line says")
}

pub(crate) fn test_never_asked(service: &str, code: i32, said: &str) -> String {
    let said = if said.is_empty() { String::new() } else { format!(", \"{said}\"") };
    format!("tried: {service} refuses before it asks for a code (PAM code {code}{said})")
}

pub(crate) fn test_account_passes(service: &str) -> String {
    format!("tried: the account phase of {service} lets in who comes without a code")
}

// ---- the distribution's tool ----

pub(crate) const NO_TOOL: &str = "--all goes through pam-auth-update, which this distribution does not have.\n\
    Name the services instead:  countersignctl enable sshd sudo su";
pub(crate) const NO_PROFILE: &str = "/usr/share/pam-configs/countersign is missing. Install the package again, or name\n\
    the services:  countersignctl enable sshd sudo su";

pub(crate) fn tool_failed(said: &str) -> String {
    format!("pam-auth-update failed:\n{said}")
}

// ---- what is shown ----

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

// ---- confirm ----

pub(crate) const NOTHING_TO_CONFIRM: &str = "Nothing waits to be confirmed.";

pub(crate) fn not_enabled(service: &str) -> String {
    format!("{service} was not changed by enable, and has no line of ours.")
}

pub(crate) fn confirmed(service: &str, login: i64) -> String {
    format!("Confirmed by login {login}: {service} asks for a code for good.")
}

pub(crate) fn does_not_count(user: &str, state: &str, reason: &str) -> String {
    let user = crate::terminal::safe(user);
    let reason =
        if reason.is_empty() { String::new() } else { format!(" ({})", crate::terminal::safe(reason)) };
    match state {
        "verified" | "enrolled" => format!(
            "{user} showed a code, but the account phase did not confirm the login: it was\n\
             refused afterwards, or is not over yet"
        ),
        "skipped" | "would-ask" => format!("{user} was let in without being asked{reason}"),
        state => format!("the newest login, of {user}, is {}{reason}", crate::terminal::safe(state)),
    }
}

pub(crate) fn no_login_yet(service: &str, nearest: Option<String>, left: Option<u64>) -> String {
    let nearest = nearest.map_or_else(|| "Nobody has tried".to_owned(), |nearest| format!("Seen: {nearest}"));
    let left = match left {
        Some(left) => {
            format!("It is taken back in {}.", crate::time::duration(i64::try_from(left).unwrap_or(i64::MAX)))
        }
        None => "Its time is over; it is being taken back.".to_owned(),
    };
    format!(
        "{service} is not confirmed: no login with a code since the change. {nearest}.\n\
         {left} Log in with a code, then again:  countersignctl confirm"
    )
}

pub(crate) fn too_late(service: &str) -> String {
    format!("{service} was taken back in this moment. To begin again:  countersignctl enable {service}")
}

// ---- status ----

/// One line for each service, below the state of the daemon.
pub(crate) fn status_line(service: &str, since: i64, unconfirmed: Option<u64>) -> String {
    let service = if service.starts_with('@') { EVERY_SERVICE } else { service };
    match unconfirmed {
        None => format!("enabled        {service}, since {}", crate::time::utc(since)),
        Some(left) => format!(
            "enabled        {service}, NOT CONFIRMED: taken back in {}",
            crate::time::duration(i64::try_from(left).unwrap_or(i64::MAX))
        ),
    }
}

// ---- disable ----

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

// ---- the system's log ----

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
