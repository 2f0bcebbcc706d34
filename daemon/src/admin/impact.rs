//! Trying a draft of the policy on the logins of the past and on everybody who is known.
//!
//! Nothing of it is on the way of a login: the log is read in short pages, people are looked up one
//! by one, and the decisions are made on a thread of their own. All of it is bounded, and what was
//! left out is said.

use crate::clock::Moment;
use crate::decide::impact::{Effect, Facts, effect};
use crate::decide::policy::{Decision, Person, Resolution, Source};
use crate::error::Error;
use crate::host::Host;
use crate::in_force::InForce;
use crate::last_good::Files;
use crate::store::Newcomers;
use countersign_config::{AddressSource, Config, Factor, MAX_DROP_INS, MAX_FILE, Policy};
use countersign_protocol::manager::{Change, Impact};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs::File;
use std::net::{IpAddr, Ipv4Addr};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;

/// Rows of the log that one transaction reads.
const PAGE: u32 = 1000;
/// Rows that are looked at most.
const MOST_ROWS: u64 = 500_000;
/// Pairs of a service and a source that are tried for all people together.
const MOST_KINDS: usize = 50_000;
/// People who are looked at most.
const MOST_PEOPLE: usize = 5_000;
/// Invitations, and people whose time of grace has begun, that are looked at most.
const MOST_NEWCOMERS: u32 = 50_000;
/// How long people may be looked up.
const LOOKING: Duration = Duration::from_secs(12);
/// Policies that are looked at most, all decisions together: a few seconds of one thread.
const WORK: usize = 20_000_000;
/// Services that people who did not log in are tried with.
const MOST_SERVICES: usize = 10;
/// Lines of the answer.
const MOST_CHANGES: usize = 5_000;

/// A draft as it came over the bus.
#[derive(Debug)]
pub struct Draft {
    /// Names and sizes of the files; none is what is on disk.
    pub files: Vec<(String, u64)>,
    /// Their bytes, one file after the other.
    pub contents: OwnedFd,
}

/// What the draft would change, by the logins of the last `seconds`.
///
/// # Errors
/// `InvalidArgument` with every problem of a broken draft, `Busy` while another is tried,
/// `Unavailable` when the store cannot be read.
pub async fn impact(host: &Arc<Host>, draft: Draft, seconds: u64) -> Result<Impact, Error> {
    static ONE: Semaphore = Semaphore::const_new(1);
    let _one = ONE.try_acquire().map_err(|_| Error::Busy("another draft is being tried".into()))?;
    let died = |_| Error::unavailable("trying the policy died");
    let loading = Arc::clone(host);
    let (draft, warnings) =
        tokio::task::spawn_blocking(move || loading.policies.draft(read(draft)?)).await.map_err(died)??;
    let now = host.clock.now()?;
    let since = now.wall.saturating_sub(i64::try_from(seconds).unwrap_or(i64::MAX)).max(0);
    let mut notes = Vec::new();
    let past = replay(host, since, &mut notes).await?;
    let enrolled = enrolled(host).await?;
    let force = host.in_force();
    if asks_records(&force) || asks_records(&draft) {
        notes.push(
            "people whose only factor is an address in a user record count as people without one".into(),
        );
    }
    let names = everybody(&past, &enrolled, &force, &draft, &mut notes).await;
    let people = look_up(names, &force, &draft, &mut notes).await;
    let mut impact = Impact {
        draft: draft.config.hash.clone(),
        in_force: force.config.hash.clone(),
        warnings,
        since,
        logins: past.logins,
        strangers: past.strangers,
        people: u32::try_from(people.len()).unwrap_or(u32::MAX),
        notes: Vec::new(),
        changes: Vec::new(),
    };
    let newcomers = host.store.newcomers(MOST_NEWCOMERS, now).await?;
    let trial = Trial { host: Arc::clone(host), before: force, after: draft, enrolled, newcomers, now };
    let (changes, more) =
        tokio::task::spawn_blocking(move || trial.run(&past, &people)).await.map_err(died)?;
    notes.extend(more);
    impact.changes = changes;
    impact.notes = notes;
    Ok(impact)
}

/// The files of a draft; `None` is what is on disk.
fn read(draft: Draft) -> Result<Option<Files>, Error> {
    let Draft { files, contents } = draft;
    if files.is_empty() {
        return Ok(None);
    }
    let too_much = || Error::InvalidArgument("a draft has at most 101 files of 1 MiB".into());
    let sizes = files.iter().map(|(_, size)| usize::try_from(*size).unwrap_or(usize::MAX));
    if files.len() > MAX_DROP_INS + 1 || sizes.clone().any(|size| size > MAX_FILE) {
        return Err(too_much());
    }
    let contents = File::from(contents);
    // A FIFO or a device could keep this thread for ever.
    if !contents.metadata()?.is_file() {
        return Err(Error::InvalidArgument("a draft is a regular file".into()));
    }
    let (mut read, mut at) = (Files::new(), 0);
    for ((name, length), size) in files.iter().zip(sizes) {
        let mut bytes = vec![0; size];
        contents
            .read_exact_at(&mut bytes, at)
            .map_err(|_| Error::InvalidArgument("the draft is shorter than was said".into()))?;
        at += length;
        read.push((name.clone(), bytes));
    }
    Ok(Some(read))
}

/// The logins of the past, without what policies do not look at.
#[derive(Default)]
struct Past {
    logins: u64,
    strangers: u64,
    /// By person, then by service and source: how many.
    kinds: BTreeMap<String, BTreeMap<(String, String), u64>>,
    /// By service: how many.
    services: BTreeMap<String, u64>,
}

async fn replay(host: &Host, since: i64, notes: &mut Vec<String>) -> Result<Past, Error> {
    let mut past = Past::default();
    let (mut before, mut kinds) = (i64::MAX, 0);
    loop {
        let page = host.store.past(before, PAGE).await?;
        let Some(last) = page.last() else { return Ok(past) };
        before = last.id;
        for row in page {
            if row.started < since {
                return Ok(past);
            }
            past.logins += 1;
            let Some(user) = row.user else {
                past.strangers += 1;
                continue;
            };
            *past.services.entry(row.service.clone()).or_default() += 1;
            let of_user = past.kinds.entry(user).or_default();
            let known = of_user.len();
            *of_user.entry((row.service, row.source)).or_default() += 1;
            kinds += of_user.len() - known;
        }
        if past.logins >= MOST_ROWS || kinds >= MOST_KINDS {
            notes.push(format!("only the newest {} logins were looked at", past.logins));
            return Ok(past);
        }
        // Whoever waits for the database comes first.
        tokio::task::yield_now().await;
    }
}

async fn enrolled(host: &Host) -> Result<HashSet<String>, Error> {
    let mut names = HashSet::new();
    let mut after = None;
    loop {
        let page = host.store.people_with_a_factor(after, PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(names) };
        after = Some(*last);
        names.extend(page.into_iter().map(|(_, name)| name));
        tokio::task::yield_now().await;
    }
}

/// The names to try: those in the log, those whom the policies name, and the enrolled.
async fn everybody(
    past: &Past,
    enrolled: &HashSet<String>,
    force: &InForce,
    draft: &InForce,
    notes: &mut Vec<String>,
) -> Vec<String> {
    let named = |config: &Config| -> Vec<String> {
        config.policies.iter().flat_map(|policy| policy.users.iter().flatten()).cloned().collect()
    };
    let members = [draft.directory.members().await, force.directory.members().await];
    let mut seen = HashSet::new();
    let mut names: Vec<String> = past.kinds.keys().cloned().collect();
    names.extend(named(&draft.config));
    names.extend(named(&force.config));
    names.extend(members.into_iter().flatten());
    let mut rest: Vec<String> = enrolled.iter().cloned().collect();
    rest.sort_unstable();
    names.extend(rest);
    names.retain(|name| seen.insert(name.clone()));
    if names.len() > MOST_PEOPLE {
        let left = names.len() - MOST_PEOPLE;
        notes.push(format!("{left} more people were not looked at, who did not log in or are in no group"));
        names.truncate(MOST_PEOPLE);
    }
    names
}

/// Each person as the policies in force and as those of the draft see them.
async fn look_up(
    names: Vec<String>,
    force: &InForce,
    draft: &InForce,
    notes: &mut Vec<String>,
) -> Vec<(Person, Person)> {
    let until = Instant::now() + LOOKING;
    let mut people = Vec::new();
    let mut failed = 0;
    for (index, name) in names.iter().enumerate() {
        if Instant::now() >= until {
            let left = names.len() - index;
            notes.push(format!("{left} people were not looked at: the account database is slow"));
            break;
        }
        let (before, after) = (force.directory.person(name).await, draft.directory.person(name).await);
        match after.resolution {
            Resolution::Found(_) => people.push((before, after)),
            // Somebody who is gone cannot log in.
            Resolution::NotFound => {}
            Resolution::Failed => failed += 1,
        }
    }
    if failed > 0 {
        notes.push(format!("{failed} people could not be looked up, and count as required at a login"));
    }
    people
}

/// What logins of one person have in common: what they come to, before and after, by which policy
/// of the draft, and whether that is certain.
type Kind = (Effect, Effect, String, bool);

/// Both sets of policies, ready to be compared.
struct Trial {
    host: Arc<Host>,
    before: Arc<InForce>,
    after: Arc<InForce>,
    enrolled: HashSet<String>,
    newcomers: Newcomers,
    now: Moment,
}

impl Trial {
    fn run(&self, past: &Past, people: &[(Person, Person)]) -> (Vec<Change>, Vec<String>) {
        let usual = self.usual(past);
        let each = (self.before.config.policies.len() + self.after.config.policies.len()).max(1);
        let (mut changes, mut notes, mut work) = (Vec::new(), Vec::new(), 0_usize);
        for (index, pair) in people.iter().enumerate() {
            let own = past.kinds.get(&pair.1.name);
            work += own.map_or(usual.len(), BTreeMap::len) * each;
            if work > WORK {
                let left = people.len() - index;
                notes.push(format!("{left} people were not looked at: the policies are too many"));
                break;
            }
            changes.extend(self.person(pair, own.unwrap_or(&usual)));
        }
        if changes.len() > MOST_CHANGES {
            notes.push(format!("{} more changes are not listed", changes.len() - MOST_CHANGES));
            changes.truncate(MOST_CHANGES);
        }
        (changes, notes)
    }

    /// What people who did not log in are tried with: the services that others use and that policies
    /// name, from this machine and from an address that no policy names.
    fn usual(&self, past: &Past) -> BTreeMap<(String, String), u64> {
        let mut used: Vec<_> = past.services.iter().collect();
        used.sort_by_key(|(_, logins)| std::cmp::Reverse(**logins));
        let policies = self.after.config.policies.iter().chain(&self.before.config.policies);
        let named = policies.flat_map(|policy| policy.services.iter().flatten());
        let mut services = BTreeSet::from(["sshd".to_owned()]);
        for service in used.into_iter().map(|(service, _)| service).chain(named) {
            if services.len() < MOST_SERVICES {
                services.insert(service.clone());
            }
        }
        let elsewhere = Ipv4Addr::UNSPECIFIED.to_string();
        let sources = ["local", &elsewhere];
        services
            .iter()
            .flat_map(|service| sources.map(|source| ((service.clone(), source.to_owned()), 0)))
            .collect()
    }

    fn person(
        &self,
        (before, after): &(Person, Person),
        kinds: &BTreeMap<(String, String), u64>,
    ) -> Vec<Change> {
        let uid = match after.resolution {
            Resolution::Found(uid) => Some(uid),
            Resolution::NotFound | Resolution::Failed => None,
        };
        let facts = Facts {
            uid,
            has_factor: self.enrolled.contains(&after.name),
            invited: self.newcomers.invited.contains(&after.name),
            grace_began: self.newcomers.grace.get(&after.name).copied(),
        };
        let mut found: BTreeMap<Kind, (BTreeSet<&str>, u64)> = BTreeMap::new();
        for ((service, source), logins) in kinds {
            let source = source_of(source);
            let old = self.host.decide(&self.before, before, service, source, self.now);
            let new = self.host.decide(&self.after, after, service, source, self.now);
            let with_mail = |decision: &Decision, force: &InForce| Facts {
                has_factor: facts.has_factor || self.has_mail(decision, force, &after.name),
                ..facts
            };
            let was = effect(&old, with_mail(&old, &self.before), self.now);
            let is = effect(&new, with_mail(&new, &self.after), self.now);
            if was == is && is != Effect::LockedOut {
                continue;
            }
            let (services, count) =
                found.entry((was, is, new.policy().to_owned(), is_certain(&new))).or_default();
            services.insert(service);
            *count += logins;
        }
        found
            .into_iter()
            .map(|((was, is, policy, certain), (services, logins))| Change {
                user: after.name.clone(),
                uid: uid.map_or(-1, i64::from),
                services: services.into_iter().map(str::to_owned).collect(),
                logins,
                before: was.as_str().into(),
                after: is.as_str().into(),
                policy,
                certain,
            })
            .collect()
    }
}

impl Trial {
    /// Whether an address of this person counts as a factor under this decision. User records are not asked.
    fn has_mail(&self, decision: &Decision, force: &InForce, name: &str) -> bool {
        let (Decision::Required(terms) | Decision::RequiredIfEnrolled(terms)) = decision else {
            return false;
        };
        let Some(mail) = &terms.mail else { return false };
        force.config.email.addresses.iter().any(|source| match source {
            AddressSource::Set => self.newcomers.addressed.contains(name),
            AddressSource::Pattern => mail.pattern.as_ref().and_then(|one| one.address(name)).is_some(),
            AddressSource::Record => false,
        })
    }
}

/// Whether people may have addresses that are not looked up here.
fn asks_records(force: &InForce) -> bool {
    let mails = |policy: &Policy| policy.factors.contains(&Factor::Email);
    force.config.email.addresses.contains(&AddressSource::Record) && force.config.policies.iter().any(mails)
}

fn is_certain(decision: &Decision) -> bool {
    match decision {
        Decision::Required(terms) | Decision::RequiredIfEnrolled(terms) => terms.certain,
        Decision::Exempt { .. } | Decision::ReportOnly { .. } | Decision::Off { .. } | Decision::NoPolicy => {
            true
        }
    }
}

/// A source as the log has it.
fn source_of(text: &str) -> Source {
    match text {
        "local" => Source::Local,
        _ => text.parse::<IpAddr>().map_or(Source::Unknown, |ip| Source::Address(ip.to_canonical())),
    }
}
