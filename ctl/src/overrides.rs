//! What administrators decided of single persons: the list, and agreeing to what weakens.

use countersign_protocol::manager::{ManagerProxy, Override};

use crate::errors::Failure;
use crate::output::Output;
use crate::table::{Column, lines};
use crate::terminal::{Screen, ask, complain, read_line, safe};
use crate::{json, text, time};

/// The daemon's word for an exemption.
pub(crate) const EXEMPT: &str = "exempt";
/// The daemon's word for a lock.
pub(crate) const LOCK: &str = "lock";
/// The daemon's word for a requirement.
pub(crate) const REQUIRE: &str = "require";

const COLUMNS: &[Column] = &[
    Column { title: "USER", narrowest: 8, rank: 0 },
    Column { title: "UID", narrowest: 5, rank: 5 },
    Column { title: "UNTIL", narrowest: 20, rank: 1 },
    Column { title: "LEFT", narrowest: 4, rank: 2 },
    Column { title: "BY", narrowest: 8, rank: 3 },
    Column { title: "SINCE", narrowest: 20, rank: 6 },
    Column { title: "REASON", narrowest: 12, rank: 4 },
];

/// Lists those of one kind.
pub(crate) async fn list(manager: &ManagerProxy<'_>, what: &str, as_json: bool) -> Result<(), Failure> {
    let all = manager.overrides().await?;
    let those: Vec<&Override> = all.iter().filter(|one| one.what == what).collect();
    let mut out = Output::stdout();
    if as_json {
        for one in those {
            out.line(&json::one_override(one))?;
        }
        return out.flush();
    }
    if those.is_empty() {
        complain(match what {
            EXEMPT => text::NOBODY_EXEMPT,
            LOCK => text::NOBODY_LOCKED,
            _ => text::NOBODY_REQUIRED,
        });
        return Ok(());
    }
    // A lock has no end of its own.
    let shown = |title: &str| what != LOCK || (title != "UNTIL" && title != "LEFT");
    let columns: Vec<Column> = COLUMNS.iter().copied().filter(|column| shown(column.title)).collect();
    let cells = |one: &Override| {
        let whole = COLUMNS.iter().zip(row(one));
        whole.filter(|(column, _)| shown(column.title)).map(|(_, cell)| cell).collect()
    };
    let rows: Vec<Vec<String>> = those.into_iter().map(cells).collect();
    for line in lines(&columns, &rows, Screen::stdout()) {
        out.line(&line)?;
    }
    out.flush()
}

fn row(one: &Override) -> Vec<String> {
    let (until, left) = match one.until {
        0 => (text::AT_ONCE.to_owned(), String::new()),
        until => (text::until(until), time::duration(one.left)),
    };
    vec![
        one.user.clone(),
        one.uid.to_string(),
        until,
        left,
        owner(one),
        time::utc(one.made),
        one.reason.clone(),
    ]
}

/// Who decided it.
pub(crate) fn owner(one: &Override) -> String {
    if one.by.is_empty() { text::uid(one.by_uid) } else { one.by.clone() }
}

/// One of them in a sentence; what is not ours is shown safely.
pub(crate) fn sentence(one: &Override, screen: Screen) -> String {
    let show = |text: &str| screen.show(text);
    text::overridden(&one.what, &text::until_or_at_once(one.until), &show(&owner(one)), &show(&one.reason))
}

/// Asks, and ends here unless the answer is yes.
pub(crate) fn agree(question: &str, otherwise: &str) -> Result<(), Failure> {
    ask(question);
    let answer =
        read_line().map_err(|error| Failure::failed(text::cannot_read(&safe(&error.to_string()))))?;
    if answer.is_none_or(|line| line.trim_ascii() != b"yes") {
        return Err(Failure::failed(otherwise));
    }
    Ok(())
}
