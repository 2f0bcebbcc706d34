//! What is decided of one login.

use super::{Person, Terms, mail_somewhere};
use countersign_config::{Config, Factor};

/// What policy says of one login.
#[must_use]
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// A second factor is asked of everybody under this policy.
    Required(Terms),
    /// A second factor is asked of people who have one.
    RequiredIfEnrolled(Terms),
    /// Nobody is asked; the log says who would have been.
    ReportOnly {
        /// The policy's name.
        policy: String,
    },
    /// The policy that matched is switched off.
    Off {
        /// The policy's name.
        policy: String,
    },
    /// No policy applies.
    NoPolicy,
    /// An administrator exempted this very person, whatever policy says.
    Exempt {
        /// The first second that is no longer exempt, by [`Moment::date`](crate::clock::Moment).
        until: i64,
        /// The policy that would decide, or nothing.
        policy: String,
    },
}

impl Decision {
    /// The same for a login that people make on the bus to show a factor of theirs before they change
    /// what they have: asked of whoever has one, whatever policy says, and never waived. A code by e-mail
    /// is one where any policy of theirs lists it.
    pub fn for_own_service(self, config: &Config, person: &Person) -> Self {
        let policy = self.policy().to_owned();
        let asked = match self {
            Self::Required(terms) | Self::RequiredIfEnrolled(terms) => Some((terms.certain, terms.factors)),
            _ => None,
        };
        let (mut certain, mut factors) = asked.unwrap_or((true, vec![Factor::Totp]));
        let mail = mail_somewhere(config, person).map(|(mail, sure)| {
            certain &= sure;
            mail
        });
        if mail.is_some() && !factors.contains(&Factor::Email) {
            factors.push(Factor::Email);
        }
        Self::RequiredIfEnrolled(Terms { certain, factors, mail, ..Terms::own(policy) })
    }

    /// Whether a second factor is, or may be, asked.
    #[must_use]
    pub fn asks(&self) -> bool {
        matches!(self, Self::Required(_) | Self::RequiredIfEnrolled(_))
    }

    /// The policy that decided, or nothing.
    #[must_use]
    pub fn policy(&self) -> &str {
        match self {
            Self::Required(terms) | Self::RequiredIfEnrolled(terms) => &terms.policy,
            Self::ReportOnly { policy } | Self::Off { policy } | Self::Exempt { policy, .. } => policy,
            Self::NoPolicy => "",
        }
    }
}
