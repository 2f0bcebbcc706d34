//! The table itself: every text, every command, and how a report reads.

use std::collections::BTreeSet;

use clap::Parser as _;

use super::finding::{Found, Report, Severity};
use super::show;
use crate::cli::Cli;
use crate::terminal::Screen;
use crate::text::doctor::{self as text, ALL};

const DOCUMENT: &str = include_str!("../../../docs/DOCTOR.md");
const GOLDEN: &str = include_str!("golden.txt");
const SCREEN: Screen = Screen { width: Some(80), utf8: false };

/// One of each, about something that fits.
fn one_of_each() -> Vec<Found> {
    let mut report = Report::default();
    for finding in ALL {
        let subject = match finding.id {
            id if id.starts_with("unit-") => "countersignd.service",
            "mail-unreachable" => "office",
            _ if [finding.what, finding.why, finding.mend].concat().contains("{}") => "sudo",
            _ => "",
        };
        report.add(finding, subject, ["/etc/pam.d/sudo:3 \u{1b}[2J", "what shows it"]);
    }
    report.sorted()
}

#[test]
fn there_are_more_than_thirty_and_each_has_an_id_of_its_own() {
    let ids: BTreeSet<&str> = ALL.iter().map(|finding| finding.id).collect();
    assert_eq!(ids.len(), ALL.len());
    assert!(ids.len() >= 30, "{}", ids.len());
    for finding in ALL {
        assert!(finding.id.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{}", finding.id);
        assert!(finding.what.len() <= 76, "{}", finding.id);
        for said in [finding.what, finding.why, finding.mend] {
            assert!(said.is_ascii() && !said.is_empty(), "{}", finding.id);
        }
        assert!(finding.what.ends_with('.') && finding.why.ends_with('.'), "{}", finding.id);
    }
}

/// Set `COUNTERSIGN_GENERATE=1` to write it.
#[test]
fn every_finding_reads_well_at_80_columns() {
    let lines = show::lines(&one_of_each(), SCREEN);
    for line in &lines {
        assert!(line.len() <= 80 && line.is_ascii() && !line.contains('\u{1b}'), "{line}");
        assert_eq!(line, line.trim_end());
    }
    let shown = lines.join("\n") + "\n";
    if std::env::var_os("COUNTERSIGN_GENERATE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/src/doctor/golden.txt"), &shown).expect("write");
        return;
    }
    assert!(shown == GOLDEN, "scripts/generate writes it anew:\n{shown}");
}

/// Each `countersignctl ...` in a text is one that this very program takes.
#[test]
fn every_command_that_mends_is_one_that_exists() {
    let mut commands = 0;
    for found in one_of_each() {
        let said = [found.finding.what, found.finding.why, found.finding.mend].join("; ");
        let said = show::filled(&said, &found.subject);
        for (at, _) in said.match_indices("countersignctl ") {
            let line = said[at..].split([';', '&', ')']).next().unwrap_or_default().trim();
            let line = line.trim_end_matches('.').replace("ADDRESS", "alice@example.org");
            let parsed = Cli::try_parse_from(line.split_whitespace());
            assert!(
                parsed.is_ok(),
                "{}: {line}: {}",
                found.finding.id,
                parsed.err().map_or_else(String::new, |e| e.to_string())
            );
            commands += 1;
        }
    }
    assert!(commands >= 8, "{commands}");
}

/// Set `COUNTERSIGN_GENERATE=1` to write it.
#[test]
fn the_document_has_the_table() {
    let mut table = String::from(
        "| id | severity | what is so | why it matters | what mends it |\n|---|---|---|---|---|\n",
    );
    for finding in ALL {
        let named = |said: &str| show::filled(said, "NAME").replace('|', "\\|");
        table += &format!(
            "| `{}` | {} | {} | {} | {} |\n",
            finding.id,
            finding.severity.word(),
            named(finding.what),
            named(finding.why),
            named(finding.mend)
        );
    }
    const HEAD: &str = "<!-- the table; `make generate` writes it -->\n";
    let (before, _) = DOCUMENT.split_once(HEAD).expect("the mark");
    let whole = format!("{before}{HEAD}\n{table}");
    if std::env::var_os("COUNTERSIGN_GENERATE").is_some() {
        std::fs::write(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/DOCTOR.md"), &whole).expect("write");
        return;
    }
    assert!(whole == DOCUMENT, "scripts/generate writes it anew");
}

#[test]
fn the_worst_comes_first_and_the_same_is_one_finding() {
    let mut report = Report::default();
    report.add(&text::FEW_CODES, "", ["alice: 2"]);
    report.add(&text::SSHD_NO_PAM, "", ["usepam no"]);
    report.add(&text::FEW_CODES, "", ["bob: 1"]);
    report.add(&text::STACK_DEAD, "su", [""; 0]);
    let found = report.sorted();
    let ids: Vec<&str> = found.iter().map(|found| found.finding.id).collect();
    assert_eq!(ids, ["stack-dead", "sshd-no-pam", "few-recovery-codes"]);
    assert_eq!(found[2].evidence, ["alice: 2", "bob: 1"]);
    let shown = show::lines(&found, SCREEN);
    assert_eq!(shown.last().map(String::as_str), Some("2 problems, 0 warnings, 1 hint."));
    assert_eq!(show::lines(&[], SCREEN), ["Nothing was found."]);
}

#[test]
fn json_has_every_part_of_each_finding() {
    let found = one_of_each();
    let report: serde_json::Value = serde_json::from_str(&show::json(&found)).expect("JSON");
    assert_eq!(report["ok"], false);
    let findings = report["findings"].as_array().expect("a list");
    assert_eq!(findings.len(), ALL.len());
    let counted = ["problems", "warnings", "hints"].map(|key| report[key].as_u64().expect("a number"));
    assert_eq!(counted.iter().sum::<u64>(), findings.len() as u64);
    for finding in findings {
        let keys: BTreeSet<&str> =
            finding.as_object().expect("an object").keys().map(String::as_str).collect();
        let expected = ["evidence", "id", "mend", "severity", "subject", "what", "why"];
        assert_eq!(keys, BTreeSet::from(expected));
        assert!(["problem", "warning", "hint"].contains(&finding["severity"].as_str().expect("a word")));
        assert_eq!(finding["evidence"][0], "/etc/pam.d/sudo:3 \\x1b[2J");
    }
    let nothing: serde_json::Value = serde_json::from_str(&show::json(&[])).expect("JSON");
    assert_eq!(nothing["ok"], true);
    assert_eq!(Severity::Problem.word(), "problem");
}
