//! Where a login comes from, as far as the host knows: parsed as an address or called unknown,
//! never resolved.

use crate::decide::policy::Source;
use std::net::IpAddr;

/// The source of a login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Origin {
    /// For the log: an address, `local` or `unknown`.
    pub(super) source: String,
    /// What failures are counted under. One IPv6 customer owns a /64, so that is one source.
    pub(super) key: String,
    /// A virtual terminal or display of this machine.
    pub(super) console: bool,
    /// For policies.
    pub(super) class: Source,
}

impl Origin {
    /// Reads `PAM_RHOST`, `PAM_TTY` and `PAM_RUSER`. Local sources are told apart by who asks, so
    /// that one local user cannot spend another's tries.
    pub(super) fn new(rhost: &str, tty: &str, ruser: &str) -> Self {
        if rhost.is_empty() {
            return Self {
                source: "local".into(),
                key: format!("local:{}", super::bounded(ruser)),
                console: is_console(tty),
                class: Source::Local,
            };
        }
        match rhost.parse::<IpAddr>() {
            Ok(address) => {
                let address = address.to_canonical();
                Self {
                    source: address.to_string(),
                    key: network(address),
                    console: false,
                    class: Source::Address(address),
                }
            }
            Err(_) => Self {
                source: "unknown".into(),
                key: "unknown".into(),
                console: false,
                class: Source::Unknown,
            },
        }
    }
}

fn network(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => {
            let [a, b, c, d, ..] = v6.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
    }
}

fn is_console(tty: &str) -> bool {
    let name = tty.strip_prefix("/dev/").unwrap_or(tty);
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    name.strip_prefix("tty").is_some_and(digits) || name.strip_prefix(':').is_some_and(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_addresses_or_classes() {
        for (rhost, source, key) in [
            ("", "local", "local:bob"),
            ("192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("::ffff:192.0.2.7", "192.0.2.7", "192.0.2.7"),
            ("2001:db8:1:2:3::4", "2001:db8:1:2:3::4", "2001:db8:1:2::/64"),
            ("UNKNOWN", "unknown", "unknown"),
            ("host.example.org", "unknown", "unknown"),
            ("192.0.2.7; rm -rf /", "unknown", "unknown"),
        ] {
            let got = Origin::new(rhost, "/dev/tty1", "bob");
            assert_eq!((got.source.as_str(), got.key.as_str()), (source, key), "{rhost}");
            assert_eq!(got.console, rhost.is_empty(), "{rhost}");
        }
    }

    #[test]
    fn consoles_are_virtual_terminals_and_displays() {
        for (tty, console) in [
            ("tty1", true),
            ("/dev/tty63", true),
            (":0", true),
            ("/dev/pts/3", false),
            ("ttyS0", false),
            ("ssh", false),
            ("", false),
            ("tty", false),
        ] {
            assert_eq!(Origin::new("", tty, "").console, console, "{tty}");
        }
    }
}
