//! What the daemon knows: policies, people, its database, the clocks of phones.

use countersign_protocol::fact;
use countersign_protocol::manager::Fact;

use super::finding::Report;
use super::stacks::Service;
use crate::text::doctor as text;
use crate::time;

pub(super) fn check(facts: &[Fact], services: &[Service], report: &mut Report) {
    let enforced = facts.iter().filter(|fact| fact.kind == fact::ENFORCED).count();
    if enforced == 0 {
        report.add(&text::NOTHING_ENFORCED, "", [""; 0]);
    }
    for Fact { kind, subject, value } in facts {
        match kind.as_str() {
            fact::VERSION if value != env!("CARGO_PKG_VERSION") => {
                report.add(&text::VERSIONS, "", [text::versions(value, env!("CARGO_PKG_VERSION"))]);
            }
            fact::NOT_IN_FORCE => report.add(&text::NOT_IN_FORCE, "", value.lines().take(5)),
            fact::ENFORCED => without_line(subject, value, services, report),
            fact::MAIL_ONLY => report.add(&text::MAIL_ONLY, "", [subject]),
            fact::CONFIG_WARNING => report.add(&text::CONFIG_WARNING, "", [value]),
            fact::NO_GROUP => report.add(&text::GROUP_UNRESOLVED, "", [value]),
            fact::PAST_DATE => report.add(&text::PAST_DATE, "", [dated(subject, value)]),
            fact::FEW_CODES if value == "0" => report.add(&text::NO_CODES, "", [subject]),
            fact::FEW_CODES => report.add(&text::FEW_CODES, "", [format!("{subject}: {value}")]),
            fact::LOCKED => report.add(&text::LOCKED, "", [subject]),
            fact::LAPSES => report.add(&text::LAPSES, "", [dated(subject, value)]),
            fact::CLOCK_BEHIND => {
                let behind = time::duration(value.parse().unwrap_or_default());
                report.add(&text::CLOCK_BEHIND, "", [behind]);
            }
            fact::SKEW => {
                report.add(&text::SKEW, "", [text::skew(subject, value.parse().unwrap_or_default())]);
            }
            fact::BACKUP => report.add(&text::BACKUP_OLD, "", [backup(value)]),
            fact::LOG_BROKEN => report.add(&text::LOG_BROKEN, "", [value]),
            fact::DAMAGE => report.add(&text::DAMAGE, "", [value]),
            fact::NOT_LOOKED_AT => report.add(&text::NOT_LOOKED_AT, subject, [value]),
            // A newer daemon knows more than we do.
            _ => {}
        }
    }
}

/// Somebody and a date; 0 is none.
fn dated(user: &str, seconds: &str) -> String {
    match seconds.parse() {
        Ok(0) | Err(_) => user.to_owned(),
        Ok(at) => format!("{user}: {}", time::utc(at)),
    }
}

fn backup(made: &str) -> String {
    match made.parse() {
        Ok(0) | Err(_) => text::NO_BACKUP.to_owned(),
        Ok(at) => time::utc(at),
    }
}

/// Services that a policy names and whose stack never asks us.
fn without_line(policy: &str, named: &str, services: &[Service], report: &mut Report) {
    // While nothing is switched on at all, that alone is worth saying.
    if !services.iter().any(Service::asks) {
        return;
    }
    for name in
        named.split(',').filter(|name| !name.is_empty() && *name != countersign_protocol::names::OWN_SERVICE)
    {
        let finding = match services.iter().find(|service| service.name == name) {
            Some(service) if service.asks() => continue,
            Some(_) => &text::POLICY_SERVICE,
            None => &text::POLICY_NO_SERVICE,
        };
        report.add(finding, name, [text::policy_names(policy, name)]);
    }
}
