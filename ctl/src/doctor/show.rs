//! How findings are shown: for people at 80 columns, and as JSON.

use serde::Serialize;

use super::finding::{Found, Severity};
use crate::terminal::{Screen, safe};
use crate::text::doctor as text;

/// Columns of a report where no terminal says.
const WIDTH: usize = 80;
/// Evidence that is shown of one finding; JSON has all of it.
const EVIDENCE: usize = 12;
/// Where text begins behind a label.
const INDENT: usize = 10;

/// The report, a line each.
pub(super) fn lines(found: &[Found], screen: Screen) -> Vec<String> {
    let width = screen.width.unwrap_or(WIDTH).max(40);
    let mut shown = Vec::new();
    for one in found {
        let kind = one.finding;
        let about = if one.subject.is_empty() { String::new() } else { format!(" ({})", one.subject) };
        shown.push(screen.show(&format!("{}  {}{about}", kind.severity.word().to_uppercase(), kind.id)));
        shown.extend(wrapped(&screen.show(&filled(kind.what, &one.subject)), 2, 2, width));
        for line in one.evidence.iter().take(EVIDENCE) {
            shown.extend(wrapped(&format!("> {}", screen.show(line)), 4, 6, width));
        }
        if one.evidence.len() > EVIDENCE {
            shown.push(format!("    > {}", text::more(one.evidence.len() - EVIDENCE)));
        }
        for (label, said) in [(text::WHY, kind.why), (text::MEND, kind.mend)] {
            let said =
                format!("{label:<width$}{}", screen.show(&filled(said, &one.subject)), width = INDENT - 4);
            shown.extend(wrapped(&said, 4, INDENT, width));
        }
        shown.push(String::new());
    }
    let count = |severity| found.iter().filter(|one| one.finding.severity == severity).count();
    shown.push(text::counted(count(Severity::Problem), count(Severity::Warning), count(Severity::Hint)));
    shown
}

/// A sentence with its subject.
pub(super) fn filled(sentence: &str, subject: &str) -> String {
    sentence.replace("{}", subject)
}

/// Breaks a text at blanks; the first line and the others begin at their own column. Blanks inside a line stay
/// as they are.
fn wrapped(text: &str, first: usize, rest: usize, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut line = " ".repeat(first);
    let mut empty = true;
    for word in text.split(' ') {
        let room = width.saturating_sub(line.chars().count());
        if !empty && word.chars().count() + 1 > room {
            lines.push(std::mem::replace(&mut line, " ".repeat(rest)).trim_end().to_owned());
            empty = true;
        }
        if !empty {
            line.push(' ');
        }
        line.push_str(word);
        empty = false;
    }
    lines.push(line.trim_end().to_owned());
    lines
}

/// One finding of `doctor --json`.
#[derive(Serialize)]
struct FoundLine {
    id: &'static str,
    severity: &'static str,
    subject: String,
    what: String,
    evidence: Vec<String>,
    why: String,
    mend: String,
}

#[derive(Serialize)]
struct ReportLine {
    ok: bool,
    problems: usize,
    warnings: usize,
    hints: usize,
    findings: Vec<FoundLine>,
}

/// One object.
pub(super) fn json(found: &[Found]) -> String {
    let count = |severity| found.iter().filter(|one| one.finding.severity == severity).count();
    let findings = found.iter().map(|one| FoundLine {
        id: one.finding.id,
        severity: one.finding.severity.word(),
        subject: safe(&one.subject),
        what: safe(&filled(one.finding.what, &one.subject)),
        evidence: one.evidence.iter().map(|line| safe(line)).collect(),
        why: safe(&filled(one.finding.why, &one.subject)),
        mend: safe(&filled(one.finding.mend, &one.subject)),
    });
    crate::json::to_line(&ReportLine {
        ok: count(Severity::Problem) == 0,
        problems: count(Severity::Problem),
        warnings: count(Severity::Warning),
        hints: count(Severity::Hint),
        findings: findings.collect(),
    })
}
