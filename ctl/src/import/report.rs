//! What came of each authenticator: a table, JSON lines, and a file with what was refused.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::cli::ImportHow;
use crate::errors::Failure;
use crate::output::Output;
use crate::table::{Column, lines};
use crate::terminal::{Screen, complain, safe};
use crate::{json, text};

const COLUMNS: &[Column] = &[
    Column { title: "USER", narrowest: 8, rank: 0 },
    Column { title: "FROM", narrowest: 12, rank: 3 },
    Column { title: "RESULT", narrowest: 12, rank: 1 },
    Column { title: "WHY", narrowest: 20, rank: 2 },
];

/// What came of one authenticator. The words are those of `--json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Came {
    New,
    Present,
    Refused,
}

/// One line of the report. Holds no secret.
pub(super) struct Row {
    pub(super) user: String,
    pub(super) from: String,
    pub(super) came: Came,
    pub(super) why: String,
}

/// Everything that came of an import.
pub(super) struct Report {
    dry_run: bool,
    json: bool,
    rows: Vec<Row>,
    failures: Option<File>,
}

impl Report {
    /// Begins one; the file for failures is made before anything else is.
    pub(super) fn begin(how: &ImportHow) -> Result<Self, Failure> {
        let failures = how.failures.as_deref().map(new_file).transpose()?;
        Ok(Self { dry_run: how.dry_run, json: how.json, rows: Vec::new(), failures })
    }

    pub(super) fn add(&mut self, row: Row) -> Result<(), Failure> {
        if let (Some(file), Came::Refused) = (&mut self.failures, row.came) {
            let line = format!("{}\t{}\t{}\n", safe(&row.user), safe(&row.from), safe(&row.why));
            let wrote = file.write_all(line.as_bytes());
            wrote.map_err(|error| Failure::failed(text::failures_not_written(&error.to_string())))?;
        }
        if self.json {
            let mut out = Output::stdout();
            out.line(&json::imported(&row.user, &row.from, self.word(row.came), &row.why))?;
            out.flush()?;
        }
        self.rows.push(row);
        Ok(())
    }

    /// Shows what there is; `Err` with an empty message when something was refused.
    pub(super) fn end(self) -> Result<(), Failure> {
        let count = |came| self.rows.iter().filter(|row| row.came == came).count();
        let (new, refused) = (count(Came::New), count(Came::Refused));
        if !self.json {
            self.print(new, refused)?;
        }
        if refused > 0 { Err(Failure::failed(String::new())) } else { Ok(()) }
    }

    fn print(&self, new: usize, refused: usize) -> Result<(), Failure> {
        if self.rows.is_empty() {
            complain(text::NOTHING_FOUND);
            return Ok(());
        }
        let screen = Screen::stdout();
        let mut out = Output::stdout();
        let cell = |row: &Row| {
            vec![row.user.clone(), row.from.clone(), self.word(row.came).to_owned(), row.why.clone()]
        };
        let cells: Vec<_> = self.rows.iter().map(cell).collect();
        for line in lines(COLUMNS, &cells, screen) {
            out.line(&line)?;
        }
        // In a table that fits the terminal the reasons are cut.
        if refused > 0 && screen.width.is_some() {
            out.line(text::REFUSED_IN_FULL)?;
            for row in self.rows.iter().filter(|row| row.came == Came::Refused) {
                out.line(&screen.show(&format!("{} ({}): {}", row.user, row.from, row.why)))?;
            }
        }
        out.line("")?;
        out.line(&text::tally(self.dry_run, new, self.rows.len() - new - refused, refused))?;
        if new > 0 && !self.dry_run {
            out.line(text::OLD_FILES)?;
        }
        out.flush()
    }

    fn word(&self, came: Came) -> &'static str {
        match came {
            Came::New if self.dry_run => text::WOULD_IMPORT,
            Came::New => text::IMPORTED,
            Came::Present => text::PRESENT,
            Came::Refused => text::REFUSED,
        }
    }
}

/// A file that was not there before, for its owner alone. It holds names, which are nobody's business.
fn new_file(path: &Path) -> Result<File, Failure> {
    // O_EXCL follows no link either (open(2)).
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(|error| {
        Failure::failed(text::no_failures_file(&safe(&path.display().to_string()), &error.to_string()))
    })
}
