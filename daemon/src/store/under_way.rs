//! Logins under way, which the chain does not have yet or not for the last time: whoever changes one, or makes
//! one up, would have the daemon finish it and vouch for it.
//!
//! The daemon knows a keyed hash of each as it left it. Before a row changes it is compared with that, by a
//! trigger that SQLite runs on every change. Over restarts the row of both ends keeps one hash of all of
//! them; a login is never taken up that is not among those.

use super::chain::{LOGIN, Mac, Touched, row_mac};
use crate::seal::ChainKey;
use rusqlite::functions::FunctionFlags;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Row};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

/// What a login under way is, beyond what the log says of it. Not its link, which follows from the rest.
const MORE: &str =
    "token, phase, source_key, console, person_pays, talk, boot, started_ms, rounds, tells, asking,
    misses, may_enroll, later_until";
/// Where [`MORE`] begins in a row that has it behind [`LOGIN`].
pub(super) const TOKEN: usize = 17;
pub(super) const PHASE: usize = 18;
/// Columns of both.
pub(super) const FIELDS: usize = 31;

/// The columns that [`digest`] reads.
pub(super) fn columns() -> String {
    format!("{LOGIN}, {MORE}")
}

/// All logins under way, as they were left.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct UnderWay {
    rows: BTreeMap<i64, Mac>,
    /// The exclusive or of all hashes. Only a keyed hash of it is ever written, so nobody learns one.
    sum: Mac,
}

impl UnderWay {
    /// Those that are in the database, whoever wrote them.
    pub(super) fn read(db: &Connection, key: &ChainKey) -> rusqlite::Result<Self> {
        let mut all = Self::default();
        let mut statement =
            db.prepare_cached(&format!("SELECT {} FROM login WHERE token IS NOT NULL", columns()))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            all.put(row.get(0)?, digest(key, row)?);
        }
        Ok(all)
    }

    pub(super) fn get(&self, id: i64) -> Option<&Mac> {
        self.rows.get(&id)
    }

    pub(super) fn put(&mut self, id: i64, mac: Mac) {
        self.remove(id);
        self.rows.insert(id, mac);
        self.add(&mac);
    }

    /// Tells whether it was there.
    pub(super) fn remove(&mut self, id: i64) -> bool {
        let Some(mac) = self.rows.remove(&id) else { return false };
        self.add(&mac);
        true
    }

    fn add(&mut self, mac: &Mac) {
        self.sum.iter_mut().zip(mac).for_each(|(sum, byte)| *sum ^= byte);
    }

    /// The hash of all.
    pub(super) fn tag(&self, key: &ChainKey) -> Mac {
        key.tag("under way", &[&(self.rows.len() as u64).to_be_bytes(), &self.sum])
    }
}

/// The keyed hash of a login under way, of which [`columns`] come first.
pub(super) fn digest(key: &ChainKey, row: &Row<'_>) -> rusqlite::Result<Mac> {
    row_mac(key, "login under way", &[], FIELDS, |column| row.get_ref(column))
}

/// Has every change of a login note what it was before, once in a transaction.
pub(super) fn watch(
    db: &Connection,
    key: Arc<ChainKey>,
    touched: &Arc<Mutex<Touched>>,
) -> rusqlite::Result<()> {
    let notes = Arc::clone(touched);
    let fields = i32::try_from(FIELDS).unwrap_or(-1);
    db.create_scalar_function("login_was", fields, FunctionFlags::SQLITE_UTF8, move |call| {
        let id: i64 = call.get(0)?;
        let mut notes = notes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Vacant(first) = notes.were.entry(id) {
            let column = |column| Ok::<ValueRef<'_>, rusqlite::Error>(call.get_raw(column));
            first.insert(row_mac(&key, "login under way", &[], FIELDS, column)?);
        }
        Ok(true)
    })?;
    let columns = columns();
    let old: Vec<String> = columns.split(',').map(|column| format!("old.{}", column.trim())).collect();
    // A temporary trigger: it is in no file, so nobody takes it away.
    db.execute_batch(&format!(
        "DROP TRIGGER IF EXISTS temp.login_was;
         CREATE TEMP TRIGGER login_was BEFORE UPDATE OF {columns} ON main.login
         BEGIN SELECT login_was({}); END",
        old.join(", ")
    ))
}
