//! countersign.toml(5), from the file with its defaults that is installed.

use super::roff::{Page, bold};

const FILE: &str = include_str!("../../../config/countersign.toml");

/// Every table and key with what the file says of it.
pub(super) fn describe(page: &mut Page) {
    for block in FILE.split("\n\n").skip_while(|block| !block.contains("\n#issuer = ")) {
        let block = block.trim_end();
        let lines: Vec<&str> = block.lines().collect();
        match lines.iter().position(|line| line.starts_with("#[") || line.starts_with("# [[")) {
            _ if lines.last().is_some_and(|line| !line.starts_with(['#', ' '])) => closing(page, &lines),
            Some(at) => {
                page.section(lines[at].trim_start_matches(['#', ' ']));
                if at > 0 {
                    page.paragraph(&prose(&lines[..at]));
                }
                keys(page, &lines[at + 1..]);
            }
            None => match lines.iter().position(|line| key(line).is_some()) {
                Some(at) => {
                    let (name, value) = key(lines[at]).expect("just found");
                    page.entry(&setting(name, value), &prose(&lines[..at]));
                }
                None => page.paragraph(&prose(&lines)),
            },
        }
    }
}

/// What stands uncommented at the end.
fn closing(page: &mut Page, lines: &[&str]) {
    let at = lines.iter().position(|line| !line.starts_with(['#', ' '])).unwrap_or_default();
    page.section("AS INSTALLED");
    page.paragraph(&prose(&lines[..at]));
    page.literal(&lines[at..]);
}

/// The first lines of the file, which are about all of it.
pub(super) fn introduction(page: &mut Page) {
    for block in FILE.split("\n\n").take_while(|block| !block.contains("\n#issuer = ")) {
        for paragraph in block.split("\n#\n") {
            page.paragraph(&prose(&paragraph.lines().collect::<Vec<_>>()));
        }
    }
}

/// Comment lines as a text.
fn prose(lines: &[&str]) -> String {
    joined(lines, |_| false)
}

/// What stands behind and below a key: a line that begins another alternative (`word: ...`) stays one.
fn of_key(lines: &[&str]) -> String {
    let letter = |c: char| c.is_ascii_lowercase() || c == '-';
    joined(lines, |line| {
        let first = line.split(' ').next().and_then(|word| word.strip_suffix(':'));
        first.is_some_and(|word| word.chars().all(letter))
    })
}

fn joined(lines: &[&str], begins: impl Fn(&str) -> bool) -> String {
    let mut text = String::new();
    for line in lines {
        let line = line.trim_start_matches(['#', ' ']).trim_end();
        if !text.is_empty() {
            text.push(if begins(line) { '\n' } else { ' ' });
        }
        text.push_str(line);
    }
    text
}

/// `#name = value` or `# name = value`.
fn key(line: &str) -> Option<(&str, &str)> {
    let line = line.strip_prefix('#')?;
    let (name, value) = line.strip_prefix(' ').unwrap_or(line).split_once(" = ")?;
    name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some((name, value))
}

fn setting(name: &str, value: &str) -> String {
    bold(&format!("{name} = {}", value.trim_end()))
}

/// Keys with the comment behind and below each.
fn keys(page: &mut Page, lines: &[&str]) {
    let mut lines = lines.iter().peekable();
    while let Some(line) = lines.next() {
        let Some((name, rest)) = key(line) else { panic!("no key and no comment of one: {line}") };
        let (value, comment) = split_comment(rest);
        let mut text: Vec<&str> = vec![comment];
        while let Some(more) = lines.next_if(|line| key(line).is_none()) {
            text.push(more);
        }
        page.entry(&setting(name, value), &of_key(&text));
    }
}

/// A value, and the comment behind it.
fn split_comment(rest: &str) -> (&str, &str) {
    let mut quoted = false;
    for (at, c) in rest.char_indices() {
        match c {
            '"' => quoted = !quoted,
            '#' if !quoted => return (rest[..at].trim_end(), &rest[at..]),
            _ => {}
        }
    }
    (rest, "")
}
