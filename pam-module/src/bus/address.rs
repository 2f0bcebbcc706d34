//! Where the bus listens.

use countersign_protocol::names::SYSTEM_BUS_ADDRESS;

/// Longest socket name: `sun_path` is 108 bytes with its end (unix(7)).
const NAME_CAP: usize = 107;

/// A Unix socket: a path, or a name in the abstract namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Address {
    /// An absolute path.
    Path(String),
    /// An abstract name, without its leading NUL.
    Abstract(String),
}

impl Address {
    /// The system bus, as compiled in. Nothing in the host's environment can change it.
    pub(crate) fn system() -> Self {
        let path = const {
            match SYSTEM_BUS_ADDRESS.split_at_checked("unix:path=".len()) {
                Some((_, path)) => path,
                None => panic!("the system bus address has no path"),
            }
        };
        Self::Path(path.to_owned())
    }

    /// Reads `unix:path=/...` or `unix:abstract=...`, and no other form of a D-Bus address: no second
    /// address, no escapes, no further key but the `guid` that `dbus-daemon --print-address` puts behind
    /// it. Whom we talk to is proven by the owner of the name, so that one is not looked at.
    ///
    /// # Errors
    ///
    /// What is wrong, as the end of a log line.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let text = match text.split_once(",guid=") {
            Some((address, guid)) if is_guid(guid) => address,
            _ => text,
        };
        let address = match text.strip_prefix("unix:").and_then(|rest| rest.split_once('=')) {
            Some(("path", path)) if path.starts_with('/') => Self::Path(path.to_owned()),
            Some(("abstract", name)) if !name.is_empty() => Self::Abstract(name.to_owned()),
            _ => return Err("must be unix:path=/... or unix:abstract=...".to_owned()),
        };
        let (Self::Path(name) | Self::Abstract(name)) = &address;
        if name.len() > NAME_CAP {
            return Err(format!("names a socket longer than {NAME_CAP} bytes"));
        }
        // What the D-Bus specification calls optionally escaped bytes, without the backslash.
        if !name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_/.".contains(&byte)) {
            return Err("holds a byte that a D-Bus address would have to escape".to_owned());
        }
        Ok(address)
    }
}

/// 128 bits in hex (D-Bus specification, "UUIDs").
fn is_guid(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_bus_is_compiled_in() {
        assert_eq!(Address::system(), Address::Path("/run/dbus/system_bus_socket".to_owned()));
        assert_eq!(Address::parse(SYSTEM_BUS_ADDRESS), Ok(Address::system()));
    }

    #[test]
    fn two_forms_and_no_other() {
        let printed = "unix:path=/tmp/dbus-x,guid=0123456789abcdef0123456789abcdef";
        assert_eq!(Address::parse(printed), Ok(Address::Path("/tmp/dbus-x".to_owned())));
        let printed = "unix:abstract=/tmp/x,guid=0123456789abcdef0123456789ABCDEF";
        assert_eq!(Address::parse(printed), Ok(Address::Abstract("/tmp/x".to_owned())));
        assert_eq!(Address::parse("unix:abstract=/tmp/x"), Ok(Address::Abstract("/tmp/x".to_owned())));
        for bad in [
            "",
            "unix:",
            "unix:path=",
            "unix:path=run/x",
            "unix:abstract=",
            "/run/x",
            "unix:path=/a,guid=00",
            "unix:path=/a,guid=0123456789abcdef0123456789abcdeg",
            "unix:path=/a,guid=0123456789abcdef0123456789abcdef,x=y",
            "unix:path=/a,guid=0123456789abcdef0123456789abcdef;unix:path=/b",
            "unix:path=/a,x=y,guid=0123456789abcdef0123456789abcdef",
            ",guid=0123456789abcdef0123456789abcdef",
            "unix:path=/a;unix:path=/b",
            "unix:path=/a%20b",
            "unix:path=/a b",
            "unix:dir=/tmp",
            "unix:tmpdir=/tmp",
            "unix:runtime=yes",
            "tcp:host=localhost,port=1",
            "unixexec:path=/bin/sh",
            "autolaunch:",
            "unix:path=/\0",
        ] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        assert!(Address::parse(&format!("unix:path=/{}", "x".repeat(106))).is_ok());
        assert!(Address::parse(&format!("unix:path=/{}", "x".repeat(107))).is_err());
    }
}
