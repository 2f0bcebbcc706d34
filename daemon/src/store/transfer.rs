//! People who go to another host, and people who come from one.

use super::enrollment::{self, MOST};
use super::notice::{self, Kind as Notice};
use super::restore::{add_person, insert_address, insert_app, insert_set};
use super::staged::{Kept, address, apps, everybody, set};
use super::worker::{Durability, Store};
use crate::clock::Moment;
use crate::error::Error;
use rusqlite::Connection;
use std::collections::HashMap;

/// Somebody who comes, sealed for this host and their uid here.
pub struct Incoming {
    /// What they bring.
    pub kept: Kept,
    /// What each of their secrets is compared by, in their order.
    pub prints: Vec<[u8; 32]>,
}

/// How people are taken in.
#[derive(Debug, Clone)]
pub struct TakeIn {
    /// Also where the person has a factor already, beside it.
    pub add: bool,
    /// Or in the place of it.
    pub replace: bool,
    /// Say what would come of it, and change nothing.
    pub dry_run: bool,
    /// Who, and why.
    pub by: String,
}

/// What became of one person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Came {
    /// So many authenticators are new here.
    New(u32),
    /// All is here already; watermarks take the higher value.
    Present,
    /// Nothing was taken.
    Refused(String),
}

impl Store {
    /// What people have, sealed as it is: of these uids, or of everybody. They are told.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn people_to_export(
        &self,
        only: Option<Vec<u32>>,
        by: String,
        now: Moment,
    ) -> Result<Vec<Kept>, Error> {
        self.run(Durability::Power, move |db| {
            let wanted = everybody(db)?
                .into_iter()
                .filter(|(uid, _)| only.as_ref().is_none_or(|only| only.contains(uid)));
            let as_it_is = |_: &str, sealed: &[u8]| Ok(sealed.to_vec());
            let mut people = Vec::new();
            for (uid, name) in wanted {
                let codes = set(db, uid, &as_it_is)?.filter(|set| set.scratch == 0);
                let address = address(db, uid, &name)?;
                let kept = Kept { uid, apps: apps(db, uid, &as_it_is)?, set: codes, address, name };
                if kept.apps.is_empty() && kept.set.is_none() && kept.address.is_none() {
                    continue;
                }
                notice::add(db, uid, &kept.name, Notice::Exported, &by, now)?;
                people.push(kept);
            }
            Ok(people)
        })
        .await
    }

    /// Takes people in, each whole or not at all. `print` gives what a secret that is kept is compared by.
    ///
    /// # Errors
    /// When the store cannot be written: then nobody was taken in.
    pub async fn take_in(
        &self,
        people: Vec<Incoming>,
        how: TakeIn,
        now: Moment,
        print: impl Fn(u32, &[u8]) -> Option<[u8; 32]> + Send + 'static,
    ) -> Result<Vec<Came>, Error> {
        self.run(Durability::Power, move |db| {
            let mut owners: HashMap<[u8; 32], u32> = HashMap::new();
            let mut statement = db.prepare("SELECT uid, secret FROM totp")?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let (uid, sealed): (u32, Vec<u8>) = (row.get(0)?, row.get(1)?);
                if let Some(print) = print(uid, &sealed) {
                    owners.insert(print, uid);
                }
            }
            people.iter().map(|one| take(db, one, &how, &mut owners, now)).collect()
        })
        .await
    }
}

fn take(
    db: &Connection,
    one: &Incoming,
    how: &TakeIn,
    owners: &mut HashMap<[u8; 32], u32>,
    now: Moment,
) -> Result<Came, Error> {
    let Incoming { kept, prints } = one;
    let refuse = |why: &str| Ok(Came::Refused(why.to_owned()));
    match enrollment::refuse_renamed(db, kept.uid, &kept.name) {
        Err(Error::InvalidArgument(why)) => return Ok(Came::Refused(why)),
        checked => checked?,
    }
    if prints.iter().any(|print| owners.get(print).is_some_and(|owner| *owner != kept.uid)) {
        return refuse("somebody else has the same secret, and whose code it is could not be told");
    }
    let is_here = |print: &[u8; 32]| owners.contains_key(print);
    let has = enrollment::has_factor(db, kept.uid)?;
    if has && !how.replace && !prints.is_empty() && prints.iter().all(is_here) {
        if !how.dry_run {
            for app in &kept.apps {
                raise(db, kept.uid, &app.serial, app.last_step)?;
            }
        }
        return Ok(Came::Present);
    }
    if has && !how.add && !how.replace {
        return refuse("the person has a factor here already; --add keeps it, --replace removes it");
    }
    let new: Vec<usize> = (0..kept.apps.len()).filter(|i| how.replace || !is_here(&prints[*i])).collect();
    let here: u32 = db.query_row("SELECT count(*) FROM totp WHERE uid = ?1", [kept.uid], |r| r.get(0))?;
    let before = if how.replace { 0 } else { here as usize };
    if before + new.len() > MOST as usize {
        return refuse("the person would have too many authenticators");
    }
    let count = u32::try_from(new.len()).unwrap_or(u32::MAX);
    owners.extend(prints.iter().map(|print| (*print, kept.uid)));
    if how.dry_run {
        return Ok(Came::New(count));
    }
    if how.replace {
        db.execute("DELETE FROM totp WHERE uid = ?1", [kept.uid])?;
        db.execute("DELETE FROM recovery_code WHERE uid = ?1", [kept.uid])?;
        db.execute("DELETE FROM recovery_set WHERE uid = ?1", [kept.uid])?;
    }
    add_person(db, kept)?;
    for i in new {
        insert_app(db, kept, &kept.apps[i])?;
    }
    let has_set = db.prepare("SELECT 1 FROM recovery_set WHERE uid = ?1")?.exists([kept.uid])?;
    if let Some(set) = kept.set.as_ref().filter(|_| !has_set) {
        insert_set(db, kept, set)?;
    }
    insert_address(db, kept)?;
    notice::add(db, kept.uid, &kept.name, Notice::CameFrom, &how.by, now)?;
    Ok(Came::New(count))
}

/// A code that was used there is used here.
fn raise(db: &Connection, uid: u32, serial: &[u8], step: i64) -> Result<(), Error> {
    db.prepare_cached("UPDATE totp SET last_step = max(last_step, ?3) WHERE uid = ?1 AND serial = ?2")?
        .execute((uid, serial, step))?;
    Ok(())
}
