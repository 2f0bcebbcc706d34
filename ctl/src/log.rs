//! `log [USER]`: the attempt log, newest first.

use countersign_protocol::manager::{Login, ManagerProxy};

use crate::cli::Log;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::table::{Column, lines};
use crate::terminal::{Screen, complain};
use crate::whom::Whom;
use crate::{json, status, text, time};

/// Rows asked for at once: a message stays small, and the daemon answers logins in between.
const PAGE: u64 = 200;
/// What somebody reads at a time; a program with --json wants everything.
const USUAL_LIMIT: u64 = 100;

const COLUMNS: &[Column] = &[
    Column { title: "STARTED", narrowest: 20, rank: 0 },
    Column { title: "USER", narrowest: 8, rank: 1 },
    Column { title: "SERVICE", narrowest: 7, rank: 3 },
    Column { title: "SOURCE", narrowest: 15, rank: 4 },
    Column { title: "STATE", narrowest: 9, rank: 2 },
    Column { title: "REASON", narrowest: 10, rank: 5 },
    Column { title: "FACTOR", narrowest: 8, rank: 6 },
    Column { title: "TRIES", narrowest: 5, rank: 7 },
    Column { title: "POLICY", narrowest: 9, rank: 8 },
    Column { title: "CONFIRMED", narrowest: 9, rank: 9 },
    Column { title: "LAST TRY", narrowest: 20, rank: 10 },
    Column { title: "RUSER", narrowest: 8, rank: 11 },
    Column { title: "PROGRAM", narrowest: 8, rank: 12 },
    Column { title: "TTY", narrowest: 6, rank: 13 },
    Column { title: "UID", narrowest: 5, rank: 14 },
    Column { title: "ID", narrowest: 5, rank: 15 },
];

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: Log) -> Result<(), Failure> {
    let user = match args.user {
        None if rustix::process::geteuid().is_root() => String::new(),
        user => Whom::of(user)?.user,
    };
    let limit = args.limit.unwrap_or(if args.json { u64::MAX } else { USUAL_LIMIT });
    let mut out = Output::stdout();
    let mut rows = Vec::new();
    let mut pages = Pages { left: limit, before: 0 };
    while let Some(page) = pages.next(manager, &user).await? {
        for login in &page {
            if args.json {
                out.line(&json::login(login))?;
            } else {
                rows.push(row(login));
            }
        }
    }
    if !args.json {
        if rows.is_empty() {
            complain(text::NO_LOGINS);
            return Ok(());
        }
        for line in lines(COLUMNS, &rows, Screen::stdout()) {
            out.line(&line)?;
        }
    }
    out.flush()?;
    if !args.json && args.limit.is_none() && pages.left == 0 {
        complain(&text::newest_only(USUAL_LIMIT));
    }
    Ok(())
}

/// Where the reading of the log stands.
struct Pages {
    left: u64,
    before: i64,
}

impl Pages {
    /// The next rows; `None` at the end or at the limit.
    async fn next(&mut self, manager: &ManagerProxy<'_>, user: &str) -> Result<Option<Vec<Login>>, Failure> {
        if self.left == 0 {
            return Ok(None);
        }
        let asked = self.left.min(PAGE);
        let asked = u32::try_from(asked).unwrap_or(u32::MAX);
        let page = manager.log(user, self.before, asked).await?;
        // Ids that do not fall would have us ask for ever.
        for login in &page {
            if login.id <= 0 || (self.before != 0 && login.id >= self.before) {
                return Err(Failure::new(Exit::Unavailable, text::strange_answer(text::WRONG_ORDER)));
            }
            self.before = login.id;
        }
        if page.len() as u64 > self.left {
            return Err(Failure::new(Exit::Unavailable, text::strange_answer(text::TOO_MANY)));
        }
        self.left -= page.len() as u64;
        Ok((!page.is_empty()).then_some(page))
    }
}

fn row(login: &Login) -> Vec<String> {
    vec![
        time::utc(login.started),
        login.user.clone(),
        login.service.clone(),
        login.source.clone(),
        login.state.clone(),
        login.reason.clone(),
        login.factor.clone(),
        login.tries.to_string(),
        login.policy.clone(),
        if login.confirmed { text::YES.to_owned() } else { text::NO.to_owned() },
        status::last_verified(login.last_try),
        login.ruser.clone(),
        login.program.clone(),
        login.tty.clone(),
        if login.uid < 0 { String::new() } else { login.uid.to_string() },
        login.id.to_string(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_a_cell_for_each_column() {
        assert_eq!(row(&json::tests::example()).len(), COLUMNS.len());
    }

    #[test]
    fn eighty_columns_hold_what_matters() {
        let rows = [row(&json::tests::example())];
        let shown = lines(COLUMNS, &rows, Screen { width: Some(80), utf8: true });
        assert!(shown[0].starts_with("STARTED"), "{shown:?}");
        for word in ["USER", "STATE", "SERVICE", "SOURCE", "REASON"] {
            assert!(shown[0].contains(word), "{shown:?}");
        }
        assert!(shown.iter().all(|line| line.chars().count() <= 80), "{shown:?}");
    }
}
