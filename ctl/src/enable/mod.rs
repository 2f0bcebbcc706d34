//! `enable`, `confirm` and `disable`: PAM services that ask, switched on without fear.
//!
//! ```text
//! plan.rs, sshd.rs, profile.rs   what would change, made in a copy of the host's stacks (trial.rs)
//! judge.rs, people.rs, trial.rs  whether anybody could still log in; the copy tried by the real libpam
//! record.rs, timer.rs            noted on disk, and a way back armed, before anything changes
//! files.rs                       all files at once, or none
//! confirm.rs                     kept, once somebody has logged in with a code
//! undo.rs, disable.rs            taken back: by the timer, after a restart, or by hand
//! ```

mod commands;
pub(crate) mod confirm;
mod diff;
pub(crate) mod disable;
mod files;
mod host;
mod journal;
mod judge;
mod lines;
mod people;
mod plan;
mod profile;
mod record;
mod report;
mod sshd;
mod timer;
mod trial;
mod undo;

use std::io::IsTerminal;

use countersign_protocol::manager::{ManagerProxy, WhichLogins};

use self::files::{Wanted, replace_all};
use self::host::Host;
use self::journal::Deed;
use self::judge::Question;
use self::plan::{Hopeless, Planned};
use self::record::{ALL, Change, Pending, Record, Records, boot_clock};
use self::report::Told;
use self::trial::{Expected, Trial};
use crate::cli::Enable;
use crate::errors::{Exit, Failure};
use crate::progress::Progress;
use crate::terminal::consent;
use crate::text::enable as text;

pub(crate) use people::who_become_root;

/// A service that asks, as `status` and `doctor` show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enabled {
    /// The PAM service, or [`ALL`].
    pub(crate) service: String,
    /// Since when, in seconds since 1970.
    pub(crate) since: i64,
    /// Seconds until it is taken back, 0 for overdue; `None` once confirmed.
    pub(crate) unconfirmed: Option<u64>,
}

/// Services that `enable` has changed on this host. Root only: nobody else may read the records.
pub(crate) fn enabled() -> Result<Vec<Enabled>, String> {
    let mut enabled: Vec<Enabled> = Vec::new();
    for one in record::peek_all(&Host::this())?.into_iter().map(Enabled::from) {
        match enabled.iter_mut().find(|other| other.service == one.service) {
            // What was changed later of the same service.
            Some(other) => other.unconfirmed = one.unconfirmed.or(other.unconfirmed),
            None => enabled.push(one),
        }
    }
    Ok(enabled)
}

impl From<Record> for Enabled {
    fn from(record: Record) -> Self {
        let unconfirmed = record.pending.map(|pending| pending.left().unwrap_or(0));
        Self { service: record.service, since: record.made, unconfirmed }
    }
}

/// One service (or all of them) with everything that is known of it.
struct Item {
    service: String,
    changes: Vec<Change>,
    after_first_factor: bool,
    told: Told,
    reload_sshd: bool,
    profile: bool,
    /// What sshd would do, where this changes a service of its own.
    ssh: Option<sshd::Ways>,
}

/// What needs no daemon to be refused.
pub(crate) fn refuse_early(args: &Enable) -> Result<(), Failure> {
    if !rustix::process::geteuid().is_root() {
        return Err(Failure::new(Exit::NotAuthorized, text::NOT_ROOT));
    }
    if args.after_key && (args.all || args.services.iter().any(|service| service != sshd::SERVICE)) {
        return Err(Failure::usage(text::AFTER_KEY_IS_SSHD));
    }
    if args.force && !args.yes && !args.dry_run && !std::io::stdin().is_terminal() {
        return Err(Failure::usage(text::FORCE_NEEDS_YES));
    }
    Ok(())
}

pub(crate) async fn run(manager: &ManagerProxy<'_>, bus: &str, args: Enable) -> Result<(), Failure> {
    let host = Host::on(bus);
    let progress = Progress::of(text::TRYING);
    let (facts, mut problems) = judge::facts(&host, manager).await?;
    let trial = Trial::new(&host).map_err(Failure::failed)?;
    let mut items = plan_all(&host, &trial, &args)?;
    for item in items.iter().filter(|item| !item.changes.is_empty()) {
        let records = record::peek_all(&host).map_err(Failure::failed)?;
        not_waiting(&records, &item.service).map_err(Failure::failed)?;
    }
    for item in items.iter_mut().filter(|item| !item.changes.is_empty()) {
        inspect(manager, &trial, &facts, item, args.after_key).await?;
        item.told.problems.append(&mut problems);
    }
    drop(progress);
    report::show(&items, &args)?;
    let problems: Vec<String> = items.iter().flat_map(|item| item.told.problems.clone()).collect();
    if items.iter().all(|item| item.changes.is_empty()) {
        return report::finish(&items, &args, None);
    }
    if args.dry_run {
        report::finish(&items, &args, None)?;
        let exit = Failure::new(Exit::Problems, "");
        return if problems.is_empty() || args.force { Ok(()) } else { Err(exit) };
    }
    if !problems.is_empty() && !args.force {
        report::finish(&items, &args, None)?;
        return Err(Failure::failed(if args.json { "" } else { text::REFUSED }));
    }
    if !problems.is_empty() && !args.yes && !consent(&text::force_question(&problems))? {
        return Err(Failure::failed(text::NOTHING_CHANGED));
    }
    items.retain(|item| !item.changes.is_empty());
    // The probes are in the log, too; what comes after this row is somebody.
    let newest = manager
        .log(&WhichLogins::default(), (0, 0), 1)
        .await?
        .0
        .first()
        .map_or(facts.newest_login, |login| login.id);
    let seconds = carry_out(&host, &items, &args, newest)?;
    report::finish(&items, &args, Some(seconds))
}

/// A change that nobody has confirmed is confirmed or taken back before the next one of its service: otherwise
/// its way back would be the other one's.
fn not_waiting(records: &[Record], service: &str) -> Result<(), String> {
    let waiting = records.iter().find(|record| record.service == service && record.pending.is_some());
    match waiting.and_then(|record| record.pending.as_ref()) {
        Some(pending) => Err(text::still_waits(service, pending.left())),
        None => Ok(()),
    }
}

fn plan_all(host: &Host, trial: &Trial, args: &Enable) -> Result<Vec<Item>, Failure> {
    if args.all {
        let mut item = Item::new(ALL);
        item.changes = profile::plan(host, trial).map_err(Failure::failed)?;
        item.profile = true;
        item.after_first_factor = true;
        item.told.already = item.changes.is_empty().then(|| "pam-auth-update".to_owned());
        item.ssh = sshd::Ways::now();
        return Ok(vec![item]);
    }
    let mut items: Vec<Item> = Vec::new();
    for service in &args.services {
        if items.iter().all(|item| item.service != *service) {
            items.push(plan_one(host, trial, service, args)?);
        }
    }
    Ok(items)
}

fn plan_one(host: &Host, trial: &Trial, service: &str, args: &Enable) -> Result<Item, Failure> {
    let mut item = Item::new(service);
    match plan::plan(host, trial, service, args.after_key) {
        Ok(Planned::Already { place, after_first_factor }) => {
            item.told.already = Some(place);
            item.after_first_factor = after_first_factor;
        }
        Ok(Planned::Change(plan)) => {
            item.changes.push(plan.change);
            item.after_first_factor = plan.after_first_factor;
            item.told.also = plan.also;
            item.told.notes = plan.notes;
            item.told.problems = plan.problems;
        }
        Err(Hopeless::Unknown(why)) => return Err(Failure::new(Exit::NotFound, why)),
        Err(Hopeless::Refused(why)) => return Err(Failure::failed(why)),
    }
    if service == sshd::SERVICE {
        let plan = sshd::plan(host, args.after_key).map_err(Failure::failed)?;
        item.reload_sshd = plan.change.is_some();
        item.changes.extend(plan.change);
        item.told.notes.extend(plan.notes);
        item.told.problems.extend(plan.problems);
        item.ssh = Some(plan.ways);
    }
    Ok(item)
}

impl Item {
    fn new(service: &str) -> Self {
        Self {
            service: service.to_owned(),
            changes: Vec::new(),
            after_first_factor: false,
            told: Told::default(),
            reload_sshd: false,
            profile: false,
            ssh: None,
        }
    }

    /// The services to look at: itself and those that include it.
    fn services(&self, trial: &Trial) -> Vec<String> {
        if self.profile {
            return plan::asking(trial);
        }
        let mut services = vec![self.service.clone()];
        services.extend(self.told.also.iter().cloned());
        services
    }
}

/// People, and the stack itself.
async fn inspect(
    manager: &ManagerProxy<'_>,
    trial: &Trial,
    facts: &judge::Facts,
    item: &mut Item,
    after_key: bool,
) -> Result<(), Failure> {
    // Policy decides by the name of the service; who is asked nothing anywhere is told once.
    let people = ["sshd", "login", "sudo", "su", "su-l", "gdm-password", "polkit-1"];
    for service in item.services(trial) {
        if item.profile && !people.contains(&&*service) {
            continue;
        }
        let question = Question {
            service: &service,
            after_key,
            after_first_factor: item.after_first_factor,
            ssh: item.ssh.as_ref().filter(|_| service == sshd::SERVICE),
        };
        let judged = facts.judge(manager, &question).await?;
        // Whom policy leaves alone at one of many services is no mistake.
        if !item.profile || judged.asks_strangers {
            item.told.problems.extend(judged.problems);
        }
        item.told.notes.extend(judged.notes);
        let expected =
            Expected { asked: judged.asks_strangers, after_first_factor: item.after_first_factor, after_key };
        item.told.problems.extend(trial.test(&service, expected).map_err(Failure::failed)?);
        item.told.tested.push(service);
    }
    item.told.notes.dedup();
    item.told.problems.dedup();
    Ok(())
}

/// Notes, arms and changes, in this order. Gives the seconds until all is taken back.
fn carry_out(host: &Host, items: &[Item], args: &Enable, newest: i64) -> Result<u64, Failure> {
    let records = Records::lock(host).map_err(Failure::failed)?;
    let seconds = args.rollback_after;
    let mut done: Vec<Record> = Vec::new();
    for item in items {
        match carry_out_one(host, &records, item, args, newest) {
            Ok(record) => done.push(record),
            Err(why) => {
                // All services or none: who typed one command expects one outcome.
                for record in done.iter().rev() {
                    let service = &record.service;
                    journal::act(host, Deed::RollBack, &text::act_on(service), &text::act_off(service), "");
                    for why in undo::undo(host, &records, record).failed {
                        journal::note(&format!("{} could not be taken back: {why}", record.service));
                    }
                }
                return Err(Failure::failed(text::not_done(&item.service, &why)));
            }
        }
    }
    Ok(seconds)
}

fn carry_out_one(
    host: &Host,
    records: &Records,
    item: &Item,
    args: &Enable,
    newest: i64,
) -> Result<Record, String> {
    for change in &item.changes {
        if files::read(&host.real(&change.path))? != change.before {
            return Err(text::changed_meanwhile(&change.path.display().to_string()));
        }
    }
    not_waiting(&records.of(&item.service)?, &item.service)?;
    let (now, boot) = boot_clock();
    let seconds = args.rollback_after;
    let pending = Pending { boot, until: now + seconds };
    let mut record = Record::new(&item.service, new_id()?, newest, Some(pending));
    record.reload_sshd = item.reload_sshd;
    record.profile = item.profile;
    record.forced.clone_from(&item.told.problems);
    let record = records.keep(record, &item.changes)?;
    if let Err(why) = timer::arm(host, &item.service, &record.id, seconds) {
        if !args.force {
            records.forget(&record)?;
            timer::disarm(host, &record.id);
            return Err(text::not_armed(&why));
        }
        journal::note(&format!("enable {} without a timer, by force: {why}", item.service));
    }
    journal::note(&text::journal_enabled(&item.service, seconds, &record.forced));
    if let Err(why) = apply(host, item) {
        let undone = undo::undo(host, records, &record);
        journal::note(&format!("enable {} failed and was taken back: {why}", item.service));
        return Err([vec![why], undone.failed].concat().join("\n"));
    }
    let after = text::act_on_until(&item.service, seconds, &record.forced);
    journal::act(host, Deed::Enable, &text::act_off(&item.service), &after, "");
    Ok(record)
}

fn apply(host: &Host, item: &Item) -> Result<(), String> {
    if item.profile {
        let said = profile::switch(true)?;
        profile::must_be_on(&said, |path| std::fs::read(host.real(path)).ok())?;
    }
    let paths: Vec<_> = item.changes.iter().map(|change| host.real(&change.path)).collect();
    let wanted: Vec<_> = (item.changes.iter().zip(&paths))
        .map(|(change, path)| Wanted {
            path,
            // After the tool has run this finds what it expects, or makes it so.
            from: (!item.profile).then_some(change.before.as_ref()),
            to: change.after.as_ref(),
        })
        .collect();
    replace_all(&wanted)?;
    if item.reload_sshd {
        sshd::check()?;
        sshd::reload(host)?;
    }
    Ok(())
}

/// Sixteen hexadecimal digits that no other change has.
fn new_id() -> Result<String, String> {
    use std::io::Read;
    let mut bytes = [0_u8; 8];
    std::fs::File::open("/dev/urandom")
        .and_then(|mut random| random.read_exact(&mut bytes))
        .map_err(|error| text::unreadable("/dev/urandom", &error))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
