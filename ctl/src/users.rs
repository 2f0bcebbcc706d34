//! `users`: the people that the daemon knows, by uid.

use countersign_protocol::manager::{ManagerProxy, Person};

use crate::cli::Users;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::status::last_verified;
use crate::table::{Column, lines};
use crate::terminal::{Screen, complain};
use crate::{json, text};

/// People asked for at once.
const PAGE: u32 = 200;

const COLUMNS: &[Column] = &[
    Column { title: "USER", narrowest: 8, rank: 0 },
    Column { title: "UID", narrowest: 5, rank: 3 },
    Column { title: "FACTORS", narrowest: 16, rank: 1 },
    Column { title: "LOCKED", narrowest: 6, rank: 2 },
    Column { title: "BY NAME", narrowest: 8, rank: 4 },
    Column { title: "FAILURES", narrowest: 8, rank: 6 },
    Column { title: "LAST VERIFIED", narrowest: 20, rank: 5 },
];

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Users) -> Result<(), Failure> {
    let mut out = Output::stdout();
    let mut rows = Vec::new();
    let mut after: Option<u32> = None;
    let progress = if args.json {
        Progress::beside_output(text::READING_PEOPLE)
    } else {
        Progress::of(text::READING_PEOPLE)
    };
    let mut seen = 0;
    loop {
        let page = manager.users(after.is_none(), after.unwrap_or(0), PAGE).await?;
        if page.is_empty() {
            break;
        }
        seen += page.len();
        progress.at(text::so_many(text::READING_PEOPLE, seen));
        for person in &page {
            // Uids that do not grow would have us ask for ever.
            if after.is_some_and(|before| person.uid <= before) {
                let said = text::strange_answer(text::WRONG_ORDER);
                return Err(Failure::new(Exit::Unavailable, said));
            }
            after = Some(person.uid);
            if args.json {
                out.line(&json::person(person))?;
            } else {
                rows.push(row(person));
            }
        }
    }
    drop(progress);
    if !args.json {
        if rows.is_empty() {
            complain(text::NO_USERS);
            return Ok(());
        }
        for line in lines(COLUMNS, &rows, Screen::stdout()) {
            out.line(&line)?;
        }
    }
    out.flush()
}

fn row(person: &Person) -> Vec<String> {
    let lanes: Vec<&str> = person.locks.iter().map(|lock| lock.lane.as_str()).collect();
    vec![
        person.user.clone(),
        person.uid.to_string(),
        factors(person),
        lanes.join(", "),
        by_name(person),
        person.failures.to_string(),
        last_verified(person.last_verified),
    ]
}

/// What decides about a person beside the policies: `exempt`, `require` or nothing.
fn by_name(person: &Person) -> String {
    person.overrides.first().map(|one| one.what.clone()).unwrap_or_default()
}

/// `totp, recovery (8 left)`.
pub(crate) fn factors(person: &Person) -> String {
    let named: Vec<String> = person
        .factors
        .iter()
        .map(|factor| match factor.kind.as_str() {
            "recovery" => text::recovery_left(factor.left),
            kind => kind.to_owned(),
        })
        .collect();
    match (named.is_empty(), person.grace.until) {
        (false, _) => named.join(", "),
        (true, 0) => text::NONE.to_owned(),
        (true, until) => text::grace_part(&crate::time::utc(until), person.grace.laters),
    }
}
