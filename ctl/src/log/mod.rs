//! `log [USER]`: the attempt log, newest first; and what belongs to it.

mod accept;
mod acts;
mod follow;
mod verify;

use countersign_protocol::manager::{Login, ManagerProxy, WhichLogins};

use crate::cli::{Log, LogVerb, Logins};
use crate::date::Date;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::table::{Column, Table};
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

/// What can be refused without the daemon.
pub(crate) fn refuse_early(args: &Log) -> Result<(), Failure> {
    match &args.verb {
        Some(LogVerb::Accept(args)) => accept::refuse_early(args),
        Some(LogVerb::Acts(_) | LogVerb::Verify(_)) | None => Ok(()),
    }
}

pub(crate) async fn run(manager: &ManagerProxy<'static>, bus: &str, args: Log) -> Result<(), Failure> {
    match args.verb {
        Some(LogVerb::Acts(args)) => acts::run(manager, args).await,
        Some(LogVerb::Verify(args)) => verify::run(manager, &args).await,
        Some(LogVerb::Accept(args)) => accept::run(manager, &args).await,
        None if args.logins.follow => follow::run(manager, bus, args.logins).await,
        None => list(manager, args.logins).await,
    }
}

async fn list(manager: &ManagerProxy<'_>, args: Logins) -> Result<(), Failure> {
    let (limit, usual, json) = (args.limit, args.limit.is_none(), args.json);
    let limit = limit.unwrap_or(if json { u64::MAX } else { USUAL_LIMIT });
    let which = which(args)?;
    let mut out = Output::stdout();
    let mut pages = Pages { left: limit, from: (0, 0), last: 0 };
    // As wide as the first page wants: nobody waits for a million rows to see the first.
    let mut table = None;
    let progress = Progress::beside_output(text::READING_LOG);
    let mut rows_so_far = 0;
    while let Some(page) = pages.next(manager, &which).await? {
        rows_so_far += page.len();
        progress.at(text::so_many(text::READING_LOG, rows_so_far));
        if json {
            for login in &page {
                out.line(&json::login(login))?;
            }
        } else {
            let rows: Vec<_> = page.iter().map(row).collect();
            if table.is_none() && !rows.is_empty() {
                let first = Table::new(COLUMNS, &rows, Screen::stdout());
                out.line(&first.title())?;
                table = Some(first);
            }
            for row in &rows {
                let Some(table) = &table else { break };
                out.line(&table.row(row))?;
            }
        }
        out.flush()?;
    }
    drop(progress);
    if !json && table.is_none() {
        complain(text::NO_LOGINS);
    } else if !json && usual && pages.left == 0 {
        complain(&text::newest_only(USUAL_LIMIT));
    }
    Ok(())
}

/// What the daemon is asked for.
fn which(args: Logins) -> Result<WhichLogins, Failure> {
    let user = match args.user.or(args.user_option) {
        None if args.all || rustix::process::geteuid().is_root() => String::new(),
        user => Whom::of(user)?.user,
    };
    Ok(WhichLogins {
        user,
        since: args.since.map_or(0, Date::start).max(0),
        until: args.until.map_or(0, Date::end).max(0),
        states: args.state,
        service: args.service.unwrap_or_default(),
        from: args.from.unwrap_or_default(),
        policy: args.policy.unwrap_or_default(),
    })
}

/// Where the reading of the log stands.
struct Pages {
    left: u64,
    from: (i64, i64),
    last: i64,
}

impl Pages {
    /// The next rows, which may be none; `None` at the end or at the limit.
    async fn next(
        &mut self,
        manager: &ManagerProxy<'_>,
        which: &WhichLogins,
    ) -> Result<Option<Vec<Login>>, Failure> {
        if self.left == 0 || self.from.0 < 0 {
            return Ok(None);
        }
        let asked = u32::try_from(self.left.min(PAGE)).unwrap_or(u32::MAX);
        let (page, next) = manager.log(which, self.from, asked).await?;
        let strange = |what| Err(Failure::new(Exit::Unavailable, text::strange_answer(what)));
        // Ids that do not fall would have us ask for ever.
        for login in &page {
            if login.id <= 0 || (self.last != 0 && login.id >= self.last) {
                return strange(text::WRONG_ORDER);
            }
            self.last = login.id;
        }
        if page.len() as u64 > self.left {
            return strange(text::TOO_MANY);
        }
        if next != (0, 0) && self.from != (0, 0) && next.0 >= self.from.0 {
            return strange(text::WRONG_ORDER);
        }
        self.left -= page.len() as u64;
        self.from = if next == (0, 0) { (-1, 0) } else { next };
        Ok(Some(page))
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
    use crate::table::lines;

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
