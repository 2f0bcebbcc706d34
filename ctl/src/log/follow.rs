//! `log --follow`: new logins as they finish, over a restart of the daemon and of the bus, until somebody
//! ends it or nobody reads it any more.

use std::collections::VecDeque;
use std::time::Duration;

use countersign_protocol::manager::{Login, ManagerProxy};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::{COLUMNS, PAGE, Pages, row, which};
use crate::cli::Logins;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::table::Table;
use crate::terminal::Screen;
use crate::{bus, json};

/// How often the daemon is asked.
const PAUSE: Duration = Duration::from_millis(500);
/// What is shown of before.
const USUAL_LIMIT: u64 = 10;
/// Logins that are known to have been shown. The daemon tells of one again when it is changed later.
const REMEMBERED: usize = 4096;

struct Shown {
    out: Output,
    table: Option<Table>,
    ids: VecDeque<i64>,
}

pub(super) async fn run(manager: &ManagerProxy<'static>, bus: &str, args: Logins) -> Result<(), Failure> {
    let limit = args.limit.unwrap_or(USUAL_LIMIT);
    let json = args.json;
    let which = which(args)?;
    // Where to go on comes first: what finishes meanwhile is shown by both, and once.
    let (_, mut after) = manager.follow_log(&which, -1, 1).await?;
    let mut before = Vec::new();
    let mut pages = Pages { left: limit, from: (0, 0), last: 0 };
    while let Some(page) = pages.next(manager, &which).await? {
        // Those that go on are shown when they are over.
        before.extend(page.into_iter().filter(|login| login.state != "asked"));
    }
    before.reverse();
    let mut shown = Shown { out: Output::stdout(), table: None, ids: VecDeque::new() };
    if !json {
        let rows: Vec<_> = before.iter().map(row).chain([usual()]).collect();
        let table = Table::new(COLUMNS, &rows, Screen::stdout());
        shown.out.line(&table.title())?;
        shown.table = Some(table);
    }
    shown.add(&before)?;
    let mut manager = manager.clone();
    loop {
        let limit = u32::try_from(PAGE).unwrap_or(u32::MAX);
        match manager.follow_log(&which, after, limit).await.map_err(Failure::from) {
            Ok((logins, next)) => {
                shown.add(&logins)?;
                let more = next > after && !logins.is_empty();
                after = next;
                if more {
                    continue;
                }
            }
            // It comes back, and the bus too.
            Err(failure) if failure.is(Exit::Unavailable) => {
                if let Ok(anew) = bus::connect(bus).await {
                    manager = anew;
                }
            }
            Err(failure) => return Err(failure),
        }
        if nobody_reads() {
            return Ok(());
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Shown {
    fn add(&mut self, logins: &[Login]) -> Result<(), Failure> {
        for login in logins {
            if self.ids.contains(&login.id) {
                continue;
            }
            self.ids.push_back(login.id);
            if self.ids.len() > REMEMBERED {
                self.ids.pop_front();
            }
            match &self.table {
                Some(table) => self.out.line(&table.row(&row(login)))?,
                None => self.out.line(&json::login(login))?,
            }
        }
        self.out.flush()
    }
}

/// A row as wide as they usually are, for a table that begins empty.
fn usual() -> Vec<String> {
    [
        "2026-11-22 07:30:12Z",
        "a-login-name",
        "sshd",
        "198.51.100.200",
        "abandoned",
        "wrong-code",
        "recovery",
        "1",
        "everyone else",
        "yes",
        "2026-11-22 07:30:12Z",
        "",
        "sshd",
        "ssh",
        "10000",
        "1000000",
    ]
    .map(str::to_owned)
    .to_vec()
}

/// Whether the other end of standard output is closed: nothing need be written to find out.
fn nobody_reads() -> bool {
    let stdout = std::io::stdout();
    let mut ends = [PollFd::new(&stdout, PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut ends, Some(&now)).is_ok() && ends[0].revents().intersects(PollFlags::ERR | PollFlags::HUP)
}
