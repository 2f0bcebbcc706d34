//! `confirm`: a change is kept once somebody has logged in through it with a code.

use std::path::PathBuf;

use countersign_protocol::manager::{Login, ManagerProxy, WhichLogins};
use serde::Serialize;

use super::host::Host;
use super::journal::Deed;
use super::record::{ALL, Record, Records};
use super::{journal, plan, timer};
use crate::cli::Confirm;
use crate::errors::{Exit, Failure};
use crate::output::Output;
use crate::text::enable as text;

/// Rows asked for at once.
const PAGE: u32 = 200;

#[derive(Serialize)]
struct Line<'r> {
    service: &'r str,
    confirmed: bool,
    /// The row of the attempt log that confirms it.
    login: Option<i64>,
    seconds_left: Option<u64>,
}

/// What the log has of a change.
enum Found {
    /// This login came through it with a code.
    Proof(i64),
    /// None did; the nearest one, and why it does not count.
    Nearest(Option<String>),
}

pub(crate) fn refuse_early() -> Result<(), Failure> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::new(Exit::NotAuthorized, text::NOT_ROOT))
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, bus: &str, args: Confirm) -> Result<(), Failure> {
    let host = Host::on(bus);
    let pending = pending(&host, &args)?;
    let mut out = Output::stdout();
    if pending.is_empty() {
        if args.json {
            return Ok(());
        }
        out.line(text::NOTHING_TO_CONFIRM)?;
        return out.flush();
    }
    let oldest = pending.iter().map(|record| record.after_login).min().unwrap_or(0);
    let logins = since(manager, oldest).await?;
    let mut missing = Vec::new();
    for record in &pending {
        let found = look(&host, record, &logins);
        let left = record.pending.as_ref().and_then(super::record::Pending::left);
        if let Found::Proof(_) = found {
            keep(&host, record)?;
        }
        if args.json {
            let login = if let Found::Proof(login) = found { Some(login) } else { None };
            let line = Line {
                service: shown(record),
                confirmed: login.is_some(),
                login,
                seconds_left: left.filter(|_| login.is_none()),
            };
            out.line(&serde_json::to_string(&line).map_err(|error| Failure::failed(error.to_string()))?)?;
        }
        match found {
            Found::Proof(login) if !args.json => out.line(&text::confirmed(shown(record), login))?,
            Found::Proof(_) => {}
            Found::Nearest(nearest) => missing.push(text::no_login_yet(shown(record), nearest, left)),
        }
    }
    out.flush()?;
    if missing.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(if args.json { String::new() } else { missing.join("\n\n") }))
}

/// The changes that wait, all or those that were named.
fn pending(host: &Host, args: &Confirm) -> Result<Vec<Record>, Failure> {
    let all = super::record::peek_all(host).map_err(Failure::failed)?;
    let named = |record: &Record| {
        args.services.is_empty()
            || args.services.contains(&record.service)
            || (args.all && record.service == ALL)
    };
    if let Some(unknown) = args.services.iter().find(|one| all.iter().all(|record| record.service != **one)) {
        return Err(Failure::new(Exit::NotFound, text::not_enabled(unknown)));
    }
    Ok(all.into_iter().filter(|record| record.pending.is_some() && named(record)).collect())
}

/// Every login newer than this row, newest first.
async fn since(manager: &ManagerProxy<'_>, row: i64) -> Result<Vec<Login>, Failure> {
    let mut logins: Vec<Login> = Vec::new();
    loop {
        let before = logins.last().map_or(0, |login| login.id);
        let page = manager.log(&WhichLogins::default(), (before, 0), PAGE).await?.0;
        let done = page.is_empty() || page.iter().any(|login| login.id <= row);
        // Ids that do not fall would have us ask for ever.
        if before != 0 && page.iter().any(|login| login.id >= before) {
            return Err(Failure::new(
                Exit::Unavailable,
                crate::text::strange_answer(crate::text::WRONG_ORDER),
            ));
        }
        logins.extend(page.into_iter().filter(|login| login.id > row));
        if done {
            return Ok(logins);
        }
    }
}

fn look(host: &Host, record: &Record, logins: &[Login]) -> Found {
    let touched: Vec<PathBuf> = record.files.iter().map(|file| file.path.clone()).collect();
    let through = |login: &&Login| {
        login.id > record.after_login
            && (login.service == record.service
                || plan::files_of(host, &login.service).iter().any(|file| touched.contains(file)))
    };
    let proof = |login: &&Login| matches!(&*login.state, "verified" | "enrolled") && login.confirmed;
    let mut through = logins.iter().filter(through).peekable();
    let newest = through.peek().map(|login| text::does_not_count(&login.user, &login.state, &login.reason));
    through.find(proof).map_or(Found::Nearest(newest), |login| Found::Proof(login.id))
}

fn shown(record: &Record) -> &str {
    if record.service == ALL { "all" } else { &record.service }
}

fn keep(host: &Host, record: &Record) -> Result<(), Failure> {
    let records = Records::lock(host).map_err(Failure::failed)?;
    // The timer may have been faster.
    let mut now = records.of(&record.service).map_err(Failure::failed)?;
    now.retain(|now| now.id == record.id && now.pending.is_some());
    let Some(now) = now.first() else { return Err(Failure::failed(text::too_late(shown(record)))) };
    records.confirm(now).map_err(Failure::failed)?;
    timer::disarm(host, &record.id);
    journal::note(&format!("enable {} is confirmed", record.service));
    let before = text::act_on_waiting(&record.service);
    journal::act(host, Deed::Confirm, &before, &text::act_on(&record.service), "");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn login(id: i64, user: &str, service: &str, state: &str, confirmed: bool) -> Login {
        let (source, program) = ("192.0.2.1".to_owned(), service.to_owned());
        Login {
            id,
            user: user.into(),
            uid: 1000,
            ruser: String::new(),
            service: service.into(),
            program,
            tty: String::new(),
            source,
            policy: "staff".into(),
            state: state.into(),
            factor: String::new(),
            reason: String::new(),
            started: 1,
            tries: 1,
            last_try: 2,
            confirmed,
        }
    }

    /// What a change of sshd, made after login 7, finds in this log.
    fn found(logins: &[Login]) -> Found {
        let record = Record::new("sshd", "00ff".into(), 7, None);
        look(&Host::below("/nonexistent"), &record, logins)
    }

    #[test]
    fn only_a_confirmed_login_with_a_code_by_this_service_after_the_change_is_a_proof() {
        for (why, logins) in [
            ("nothing", vec![]),
            ("before the change", vec![login(7, "alice", "sshd", "verified", true)]),
            ("another service", vec![login(8, "alice", "sudo", "verified", true)]),
            ("refused by the account phase", vec![login(8, "alice", "sshd", "verified", false)]),
            ("somebody whom policy leaves alone", vec![login(8, "carol", "sshd", "skipped", true)]),
            ("report only", vec![login(8, "carol", "sshd", "would-ask", true)]),
            ("a wrong code", vec![login(8, "alice", "sshd", "denied", true)]),
            ("still asked", vec![login(8, "alice", "sshd", "asked", false)]),
            (
                "one of each",
                vec![
                    login(9, "carol", "sshd", "skipped", true),
                    login(8, "alice", "sshd", "verified", false),
                    login(8, "alice", "sudo", "verified", true),
                ],
            ),
        ] {
            assert!(matches!(found(&logins), Found::Nearest(_)), "{why}");
        }
        for state in ["verified", "enrolled"] {
            let logins = [login(9, "carol", "sshd", "skipped", true), login(8, "alice", "sshd", state, true)];
            assert!(matches!(found(&logins), Found::Proof(8)), "{state}");
        }
    }
}
