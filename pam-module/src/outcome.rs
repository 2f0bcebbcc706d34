//! What became of a call, and the PAM code it means.

use pam::constants::PamResultCode;

use crate::login::Proof;

/// Why a call ends, in the words of the person or the administrator it concerns.
///
/// There is no `Default`: a value is always the result of something that happened, and what has
/// not happened yet is [`Outcome::NoAnswer`].
#[must_use]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The daemon allowed an answer of this very login.
    Verified(Proof),
    /// The daemon said, positively, that no second factor is required here.
    NotRequired,
    /// The same, on a line with `after_key` and behind a public key: a stack of "ignore" denies.
    NotRequiredAfterKey,
    /// `after_key`, and no public key preceded this login.
    NoKey,
    /// The answer was wrong, or was not one that may leave the module.
    Wrong,
    /// Tries are used up; the right code is refused too.
    Locked,
    /// Refused before any answer was asked for.
    Refused,
    /// No answer that counts: absent, late, malformed, foreign.
    NoAnswer,
    /// The client cannot converse, or the person hung up.
    HungUp,
    /// A word on the stack line is wrong.
    BadOptions,
    /// Account phase: the daemon has no objection.
    AccountAllowed,
    /// Account phase: the daemon objects, or this login was not the one that was verified.
    AccountDenied,
    /// Account phase of a login that is none of our business (cron, `su` by root).
    AccountNotOurs,
    /// `pam_setcred`: there are no credentials of ours.
    NoCredentials,
    /// Session and password phases: we do nothing there.
    NotOurPhase,
}

impl Outcome {
    /// The PAM code. The only such table in the module: every hook returns through here.
    pub(crate) fn code(self) -> PamResultCode {
        match self {
            Self::Verified(_) | Self::NotRequiredAfterKey | Self::NoCredentials => PamResultCode::PAM_SUCCESS,
            // Never SUCCESS: other modules' verdicts stand, and the audit trail stays true.
            Self::NotRequired | Self::AccountAllowed | Self::AccountNotOurs | Self::NotOurPhase => {
                PamResultCode::PAM_IGNORE
            }
            Self::NoKey | Self::Wrong => PamResultCode::PAM_AUTH_ERR,
            Self::Locked => PamResultCode::PAM_MAXTRIES,
            Self::Refused | Self::AccountDenied => PamResultCode::PAM_PERM_DENIED,
            Self::NoAnswer => PamResultCode::PAM_AUTHINFO_UNAVAIL,
            Self::HungUp => PamResultCode::PAM_CONV_ERR,
            Self::BadOptions => PamResultCode::PAM_SERVICE_ERR,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_proof_a_key_recipe_and_setcred_succeed() {
        let denying = [
            (Outcome::NoKey, PamResultCode::PAM_AUTH_ERR),
            (Outcome::Wrong, PamResultCode::PAM_AUTH_ERR),
            (Outcome::Locked, PamResultCode::PAM_MAXTRIES),
            (Outcome::Refused, PamResultCode::PAM_PERM_DENIED),
            (Outcome::NoAnswer, PamResultCode::PAM_AUTHINFO_UNAVAIL),
            (Outcome::HungUp, PamResultCode::PAM_CONV_ERR),
            (Outcome::BadOptions, PamResultCode::PAM_SERVICE_ERR),
            (Outcome::AccountDenied, PamResultCode::PAM_PERM_DENIED),
            (Outcome::NotRequired, PamResultCode::PAM_IGNORE),
            (Outcome::AccountAllowed, PamResultCode::PAM_IGNORE),
            (Outcome::AccountNotOurs, PamResultCode::PAM_IGNORE),
            (Outcome::NotOurPhase, PamResultCode::PAM_IGNORE),
        ];
        for (outcome, code) in denying {
            assert_eq!(outcome.code(), code, "{outcome:?}");
        }
        assert_eq!(Outcome::NotRequiredAfterKey.code(), PamResultCode::PAM_SUCCESS);
        assert_eq!(Outcome::NoCredentials.code(), PamResultCode::PAM_SUCCESS);
    }
}
