//! Tables that fit the terminal, and are whole when they go to a file or a pipe.

use crate::terminal::{Screen, columns, cut};

/// Between two columns.
const GAP: usize = 2;

/// One column of a table.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    pub(crate) title: &'static str,
    /// It is not made narrower than this, or than its widest cell where that is less.
    pub(crate) narrowest: usize,
    /// Where there is no room for all columns, the one with the highest number goes first.
    pub(crate) rank: u8,
}

/// The lines of a table, title line first. Cells may be anything; what comes out is safe to show.
pub(crate) fn lines(header: &[Column], rows: &[Vec<String>], screen: Screen) -> Vec<String> {
    let table = Table::new(header, rows, screen);
    [table.title()].into_iter().chain(rows.iter().map(|row| table.row(row))).collect()
}

/// A table whose rows come one after the other, and whose columns are as wide as its first rows want.
pub(crate) struct Table {
    titles: Vec<&'static str>,
    widths: Vec<Option<usize>>,
    screen: Screen,
    ink: bool,
}

impl Table {
    pub(crate) fn new(header: &[Column], first: &[Vec<String>], screen: Screen) -> Self {
        let titles = header.iter().map(|column| column.title).collect();
        let ink = screen.width.is_some() && terminal_has_colours();
        Self { titles, widths: widths(header, first, screen), screen, ink }
    }

    pub(crate) fn title(&self) -> String {
        line(&self.titles, &self.titles, &self.widths, self.screen, false)
    }

    pub(crate) fn row(&self, row: &[String]) -> String {
        let row: Vec<String> = row.iter().map(|cell| self.screen.show(cell)).collect();
        line(&self.titles, &row, &self.widths, self.screen, self.ink)
    }
}

fn widths(header: &[Column], rows: &[Vec<String>], screen: Screen) -> Vec<Option<usize>> {
    let rows: Vec<Vec<String>> =
        rows.iter().map(|row| row.iter().map(|cell| screen.show(cell)).collect()).collect();
    let natural: Vec<usize> = header
        .iter()
        .enumerate()
        .map(|(index, column)| {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| columns(cell));
            cells.chain([columns(column.title)]).max().unwrap_or_default()
        })
        .collect();
    match screen.width {
        None => natural.iter().copied().map(Some).collect(),
        Some(width) => fit(header, &natural, width),
    }
}

/// Whether colours are wanted (no-color.org) and known. They repeat what a word says, and never say it alone.
fn terminal_has_colours() -> bool {
    let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    let plain = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    !unwanted && !plain
}

const RED: &str = "\x1b[1;31m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// What must not be overlooked.
fn colour(title: &str, cell: &str) -> Option<&'static str> {
    match (title, cell) {
        ("STATE", "denied" | "locked") | ("DRAFT", "locked-out") => Some(RED),
        ("STATE", "would-ask" | "abandoned") | ("RESULT", "refused") => Some(YELLOW),
        ("LOCKED", cell) if !cell.is_empty() => Some(RED),
        ("BY NAME", "exempt") => Some(YELLOW),
        _ => None,
    }
}

/// The width of each column, `None` for those that are left out.
fn fit(header: &[Column], natural: &[usize], width: usize) -> Vec<Option<usize>> {
    let narrow = |index: usize| natural[index].min(header[index].narrowest.max(header[index].title.len()));
    let mut kept: Vec<usize> = (0..header.len()).collect();
    let needed = |kept: &[usize]| {
        kept.iter().map(|index| narrow(*index)).sum::<usize>() + GAP * kept.len().saturating_sub(1)
    };
    while kept.len() > 1 && needed(&kept) > width {
        let least = kept.iter().copied().max_by_key(|index| header[*index].rank);
        kept.retain(|index| Some(*index) != least);
    }
    // What is left over goes to the columns in the order of their rank: the important ones
    // are shown whole before the others grow.
    let mut spare = width.saturating_sub(needed(&kept));
    let mut widths = vec![None; header.len()];
    kept.sort_by_key(|index| header[*index].rank);
    for index in kept {
        let more = (natural[index] - narrow(index)).min(spare);
        spare -= more;
        widths[index] = Some((narrow(index) + more).min(width));
    }
    widths
}

fn line(
    titles: &[&str],
    cells: &[impl AsRef<str>],
    widths: &[Option<usize>],
    screen: Screen,
    ink: bool,
) -> String {
    let mut line = String::new();
    let mut owed = 0;
    for ((title, whole), width) in titles.iter().zip(cells).zip(widths) {
        let Some(width) = width else { continue };
        let whole = whole.as_ref();
        // What goes to a file is whole, also where the first rows were narrower.
        let room = if screen.width.is_none() { usize::MAX } else { *width };
        let cell = cut(whole, room, screen.utf8);
        // Blanks are written before the next cell, so that no line ends in them.
        if !cell.is_empty() {
            line.push_str(&" ".repeat(owed));
            owed = 0;
        }
        match colour(title, whole).filter(|_| ink && !cell.is_empty()) {
            Some(colour) => line.extend([colour, &cell, PLAIN]),
            None => line.push_str(&cell),
        }
        owed += width.saturating_sub(columns(&cell)) + GAP;
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER: &[Column] = &[
        Column { title: "TIME", narrowest: 8, rank: 0 },
        Column { title: "USER", narrowest: 6, rank: 1 },
        Column { title: "NOTE", narrowest: 4, rank: 2 },
    ];

    fn table(width: Option<usize>, utf8: bool) -> Vec<String> {
        let rows = [
            vec!["07:30:12".to_owned(), "alice\u{1b}[2J".to_owned(), "a longer note".to_owned()],
            vec!["07:30:13".to_owned(), "bob".to_owned(), String::new()],
        ];
        lines(HEADER, &rows, Screen { width, utf8 })
    }

    #[test]
    fn a_pipe_gets_everything() {
        assert_eq!(
            table(None, true),
            ["TIME      USER          NOTE", "07:30:12  alice\\x1b[2J  a longer note", "07:30:13  bob"]
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 1..60 {
            for utf8 in [true, false] {
                for line in table(Some(width), utf8) {
                    assert!(columns(&line) <= width, "{width}: {line:?}");
                }
            }
        }
    }

    #[test]
    fn important_columns_stay_longest() {
        assert_eq!(table(Some(24), true)[1], "07:30:12  alice\\x…  a l…");
        assert_eq!(table(Some(18), true)[1], "07:30:12  alice\\x…");
        assert_eq!(table(Some(10), true)[1], "07:30:12");
        assert_eq!(table(Some(4), false)[1], "0...");
    }
}
