//! `status [USER]`: the daemon, or one person.

use countersign_protocol::manager::{Address, ManagerProxy, Person};

use crate::cli::Status;
use crate::errors::Failure;
use crate::output::Output;
use crate::table::{Column, lines};
use crate::terminal::Screen;
use crate::whom::Whom;
use crate::{enable, json, overrides, text, time};

const FACTORS: &[Column] = &[
    Column { title: "FACTOR", narrowest: 8, rank: 0 },
    Column { title: "NAME", narrowest: 8, rank: 3 },
    Column { title: "ENROLLED", narrowest: 20, rank: 2 },
    Column { title: "LAST USED", narrowest: 20, rank: 1 },
    Column { title: "LEFT", narrowest: 4, rank: 0 },
];

/// Seconds that dates may be ahead of the clock before it is worth a warning.
const BEHIND: i64 = 86_400;

const CONFIRMED: &[Column] = &[
    Column { title: "SERVICE", narrowest: 8, rank: 1 },
    Column { title: "SOURCE", narrowest: 15, rank: 0 },
    Column { title: "CONFIRMED", narrowest: 20, rank: 2 },
];

const NOTICES: &[Column] = &[
    Column { title: "WHEN", narrowest: 20, rank: 2 },
    Column { title: "WHAT", narrowest: 15, rank: 0 },
    Column { title: "DETAIL", narrowest: 15, rank: 1 },
    Column { title: "TOLD", narrowest: 7, rank: 3 },
];

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Status) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let mut out = Output::stdout();
    let user = match args.user {
        None if rustix::process::geteuid().is_root() => None,
        user => Some(Whom::of(user)?.user),
    };
    match user {
        None => {
            let (version, config, hash, people, behind) = manager.host_status().await?;
            if args.json {
                out.line(&json::host(&version, &config, &hash, people, behind))?;
            } else {
                out.line(&host(&version, &config, &hash, people, screen))?;
                // What is not confirmed is taken back soon; unreadable records are doctor's matter.
                for one in enable::enabled().unwrap_or_default() {
                    out.line(&text::enable::status_line(&one.service, one.since, one.unconfirmed))?;
                }
                if behind > BEHIND {
                    out.line(&text::clock_behind(&time::duration(behind)))?;
                }
            }
        }
        Some(user) => {
            let person = manager.status(&user).await?;
            if args.json {
                out.line(&json::person_in_full(&person))?;
                return out.flush();
            }
            for line in person_lines(&person, screen) {
                out.line(&line)?;
            }
        }
    }
    out.flush()
}

/// The daemon. What follows the first line of its words is why the file on disk is not what is in
/// force, a line for each reason; it stands last, where it is seen.
fn host(version: &str, config: &str, hash: &str, people: u64, screen: Screen) -> String {
    let show = |text: &str| screen.show(text);
    let mut words = config.lines();
    let in_force = words.next().unwrap_or_default();
    let mut shown = text::host(&show(version), &show(in_force), &show(hash), people);
    if let Some(what) = words.next() {
        let reasons: Vec<String> = words.map(|reason| text::part(&show(reason))).collect();
        shown.push('\n');
        shown.push_str(&text::trouble(&show(what), &reasons.join("\n")));
    }
    shown
}

fn person_lines(person: &Person, screen: Screen) -> Vec<String> {
    let mut shown = vec![text::person(
        &screen.show(&person.user),
        person.uid,
        person.failures,
        &last_verified(person.last_verified),
    )];
    // An administrator's stands below, with who and why.
    let locks = person.locks.iter().filter(|lock| lock.lane != "administrator");
    shown.extend(locks.map(|lock| text::lock(&screen.show(&lock.lane), &opens(lock.seconds))));
    let decided = person.overrides.iter().map(|one| overrides::sentence(one, screen));
    shown.extend(decided.map(|sentence| text::overridden_line(&sentence)));
    shown.extend(person.addresses.iter().map(|one| address_line(one, screen)));
    if person.factors.is_empty() {
        shown.push(text::no_factor(&screen.show(&person.user)));
        if person.grace.until != 0 {
            shown.push(text::grace_line(&time::utc(person.grace.until), person.grace.laters));
        }
    } else {
        shown.push(String::new());
        shown.extend(factor_lines(person, screen));
    }
    if !person.confirmed.is_empty() {
        shown.push(text::confirmed_from(&screen.show(&person.user)));
        let rows: Vec<Vec<String>> = person
            .confirmed
            .iter()
            .map(|one| vec![one.service.clone(), one.source.clone(), time::utc(one.at)])
            .collect();
        shown.extend(lines(CONFIRMED, &rows, screen));
    }
    if !person.notices.is_empty() {
        shown.push(text::NOTICES.to_owned());
        let rows: Vec<Vec<String>> = person
            .notices
            .iter()
            .map(|one| vec![time::utc(one.at), one.kind.clone(), one.detail.clone(), told(one.told)])
            .collect();
        shown.extend(lines(NOTICES, &rows, screen));
    }
    shown
}

/// One address, and why it is one.
pub(crate) fn address_line(one: &Address, screen: Screen) -> String {
    let by = screen.show(&one.by);
    let why = match one.source.as_str() {
        "set" => text::email::set_by(&by, &time::utc(one.confirmed)),
        "waits" => text::email::waits(&by),
        "record" => text::email::FROM_RECORD.to_owned(),
        "pattern" => text::email::FROM_PATTERN.to_owned(),
        other => screen.show(other),
    };
    text::email::address_line(&screen.show(&one.address), &why)
}

/// Whether a login told it.
fn told(seconds: i64) -> String {
    if seconds == 0 { text::NOT_TOLD.to_owned() } else { text::TOLD.to_owned() }
}

fn factor_lines(person: &Person, screen: Screen) -> Vec<String> {
    let rows: Vec<Vec<String>> = person
        .factors
        .iter()
        .map(|factor| {
            let left = if factor.kind == "recovery" { factor.left.to_string() } else { "".into() };
            vec![
                factor.kind.clone(),
                factor.name.clone(),
                time::utc(factor.created),
                last_verified(factor.last_used),
                left,
            ]
        })
        .collect();
    lines(FACTORS, &rows, screen)
}

/// A time, or "never".
pub(crate) fn last_verified(seconds: i64) -> String {
    if seconds == 0 { text::NEVER.to_owned() } else { time::utc(seconds) }
}

fn opens(seconds: i64) -> String {
    if seconds < 0 { text::UNTIL_UNLOCKED.to_owned() } else { text::opens_in(&time::duration(seconds)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_protocol::manager::{Confirmed, Factor, Grace, Lock, Notice, Override};

    #[test]
    fn a_locked_person_with_two_factors() {
        let factor = |kind: &str, left| Factor {
            kind: kind.into(),
            name: "phone\u{1b}[2J".into(),
            created: 0,
            last_used: 0,
            left,
        };
        let person = Person {
            user: "alice".into(),
            uid: 1000,
            factors: vec![factor("totp", 0), factor("recovery", 8)],
            locks: vec![Lock { lane: "other".into(), seconds: 40 }, Lock { lane: "all".into(), seconds: -1 }],
            failures: 5,
            last_verified: 0,
            confirmed: vec![],
            notices: vec![],
            overrides: vec![],
            grace: Grace::default(),
            addresses: vec![],
        };
        let shown = person_lines(&person, Screen { width: Some(80), utf8: true }).join("\n");
        assert!(shown.contains("40 s"), "{shown}");
        assert!(shown.contains("never"), "{shown}");
        assert!(shown.contains("8"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }

    const SCREEN: Screen = Screen { width: Some(80), utf8: true };

    #[test]
    fn somebody_whose_places_are_remembered() {
        let person = Person {
            user: "alice".into(),
            uid: 1000,
            factors: vec![],
            locks: vec![],
            failures: 0,
            last_verified: 1_795_332_612,
            confirmed: vec![
                Confirmed { service: "sshd".into(), source: "192.0.2.7\u{1b}".into(), at: 1_795_332_612 },
                Confirmed { service: "login".into(), source: "local".into(), at: 1_795_332_600 },
            ],
            notices: vec![
                Notice {
                    at: 1_795_332_612,
                    kind: "reset-requested".into(),
                    detail: "3 carol: phone\u{1b}[2J lost".into(),
                    told: 0,
                },
                Notice {
                    at: 1_795_332_600,
                    kind: "enrolled".into(),
                    detail: "app".into(),
                    told: 1_795_332_612,
                },
            ],
            overrides: vec![Override {
                user: "alice".into(),
                uid: 1000,
                what: "require".into(),
                until: 0,
                left: 0,
                reason: String::new(),
                by: String::new(),
                by_uid: 5,
                made: 1_795_332_612,
            }],
            grace: Grace { until: 1_795_332_800, laters: 2 },
            addresses: [("set", "alice"), ("pattern", ""), ("record", ""), ("waits", "carol\u{1b}")]
                .map(|(source, by)| Address {
                    address: "a***e@example.org".into(),
                    source: source.into(),
                    confirmed: 1_795_332_612,
                    by: by.into(),
                })
                .into(),
        };
        assert_eq!(
            person_lines(&person, SCREEN).join("\n"),
            "user           alice (uid 1000)\n\
             last verified  2026-11-22 07:30:12Z\n\
             wrong answers  0 in a row\n\
             by name        a second factor is required at once, by uid 5\n\
             address        a***e@example.org, set by alice, confirmed 2026-11-22 07:30:12Z\n\
             address        a***e@example.org, made of the name by a policy\n\
             address        a***e@example.org, from the user record\n\
             address        a***e@example.org, asked for by carol\\x1b, waits for its code\n\
             factors        none. To enroll:  countersignctl enroll alice\n\
             without one    until 2026-11-22 07:33:20Z, 2 times so far\n\
             \n\
             Logins confirmed since this host started. A policy with `remember` lets alice\n\
             pass unasked from there for so long. To end that:  countersignctl forget alice\n\
             \n\
             SERVICE  SOURCE         CONFIRMED\n\
             sshd     192.0.2.7\\x1b  2026-11-22 07:30:12Z\n\
             login    local          2026-11-22 07:30:00Z\n\
             \n\
             What happened, newest first.\n\
             \n\
             WHEN                  WHAT             DETAIL                      TOLD\n\
             2026-11-22 07:30:12Z  reset-requested  3 carol: phone\\x1b[2J lost  not yet\n\
             2026-11-22 07:30:00Z  enrolled         app                         yes"
        );
    }

    #[test]
    fn a_file_that_is_not_in_force_is_said_last_and_loud() {
        let config = "2 policies in force\nthe policy file is NOT in force:\n\
                      f.toml:3:1: x; y\nf.toml:4:1: \u{1b}";
        assert_eq!(
            host("0.1.0", config, "ab12", 2, SCREEN),
            "countersignd   0.1.0\n\
             configuration  2 policies in force\n\
             policy hash    ab12\n\
             enrolled       2\n\
             \n\
             WARNING: the policy file is NOT in force:\n    f.toml:3:1: x; y\n    f.toml:4:1: \\x1b\n\
             What would be applied, and why not:  countersignctl policy apply --dry-run"
        );
        assert!(!host("0.1.0", "1 policy in force", "ab12", 2, SCREEN).contains("WARNING"));
    }
}
