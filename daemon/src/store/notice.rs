//! What a person is told at their next login: each change of their factors, in the transaction that
//! makes it.

use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use countersign_protocol::manager::Notice;
use rusqlite::{Connection, Row};

/// Notices of one person that are kept at most; the oldest give way.
const KEPT: u32 = 50;
/// Notices that one login spells out; the rest is in `countersignctl status`.
const SPELLED_OUT: usize = 5;
/// Notices that one transaction removes at most, so that no login waits long.
const PRUNED_AT_ONCE: u32 = 500;

/// What happened. Beside each, what its detail holds: data, never a sentence. BY is a login name or
/// `uid N`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A recovery code let somebody in: `SERVICE SOURCE`.
    RecoveryUsed,
    /// Too many wrong answers closed a lane: `SERVICE SOURCE`.
    Locked,
    /// A code that was used already was typed again: `SERVICE SOURCE`.
    CodeReused,
    /// An authenticator was added: its name.
    Enrolled,
    /// An authenticator was taken over from another program: its name.
    Imported,
    /// An authenticator was removed: its name.
    Removed,
    /// A new set of recovery codes took the place of the old one: nothing.
    NewCodes,
    /// Somebody looked at the recovery codes: `BY: reason`.
    CodesViewed,
    /// A one-time code to enroll with was made: `BY`.
    Invited,
    /// A colleague asked for a reset: `ID BY: reason`.
    ResetRequested,
    /// Somebody agreed to that: `ID BY`.
    ResetApproved,
    /// Somebody refused it: `ID BY: reason`.
    ResetRefused,
    /// Every factor was removed: `BY: reason`.
    Reset,
    /// No second factor is asked for a while: `UNTIL, BY: reason`.
    Exempted,
    /// A second factor is asked of this person by name: `BY` or `BY: reason`.
    Required,
    /// An exemption was taken back: `BY` or `BY: reason`.
    ExemptionEnded,
    /// What was required of this person by name no longer is: `BY: reason`.
    RequirementEnded,
    /// Somebody else asked for another mail address, which waits for its code: `ADDRESS BY: reason`, masked.
    AddressAsked,
    /// A mail address was set and confirmed: `ADDRESS BY`, masked.
    AddressSet,
    /// The mail address that was set was removed: `ADDRESS BY`, masked.
    AddressRemoved,
    /// Factors came back from a backup, or recovery codes became void by it: `OF, BY: reason`.
    Restored,
    /// What lets them in was copied for another host: `BY: reason`.
    Exported,
    /// What lets them in came from another host: `BY: reason`.
    CameFrom,
    /// An administrator refuses every login of theirs: `BY: reason`.
    LockedByAdmin,
    /// That is over: `BY: reason`.
    UnlockedByAdmin,
}

/// Each kind and its word in the database and on the bus.
const WORDS: [(Kind, &str); 25] = [
    (Kind::RecoveryUsed, "recovery-used"),
    (Kind::Locked, "locked"),
    (Kind::CodeReused, "code-reused"),
    (Kind::Enrolled, "enrolled"),
    (Kind::Imported, "imported"),
    (Kind::Removed, "removed"),
    (Kind::NewCodes, "new-codes"),
    (Kind::CodesViewed, "codes-viewed"),
    (Kind::Invited, "invited"),
    (Kind::ResetRequested, "reset-requested"),
    (Kind::ResetApproved, "reset-approved"),
    (Kind::ResetRefused, "reset-refused"),
    (Kind::Reset, "reset"),
    (Kind::Exempted, "exempted"),
    (Kind::Required, "required"),
    (Kind::ExemptionEnded, "exemption-ended"),
    (Kind::RequirementEnded, "requirement-ended"),
    (Kind::AddressAsked, "address-asked"),
    (Kind::AddressSet, "address-set"),
    (Kind::AddressRemoved, "address-removed"),
    (Kind::Restored, "restored"),
    (Kind::Exported, "exported"),
    (Kind::CameFrom, "came-from"),
    (Kind::LockedByAdmin, "locked-by-admin"),
    (Kind::UnlockedByAdmin, "unlocked-by-admin"),
];

impl Kind {
    /// The word in the database and on the bus.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        WORDS.iter().find(|(kind, _)| *kind == self).map_or("", |(_, word)| word)
    }

    /// Reads it back; `None` for a word that this version does not know.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        WORDS.iter().find(|(_, known)| *known == word).map(|(kind, _)| *kind)
    }
}

/// One notice as a login tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Noted {
    /// When, such as `2026-11-22 14:03 UTC`.
    pub at: String,
    /// The word of its [`Kind`].
    pub kind: String,
    /// See [`Kind`].
    pub detail: String,
    /// How often; the time is that of the last.
    pub times: u32,
}

/// What a person has not been told yet.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Untold {
    /// Changes before mere tries, newest first.
    pub newest: Vec<Noted>,
    /// How many more there are.
    pub more: u32,
    /// The row of the last of them all; 0 is none.
    pub to: i64,
}

/// Notes what happened to a person. `detail` is as its [`Kind`] says.
pub(super) fn add(
    db: &Connection,
    uid: u32,
    name: &str,
    kind: Kind,
    detail: &str,
    now: Moment,
) -> Result<(), Error> {
    add_telling(db, uid, name, kind, detail, None, now)
}

/// The same, to be told to one more address than those that count from now on.
pub(super) fn add_telling(
    db: &Connection,
    uid: u32,
    name: &str,
    kind: Kind,
    detail: &str,
    extra_address: Option<&str>,
    now: Moment,
) -> Result<(), Error> {
    db.prepare_cached(
        "INSERT INTO notice (uid, name, at, kind, detail, extra_address) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((uid, name, now.wall, kind.as_str(), detail, extra_address))?;
    // What anybody with the password can repeat goes first, so that it cannot push out what they did.
    // What was told to whoever was logged in and not mailed yet stays as if untold.
    db.prepare_cached(
        "DELETE FROM notice WHERE id IN (
           SELECT n.id FROM notice n WHERE n.uid = ?1 AND n.id < last_insert_rowid()
           ORDER BY n.kind IN ('locked', 'code-reused'),
                    n.told IS NOT NULL AND NOT EXISTS (
                      SELECT 1 FROM notice_letter l
                      WHERE l.uid = n.uid AND l.name = n.name AND n.id BETWEEN l.first AND l.last),
                    n.id DESC LIMIT -1 OFFSET ?2)",
    )?
    .execute((uid, KEPT - 1))?;
    Ok(())
}

/// The notice that was just added is about this service and source, instead of this very host.
pub(super) fn seen_at(db: &Connection, service: &str, source: &str) -> Result<(), Error> {
    db.prepare_cached("UPDATE notice SET service = ?1, source = ?2 WHERE id = last_insert_rowid()")?
        .execute((service, source))?;
    Ok(())
}

/// Where it was done: as the detail says of the kinds whose detail it is, else as noted beside it.
pub(super) fn place(noted: &Noted, service: String, source: String) -> (String, String) {
    let in_detail =
        matches!(Kind::parse(&noted.kind), Some(Kind::RecoveryUsed | Kind::Locked | Kind::CodeReused));
    match noted.detail.rsplit_once(' ').filter(|_| in_detail) {
        Some((service, source)) => (service.to_owned(), source.to_owned()),
        None => (service, source),
    }
}

/// What this person has not been told, as far as notice `up_to`.
pub(super) fn untold(db: &Connection, uid: u32, name: &str, up_to: i64) -> Result<Untold, Error> {
    let mut untold = Untold::default();
    let mut statement = db.prepare_cached(
        "SELECT max(id), coalesce(strftime('%Y-%m-%d %H:%M UTC', max(at), 'unixepoch'), ''), kind, detail, count(*)
         FROM notice WHERE uid = ?1 AND name = ?2 AND told IS NULL AND id <= ?3
         GROUP BY kind, detail ORDER BY kind IN ('locked', 'code-reused'), max(id) DESC",
    )?;
    let mut rows = statement.query((uid, name, up_to))?;
    while let Some(row) = rows.next()? {
        untold.to = untold.to.max(row.get(0)?);
        let times = row.get(4)?;
        if untold.newest.len() < SPELLED_OUT {
            untold.newest.push(Noted { at: row.get(1)?, kind: row.get(2)?, detail: row.get(3)?, times });
        } else {
            untold.more += times;
        }
    }
    Ok(untold)
}

/// Notes that this person was told everything as far as notice `up_to`.
pub(super) fn told(db: &Connection, uid: u32, name: &str, up_to: i64, now: Moment) -> Result<(), Error> {
    db.prepare_cached(
        "UPDATE notice SET told = ?4 WHERE uid = ?1 AND name = ?2 AND told IS NULL AND id <= ?3",
    )?
    .execute((uid, name, up_to, now.wall))?;
    Ok(())
}

/// Everything that is kept for a person, newest first.
pub(super) fn all(db: &Connection, uid: u32, name: &str) -> Result<Vec<Notice>, Error> {
    let read = |r: &Row<'_>| {
        Ok(Notice {
            at: r.get(0)?,
            kind: r.get(1)?,
            detail: r.get(2)?,
            told: r.get::<_, Option<i64>>(3)?.unwrap_or(0),
        })
    };
    Ok(db
        .prepare_cached(
            "SELECT at, kind, detail, told FROM notice WHERE uid = ?1 AND name = ?2 ORDER BY id DESC",
        )?
        .query_map((uid, name), read)?
        .collect::<Result<_, _>>()?)
}

/// The last notice there is; 0 is none.
pub(super) fn last(db: &Connection) -> rusqlite::Result<i64> {
    db.prepare_cached("SELECT coalesce(max(id), 0) FROM notice")?.query_row([], |r| r.get(0))
}

/// Says to the journal what was noted after notice `after`; gives the last one there is. Called
/// after each commit, so that the journal never tells what did not happen.
pub(super) fn to_journal(db: &Connection, after: i64) -> rusqlite::Result<i64> {
    let mut last = after;
    let mut statement =
        db.prepare_cached("SELECT id, uid, name, kind, detail FROM notice WHERE id > ?1 ORDER BY id")?;
    let mut rows = statement.query([after])?;
    while let Some(row) = rows.next()? {
        last = row.get(0)?;
        let (uid, name, kind, detail): (u32, String, String, String) =
            (row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?);
        crate::journal::notice(
            "a person will be told",
            &[("what", &kind), ("user", &name), ("uid", &uid.to_string()), ("detail", &detail)],
        );
    }
    Ok(last)
}

impl Store {
    /// Removes the oldest notices from before a date (seconds since 1970), told or not, a few at a
    /// time. Gives how many went; 0 is that none are left.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn prune_notices(&self, before: i64) -> Result<usize, Error> {
        self.run(Durability::Kill, move |db| {
            Ok(db.execute(
                "DELETE FROM notice WHERE id IN (SELECT id FROM notice ORDER BY id LIMIT ?1) AND at < ?2",
                (PRUNED_AT_ONCE, before),
            )?)
        })
        .await
    }
}
