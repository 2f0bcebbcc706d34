//! PAM return codes by name.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What a PAM function returned. Compare it with the constants; it prints as `PAM_AUTH_ERR`.
#[must_use]
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Code(pub i32);

macro_rules! codes {
    ($($name:ident = $value:literal,)*) => {
        #[allow(missing_docs, reason = "the names of <security/_pam_types.h>")]
        impl Code {
            $(pub const $name: Self = Self($value);)*

            /// The name in `<security/_pam_types.h>`, or `None` for a number that libpam does not know.
            #[must_use]
            pub fn name(self) -> Option<&'static str> {
                match self.0 {
                    $($value => Some(concat!("PAM_", stringify!($name))),)*
                    _ => None,
                }
            }
        }
    };
}

codes! {
    SUCCESS = 0,
    OPEN_ERR = 1,
    SYMBOL_ERR = 2,
    SERVICE_ERR = 3,
    SYSTEM_ERR = 4,
    BUF_ERR = 5,
    PERM_DENIED = 6,
    AUTH_ERR = 7,
    CRED_INSUFFICIENT = 8,
    AUTHINFO_UNAVAIL = 9,
    USER_UNKNOWN = 10,
    MAXTRIES = 11,
    NEW_AUTHTOK_REQD = 12,
    ACCT_EXPIRED = 13,
    SESSION_ERR = 14,
    CRED_UNAVAIL = 15,
    CRED_EXPIRED = 16,
    CRED_ERR = 17,
    NO_MODULE_DATA = 18,
    CONV_ERR = 19,
    AUTHTOK_ERR = 20,
    AUTHTOK_RECOVERY_ERR = 21,
    AUTHTOK_LOCK_BUSY = 22,
    AUTHTOK_DISABLE_AGING = 23,
    TRY_AGAIN = 24,
    IGNORE = 25,
    ABORT = 26,
    AUTHTOK_EXPIRED = 27,
    MODULE_UNKNOWN = 28,
    BAD_ITEM = 29,
    CONV_AGAIN = 30,
    INCOMPLETE = 31,
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "PAM code {}", self.0),
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}
