//! `doctor`: what breaks logins on this host, or lets them through.
//!
//! One file per part of the host. Each puts what it finds into the [`Report`]; what a finding means, and
//! what mends it, is in [`crate::text::doctor`]. Nothing is changed, and nothing is asked for longer than
//! some seconds. It works without the daemon, which is then the first finding.

mod daemon;
mod files;
pub(crate) mod finding;
mod host;
mod mail;
mod options;
mod people;
mod policies;
mod show;
mod sshd;
mod sshd_match;
mod stacks;
mod system;
mod units;

use countersign_protocol::manager::Fact;

use crate::cli::Doctor;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::progress::Progress;
use crate::terminal::Screen;
use crate::text::doctor as text;
use finding::{Report, Severity};
use system::System;

pub(crate) fn refuse_early() -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(Exit::NotAuthorized, text::not_root()))
}

pub(crate) async fn run(address: &str, args: &Doctor) -> Result<(), Failure> {
    let system = System::this();
    let mut report = Report::default();
    let progress = Progress::of(text::looking_at("the daemon"));
    let facts = daemon::ask(&system, address, &mut report).await;
    look(&system, facts.as_deref(), &mut report, &progress);
    if args.mail {
        progress.at(text::looking_at("mail servers"));
        mail::check(&system, &mut report);
    }
    drop(progress);
    let found = report.sorted();
    let mut out = Output::stdout();
    let lines = if args.json { vec![show::json(&found)] } else { show::lines(&found, Screen::stdout()) };
    for line in lines {
        out.line(&line)?;
    }
    out.flush()?;
    let problem = found.iter().any(|found| found.finding.severity == Severity::Problem);
    if problem { Err(Failure::new(Exit::Problems, String::new())) } else { Ok(()) }
}

/// Everything that can be looked at without asking the daemon, and what it said.
fn look(system: &System, facts: Option<&[Fact]>, report: &mut Report, progress: &Progress) {
    progress.at(text::looking_at("files and units"));
    files::check(system, report);
    units::check(system, report);
    policies::check(system, report);
    progress.at(text::looking_at("PAM stacks"));
    let services = stacks::read(system);
    stacks::check(&services, report);
    options::digits(system, &services, report);
    progress.at(text::looking_at("sshd"));
    sshd::check(system, &services, report);
    progress.at(text::looking_at("the host"));
    host::check(system, &services, report);
    if let Some(facts) = facts {
        people::check(facts, &services, report);
    }
}

#[cfg(test)]
mod seeds;
#[cfg(test)]
mod tests;
