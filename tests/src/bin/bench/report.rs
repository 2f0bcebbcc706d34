//! What is printed: ratios first, then figures, then what was to be reached.

use crate::cast::{ENROLLED, Role};
use crate::counts::Counts;
use crate::crowd::Rush;
use crate::decisions::{Decided, Reloaded};
use crate::mail::Mail;
use crate::memory::{Grown, Memory};
use crate::stats::{Series, load, ratio};
use std::fs;

/// One player's sequential logins.
pub(crate) struct Line {
    pub(crate) label: &'static str,
    pub(crate) role: Role,
    pub(crate) series: Series,
    pub(crate) refused: usize,
}

impl Line {
    pub(crate) fn new(label: &'static str, role: Role) -> Self {
        Self { label, role, series: Series::default(), refused: 0 }
    }
}

/// What is measured, on what.
pub(crate) fn opening(state: &str) {
    let (device, kind) = volume_of(state);
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    println!("Countersign beside others, in microseconds where nothing else is said.");
    println!("Everything durable lies in {state}: {kind} on {device}. {cores} processors.");
    println!("{ENROLLED} people are enrolled with our daemon.");
    if kind == "tmpfs" {
        println!("WARNING: that is memory, where a durable commit costs nothing.");
    }
}

/// The source and type of the file system that a directory lies on.
fn volume_of(dir: &str) -> (String, String) {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    let mut best = (0, "?".to_owned(), "?".to_owned());
    for line in mounts.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [device, at, kind, ..] = words[..] else { continue };
        let inside = at == "/" || dir == at || dir.starts_with(&format!("{at}/"));
        if inside && at.len() >= best.0 {
            best = (at.len(), device.to_owned(), kind.to_owned());
        }
    }
    (best.1, best.2)
}

fn title(text: &str, before: &str) {
    println!("\n{text} (load {before} before, {} after)", load());
}

fn table_head(unit: &str) {
    println!("{:31}{:>9}{:>9}{:>10}{:>9}{:>9}", "", "x google", "x floor", unit, "p99", "refused");
}

fn times(of: Option<f64>) -> String {
    of.map_or("-".to_owned(), |ratio| format!("{ratio:.2}"))
}

fn figure(of: Option<f64>) -> String {
    of.map_or("-".to_owned(), |figure| format!("{figure:.0}"))
}

fn row(line: &Line, google: Option<f64>, floor: Option<f64>) {
    let median = line.series.median();
    println!(
        "{:31}{:>9}{:>9}{:>10}{:>9}{:>9}",
        line.label,
        times(ratio(median, google)),
        times(ratio(median, floor)),
        figure(median),
        figure(line.series.p99()),
        line.refused,
    );
}

/// Logins one after the other in one process.
pub(crate) fn one_by_one(lines: &[Line], before: &str) {
    let count = lines.first().map_or(0, |line| line.series.len());
    title(&format!("In one process, in turns, {count} each"), before);
    table_head("median");
    let of = |role| crate::run::series(lines, role).median();
    lines.iter().for_each(|line| row(line, of(Role::Google), of(Role::Floor)));
}

/// Logins in processes of their own.
pub(crate) fn fresh(lines: &[Line], before: &str) {
    let count = lines.first().map_or(0, |line| line.series.len());
    title(&format!("A new process each, loading included, {count} each"), before);
    table_head("median");
    let google = crate::run::series(lines, Role::Google).median();
    lines.iter().for_each(|line| row(line, google, None));
}

/// Thirty-two at once.
pub(crate) fn crowd(rushes: &[(&'static str, Role, Rush)], before: &str) {
    title("32 at once, different people: logins a second", before);
    println!("{:31}{:>9}{:>9}{:>10}{:>9}{:>9}", "", "x google", "x floor", "a second", "slowest", "refused");
    let rate_of = |role| rushes.iter().find(|(_, r, _)| *r == role).and_then(|(_, _, rush)| rush.rate());
    for (label, _, rush) in rushes {
        let tried = (rush.passed + rush.refused).max(1);
        println!(
            "{:31}{:>9}{:>9}{:>10}{:>9}{:>8.0}%",
            label,
            times(ratio(rush.rate(), rate_of(Role::Google))),
            times(ratio(rush.rate(), rate_of(Role::Floor))),
            figure(rush.rate()),
            figure(Some(rush.slowest.as_secs_f64() * 1e6)),
            100.0 * rush.refused as f64 / tried as f64,
        );
    }
}

/// Where a login's time goes.
pub(crate) fn counts(counts: &Counts, before: &str) {
    title("Where a login of ours spends its time", before);
    for (what, series) in [
        ("opening and closing the PAM transaction", &counts.rest),
        ("Begin: from pam_authenticate to the prompt", &counts.begin),
        ("  the same, the account database just asked", &counts.begin_again),
        ("Respond: from the answer to pam_authenticate's end", &counts.respond),
        ("Confirm: pam_acct_mgmt", &counts.confirm),
    ] {
        println!("{what:51}{:>10}{:>9} p99", figure(series.median()), figure(series.p99()));
    }
    println!("{:51}{:>10.0}", "processor time: the daemon", counts.daemon_cpu);
    println!("{:51}{:>10.0}", "processor time: dbus-daemon", counts.bus_cpu);
    println!("{:51}{:>10.0}", "processor time: the host process", counts.own_cpu);
    if let Some(calls) = &counts.calls {
        println!("{:51}{:>10.1}", "calls to the daemon (Begin, Respond, Confirm)", calls.to_daemon);
        println!("{:51}{:>10.1}", "questions of the module to the bus", calls.module_to_bus);
        println!("{:51}{:>10.1}", "questions of the daemon to the bus", calls.daemon_to_bus);
    }
    println!("{:51}{:>10.2}", "durable commits", counts.commits);
    let syncs = counts.syncs.map_or("-".to_owned(), |n| format!("{n:.2}"));
    println!("{:51}{:>10}", "syncs, folding in the write-ahead log included", syncs);
}

/// What grows with the people enrolled.
pub(crate) fn memory(grown: &[Grown], busy: Memory, before: &str) {
    title("The daemon's memory in KiB, after logins", before);
    println!(
        "{:31}{:>9}{:>9}{:>10}{:>9}{:>9}",
        "people enrolled", "resident", "Pss", "private", "login us", "refused"
    );
    for one in grown {
        print_memory(
            &one.enrolled.to_string(),
            one.memory,
            &figure(one.logins.median()),
            &one.refused.to_string(),
        );
    }
    print_memory(&format!("{ENROLLED}, after 32 at once"), busy, "", "");
}

fn print_memory(what: &str, memory: Memory, login: &str, refused: &str) {
    let Memory { resident, proportional, private } = memory;
    println!("{what:31}{resident:>9}{proportional:>9}{private:>10}{login:>9}{refused:>9}");
}

/// Decisions and reloads by the number of rules.
pub(crate) fn decisions(decided: &[Decided], reloaded: &[Reloaded], before: &str) {
    title("A decision by rules and by groups of the person", before);
    println!(
        "{:>6}{:>8}{:>11}{:>9}{:>13}{:>9}{:>14}{:>9}",
        "rules", "groups", "alone us", "x 1/1", "Begin us", "x 1/1", "looked up us", "x 1/1"
    );
    let Some(one) = decided.first() else { return };
    for cell in decided {
        println!(
            "{:>6}{:>8}{:>11.2}{:>9}{:>13}{:>9}{:>14}{:>9}",
            cell.rules,
            cell.groups,
            cell.alone,
            times(ratio(Some(cell.alone), Some(one.alone))),
            figure(cell.known.median()),
            times(ratio(cell.known.median(), one.known.median())),
            figure(cell.looked_up.median()),
            times(ratio(cell.looked_up.median(), one.looked_up.median())),
        );
    }
    title("A reload by rules", before);
    println!(
        "{:>6}{:>12}{:>17}{:>9}{:>20}{:>9}",
        "rules", "parsed us", "same rules us", "x parsed", "one changed us", "x parsed"
    );
    for one in reloaded {
        println!(
            "{:>6}{:>12}{:>17}{:>9}{:>20}{:>9}",
            one.rules,
            figure(one.parsed.median()),
            figure(one.same.median()),
            times(ratio(one.same.median(), one.parsed.median())),
            figure(one.changed.median()),
            times(ratio(one.changed.median(), one.parsed.median())),
        );
    }
}

/// Codes by e-mail.
pub(crate) fn mail(mail: &Mail, before: &str) {
    title("A code by e-mail, through postfix with TLS and login", before);
    println!("{:51}{:>10}{:>9}", "", "median", "p99");
    for (what, series) in [
        ("from Respond(\"email\") to the server's queue", &mail.handed_over),
        ("  of that, the mailer's talk with the server", &mail.dialogue),
    ] {
        println!("{what:51}{:>10}{:>9}", figure(series.median()), figure(series.p99()));
    }
    println!(
        "{:51}{:>10}",
        "letters; answers that said something else",
        format!("{}; {}", mail.handed_over.len(), mail.odd)
    );
    let crowd = &mail.crowd;
    println!(
        "1,000 at once: all answered after {:.1} s, {} letters with the server after {:.1} s",
        crowd.answered.as_secs_f64(),
        crowd.letters,
        crowd.delivered.as_secs_f64()
    );
    for (what, (idle, busy)) in [("countersignd", crowd.daemon), ("countersign-mailer", crowd.mailer)] {
        println!(
            "{:51}{:>10}{:>9} KiB",
            format!("  {what}, resident before and after"),
            idle.resident,
            busy.resident
        );
    }
    title("A login by app beside others who ask for codes by e-mail", before);
    println!("{:31}{:>9}{:>10}{:>9}", "", "x quiet", "median", "p99");
    let quiet = mail.beside[0].median();
    for (what, series) in ["nobody does", "20 a second, the server answers", "20 a second, it is silent"]
        .iter()
        .zip(&mail.beside)
    {
        let median = series.median();
        println!(
            "{what:31}{:>9}{:>10}{:>9}",
            times(ratio(median, quiet)),
            figure(median),
            figure(series.p99())
        );
    }
    println!("{:31}{:>9}", "refused", mail.refused);
}

/// The size of what is installed.
pub(crate) fn size() {
    let kib = |path: std::path::PathBuf| fs::metadata(path).map_or(0, |meta| meta.len() / 1024);
    println!(
        "\nSizes in KiB: pam_countersign.so {}, countersignd {}",
        kib(countersign_tests::artifacts::module()),
        kib(countersign_tests::artifacts::daemon()),
    );
}
