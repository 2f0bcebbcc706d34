//! What is known of modules beforehand.

use super::code::Code;
use super::resolve::{Entry, Kind};

/// Our module's file.
pub(super) const OURS_FILE: &str = "pam_countersign.so";

/// Modules whose success says that the person has shown who they are: a password, a ticket, a token, a finger.
const FIRST_FACTORS: [&str; 21] = [
    "pam_unix.so",
    "pam_unix_auth.so",
    "pam_sss.so",
    "pam_sss_gss.so",
    "pam_krb5.so",
    "pam_ldap.so",
    "pam_winbind.so",
    "pam_systemd_home.so",
    "pam_userdb.so",
    "pam_pwdfile.so",
    "pam_mysql.so",
    "pam_pgsql.so",
    "pam_radius_auth.so",
    "pam_tacplus.so",
    "pam_authd.so",
    "pam_himmelblau.so",
    "pam_aad.so",
    "pam_fprintd.so",
    "pam_u2f.so",
    "pam_pkcs11.so",
    "pam_ssh_agent_auth.so",
];

/// Whether a success of this line is a first factor.
#[must_use]
pub fn is_first_factor(entry: &Entry) -> bool {
    entry.module().is_some_and(|module| FIRST_FACTORS.contains(&module))
}

/// What is taken for granted when every path is looked at.
#[derive(Clone, Copy)]
pub struct Assume<'a> {
    /// The line's success is a first factor.
    pub first_factor: &'a dyn Fn(&Entry) -> bool,
    /// The only codes that a line can return; `None` for any. [`Assume::known`] is asked where this says `None`.
    pub codes: &'a dyn Fn(&Entry) -> Option<Vec<Code>>,
}

impl Default for Assume<'_> {
    /// The modules of [`is_first_factor`], and [`Assume::somebody`].
    fn default() -> Self {
        Self { first_factor: &is_first_factor, codes: &Self::somebody }
    }
}

impl Assume<'_> {
    /// The caller is not root: `pam_rootok` says no, and its line before ours is no way past it.
    #[must_use]
    pub fn somebody(entry: &Entry) -> Option<Vec<Code>> {
        (entry.module() == Some("pam_rootok.so")).then(|| vec![Code::AUTH_ERR])
    }

    /// What a line can return.
    pub(super) fn outcomes(&self, entry: &Entry) -> Vec<Code> {
        (self.codes)(entry).or_else(|| Self::known(entry)).unwrap_or_else(|| Code::all().collect())
    }

    /// What modules are made to return, whoever asks.
    fn known(entry: &Entry) -> Option<Vec<Code>> {
        match &entry.kind {
            Kind::MustFail | Kind::Substack { .. } => Some(vec![Code::PERM_DENIED]),
            Kind::Module { .. } => match entry.module()? {
                "pam_deny.so" => Some(vec![Code::AUTH_ERR]),
                "pam_permit.so" => Some(vec![Code::SUCCESS]),
                // `requisite pam_unix.so` lets by nobody without the password.
                "pam_unix.so" => Some(Code::all().filter(|code| *code != Code::IGNORE).collect()),
                OURS_FILE => Some(super::explore::OURS.to_vec()),
                _ => None,
            },
        }
    }
}

impl Entry {
    /// Whether this line calls our module.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        self.module() == Some(OURS_FILE)
    }
}
