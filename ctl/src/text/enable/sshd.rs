//! What stands against sshd's drop-in, and what sshd goes by instead.

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
