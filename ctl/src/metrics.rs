//! `metrics`: what is measured, as text that is OpenMetrics (openmetrics.io, 1.0) and the older text format of
//! Prometheus at once. node_exporter's textfile collector reads the latter alone: a type that it does not know
//! makes it refuse the whole file, and what it does not know behind `#` is a comment.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use countersign_protocol::manager::{ManagerProxy, Sample};
use serde::Serialize;

use crate::cli::Metrics;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::{json, text};

/// A family of metrics: its name, its type and what it says.
type Family = (&'static str, &'static str, &'static str);

const FAMILIES: [Family; 21] = [
    ("countersign_build_info", "gauge", "1; the label says which version the daemon is that answered."),
    (
        "countersign_people_enrolled",
        "gauge",
        "People with an authenticator, or an address that was set where policies take it.",
    ),
    ("countersign_people_past_date", "gauge", "People without a factor whose time to get one is over."),
    ("countersign_people_in_grace", "gauge", "People without a factor who are given time to get one."),
    ("countersign_people_few_recovery_codes", "gauge", "People with less than three recovery codes."),
    ("countersign_policy_people", "gauge", "People whose last login this policy decided."),
    (
        "countersign_policy_people_enrolled",
        "gauge",
        "Those of them with a factor that it takes. Addresses in user records are not counted.",
    ),
    (
        "countersign_overrides",
        "gauge",
        "People who are exempt, required to show a factor, or locked, by name.",
    ),
    ("countersign_locks", "gauge", "Lanes of guessing that are closed now."),
    ("countersign_logins", "counter", "Logins since the daemon started, by how they ended."),
    ("countersign_answer_seconds", "histogram", "Time that the daemon took for an answer, in seconds."),
    ("countersign_clock_skew_seconds", "gauge", "Seconds that most phones are ahead of this host."),
    ("countersign_clock_skew_codes", "gauge", "Codes by which that was found."),
    ("countersign_clock_behind_seconds", "gauge", "Seconds that the clock is behind the latest date seen."),
    ("countersign_mail_queue_letters", "gauge", "Letters with notices that wait."),
    ("countersign_mail_queue_age_seconds", "gauge", "Seconds that the oldest of them waits."),
    ("countersign_last_backup_timestamp_seconds", "gauge", "When the last backup was made, since 1970."),
    ("countersign_policy_file_in_force", "gauge", "1 where the policy file on disk is what is in force."),
    ("countersign_log_rows", "gauge", "Logins in the attempt log."),
    ("countersign_acts", "gauge", "Acts on record."),
    ("countersign_log_chain_fits", "gauge", "1 where the ends of the log fit; log verify proves all of it."),
];

/// The units of OpenMetrics that a name ends in.
const UNIT: &str = "seconds";

pub(crate) async fn run(manager: &ManagerProxy<'_>, args: &Metrics) -> Result<(), Failure> {
    let samples = Progress::during(text::MEASURING, manager.metrics()).await?;
    let mut out = Output::stdout();
    if args.json {
        for sample in &samples {
            out.line(&line(sample))?;
        }
        return out.flush();
    }
    out.raw(&render(&samples)?)
}

#[derive(Serialize)]
struct Line<'s> {
    name: &'s str,
    labels: BTreeMap<&'s str, &'s str>,
    value: f64,
}

fn line(sample: &Sample) -> String {
    let labels = sample.labels.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    json::to_line(&Line { name: &sample.name, labels, value: sample.value })
}

/// The text. A family that this version does not know is left out: what it is cannot be said.
fn render(samples: &[Sample]) -> Result<String, Failure> {
    let mut out = String::new();
    for (family, kind, help) in FAMILIES {
        let mut own = samples.iter().filter(|sample| belongs(&sample.name, family, kind)).peekable();
        if own.peek().is_none() {
            continue;
        }
        let _ = writeln!(out, "# TYPE {family} {kind}");
        if family.ends_with(UNIT) {
            let _ = writeln!(out, "# UNIT {family} {UNIT}");
        }
        let _ = writeln!(out, "# HELP {family} {help}");
        for sample in own {
            write_sample(&mut out, sample)?;
        }
    }
    out.push_str("# EOF\n");
    Ok(out)
}

fn belongs(name: &str, family: &str, kind: &str) -> bool {
    let Some(rest) = name.strip_prefix(family) else { return false };
    match kind {
        "counter" => rest == "_total",
        "histogram" => matches!(rest, "_bucket" | "_count" | "_sum"),
        _ => rest.is_empty(),
    }
}

fn write_sample(out: &mut String, sample: &Sample) -> Result<(), Failure> {
    out.push_str(&sample.name);
    if !sample.labels.is_empty() {
        out.push('{');
        for (index, (name, value)) in sample.labels.iter().enumerate() {
            if !name.bytes().all(|c| c.is_ascii_lowercase() || c == b'_') {
                return Err(Failure::new(Exit::Unavailable, text::strange_answer(text::ODD_LABEL)));
            }
            let comma = if index > 0 { "," } else { "" };
            let _ = write!(out, "{comma}{name}=\"{}\"", escaped(value));
        }
        out.push('}');
    }
    let _ = writeln!(out, " {}", sample.value);
    Ok(())
}

/// A label's value: backslash, quote and new line are written behind a backslash, and what no terminal
/// may obey is left out.
fn escaped(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c if crate::terminal::is_unprintable(c) => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(name: &str, labels: &[(&str, &str)], value: f64) -> Sample {
        let labels = labels.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        Sample { name: name.to_owned(), labels, value }
    }

    #[test]
    fn families_are_whole_and_labels_are_data() {
        let samples = [
            sample("countersign_log_rows", &[], 12.0),
            sample("countersign_policy_people", &[("policy", "a\"b\\c\nd\u{1b}")], 3.0),
            sample("countersign_logins_total", &[("state", "denied")], 4.0),
            sample("countersign_build_info", &[("version", "0.1.0")], 1.0),
            sample("countersign_unheard_of", &[], 1.0),
        ];
        assert_eq!(
            render(&samples).expect("plain"),
            "# TYPE countersign_build_info gauge\n\
             # HELP countersign_build_info 1; the label says which version the daemon is that answered.\n\
             countersign_build_info{version=\"0.1.0\"} 1\n\
             # TYPE countersign_policy_people gauge\n\
             # HELP countersign_policy_people People whose last login this policy decided.\n\
             countersign_policy_people{policy=\"a\\\"b\\\\c\\nd?\"} 3\n\
             # TYPE countersign_logins counter\n\
             # HELP countersign_logins Logins since the daemon started, by how they ended.\n\
             countersign_logins_total{state=\"denied\"} 4\n\
             # TYPE countersign_log_rows gauge\n# HELP countersign_log_rows Logins in the attempt log.\n\
             countersign_log_rows 12\n\
             # EOF\n"
        );
        assert!(render(&[sample("countersign_locks", &[("a\"b", "x")], 0.0)]).is_err());
    }
}
