//! What PAM says of a login, in the form that the bus carries.

use countersign_protocol::login::FirstFactor;

use crate::{options::Options, text};

/// Longest user name that is asked about, in bytes; Linux allows 32, directories some more.
const USER_CAP: usize = 4096;
/// Longest other item, in bytes.
const ITEM_CAP: usize = 1024;

/// PAM items as the host set them: bytes from outside, in no particular encoding.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) user: Vec<u8>,
    pub(crate) ruser: Vec<u8>,
    pub(crate) service: Vec<u8>,
    pub(crate) rhost: Vec<u8>,
    pub(crate) tty: Vec<u8>,
    /// `SSH_AUTH_INFO_0` in the PAM environment: absent, empty, or the methods passed so far.
    pub(crate) ssh_auth_info: Option<Vec<u8>>,
    /// The host's executable.
    pub(crate) program: String,
}

impl Items {
    /// Whether sshd says that an earlier method has succeeded.
    fn has_passed_ssh_method(&self) -> bool {
        self.ssh_auth_info.as_deref().is_some_and(|info| !info.trim_ascii().is_empty())
    }

    /// Whether a public key is among the methods that sshd says have succeeded.
    pub(crate) fn names_public_key(&self) -> bool {
        let info = self.ssh_auth_info.as_deref().unwrap_or_default();
        info.split(|&byte| byte == b'\n')
            .any(|line| line.split(|&byte| byte == b' ').next() == Some(b"publickey".as_slice()))
    }
}

/// A user name that no directory can hold: not UTF-8, empty, or beyond any length.
#[derive(Debug)]
pub(crate) struct UnusableName;

/// The arguments of `Begin`.
#[derive(Debug)]
pub(crate) struct Claims {
    pub(crate) user: String,
    pub(crate) ruser: String,
    pub(crate) service: String,
    pub(crate) program: String,
    pub(crate) rhost: String,
    pub(crate) tty: String,
    pub(crate) first_factor: FirstFactor,
}

impl Claims {
    /// Reads the items. The user name goes as it is or not at all: a repaired name would be
    /// another person's.
    pub(crate) fn read(items: &Items, options: &Options) -> Result<Self, UnusableName> {
        let passed = options.after_first_factor || items.has_passed_ssh_method();
        Ok(Self {
            user: user_name(&items.user)?,
            ruser: text::for_bus(&items.ruser, ITEM_CAP),
            service: text::for_bus(&items.service, ITEM_CAP),
            program: text::for_bus(items.program.as_bytes(), ITEM_CAP),
            rhost: text::for_bus(&items.rhost, ITEM_CAP),
            tty: text::for_bus(&items.tty, ITEM_CAP),
            first_factor: if passed { FirstFactor::Passed } else { FirstFactor::Unknown },
        })
    }
}

fn user_name(bytes: &[u8]) -> Result<String, UnusableName> {
    if bytes.is_empty() || bytes.len() > USER_CAP {
        return Err(UnusableName);
    }
    String::from_utf8(bytes.to_vec()).map_err(|_| UnusableName)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn items(info: Option<&[u8]>) -> Items {
        Items { user: b"alice".to_vec(), ssh_auth_info: info.map(<[u8]>::to_vec), ..Items::default() }
    }

    fn first_factor(items: &Items, option: bool) -> FirstFactor {
        let options = Options { after_first_factor: option, ..Options::default() };
        Claims::read(items, &options).expect("a usable name").first_factor
    }

    #[test]
    fn the_first_factor_has_passed_by_option_or_by_sshds_word_only() {
        assert_eq!(first_factor(&items(None), false), FirstFactor::Unknown);
        assert_eq!(first_factor(&items(Some(b"")), false), FirstFactor::Unknown);
        assert_eq!(first_factor(&items(Some(b"\n")), false), FirstFactor::Unknown);
        assert_eq!(first_factor(&items(Some(b"publickey ssh-ed25519 AAAA\n")), false), FirstFactor::Passed);
        assert_eq!(first_factor(&items(None), true), FirstFactor::Passed);
    }

    #[test]
    fn a_public_key_is_a_whole_word_at_the_start_of_a_line() {
        assert!(items(Some(b"publickey ssh-ed25519 AAAA\n")).names_public_key());
        assert!(items(Some(b"password\npublickey x y\n")).names_public_key());
        for info in [
            None,
            Some(b"".as_slice()),
            Some(b"password publickey"),
            Some(b"publickeys x"),
            Some(b"hostbased"),
        ] {
            assert!(!items(info).names_public_key(), "{info:?}");
        }
    }

    #[test]
    fn names_go_as_they_are_or_not_at_all() {
        let mut odd = items(None);
        for name in [b"".as_slice(), b"al\xff", &[b'a'; USER_CAP + 1]] {
            odd.user = name.to_vec();
            assert!(Claims::read(&odd, &Options::default()).is_err());
        }
        odd.user = "a\u{202e}\n".as_bytes().to_vec();
        assert_eq!(Claims::read(&odd, &Options::default()).expect("utf-8").user, "a\u{202e}\n");
    }
}
