//! What a PAM module can return.

use std::fmt;

/// A return code of Linux-PAM, by its number in `<security/_pam_types.h>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code(u8);

/// The words of pam.conf(5), by number. The last one, `incomplete`, suspends a stack and is no result.
const WORDS: [&str; 32] = [
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
];

#[allow(missing_docs, reason = "the names of <security/_pam_types.h>")]
impl Code {
    pub const SUCCESS: Self = Self(0);
    pub const SERVICE_ERR: Self = Self(3);
    pub const PERM_DENIED: Self = Self(6);
    pub const AUTH_ERR: Self = Self(7);
    pub const AUTHINFO_UNAVAIL: Self = Self(9);
    pub const MAXTRIES: Self = Self(11);
    pub const NEW_AUTHTOK_REQD: Self = Self(12);
    pub const CONV_ERR: Self = Self(19);
    pub const IGNORE: Self = Self(25);
    pub const ABORT: Self = Self(26);
    pub const MODULE_UNKNOWN: Self = Self(28);
}

impl Code {
    /// How many there are, `incomplete` included.
    pub(crate) const COUNT: usize = WORDS.len();

    /// The code whose word in pam.conf(5) this text begins with, and the word's length.
    pub(crate) fn at_start_of(text: &str) -> Option<(Self, usize)> {
        let number = WORDS.iter().position(|word| text.starts_with(word))?;
        Some((Self(u8::try_from(number).ok()?), WORDS[number].len()))
    }

    /// The code of this word in pam.conf(5).
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::at_start_of(word).filter(|(_, length)| *length == word.len()).map(|(code, _)| code)
    }

    /// Its word in pam.conf(5).
    #[must_use]
    pub fn word(self) -> &'static str {
        WORDS[usize::from(self.0)]
    }

    /// Its number.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Every code that ends a module's work.
    pub fn all() -> impl Iterator<Item = Self> {
        (0..31).map(Self)
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}
