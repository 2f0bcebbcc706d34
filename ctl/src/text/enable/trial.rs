//! What the trial of a stack found, before anything is changed.

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
