//! The distribution's own tool, for `--all`.

pub(crate) const NO_TOOL: &str = "--all goes through pam-auth-update, which this distribution does not have.\n\
    Name the services instead:  countersignctl enable sshd sudo su";
pub(crate) const NO_PROFILE: &str = "/usr/share/pam-configs/countersign is missing. Install the package again, or name\n\
    the services:  countersignctl enable sshd sudo su";

pub(crate) fn tool_failed(said: &str) -> String {
    format!("pam-auth-update failed:\n{said}")
}

pub(crate) fn tool_declined(said: &str) -> String {
    let said = if said.is_empty() { String::new() } else { format!(" It said:\n{said}") };
    format!(
        "pam-auth-update did not put our lines into common-auth and common-account.{said}\n\
         It leaves files alone that somebody has edited. Name the services instead:\n\
         countersignctl enable sshd sudo su"
    )
}
