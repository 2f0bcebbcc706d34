//! What is measured, as values with names; `countersignctl metrics` writes them as OpenMetrics. No value is
//! of one person, and no label holds a name but those that the policy file gives.

use crate::decide::overrides::Kind;
use crate::error::Error;
use crate::host::Host;
use crate::meter::{BUCKETS, Call};
use crate::store::Coverage;
use countersign_config::{AddressSource, Factor, Policy};
use countersign_protocol::manager::Sample;

/// Everything that is measured now.
///
/// # Errors
/// When the store cannot be read.
pub async fn metrics(host: &Host) -> Result<Vec<Sample>, Error> {
    let now = host.clock.now()?;
    let mut out = Out(Vec::new());
    out.add("build_info", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    people(host, &mut out).await?;
    let held = |kind| host.overrides().holding(now).filter(|one| one.kind == kind).count() as f64;
    out.add("overrides", &[("kind", "exempt")], held(Kind::Exempt));
    out.add("overrides", &[("kind", "require")], held(Kind::Require));
    out.add("overrides", &[("kind", "lock")], held(Kind::Lock));
    for ((state, factor, reason), count) in host.meter.ends() {
        let labels = [("state", &*state), ("factor", &*factor), ("reason", &*reason)];
        out.add("logins_total", &labels, count as f64);
    }
    for call in Call::ALL {
        let (read, word) = (host.meter.times(call), call.as_str());
        for (most, count) in BUCKETS.iter().zip(read.up_to) {
            let le = (*most as f64 / 1e6).to_string();
            out.add("answer_seconds_bucket", &[("call", word), ("le", &le)], count as f64);
        }
        out.add("answer_seconds_bucket", &[("call", word), ("le", "+Inf")], read.count as f64);
        out.add("answer_seconds_count", &[("call", word)], read.count as f64);
        out.add("answer_seconds_sum", &[("call", word)], read.micros as f64 / 1e6);
    }
    if let Some((median, codes)) = host.meter.skew() {
        out.add("clock_skew_seconds", &[], median as f64);
        out.add("clock_skew_codes", &[], codes as f64);
    }
    let queue = host.store.letter_queue_state(now).await?;
    out.add("mail_queue_letters", &[], f64::from(queue.letters));
    out.add("mail_queue_age_seconds", &[], queue.oldest as f64);
    let backed_up = host.store.last_backup().await?;
    if backed_up > 0 {
        out.add("last_backup_timestamp_seconds", &[], backed_up as f64);
    }
    out.add("clock_behind_seconds", &[], (now.date - now.wall) as f64);
    out.add("policy_file_in_force", &[], f64::from(u8::from(host.policies.trouble().is_none())));
    Ok(out.0)
}

async fn people(host: &Host, out: &mut Out) -> Result<(), Error> {
    let census = host.store.census(host.cap(), host.takes_mail(), host.clock.now()?).await?;
    out.add("people_enrolled", &[], census.enrolled as f64);
    out.add("people_past_date", &[], census.past_date as f64);
    out.add("people_in_grace", &[], census.in_grace as f64);
    out.add("people_few_recovery_codes", &[], census.few_codes as f64);
    let force = host.in_force();
    for policy in &force.config.policies {
        let people = census.policies.get(&policy.name).copied().unwrap_or_default();
        let all = people.app + people.address + people.both + people.none;
        out.add("policy_people", &[("policy", &policy.name)], all as f64);
        let enrolled = enrolled(policy, people, &force.config.email.addresses);
        out.add("policy_people_enrolled", &[("policy", &policy.name)], enrolled as f64);
    }
    for lane in ["console", "known", "other", "recovery", "source", "all"] {
        let closed = census.locks.get(lane).copied().unwrap_or_default();
        out.add("locks", &[("lane", lane)], closed as f64);
    }
    out.add("log_rows", &[], census.rows.0 as f64);
    out.add("acts", &[], census.rows.1 as f64);
    out.add("log_chain_fits", &[], f64::from(u8::from(census.chain_fits)));
    Ok(())
}

/// How many people have a factor that a policy takes. Nobody's user record is asked for an address.
fn enrolled(policy: &Policy, people: Coverage, sources: &[AddressSource]) -> u64 {
    let Coverage { app, address, both, none } = people;
    let takes = |factor| policy.factors.contains(&factor);
    let mail = takes(Factor::Email);
    if mail && policy.address.is_some() && sources.contains(&AddressSource::Pattern) {
        return app + address + both + none;
    }
    let set = mail && sources.contains(&AddressSource::Set);
    let by_app = if takes(Factor::Totp) { app } else { 0 };
    let by_address = if set { address } else { 0 };
    by_app + by_address + if takes(Factor::Totp) || set { both } else { 0 }
}

struct Out(Vec<Sample>);

impl Out {
    fn add(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        self.0.push(Sample { name: format!("countersign_{name}"), labels, value });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_counts_the_factors_that_it_takes() {
        let people = Coverage { app: 1, address: 10, both: 100, none: 1000 };
        let count = |text: &str, sources: &[AddressSource]| {
            let text = format!(
                "[mailbox.m]\nserver = \"mail.example.org\"\nfrom = \"m@example.org\"\n[[policy]]\nname = \"all\"\n{text}\n"
            );
            let config = countersign_config::parse("test.toml", &text).expect("a policy");
            enrolled(&config.policies[0], people, sources)
        };
        use AddressSource::{Pattern, Record, Set};
        let mail = "mailbox = \"m\"";
        assert_eq!(count("factors = [\"totp\"]", &[Set]), 101);
        assert_eq!(count(&format!("factors = [\"totp\", \"email\"]\n{mail}"), &[Set, Record]), 111);
        assert_eq!(count(&format!("factors = [\"email\"]\n{mail}"), &[Set]), 110);
        assert_eq!(count(&format!("factors = [\"email\"]\n{mail}"), &[Record]), 0);
        let pattern = format!("factors = [\"email\"]\n{mail}\naddress = \"{{user}}@example.org\"");
        assert_eq!(count(&pattern, &[Set, Pattern]), 1111);
        assert_eq!(count(&pattern, &[Set]), 110);
    }
}
