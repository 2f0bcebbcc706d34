//! Codes by e-mail: the one live code of a login, and how many letters were sent of late.

use super::address;
use super::answer::{OpenLogin, open_login};
use super::worker::{Durability, Store};
use crate::clock::{Moment, Stamp};
use crate::decide::email::{LOOKS_AT, LOOKS_BACK_MS, Limits, Way};
use crate::error::Error;
use rusqlite::{Connection, OptionalExtension};
use subtle::ConstantTimeEq;

/// Where the codes of a login go, noted when it begins: no change of policy moves them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MailTo {
    /// The address.
    pub address: String,
    /// Whether somebody has set it: it counts as long as it stands in the database.
    pub set: bool,
    /// The account that sends them.
    pub mailbox: String,
    /// The letter; empty is the usual one.
    pub template: String,
}

/// The same with what an answer is judged by.
#[derive(Debug, Clone)]
pub struct EmailRow {
    /// Where the codes go.
    pub to: MailTo,
    /// When the last one was sent and whether it is the typed one, and how many there were.
    pub way: Way,
}

/// Notes where the codes of a login that has just been written go. An address that was changed since it
/// was read gets none.
pub(super) fn open(
    db: &Connection,
    login: i64,
    whose: (Option<u32>, &str),
    to: &MailTo,
) -> Result<(), Error> {
    if let (true, (Some(uid), name)) = (to.set, whose)
        && address::find(db, uid, name)?.is_none_or(|now| now.address != to.address)
    {
        return Ok(());
    }
    db.prepare_cached("INSERT INTO email_login (login, address, mailbox, template) VALUES (?1, ?2, ?3, ?4)")?
        .execute((login, &to.address, &to.mailbox, &to.template))?;
    Ok(())
}

/// What is known of the codes of a login; `None` where none can be sent.
pub(super) fn find(
    db: &Connection,
    login: &OpenLogin,
    typed: Option<&[u8; 32]>,
    limits: Limits,
    now: Moment,
) -> Result<Option<EmailRow>, Error> {
    let Some(uid) = login.uid.filter(|_| login.mails()) else { return Ok(None) };
    let row = db
        .prepare_cached(
            "SELECT address, mailbox, template, code, boot, sent_ms FROM email_login WHERE login = ?1",
        )?
        .query_row([login.id], |r| {
            let to = MailTo { address: r.get(0)?, set: false, mailbox: r.get(1)?, template: r.get(2)? };
            let code: Option<[u8; 32]> = r.get(3)?;
            let sent = match code {
                Some(_) => Some(Stamp { boot: r.get(4)?, ms: r.get(5)? }),
                None => None,
            };
            Ok((to, code, sent))
        })
        .optional()?;
    let Some((to, code, sent)) = row else { return Ok(None) };
    let matches = match (code, typed) {
        (Some(code), Some(typed)) => bool::from(code.ct_eq(typed)),
        _ => false,
    };
    let way = Way { matches, ..way(db, uid, sent, limits, now)? };
    Ok(Some(EmailRow { to, way }))
}

/// A code is ordered: the one before it is void, and a letter is counted, before anybody sends it.
pub(super) fn order(db: &Connection, login: &OpenLogin, code: &[u8; 32], now: Moment) -> Result<(), Error> {
    db.prepare_cached("UPDATE email_login SET code = ?2, boot = ?3, sent_ms = ?4 WHERE login = ?1")?
        .execute((login.id, code, now.boot, now.boot_ms))?;
    count(db, login.uid, now)
}

/// Uses the code of a login up; 1 when there was one.
pub(super) fn take(db: &Connection, login: i64) -> Result<usize, Error> {
    Ok(db
        .prepare_cached("DELETE FROM email_login WHERE login = ?1 AND code IS NOT NULL")?
        .execute([login])?)
}

/// The login is over, or another factor let the person in: no code of it works any more.
pub(super) fn close(db: &Connection, login: i64) -> Result<(), Error> {
    db.prepare_cached("DELETE FROM email_login WHERE login = ?1")?.execute([login])?;
    Ok(())
}

/// How many letters a person and the host were sent of late, for the next one.
pub(super) fn way(
    db: &Connection,
    uid: u32,
    sent: Option<Stamp>,
    limits: Limits,
    now: Moment,
) -> Result<Way, Error> {
    let ages = ages(db, uid, now)?;
    let host_full = host_full(db, limits.most_per_hour, now)?;
    Ok(Way { sent, matches: false, ages, host_full, limits })
}

/// Counts a letter of a person, before anybody sends it.
pub(super) fn count(db: &Connection, uid: Option<u32>, now: Moment) -> Result<(), Error> {
    db.prepare_cached("INSERT INTO email_sent (uid, boot, at_ms) VALUES (?1, ?2, ?3)")?.execute((
        uid,
        now.boot,
        now.boot_ms,
    ))?;
    Ok(())
}

/// Voids the codes of a person's logins in flight: they would still go where they were to go.
pub(super) fn void(db: &Connection, uid: u32) -> Result<(), Error> {
    db.prepare_cached(
        "DELETE FROM email_login WHERE login IN (SELECT id FROM login WHERE token IS NOT NULL AND uid = ?1)",
    )?
    .execute([uid])?;
    Ok(())
}

fn ages(db: &Connection, uid: u32, now: Moment) -> Result<Vec<i64>, Error> {
    let mut ages: Vec<i64> = db
        .prepare_cached("SELECT boot, at_ms FROM email_sent WHERE uid = ?1 ORDER BY id DESC LIMIT ?2")?
        .query_map((uid, LOOKS_AT), |r| Ok(now.since(Stamp { boot: r.get(0)?, ms: r.get(1)? })))?
        .collect::<Result<_, _>>()?;
    ages.retain(|age| *age < LOOKS_BACK_MS);
    ages.sort_unstable();
    Ok(ages)
}

fn host_full(db: &Connection, most: u32, now: Moment) -> Result<Option<i64>, Error> {
    let age: Option<i64> = db
        .prepare_cached("SELECT boot, at_ms FROM email_sent ORDER BY id DESC LIMIT 1 OFFSET ?1")?
        .query_row([most.saturating_sub(1)], |r| Ok(now.since(Stamp { boot: r.get(0)?, ms: r.get(1)? })))
        .optional()?;
    Ok(age.filter(|age| *age < LOOKS_BACK_MS))
}

impl Store {
    /// A letter was not sent: its code is void, and the next one can be asked for at once. It stays
    /// counted, since somebody could make letters fail.
    ///
    /// # Errors
    /// When the store cannot be written, or the login is over.
    pub async fn email_failed(&self, token: [u8; 16], caller: u32, now: Moment) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            let login = open_login(db, &token, caller, now)?;
            db.prepare_cached("UPDATE email_login SET code = NULL WHERE login = ?1")?.execute([login.id])?;
            Ok(())
        })
        .await
    }

    /// Removes what no login and no cap needs any more.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub async fn sweep_email(&self, now: Moment) -> Result<(), Error> {
        self.run(Durability::Kill, move |db| {
            db.execute(
                "DELETE FROM email_login WHERE login NOT IN (SELECT id FROM login WHERE token IS NOT NULL)",
                [],
            )?;
            // An hour longer than it lives, so that somebody late hears why.
            db.execute(
                "DELETE FROM address_pending WHERE boot <> ?1 OR sent_ms + lives_ms <= ?2",
                (now.boot, now.boot_ms - LOOKS_BACK_MS),
            )?;
            // Of another boot only what that boot's hour could still cap.
            db.execute(
                "DELETE FROM email_sent WHERE (boot = ?1 AND at_ms < ?2) OR (boot <> ?1 AND ?2 > 0)",
                (now.boot, now.boot_ms - LOOKS_BACK_MS),
            )?;
            Ok(())
        })
        .await
    }
}
