//! Bringing back what a backup has and the running database lost, and nothing that is looser than either.
//!
//! The running database is not replaced: one transaction adds to it. What was removed by somebody since
//! the backup stays removed (`gone` says so), what was enrolled since stays, replay marks and failures take
//! the higher value, and the attempt log goes on.

use super::notice::{self, Kind as Notice};
use super::staged::{Copied, Kept, KeptApp, KeptSet};
use super::worker::{Durability, Store};
use super::{enrollment, import, overrides, rekey, revoke};
use crate::clock::Moment;
use crate::decide::overrides::Override;
use crate::error::Error;
use countersign_protocol::manager::{Restored, RestoredFactor};
use rusqlite::{Connection, OptionalExtension};

/// How a backup is brought back.
#[derive(Debug, Clone)]
pub struct Bring {
    /// Whether recovery codes that were unused in both stay good.
    pub keep_codes: bool,
    /// Say what would come of it, and change nothing.
    pub dry_run: bool,
    /// Who, and why.
    pub by: String,
}

/// What happens to one factor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It comes back.
    Returns,
    /// Its recovery codes are void.
    Void,
    /// Somebody removed it since, and it stays so.
    Revoked,
    /// It cannot come back.
    Refused,
}

impl Fate {
    fn as_str(self) -> &'static str {
        match self {
            Self::Returns => "returns",
            Self::Void => "void",
            Self::Revoked => "revoked",
            Self::Refused => "refused",
        }
    }
}

impl Store {
    /// Brings a backup back. Gives also all overrides that are kept then.
    ///
    /// # Errors
    /// When the store cannot be written: then nothing has changed.
    pub async fn bring_back(
        &self,
        copied: Copied,
        mut report: Restored,
        how: Bring,
        now: Moment,
    ) -> Result<(Restored, Vec<Override>), Error> {
        self.run(Durability::Power, move |db| {
            report.people = u32::try_from(copied.people.len()).unwrap_or(u32::MAX);
            let before: u32 = db.query_row("SELECT count(*) FROM totp", [], |r| r.get(0))?;
            let of = overrides::minute(db, report.taken)?;
            let removed = revoke::revoke(db, &copied, &how, &of, &mut report, now)?;
            for kept in &copied.people {
                one(db, kept, &how, &of, &mut report, now)?;
            }
            report.newer = before.saturating_sub(report.kept + removed);
            report.raised = raise_failures(db, &copied, how.dry_run)?;
            report.required = require(db, &copied, how.dry_run)?;
            if !how.dry_run {
                shorten_graces(db, &copied)?;
                end_logins(db)?;
            }
            Ok((report, overrides::all(db)?))
        })
        .await
    }
}

/// One person.
fn one(
    db: &Connection,
    kept: &Kept,
    how: &Bring,
    of: &str,
    report: &mut Restored,
    now: Moment,
) -> Result<(), Error> {
    let here: Option<String> = db
        .prepare_cached("SELECT name FROM person WHERE uid = ?1")?
        .query_row([kept.uid], |r| r.get(0))
        .optional()?;
    let is_new = here.is_none();
    let other = here.filter(|name| *name != kept.name);
    let rows = report.factors.len();
    let mut apps_here: u32 =
        db.prepare_cached("SELECT count(*) FROM totp WHERE uid = ?1")?.query_row([kept.uid], |r| r.get(0))?;
    for app in &kept.apps {
        let fate = match &other {
            Some(_) => Some(Fate::Refused),
            None => fate_of(db, kept.uid, app, apps_here)?,
        };
        match fate {
            None => {
                report.kept += 1;
                if !how.dry_run {
                    raise_mark(db, app)?;
                }
            }
            Some(fate) => {
                if fate == Fate::Returns {
                    apps_here += 1;
                    if !how.dry_run {
                        insert_app(db, kept, app)?;
                    }
                }
                let why = other.as_ref().map_or(String::new(), |name| format!("the uid is {name}'s now"));
                report.factors.push(row(kept, "totp", &app.label, fate, app.created, why));
            }
        }
    }
    if let Some(set) = kept.set.as_ref().filter(|_| other.is_none()) {
        codes(db, kept, set, apps_here > 0, how, report)?;
    }
    // Nobody of this name and uid was ever here, so nobody removed an address of theirs either.
    let never_here = is_new && !report.factors[rows..].iter().any(|row| row.what == Fate::Revoked.as_str());
    if never_here && !how.dry_run {
        insert_address(db, kept)?;
    }
    let changed = report.factors[rows..].iter().any(|row| ["returns", "void"].contains(&row.what.as_str()));
    if changed && !how.dry_run {
        notice::add(db, kept.uid, &kept.name, Notice::Restored, &format!("{of}, {}", how.by), now)?;
    }
    Ok(())
}

/// `None`: it is here.
fn fate_of(db: &Connection, uid: u32, app: &KeptApp, apps_here: u32) -> Result<Option<Fate>, Error> {
    let owner: Option<u32> = db
        .prepare_cached("SELECT uid FROM totp WHERE serial = ?1")?
        .query_row([&app.serial], |r| r.get(0))
        .optional()?;
    Ok(match owner {
        Some(owner) if owner == uid => None,
        Some(_) => Some(Fate::Refused),
        None if is_gone(db, &app.serial)? => Some(Fate::Revoked),
        None if apps_here >= enrollment::MOST => Some(Fate::Refused),
        None => Some(Fate::Returns),
    })
}

fn is_gone(db: &Connection, serial: &[u8]) -> Result<bool, Error> {
    Ok(db.prepare_cached("SELECT 1 FROM gone WHERE serial = ?1")?.exists([serial])?)
}

/// A code is used where either says so.
fn raise_mark(db: &Connection, app: &KeptApp) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE totp SET last_step = max(last_step, ?2), last_used = max(last_used, ?3) WHERE serial = ?1",
    )?
    .execute((&app.serial, app.last_step, app.last_used))?;
    Ok(())
}

pub(super) fn insert_app(db: &Connection, kept: &Kept, app: &KeptApp) -> Result<(), Error> {
    add_person(db, kept)?;
    let label = import::free_label(db, kept.uid, &app.label)?;
    db.prepare_cached(
        "INSERT INTO totp (uid, name, secret, digits, period, last_step, drift, created, last_used, serial)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    )?
    .execute(rusqlite::params![
        kept.uid,
        label,
        app.secret,
        app.digits,
        app.period,
        app.last_step,
        app.drift,
        app.created,
        app.last_used,
        app.serial,
    ])?;
    Ok(())
}

/// Keeps a mail address where the person has none.
pub(super) fn insert_address(db: &Connection, kept: &Kept) -> Result<(), Error> {
    if let Some((address, confirmed)) = &kept.address {
        db.prepare_cached(
            "INSERT INTO address (uid, name, address, confirmed, by_uid, by_name) VALUES (?1, ?2, ?3, ?4, 0, 'root')
             ON CONFLICT DO NOTHING",
        )?
        .execute((kept.uid, &kept.name, address, confirmed))?;
    }
    Ok(())
}

pub(super) fn add_person(db: &Connection, kept: &Kept) -> Result<(), Error> {
    db.prepare_cached("INSERT INTO person (uid, name) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute((kept.uid, &kept.name))?;
    Ok(())
}

/// Recovery codes: a copy does not know which were used since, so they are void, unless told otherwise
/// or they are all that the person has.
fn codes(
    db: &Connection,
    kept: &Kept,
    set: &KeptSet,
    has_app: bool,
    how: &Bring,
    report: &mut Restored,
) -> Result<(), Error> {
    let here: Option<Vec<u8>> = db
        .prepare_cached("SELECT salt FROM recovery_set WHERE uid = ?1")?
        .query_row([kept.uid], |r| r.get(0))
        .optional()?;
    let good = how.keep_codes || !has_app;
    let fate = match &here {
        Some(salt) if *salt == set.salt && good => None,
        Some(salt) if *salt == set.salt => Some(Fate::Void),
        Some(_) => Some(Fate::Revoked),
        None if is_gone(db, &set.salt)? => Some(Fate::Revoked),
        None if good => Some(Fate::Returns),
        None => Some(Fate::Void),
    };
    if !how.dry_run {
        match fate {
            None => use_up(db, kept.uid, set)?,
            Some(Fate::Returns) => insert_set(db, kept, set)?,
            Some(Fate::Void) => {
                db.prepare_cached("DELETE FROM recovery_code WHERE uid = ?1")?.execute([kept.uid])?;
                db.prepare_cached("DELETE FROM recovery_set WHERE uid = ?1")?.execute([kept.uid])?;
                db.prepare_cached("INSERT OR IGNORE INTO gone VALUES (?1)")?.execute([&set.salt])?;
            }
            Some(Fate::Revoked | Fate::Refused) => {}
        }
    }
    match fate {
        None => report.kept_codes += 1,
        Some(fate) => report.factors.push(row(kept, "recovery", "", fate, set.created, String::new())),
    }
    Ok(())
}

fn use_up(db: &Connection, uid: u32, set: &KeptSet) -> Result<(), Error> {
    let mut mark = db.prepare_cached(
        "UPDATE recovery_code SET used_at = ?3 WHERE uid = ?1 AND number = ?2 AND used_at IS NULL",
    )?;
    for code in &set.codes {
        if let Some(used_at) = code.used_at {
            mark.execute((uid, code.number, used_at))?;
        }
    }
    Ok(())
}

pub(super) fn insert_set(db: &Connection, kept: &Kept, set: &KeptSet) -> Result<(), Error> {
    add_person(db, kept)?;
    db.prepare_cached("INSERT INTO recovery_set (uid, salt, created, scratch) VALUES (?1, ?2, ?3, ?4)")?
        .execute((kept.uid, &set.salt, set.created, set.scratch))?;
    let mut insert = db.prepare_cached(
        "INSERT INTO recovery_code (uid, number, hash, sealed, used_at) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for code in &set.codes {
        insert.execute((kept.uid, code.number, &code.hash, &code.sealed, code.used_at))?;
    }
    Ok(())
}

fn row(kept: &Kept, kind: &str, name: &str, fate: Fate, created: i64, why: String) -> RestoredFactor {
    RestoredFactor {
        user: kept.name.clone(),
        uid: kept.uid,
        kind: kind.to_owned(),
        name: name.to_owned(),
        what: fate.as_str().to_owned(),
        created,
        why,
    }
}

/// Failures take the higher value; gives how many were raised.
fn raise_failures(db: &Connection, copied: &Copied, dry_run: bool) -> Result<u32, Error> {
    let mut read = db.prepare_cached("SELECT failures FROM tally WHERE subject = ?1 AND lane = ?2")?;
    let mut write = db.prepare_cached(
        "INSERT INTO tally (subject, lane, failures, boot, last_ms, last) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (subject, lane) DO UPDATE SET failures = ?3",
    )?;
    let mut raised = 0;
    for (subject, lane, failures, boot, last_ms, last) in &copied.tallies {
        let here: Option<u32> = read.query_row((subject, lane), |r| r.get(0)).optional()?;
        if here.is_none_or(|here| here < *failures) {
            raised += 1;
            if !dry_run {
                write.execute((subject, lane, failures, boot, last_ms, last))?;
            }
        }
    }
    Ok(raised)
}

/// What was required by name is required again, and who was locked is locked again; exemptions never come
/// back. Gives of whom.
fn require(db: &Connection, copied: &Copied, dry_run: bool) -> Result<Vec<String>, Error> {
    let mut required = Vec::new();
    for one in &copied.required {
        let here = db
            .prepare_cached("SELECT 1 FROM override WHERE uid = ?1 AND name = ?2 AND kind = ?3")?
            .exists((one.uid, &one.name, one.kind.as_str()))?;
        if !here {
            required.push(one.name.clone());
            if !dry_run {
                overrides::insert(db, one)?;
            }
        }
    }
    Ok(required)
}

/// Nobody gets new time by it.
fn shorten_graces(db: &Connection, copied: &Copied) -> Result<(), Error> {
    let mut keep = db.prepare_cached(
        "INSERT INTO grace (uid, name, began, until) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (uid) DO UPDATE SET began = min(began, ?3), until = min(until, ?4) WHERE name = ?2",
    )?;
    for (uid, name, began, until) in &copied.graces {
        keep.execute((uid, name, began, until))?;
    }
    Ok(())
}

/// Ends whatever is in flight: it began with other factors.
pub(super) fn end_logins(db: &Connection) -> Result<(), Error> {
    rekey::end_enrollments(db)?;
    db.execute(
        "UPDATE login SET token = NULL, phase = 3, reason = 'restored',
                state = CASE WHEN state IN ('asked', 'verified') THEN 'denied' ELSE state END
         WHERE token IS NOT NULL",
        [],
    )?;
    db.execute("DELETE FROM email_login", [])?;
    Ok(())
}
