//! The terminal: what it can show, what it must never be sent, and lines typed at it.

use std::borrow::Cow;
use std::fs::File;
use std::io::{IsTerminal, Read, Write};
use std::os::fd::AsFd;

use zeroize::Zeroizing;

use crate::errors::Failure;
use crate::text;

/// Columns where the terminal does not say.
const USUAL_WIDTH: usize = 80;
/// The longest line that is read: far more than any code or answer.
const LONGEST_LINE: usize = 256;

/// What standard output can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Screen {
    /// Columns; `None` when it is no terminal and lines may be as long as they are.
    pub(crate) width: Option<usize>,
    /// Whether characters beyond ASCII arrive.
    pub(crate) utf8: bool,
}

impl Screen {
    /// Standard output as it is now.
    pub(crate) fn stdout() -> Self {
        let stdout = std::io::stdout();
        let width = stdout.is_terminal().then(|| {
            rustix::termios::tcgetwinsize(&stdout).map_or(USUAL_WIDTH, |size| usize::from(size.ws_col))
        });
        let width = width.map(|width| if width == 0 { USUAL_WIDTH } else { width });
        Self { width, utf8: locale_is_utf8() }
    }

    /// `text` as this screen can show it.
    pub(crate) fn show(self, text: &str) -> String {
        let shown = safe(text);
        if self.utf8 {
            return shown;
        }
        shown.chars().map(|c| if c.is_ascii() { c } else { '?' }).collect()
    }
}

/// By the first of LC_ALL, LC_CTYPE and LANG that says anything (POSIX XBD 8.2).
fn locale_is_utf8() -> bool {
    let named = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty());
    named.is_some_and(|value| {
        let value = value.to_string_lossy().to_ascii_lowercase();
        value.contains("utf-8") || value.contains("utf8")
    })
}

/// `text` without anything that a terminal would obey: escapes stand in their place.
pub(crate) fn safe(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match u32::from(c) {
            _ if !is_unprintable(c) => shown.push(c),
            code @ ..=0xff => shown.push_str(&format!("\\x{code:02x}")),
            code => shown.push_str(&format!("\\u{{{code:x}}}")),
        }
    }
    shown
}

/// C0, DEL, C1, line separators, and what changes the direction of writing or shows nothing.
pub(crate) fn is_unprintable(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{061C}'
                | '\u{200B}'
                | '\u{200E}'..='\u{200F}'
                | '\u{2028}'..='\u{202E}'
                | '\u{2060}'..='\u{206F}'
                | '\u{FEFF}'
                | '\u{FFF9}'..='\u{FFFB}'
        )
}

/// Columns that lines on standard error are broken at; `None` where nobody sees them break: a log and `grep`
/// get each line whole.
fn breaks_at() -> Option<usize> {
    let stderr = std::io::stderr();
    stderr.is_terminal().then(|| {
        let width = rustix::termios::tcgetwinsize(&stderr).map_or(0, |size| usize::from(size.ws_col));
        if width == 0 { USUAL_WIDTH } else { width.min(USUAL_WIDTH) }
    })
}

/// A message as standard error shows it.
fn fitted(message: &str) -> String {
    breaks_at().map_or_else(|| message.to_owned(), |width| filled(message, width))
}

/// A sentence that begins with more than its own words: where its first line is too long by that, the lines
/// up to the end of the sentence or a colon are filled anew. What follows stays as it was written.
fn filled(message: &str, width: usize) -> String {
    let lines: Vec<&str> = message.lines().collect();
    let ends = |line: &&str| line.ends_with(['.', ':', '?']);
    let first = lines.iter().position(ends).map_or(lines.len(), |at| at + 1);
    let mut shown = match lines.first() {
        Some(line) if columns(line) > width => vec![folded(&lines[..first].join(" "), width)],
        _ => lines[..first].iter().map(|line| (*line).to_owned()).collect(),
    };
    shown.extend(lines[first..].iter().map(|line| folded(line, width)));
    shown.join("\n")
}

/// How far a command stands in that has a line of its own.
const COMMAND_INDENT: &str = "    ";

/// A part of a line.
#[derive(Debug, PartialEq, Eq)]
enum Piece<'t> {
    /// Something that is never broken: a word, or what stands in double quotes.
    Word(&'t str),
    /// A command to type, in backquotes, and what follows it without a space.
    Quoted(&'t str, &'t str),
    /// A command to type, behind two spaces.
    Bare(&'t str),
}

/// A line in as many lines as it needs, broken between words and never inside of a command or of what stands in
/// quotes: what is to be typed can be copied as it stands. A command that does not fit gets a line of its own.
fn folded(line: &str, width: usize) -> String {
    if columns(line) <= width {
        return line.to_owned();
    }
    let indent = &line[..line.len() - line.trim_start().len()];
    let mut lines = vec![indent.to_owned()];
    let mut fresh = true;
    for piece in pieces(&line[indent.len()..]) {
        let (gap, text) = match &piece {
            Piece::Word(word) => (" ", (*word).to_owned()),
            Piece::Quoted(command, after) => (" ", format!("`{command}`{after}")),
            Piece::Bare(command) => ("  ", (*command).to_owned()),
        };
        let last = lines.last().map_or("", String::as_str);
        let gap = if fresh { "" } else { gap };
        if columns(last) + gap.len() + columns(&text) <= width {
            lines.last_mut().into_iter().for_each(|last| last.extend([gap, &text]));
            fresh = false;
            continue;
        }
        match piece {
            // What follows it is left out: a full stop would be typed with it.
            Piece::Quoted(command, _) | Piece::Bare(command) => {
                if fresh {
                    lines.pop();
                }
                lines.push(format!("{indent}{COMMAND_INDENT}{command}"));
                lines.push(indent.to_owned());
                fresh = true;
            }
            Piece::Word(word) if fresh => {
                lines.last_mut().into_iter().for_each(|last| last.push_str(word));
                fresh = false;
            }
            Piece::Word(word) => lines.push(format!("{indent}{word}")),
        }
    }
    if fresh && lines.len() > 1 {
        lines.pop();
    }
    lines.join("\n")
}

/// A line without its indentation in pieces.
fn pieces(line: &str) -> Vec<Piece<'_>> {
    let mut found = Vec::new();
    for (at, part) in line.split("  ").map(str::trim).filter(|part| !part.is_empty()).enumerate() {
        // Behind two spaces stands a command, and behind two more the rest of the sentence.
        if at % 2 == 1 {
            found.push(Piece::Bare(part));
        } else {
            words(part, &mut found);
        }
    }
    found
}

fn words<'t>(text: &'t str, found: &mut Vec<Piece<'t>>) {
    let mut rest = text;
    while !rest.is_empty() {
        let opened = rest.find(['"', '`', ' ']).unwrap_or(rest.len());
        let mark = rest[opened..].chars().next();
        let closed = mark.filter(|mark| *mark != ' ').and_then(|mark| rest[opened + 1..].find(mark));
        let end = match (mark, closed) {
            (Some('`'), Some(length)) if opened == 0 && rest[1..=length].contains(' ') => {
                let after = &rest[length + 2..];
                let end = after.find(' ').unwrap_or(after.len());
                found.push(Piece::Quoted(&rest[1..=length], &after[..end]));
                rest = after[end..].trim_start();
                continue;
            }
            (Some('"' | '`'), Some(length)) => {
                let end = opened + length + 2;
                end + rest[end..].find(' ').unwrap_or(rest.len() - end)
            }
            (Some('"' | '`'), None) => rest.find(' ').unwrap_or(rest.len()),
            _ => opened,
        };
        found.push(Piece::Word(&rest[..end]));
        rest = rest[end..].trim_start();
    }
}

/// A message on standard error, whatever becomes of it.
pub(crate) fn complain(message: &str) {
    // Nobody is left to tell when standard error is gone.
    drop(writeln!(std::io::stderr(), "{}", fitted(message)));
}

/// A question on standard error, without a newline.
pub(crate) fn ask(question: &str) {
    let mut stderr = std::io::stderr();
    drop(write!(stderr, "{question}").and_then(|()| stderr.flush()));
}

/// Whether the person at the terminal types yes.
pub(crate) fn consent(question: &str) -> Result<bool, Failure> {
    ask(question);
    let answer =
        read_line().map_err(|error| Failure::failed(text::cannot_read(&safe(&error.to_string()))))?;
    Ok(answer.is_some_and(|line| line.trim_ascii() == b"yes"))
}

/// One line of standard input without its end; `None` at the end of input.
///
/// Read byte by byte and without a buffer, so that no code stays behind in one.
pub(crate) fn read_line() -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut input = File::from(std::io::stdin().as_fd().try_clone_to_owned()?);
    read_line_from(&mut input)
}

fn read_line_from(input: &mut impl Read) -> std::io::Result<Option<Zeroizing<Vec<u8>>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(LONGEST_LINE));
    let mut byte = Zeroizing::new([0u8]);
    let mut anything = false;
    loop {
        match input.read(byte.as_mut_slice()) {
            Ok(0) if anything => break,
            Ok(0) => return Ok(None),
            Ok(_) if byte[0] == b'\n' => break,
            // What is longer than any answer is wrong anyway; its rest is not kept.
            Ok(_) if line.len() < LONGEST_LINE => line.push(byte[0]),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        }
        anything = true;
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Ok(Some(line))
}

/// Columns that `text` takes: two for the wide characters of East Asia and emoji, none for
/// combining accents, one for the rest.
pub(crate) fn columns(text: &str) -> usize {
    text.chars().map(columns_of).sum()
}

fn columns_of(c: char) -> usize {
    match u32::from(c) {
        0x0300..=0x036F | 0x200C..=0x200D | 0xFE00..=0xFE0F => 0,
        0x1100..=0x115F
        | 0x2E80..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF00..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1FAFF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}

/// `text` in at most `width` columns, with a mark where something was cut off.
pub(crate) fn cut(text: &str, width: usize, utf8: bool) -> Cow<'_, str> {
    if columns(text) <= width {
        return Cow::Borrowed(text);
    }
    let mark = if utf8 { "…" } else { "..." };
    let mark = if width < columns(mark) { "" } else { mark };
    let mut kept = String::new();
    let mut used = columns(mark);
    for c in text.chars() {
        used += columns_of(c);
        if used > width {
            break;
        }
        kept.push(c);
    }
    kept.push_str(mark);
    Cow::Owned(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inp_03_nothing_a_terminal_obeys_passes() {
        let nasty = "a\u{1b}]52;c;x\u{7}\u{9b}2J\u{7f}\r\n\0\u{202e}\u{2066}\u{2028}ä";
        let shown = safe(nasty);
        assert_eq!(shown, "a\\x1b]52;c;x\\x07\\x9b2J\\x7f\\x0d\\x0a\\x00\\u{202e}\\u{2066}\\u{2028}ä");
        assert!(!shown.chars().any(is_unprintable));
    }

    #[test]
    fn without_utf8_only_ascii_is_shown() {
        let screen = Screen { width: None, utf8: false };
        assert_eq!(screen.show("jörg\u{1b}"), "j?rg\\x1b");
    }

    #[test]
    fn lines_are_cut_to_columns() {
        assert_eq!(cut("abcdef", 6, true), "abcdef");
        assert_eq!(cut("abcdef", 5, true), "abcd…");
        assert_eq!(cut("abcdef", 5, false), "ab...");
        assert_eq!(cut("abcdef", 2, false), "ab");
        assert_eq!(cut("日本語", 4, true), "日…");
        assert_eq!(columns("e\u{301}"), 1);
    }

    fn lines(input: &[u8]) -> Vec<Vec<u8>> {
        let mut input = input;
        let mut lines = Vec::new();
        while let Some(line) = read_line_from(&mut input).expect("reading memory") {
            lines.push(line.to_vec());
        }
        lines
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let long = format!(
            "name: {}\nof the second line. More.\nNext:  {}",
            "word ".repeat(18).trim(),
            "x".repeat(90)
        );
        let shown = filled(&long, 80);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines[0], format!("name: {}", "word ".repeat(15).trim()));
        assert_eq!(lines[1], "word word word of the second line. More.");
        assert_eq!(lines[2..], ["Next:".to_owned(), format!("    {}", "x".repeat(90))]);
        assert_eq!(filled("short\n  indented as it was", 80), "short\n  indented as it was");
        assert_eq!(
            folded(&format!("  {}", "ab ".repeat(40)), 80).lines().nth(1).map(|l| l.starts_with("  ab")),
            Some(true)
        );
    }

    #[test]
    fn a_command_is_never_broken() {
        let bare = format!("{}again:  countersignctl policy apply --now", "word ".repeat(10));
        assert!(
            folded(&bare, 80).ends_with("again:\n    countersignctl policy apply --now"),
            "{}",
            folded(&bare, 80)
        );
        let quoted = "here a reset takes a colleague who runs `countersignctl request-reset alice --reason TEXT`, \
                      and \"a name of some words\"; root alone, in an emergency: `countersignctl reset alice`.";
        assert_eq!(
            folded(quoted, 60).lines().collect::<Vec<_>>(),
            [
                "here a reset takes a colleague who runs",
                "    countersignctl request-reset alice --reason TEXT",
                "and \"a name of some words\"; root alone, in an emergency:",
                "    countersignctl reset alice",
            ]
        );
        let word = format!("{}`remember` and so on", "word ".repeat(11));
        assert_eq!(folded(&word, 60).lines().nth(1), Some("`remember` and so on"));
        let middle = format!("{}Add  --until 2027-01-31  (the end of that day) or none", "word ".repeat(6));
        assert_eq!(
            folded(&middle, 50).lines().skip(1).collect::<Vec<_>>(),
            ["    --until 2027-01-31", "(the end of that day) or none"]
        );
        for width in 1..90 {
            for line in [&*bare, quoted, &*word, &*middle] {
                assert!(folded(line, width).lines().all(|line| !line.trim().is_empty()), "{width}: {line}");
            }
        }
    }

    #[test]
    fn lines_are_read_to_their_end() {
        assert_eq!(lines(b""), Vec::<Vec<u8>>::new());
        assert_eq!(lines(b"123456"), [b"123456"]);
        assert_eq!(lines(b"123\r\n\n456\n"), [&b"123"[..], b"", b"456"]);
        assert_eq!(lines(&[b'9'; 5000]), [vec![b'9'; LONGEST_LINE]]);
    }
}
