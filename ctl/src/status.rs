//! `status [USER]`: the daemon, or one person.

use countersign_protocol::manager::{ManagerProxy, Person};

use crate::cli::Status;
use crate::errors::Failure;
use crate::output::Output;
use crate::table::{Column, lines};
use crate::terminal::Screen;
use crate::{text, time};

const FACTORS: &[Column] = &[
    Column { title: "FACTOR", narrowest: 8, rank: 0 },
    Column { title: "NAME", narrowest: 8, rank: 3 },
    Column { title: "ENROLLED", narrowest: 20, rank: 2 },
    Column { title: "LAST USED", narrowest: 20, rank: 1 },
    Column { title: "LEFT", narrowest: 4, rank: 0 },
];

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Status) -> Result<(), Failure> {
    let screen = Screen::stdout();
    let mut out = Output::stdout();
    match args.user {
        None => {
            let (version, config, hash, people) = manager.host_status().await?;
            let show = |text: &str| screen.show(text);
            out.line(&text::host(&show(&version), &show(&config), &show(&hash), people))?;
        }
        Some(user) => {
            let person = manager.status(&user).await?;
            for line in person_lines(&person, screen) {
                out.line(&line)?;
            }
        }
    }
    out.flush()
}

fn person_lines(person: &Person, screen: Screen) -> Vec<String> {
    let mut shown = vec![text::person(
        &screen.show(&person.user),
        person.uid,
        person.failures,
        &last_verified(person.last_verified),
    )];
    shown.extend(person.locks.iter().map(|lock| text::lock(&screen.show(&lock.lane), &opens(lock.seconds))));
    if person.factors.is_empty() {
        shown.push(text::no_factor(&screen.show(&person.user)));
        return shown;
    }
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
    shown.push(String::new());
    shown.extend(lines(FACTORS, &rows, screen));
    shown
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
    use countersign_protocol::manager::{Factor, Lock};

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
        };
        let shown = person_lines(&person, Screen { width: Some(80), utf8: true }).join("\n");
        assert!(shown.contains("40 s"), "{shown}");
        assert!(shown.contains("never"), "{shown}");
        assert!(shown.contains("8"), "{shown}");
        assert!(!shown.contains('\u{1b}'));
        assert!(shown.lines().all(|line| line.chars().count() <= 80), "{shown}");
    }
}
