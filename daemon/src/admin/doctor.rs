//! What only the daemon knows of the health of a host, for `countersignctl doctor`.

use crate::decide::overrides::Kind;
use crate::error::Error;
use crate::host::Host;
use crate::people::Directory;
use crate::store::Intact;
use countersign_config::{Config, Factor, Policy, Status};
use countersign_protocol::fact;
use countersign_protocol::manager::Fact;
use std::time::Duration;

/// How long the account database may take to say which groups there are, and SQLite to check its file.
const PATIENCE: Duration = Duration::from_secs(4);
/// An exemption that ends sooner than this is worth a word.
const SOON: i64 = 7 * 24 * 3600;
/// Seconds that dates may be ahead of the clock before it is worth a word.
const BEHIND: i64 = 24 * 3600;
/// A backup that is older than this lacks people who came since.
const OLD: i64 = 30 * 24 * 3600;
/// Authenticators that must agree before it is this host's clock that is wrong.
const WITNESSES: usize = 3;

/// Everything, in no order that means anything.
///
/// # Errors
/// When the store or the clock cannot be read.
pub async fn facts(host: &Host) -> Result<Vec<Fact>, Error> {
    let now = host.clock.now()?;
    let force = host.in_force();
    let mut facts = vec![one(fact::VERSION, "", env!("CARGO_PKG_VERSION"))];
    facts.extend(host.policies.trouble().map(|why| one(fact::NOT_IN_FORCE, "", why)));
    for policy in force.config.policies.iter().filter(|policy| policy.status == Status::Enforce) {
        facts.push(one(fact::ENFORCED, &policy.name, services(policy)));
        if policy.factors == [Factor::Email] {
            facts.push(one(fact::MAIL_ONLY, &policy.name, ""));
        }
    }
    let odd = force.config.warnings_at(now.wall).into_iter().chain(crate::mail::trouble(&force.config));
    facts.extend(odd.map(|text| one(fact::CONFIG_WARNING, "", text)));
    let (groups, database) = tokio::join!(groups(force.config.clone()), database(host));
    facts.extend(groups);
    facts.extend(database);

    let health = host.store.health(host.cap(), host.takes_mail(), now).await?;
    facts.extend(health.past_date.iter().map(|(user, until)| one(fact::PAST_DATE, user, until.to_string())));
    facts.extend(health.few_codes.iter().map(|(user, left)| one(fact::FEW_CODES, user, left.to_string())));
    facts.extend(health.locked.iter().map(|user| one(fact::LOCKED, user, "")));
    let odd = host.store.log_trouble().await?;
    facts.extend(odd.map(|b| one(fact::LOG_BROKEN, "", format!("{} {} {}: {}", b.row, b.id, b.what, b.why))));
    if let Some(ahead) = common_skew(&health.skews) {
        facts.push(one(fact::SKEW, &health.skews.len().to_string(), ahead.to_string()));
    }
    for exempt in host.overrides().holding(now).filter(|held| held.kind == Kind::Exempt) {
        if exempt.until - now.date < SOON {
            facts.push(one(fact::LAPSES, &exempt.name, exempt.until.to_string()));
        }
    }
    let backed_up = host.store.last_backup().await?;
    if now.wall - backed_up > OLD && host.store.holds_factors().await? {
        facts.push(one(fact::BACKUP, "", backed_up.to_string()));
    }
    let behind = now.date - now.wall;
    if behind > BEHIND {
        facts.push(one(fact::CLOCK_BEHIND, "", behind.to_string()));
    }
    Ok(facts)
}

/// Groups that policies name and that do not resolve now.
async fn groups(config: Config) -> Vec<Fact> {
    let missing = tokio::task::spawn_blocking(move || Directory::missing_groups(&config));
    let why = match tokio::time::timeout(PATIENCE, missing).await {
        Ok(Ok(missing)) => {
            return missing.iter().map(|problem| one(fact::NO_GROUP, "", problem.to_string())).collect();
        }
        Ok(Err(e)) => e.to_string(),
        Err(_) => format!("the account database gave no answer within {} s", PATIENCE.as_secs()),
    };
    vec![one(fact::NOT_LOOKED_AT, "the groups of the policies", why)]
}

/// Whether the database is whole.
async fn database(host: &Host) -> Option<Fact> {
    let unknown = |why: &str| Some(one(fact::NOT_LOOKED_AT, "the pages of the database", why));
    let Ok(_alone) = host.copying.try_lock() else {
        return unknown("a backup is made or brought back now");
    };
    match host.store.intact(&host.layout, PATIENCE).await {
        Intact::Whole => None,
        Intact::Damaged(what) => Some(one(fact::DAMAGE, "", what)),
        Intact::Unknown(why) => unknown(&why),
    }
}

fn one(kind: &str, subject: &str, value: impl Into<String>) -> Fact {
    Fact { kind: kind.to_owned(), subject: subject.to_owned(), value: value.into() }
}

fn services(policy: &Policy) -> String {
    policy.services.as_deref().unwrap_or_default().join(",")
}

/// What most phones say of this host's clock: the middle one, where it is off and more than half agree on
/// which way. One phone that is off is its own affair.
fn common_skew(skews: &[i64]) -> Option<i64> {
    let mut sorted = skews.to_vec();
    sorted.sort_unstable();
    let middle = *sorted.get(sorted.len() / 2)?;
    let agree = sorted.iter().filter(|skew| skew.signum() == middle.signum()).count();
    (sorted.len() >= WITNESSES && middle != 0 && agree * 2 > sorted.len()).then_some(middle)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_phone_that_is_off_is_not_the_host() {
        assert_eq!(common_skew(&[]), None);
        assert_eq!(common_skew(&[-30, -30]), None);
        assert_eq!(common_skew(&[0, 0, 0, 30, -30]), None);
        assert_eq!(common_skew(&[-30, -30, 0]), Some(-30));
        assert_eq!(common_skew(&[30, 30, 60, 0, -30]), Some(30));
        assert_eq!(common_skew(&[30, 30, 0, 0, -30, -30]), None);
    }
}
